"""TikTok's Content Posting API: creator info, direct posts, uploads to the inbox, photos, status and cancelling.

"Query Creator Info", "Direct Post", "Upload", "Photo", "Get Post Status", "Media Transfer Guide", "Content Sharing
Guidelines" (about fifteen posts a day, five people a day for clients that are not audited). Where megabytes may be
decimal or binary, the narrower reading holds.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from starlette.responses import Response

from workers.sandbox import files, tiktok_files
from workers.sandbox.fetch import FetchError, fetch
from workers.sandbox.limits import Limiter
from workers.sandbox.schema import Schema
from workers.sandbox.spool import Spool
from workers.sandbox.state import Draft, Media, Person, new_secret
from workers.sandbox.tiktok_files import publish, settle
from workers.sandbox.tiktok_wire import DAY, MESSAGES, enter, envelope, error, invalid, json_body
from workers.sandbox.wire import Call, Routes

INITS_PER_MINUTE: Final = 6
STATUS_PER_MINUTE: Final = 30
CREATOR_PER_MINUTE: Final = 20
POSTS_PER_DAY: Final = 15
PENDING: Final = 5
UNAUDITED_PEOPLE: Final = 5
UPLOAD_SECONDS: Final = 3_600  # "The upload_url is valid for one hour after issuance"
MIN_CHUNK: Final = 5 * 1_048_576
MAX_CHUNK: Final = 64_000_000
MAX_VIDEO: Final = 4_000_000_000
MAX_PHOTO: Final = 20_000_000
_LEVELS: Final = ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"]
_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 1}

_VIDEO_SOURCE: Final[Schema] = {
    "type": "object",
    "required": ["source"],
    "properties": {
        "source": {"type": "string", "enum": ["FILE_UPLOAD", "PULL_FROM_URL"]},
        "video_url": _TEXT,
        "video_size": _COUNT,
        "chunk_size": _COUNT,
        "total_chunk_count": _COUNT,
    },
}
DIRECT: Final[Schema] = {
    "type": "object",
    "required": ["post_info", "source_info"],
    "properties": {
        "post_info": {
            "type": "object",
            "properties": {
                "privacy_level": {"type": "string", "enum": _LEVELS},
                "title": _TEXT,
                "disable_duet": _FLAG,
                "disable_stitch": _FLAG,
                "disable_comment": _FLAG,
                "video_cover_timestamp_ms": {"type": "integer"},
                "brand_content_toggle": _FLAG,
                "brand_organic_toggle": _FLAG,
                "is_aigc": _FLAG,
            },
        },
        "source_info": _VIDEO_SOURCE,
    },
}
INBOX: Final[Schema] = {
    "type": "object",
    "required": ["source_info"],
    "properties": {"source_info": _VIDEO_SOURCE},
}
CONTENT: Final[Schema] = {
    "type": "object",
    "required": ["media_type", "post_mode", "post_info", "source_info"],
    "properties": {
        "media_type": {"type": "string", "enum": ["PHOTO"]},
        "post_mode": {"type": "string", "enum": ["DIRECT_POST", "MEDIA_UPLOAD"]},
        "post_info": {
            "type": "object",
            "properties": {
                "title": _TEXT,
                "description": _TEXT,
                "privacy_level": {"type": "string", "enum": _LEVELS},
                "disable_comment": _FLAG,
                "auto_add_music": _FLAG,
                "brand_content_toggle": _FLAG,
                "brand_organic_toggle": _FLAG,
                "is_aigc": _FLAG,
            },
        },
        "source_info": {
            "type": "object",
            "required": ["source", "photo_images", "photo_cover_index"],
            "properties": {
                "source": {"type": "string", "enum": ["PULL_FROM_URL"]},
                "photo_images": {"type": "array", "minItems": 1, "maxItems": 35, "items": _TEXT},
                "photo_cover_index": {"type": "integer", "minimum": 0},
            },
        },
    },
}
ONE: Final[Schema] = {
    "type": "object",
    "required": ["publish_id"],
    "properties": {"publish_id": {"type": "string", "maxLength": 64}},
}


class Posting:
    """Handlers of the Content Posting API."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._running: set[asyncio.Task[None]] = set()

    def register(self, routes: Routes) -> None:
        root = "/tiktok/v2/post/publish"
        routes.add("POST", f"{root}/creator_info/query/", self.creator_info)
        routes.add("POST", f"{root}/video/init/", self.direct)
        routes.add("POST", f"{root}/inbox/video/init/", self.inbox)
        routes.add("POST", f"{root}/content/init/", self.content)
        routes.add("POST", f"{root}/status/fetch/", self.status)
        routes.add("POST", f"{root}/cancel/", self.cancel)

    async def creator_info(self, call: Call) -> Response:
        """What the creator may choose now. Being capped is told with status 200, on purpose."""
        person = enter(call, self._limiter, "creator_info", CREATOR_PER_MINUTE, "video.publish")
        if call.content_type != "application/json":
            raise invalid("Content-Type must be application/json")
        if capped := _capped(call, person):
            return envelope({}, capped, MESSAGES[capped])
        is_private = call.state.setting("tiktok", "private", False, person)
        data = {
            "creator_avatar_url": call.avatar_url(person),
            "creator_username": person.handle,
            "creator_nickname": person.name,
            "privacy_level_options": _options(call, person),
            "comment_disabled": call.state.setting("tiktok", "comment_disabled", False, person),
            "duet_disabled": is_private or call.state.setting("tiktok", "duet_disabled", False, person),
            "stitch_disabled": is_private or call.state.setting("tiktok", "stitch_disabled", False, person),
            "max_video_post_duration_sec": call.state.setting("tiktok", "max_video_seconds", 600, person),
        }
        return envelope(data)

    # --- beginning ----------------------------------------------------------------------------------------------

    async def direct(self, call: Call) -> Response:
        person = enter(call, self._limiter, "init", INITS_PER_MINUTE, "video.publish")
        body = json_body(call, DIRECT)
        _check_info(body["post_info"], "title", 2_200)
        _check_publishing(call, person, body["post_info"])
        return self._begin_video(call, person, "direct", body)

    async def inbox(self, call: Call) -> Response:
        person = enter(call, self._limiter, "init", INITS_PER_MINUTE, "video.upload")
        body = json_body(call, INBOX)
        _check_pending(call, person)
        return self._begin_video(call, person, "inbox", {"post_info": {}, **body})

    async def content(self, call: Call) -> Response:
        scopes = ("video.publish", "video.upload")
        person = enter(call, self._limiter, "init", INITS_PER_MINUTE, *scopes)
        body = json_body(call, CONTENT)
        is_direct = body["post_mode"] == "DIRECT_POST"
        if call.token is not None and scopes[not is_direct] not in call.token.grant.scopes:
            raise error(401, "scope_not_authorized")
        _check_info(body["post_info"], "title", 90)
        _check_info(body["post_info"], "description", 4_000)
        urls = body["source_info"]["photo_images"]
        if body["source_info"]["photo_cover_index"] >= len(urls):
            raise invalid("photo_cover_index is out of range")
        if is_direct:
            _check_publishing(call, person, body["post_info"])
        else:
            _check_pending(call, person)
        _check_owned(call, urls)
        draft = _new(call, person, "photo" if is_direct else "photo_inbox", body)
        self._behind(_pull_photos(call, draft, urls))
        return envelope({"publish_id": draft.id})

    def _begin_video(self, call: Call, person: Person, kind: str, body: dict[str, Any]) -> Response:
        source = body["source_info"]
        if source["source"] == "PULL_FROM_URL":
            if "video_url" not in source or set(source) != {"source", "video_url"}:
                raise invalid("PULL_FROM_URL takes video_url and nothing else")
            _check_owned(call, [source["video_url"]])
            draft = _new(call, person, kind, body, "url")
            self._behind(_pull_video(call, draft, source["video_url"]))
            return envelope({"publish_id": draft.id})
        _check_chunks(source)
        draft = _new(call, person, kind, body)
        draft.upload, draft.upload_token = Spool(), new_secret()
        port = call.headers.get("host", "").rpartition(":")[2]
        query = f"upload_id={draft.id.rpartition('.')[2]}&upload_token={draft.upload_token}"
        # Uploads go to a host of their own, which the access token must never reach.
        url = f"{call.scope['scheme']}://localhost:{port}/tiktok/video/?{query}"
        return envelope({"publish_id": draft.id, "upload_url": url})

    def _behind(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # --- what became of it --------------------------------------------------------------------------------------

    async def status(self, call: Call) -> Response:
        person = enter(call, self._limiter, "status", STATUS_PER_MINUTE, "video.publish", "video.upload")
        draft = _own(call, person, json_body(call, ONE))
        settle(call.state, draft)
        return envelope(_described(call, draft))

    async def cancel(self, call: Call) -> Response:
        person = enter(call, self._limiter, "cancel", STATUS_PER_MINUTE, "video.publish", "video.upload")
        draft = _own(call, person, json_body(call, ONE))
        settle(call.state, draft)
        if draft.status != "working" or draft.upload is not None:
            raise error(400, "publish_not_cancellable")
        draft.status, draft.failure = "failed", "publish_cancelled"
        return envelope({})


# --- rules ------------------------------------------------------------------------------------------------------


def _options(call: Call, person: Person) -> list[str]:
    first = "FOLLOWER_OF_CREATOR" if call.state.setting("tiktok", "private", False, person) else _LEVELS[0]
    return [first, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]


def _capped(call: Call, person: Person) -> str:
    """Why the person cannot post now, or an empty string."""
    state, since = call.state, call.state.now() - DAY
    if state.setting("tiktok", "banned", False, person):
        return "spam_risk_user_banned_from_posting"
    posts = [d for d in state.drafts.of("tiktok", person, since) if d.kind in ("direct", "photo")]
    if sum(d.status != "failed" for d in posts) >= state.limits.get("tiktok posts", POSTS_PER_DAY):
        return "spam_risk_too_many_posts"
    active = [p for p in state.people.values() if p is not person and state.drafts.of("tiktok", p, since)]
    cap = state.limits.get("tiktok people", UNAUDITED_PEOPLE)
    is_audited = state.setting("tiktok", "audited", True)
    return "" if is_audited or len(active) < cap else "reached_active_user_cap"


def _check_publishing(call: Call, person: Person, info: dict[str, Any]) -> None:
    if info.get("privacy_level") not in _options(call, person):
        raise error(403, "privacy_level_option_mismatch")
    if capped := _capped(call, person):
        raise error(403, capped)
    if not call.state.setting("tiktok", "audited", True):
        is_private = call.state.setting("tiktok", "private", False, person)
        if not is_private or info["privacy_level"] != "SELF_ONLY":
            raise error(403, "unaudited_client_can_only_post_to_private_accounts")


def _check_pending(call: Call, person: Person) -> None:
    """ "There may be at most 5 pending shares within any 24-hour period"."""
    if call.state.setting("tiktok", "banned", False, person):
        raise error(403, "spam_risk_user_banned_from_posting")
    shares = [
        draft
        for draft in call.state.drafts.of("tiktok", person, call.state.now() - DAY)
        if draft.kind in ("inbox", "photo_inbox") and draft.status not in ("failed", "published")
    ]
    if len(shares) >= call.state.limits.get("tiktok pending", PENDING):
        raise error(403, "spam_risk_too_many_pending_share")


def _check_info(info: dict[str, Any], name: str, most: int) -> None:
    """Lengths count UTF-16 code units."""
    if len(str(info.get(name, "")).encode("utf-16-le")) // 2 > most:
        raise invalid(f"{name} is longer than {most} UTF-16 runes")


def _check_chunks(source: dict[str, Any]) -> None:
    if set(source) != {"source", "video_size", "chunk_size", "total_chunk_count"}:
        raise invalid("FILE_UPLOAD takes video_size, chunk_size and total_chunk_count")
    size, chunk, count = source["video_size"], source["chunk_size"], source["total_chunk_count"]
    if size > MAX_VIDEO:
        raise invalid("The video size is too large")
    is_whole = chunk == size and size <= MAX_CHUNK
    if not is_whole and (size < MIN_CHUNK or not MIN_CHUNK <= chunk <= MAX_CHUNK):
        raise invalid("The chunk size is invalid")
    if count != size // chunk or not 1 <= count <= 1_000:
        raise invalid("The total chunk count is invalid")


def _check_owned(call: Call, urls: list[str]) -> None:
    """Every address lies under a prefix that the application has verified. On loopback `http` serves, too."""
    prefixes = call.state.setting("tiktok", "verified_prefixes", call.state.media_prefixes)
    if not all(any(url.startswith(prefix) for prefix in prefixes) for url in urls):
        raise error(403, "url_ownership_unverified")


def _new(call: Call, person: Person, kind: str, body: dict[str, Any], source: str = "") -> Draft:
    number = call.state.new_id()
    names = {
        "direct": "v_pub_file~v2-1",
        "inbox": "v_inbox_file~v2",
        "photo": "p_pub_url~v2",
        "photo_inbox": "p_inbox_url~v2",
    }
    prefix = names[kind].replace("file", "url") if source else names[kind]
    now = call.state.now()
    draft = Draft(f"{prefix}.{number}", "tiktok", person, now, now + UPLOAD_SECONDS, kind, body)
    draft.failure = call.state.settings.get(("tiktok", person.key), {}).pop("fail_next", "")
    call.state.drafts.add(draft)
    return draft


def _own(call: Call, person: Person, body: dict[str, Any]) -> Draft:
    draft = call.state.drafts.get("tiktok", body["publish_id"])
    if draft is None:
        raise error(400, "invalid_publish_id")
    if draft.person is not person:
        raise error(400, "token_not_authorized_for_specified_publish_id")
    return draft


def _described(call: Call, draft: Draft) -> dict[str, Any]:
    working = "PROCESSING_UPLOAD" if draft.upload is not None else "PROCESSING_DOWNLOAD"
    names = {
        "failed": "FAILED",
        "published": "PUBLISH_COMPLETE",
        "delivered": "SEND_TO_USER_INBOX",
    }
    data: dict[str, Any] = {"status": names.get(draft.status, working), "publicaly_available_post_id": []}
    if draft.status == "failed":
        data["fail_reason"] = draft.failure
    level = draft.params["post_info"].get("privacy_level", "PUBLIC_TO_EVERYONE")
    delay = call.state.setting("tiktok", "moderation_seconds", 0)
    if draft.status == "published" and level == _LEVELS[0] and draft.ready_at + delay <= call.state.now():
        data["publicaly_available_post_id"] = [int(draft.post_id)]
    if draft.upload is not None:
        return {**data, "uploaded_bytes": draft.upload.size}
    return {**data, "downloaded_bytes": sum(m.total_bytes for m in draft.media)}


# --- pulling ----------------------------------------------------------------------------------------------------


async def _pull_video(call: Call, draft: Draft, url: str) -> None:
    try:
        spool = await fetch(url, MAX_VIDEO)
    except FetchError:
        draft.status, draft.failure = "failed", "video_pull_failed"
        return
    if draft.status == "working":  # else it was cancelled meanwhile
        tiktok_files.take_video(call.state, draft, spool)


async def _pull_photos(call: Call, draft: Draft, urls: list[str]) -> None:
    photos: list[Media] = []
    for url in urls:
        try:
            spool = await fetch(url, MAX_PHOTO)
        except FetchError as problem:
            failures = {"too_large": "picture_size_check_failed"}
            draft.status, draft.failure = "failed", failures.get(problem.reason, "photo_pull_failed")
            return
        data = spool.read()
        kind, (width, height) = files.sniff(data), files.image_size(data)
        if kind not in ("image/jpeg", "image/webp"):
            draft.status, draft.failure = "failed", "file_format_check_failed"
            return
        if not 0 < min(width, height) <= 1_080 or max(width, height) > 1_920:  # "Maximum 1080p"
            draft.status, draft.failure = "failed", "picture_size_check_failed"
            return
        photos.append(tiktok_files.keep(call.state, draft, spool, kind, len(photos)))
    if draft.status == "working":
        draft.media = tuple(photos)
        publish(call.state, draft)
