"""Threads: every part once and in order, wherever a worker dies; refused, limited and late parts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.workers.publish.conftest import World
from tests.workers.publish.fakes import Row
from workers.errors import TransportError
from workers.jobs.publishing import loop
from workers.providers.base import NotAccepted, Outcome, Prepared, Published, Rejected, Unknown

pytestmark = pytest.mark.anyio

Hook = Callable[[], Any]


class Threads:
    """A platform in memory that can be asked for what it has. `hooks` run at (call, text), before or after."""

    platform_id = "x"
    is_probe_sending = False
    follow_up = "reply"

    def __init__(self) -> None:
        self.posts: list[tuple[str | None, str, str]] = []
        self.hooks: dict[tuple[str, str], Hook] = {}
        self.answers: dict[str, Outcome] = {}

    async def prepare(self, claim: Any, token: Any, media: Any, save: Any) -> Prepared:
        return Prepared(claim, token, {})

    async def send(self, prepared: Prepared) -> Outcome:
        return await self._create(None, prepared.claim.text)

    async def after_send(self, claim: Any, token: Any, media: Any, published: Any) -> None:
        await self._hook("after_send", claim.text)

    async def probe(self, claim: Any, token: Any) -> Outcome:
        return self._find(None, claim.text)

    async def send_follow_up(
        self, claim: Any, token: Any, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        assert root_id == "1"
        return await self._create(parent_id, text)

    async def probe_follow_up(
        self, claim: Any, token: Any, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return self._find(parent_id, text)

    async def _hook(self, point: str, text: str) -> None:
        hook = self.hooks.pop((point, text), None)
        if hook is not None:
            await hook()

    async def _create(self, parent: str | None, text: str) -> Outcome:
        await self._hook("before_send", text)
        if (answer := self.answers.pop(text, None)) is not None:
            return answer
        post_id = str(len(self.posts) + 1)
        self.posts.append((parent, text, post_id))
        await self._hook("after_accepted", text)
        return Published(post_id, f"https://x.com/i/{post_id}", 201, charge="post_create")

    def _find(self, parent: str | None, text: str) -> Outcome:
        found = [post_id for above, words, post_id in self.posts if (above, words) == (parent, text)]
        return Published(found[0]) if found else NotAccepted("not_there")


WHOLE = [(None, "Hello", "1"), ("1", "two", "2"), ("2", "three", "3")]


@pytest.fixture
def platform(world: World) -> Threads:
    made = Threads()
    world.publishers["x"] = made
    return made


def _thread(world: World) -> Row:
    return world.database.add(parts=[["two", None], ["three", None]])


async def test_the_parts_go_out_in_order_each_to_the_one_before(world: World, platform: Threads) -> None:
    row = _thread(world)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert platform.posts == WHOLE
    assert (row.external_id, row.parts) == ("1", [["two", "2"], ["three", "3"]])
    steps = [
        name for name, _ in world.database.calls if name in ("mark_sending", "record_part", "report_targets")
    ]
    assert steps == ["mark_sending", "record_part"] * 3 + ["report_targets"]
    (result,) = row.results
    assert (result.external_id, result.external_url, result.charge) == ("1", None, None)


async def test_a_target_without_parts_is_reported_in_one_step(world: World, platform: Threads) -> None:
    row = world.database.add()
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert world.database.count("record_part") == 0
    (result,) = row.results
    assert (result.external_id, result.external_url, result.charge) == (
        "1",
        "https://x.com/i/1",
        "post_create",
    )


_TEXTS = ["Hello", "two", "three"]
_DATABASE = ["mark_sending", "record_part"]


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize(
    "point",
    [
        *(f"{when} {name}" for name in _DATABASE for when in ("before", "after")),
        "before_send",
        "after_accepted",
        "before report_targets",
        "after report_targets",
    ],
)
async def test_a_worker_that_dies_leaves_a_thread_that_the_next_one_completes(
    point: str, part: int, world: World, platform: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_LAST_REPORTS_SECONDS", 0.02)
    row = _thread(world)
    died = asyncio.Event()

    async def die(_argument: Any = None) -> None:
        world.database.dead.add(world.membership.current.worker_id)
        row.worker_id = None
        died.set()
        await asyncio.Event().wait()

    calls = 0

    async def die_at_the_part(_argument: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == (1 if "report" in point else part + 1):
            await die()

    when, _, name = point.partition(" ")
    if name:
        {"before": world.database.before, "after": world.database.after}[when][name] = die_at_the_part
    else:
        platform.hooks[point, _TEXTS[part]] = die
    first = asyncio.create_task(world.job(stop_seconds=0.02).run())
    await asyncio.wait_for(died.wait(), 30)
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await first
    world.database.before.clear()
    world.database.after.clear()
    world.membership.retire(world.membership.current)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert platform.posts == WHOLE
    assert [row.external_id, *(external_id for _, external_id in row.parts)] == ["1", "2", "3"]


async def test_a_refused_part_ends_the_thread_with_the_platform_s_reason(
    world: World, platform: Threads
) -> None:
    platform.answers["three"] = Rejected("refused", "X did not accept this post.", 400)
    row = _thread(world)
    async with world.running():
        await world.until(lambda: row.state == "failed")
    (result,) = row.results
    assert (result.outcome, result.code) == ("rejected", "thread_incomplete")
    assert result.message == "The thread ends before part 3 of 3. X did not accept this post."
    assert platform.posts == WHOLE[:2]


async def test_a_refused_comment_is_told_as_such(world: World, platform: Threads) -> None:
    platform.follow_up = "comment"
    platform.answers["two"] = Rejected("refused", "No comments here.")
    row = world.database.add(parts=[["two", None]])
    async with world.running():
        await world.until(lambda: row.state == "failed")
    assert row.results[0].message == (
        "The post is out, but its first comment was not accepted. No comments here."
    )


@pytest.mark.parametrize(
    "answer", [NotAccepted("rate_limited", 0.01, http_status=429), Unknown("no_answer", retry_after=0.01)]
)
async def test_a_part_that_did_not_go_out_is_tried_again_alone(
    answer: Outcome, world: World, platform: Threads
) -> None:
    platform.answers["two"] = answer
    row = _thread(world)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert platform.posts == WHOLE


async def test_an_answer_of_the_database_that_was_lost_repeats_no_part(
    world: World, platform: Threads
) -> None:
    lost = 0

    def lose(_argument: Any) -> None:
        nonlocal lost
        lost += 1
        if lost == 1:
            raise TransportError("record_part", "ReadTimeout")

    world.database.after["record_part"] = lose
    row = _thread(world)
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert platform.posts == WHOLE


async def test_a_lease_that_is_lost_while_a_part_is_sent_is_left_alone(
    world: World, platform: Threads
) -> None:
    row = _thread(world)

    async def take_over() -> None:
        world.database.dead.add(world.membership.current.worker_id)

    platform.hooks["after_accepted", "two"] = take_over
    async with world.running():
        await world.until(lambda: len(platform.posts) == 2)
        await world.until(lambda: world.metric("nexora_in_flight") == 0)
    assert row.results == []
    assert platform.posts == WHOLE[:2]


async def test_what_goes_wrong_after_the_post_is_out_is_told_and_changes_nothing(
    world: World, platform: Threads
) -> None:
    async def fail() -> None:
        raise RuntimeError("canary")

    platform.hooks["after_send", "Hello"] = fail
    row = world.database.add()
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert [result.notice for result in row.results] == ["preview_missing"]


async def test_stopping_in_a_thread_hands_the_rest_back(world: World, platform: Threads) -> None:
    row = _thread(world)

    async def stop() -> None:
        world.membership.stopping.set()

    platform.hooks["after_accepted", "Hello"] = stop
    async with world.running():
        await world.until(lambda: bool(row.results) or row.state == "published")
    if row.state != "published":
        assert row.results[-1].outcome == "released"
    world.membership.stopping.clear()
    async with world.running():
        await world.until(lambda: row.state == "published")
    assert platform.posts == WHOLE
