"""Instagram: what becomes of the irreversible call, of lost answers, and of the first comment."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    NOW,
    TOKEN,
    Platform,
    Saved,
    answer,
)
from tests.workers.providers.instagram_script import (
    COMMENT,
    LATER,
    LIST,
    SCOPES,
    a_claim,
    listed,
    prepared,
    publisher,
    refused,
    script,
    unknown,
)
from workers.providers.base import (
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    Rejected,
    Unknown,
)

pytestmark = pytest.mark.anyio


# --- the irreversible call --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (httpx.ConnectError("down"), NotAccepted, "not_reached"),
        (httpx.ReadTimeout("lost"), Unknown, "no_answer"),
        (httpx.RemoteProtocolError("reset"), Unknown, "no_answer"),
        (answer(500), Unknown, "http_500"),
        (refused(2, status=500), Unknown, "graph_2"),
        (refused(-1, 2207001), Unknown, "http_400"),
        (refused(1), Unknown, "graph_1"),
        (answer(200, {}), Unknown, "unreadable_answer"),
        (refused(24, 2207008), Unknown, "container_gone"),
        (refused(24, 2207006), Unknown, "container_gone"),
        (refused(100, 33), Unknown, "container_gone"),
        (refused(9007, 2207027), NotAccepted, "media_not_ready"),
        (refused(9, 2207042), NotAccepted, "rate_limited"),
        (refused(4), NotAccepted, "rate_limited"),
        (refused(4, 2207051), Rejected, "blocked"),
        (refused(25, 2207050), Rejected, "account_restricted"),
        (refused(10, status=403), Rejected, "forbidden"),
        (refused(190), NeedsReconnect, "token_refused"),
    ],
)
async def test_what_becomes_of_publishing(response: Any, kind: type[Outcome], code: str) -> None:
    platform = script(publish=response)
    outcome = await publisher(platform).send(await prepared(platform, Saved()))
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code


@pytest.mark.parametrize(
    "medium", [answer(500), refused(4), httpx.ReadTimeout("lost"), answer(200, {"id": "M1"})]
)
async def test_a_link_that_cannot_be_read_changes_nothing(medium: Any) -> None:
    platform = script(medium=medium)
    outcome = await publisher(platform).send(await prepared(platform, Saved()))
    assert isinstance(outcome, Published)
    assert (outcome.external_id, outcome.url) == ("M1", None)


# --- reconciling ------------------------------------------------------------------------------------------------


async def test_a_published_container_is_found_among_the_media() -> None:
    items = listed(("M3", "Hello", 90), ("M2", "Other", 20), ("M1", "Hello", 10), ("M0", "Hello", -600))
    platform = script(status=answer(200, {"status_code": "PUBLISHED"}), listed=items)
    outcome = await publisher(platform).probe(unknown(), TOKEN)
    assert outcome == Published("M1", "https://www.instagram.com/p/M1/")  # the oldest since the attempt began
    assert platform.sent(LIST)[0].url.params["since"] == str(int(NOW.timestamp()) - 60)


async def test_captions_come_back_without_the_sign_at() -> None:
    items = listed(("M1", "with jonas", 10))
    platform = script(status=answer(200, {"status_code": "PUBLISHED"}), listed=items)
    outcome = await publisher(platform).probe(unknown(text="with @jonas"), TOKEN)
    assert isinstance(outcome, Published)


async def test_a_published_container_that_is_not_listed() -> None:
    platform = script(status=answer(200, {"status_code": "PUBLISHED"}))
    assert await publisher(platform, LATER).probe(unknown(), TOKEN) == Unknown("not_listed_yet", 30.0)
    late = NOW + timedelta(seconds=200)
    assert await publisher(platform, late).probe(unknown(), TOKEN) == Published("C1")
    story = unknown(options={"kind": "story"})
    assert await publisher(platform).probe(story, TOKEN) == Published("C1")


@pytest.mark.parametrize("status", ["FINISHED", "ERROR", "EXPIRED"])
async def test_a_container_that_was_not_published(status: str) -> None:
    platform = script(status=answer(200, {"status_code": status}))
    early = await publisher(platform).probe(unknown(), TOKEN)
    assert early == Unknown("too_early", retry_after=60.0)
    outcome = await publisher(platform, LATER).probe(unknown(), TOKEN)
    assert outcome == NotAccepted(f"container_{status.lower()}")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (answer(200, {"status_code": "IN_PROGRESS"}), Unknown("still_publishing", retry_after=15.0)),
        (httpx.ReadTimeout("lost"), Unknown("probe_no_answer")),
        (answer(500), Unknown("probe_http_500", http_status=500)),
        (refused(4), Unknown("probe_rate_limited", 300.0, 400)),
        (refused(190), NeedsReconnect("token_refused", 400)),
    ],
)
async def test_a_container_that_cannot_be_judged(status: Any, expected: Outcome) -> None:
    assert await publisher(script(status=status), LATER).probe(unknown(), TOKEN) == expected


async def test_a_hidden_container_is_judged_by_the_media_alone_if_the_post_is_there() -> None:
    gone = refused(100, 33)
    there = script(status=gone, listed=listed(("M1", "Hello", 10)))
    assert isinstance(await publisher(there, LATER).probe(unknown(), TOKEN), Published)
    absent = script(status=gone)
    outcome = await publisher(absent, LATER).probe(unknown(), TOKEN)
    assert outcome == Unknown("probe_container_gone", http_status=400)


async def test_an_attempt_of_which_nothing_is_known() -> None:
    platform = script()
    assert await publisher(platform).probe(unknown(sending_at=None), TOKEN) == NotAccepted("never_sent")
    assert await publisher(platform).probe(unknown(progress=None), TOKEN) == Unknown("container_lost")
    dead = script(status=answer(200, {"status_code": "PUBLISHED"}), listed=refused(190))
    assert await publisher(dead).probe(unknown(), TOKEN) == NeedsReconnect("token_refused", 400)


# --- the first comment ------------------------------------------------------------------------------------------


async def comment(platform: Platform, **changes: Any) -> Outcome:
    return await publisher(platform).send_follow_up(a_claim(**changes), TOKEN, "First!", "M1", "M1")


async def test_a_comment_is_written() -> None:
    platform = script(comment=answer(200, {"id": "K1"}))
    assert await comment(platform) == Published("K1", None, 200)
    assert platform.body(COMMENT) == {"message": "First!"}


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (httpx.ConnectError("down"), NotAccepted, "not_reached"),
        (httpx.ReadTimeout("lost"), Unknown, "no_answer"),
        (answer(502), Unknown, "http_502"),
        (answer(200, {}), Unknown, "unreadable_answer"),
        (refused(100, 33), Rejected, "post_gone"),
        (refused(10, status=403), Rejected, "forbidden"),
        (refused(4), NotAccepted, "rate_limited"),
        (refused(190), NeedsReconnect, "token_refused"),
    ],
)
async def test_what_becomes_of_a_comment(response: Any, kind: type[Outcome], code: str) -> None:
    outcome = await comment(script(comment=response))
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code


async def test_a_comment_needs_its_scope() -> None:
    platform = script()
    outcome = await comment(platform, scopes=SCOPES[:2])
    assert isinstance(outcome, Rejected)
    assert outcome.code == "scope_missing"
    assert platform.requests == []


@pytest.fixture
def written() -> dict[str, Any]:
    return {"id": "K1", "text": "First!", "timestamp": "2026-11-24T09:00:10+0000"}


async def probe_comment(platform: Platform, now: Any = LATER, **changes: Any) -> Outcome:
    given = unknown(**changes)
    return await publisher(platform, now).probe_follow_up(given, TOKEN, "First!", "M1", "M1")


async def test_a_lost_comment_is_found_or_known_to_be_missing(written: dict[str, Any]) -> None:
    assert await probe_comment(script(comments=answer(200, {"data": [written]}))) == Published("K1")
    older = written | {"timestamp": "2026-11-24T08:00:00+0000"}
    none = script(comments=answer(200, {"data": [older, written | {"text": "Second"}]}))
    assert await probe_comment(none) == NotAccepted("not_among_comments")
    assert await probe_comment(none, NOW) == Unknown("too_early", retry_after=60.0)
    assert await probe_comment(none, sending_at=None) == NotAccepted("never_sent")
    assert await probe_comment(script(comments=refused(190))) == NeedsReconnect("token_refused", 400)
    assert await probe_comment(script(comments=answer(500))) == Unknown("probe_http_500", http_status=500)
