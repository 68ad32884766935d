"""X media upload v2: initialize, append, finalize, status, one-shot upload and alt text.

"Chunked Media Upload", "Best practices" (sizes, formats, 4 images or 1 GIF or 1 video) and X's OpenAPI
document.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from workers.sandbox import files
from workers.sandbox.limits import Limiter
from workers.sandbox.schema import Schema
from workers.sandbox.spool import Spool
from workers.sandbox.state import Media, Person
from workers.sandbox.wire import Call, RefusedError, Routes, single_fields
from workers.sandbox.x_wire import check_query, enter, invalid, json_body, not_found

LIFETIME = 86_400  # seconds an upload can be used
MAX_CHUNK = 5_242_880  # bytes in one append; the edge answers 413 with an empty body above it
_MEBI = 1_048_576
_IMAGES = frozenset({"image/jpeg", "image/png", "image/webp", "image/bmp", "image/pjpeg", "image/tiff"})
_VIDEOS = frozenset({"video/mp4", "video/webm", "video/mp2t", "video/quicktime"})
_SIZES = {"image": 5 * _MEBI, "gif": 15 * _MEBI, "video": 512 * _MEBI}
_ID = "^[0-9]{1,19}$"
_CATEGORIES = [
    "amplify_video", "tweet_gif", "tweet_image", "tweet_video", "dm_gif", "dm_image", "dm_video", "subtitles",
]  # fmt: skip
_TYPES = [
    *sorted(_VIDEOS),
    "text/srt",
    "text/vtt",
    *sorted(_IMAGES),
    "image/gif",
    "model/gltf-binary",
    "model/vnd.usdz+zip",
]

INITIALIZE: Schema = {
    "type": "object",
    "required": ["media_type", "total_bytes"],
    "properties": {
        "additional_owners": {"type": "array", "items": {"type": "string", "pattern": _ID}},
        "media_category": {"type": "string", "enum": _CATEGORIES},
        "media_type": {"type": "string", "enum": _TYPES},
        "shared": {"type": "boolean"},
        "total_bytes": {"type": "integer", "minimum": 1, "maximum": 17_179_869_184},
    },
}
APPEND: Schema = {
    "type": "object",
    "required": ["media", "segment_index"],
    "properties": {
        "media": {"type": "string"},
        "segment_index": {"type": "integer", "minimum": 0, "maximum": 999},
    },
}
METADATA: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "string", "pattern": _ID},
        "metadata": {
            "type": "object",
            "properties": {
                "alt_text": {
                    "type": "object",
                    "required": ["text"],
                    "properties": {"text": {"type": "string", "maxLength": 1000}},
                }
            },
        },
    },
}


class XMedia:
    """The media endpoints."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        routes.add("POST", "/x/2/media/upload/initialize", self.initialize)
        routes.add("POST", "/x/2/media/upload/{id}/append", self.append)
        routes.add("POST", "/x/2/media/upload/{id}/finalize", self.finalize)
        routes.add("GET", "/x/2/media/upload", self.status)
        routes.add("POST", "/x/2/media/upload", self.upload)
        routes.add("POST", "/x/2/media/metadata", self.metadata)

    async def initialize(self, call: Call) -> Response:
        person = enter(call, self._limiter, "POST /2/media/upload/initialize", "media.write")
        body = json_body(call, INITIALIZE)
        media = self._announce(call, person, body)
        return JSONResponse({"data": {**_name(media), "expires_after_secs": LIFETIME}})

    def _announce(self, call: Call, person: Person, body: dict[str, Any]) -> Media:
        mime, size = body["media_type"], body["total_bytes"]
        category = body.get("media_category") or _default_category(mime)
        kind = _kind(mime)
        if not kind or not category.endswith(kind):
            raise invalid(
                f"Media type {mime} does not fit media category {category}.", {"media_type": [mime]}
            )
        if size > _SIZES[kind]:
            raise invalid(f"File size exceeds {_SIZES[kind]} bytes.", {"total_bytes": [str(size)]})
        state, now = call.state, call.state.now()
        media = Media(state.new_id(), "x", person, now, now + LIFETIME, mime, category, size)
        media.owners = frozenset({person.account_id("x"), *body.get("additional_owners", ())})
        state.library.add(media)
        return media

    async def append(self, call: Call) -> Response:
        person = enter(call, self._limiter, "POST /2/media/upload/:id/append", "media.write")
        index, chunk = await self._chunk(call)
        media = self._find(call, person, call.params["id"])
        if media.status != "uploading":
            raise invalid("The upload is already finalized.", {"id": [media.id]})
        if not chunk or len(chunk) > MAX_CHUNK:
            raise RefusedError(413 if chunk else 400, None)
        others = sum(part.size for i, part in media.segments.items() if i != index)
        if others + len(chunk) > media.total_bytes:
            raise invalid(
                "Segments are larger than the provided total file size.", {"segment_index": [str(index)]}
            )
        media.segments[index] = Spool(chunk)
        return JSONResponse({"data": {"expires_at": int(media.expires_at)}})

    async def _chunk(self, call: Call) -> tuple[int, bytes]:
        if call.content_type == "application/json":
            body = json_body(call, APPEND)
            return body["segment_index"], _from_base64(body["media"])
        fields, chunk = await _multipart(call, {"segment_index"})
        text = fields.get("segment_index", "")
        if not text.isascii() or not text.isdigit() or int(text) > 999:
            raise invalid("SegmentIndex must be between 0 and 999.", {"segment_index": [text]})
        return int(text), chunk

    async def finalize(self, call: Call) -> Response:
        person = enter(call, self._limiter, "POST /2/media/upload/:id/finalize", "media.write")
        media = self._find(call, person, call.params["id"])
        if media.status == "uploading":
            self._assemble(call, media)
        return JSONResponse({"data": _described(call, media)})

    def _assemble(self, call: Call, media: Media) -> None:
        indexes = sorted(media.segments)
        size = sum(part.size for part in media.segments.values())
        if indexes != list(range(len(indexes))) or size != media.total_bytes:
            raise invalid("Segments do not add up to provided total file size.", {"id": [media.id]})
        data = Spool()
        for index in indexes:
            data.extend(media.segments.pop(index))
        self._keep(call, media, data)

    def _keep(self, call: Call, media: Media, data: Spool) -> None:
        is_image = _kind(media.mime_type) == "image"
        found = files.sniff(data.read(0, 64))
        is_readable = (_kind(found) or "image") == _kind(media.mime_type) and found
        if is_image and not is_readable:
            raise invalid("media type unrecognized.", {"id": [media.id]})
        call.state.library.store(media, data)
        media.status = "ready" if is_image else ("pending" if is_readable else "failing")
        call.accepted = media.id

    async def status(self, call: Call) -> Response:
        person = enter(call, self._limiter, "GET /2/media/upload", "media.write")
        check_query(call, {"media_id": None, "command": frozenset({"STATUS"})})
        media = self._find(call, person, call.query.get("media_id", ""))
        if media.status == "uploading":
            raise invalid("The upload is not finalized.", {"media_id": [media.id]})
        following = {"pending": "in_progress", "in_progress": "ready", "failing": "failed"}
        media.status = following.get(media.status, media.status)
        return JSONResponse({"data": _described(call, media)})

    async def upload(self, call: Call) -> Response:
        """One-shot upload of an image."""
        person = enter(call, self._limiter, "POST /2/media/upload", "media.write")
        fields, data = await _multipart(call, {"media_category", "additional_owners", "media_type"})
        category = fields.get("media_category", "")
        if category not in ("tweet_image", "dm_image", "subtitles"):
            raise invalid(
                "$.media_category: does not have a value in the enumeration", {"media_category": [category]}
            )
        mime = files.sniff(data) or "image/jpeg"
        media = self._announce(
            call, person, {"media_type": mime, "total_bytes": len(data), "media_category": category}
        )
        self._keep(call, media, Spool(data))
        return JSONResponse({"data": _described(call, media)})

    async def metadata(self, call: Call) -> Response:
        person = enter(call, self._limiter, "POST /2/media/metadata", "media.write")
        body = json_body(call, METADATA)
        media = self._find(call, person, body["id"])
        metadata = body.get("metadata", {})
        media.alt_text = metadata.get("alt_text", {}).get("text", media.alt_text)
        return JSONResponse({"data": {"id": media.id, "associated_metadata": metadata}})

    def _find(self, call: Call, person: Person, media_id: str) -> Media:
        media = call.state.library.get("x", media_id)
        if (
            media is None
            or person.account_id("x") not in media.owners
            or media.expires_at <= call.state.now()
        ):
            raise RefusedError(404, not_found("media", "id", media_id))
        return media


def attachable(call: Call, person: Person, media_ids: list[str]) -> tuple[Media, ...]:
    """The uploads for a post: each ready and the person's own; at most 4 images, or 1 GIF, or 1 video."""
    found = [call.state.library.get("x", media_id) for media_id in media_ids]
    account = person.account_id("x")
    usable = [
        m for m in found
        if m and m.status == "ready" and account in m.owners and m.expires_at > call.state.now()
        and m.category in ("tweet_image", "tweet_gif", "tweet_video", "amplify_video")
    ]  # fmt: skip
    if len(usable) != len(media_ids) or len(set(media_ids)) != len(media_ids):
        raise invalid("Your media IDs are invalid.", {"media.media_ids": media_ids})
    if len(usable) > 1 and any(_kind(m.mime_type) != "image" for m in usable):
        raise invalid(
            "You may attach up to 4 photos, 1 animated GIF or 1 video.", {"media.media_ids": media_ids}
        )
    return tuple(usable)


def _kind(mime: str) -> str:
    if mime == "image/gif":
        return "gif"
    return "image" if mime in _IMAGES else "video" if mime in _VIDEOS else ""


def _default_category(mime: str) -> str:
    return f"tweet_{_kind(mime) or 'image'}"


def media_key(media: Media) -> str:
    prefix = {"image": "3", "gif": "16", "video": "7"}.get(_kind(media.mime_type), "3")
    return f"{prefix}_{media.id}"


def _name(media: Media) -> dict[str, Any]:
    return {"id": media.id, "media_key": media_key(media)}


def _described(call: Call, media: Media) -> dict[str, Any]:
    left = int(media.expires_at - call.state.now())
    data: dict[str, Any] = {**_name(media), "size": media.total_bytes, "expires_after_secs": left}
    if _kind(media.mime_type) == "image":
        width, height = files.image_size(media.data or b"")
        return {**data, "image": {"image_type": media.mime_type, "w": width, "h": height}}
    info: dict[str, Any] = {
        "pending": {"state": "pending", "check_after_secs": 1},
        "failing": {"state": "pending", "check_after_secs": 1},
        "in_progress": {"state": "in_progress", "check_after_secs": 1, "progress_percent": 50},
        "ready": {"state": "succeeded", "progress_percent": 100},
        "failed": {"state": "failed", "progress_percent": 100},
    }[media.status]
    if media.status == "failed":
        info["error"] = {"code": 1, "name": "InvalidMedia", "message": "file is invalid"}
    return {**data, "processing_info": info}


async def _multipart(call: Call, allowed: set[str]) -> tuple[dict[str, str], bytes]:
    """Text fields and the `media` part of a multipart body."""
    if call.content_type != "multipart/form-data":
        raise invalid(
            "Requests with bodies must have content-type of application/json or multipart/form-data."
        )
    try:
        fields = await single_fields(call)
    except ValueError as error:
        raise invalid(str(error)) from error
    form = await call.form()
    part = form.get("media")
    data = await part.read() if isinstance(part, UploadFile) else (fields.pop("media", "") or "").encode()
    if unknown := set(fields) - allowed:
        name = min(unknown)
        text = f"$.{name}: is not defined in the schema and the schema does not allow additional properties"
        raise invalid(text, {f"$.{name}": [fields[name]]})
    if not data:
        raise invalid("$.media: is missing but it is required", {"$.media": []})
    return fields, data


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid("$.media: is not base64", {"$.media": []}) from error
