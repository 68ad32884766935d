"""TikTok as a script, and claims for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

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
from workers.providers.base import Media, Outcome, Prepared, PublishStopped
from workers.providers.tiktok import TikTokPublisher
from workers.providers.tiktok_wire import CHUNK

ROOT = "/v2/post/publish"
CREATOR = f"POST {ROOT}/creator_info/query/"
INIT = f"POST {ROOT}/video/init/"
INBOX = f"POST {ROOT}/inbox/video/init/"
CONTENT = f"POST {ROOT}/content/init/"
STATUS = f"POST {ROOT}/status/fetch/"
PUT = "PUT /video/"
UPLOAD_URL = "https://open-upload.tiktokapis.com/video/?upload_id=67890&upload_token=Xza123"
LATER = NOW + timedelta(seconds=61)
PUBLIC_URL = "https://worker.example"
SIGNED = "https://project.supabase.co/storage/v1/object/sign/media/person/0.jpg"
CREATOR_INFO = {
    "creator_username": "maya",
    "privacy_level_options": ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"],
    "comment_disabled": False,
    "duet_disabled": False,
    "stitch_disabled": True,
    "max_video_post_duration_sec": 300,
}
DIRECT = {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"}


def ok(**data: Any) -> httpx.Response:
    return answer(200, {"data": data, "error": {"code": "ok", "message": "", "log_id": "x"}})


def refused(status: int, code: str, **headers: str) -> httpx.Response:
    return answer(status, {"data": {}, "error": {"code": code, "message": "no", "log_id": "x"}}, **headers)


def told(status: str, **data: Any) -> httpx.Response:
    """An answer of `status/fetch`."""
    return ok(status=status, publicaly_available_post_id=[], **data)


def complete(*ids: int) -> httpx.Response:
    return ok(status="PUBLISH_COMPLETE", publicaly_available_post_id=list(ids))


def script(**changes: Any) -> Platform:
    """A platform that takes a video and photos; `changes` by the names above in lower case."""
    answers = {
        CREATOR: ok(**CREATOR_INFO),
        INIT: ok(publish_id="v_pub_file~v2-1.1", upload_url=UPLOAD_URL),
        INBOX: ok(publish_id="v_inbox_file~v2.1", upload_url=UPLOAD_URL),
        CONTENT: ok(publish_id="p_pub_url~v2.1"),
        STATUS: complete(7400),
        PUT: answer(201),
    }
    names = {
        "creator": CREATOR,
        "init": INIT,
        "inbox": INBOX,
        "content": CONTENT,
        "status": STATUS,
        "put": PUT,
    }
    return Platform(answers | {names[name]: value for name, value in changes.items()})


def publisher(platform: Platform, now: Any = NOW) -> TikTokPublisher:
    return TikTokPublisher(platform.client, public_url=PUBLIC_URL, now=lambda: now, sleep=no_sleep)


def a_claim(text: str = "Hello #dawn", **changes: Any) -> Any:
    fields = {
        "platform_id": "tiktok",
        "external_account_id": "-000",
        "scopes": ("user.info.basic", "video.publish", "video.upload"),
        "media": media(mime_type="video/mp4"),
        "options": DIRECT,
    }
    return claim(text, **fields | changes)


def video(size: int = 1000, duration_ms: int | None = 10_000) -> MemoryFile:
    return MemoryFile("video/mp4", bytes(size), None, 1080, 1920, duration_ms)


def photo() -> MemoryFile:
    return MemoryFile("image/jpeg", b"photo", base_url=SIGNED, query="token=a.b.c")


def big(chunks: int, more: int = 123) -> MemoryFile:
    """A video of so many chunks, the last one with trailing bytes."""
    return video(chunks * CHUNK + more)


async def prepared(platform: Platform, saved: Saved, given: Media | None = None, **changes: Any) -> Prepared:
    item = a_claim(progress=saved.progress or None, **changes)
    return await publisher(platform).prepare(item, TOKEN, given or files(video()), saved)


async def sent(platform: Platform, given: Media | None = None, **changes: Any) -> Outcome:
    """Prepare and send."""
    return await publisher(platform).send(await prepared(platform, Saved(), given, **changes))


async def stopped(platform: Platform, given: Media | None = None, **changes: Any) -> Outcome:
    try:
        await prepared(platform, Saved(), given, **changes)
    except PublishStopped as caught:
        return caught.outcome
    raise AssertionError("it was not stopped")


def unknown(**changes: Any) -> Any:
    """A claim whose earlier attempt was sent and not answered."""
    progress = {"publish_id": "v_pub_file~v2-1.1", "size": 1000, "creator": "maya"}
    fields = {"mode": "reconcile", "attempt": 2, "sending_at": NOW, "progress": progress}
    return a_claim(**fields | changes)
