"""What the Instagram publisher sends and reads: bodies of containers, the account's media, its budget."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from workers.providers.base import (
    Budget,
    Media,
    MediaFile,
    PublishClaim,
    PublishStopped,
    Rejected,
    fingerprint,
)

IMAGE_URL_SECONDS: Final = 3600
VIDEO_URL_SECONDS: Final = 4 * 3600
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)


def content_of(claim: PublishClaim) -> str:
    """Short hash over all that a container holds: files, text and options."""
    parts = [fingerprint(claim.media), claim.text, dict(claim.options)]
    cover = None if claim.thumbnail is None else fingerprint([claim.thumbnail])
    text = json.dumps([*parts, cover], ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _common(claim: PublishClaim) -> dict[str, Any]:
    """What pictures, reels and carousels have in common."""
    body: dict[str, Any] = {"caption": claim.text} if claim.text else {}
    collaborators = claim.options.get("collaborators")
    if isinstance(collaborators, list) and collaborators:
        body["collaborators"] = [str(name).lstrip("@") for name in collaborators]
    return body


async def single(claim: PublishClaim, media: Media) -> dict[str, Any]:
    """Body of `POST /{id}/media` for one file: a picture, a reel, or a story of either."""
    file, is_story = media.files[0], claim.options.get("kind") == "story"
    source = await _source(file)
    if is_story:
        return {**source, "media_type": "STORIES"}
    body = source | _common(claim)
    if file.kind == "image":
        return body | ({"alt_text": file.alt_text} if file.alt_text else {})
    body["media_type"] = "REELS"
    share, cover = claim.options.get("share_to_feed"), claim.options.get("cover_ms")
    if isinstance(share, bool):
        body["share_to_feed"] = share
    if media.thumbnail is not None:
        body["cover_url"] = await media.thumbnail.url(IMAGE_URL_SECONDS)
    elif isinstance(cover, int) and not isinstance(cover, bool):
        body["thumb_offset"] = cover
    return body


async def _source(file: MediaFile) -> dict[str, Any]:
    if file.kind not in ("image", "video"):
        raise PublishStopped(Rejected("unsupported_media", "Instagram takes pictures and videos only."))
    if file.kind == "image":
        return {"image_url": await file.url(IMAGE_URL_SECONDS)}
    return {"video_url": await file.url(VIDEO_URL_SECONDS)}


async def carousel_item(file: MediaFile) -> dict[str, Any]:
    """Body of `POST /{id}/media` for one item of a carousel."""
    body = {**await _source(file), "is_carousel_item": True}
    if file.kind == "video":
        return {**body, "media_type": "VIDEO"}
    return body | ({"alt_text": file.alt_text} if file.alt_text else {})


def carousel(claim: PublishClaim, items: Sequence[str]) -> dict[str, Any]:
    return {"media_type": "CAROUSEL", "children": ",".join(items), **_common(claim)}


def budget_of(answer: Mapping[str, Any]) -> Budget | None:
    data = answer.get("data")
    first = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    config, used = first.get("config"), first.get("quota_usage")
    total = config.get("quota_total") if isinstance(config, dict) else None
    if not isinstance(used, int) or not isinstance(total, int):
        return None
    return Budget("account", "posts", total, max(0, total - used))


def spent(quota: object) -> tuple[Budget, ...]:
    """The budget after one more post."""
    if not isinstance(quota, Budget):
        return ()
    return (Budget(quota.scope, quota.name, quota.limit, max(0, quota.remaining - 1)),)


def is_same(claim: PublishClaim, item: Mapping[str, Any], since: datetime) -> bool:
    """Whether a listed medium is this post. A caption comes back without the sign @."""
    if not isinstance(item.get("id"), str) or instant(item.get("timestamp")) < since:
        return False
    is_reel = len(claim.media) == 1 and claim.media[0].kind == "video"
    product = item.get("media_product_type")
    if product is not None and product != ("REELS" if is_reel else "FEED"):
        return False
    return comparable(item.get("caption")) == comparable(claim.text)


def comparable(text: object) -> str:
    return "".join(str(text or "").replace("@", "").split())


def instant(value: object) -> datetime:
    """A time of Meta's, `2026-11-24T09:00:00+0000`; long ago where it cannot be read."""
    try:
        return datetime.fromisoformat(str(value))
    except ValueError:
        return _LONG_AGO
