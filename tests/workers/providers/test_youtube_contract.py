"""Every request to YouTube is one that Google documents, and a request that is not would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from tests.workers.providers import youtube_script as cases
from tests.workers.providers.claims import TOKEN, MemoryFile, Platform, Saved, answer, files
from tests.workers.providers.contract import BreachError, Contract
from tests.workers.providers.youtube_cases import COMMENTING, LAST, SCOPES, video, youtube_claim
from workers.providers.base import Published
from workers.providers.youtube_session import PART_UNIT

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "title": "First light",
    "privacy": "unlisted",
    "made_for_kids": True,
    "tags": ["film", "dawn light"],
    "category_id": 22,
    "notify_subscribers": False,
}


@pytest.fixture
def contract() -> Contract:
    return Contract("youtube")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.providers.youtube._PART_BYTES", PART_UNIT)


def youtube() -> Platform:
    """YouTube with every answer that the publisher's ways need; the session breaks once."""
    session = cases.Storing([None, httpx.ReadError("reset")])
    return Platform(
        {
            cases.START: cases.STARTED,
            cases.PUT: session,
            "POST /upload/youtube/v3/thumbnails/set": answer(200, {}),
            "POST /youtube/v3/commentThreads": answer(200, {"id": "thread-1"}),
            "GET /youtube/v3/commentThreads": answer(200, {"items": []}),
            cases.CHANNELS: cases.MINE,
            cases.UPLOADS: cases.listed(),
        }
    )


async def every_way(platform: Platform) -> None:
    """Publish with every option, with a break, a thumbnail and a comment; and look for everything again."""
    publisher, picture = cases.publisher(platform), MemoryFile("image/jpeg", b"picture")
    for options in ({}, EVERYTHING, {"title": "Later", "publish_at": "2031-01-01T09:00:00+01:00"}):
        claim = youtube_claim("Words & more — 🎬", options=options, scopes=COMMENTING)
        platform.answers[cases.PUT] = cases.Storing([None, httpx.ReadError("reset")])
        media, saved = files(video(), thumbnail=picture), Saved()
        prepared = await publisher.prepare(claim, TOKEN, media, saved)
        published = await publisher.send(prepared)
        assert isinstance(published, Published)
        await publisher.after_send(claim, TOKEN, media, published)
        await publisher.send_follow_up(claim, TOKEN, "Sources", "vid-1", "vid-1")
        await publisher.probe_follow_up(claim, TOKEN, "Sources", "vid-1", "vid-1")
        await publisher.probe(await cases.unsure(), TOKEN)
        platform.answers[cases.PUT] = answer(404)
        await publisher.probe(await cases.unsure(), TOKEN)


async def test_every_request_is_documented(contract: Contract) -> None:
    platform = youtube()
    await every_way(platform)
    for request in platform.requests:
        contract.check(request)
    assert set(contract.used) == contract.names


async def test_the_scopes_that_are_asked_for_open_the_requests(contract: Contract) -> None:
    """`publish` and `profile` together open everything but comments."""
    granted = {scope.rpartition("/")[2] for scope in SCOPES}
    closed = {name for name in contract.names if not contract.scopes(name) & granted}
    assert closed == {"commentThreads.insert", "commentThreads.list"}
    assert all(contract.scopes(name) == {"youtube.force-ssl"} for name in closed)


def test_sources_have_a_date(contract: Contract) -> None:
    assert len(contract.sources) >= 4
    for source in contract.sources:
        assert source["url"].startswith("https://")
        assert date.fromisoformat(source["read_on"]) >= date(2026, 11, 1)


def _announcement(**changes: Any) -> httpx.Request:
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&part=snippet,status",
        "headers": {
            "authorization": "Bearer x",
            "x-upload-content-length": "5",
            "x-upload-content-type": "video/mp4",
        },
        "json": {"snippet": {"title": "a"}, "status": {"privacyStatus": "public"}},
    }
    return httpx.Request(**fields | changes)


def _part(span: str, size: int) -> httpx.Request:
    url = "https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&upload_id=s"
    headers = {"authorization": "Bearer x", "content-type": "video/mp4", "content-range": span}
    return httpx.Request("PUT", url, headers=headers, content=b"v" * size)


BREACHES: dict[str, Callable[[], httpx.Request]] = {
    "another host": lambda: _announcement(url="https://example.com/upload/youtube/v3/videos"),
    "no TLS": lambda: _announcement(url="http://www.googleapis.com/upload/youtube/v3/videos"),
    "another method": lambda: _announcement(method="PATCH"),
    "another path": lambda: _announcement(url="https://www.googleapis.com/youtube/v3/search?part=snippet"),
    "an unknown parameter": lambda: _announcement(
        url="https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&part=snippet&x=1"
    ),
    "a missing parameter": lambda: _announcement(
        url="https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable"
    ),
    "an unknown part": lambda: _announcement(
        url="https://www.googleapis.com/upload/youtube/v3/videos?uploadType=resumable&part=money"
    ),
    "a missing header": lambda: _announcement(headers={"authorization": "Bearer x"}),
    "an unknown header": lambda: _announcement(
        headers={**_announcement().headers, "x-goog-upload-command": "start"}
    ),
    "an unknown field": lambda: _announcement(
        json={"snippet": {"title": "a", "subtitle": "b"}, "status": {"privacyStatus": "public"}}
    ),
    "an unknown value": lambda: _announcement(
        json={"snippet": {"title": "a"}, "status": {"privacyStatus": "secret"}}
    ),
    "a title that is too long": lambda: _announcement(json={"snippet": {"title": "a" * 101}, "status": {}}),
    "a part that is too short": lambda: _part(f"bytes 0-99/{LAST}", 100),
    "a range of another length": lambda: _part(f"bytes 0-{PART_UNIT - 1}/{LAST}", 100),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breaches_are_noticed(breach: str, contract: Contract) -> None:
    contract.check(_announcement())
    contract.check(_part(f"bytes 0-{PART_UNIT - 1}/{LAST}", PART_UNIT))
    with pytest.raises(BreachError):
        contract.check(BREACHES[breach]())
