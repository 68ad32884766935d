"""What TikTok does with a file once it has it: uploads in chunks, checks, and the post that comes of it.

"Media Transfer Guide". The host of uploads knows no access token: whoever has the address may send.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.responses import Response

from workers.sandbox import files, video
from workers.sandbox.spool import Spool
from workers.sandbox.state import Draft, Media, Post, State
from workers.sandbox.wire import Call, Routes

MAX_LAST_CHUNK: Final = 128_000_000
_TYPES: Final = frozenset({"video/mp4", "video/quicktime", "video/webm"})
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class Uploads:
    """Handler of the upload host."""

    def register(self, routes: Routes) -> None:
        routes.add("PUT", "/tiktok/video/", self.put)

    async def put(self, call: Call) -> Response:
        """One chunk: 206 while more are to come, 201 after the last."""
        draft = _find(call)
        if draft is None or draft.upload is None:
            return Response(status_code=404)
        if draft.expires_at <= call.state.now():
            return Response(status_code=403)
        found = _RANGE.fullmatch(call.headers.get("content-range", ""))
        if found is None or call.content_type not in _TYPES:
            return Response(status_code=400)
        first, last, total = (int(number) for number in found.groups())
        source = draft.params["source_info"]
        if total != source["video_size"] or last - first + 1 != call.spool.size or last >= total:
            return Response(status_code=400)
        progress = draft.upload
        if first != progress.size or progress.size == total:
            return _answer(416, progress, total)
        if call.spool.size != _expected(first, source):
            return Response(status_code=400)
        progress.extend(call.spool)
        if progress.size < total:
            return _answer(206, progress, total)
        take_video(call.state, draft, progress)
        call.accepted = draft.post_id or draft.id
        return _answer(201, progress, total)


def _find(call: Call) -> Draft | None:
    number, token = call.query.get("upload_id", ""), call.query.get("upload_token", "")
    for prefix in ("v_pub_file~v2-1", "v_inbox_file~v2"):
        draft = call.state.drafts.get("tiktok", f"{prefix}.{number}")
        if draft is not None and token and draft.upload_token == token:
            return draft
    return None


def _expected(first: int, source: dict[str, int]) -> int:
    """How long the chunk that begins here is: the last one takes the trailing bytes, too."""
    chunk = source["chunk_size"]
    is_last = first // chunk == source["total_chunk_count"] - 1
    return min(source["video_size"] - first, MAX_LAST_CHUNK) if is_last else chunk


def _answer(status: int, progress: Spool, total: int) -> Response:
    headers = {"content-range": f"bytes 0-{progress.size}/{total}"}
    return Response(status_code=status, headers=headers)


def keep(state: State, draft: Draft, spool: Spool, mime_type: str, index: int = 0) -> Media:
    """Puts a file where the gallery finds it."""
    media = Media(f"{draft.id}.{index}", "tiktok", draft.person, state.now(), draft.expires_at, mime_type)
    media.total_bytes, media.status = spool.size, "ready"
    state.library.add(media)
    state.library.store(media, spool)
    return media


def take_video(state: State, draft: Draft, spool: Spool) -> None:
    """Judges a complete video; the verdict shows after the processing time."""
    kind = files.sniff(spool.read(0, 64))
    draft.failure = draft.failure or _failure(state, draft, spool, kind)
    draft.media = (keep(state, draft, spool, kind),)
    publish(state, draft)


def _failure(state: State, draft: Draft, spool: Spool, kind: str) -> str:
    facts = video.read(spool) if kind in ("video/mp4", "video/quicktime") else None
    if kind not in _TYPES or (kind != "video/webm" and facts is None):
        return "file_format_check_failed"
    if facts is None:
        return ""  # nothing is known about the inside of a WebM here
    most = state.setting("tiktok", "max_video_seconds", 600, draft.person)
    if not 3 <= facts.duration_ms / 1000 <= (most if draft.kind == "direct" else 600):
        return "duration_check_failed"
    if not 23 <= facts.fps <= 60:
        return "frame_rate_check_failed"
    if not (360 <= facts.width <= 4_096 and 360 <= facts.height <= 4_096):
        return "picture_size_check_failed"
    return ""


def publish(state: State, draft: Draft) -> None:
    """A direct post is on its way from here on; it appears at once and is told after the processing time."""
    draft.ready_at = state.now() + state.media_delay_seconds
    if not draft.failure and draft.kind in ("direct", "photo"):
        _post(state, draft)
    draft.status = "processing"
    settle(state, draft)


def settle(state: State, draft: Draft) -> None:
    """Lets the processing time take effect."""
    if draft.status != "processing" or draft.ready_at > state.now():
        return
    if draft.failure:
        draft.status = "failed"
    else:
        draft.status = "published" if draft.kind in ("direct", "photo") else "delivered"


def finish_in_app(state: State, draft: Draft) -> None:
    """The person opens the notification in their inbox and posts."""
    settle(state, draft)
    if draft.status != "delivered":
        raise ValueError("nothing was delivered to the inbox")
    _post(state, draft)
    draft.status = "published"


def _post(state: State, draft: Draft) -> None:
    info = draft.params["post_info"]
    text = "\n".join(part for part in (info.get("title"), info.get("description")) if part)
    draft.post_id = str(7_400_000_000_000_000_000 + int(draft.id.rpartition(".")[2]) % 10**17)
    place = "photo" if draft.kind.startswith("photo") else "video"
    url = f"https://www.tiktok.com/@{draft.person.handle}/{place}/{draft.post_id}"
    extra = {"kind": draft.kind, "info": info, "publish_id": draft.id}
    post = Post(draft.post_id, "tiktok", draft.person, state.now(), text, text, url, draft.media, extra)
    state.posts.add(post)
