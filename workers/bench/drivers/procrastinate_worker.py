"""procrastinate's own async worker, 20 jobs at once."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import procrastinate

from workers.bench.drivers.protocol import Counter, main, now


class Procrastinate:
    """Task: url, mode, connections, concurrency, poll_ms."""

    def __init__(self, task: dict[str, Any], counter: Counter) -> None:
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)
        self._task = task
        self._counter = counter
        self.latencies: list[float] = []
        connector = procrastinate.PsycopgConnector(
            conninfo=task["url"], min_size=task["connections"], max_size=task["connections"]
        )
        self._app = procrastinate.App(connector=connector)
        self._app.task(name="job")(self._job)

    async def connect(self) -> None:
        await self._app.open_async()
        manager = self._app.job_manager
        finish = manager.finish_job

        async def finish_and_count(*arguments: Any, **named: Any) -> None:
            await finish(*arguments, **named)
            self._counter.add(1)

        manager.finish_job = finish_and_count

    async def run(self, stop: asyncio.Event) -> None:
        if self._task["mode"] == "idle":
            await self._poll_idly(stop)
            return
        await self._app.run_worker_async(
            concurrency=self._task["concurrency"],
            fetch_job_polling_interval=self._task["poll_ms"] / 1000,
            install_signal_handlers=False,
            delete_jobs="never",
        )

    async def _job(self, due: float) -> None:
        if self._task["mode"] == "latency":
            self.latencies.append(now() - due)

    async def _poll_idly(self, stop: asyncio.Event) -> None:
        worker_id = await self._app.job_manager.register_worker()
        while not stop.is_set() and len(self.latencies) < self._task["polls"]:
            begin = time.perf_counter()
            await self._app.job_manager.fetch_job(None, worker_id)
            self.latencies.append((time.perf_counter() - begin) * 1000)
            self._counter.add(1)


if __name__ == "__main__":
    main(Procrastinate)
