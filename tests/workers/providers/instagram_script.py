"""Instagram as a script, and claims for it."""

from __future__ import annotations

from datetime import timedelta
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
    Media,
    Outcome,
    Prepared,
    PublishStopped,
)
from workers.providers.instagram import InstagramPublisher

V = "/v25.0"
LIMIT = f"GET {V}/17841/content_publishing_limit"
CREATE = f"POST {V}/17841/media"
STATUS = f"GET {V}/C1"
PUBLISH = f"POST {V}/17841/media_publish"
LIST = f"GET {V}/17841/media"
MEDIUM = f"GET {V}/M1"
COMMENT = f"POST {V}/M1/comments"
COMMENTS = f"GET {V}/M1/comments"
QUOTA = {"data": [{"quota_usage": 2, "config": {"quota_total": 50, "quota_duration": 86400}}]}
PERMALINK = "https://www.instagram.com/p/abc/"
LATER = NOW + timedelta(seconds=61)
SCOPES = (
    "instagram_business_basic",
    "instagram_business_content_publish",
    "instagram_business_manage_comments",
)


def refused(code: int, subcode: int = 0, status: int = 400, **headers: str) -> httpx.Response:
    error = {"message": "no", "type": "OAuthException", "code": code, "fbtrace_id": "x"}
    return answer(status, {"error": error | ({"error_subcode": subcode} if subcode else {})}, **headers)


def script(**changes: Any) -> Platform:
    """A platform that takes a picture; `changes` by the names above."""
    answers = {
        LIMIT: answer(200, QUOTA),
        CREATE: answer(200, {"id": "C1"}),
        STATUS: answer(200, {"id": "C1", "status_code": "FINISHED"}),
        PUBLISH: answer(200, {"id": "M1"}),
        MEDIUM: answer(200, {"id": "M1", "permalink": PERMALINK}),
        LIST: answer(200, {"data": []}),
    }
    names = {
        "limit": LIMIT, "create": CREATE, "status": STATUS, "publish": PUBLISH, "medium": MEDIUM,
        "listed": LIST, "comment": COMMENT, "comments": COMMENTS,
    }  # fmt: skip
    return Platform(answers | {names[name]: value for name, value in changes.items()})


def listed(*items: tuple[str, str, int]) -> httpx.Response:
    """The account's media: id, caption, seconds after NOW; newest first as Instagram gives them."""
    data = [
        {
            "id": media_id, "caption": caption, "permalink": f"https://www.instagram.com/p/{media_id}/",
            "timestamp": (NOW + timedelta(seconds=after)).strftime("%Y-%m-%dT%H:%M:%S+0000"),
            "media_product_type": "FEED",
        }
        for media_id, caption, after in items
    ]  # fmt: skip
    return answer(200, {"data": data})


def publisher(platform: Platform, now: Any = NOW) -> InstagramPublisher:
    return InstagramPublisher(platform.client, now=lambda: now, sleep=no_sleep)


def a_claim(text: str = "Hello", **changes: Any) -> Any:
    fields = {
        "platform_id": "instagram",
        "external_account_id": "17841",
        "scopes": SCOPES,
        "media": media(mime_type="image/jpeg"),
    }
    return claim(text, **fields | changes)


def picture(alt_text: str | None = "a dog") -> MemoryFile:
    return MemoryFile("image/jpeg", b"picture", alt_text, 1080, 1080)


def video() -> MemoryFile:
    return MemoryFile("video/mp4", b"video", None, 1080, 1920, 10_000)


async def prepared(platform: Platform, saved: Saved, given: Media | None = None, **changes: Any) -> Prepared:
    return await publisher(platform).prepare(
        a_claim(progress=saved.progress or None, **changes), TOKEN, given or files(picture()), saved
    )


async def stopped(platform: Platform, saved: Saved | None = None, **changes: Any) -> Outcome:
    with pytest.raises(PublishStopped) as caught:
        await prepared(platform, saved or Saved(), **changes)
    return caught.value.outcome


def unknown(**changes: Any) -> Any:
    """A claim whose earlier attempt was sent and not answered."""
    fields = {"mode": "reconcile", "attempt": 2, "sending_at": NOW, "progress": {"container": "C1"}}
    return a_claim(**fields | changes)
