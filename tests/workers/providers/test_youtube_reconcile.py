"""YouTube: what became of an earlier attempt, and what follows a video: thumbnail and first comment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import NOW, TOKEN, MemoryFile, Platform, answer, files
from tests.workers.providers.youtube_cases import (
    CHANNEL,
    COMMENTING,
    LAST,
    SCOPES,
    SIZE,
    video,
    youtube_claim,
)
from tests.workers.providers.youtube_script import (
    CHANNELS,
    MINE,
    PUT,
    UPLOADS,
    created,
    documented_small_parts,
    incomplete,
    listed,
    publisher,
    refused,
    unsure,
)
from workers.errors import ProviderRefusedError
from workers.providers.base import NeedsReconnect, NotAccepted, Outcome, Published, Rejected, Unknown

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def documented() -> Iterator[None]:
    with documented_small_parts():
        yield


# --- an earlier attempt --------------------------------------------------------------------------------------------

SETTLED = NOW + timedelta(seconds=61)


async def probe(platform: Platform, now: datetime = SETTLED, **changes: Any) -> Outcome:
    return await publisher(platform, now).probe(await unsure(**changes), TOKEN)


async def test_the_session_knows_that_it_made_the_video() -> None:
    platform = Platform({PUT: created("private")})
    outcome = await probe(platform)
    assert isinstance(outcome, Published)
    assert outcome.notice == "published_privately"
    (question,) = platform.requests
    assert (question.headers["content-range"], question.content) == (f"bytes */{SIZE}", b"")


async def test_the_session_knows_that_it_did_not() -> None:
    assert await probe(Platform({PUT: incomplete(LAST)})) == NotAccepted("incomplete", http_status=308)
    early = await probe(Platform({PUT: incomplete(LAST)}), NOW + timedelta(seconds=20))
    assert early == Unknown("too_early", 40.0)


async def test_nothing_was_sent() -> None:
    platform = Platform()
    assert await probe(platform, sending_at=None) == NotAccepted("never_sent")


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        (answer(500), Unknown("http_500", None, 500)),
        (refused(401, "authError"), NeedsReconnect("token_refused", 401)),
        (answer(429, {}, retry_after="9"), Unknown("rate_limited", 9.0, 429)),
        (answer(400), Unknown("probe_refused", None, 400)),
        (httpx.ReadError("reset"), Unknown("no_answer")),
        (httpx.ConnectError("refused"), Unknown("not_reached")),
    ],
)
async def test_a_question_that_is_not_answered_settles_nothing(told: Any, wanted: Outcome) -> None:
    assert await probe(Platform({PUT: told})) == wanted


LATER = NOW + timedelta(minutes=16)


@pytest.mark.parametrize("status", [404, 410])
async def test_a_dead_session_is_settled_by_the_uploads(status: int) -> None:
    dead = {PUT: answer(status), CHANNELS: MINE}
    there = listed(("vid-9", "First light", NOW + timedelta(seconds=5)))
    assert await probe(Platform({**dead, UPLOADS: there})) == Published(
        "vid-9", "https://www.youtube.com/watch?v=vid-9"
    )
    old = listed(("vid-8", "First light", NOW - timedelta(minutes=3)))
    assert await probe(Platform({**dead, UPLOADS: old}), LATER) == NotAccepted("not_among_uploads")
    early = await probe(Platform({**dead, UPLOADS: old}))
    assert isinstance(early, Unknown)
    assert early.retry_after == 15 * 60 - 61


async def test_another_video_of_that_time_leaves_it_open() -> None:
    renamed = listed(("vid-9", "Renamed", NOW + timedelta(seconds=5)))
    platform = Platform({PUT: answer(404), CHANNELS: MINE, UPLOADS: renamed})
    assert await probe(platform, LATER) == Unknown("uploads_unclear")


async def test_uploads_are_read_back_to_the_sending() -> None:
    soon = [(f"vid-{i}", "Another", NOW + timedelta(minutes=5)) for i in range(2)]
    pages = [listed(*soon, nextPageToken="2"), listed(("ours", "First light", NOW))]
    platform = Platform({PUT: answer(404), CHANNELS: MINE, UPLOADS: pages})
    outcome = await probe(platform, LATER)
    assert isinstance(outcome, Published)
    assert outcome.external_id == "ours"
    assert [r.url.params.get("pageToken") for r in platform.sent(UPLOADS)] == [None, "2"]
    endless = Platform({PUT: answer(404), CHANNELS: MINE, UPLOADS: listed(*soon, nextPageToken="2")})
    assert await probe(endless, LATER) == Unknown("uploads_too_many")


async def test_a_lost_session_is_settled_by_the_uploads_too() -> None:
    platform = Platform({CHANNELS: MINE, UPLOADS: listed(("vid-9", "First light", NOW))})
    outcome = await probe(platform, progress=None)
    assert isinstance(outcome, Published)


@pytest.mark.parametrize(
    "answers",
    [
        {CHANNELS: answer(200, {"items": [{"id": "UCsomebody"}]})},
        {CHANNELS: answer(200, {"items": "none"})},
        {CHANNELS: refused(403, "quotaExceeded", "youtube.quota")},
        {CHANNELS: httpx.ReadTimeout("slow")},
        {CHANNELS: MINE, UPLOADS: answer(404, {})},
        {CHANNELS: MINE, UPLOADS: answer(200, {"items": [{"snippet": {"publishedAt": "soon"}}]})},
        {CHANNELS: MINE, UPLOADS: answer(200, {"items": [{}]})},
    ],
)
async def test_uploads_that_cannot_be_read_settle_nothing(answers: dict[str, Any]) -> None:
    assert isinstance(await probe(Platform({PUT: answer(404), **answers}), LATER), Unknown)


async def test_uploads_are_read_only_where_that_was_granted() -> None:
    platform = Platform({PUT: answer(404)})
    assert await probe(platform, LATER, scopes=SCOPES[1:]) == Unknown("session_gone")
    assert len(platform.requests) == 1


# --- thumbnail and first comment ----------------------------------------------------------------------------

THUMBNAIL = "POST /upload/youtube/v3/thumbnails/set"
THREADS = "POST /youtube/v3/commentThreads"
THREAD_LIST = "GET /youtube/v3/commentThreads"
OUT = Published("vid-1", "https://www.youtube.com/watch?v=vid-1", 201)
COMMENT_URL = "https://www.youtube.com/watch?v=vid-1&lc=thread-1"


async def test_the_thumbnail_follows_the_video() -> None:
    platform = Platform({THUMBNAIL: answer(200, {})})
    picture = MemoryFile("image/png", b"picture")
    await publisher(platform).after_send(youtube_claim(), TOKEN, files(video(), thumbnail=picture), OUT)
    (request,) = platform.requests
    assert dict(request.url.params) == {"videoId": "vid-1", "uploadType": "media"}
    assert (request.headers["content-type"], request.content) == ("image/png", b"picture")
    await publisher(platform).after_send(youtube_claim(), TOKEN, files(video()), OUT)
    assert len(platform.requests) == 1


async def test_a_refused_thumbnail_is_an_error_without_content() -> None:
    platform = Platform({THUMBNAIL: refused(403, "forbidden", "youtube.thumbnail")})
    picture = MemoryFile("image/png", b"picture")
    with pytest.raises(ProviderRefusedError) as caught:
        await publisher(platform).after_send(youtube_claim(), TOKEN, files(video(), thumbnail=picture), OUT)
    assert (caught.value.code, caught.value.http_status) == ("thumbnail_refused", 403)


async def comment(platform: Platform, **changes: Any) -> Outcome:
    claim = youtube_claim(**{"scopes": COMMENTING} | changes)
    return await publisher(platform).send_follow_up(claim, TOKEN, "Sources", "vid-1", "vid-1")


async def test_the_first_comment() -> None:
    platform = Platform({THREADS: answer(200, {"id": "thread-1"})})
    assert await comment(platform) == Published("thread-1", COMMENT_URL, 200)
    assert platform.body(THREADS) == {
        "snippet": {
            "channelId": CHANNEL,
            "videoId": "vid-1",
            "topLevelComment": {"snippet": {"textOriginal": "Sources"}},
        }
    }
    assert dict(platform.requests[0].url.params) == {"part": "snippet"}


async def test_comments_need_a_scope_of_their_own() -> None:
    platform = Platform()
    outcome = await comment(platform, scopes=SCOPES)
    assert isinstance(outcome, Rejected)
    assert outcome.code == "scope_missing"
    assert platform.requests == []


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        (refused(403, "commentsDisabled", "youtube.commentThread"), Rejected),
        (refused(403, "quotaExceeded", "youtube.quota"), NotAccepted),
        (httpx.ConnectError("refused"), NotAccepted),
        (httpx.ReadError("reset"), Unknown),
        (answer(503), Unknown),
        (answer(200, {}), Unknown),
        (refused(401, "authError", "global"), NeedsReconnect),
    ],
)
async def test_what_became_of_the_comment(told: Any, kind: type) -> None:
    assert isinstance(await comment(Platform({THREADS: told})), kind)


async def test_the_quota_of_comments_is_the_common_one() -> None:
    outcome = await comment(Platform({THREADS: refused(403, "quotaExceeded", "youtube.quota")}))
    assert isinstance(outcome, NotAccepted)
    assert [budget.name for budget in outcome.budget] == ["units"]


def thread(text: str, author: str = CHANNEL) -> dict[str, Any]:
    comment = {"snippet": {"textOriginal": text, "authorChannelId": {"value": author}}}
    return {"id": "thread-1", "snippet": {"topLevelComment": comment}}


@pytest.mark.parametrize(
    ("items", "more", "now", "wanted"),
    [
        ([thread("Sources")], {}, SETTLED, Published("thread-1", COMMENT_URL)),
        (
            [thread("Sources", "UCsomebody"), thread("Other"), {}],
            {},
            SETTLED,
            NotAccepted("not_among_comments"),
        ),
        ([], {}, NOW, Unknown("too_early", 60.0)),
        ([thread("Other")], {"nextPageToken": "2"}, SETTLED, Unknown("comments_too_many")),
    ],
)
async def test_finding_the_comment_again(
    items: list[Any], more: dict[str, Any], now: datetime, wanted: Outcome
) -> None:
    platform = Platform({THREAD_LIST: answer(200, {"items": items, **more})})
    claim = youtube_claim(scopes=COMMENTING, sending_at=NOW)
    outcome = await publisher(platform, now).probe_follow_up(claim, TOKEN, "Sources", "vid-1", "vid-1")
    assert outcome == wanted


async def test_comments_that_cannot_be_read_settle_nothing() -> None:
    platform = Platform({THREAD_LIST: answer(500)})
    claim = youtube_claim(scopes=COMMENTING, sending_at=NOW)
    found = await publisher(platform, SETTLED).probe_follow_up(claim, TOKEN, "Sources", "vid-1", "vid-1")
    assert isinstance(found, Unknown)
