"""The loop: waking in time, batches, order per account, lost answers, lost leases, stopping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.workers.providers.claims import answer
from tests.workers.publish.conftest import World
from tests.workers.publish.fakes import now
from workers.errors import ContractMismatchError, DatabaseError, NotSentError, TransportError
from workers.gateway import UNREADABLE_ANSWER
from workers.jobs import FRESH_SECONDS
from workers.jobs.publishing import attempt as module
from workers.jobs.publishing import loop

pytestmark = pytest.mark.anyio

POST = "POST /2/tweets"
TIMELINE = "GET /2/users/42/tweets"
Gate = Callable[[], tuple[asyncio.Event, asyncio.Event, Callable[[Any], Awaitable[None]]]]


def _created(_request: Any = None) -> httpx.Response:
    return answer(201, {"data": {"id": "777"}})


def _all_published(world: World) -> Callable[[], bool]:
    return lambda: all(row.state == "published" for row in world.database.rows.values())


# --- claiming -----------------------------------------------------------------------------------------------


async def test_it_sleeps_until_the_next_is_due(world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add(due_in=0.3)
    async with world.running(poll_seconds=5.0):
        await world.until(lambda: row.state == "published")
        late = (now() - row.due_at).total_seconds()
    assert late < 2.5  # and not after the pause of five
    assert world.database.count("claim_targets") < 15, "it sleeps, it does not spin"


async def test_an_earlier_addition_is_seen_within_the_poll_interval(world: World) -> None:
    world.platform.answers[POST] = _created
    world.database.add(due_in=3600)
    async with world.running(poll_seconds=0.1):
        await asyncio.sleep(0.15)
        row = world.database.add(due_in=0.0)
        await world.until(lambda: row.state == "published", 1.0)


async def test_a_clock_behind_ours_does_not_make_it_spin(world: World) -> None:
    """The database says "due", but gives nothing out (its clock is behind, or another worker is faster)."""
    world.database.add(due_in=-1, worker_id=None, state="scheduled")
    real = world.database.claim_targets

    async def nothing(*arguments: Any) -> list[Any]:
        await real(uuid4(), 0)
        return []

    world.database.claim_targets = nothing  # type: ignore[method-assign]
    async with world.running(poll_seconds=0.5):
        await asyncio.sleep(0.4)
    assert world.database.count("claim_targets") <= 12


async def test_a_drain_claims_in_batches_and_reports_in_batches(world: World) -> None:
    world.platform.answers[POST] = _created
    for _ in range(600):
        world.database.add()
    async with world.running(concurrency=200):
        await world.until(_all_published(world), 60)
    claimed = [argument[1] for name, argument in world.database.calls if name == "claim_targets"]
    assert max(claimed) <= 250
    assert world.database.count("mark_sending") < 150
    assert world.database.count("report_targets") < 150
    assert world.metric("nexora_claims_total", lane="publish") == 600


async def test_an_account_that_fills_a_quarter_of_the_hands_is_named(world: World) -> None:
    world.platform.answers[POST] = _created
    account = uuid4()
    for _ in range(30):
        world.database.add(connection_id=account)
    async with world.running(concurrency=4):
        await world.until(_all_published(world))
    busy = [argument[3] for name, argument in world.database.calls if name == "claim_targets"]
    assert busy[0] == ()
    assert (account,) in busy


async def test_a_drain_looks_at_everything_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_SWEEP_SECONDS", 0.0)
    world.platform.answers[POST] = _created
    for _ in range(40):
        world.database.add()
    async with world.running(concurrency=4):
        await world.until(_all_published(world))
    assert all(argument[2] is None for name, argument in world.database.calls if name == "claim_targets")


async def test_what_is_due_before_the_watermark_is_found_by_the_sweep(world: World) -> None:
    world.platform.answers[POST] = _created
    for _ in range(40):
        world.database.add(due_in=-1)
    old = world.database.add(due_in=-500)
    async with world.running(concurrency=4):
        await world.until(_all_published(world))
    assert old.state == "published"


async def test_no_more_is_taken_in_hand_than_twice_the_concurrency(world: World) -> None:
    go = asyncio.Event()
    most = 0
    world.platform.answers[POST] = _created
    for _ in range(60):
        world.database.add()

    async def wait(_argument: Any) -> None:
        nonlocal most
        held = sum(row.worker_id is not None for row in world.database.rows.values())
        most = max(most, held)
        await go.wait()

    world.database.before["mark_sending"] = wait
    async with world.running(concurrency=5):
        await asyncio.sleep(0.2)
        go.set()
        await world.until(_all_published(world))
    assert most <= 10


# --- order and waiting --------------------------------------------------------------------------------------


async def test_one_account_is_served_in_order_and_one_at_a_time(world: World) -> None:
    at_once, most, order = 0, 0, []
    account = uuid4()

    class Slow:
        platform_id = "x"
        is_probe_sending = False
        follow_up = "none"

        async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
            pass

        async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Any:
            from workers.providers.base import Prepared

            return Prepared(claim, token, {})

        async def send(self, prepared: Any) -> Any:
            from workers.providers.base import Published

            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0.005)
            order.append(prepared.claim.text)
            at_once -= 1
            return Published("1")

        async def probe(self, claim: Any, token: Any) -> Any:
            raise AssertionError

    world.publishers["x"] = Slow()
    for index in range(10):
        world.database.add(str(index), due_in=-20 + index, connection_id=account)
    async with world.running():
        await world.until(_all_published(world))
    assert order == [str(index) for index in range(10)]
    assert most == 1


async def test_a_rate_limit_holds_the_whole_account_back_and_no_other(world: World) -> None:
    account = uuid4()
    limited = answer(429, retry_after="60")
    world.platform.answers[POST] = [limited, _created]
    first = world.database.add("1", due_in=-3, connection_id=account)
    second = world.database.add("2", due_in=-2, connection_id=account)
    async with world.running():
        await world.until(lambda: bool(first.results and second.results))
        other = world.database.add("3")
        await world.until(lambda: other.state == "published")
    assert (second.results[0].outcome, second.results[0].code) == ("retry", "rate_limited")
    assert second.results[0].retry_after_seconds == pytest.approx(60, abs=2)
    assert len(world.platform.sent(POST)) == 2


async def test_files_in_memory_are_bounded(world: World) -> None:
    held, most = 0, 0
    mebi = 1024 * 1024
    world.database.files["f"] = b"x" * (6 * mebi)
    media = [{"bucket_id": "media", "object_name": "f", "mime_type": "image/png", "size_bytes": 6 * mebi}]

    class Uploading:
        platform_id = "x"
        is_probe_sending = False
        follow_up = "none"

        async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
            pass

        async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Any:
            from workers.providers.base import Prepared

            nonlocal held, most
            async with media.files[0].part(0, 6 * mebi):
                held += 1
                most = max(most, held)
                await asyncio.sleep(0.01)
                held -= 1
            return Prepared(claim, token, {})

        async def send(self, prepared: Any) -> Any:
            from workers.providers.base import Published

            return Published("1")

        async def probe(self, claim: Any, token: Any) -> Any:
            raise AssertionError

    world.publishers["x"] = Uploading()
    for _ in range(8):
        world.database.add(media=media)
    async with world.running(media_bytes=16 * mebi):
        await world.until(_all_published(world))
    assert most == 2


# --- lost answers -------------------------------------------------------------------------------------------


def _once(error: Exception) -> Callable[[Any], None]:
    spent = False

    def hook(_argument: Any) -> None:
        nonlocal spent
        if not spent:
            spent = True
            raise error

    return hook


@pytest.mark.parametrize(
    "error",
    [
        TransportError("claim_targets", "ReadTimeout"),
        ContractMismatchError("claim_targets", UNREADABLE_ANSWER),
    ],
)
async def test_after_a_lost_claim_the_id_is_retired(error: Exception, world: World) -> None:
    world.platform.answers[POST] = _created
    lost = world.database.add()
    world.database.after["claim_targets"] = _once(error)
    first = world.membership.current
    async with world.running():
        await world.until(lambda: bool(world.membership.retired))
        assert lost.worker_id == first.worker_id, "leased to an id that does not know of it"
        lost.worker_id, lost.due_at = None, now()  # what stop_worker(old id) does
        await world.until(lambda: lost.state == "published")
    assert world.membership.retired == [first]


@pytest.mark.parametrize(
    "error", [NotSentError("claim_targets", "ConnectError"), DatabaseError("claim_targets", "23505")]
)
async def test_a_claim_that_surely_leased_nothing_retires_nothing(error: Exception, world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add()
    world.database.before["claim_targets"] = _once(error)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert world.membership.retired == []


async def test_a_lost_report_is_repeated_and_nothing_is_sent_again(world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add()
    world.database.after["report_targets"] = _once(TransportError("report_targets", "ReadTimeout"))
    async with world.running():
        await world.until(lambda: world.database.count("report_targets") >= 2)
    assert row.state == "published"
    assert len(world.platform.sent(POST)) == 1


async def test_one_bad_report_does_not_keep_the_others(world: World) -> None:
    world.platform.answers[POST] = _created
    bad, *_ = [world.database.add(str(index)) for index in range(9)]

    def refuse(results: Any) -> None:
        if any(result.target_id == bad.id for result in results):
            raise DatabaseError("report_targets", "23514")

    world.database.before["report_targets"] = refuse
    async with world.running():
        await world.until(lambda: sum(r.state == "published" for r in world.database.rows.values()) == 8)
        await world.until(lambda: bool(world.membership.retired))
    assert (bad.state, bad.results) == ("scheduled", [])


@pytest.mark.parametrize("when", ["before", "after"])
async def test_when_marking_fails_nothing_is_sent(when: str, world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add()
    hooks = world.database.before if when == "before" else world.database.after
    hooks["mark_sending"] = _once(TransportError("mark_sending", "ReadTimeout"))
    async with world.running():
        await world.until(lambda: bool(row.results))
        first = row.results[0]
        assert (first.outcome, first.code) == ("retry", "not_begun_in_time")
        row.due_at = now()
        await world.until(lambda: row.state == "published")
    assert len(world.platform.sent(POST)) == 1


async def test_what_the_database_does_not_allow_is_not_sent(world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add(is_active=False)
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == ("retry", "not_to_be_sent")
    assert world.platform.requests == []


async def test_a_target_cancelled_while_it_is_prepared_is_not_sent(world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add()

    def cancel(_argument: Any) -> None:
        row.state, row.worker_id = "cancelled", None

    world.database.before["mark_sending"] = cancel
    async with world.running():
        await world.until(lambda: world.database.count("report_targets") == 1)
    assert world.platform.requests == []
    assert row.state == "cancelled"
    assert world.metric("nexora_lease_losses_total", kind="report") == 0


# --- lost leases --------------------------------------------------------------------------------------------


async def test_work_in_preparation_is_dropped_when_the_lease_is_lost(world: World, gate: Gate) -> None:
    reached, go, hook = gate()
    world.database.files["f"] = b"x"
    media = [{"bucket_id": "media", "object_name": "f", "mime_type": "image/png", "size_bytes": 1}]
    world.platform.answers["POST /2/media/upload/initialize"] = answer(200, {"data": {"id": "55"}})
    world.database.before["read_part"] = hook
    row = world.database.add(media=media)
    async with world.running():
        await reached.wait()
        world.database.dead.add(world.membership.current.worker_id)
        world.membership.current.lose()
        await asyncio.sleep(0.05)
        assert world.metric("nexora_in_flight") == 0
        go.set()
    assert row.results == []
    assert world.platform.sent(POST) == []


async def test_what_is_being_sent_is_finished_and_reported_nevertheless(world: World) -> None:
    sending, go = asyncio.Event(), asyncio.Event()
    row = world.database.add()

    class Waiting:
        platform_id = "x"
        is_probe_sending = False
        follow_up = "none"

        async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
            pass

        async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Any:
            from workers.providers.base import Prepared

            return Prepared(claim, token, {})

        async def send(self, prepared: Any) -> Any:
            from workers.providers.base import Published

            sending.set()
            await go.wait()
            return Published("9")

        async def probe(self, claim: Any, token: Any) -> Any:
            raise AssertionError

    world.publishers["x"] = Waiting()
    async with world.running():
        await sending.wait()
        world.database.dead.add(world.membership.current.worker_id)
        world.membership.current.lose()
        go.set()
        await world.until(lambda: world.database.count("report_targets") == 1)
    (result,) = next(argument for name, argument in world.database.calls if name == "report_targets")
    assert (result.outcome, result.external_id) == ("published", "9")
    assert row.results == [], "this fake database does not record late successes; the real one does"
    assert world.metric("nexora_lease_losses_total", kind="report") == 1


@pytest.mark.parametrize("what", ["late", "stale"])
async def test_a_call_that_could_not_begin_in_time_is_not_made(
    what: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was suspended between its mark and its call must not make it: others may be probing."""
    world.platform.answers[POST] = _created
    row = world.database.add()
    if what == "late":
        monkeypatch.setattr(module, "START_SECONDS", 0.05)
        world.database.after["mark_sending"] = lambda _argument: asyncio.sleep(0.1)
    else:
        world.membership.current._confirmed = time.monotonic() - FRESH_SECONDS - 1
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == ("retry", "not_begun_in_time")
    assert world.platform.requests == []


async def test_a_stale_lease_is_not_used_for_probing_either(world: World) -> None:
    row = world.database.add(
        sending_at=now() - timedelta(minutes=5),
        attempt=1,
        state="publishing",
        sending_attempt=1,
    )
    world.membership.current._confirmed = time.monotonic() - FRESH_SECONDS - 1
    async with world.running():
        await world.until(lambda: bool(row.results))
    assert (row.results[0].outcome, row.results[0].code) == ("unknown", "not_begun_in_time")
    assert world.platform.requests == []


async def test_a_platform_that_never_answers_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEND_SECONDS", 0.05)

    class Hanging:
        platform_id = "x"
        is_probe_sending = False
        follow_up = "none"

        async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
            pass

        async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Any:
            from workers.providers.base import Prepared

            return Prepared(claim, token, {})

        async def send(self, prepared: Any) -> Any:
            await asyncio.sleep(60)

        async def probe(self, claim: Any, token: Any) -> Any:
            await asyncio.sleep(60)

    world.publishers["x"] = Hanging()
    row = world.database.add()
    async with world.running():
        await world.until(lambda: len(row.results) >= 2)
    assert [(r.outcome, r.code) for r in row.results[:2]] == [("unknown", "no_answer")] * 2


# --- stopping -----------------------------------------------------------------------------------------------


async def test_stopping_hands_back_what_is_prepared_and_claims_no_more(world: World, gate: Gate) -> None:
    reached, go, hook = gate()
    world.database.files["f"] = b"x"
    media = [{"bucket_id": "media", "object_name": "f", "mime_type": "image/png", "size_bytes": 1}]
    world.platform.answers["POST /2/media/upload/initialize"] = answer(200, {"data": {"id": "55"}})
    world.database.before["read_part"] = hook
    rows = [world.database.add(media=media) for _ in range(3)]
    async with world.running():
        await reached.wait()
        await world.until(lambda: all(row.worker_id for row in rows))
        claims = world.database.count("claim_targets")
    assert [[result.outcome for result in row.results] for row in rows] == [["released"]] * 3
    assert all(row.worker_id is None and row.state == "scheduled" for row in rows)
    assert world.database.count("claim_targets") == claims
    go.set()


async def test_stopping_waits_for_what_is_sending(world: World) -> None:
    world.platform.answers[POST] = _created
    row = world.database.add()
    sending = asyncio.Event()
    original = world.publishers["x"].send

    async def slow(prepared: Any) -> Any:
        sending.set()
        await asyncio.sleep(0.3)
        return await original(prepared)

    world.publishers["x"].send = slow
    async with world.running():
        await sending.wait()
    assert row.state == "published"


async def test_stopping_does_not_wait_for_ever_and_leaves_it_to_be_probed(world: World) -> None:
    row = world.database.add()
    sending = asyncio.Event()

    async def endless(_prepared: Any) -> Any:
        sending.set()
        await asyncio.sleep(60)

    world.publishers["x"].send = endless
    started = time.monotonic()
    async with world.running(stop_seconds=0.2):
        await sending.wait()
    assert time.monotonic() - started < 30  # of 60
    assert (row.results[0].outcome, row.results[0].code) == ("unknown", "interrupted")
    assert row.sending_at is not None


async def test_stopping_ends_while_the_database_is_away(world: World) -> None:
    world.platform.answers[POST] = _created
    world.database.add()

    def fail(_argument: Any) -> None:
        raise TransportError("report_targets", "ReadTimeout")

    world.database.before["report_targets"] = fail
    started = time.monotonic()
    async with world.running(stop_seconds=0.3):
        await world.until(lambda: world.database.count("report_targets") >= 1)
    assert time.monotonic() - started < 30  # and not until pytest's limit


async def test_a_target_handed_back_before_it_began_is_not_lost(world: World) -> None:
    """Cancelling a task before its first step runs none of its code."""
    for _ in range(4):
        world.database.add()

    def stop(_claims: Any) -> None:
        world.membership.stopping.set()
        world.membership.current.lose()

    world.database.after["claim_targets"] = stop
    async with world.running():
        await world.until(lambda: world.database.count("claim_targets") == 1)
    assert world.metric("nexora_in_flight") == 0
    assert world.platform.requests == []
