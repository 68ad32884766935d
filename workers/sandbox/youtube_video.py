"""The `video` resource of YouTube's Data API as its owner sees it ("Videos", discovery document 20261104)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from workers.sandbox.state import Media, Post
from workers.sandbox.wire import Call

_COUNTS = ("viewCount", "likeCount", "favoriteCount", "commentCount")


def described(call: Call, post: Post, parts: frozenset[str]) -> dict[str, Any]:
    """The resource with the parts asked for; `kind`, `etag` and `id` are always there."""
    whole: dict[str, Any] = {
        "snippet": _snippet(post),
        "status": _status(call, post),
        "statistics": statistics(post),
        "processingDetails": _processing(call, post.media[0]),
        "contentDetails": {
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": False,
        },
        "player": {"embedHtml": f'<iframe src="//www.youtube.com/embed/{post.id}"></iframe>'},
    }
    head = {"kind": "youtube#video", "etag": post.media[0].sha256[:27], "id": post.id}
    return head | {name: part for name, part in whole.items() if name in parts}


def privacy(post: Post, now: float) -> str:
    """A private video with a publishing time becomes public when that has come."""
    due = post.extra["publish_at"]
    return "public" if due is not None and due <= now else str(post.extra["privacy"])


def _snippet(post: Post) -> dict[str, Any]:
    body = post.extra["body"].get("snippet", {})
    languages = {n: body[n] for n in ("defaultLanguage", "defaultAudioLanguage") if n in body}
    title, description = post.extra["title"], post.sent_text
    return {
        "publishedAt": moment(post.created_at),
        "channelId": post.person.account_id("youtube"),
        "title": title,
        "description": description,
        "thumbnails": thumbnails(post),
        "channelTitle": post.person.name,
        **({"tags": post.extra["tags"]} if post.extra["tags"] else {}),
        "categoryId": post.extra["category_id"],
        "liveBroadcastContent": "none",
        "localized": {"title": title, "description": description},
        **languages,
    }


def thumbnails(post: Post) -> dict[str, Any]:
    """The default thumbnail's URLs; the sandbox serves no thumbnails under them."""
    names = {"default": (120, 90), "medium": (320, 180), "high": (480, 360)}
    return {
        name: {"url": f"https://i.ytimg.com/vi/{post.id}/{name}.jpg", "width": width, "height": height}
        for name, (width, height) in names.items()
    }


def _status(call: Call, post: Post) -> dict[str, Any]:
    body, media = post.extra["body"].get("status", {}), post.media[0]
    shown: dict[str, Any] = {
        "uploadStatus": {"processing": "uploaded", "ready": "processed"}.get(settled(call, media), "failed"),
        "privacyStatus": privacy(post, call.state.now()),
        "license": body.get("license", "youtube"),
        "embeddable": body.get("embeddable", True),
        "publicStatsViewable": body.get("publicStatsViewable", True),
        "madeForKids": bool(post.extra["made_for_kids"]),
    }
    if media.status == "failed":
        shown["failureReason"] = "invalidFile"
    if post.extra["made_for_kids"] is not None:
        shown["selfDeclaredMadeForKids"] = post.extra["made_for_kids"]
    if "containsSyntheticMedia" in body:
        shown["containsSyntheticMedia"] = body["containsSyntheticMedia"]
    due = post.extra["publish_at"]
    if due is not None and due > call.state.now():
        shown["publishAt"] = moment(due)
    return shown


def settled(call: Call, media: Media) -> str:
    """The upload's state now: processing ends by itself, and fails for what is no video."""
    if media.status == "processing" and media.ready_at <= call.state.now():
        is_video = media.mime_type in ("video/mp4", "video/quicktime")
        media.status = "ready" if is_video else "failed"
    return media.status


def _processing(call: Call, media: Media) -> dict[str, Any]:
    state = {"processing": "processing", "ready": "succeeded"}.get(settled(call, media), "failed")
    shown: dict[str, Any] = {"processingStatus": state, "fileDetailsAvailability": "available"}
    if state == "processing":
        shown["processingProgress"] = {"partsTotal": "100", "partsProcessed": "50", "timeLeftMs": "1000"}
    if state == "failed":
        shown["processingFailureReason"] = "transcodeFailed"
    return shown


def statistics(post: Post) -> dict[str, str]:
    """Counts as decimal strings; comments are counted from those that were written."""
    counts = dict.fromkeys(_COUNTS, 0) | {"commentCount": len(post.comments)} | post.metrics
    return {name: str(counts[name]) for name in _COUNTS}


def moment(seconds: float) -> str:
    """A time as Google writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
