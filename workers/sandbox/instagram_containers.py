"""Instagram's publishing in two steps: containers, their state, and the call that publishes one.

"Content Publishing", "IG User Media", "IG User Media Publish", "IG Container", "Content Publishing Limit". Pictures
are fetched and judged while the call waits, videos behind it. What the documents leave open: a published container
cannot be published again (its builder no longer exists, 2207008), and the cap of 400 containers answers code 9.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from workers.sandbox import files, video
from workers.sandbox.fetch import FetchError, fetch
from workers.sandbox.instagram_wire import (
    PUBLISH,
    enter,
    fields,
    flag,
    graph_error,
    integer,
    invalid,
    media_error,
    no_such_object,
    own_account,
    parameters,
    texts,
)
from workers.sandbox.limits import Limiter
from workers.sandbox.spool import Spool
from workers.sandbox.state import Draft, Media, Person, Post
from workers.sandbox.wire import Call, RefusedError, words

DAY: Final = 86_400
LIFETIME: Final = DAY  # "Containers expire after 24 hours"
CONTAINERS_PER_DAY: Final = 400
POSTS_PER_DAY: Final = 50  # content_publishing_limit says 50, the guide 100: the stricter one
MAX_CAPTION: Final = 2_200
MAX_HASHTAGS: Final = 30
MAX_MENTIONS: Final = 20
MAX_ALT_TEXT: Final = 1_000
MAX_IMAGE: Final = 8 * 1_048_576
MAX_VIDEO: Final = {"REELS": 300_000_000, "VIDEO": 300_000_000, "STORIES": 100_000_000}
SECONDS: Final = {"REELS": 900, "VIDEO": 900, "STORIES": 60}

_PARAMS: Final = words(
    "image_url video_url media_type is_carousel_item children caption collaborators share_to_feed cover_url "
    "thumb_offset alt_text audio_name location_id user_tags trial_params is_ai_generated"
)
_STATES: Final = {"working": "IN_PROGRESS", "ready": "FINISHED", "failed": "ERROR", "published": "PUBLISHED"}
_HASHTAG: Final = re.compile(r"#\w+")
_MENTION: Final = re.compile(r"(?<!\w)@[\w.]+")


class Containers:
    """Handlers of containers, publishing and its limit."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._running: set[asyncio.Task[None]] = set()

    # --- making -----------------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Response:
        params = await parameters(call, _PARAMS)
        person = enter(call, self._limiter, PUBLISH, given=params.get("access_token"))
        own_account(call, person)
        kind = _kind(params)
        _check_text(call, params, kind)
        self._check_cap(call, person)
        draft = self._new(call, person, kind, params)
        if kind == "CAROUSEL":
            draft.media = tuple(m for child in self._children(call, person, params) for m in child.media)
            _finish_later(call, draft)
        elif "image_url" in params:
            await _take_image(call, draft)
        else:
            self._take_video_behind(call, draft)
        call.state.drafts.add(draft)
        return JSONResponse({"id": draft.id})

    def _new(self, call: Call, person: Person, kind: str, params: dict[str, Any]) -> Draft:
        now = call.state.now()
        kept = {name: value for name, value in params.items() if name != "access_token"}
        number = f"178{call.state.new_id()[-14:]}"
        return Draft(number, "instagram", person, now, now + LIFETIME, kind, kept)

    def _check_cap(self, call: Call, person: Person) -> None:
        limit = call.state.limits.get("instagram containers", CONTAINERS_PER_DAY)
        if len(call.state.drafts.of("instagram", person, call.state.now() - DAY)) >= limit:
            raise graph_error(400, 9, "(#9) Application request limit reached")

    def _children(self, call: Call, person: Person, params: dict[str, Any]) -> list[Draft]:
        wanted = texts(params, "children")
        if not 2 <= len(wanted) <= 10 or len(set(wanted)) != len(wanted):
            raise media_error(
                2207028,
                "Your post won't work as a carousel. Carousels need at least 2 photos/videos and no more than "
                "10 photos/videos.",
            )
        return [self._child(call, person, container) for container in wanted]

    def _child(self, call: Call, person: Person, container: str) -> Draft:
        child = call.state.drafts.get("instagram", container)
        if child is None or child.person is not person or not flag(child.params, "is_carousel_item"):
            raise media_error(2207006, f"The media with {container} cannot be found")
        status = _status(call, child)
        if status == "EXPIRED":
            raise media_error(2207020, "The media you are trying to access has expired.")
        if status == "IN_PROGRESS":
            raise media_error(2207027, "The media is not ready for publishing, please wait for a moment")
        if status != "FINISHED":
            raise media_error(2207032, "Create media fail, please try to re-create media")
        return child

    def _take_video_behind(self, call: Call, draft: Draft) -> None:
        offset = integer(draft.params, "thumb_offset")
        if offset is not None and offset < 0:
            raise _bad_offset("0")
        task = asyncio.create_task(_take_video(call, draft))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    # --- state ------------------------------------------------------------------------------------------------

    def is_container(self, call: Call) -> bool:
        """Whether the node that a path names is a container of the token's person."""
        return call.state.drafts.get("instagram", call.params["id"]) is not None

    async def read(self, call: Call) -> Response:
        person = enter(call, self._limiter)
        draft = call.state.drafts.get("instagram", call.params["id"])
        if draft is None or draft.person is not person:
            raise no_such_object(call.params["id"])
        wanted = fields(call, words("id status status_code copyright_check_status"))
        status = _status(call, draft)
        everything: dict[str, Any] = {
            "id": draft.id,
            "status_code": status,
            "status": _explained(status, draft),
            "copyright_check_status": {"status": "completed", "matches_found": False},
        }
        return JSONResponse({name: everything[name] for name in wanted})

    async def limit(self, call: Call) -> Response:
        person = enter(call, self._limiter, PUBLISH)
        own_account(call, person)
        wanted = fields(call, words("config quota_usage"), ("quota_usage",))
        since = integer(dict(call.query), "since")
        start = call.state.now() - DAY
        if since is not None:
            if since < start or since > call.state.now():
                raise invalid("Param since must be within the last 24 hours")
            start = since
        everything = {
            "quota_usage": _published_since(call, person, start),
            "config": {"quota_total": _posts_per_day(call), "quota_duration": DAY},
        }
        data = {name: everything[name] for name in wanted if name in everything}
        return JSONResponse({"data": [data]})

    # --- publishing -------------------------------------------------------------------------------------------

    async def publish(self, call: Call) -> Response:
        params = await parameters(call, frozenset({"creation_id"}))
        person = enter(call, self._limiter, PUBLISH, given=params.get("access_token"))
        own_account(call, person)
        creation = str(params.get("creation_id", ""))
        if not creation:
            raise invalid("The parameter creation_id is required")
        draft = self._publishable(call, person, creation)
        if call.state.setting("instagram", "restricted", False, person):
            raise media_error(2207050, "The Instagram account is restricted.")
        if _published_since(call, person, call.state.now() - DAY) >= _posts_per_day(call):
            text = "You reached maximum number of posts that is allowed to be published by Content Publishing API."
            raise media_error(2207042, text)
        post = _new_post(call, draft)
        call.state.posts.add(post)
        draft.status, draft.post_id = "published", post.id
        call.accepted = post.id
        return JSONResponse({"id": post.id})

    def _publishable(self, call: Call, person: Person, creation: str) -> Draft:
        draft = call.state.drafts.get("instagram", creation)
        gone = f"The media builder with creation id = {creation} does not exist or has been expired."
        if draft is None or draft.person is not person:
            raise media_error(2207008, gone)
        if flag(draft.params, "is_carousel_item"):
            raise invalid("A carousel item cannot be published by itself")
        status = _status(call, draft)
        if status in ("EXPIRED", "PUBLISHED"):
            raise media_error(2207008, gone)
        if status == "ERROR":
            raise media_error(2207032, "Create media fail, please try to re-create media")
        if status != "FINISHED":
            raise media_error(2207027, "The media is not ready for publishing, please wait for a moment")
        return draft


# --- rules ------------------------------------------------------------------------------------------------------


def _kind(params: dict[str, Any]) -> str:
    """What the container will be; checks which parameters may stand together."""
    kind = str(params.get("media_type", "IMAGE"))
    sources = [name for name in ("image_url", "video_url", "children") if name in params]
    if kind == "VIDEO" and not flag(params, "is_carousel_item"):
        text = "The VIDEO value for media_type is no longer supported. Use the REELS media type to publish a video"
        raise graph_error(400, 100, f"(#100) {text}", 2207067)
    allowed = {
        "IMAGE": [["image_url"]],
        "VIDEO": [["video_url"]],
        "REELS": [["video_url"]],
        "STORIES": [["image_url"], ["video_url"]],
        "CAROUSEL": [["children"]],
    }
    if kind not in allowed or params.get("media_type") == "IMAGE":
        raise media_error(2207023, f"The media type {kind} is unknown.")
    if sources not in allowed[kind]:
        raise invalid(f"The parameter {allowed[kind][0][0]} is required")
    if flag(params, "is_carousel_item"):
        if kind not in ("IMAGE", "VIDEO"):
            raise invalid(f"A container of type {kind} cannot be a carousel item")
        for name in ("caption", "location_id", "collaborators", "is_ai_generated"):
            if name in params:
                raise invalid(f"Param {name} is not supported on carousel items")
    _check_only(params, kind)
    return kind


_ONLY: Final = {
    "alt_text": {"IMAGE"},
    "collaborators": {"IMAGE", "REELS", "CAROUSEL"},
    "share_to_feed": {"REELS", "CAROUSEL"},
    "cover_url": {"REELS"},
    "audio_name": {"REELS"},
    "trial_params": {"REELS"},
    "thumb_offset": {"REELS", "VIDEO"},
    "caption": {"IMAGE", "REELS", "CAROUSEL"},
}


def _check_only(params: dict[str, Any], kind: str) -> None:
    for name, kinds in _ONLY.items():
        if name in params and kind not in kinds:
            raise invalid(f"Param {name} is not supported for this media type")
    for name in ("share_to_feed", "is_ai_generated"):
        flag(params, name)


def _check_text(call: Call, params: dict[str, Any], kind: str) -> None:
    caption = str(params.get("caption", ""))
    hashtags = call.state.limits.get("instagram hashtags", MAX_HASHTAGS)
    if len(caption) > MAX_CAPTION or len(_HASHTAG.findall(caption)) > hashtags:
        raise media_error(
            2207010,
            f"The submitted image's caption was {len(caption)} characters long. The maximum number of characters "
            f"permitted for a caption is {MAX_CAPTION}. Please submit media with a shorter caption.",
        )
    if len(_MENTION.findall(caption)) > MAX_MENTIONS:
        raise media_error(2207040, f"Cannot use more than {MAX_MENTIONS} tags per created media.")
    if len(str(params.get("alt_text", ""))) > MAX_ALT_TEXT:
        raise invalid(f"Param alt_text must be at most {MAX_ALT_TEXT} characters long")
    if len(texts(params, "collaborators")) > 3:
        raise invalid("At most 3 collaborators can be invited")


def _status(call: Call, draft: Draft) -> str:
    if draft.status == "published":
        return "PUBLISHED"
    if draft.expires_at <= call.state.now():
        return "EXPIRED"
    if draft.status == "ready" and draft.ready_at > call.state.now():
        return "IN_PROGRESS"
    return _STATES[draft.status]


def _explained(status: str, draft: Draft) -> str:
    if status == "ERROR":
        return f"Error: Media upload has failed with error code {draft.failure}"
    told = {
        "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
        "IN_PROGRESS": "In Progress: Media is still being processed.",
        "PUBLISHED": "Published: Media has been published.",
    }
    return told.get(status, "Expired: The container was not published within 24 hours.")


def _posts_per_day(call: Call) -> int:
    return call.state.limits.get("instagram posts", POSTS_PER_DAY)


def _published_since(call: Call, person: Person, start: float) -> int:
    return sum(post.created_at >= start for post in call.state.posts.of("instagram", person))


# --- files ------------------------------------------------------------------------------------------------------


def _finish_later(call: Call, draft: Draft) -> None:
    """Ready after the processing time; or failed, where the control API asked for that."""
    wanted = call.state.settings.get(("instagram", draft.person.key), {})
    failure = wanted.pop("fail_next", None)
    draft.status, draft.failure = ("failed", str(failure)) if failure else ("ready", "")
    draft.ready_at = call.state.now() + call.state.media_delay_seconds


def _keep(call: Call, draft: Draft, spool: Spool, mime_type: str) -> Media:
    now = call.state.now()
    media = Media(draft.id, "instagram", draft.person, now, draft.expires_at, mime_type, status="ready")
    media.total_bytes, media.alt_text = spool.size, str(draft.params.get("alt_text", ""))
    call.state.library.add(media)
    call.state.library.store(media, spool)
    return media


async def _take_image(call: Call, draft: Draft) -> None:
    url = str(draft.params["image_url"])
    spool = await _fetched(url, MAX_IMAGE, "8 MiB")
    data = spool.read()
    kind = files.sniff(data)
    if kind != "image/jpeg" or files.is_multi_picture(data):
        shown = "MPO" if kind == "image/jpeg" else kind or "unknown"
        text = f"The image format {shown} is not supported. Supported formats are: JPEG."
        raise media_error(2207005, text)
    width, height = files.image_size(data)
    if draft.kind == "IMAGE" and not (width * 5 >= height * 4 and width * 100 <= height * 191 and height):
        ratio = f"{width / height:.4f}" if height else "unknown"
        raise media_error(
            2207009,
            f"The submitted image with aspect ratio ('{ratio}') cannot be published. Please submit an image with "
            "a valid aspect ratio.",
        )
    draft.media = (_keep(call, draft, spool, kind),)
    _finish_later(call, draft)


async def _fetched(url: str, limit: int, shown: str) -> Spool:
    try:
        return await fetch(url, limit)
    except FetchError as error:
        if error.reason == "too_large":
            text = f"The image is too large to download. It should be less than {shown}."
            raise media_error(2207004, text) from error
        if error.reason == "timeout":
            raise media_error(2207003, "It takes too long to download the media.") from error
        raise media_error(2207052, f"The media could not be fetched from this uri: {url}") from error


async def _take_video(call: Call, draft: Draft) -> None:
    """Fetches and judges a video; whatever is wrong shows in the container's state."""
    try:
        spool = await fetch(str(draft.params["video_url"]), MAX_VIDEO[draft.kind])
        await _check_cover(draft)
    except FetchError as error:
        failures = {"too_large": "2207026", "timeout": "2207003", "unreachable": "2207052"}
        draft.status, draft.failure = "failed", failures[error.reason]
        return
    except RefusedError:
        draft.status, draft.failure = "failed", "2207052"
        return
    kind = files.sniff(spool.read(0, 64))
    facts = video.read(spool) if kind in ("video/mp4", "video/quicktime") else None
    draft.failure = _video_failure(draft, facts)
    if draft.failure:
        draft.status = "failed"
        return
    draft.media = (_keep(call, draft, spool, kind),)
    _finish_later(call, draft)


async def _check_cover(draft: Draft) -> None:
    if "cover_url" in draft.params:
        cover = await _fetched(str(draft.params["cover_url"]), MAX_IMAGE, "8 MiB")
        if files.sniff(cover.read(0, 64)) != "image/jpeg":
            raise media_error(2207005, "The cover's format is not supported. Supported formats are: JPEG.")


def _video_failure(draft: Draft, facts: video.Video | None) -> str:
    """The subcode of what is wrong with a video, or an empty string."""
    if facts is None:
        return "2207026"
    is_wrong = (
        not 3_000 <= facts.duration_ms <= SECONDS[draft.kind] * 1000
        or facts.width > 1_920
        or not 0.01 <= facts.width / max(1, facts.height) <= 10
        or not 23 <= facts.fps <= 60
    )
    offset = integer(draft.params, "thumb_offset") or 0
    return "2207026" if is_wrong else "2207057" if offset >= facts.duration_ms else ""


def _bad_offset(shown: str) -> RefusedError:
    text = f"Thumbnail offset must be greater than or equal to 0 and less than video duration, i.e. {shown}"
    return media_error(2207057, text)


_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def shortcode(media_id: str) -> str:
    """The id as it stands in links: base 64."""
    number, text = int(media_id), ""
    while number:
        number, digit = divmod(number, 64)
        text = _ALPHABET[digit] + text
    return text


def _new_post(call: Call, draft: Draft) -> Post:
    media_id = f"179{call.state.new_id()[-14:]}"
    caption = str(draft.params.get("caption", ""))
    place = {"REELS": "reel", "STORIES": f"stories/{draft.person.handle}"}.get(draft.kind, "p")
    url = f"https://www.instagram.com/{place}/{shortcode(media_id)}/"
    extra = {"kind": draft.kind, "params": draft.params, "container": draft.id}
    now = call.state.now()
    return Post(media_id, "instagram", draft.person, now, caption, caption, url, draft.media, extra)
