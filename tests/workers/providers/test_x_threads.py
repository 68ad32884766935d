"""X: threads as replies, prices by the answer, windows from headers, uploads that go on where they broke."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    NOW,
    TOKEN,
    MemoryFile,
    Platform,
    Saved,
    answer,
    claim,
    files,
    media,
    no_sleep,
)
from workers.providers.base import (
    Budget,
    Media,
    NotAccepted,
    Published,
    PublishStopped,
    Rejected,
    Unknown,
)
from workers.providers.x import XPublisher

pytestmark = pytest.mark.anyio

POST = "POST /2/tweets"
TIMELINE = "GET /2/users/42/tweets"
INITIALIZE = "POST /2/media/upload/initialize"
DUPLICATE = answer(403, {"detail": "You are not allowed to create a Tweet with duplicate content."})


def _publisher(platform: Platform, now: datetime = NOW) -> XPublisher:
    return XPublisher(platform.client, now=lambda: now, sleep=no_sleep)


def _created(text: str = "Hello", **headers: str) -> httpx.Response:
    return answer(201, {"data": {"id": "777", "text": text}}, **headers)


def _timeline(*posts: dict[str, Any]) -> httpx.Response:
    shown = [{"id": str(100 + i), "created_at": NOW.isoformat(), **post} for i, post in enumerate(posts)]
    return answer(200, {"data": shown, "meta": {"result_count": len(shown)}})


def _reply_to(post_id: str) -> dict[str, Any]:
    return {"referenced_tweets": [{"type": "replied_to", "id": post_id}]}


# --- threads ------------------------------------------------------------------------------------------------


async def test_a_part_is_a_reply_to_the_part_before_it_and_keeps_the_disclosures() -> None:
    platform = Platform({POST: _created()})
    item = claim(options={"made_with_ai": True, "reply_settings": "following", "community_id": "5"})
    outcome = await _publisher(platform).send_follow_up(item, TOKEN, "two", "11", "1")
    assert isinstance(outcome, Published)
    assert platform.body(POST) == {
        "text": "two",
        "made_with_ai": True,
        "reply": {"in_reply_to_tweet_id": "11"},
    }


async def test_a_part_is_found_by_its_text_and_its_parent() -> None:
    platform = Platform(
        {
            TIMELINE: _timeline(
                {"text": "two"}, {"text": "two", **_reply_to("9")}, {"text": "two", **_reply_to("11")}
            )
        }
    )
    item = claim(mode="reconcile", sending_at=NOW)
    found = await _publisher(platform).probe_follow_up(item, TOKEN, "two", "11", "1")
    assert isinstance(found, Published)
    assert found.external_id == "102"
    assert "replies" not in platform.requests[0].url.params["exclude"]


async def test_a_part_that_is_not_there_was_not_accepted() -> None:
    platform = Platform({TIMELINE: _timeline({"text": "two", **_reply_to("9")})})
    item = claim(mode="reconcile", sending_at=datetime(2026, 11, 24, 8, 0, tzinfo=UTC))
    found = await _publisher(platform).probe_follow_up(item, TOKEN, "two", "11", "1")
    assert found == NotAccepted("not_on_timeline")


@pytest.mark.parametrize("attempt", [1, 2])
async def test_a_duplicate_part_is_one_of_ours_only_on_a_later_attempt(attempt: int) -> None:
    platform = Platform({POST: DUPLICATE, TIMELINE: _timeline({"text": "two", **_reply_to("11")})})
    item = claim(attempt=attempt)
    outcome = await _publisher(platform).send_follow_up(item, TOKEN, "two", "11", "1")
    assert isinstance(outcome, Published if attempt == 2 else Rejected)


# --- prices and windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shown", "has_media", "charge"),
    [
        ("Hello", False, "post_create"),
        ("see https://t.co/abc", False, "post_create_with_url"),
        ("a picture https://t.co/pic", True, "post_create"),
        ("both https://t.co/abc https://t.co/pic", True, "post_create_with_url"),
    ],
)
async def test_the_answer_tells_the_price(shown: str, has_media: bool, charge: str) -> None:
    platform = Platform({POST: _created(shown)})
    item = claim(media=media() if has_media else ())
    prepared = await _publisher(platform).prepare(claim(), TOKEN, Media(), Saved())
    if has_media:
        prepared.body["media"] = {"media_ids": ["5"]}  # type: ignore[index]
    outcome = await _publisher(platform).send(prepared)
    assert isinstance(outcome, Published)
    assert outcome.charge == charge
    assert item.media or not has_media


async def test_the_windows_are_passed_on_also_with_a_refusal() -> None:
    headers = {
        "x_rate_limit_limit": "100",
        "x_rate_limit_remaining": "98",
        "x_rate_limit_reset": "1795507200",
        "x_app_limit_24hour_limit": "10000",
        "x_app_limit_24hour_remaining": "0",
        "x_app_limit_24hour_reset": "1795600000",
        "x_user_limit_24hour_remaining": "many",
    }
    expected = (
        Budget("account", "posts", 100, 98, datetime.fromtimestamp(1795507200, UTC)),
        Budget("app", "posts_day", 10000, 0, datetime.fromtimestamp(1795600000, UTC)),
    )
    for response in (_created(**headers), answer(429, **headers), answer(503, **headers)):
        publisher = _publisher(Platform({POST: response}))
        outcome = await publisher.send(await publisher.prepare(claim(), TOKEN, Media(), Saved()))
        assert outcome.budget == expected


# --- uploads ------------------------------------------------------------------------------------------------


def _uploads(*appends: object) -> dict[str, Any]:
    return {
        INITIALIZE: [answer(200, {"data": {"id": str(id_)}}) for id_ in (55, 56, 57)],
        **{
            f"POST /2/media/upload/{id_}/finalize": answer(
                200, {"data": {"id": str(id_), "expires_after_secs": 86400}}
            )
            for id_ in (55, 56, 57)
        },
        "POST /2/media/upload/55/append": answer(200, {"data": {}}),
        "POST /2/media/upload/56/append": list(appends) or answer(200, {"data": {}}),
        "POST /2/media/upload/57/append": answer(200, {"data": {}}),
    }


async def test_uploads_go_on_at_the_file_at_which_they_broke() -> None:
    platform = Platform(_uploads(answer(503)))
    publisher, saved = _publisher(platform), Saved()
    pictures = files(MemoryFile("image/png", b"a"), MemoryFile("image/png", b"b"))
    with pytest.raises(PublishStopped):
        await publisher.prepare(claim(media=media(2)), TOKEN, pictures, saved)
    assert saved.progress["media_ids"] == ["55"]
    again = claim(media=media(2), attempt=2, progress=saved.progress)
    prepared = await publisher.prepare(again, TOKEN, pictures, saved)
    assert prepared.body["media"] == {"media_ids": ["55", "57"]}


async def test_a_video_is_read_in_parts_that_are_let_go() -> None:
    platform = Platform(_uploads())
    video = MemoryFile("video/mp4", b"v" * (4 * 1024 * 1024 * 2 + 5))
    await _publisher(platform).prepare(
        claim(media=media(mime_type="video/mp4")), TOKEN, files(video), Saved()
    )
    assert video.parts == [(0, 4194304), (4194304, 4194304), (8388608, 5)]


async def test_an_unknown_end_of_a_part_is_unknown() -> None:
    platform = Platform({POST: httpx.ReadTimeout("")})
    assert await _publisher(platform).send_follow_up(claim(), TOKEN, "two", "1", "1") == Unknown("no_answer")
