"""LinkedIn's uploads: images and documents in one PUT, videos in the parts that the service asks for.

"Images API", "Documents API", "Videos API". Reading the state of an image or a document needs more than
`w_member_social`; a video may be polled by whoever uploaded it.
"""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from workers.sandbox import files
from workers.sandbox.limits import Limiter
from workers.sandbox.linkedin_wire import author, bad_input, enter, forbidden, invalid, json_body, not_found
from workers.sandbox.schema import Schema
from workers.sandbox.spool import Spool
from workers.sandbox.state import Media, Person, new_secret
from workers.sandbox.wire import Call, Routes

MAX_PIXELS = 36_152_320  # "Images with less than 36,152,320 pixels"
UPLOAD_SECONDS = 86_400  # life of an upload URL; LinkedIn states it in every answer, not in a document
PART_BYTES = 4_194_304  # "split into 4 MB parts"
MAX_VIDEO = 524_288_000  # bytes
MAX_DOCUMENT = 104_857_600  # bytes; also 300 pages, which the sandbox does not count
_TEXT: Schema = {"type": "string"}
_OWNED: Schema = {
    "type": "object",
    "required": ["owner"],
    "properties": {"owner": _TEXT, "mediaLibraryMetadata": {"type": "object"}},
}


def _request(schema: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["initializeUploadRequest"],
        "properties": {"initializeUploadRequest": schema},
    }


INITIALIZE = _request(_OWNED)
INITIALIZE_VIDEO = _request(
    {
        "type": "object",
        "required": ["owner", "fileSizeBytes"],
        "properties": {
            "owner": _TEXT,
            "fileSizeBytes": {"type": "integer", "minimum": 1, "maximum": MAX_VIDEO},
            "uploadCaptions": {"type": "boolean"},
            "uploadThumbnail": {"type": "boolean"},
            "purpose": _TEXT,
            "templateUrn": _TEXT,
        },
    }
)
FINALIZE: Schema = {
    "type": "object",
    "required": ["finalizeUploadRequest"],
    "properties": {
        "finalizeUploadRequest": {
            "type": "object",
            "required": ["video", "uploadToken", "uploadedPartIds"],
            "properties": {
                "video": _TEXT,
                "uploadToken": _TEXT,
                "uploadedPartIds": {"type": "array", "minItems": 1, "items": _TEXT},
            },
        }
    },
}
_PREFIXES = {"image": "C4E", "document": "D4E", "video": "C5F"}


class LinkedInMedia:
    """The upload endpoints."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        routes.add("POST", "/linkedin/rest/images", self.initialize_image)
        routes.add("GET", "/linkedin/rest/images/{urn}", self.read_image)
        routes.add("POST", "/linkedin/rest/documents", self.initialize_document)
        routes.add("GET", "/linkedin/rest/documents/{urn}", self.read_document)
        routes.add("POST", "/linkedin/rest/videos", self.initialize_video)
        routes.add("GET", "/linkedin/rest/videos/{urn}", self.read_video)
        routes.add("PUT", "/linkedin/dms-uploads/{token}", self.upload)
        routes.add("PUT", "/linkedin/dms-uploads/{token}/{part}", self.upload_part)

    # --- images and documents -------------------------------------------------------------------------------

    async def initialize_image(self, call: Call) -> Response:
        return self._initialize(call, "image")

    async def initialize_document(self, call: Call) -> Response:
        return self._initialize(call, "document")

    def _initialize(self, call: Call, kind: str) -> Response:
        person = enter(call, self._limiter, f"{kind}s", "ACTION", "w_member_social")
        _require_action(call, "initializeUpload")
        body = json_body(call, INITIALIZE)
        media = self._announce(call, person, kind, body["initializeUploadRequest"]["owner"])
        value = {
            "uploadUrlExpiresAt": int(media.expires_at * 1000),
            "uploadUrl": f"{call.base_url}/linkedin/dms-uploads/{media.upload_token}?ca=vector_feedshare",
            kind: media.id,
        }
        return JSONResponse({"value": value})

    def _announce(self, call: Call, person: Person, kind: str, owner: str) -> Media:
        if owner != author(person):
            raise forbidden("/initializeUploadRequest/owner")
        state, now = call.state, call.state.now()
        urn = f"urn:li:{kind}:{_PREFIXES[kind]}{new_secret()[:18]}"
        media = Media(urn, "linkedin", person, now, now + UPLOAD_SECONDS, category=kind)
        media.upload_token = new_secret()
        state.library.add(media)
        return media

    async def upload(self, call: Call) -> Response:
        """The bytes, in one PUT with the member's token ("Images API": the call requires an OAuth token)."""
        person = enter(call, self._limiter, "", "PUT", "w_member_social")
        media = call.state.library.by_upload_token(call.params["token"])
        if media is None or media.person is not person or media.expires_at <= call.state.now():
            return Response("Upload URL is invalid or expired", 403)
        if media.status != "uploading" or media.category == "video":
            return Response("Already uploaded", 400)
        if not call.spool.size:
            return Response("Empty body", 400)
        call.state.library.store(media, call.spool)
        self._process(call, media)
        call.accepted = media.id
        return Response(status_code=201)

    def _process(self, call: Call, media: Media) -> None:
        start = media.file.read(0, 64) if media.file else b""
        media.mime_type = files.sniff(start) or ("application/pdf" if start.startswith(b"%PDF-") else "")
        media.total_bytes = media.file.size if media.file else 0
        is_usable = {"image": _is_image, "document": _is_document, "video": _is_video}[media.category]
        media.status = "processing" if is_usable(media) else "failed"
        media.ready_at = call.state.now() + call.state.media_delay_seconds

    async def read_image(self, call: Call) -> Response:
        return self._read(call, "image")

    async def read_document(self, call: Call) -> Response:
        return self._read(call, "document")

    def _read(self, call: Call, kind: str) -> Response:
        """Needs more than `w_member_social`: "write-only … unable to perform a GET call for rest/images"."""
        person = enter(call, self._limiter, f"{kind}s", "GET")
        if call.token is None or "r_member_social" not in call.token.grant.scopes:
            text = f"Accessing this {kind} resource is forbidden. Please check your permissions for this resource"
            raise invalid(403, "ACCESS_DENIED", text)
        return self._shown(call, person, kind)

    def _shown(self, call: Call, person: Person, kind: str) -> Response:
        media = call.state.library.get("linkedin", call.params["urn"])
        if media is None or media.person is not person or media.category != kind:
            raise not_found(f"{kind}s", call.params["urn"])
        body = {"owner": author(person), "id": media.id, "status": status(call, media)}
        if body["status"] == "AVAILABLE":
            body["downloadUrl"] = f"{call.base_url}/_sandbox/media/{media.sha256}"
        return JSONResponse(body)

    # --- videos ---------------------------------------------------------------------------------------------

    async def initialize_video(self, call: Call) -> Response:
        action = call.query.get("action")
        if action == "finalizeUpload":
            return self._finalize(call)
        person = enter(call, self._limiter, "videos", "ACTION", "w_member_social")
        _require_action(call, "initializeUpload")
        request = json_body(call, INITIALIZE_VIDEO)["initializeUploadRequest"]
        media = self._announce(call, person, "video", request["owner"])
        media.total_bytes = request["fileSizeBytes"]
        media.details = {"upload_token": new_secret(), "etags": {}}
        base = f"{call.base_url}/linkedin/dms-uploads/{media.upload_token}"
        value = {
            "uploadUrlsExpireAt": int(media.expires_at * 1000),
            "video": media.id,
            "uploadInstructions": [
                {"uploadUrl": f"{base}/{index}", "firstByte": first, "lastByte": last}
                for index, (first, last) in enumerate(_ranges(media.total_bytes))
            ],
            "uploadToken": media.details["upload_token"],
        }
        return JSONResponse({"value": value})

    async def upload_part(self, call: Call) -> Response:
        """One part; its address is its permission ("Videos API": no OAuth token is needed)."""
        media = call.state.library.by_upload_token(call.params["token"])
        index = call.params["part"]
        if media is None or not index.isdigit() or media.expires_at <= call.state.now():
            return Response("Upload URL is invalid or expired", 403)
        ranges = _ranges(media.total_bytes)
        if media.status != "uploading" or int(index) >= len(ranges):
            return Response("Already uploaded", 400)
        first, last = ranges[int(index)]
        if call.spool.size != last - first + 1:
            return Response("The part does not have the announced size", 400)
        media.segments[int(index)] = call.spool
        etag = f"/ambry-video/signedId/{new_secret()[:24]}"
        media.details["etags"][int(index)] = etag
        return Response(status_code=200, headers={"etag": etag})

    def _finalize(self, call: Call) -> Response:
        person = enter(call, self._limiter, "videos", "ACTION", "w_member_social")
        request = json_body(call, FINALIZE)["finalizeUploadRequest"]
        media = call.state.library.get("linkedin", request["video"])
        if media is None or media.person is not person or media.category != "video":
            raise not_found("videos", request["video"])
        etags = [media.details["etags"].get(index) for index in range(len(_ranges(media.total_bytes)))]
        if request["uploadToken"] != media.details["upload_token"] or request["uploadedPartIds"] != etags:
            raise bad_input(
                400,
                "INVALID_VALUE_FOR_FIELD",
                "uploadedPartIds are not those of the upload",
                "uploadedPartIds",
            )
        if media.status == "uploading":
            whole = Spool()
            for index in range(len(etags)):
                whole.extend(media.segments.pop(index))
            call.state.library.store(media, whole)
            self._process(call, media)
            call.accepted = media.id
        return Response(status_code=200)

    async def read_video(self, call: Call) -> Response:
        person = enter(call, self._limiter, "videos", "GET", "w_member_social")
        return self._shown(call, person, "video")


def attached(call: Call, person: Person, urn: str, kinds: tuple[str, ...]) -> Media:
    """The upload that a post shows, or the documented refusal."""
    if not any(urn.startswith(f"urn:li:{kind}:") for kind in kinds):
        raise bad_input(400, "INVALID_URN_TYPE", f"{urn} is not a urn:li:{kinds[0]}", "content")
    media = call.state.library.get("linkedin", urn)
    if media is None:
        raise bad_input(400, "INVALID_URN_ID", f"{urn} does not exist", "content")
    if media.person is not person:
        text = "One or more of the assets is not owned by the author. All assets must be owned by the author"
        raise bad_input(400, "INVALID_CONTENT_OWNERSHIP", text, "content")
    if media.status == "uploading":
        raise bad_input(400, "MEDIA_ASSET_WAITING_UPLOAD", "Media asset is waiting upload", "content")
    if media.status == "failed":
        raise bad_input(400, "MEDIA_ASSET_PROCESSING_FAILED", "Media asset failed processing", "content")
    return media


def status(call: Call, media: Media) -> str:
    """The state of an upload, in LinkedIn's word."""
    if media.status == "processing" and media.ready_at <= call.state.now():
        media.status = "ready"
    return {
        "uploading": "WAITING_UPLOAD",
        "processing": "PROCESSING",
        "ready": "AVAILABLE",
        "failed": "PROCESSING_FAILED",
    }[media.status]


def _require_action(call: Call, action: str) -> None:
    if call.query.get("action") != action:
        raise invalid(
            400, "ILLEGAL_ARGUMENT", "Resource method could not be resolved from request parameters."
        )


def _ranges(size: int) -> list[tuple[int, int]]:
    """First and last byte of every part."""
    return [(first, min(first + PART_BYTES, size) - 1) for first in range(0, size, PART_BYTES)]


def _is_image(media: Media) -> bool:
    if media.mime_type not in ("image/jpeg", "image/png", "image/gif") or media.file is None:
        return False
    width, height = files.image_size(media.file.read(0, 65_536))
    return width * height < MAX_PIXELS


def _is_document(media: Media) -> bool:
    return media.mime_type == "application/pdf" and media.total_bytes <= MAX_DOCUMENT


def _is_video(media: Media) -> bool:
    return media.mime_type in ("video/mp4", "video/quicktime")
