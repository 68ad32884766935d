"""pgmq at its best documented setting: read and delete in batches, several connections."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import asyncpg

from workers.bench.drivers.protocol import Counter, main, now

_READ = "select msg_id, message from pgmq.read('bench', 60, $1)"
_POLL = "select msg_id, message from pgmq.read_with_poll('bench', 60, $1, 5, 100)"
_DELETE = "select pgmq.delete('bench', $1::bigint[])"


class Pgmq:
    """Task: url, mode, connections, batch."""

    def __init__(self, task: dict[str, Any], counter: Counter) -> None:
        self._task = task
        self._counter = counter
        self._batch: int = task["batch"]
        self.latencies: list[float] = []

    async def connect(self) -> None:
        self._connections = [
            await asyncpg.connect(self._task["url"]) for _ in range(self._task["connections"])
        ]

    async def run(self, stop: asyncio.Event) -> None:
        loop = self._poll_idly if self._task["mode"] == "idle" else self._work
        connections = self._connections[:1] if self._task["mode"] == "idle" else self._connections
        await asyncio.gather(*(loop(connection, stop) for connection in connections))

    async def _work(self, connection: Any, stop: asyncio.Event) -> None:
        is_drain = self._task["mode"] == "drain"
        read = await connection.prepare(_READ if is_drain else _POLL)
        delete = await connection.prepare(_DELETE)
        while not stop.is_set():
            rows = await read.fetch(self._batch)
            if not rows:
                await asyncio.sleep(0.002 if is_drain else 0)
                continue
            if not is_drain:
                at = now()
                self.latencies += [at - json.loads(row["message"])["due"] for row in rows]
            await delete.fetch([row["msg_id"] for row in rows])
            self._counter.add(len(rows))

    async def _poll_idly(self, connection: Any, stop: asyncio.Event) -> None:
        read = await connection.prepare(_READ)
        while not stop.is_set() and len(self.latencies) < self._task["polls"]:
            begin = time.perf_counter()
            await read.fetch(self._batch)
            self.latencies.append((time.perf_counter() - begin) * 1000)
            self._counter.add(1)


if __name__ == "__main__":
    main(Pgmq)
