"""Our queue through the functions of schema `worker`, as an SQL client calls them: claim, mark, report."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from workers.bench.drivers.protocol import Counter, main, now

_CLAIM = """
    select target_id, attempt, mode, user_id, connection_id, platform_id, external_account_id, "text", options,
           media, scopes, sealed_access, generation, access_expires_at, scheduled_at, sending_at, progress
    from worker.claim_targets($1, $2, $3)"""
_MARK = "select mark_sending from worker.mark_sending($1, $2::jsonb)"
_REPORT = "select target_id, accepted, state from worker.report_targets($1, $2::jsonb)"
_NEXT_DUE = "select worker.next_publish_due()"

_HEARTBEAT = "select worker.heartbeat($1)"

_HEARTBEAT_SECONDS = 10
_SLACK = timedelta(milliseconds=200)  # see `workers/jobs/publish.py`: how far back a claim looks
_LONGEST_SLEEP = 0.25


class Session:
    """One connection that claims, marks and reports batches."""

    def __init__(self, connection: Any, worker_id: str) -> None:
        self._worker = worker_id
        self._connection = connection

    async def prepare(self) -> None:
        prepare = self._connection.prepare
        self._claim, self._mark = await prepare(_CLAIM), await prepare(_MARK)
        self._report, self._next_due = await prepare(_REPORT), await prepare(_NEXT_DUE)

    async def claim(self, limit: int, since: datetime | None) -> list[Any]:
        rows: list[Any] = await self._claim.fetch(self._worker, limit, since)
        return rows

    async def publish(self, rows: Sequence[Any]) -> None:
        """Everything after the claim: the platform's part takes no time here."""
        keys = [(str(row["target_id"]), row["attempt"]) for row in rows]
        marks = ",".join(f'{{"target_id":"{target}","attempt":{attempt}}}' for target, attempt in keys)
        marked = await self._mark.fetch(self._worker, f"[{marks}]")
        reports = ",".join(
            f'{{"target_id":"{target}","attempt":{attempt},"outcome":"published","external_id":"{target}",'
            f'"external_url":"https://platform.example/posts/{target}","http_status":201}}'
            for target, attempt in keys
        )
        answers = await self._report.fetch(self._worker, f"[{reports}]")
        if len(marked) != len(rows) or not all(answer["accepted"] for answer in answers):
            raise RuntimeError("a mark or a report was refused")

    async def next_due(self) -> datetime | None:
        due: datetime | None = await self._next_due.fetchval()
        return due


class NexoraSql:
    """Task: url, mode, connections, batch, worker_id."""

    def __init__(self, task: dict[str, Any], counter: Counter) -> None:
        self._task = task
        self._counter = counter
        self._batch: int = task["batch"]
        self._claimed: list[list[Any]] = []
        self._finishing: asyncio.Queue[list[Any]] = asyncio.Queue()
        self._more_is_due = asyncio.Event()
        self.latencies: list[float] = []

    async def connect(self) -> None:
        self._heart = await asyncpg.connect(self._task["url"])
        self._sessions = [await self._open() for _ in range(self._task["connections"])]

    async def _open(self) -> Session:
        connection = await asyncpg.connect(self._task["url"])
        await connection.execute("set role service_role")
        session = Session(connection, self._task["worker_id"])
        await session.prepare()
        return session

    async def run(self, stop: asyncio.Event) -> None:
        beating = asyncio.create_task(self._stay_alive())
        await self._work(stop)
        beating.cancel()

    async def _stay_alive(self) -> None:
        """A worker without heartbeats would lose its leases after 45 s."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            await self._heart.fetchval(_HEARTBEAT, self._task["worker_id"])

    async def _work(self, stop: asyncio.Event) -> None:
        if self._task["mode"] == "idle":
            await self._poll_idly(self._sessions[0], stop)
        elif self._task["mode"] == "latency":
            claimer, helper, finisher = self._sessions
            await asyncio.gather(
                self._claim_when_due(claimer, stop), self._help_claiming(helper), self._finish(finisher)
            )
        else:
            await asyncio.gather(*(self._drain(session, stop) for session in self._sessions))

    async def _drain(self, session: Session, stop: asyncio.Event) -> None:
        since: datetime | None = None
        while not stop.is_set():
            rows = await session.claim(self._batch, since)
            if rows:
                since = max(row["scheduled_at"] for row in rows) - _SLACK
                await session.publish(rows)
                self._counter.add(len(rows))
            elif since is not None:
                since = None  # the sweep
            else:
                await asyncio.sleep(0.002)

    async def _claim_when_due(self, session: Session, stop: asyncio.Event) -> None:
        """Sleep until the next one is due, as the worker does."""
        while not stop.is_set():
            if await self._claim_and_note(session):
                continue
            due = await session.next_due()
            wait = _LONGEST_SLEEP if due is None else due.timestamp() - time.time()
            await asyncio.sleep(min(_LONGEST_SLEEP, max(0.0, wait)))

    async def _help_claiming(self, session: Session) -> None:
        """Claim as well while more is due than one claim takes."""
        while True:
            await self._more_is_due.wait()
            await self._claim_and_note(session)

    async def _claim_and_note(self, session: Session) -> bool:
        """Whether anything was claimed; what was is published once nothing more is due."""
        rows = await session.claim(self._batch, None)
        at = now()
        self.latencies += [at - row["scheduled_at"].timestamp() * 1000 for row in rows]
        if rows:
            self._claimed.append(rows)
        if len(rows) == self._batch:
            self._more_is_due.set()
            return True
        self._more_is_due.clear()
        while self._claimed:
            self._finishing.put_nowait(self._claimed.pop())
        return bool(rows)

    async def _finish(self, session: Session) -> None:
        while True:
            rows = await self._finishing.get()
            await session.publish(rows)
            self._counter.add(len(rows))

    async def _poll_idly(self, session: Session, stop: asyncio.Event) -> None:
        while not stop.is_set() and len(self.latencies) < self._task["polls"]:
            begin = time.perf_counter()
            if await session.claim(self._batch, None):
                raise RuntimeError("something was due")
            self.latencies.append((time.perf_counter() - begin) * 1000)
            self._counter.add(1)


if __name__ == "__main__":
    main(NexoraSql)
