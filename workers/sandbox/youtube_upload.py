"""YouTube's resumable uploads: "Resumable Uploads", "Videos: insert" and "Videos" (properties and their
limits).

A session is announced with the video's description and size; its URL then takes the bytes in order. The video
exists only once the last byte is there. Until the session ends, its URL tells what became of it.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from workers.sandbox import files
from workers.sandbox.limits import Limiter
from workers.sandbox.schema import Schema
from workers.sandbox.spool import Spool
from workers.sandbox.state import Media, Person, Post, new_secret
from workers.sandbox.wire import Call, RefusedError, Routes, words
from workers.sandbox.youtube_video import described
from workers.sandbox.youtube_wire import (
    SCOPES,
    authorize,
    check_query,
    enter,
    error,
    json_body,
    parts,
    require_scope,
)

PATH = "/youtube/upload/youtube/v3/videos"
SESSION_SECONDS = 7 * 86_400  # Google's other resumable uploads state a week; YouTube's page states none
CHUNK_UNIT = 262_144  # bytes; every part but the last is a multiple of it
MAX_BYTES = 274_877_906_944
MAX_TITLE = 100  # characters
MAX_DESCRIPTION = 5_000  # bytes
MAX_TAGS = 500  # characters of all tags together
# Categories that a video can be put into (videoCategories.list, assignable, US).
CATEGORIES = words("1 2 10 15 17 19 20 22 23 24 25 26 27 28 29")
_WRITABLE = words("snippet status localizations recordingDetails")
_PARTS = _WRITABLE | words(
    "id contentDetails statistics player processingDetails topicDetails fileDetails suggestions "
    "liveStreamingDetails"
)
_RANGE = re.compile(r"bytes (?:(\d{1,15})-(\d{1,15})|\*)/(\d{1,15})")
_TEXT: Schema = {"type": "string"}
_YES_NO: Schema = {"type": "boolean"}

VIDEO: Schema = {
    "type": "object",
    "properties": {
        "snippet": {
            "type": "object",
            "properties": {
                "title": _TEXT,
                "description": _TEXT,
                "tags": {"type": "array", "items": _TEXT},
                "categoryId": _TEXT,
                "defaultLanguage": _TEXT,
                "defaultAudioLanguage": _TEXT,
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "privacyStatus": {"type": "string", "enum": ["public", "unlisted", "private"]},
                "publishAt": _TEXT,
                "license": {"type": "string", "enum": ["youtube", "creativeCommon"]},
                "embeddable": _YES_NO,
                "publicStatsViewable": _YES_NO,
                "selfDeclaredMadeForKids": _YES_NO,
                "containsSyntheticMedia": _YES_NO,
            },
        },
        "localizations": {"type": "object"},
        "recordingDetails": {"type": "object", "properties": {"recordingDate": _TEXT}},
    },
}
_QUERY: dict[str, frozenset[str] | None] = {
    "uploadType": None,
    "part": _PARTS,
    "notifySubscribers": words("true false"),
    "autoLevels": words("true false"),
    "stabilize": words("true false"),
    "alt": words("json"),
    "prettyPrint": None,
}


class YouTubeUpload:
    """The endpoint that announces a session and the one that takes its bytes; both have the same path."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        routes.add("POST", PATH, self.announce)
        routes.add("PUT", PATH, self.receive)

    async def announce(self, call: Call) -> Response:
        person = enter(call, self._limiter, "videos.insert")
        if call.query.get("uploadType") != "resumable":
            text = "Only resumable uploads are spoken here. Expected uploadType=resumable."
            raise error(400, "invalidParameter", text, location="uploadType")
        check_query(call, _QUERY)
        wanted = parts(call)
        size, mime = _announced_file(call)
        body = json_body(call, VIDEO, "video")
        for name in body:
            if name not in wanted:
                raise error(400, "unexpectedPart", f"'{name}'", "youtube.part", location="part")
        _check_snippet(body.get("snippet", {}))
        _check_status(body.get("status", {}))
        self._check_channel(call, person)
        now = call.state.now()
        media = Media(new_secret(), "youtube", person, now, now + SESSION_SECONDS, mime, total_bytes=size)
        is_notifying = call.query.get("notifySubscribers", "true") == "true"
        media.details = {"body": body, "parts": wanted, "notify": is_notifying}
        call.state.library.add(media)
        url = f"{call.base_url}{PATH}?uploadType=resumable&upload_id={media.id}"
        return Response(status_code=200, headers={"location": url, "x-guploader-uploadid": media.id[:12]})

    def _check_channel(self, call: Call, person: Person) -> None:
        """The channel's own limit of videos in 24 hours, whose number YouTube does not publish."""
        if "youtube channel uploads" not in call.state.limits:
            return
        _, is_within = self._limiter.spend("youtube channel uploads", person.key, 0, 86_400)
        if not is_within:
            text = "The user has exceeded the number of videos they may upload."
            raise error(400, "uploadLimitExceeded", text, "youtube.video")

    async def receive(self, call: Call) -> Response:
        """A part of the file, the whole file, or a question (`bytes */SIZE` with an empty body)."""
        person = authorize(call)
        require_scope(call, SCOPES["videos.insert"])
        media = _session(call, person)
        span = _span(call, media)
        if media.details.get("video"):
            return _completed(call, media)
        if span is not None:
            self._store(call, media, *span)
        if media.file is not None and media.file.size == media.total_bytes:
            self._publish(call, media)
            return _completed(call, media)
        stored = media.file.size if media.file else 0
        headers = {"range": f"bytes=0-{stored - 1}"} if stored else {}
        if span is not None:
            call.accepted = f"part-{stored}"  # the session's id is a capability, and never shown
        return Response(status_code=308, headers={"content-length": "0", **headers})

    def _store(self, call: Call, media: Media, first: int, last: int) -> None:
        file = media.file = media.file or Spool()
        if first > file.size:  # a part was left out
            raise RefusedError(503, None)
        if last + 1 < media.total_bytes and (last + 1 - first) % CHUNK_UNIT:
            raise error(400, "badRequest", "Chunks but the last must be a multiple of 256 KB.")
        settings, end = call.state.youtube, call.spool.size
        if settings.stored_bytes is not None:
            end = min(end, settings.stored_bytes // CHUNK_UNIT * CHUNK_UNIT)
            settings.stored_bytes = None
        for piece in call.spool.chunks(file.size - first, end):  # what is there already is not written again
            file.write(piece)

    def _publish(self, call: Call, media: Media) -> None:
        state, file = call.state, media.file
        if file is None:
            raise RefusedError(503, None)
        state.library.store(media, file)
        media.status = "processing"
        media.ready_at = state.now() + state.media_delay_seconds
        media.mime_type = files.sniff(file.read(0, 64)) or media.mime_type
        post = _new_post(call, media)
        media.details["video"] = post.id
        state.posts.add(post)
        call.accepted = post.id


def _announced_file(call: Call) -> tuple[int, str]:
    size = call.headers.get("x-upload-content-length", "")
    if not size.isascii() or not size.isdigit() or not 1 <= int(size) <= MAX_BYTES:
        raise error(
            400, "mediaBodyRequired", "The request does not include the video content.", "youtube.video"
        )
    mime = call.headers.get("x-upload-content-type", "").lower()
    if not re.fullmatch(r"video/[\w.+-]+|application/octet-stream", mime):
        raise error(400, "badContent", f"Media type '{mime}' is not supported. Valid media types: [video/*, "
                    "application/octet-stream]")  # fmt: skip
    return int(size), mime


def _check_snippet(snippet: dict[str, Any]) -> None:
    title, description = snippet.get("title", ""), snippet.get("description", "")
    if not title.strip() or len(title) > MAX_TITLE or re.search("[<>]", title):
        text = "The request metadata specifies an invalid or empty video title."
        raise error(400, "invalidTitle", text, "youtube.video", location="body.snippet.title")
    if len(description.encode()) > MAX_DESCRIPTION or re.search("[<>]", description):
        text = "The request metadata specifies an invalid video description."
        raise error(400, "invalidDescription", text, "youtube.video", location="body.snippet.description")
    tags = snippet.get("tags", [])
    if tags_length(tags) > MAX_TAGS or any(not tag.strip() or re.search("[<>]", tag) for tag in tags):
        text = "The request metadata specifies invalid video keywords."
        raise error(400, "invalidTags", text, "youtube.video", location="body.snippet.tags")
    if snippet.get("categoryId", "22") not in CATEGORIES:
        text = "The request metadata specifies an invalid category ID."
        raise error(400, "invalidCategoryId", text, "youtube.video", location="body.snippet.categoryId")


def tags_length(tags: list[str]) -> int:
    """A tag with a space counts with its quotation marks, and commas between tags count ("snippet.tags")."""
    return sum(len(tag) + (2 if " " in tag else 0) for tag in tags) + max(0, len(tags) - 1)


def _check_status(status: dict[str, Any]) -> None:
    """`publishAt` needs a private video; a time in the past is allowed and publishes at once."""
    if "publishAt" not in status:
        return
    try:
        is_time = datetime.fromisoformat(status["publishAt"]).tzinfo is not None
    except ValueError:
        is_time = False
    if not is_time or status.get("privacyStatus") != "private":
        text = "The request metadata specifies an invalid scheduled publishing time."
        raise error(400, "invalidPublishAt", text, "youtube.video", location="body.status.publishAt")


def _session(call: Call, person: Person) -> Media:
    media = call.state.library.get("youtube", call.query.get("upload_id", ""))
    if media is None or media.person is not person:
        raise RefusedError(404, None)
    if media.expires_at <= call.state.now():
        raise RefusedError(410, None)
    return media


def _span(call: Call, media: Media) -> tuple[int, int] | None:
    """First and last byte that the request brings; None for a question."""
    text = call.headers.get("content-range")
    if text is None:
        if call.spool.size != media.total_bytes:
            raise error(400, "badRequest", "Content-Range is missing and the body is not the whole file.")
        return 0, media.total_bytes - 1
    match = _RANGE.fullmatch(text)
    if match is None or int(match[3]) != media.total_bytes:
        raise error(400, "badRequest", "Failed to parse Content-Range header.")
    if match[1] is None:
        if call.spool.size:
            raise error(400, "badRequest", "A status query has no body.")
        return None
    first, last = int(match[1]), int(match[2])
    if not first <= last < media.total_bytes or last + 1 - first != call.spool.size:
        raise error(400, "badRequest", "Content-Range does not fit the body.")
    return first, last


def _completed(call: Call, media: Media) -> Response:
    post = call.state.posts.get("youtube", media.details["video"])
    if post is None:  # deleted meanwhile
        raise RefusedError(404, None)
    return JSONResponse(described(call, post, media.details["parts"]), 201)


def _new_post(call: Call, media: Media) -> Post:
    body, now = media.details["body"], call.state.now()
    snippet, status = body.get("snippet", {}), body.get("status", {})
    privacy, publish_at = status.get("privacyStatus", "public"), None
    if call.state.youtube.forced_private:
        privacy = "private"
    elif "publishAt" in status:
        publish_at = datetime.fromisoformat(status["publishAt"]).timestamp()
    video_id = new_secret()[:11]
    extra = {
        "title": snippet.get("title", ""),
        "tags": snippet.get("tags", []),
        "category_id": snippet.get("categoryId", "22"),
        "privacy": privacy,
        "publish_at": publish_at,
        "made_for_kids": status.get("selfDeclaredMadeForKids"),
        "notify": media.details["notify"],
        "body": body,
        "thumbnail": None,
    }
    description = snippet.get("description", "")
    url = f"https://www.youtube.com/watch?v={video_id}"
    return Post(video_id, "youtube", media.person, now, description, description, url, (media,), extra)
