"""Membership: registering, heartbeats, lost and retired ids, stopping."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from workers import membership as module
from workers.errors import AccessRefusedError, ContractMismatchError, TransportError
from workers.jobs import FRESH_SECONDS, Identity, backoff_seconds, pause
from workers.membership import Process
from workers.metrics import Metrics
from workers.settings import WorkerSettings

pytestmark = pytest.mark.anyio

SETTINGS = WorkerSettings(
    supabase_url="https://project.example",
    supabase_secret_key=SecretStr("k"),
    token_keyring=SecretStr("k"),
    public_url="https://worker.example",
    redirect_urls=("https://app.example/done",),
    worker_name="w1",
)


class FakeGateway:
    """Registers ids and keeps them alive, or does not."""

    def __init__(self) -> None:
        self.registered: list[UUID] = []
        self.announced: list[Any] = []
        self.beats: list[UUID] = []
        self.stopped: list[UUID] = []
        self.dead: set[UUID] = set()
        self.errors: dict[str, list[Exception]] = {}

    def _maybe_fail(self, name: str) -> None:
        errors = self.errors.get(name)
        if errors:
            raise errors.pop(0)

    async def register_worker(self, name: str, public_url: str, redirect_urls: tuple[str, ...]) -> UUID:
        self._maybe_fail("register_worker")
        self.announced.append((name, public_url, redirect_urls))
        self.registered.append(uuid4())
        return self.registered[-1]

    async def heartbeat(self, worker_id: UUID) -> bool:
        self._maybe_fail("heartbeat")
        self.beats.append(worker_id)
        return worker_id not in self.dead and worker_id not in self.stopped

    async def stop_worker(self, worker_id: UUID) -> None:
        self._maybe_fail("stop_worker")
        self.stopped.append(worker_id)


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


async def _id(process: Process) -> Identity:
    identity = await process.identity()
    assert identity is not None
    return identity


@asynccontextmanager
async def _alive(gateway: FakeGateway, interval: float = 0.01) -> AsyncIterator[Process]:
    process = Process(gateway, SETTINGS, Metrics(), interval=interval)
    await process.register()
    heart = asyncio.create_task(process.keep_alive())
    yield process
    heart.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await heart


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  the conditions are about plain objects
            await asyncio.sleep(0.002)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "backoff_seconds", lambda *_a, **_k: 0.0)


async def test_it_announces_itself_and_is_healthy(gateway: FakeGateway) -> None:
    async with _alive(gateway) as process:
        assert gateway.announced == [("w1", "https://worker.example", ("https://app.example/done",))]
        assert process.is_healthy
        await _until(lambda: len(gateway.beats) >= 3)
    assert set(gateway.beats) == set(gateway.registered)
    process.stop()
    assert not process.is_healthy


async def test_nobody_waits_for_an_id_that_will_not_come(gateway: FakeGateway) -> None:
    process = Process(gateway, SETTINGS, Metrics())
    waiting = asyncio.create_task(process.identity())
    await asyncio.sleep(0.01)
    process.stop()
    assert await asyncio.wait_for(waiting, 1) is None


async def test_a_database_that_is_away_at_the_start_is_waited_for(gateway: FakeGateway) -> None:
    gateway.errors["register_worker"] = [TransportError("register_worker", "x")] * 3
    async with _alive(gateway) as process:
        assert process.is_healthy
    assert len(gateway.registered) == 1


@pytest.mark.parametrize(
    "error",
    [AccessRefusedError("register_worker", "42501"), ContractMismatchError("register_worker", "PGRST202")],
)
async def test_a_deployment_that_cannot_work_does_not_start(error: Exception, gateway: FakeGateway) -> None:
    gateway.errors["register_worker"] = [error]
    process = Process(gateway, SETTINGS, Metrics())
    with pytest.raises(type(error)):
        await process.register()


async def test_declared_dead_everything_is_dropped_and_a_new_id_is_had(gateway: FakeGateway) -> None:
    async with _alive(gateway) as process:
        first = await _id(process)
        lost: list[Identity] = []
        first.on_lost(lost.append)
        gateway.dead.add(first.worker_id)
        await _until(lambda: len(gateway.registered) == 2)
        second = await _id(process)
        assert lost == [first]
        assert (first.is_lost, first.is_fresh) == (True, False)
        assert second.worker_id == gateway.registered[1]
        beats = gateway.beats.count(first.worker_id)
        await _until(lambda: gateway.beats.count(second.worker_id) >= 2)
        assert gateway.beats.count(first.worker_id) == beats, "the dead id gets no more heartbeats"
        assert (
            process._metrics.registry.get_sample_value("nexora_lease_losses_total", {"kind": "worker"}) == 1
        )


async def test_a_missed_heartbeat_loses_nothing_yet(gateway: FakeGateway) -> None:
    gateway.errors["heartbeat"] = [TransportError("heartbeat", "x")] * 5
    async with _alive(gateway) as process:
        identity = await _id(process)
        await _until(lambda: len(gateway.beats) >= 2)
        assert await _id(process) is identity
        assert not identity.is_lost


async def test_a_retired_id_lives_until_its_work_is_done(gateway: FakeGateway) -> None:
    async with _alive(gateway) as process:
        first = await _id(process)
        with first.holding():
            process.retire(first)
            second = await _id(process)
            assert second is not first
            await _until(lambda: gateway.beats.count(first.worker_id) >= 3)
            assert gateway.stopped == []
            assert not first.is_lost
        await _until(lambda: gateway.stopped == [first.worker_id])
        assert process.is_healthy


async def test_retiring_twice_gets_one_new_id(gateway: FakeGateway) -> None:
    async with _alive(gateway) as process:
        first = await _id(process)
        process.retire(first)
        process.retire(first)
        await _id(process)
        process.retire(first)
        await _until(lambda: bool(gateway.stopped))
    assert len(gateway.registered) == 2


async def test_a_retired_id_that_never_finishes_is_stopped_nevertheless(
    gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETIRED_SECONDS", 0.05)
    async with _alive(gateway) as process:
        first = await _id(process)
        with first.holding():
            process.retire(first)
            await _until(lambda: gateway.stopped == [first.worker_id])
            assert first.is_lost, "its work is no longer ours"


async def test_stopping_an_id_is_tried_again(gateway: FakeGateway) -> None:
    gateway.errors["stop_worker"] = [TransportError("stop_worker", "x")] * 2
    async with _alive(gateway) as process:
        first = await _id(process)
        process.retire(first)
        await _until(lambda: gateway.stopped == [first.worker_id])


async def test_leaving_stops_every_id(gateway: FakeGateway) -> None:
    async with _alive(gateway, interval=60) as process:
        first = await _id(process)
        with first.holding():
            process.retire(first)
            await _id(process)
            process.stop()
            await process.leave()
    assert sorted(gateway.stopped) == sorted(gateway.registered)
    assert len(gateway.stopped) == 2


async def test_leaving_does_not_hang_on_a_database_that_is_away(gateway: FakeGateway) -> None:
    gateway.errors["stop_worker"] = [TransportError("stop_worker", "x")]
    async with _alive(gateway) as process:
        await process.leave()


def test_freshness_counts_from_when_the_heartbeat_was_sent() -> None:
    clock = [100.0]
    identity = Identity(uuid4(), clock=lambda: clock[0])
    clock[0] = 100.0 + FRESH_SECONDS
    assert identity.is_fresh
    clock[0] += 0.1
    assert not identity.is_fresh
    identity.confirm(clock[0] - 10)
    assert identity.age == pytest.approx(10)
    identity.confirm(50.0)
    assert identity.age == pytest.approx(10), "an answer that comes late does not count back"


def test_freshness_leaves_room_before_the_database_takes_the_lease() -> None:
    lease_seconds = 45  # setting of the database
    assert lease_seconds > FRESH_SECONDS + module.HEARTBEAT_SECONDS


async def test_a_pause_ends_with_the_signal_to_stop(gateway: FakeGateway) -> None:
    process = Process(gateway, SETTINGS, Metrics())
    assert await pause(process, 0.001)
    waiting = asyncio.create_task(pause(process, 60))
    await asyncio.sleep(0.01)
    process.stop()
    assert not await waiting
    assert not await pause(process, 60)


def test_backoff_is_jittered_and_capped() -> None:
    assert all(0 <= backoff_seconds(n, base=0.5, cap=30) <= min(30, 0.5 * 2 ** (n - 1)) for n in range(1, 12))
    assert all(0 <= backoff_seconds(10_000) <= 30 for _ in range(20))
    assert len({backoff_seconds(8) for _ in range(20)}) > 10
