"""Instagram: bodies of containers, containers of earlier attempts, limits, and what refusals of a container mean."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    NOW,
    TOKEN,
    MemoryFile,
    Saved,
    answer,
    files,
    media,
)
from tests.workers.providers.instagram_script import (
    CREATE,
    PERMALINK,
    PUBLISH,
    STATUS,
    V,
    a_claim,
    listed,
    picture,
    prepared,
    publisher,
    refused,
    script,
    stopped,
    video,
)
from workers.providers.base import (
    Budget,
    Media,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    Rejected,
)

pytestmark = pytest.mark.anyio


# --- bodies -----------------------------------------------------------------------------------------------------


async def test_a_picture_becomes_a_container_that_is_kept_and_published() -> None:
    platform, saved = script(), Saved()
    ready = await prepared(platform, saved)
    assert platform.body(CREATE) == {
        "image_url": "https://files.example/signed?seconds=3600", "caption": "Hello", "alt_text": "a dog",
    }  # fmt: skip
    assert saved.progress["container"] == "C1"
    assert ready.platform_key == "C1"
    outcome = await publisher(platform).send(ready)
    assert outcome == Published("M1", PERMALINK, 200, budget=(Budget("account", "posts", 50, 47),))
    assert platform.body(PUBLISH) == {"creation_id": "C1"}
    assert all(r.headers["authorization"] == "Bearer canary-token" for r in platform.requests)
    assert all("canary" not in str(r.url) for r in platform.requests)


async def test_a_video_becomes_a_reel() -> None:
    platform = script()
    options = {"collaborators": ["@jonas"], "share_to_feed": False, "cover_ms": 2000}
    await prepared(platform, Saved(), files(video()), options=options)
    assert platform.body(CREATE) == {
        "video_url": "https://files.example/signed?seconds=14400", "media_type": "REELS", "caption": "Hello",
        "collaborators": ["jonas"], "share_to_feed": False, "thumb_offset": 2000,
    }  # fmt: skip


async def test_a_reel_takes_a_cover() -> None:
    platform = script()
    given = files(video(), thumbnail=picture())
    await prepared(platform, Saved(), given, options={"cover_ms": 2000})
    body = platform.body(CREATE)
    assert body["cover_url"] == "https://files.example/signed?seconds=3600"
    assert "thumb_offset" not in body


@pytest.mark.parametrize("file", [picture(), video()])
async def test_a_story_has_no_text(file: MemoryFile) -> None:
    platform = script()
    await prepared(platform, Saved(), files(file), options={"kind": "story"})
    assert set(platform.body(CREATE)) == {f"{file.kind}_url", "media_type"}
    assert platform.body(CREATE)["media_type"] == "STORIES"


async def test_a_carousel_is_made_of_items() -> None:
    platform = script(create=[answer(200, {"id": name}) for name in ("I1", "I2", "C1")])
    for item in ("I1", "I2"):
        platform.answers[f"GET {V}/{item}"] = answer(200, {"status_code": "FINISHED"})
    saved = Saved()
    await prepared(platform, saved, files(picture(), video()))
    bodies = [httpx.Response(200, content=r.content).json() for r in platform.sent(CREATE)]
    assert bodies[0] == {
        "image_url": "https://files.example/signed?seconds=3600", "is_carousel_item": True, "alt_text": "a dog",
    }  # fmt: skip
    assert bodies[1]["media_type"] == "VIDEO"
    assert bodies[2] == {"media_type": "CAROUSEL", "children": "I1,I2", "caption": "Hello"}
    assert saved.progress["container"] == "C1"
    assert "items" not in saved.progress


async def test_a_carousel_goes_on_where_it_broke_off() -> None:
    saved = Saved()
    broken = script(create=[answer(200, {"id": "I1"}), httpx.ReadTimeout("lost")])
    given = files(picture(), picture())
    assert await stopped(broken, saved, given=given) == NotAccepted("no_answer")
    assert saved.progress["items"] == ["I1"]
    platform = script(create=[answer(200, {"id": "I2"}), answer(200, {"id": "C1"})])
    for item in ("I1", "I2"):
        platform.answers[f"GET {V}/{item}"] = answer(200, {"status_code": "FINISHED"})
    await prepared(platform, saved, given)
    assert len(platform.sent(CREATE)) == 2


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (files(), "media_required"),
        (files(MemoryFile("application/pdf", b"x")), "unsupported_media"),
        (files(*[picture()] * 11), "media_refused"),
    ],
)
async def test_files_that_instagram_does_not_take(given: Media, code: str) -> None:
    outcome = await stopped(script(), given=given)
    assert isinstance(outcome, Rejected)
    assert outcome.code == code


# --- containers -------------------------------------------------------------------------------------------------


async def test_a_container_of_an_earlier_attempt_is_used() -> None:
    saved = Saved()
    await prepared(script(), saved)
    again = script()
    assert (await prepared(again, saved, attempt=2)).platform_key == "C1"
    assert again.sent(CREATE) == []


@pytest.mark.parametrize(
    "changes",
    [{"text": "Other"}, {"options": {"kind": "story"}}, {"media": media(2)}],
)
async def test_a_container_of_another_post_is_not_used(changes: dict[str, Any]) -> None:
    saved = Saved()
    await prepared(script(), saved)
    again = script()
    await prepared(again, saved, **changes)
    assert len(again.sent(CREATE)) == 1


async def test_a_container_near_its_end_is_not_used() -> None:
    saved = Saved()
    await prepared(script(), saved)
    again, late = script(), NOW + timedelta(hours=23, minutes=55)
    await publisher(again, late).prepare(a_claim(progress=saved.progress), TOKEN, files(picture()), saved)
    assert len(again.sent(CREATE)) == 1


@pytest.mark.parametrize(
    "status",
    [answer(200, {"status_code": "EXPIRED"}), answer(200, {"status_code": "ERROR"}), refused(100, 33)],
)
async def test_a_container_that_cannot_be_published_is_made_anew(status: httpx.Response) -> None:
    saved = Saved()
    await prepared(script(), saved)
    finished = answer(200, {"status_code": "FINISHED"})
    again = script(status=[status, finished], create=answer(200, {"id": "C1"}))
    await prepared(again, saved)
    assert len(again.sent(CREATE)) == 1


async def test_a_container_is_waited_for() -> None:
    working = answer(200, {"status_code": "IN_PROGRESS"})
    platform = script(status=[working, working, answer(200, {"status_code": "FINISHED"})])
    await prepared(platform, Saved())
    assert len(platform.sent(STATUS)) == 3


async def test_waiting_ends_and_the_container_stays() -> None:
    saved = Saved()
    platform = script(status=answer(200, {"status_code": "IN_PROGRESS"}))
    assert await stopped(platform, saved) == NotAccepted("media_not_ready", retry_after=60.0)
    assert saved.progress["container"] == "C1"
    assert len(platform.sent(STATUS)) < 20


@pytest.mark.parametrize(
    ("told", "kind", "code"),
    [
        ("Error: Media upload has failed with error code 2207026", Rejected, "media_refused"),
        ("2207057", Rejected, "media_refused"),
        ("Error: 2207052", NotAccepted, "media_not_fetched"),
        ("Error: 2207003", NotAccepted, "media_fetch_timeout"),
        ("something else", NotAccepted, "container_failed"),
    ],
)
async def test_a_container_that_failed(told: str, kind: type[Outcome], code: str) -> None:
    saved = Saved()
    outcome = await stopped(script(status=answer(200, {"status_code": "ERROR", "status": told})), saved)
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code
    assert "container" not in saved.progress  # the next attempt makes another one


async def test_a_container_that_was_published_after_all_is_not_published_again() -> None:
    saved = Saved()
    await prepared(script(), saved)
    platform = script(status=answer(200, {"status_code": "PUBLISHED"}), listed=listed(("M1", "Hello", 5)))
    ready = await prepared(platform, saved)
    outcome = await publisher(platform).send(ready)
    assert outcome == Published("M1", "https://www.instagram.com/p/M1/")
    assert platform.sent(PUBLISH) == []


# --- limits -----------------------------------------------------------------------------------------------------


async def test_a_used_up_day_stops_before_anything_is_made() -> None:
    used = {"data": [{"quota_usage": 50, "config": {"quota_total": 50, "quota_duration": 86400}}]}
    platform = script(limit=answer(200, used))
    outcome = await stopped(platform)
    assert isinstance(outcome, NotAccepted)
    assert (outcome.code, outcome.budget) == ("rate_limited", (Budget("account", "posts", 50, 0),))
    assert platform.sent(CREATE) == []


@pytest.mark.parametrize(
    "limit", [refused(4), refused(10, status=403), answer(500), answer(200, {}), httpx.ReadTimeout("lost")]
)
async def test_a_limit_that_cannot_be_read_stops_nothing(limit: Any) -> None:
    platform = script(limit=limit)
    ready = await prepared(platform, Saved())
    outcome = await publisher(platform).send(ready)
    assert isinstance(outcome, Published)
    assert outcome.budget == ()


async def test_a_dead_token_is_noticed_at_once() -> None:
    assert await stopped(script(limit=refused(190, 463))) == NeedsReconnect("token_refused", 400)


# --- what refusals of a container mean --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (refused(36003, 2207009), Rejected, "media_refused"),
        (refused(36000, 2207004), Rejected, "media_refused"),
        (refused(36001, 2207005), Rejected, "media_refused"),
        (refused(36004, 2207010), Rejected, "text_refused"),
        (refused(100, 2207028), Rejected, "media_refused"),
        (refused(100, 2207040), Rejected, "text_refused"),
        (refused(100, 2207023), Rejected, "refused"),
        (refused(100), Rejected, "refused"),
        (refused(352, 2207026), Rejected, "media_refused"),
        (refused(1, 2207057), Rejected, "media_refused"),
        (refused(25, 2207050), Rejected, "account_restricted"),
        (refused(4, 2207051), Rejected, "blocked"),
        (refused(10, status=403), Rejected, "forbidden"),
        (refused(200), Rejected, "forbidden"),
        (refused(9004, 2207052), NotAccepted, "media_not_fetched"),
        (refused(-2, 2207003), NotAccepted, "media_fetch_timeout"),
        (refused(-1, 2207032), NotAccepted, "container_failed"),
        (refused(-1, 2207001), NotAccepted, "http_400"),
        (refused(4), NotAccepted, "rate_limited"),
        (refused(17), NotAccepted, "rate_limited"),
        (refused(613), NotAccepted, "rate_limited"),
        (refused(80002), NotAccepted, "rate_limited"),
        (answer(429), NotAccepted, "rate_limited"),
        (refused(2, status=500), NotAccepted, "graph_2"),
        (answer(503), NotAccepted, "http_503"),
        (answer(200, ["no object"]), NotAccepted, "unreadable_answer"),
        (answer(200, {}), NotAccepted, "unreadable_answer"),
        (httpx.ConnectError("down"), NotAccepted, "not_reached"),
        (httpx.ReadTimeout("lost"), NotAccepted, "no_answer"),
        (refused(190), NeedsReconnect, "token_refused"),
        (answer(401), NeedsReconnect, "token_refused"),
    ],
)
async def test_a_container_that_is_refused(response: Any, kind: type[Outcome], code: str) -> None:
    outcome = await stopped(script(create=response))
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code
    if isinstance(outcome, Rejected):
        assert outcome.message.endswith(".")


async def test_a_rate_limit_says_how_long() -> None:
    usage = '{"17841": [{"type": "instagram", "estimated_time_to_regain_access": 7}]}'
    outcome = await stopped(script(create=refused(80002, x_business_use_case_usage=usage)))
    assert isinstance(outcome, NotAccepted)
    assert outcome.retry_after == 420.0
    broken = await stopped(script(create=refused(80002, x_business_use_case_usage="{")))
    assert isinstance(broken, NotAccepted)
    assert broken.retry_after == 300.0
