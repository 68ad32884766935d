"""A post as YouTube's `video` resource, and an answered resource as an outcome.

Sources: "Videos" (properties), developers.google.com/youtube/v3/docs/videos, read 2026-11.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from workers.providers.base import PublishClaim, Published, fingerprint
from workers.providers.youtube_session import Complete

__all__ = ["comment_url", "plan_of", "published_video", "texts", "video_body", "watch_url"]

_PRIVACY: Final = frozenset({"public", "unlisted", "private"})


def texts(claim: PublishClaim) -> tuple[str, str]:
    """Title and description. Without a title of its own a video takes the first line of its text."""
    title = claim.options.get("title")
    if not isinstance(title, str) or not title.strip():
        title = claim.text.strip().partition("\n")[0][:100]
    return title.strip(), claim.text


def video_body(claim: PublishClaim, now: datetime) -> dict[str, Any]:
    """Body of `videos.insert`. Only known options are taken over."""
    options = claim.options
    title, description = texts(claim)
    snippet: dict[str, Any] = {"title": title, "description": description}
    tags = options.get("tags")
    if isinstance(tags, list) and tags:
        snippet["tags"] = [str(tag) for tag in tags]
    if options.get("category_id"):
        snippet["categoryId"] = str(options["category_id"])
    status: dict[str, Any] = {"privacyStatus": _wanted_privacy(claim)}
    publish_at = _publish_at(claim)
    if publish_at is not None and publish_at > now:
        status = {"privacyStatus": "private", "publishAt": _moment(publish_at)}
    if isinstance(options.get("made_for_kids"), bool):
        status["selfDeclaredMadeForKids"] = options["made_for_kids"]
    return {"snippet": snippet, "status": status}


def _wanted_privacy(claim: PublishClaim) -> str:
    """Who is to see the video in the end; one with a time of publication becomes public."""
    if _publish_at(claim) is not None:
        return "public"
    privacy = claim.options.get("privacy")
    return privacy if privacy in _PRIVACY else "public"


def _publish_at(claim: PublishClaim) -> datetime | None:
    value = claim.options.get("publish_at")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plan_of(claim: PublishClaim) -> str:
    """Short hash over what the session was announced with: one of other texts or files is of no use."""
    parts = [claim.text, claim.options, fingerprint(claim.media)]
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def published_video(claim: PublishClaim, answer: Complete) -> Published:
    video_id = str(answer.video["id"])
    status = answer.video.get("status")
    got = status if isinstance(status, Mapping) else {}
    is_held_back = (
        _wanted_privacy(claim) != "private"
        and got.get("privacyStatus") == "private"
        and not got.get("publishAt")
    )
    notice = "published_privately" if is_held_back else None
    return Published(video_id, watch_url(video_id), answer.http_status, notice=notice)


def watch_url(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"


def comment_url(video_id: str, thread_id: str) -> str:
    return f"{watch_url(video_id)}&lc={thread_id}"
