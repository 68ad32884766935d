"""Periodic work of a process: APScheduler on the process's own event loop.

Only for what has no due time in the database. A missed run is made up for by the next one: runs do not pile
up, and never overlap themselves. Start times are spread, so that replicas do not all run at the same second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from apscheduler.executors.asyncio import AsyncIOExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

__all__ = ["Scheduler"]

_SPREAD: Final = 0.1
"""Share of the interval by which a run may start later than its time."""


class Scheduler:
    """Runs coroutine functions at intervals between `start` and `stop`."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def every(
        self, seconds: float, work: Callable[[], Awaitable[object]], *, name: str, first_after: float
    ) -> None:
        """Have `work` run every `seconds`.

        Args:
            seconds: interval.
            work: coroutine function; handles its own errors.
            name: unique name.
            first_after: seconds from now to the first run.
        """
        self._scheduler.add_job(
            work,
            IntervalTrigger(seconds=seconds, timezone=UTC, jitter=seconds * _SPREAD),
            id=name,
            name=name,
            next_run_time=datetime.now(UTC) + timedelta(seconds=first_after),
        )

    def start(self) -> None:
        """Begin; inside a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin no more runs and cancel what is running: cleanups are one transaction each."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
