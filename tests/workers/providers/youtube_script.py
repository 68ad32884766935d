"""A scripted YouTube for the publisher's tests: its answers, a session that stores, and the calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import httpx
import pytest

from tests.workers.providers.claims import NOW, TOKEN, Platform, Saved, answer, files, no_sleep
from tests.workers.providers.contract import Contract
from tests.workers.providers.youtube_cases import CHANNEL, SIZE, vault, video, youtube_claim
from workers.providers.base import Outcome, Prepared, PublishStopped
from workers.providers.youtube import YouTubePublisher
from workers.providers.youtube_session import PART_UNIT

PATH = "/upload/youtube/v3/videos"
START = f"POST {PATH}"
PUT = f"PUT {PATH}"
SESSION = f"https://www.googleapis.com{PATH}?uploadType=resumable&upload_id=canary-session"
STARTED = answer(200, None, location=SESSION)
MIDNIGHT = datetime(2026, 11, 25, 8, tzinfo=UTC)  # of Pacific Time, after NOW


def created(privacy: str = "public", **status: Any) -> httpx.Response:
    resource = {"kind": "youtube#video", "id": "vid-1", "status": {"privacyStatus": privacy} | status}
    return answer(201, resource)


def incomplete(stored: int = 0) -> httpx.Response:
    return answer(308, None, range=f"bytes=0-{stored - 1}") if stored else answer(308)


def refused(status: int, reason: str, domain: str = "youtube.video") -> httpx.Response:
    detail = {"message": "no", "domain": domain, "reason": reason}
    return answer(status, {"error": {"code": status, "message": "no", "errors": [detail]}})


class Storing:
    """A session that stores what it is sent and answers as the protocol says; `canned` answers come first."""

    def __init__(self, canned: list[Any] | None = None, stored: int = 0) -> None:
        self.canned = canned or []
        self.stored = stored
        self.spans: list[str] = []

    def __call__(self, request: httpx.Request) -> Any:
        span = request.headers["content-range"]
        self.spans.append(span)
        if self.canned:
            told = self.canned.pop(0)
            if told is not None:
                return told
        if not span.startswith("bytes */"):
            first, _, rest = span.removeprefix("bytes ").partition("-")
            assert int(first) == self.stored
            self.stored = int(rest.partition("/")[0]) + 1
        return created() if self.stored == SIZE else incomplete(self.stored)


def publisher(platform: Platform, now: datetime = NOW) -> YouTubePublisher:
    return YouTubePublisher(platform.client, vault(), now=lambda: now, sleep=no_sleep)


async def prepare(platform: Platform, claim: Any = None, saved: Saved | None = None) -> Prepared:
    claim = claim or youtube_claim()
    return await publisher(platform).prepare(claim, TOKEN, files(video()), saved or Saved())


async def publish(platform: Platform, claim: Any = None) -> Outcome:
    return await publisher(platform).send(await prepare(platform, claim))


async def stopped(platform: Platform, claim: Any = None) -> Outcome:
    with pytest.raises(PublishStopped) as caught:
        await prepare(platform, claim)
    return caught.value.outcome


async def unsure(**changes: Any) -> Any:
    """A claim whose earlier attempt was sent, with the session that it had saved."""
    saved = Saved()
    await prepare(Platform({START: STARTED, PUT: Storing()}), saved=saved)
    changed: dict[str, Any] = {
        "mode": "reconcile",
        "attempt": 2,
        "sending_at": NOW,
        "progress": saved.progress,
    }
    return youtube_claim(**changed | changes)


CHANNELS = "GET /youtube/v3/channels"
UPLOADS = "GET /youtube/v3/playlistItems"
MINE = answer(
    200, {"items": [{"id": CHANNEL, "contentDetails": {"relatedPlaylists": {"uploads": "UUmine"}}}]}
)


def listed(*uploads: tuple[str, str, datetime], **more: Any) -> httpx.Response:
    """Uploads by id, title and time, newest first, all with the same description."""
    items = [
        {
            "snippet": {
                "title": title,
                "description": "How it was made",
                "publishedAt": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "resourceId": {"videoId": video_id},
            }
        }
        for video_id, title, at in uploads
    ]
    return answer(200, {"items": items, **more})


@contextmanager
def documented_small_parts() -> Iterator[None]:
    """Parts of 256 KiB, and whatever is sent must be what Google documents."""
    contract, plain = Contract("youtube"), Platform._answer

    def checked(platform: Platform, request: httpx.Request) -> httpx.Response:
        if request.url.host != "127.0.0.1":
            contract.check(request)
        return plain(platform, request)

    with (
        patch("workers.providers.youtube._PART_BYTES", PART_UNIT),
        patch.object(Platform, "_answer", checked),
    ):
        yield
