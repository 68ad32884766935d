"""A publishing job over a database in memory and a scripted platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.workers.providers.claims import Platform, no_sleep
from tests.workers.publish.fakes import FakeDatabase, FakeMembership, FakeTokens
from workers.jobs.publishing import Limits, PublishJob
from workers.metrics import Metrics
from workers.providers.linkedin import LinkedInPublisher
from workers.providers.x import XPublisher


class World:
    """Everything around one publishing job."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.platform = Platform()
        self.tokens = FakeTokens()
        self.membership = FakeMembership()
        self.metrics = Metrics()
        self.publishers: dict[str, Any] = {
            "x": XPublisher(self.platform.client, sleep=no_sleep),
            "linkedin": LinkedInPublisher(self.platform.client, version="202605", sleep=no_sleep),
        }

    def job(self, **limits: Any) -> PublishJob:
        """The job; `limits` as for `Limits`."""
        return PublishJob(
            self.database,
            self.publishers,
            self.tokens,
            self.membership,
            limits=Limits(**{"concurrency": 8, "poll_seconds": 0.02, "stop_seconds": 2.0} | limits),
            metrics=self.metrics,
        )

    @asynccontextmanager
    async def running(self, **limits: Any) -> AsyncIterator[None]:
        """The job at work while the body runs; stopped in order at its end."""
        task = asyncio.create_task(self.job(**limits).run())
        try:
            yield
        finally:
            self.membership.stopping.set()
            await asyncio.wait_for(task, 30)

    async def until(self, condition: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for a condition."""
        async with asyncio.timeout(seconds):
            while not condition():  # noqa: ASYNC110  the conditions are about plain objects
                await asyncio.sleep(0.002)

    def metric(self, name: str, **labels: str) -> float:
        """Current value of a sample, 0 when there is none."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.platform.client.aclose()


@pytest.fixture
def gate() -> Callable[[], tuple[asyncio.Event, asyncio.Event, Callable[[Any], Awaitable[None]]]]:
    """Makes a hook that says when it was reached and waits to be let go: (reached, go, hook)."""

    def make() -> tuple[asyncio.Event, asyncio.Event, Callable[[Any], Awaitable[None]]]:
        reached, go = asyncio.Event(), asyncio.Event()

        async def hook(_argument: Any) -> None:
            reached.set()
            await go.wait()

        return reached, go, hook

    return make
