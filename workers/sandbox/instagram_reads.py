"""What can be read of published media of Instagram, and comments under it.

"IG User Media", "IG Media", "IG Media Comments", "Instagram Media Insights". In captions the sign @ is left out, as
the documents say for everybody who has no role in the application.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from workers.sandbox.instagram_containers import shortcode
from workers.sandbox.instagram_wire import (
    COMMENTS,
    INSIGHTS,
    enter,
    fields,
    graph_error,
    integer,
    invalid,
    no_such_object,
    own_account,
    parameters,
)
from workers.sandbox.limits import Limiter
from workers.sandbox.state import Comment, Person, Post
from workers.sandbox.wire import Call, words

_MEDIA: Final = words(
    "id caption media_type media_product_type media_url permalink timestamp username shortcode like_count "
    "comments_count alt_text is_comment_enabled is_shared_to_feed owner thumbnail_url"
)
_COMMENT: Final = words("id text timestamp username like_count hidden")
_METRICS: Final = words(
    "comments follows ig_reels_avg_watch_time ig_reels_video_view_total_time likes profile_activity "
    "profile_visits reach reposts saved shares total_interactions views"
)
_REELS_ONLY: Final = words("ig_reels_avg_watch_time ig_reels_video_view_total_time")
_PAGE: Final = 25
_MOST: Final = 100


class Reads:
    """Handlers of media, comments and insights."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    async def media_list(self, call: Call) -> Response:
        """The account's media, newest first, without stories."""
        person = enter(call, self._limiter)
        own_account(call, person)
        wanted = fields(call, _MEDIA)
        posts = [p for p in call.state.posts.of("instagram", person) if p.extra["kind"] != "STORIES"]
        since, until = (integer(dict(call.query), name) for name in ("since", "until"))
        posts = [
            post
            for post in posts
            if (since is None or post.created_at >= since) and (until is None or post.created_at <= until)
        ]
        after = call.query.get("after")
        if after is not None:
            known = [post.id for post in posts]
            if after not in known:
                raise invalid("Invalid cursors values: after")
            posts = posts[known.index(after) + 1 :]
        size = _page_size(call)
        page = posts[:size]
        body: dict[str, Any] = {"data": [_shown(call, post, wanted) for post in page]}
        if page:
            body["paging"] = {"cursors": {"before": page[0].id, "after": page[-1].id}}
            if len(posts) > size:
                body["paging"]["next"] = f"{call.base_url}{call.path}?after={page[-1].id}"
        return JSONResponse(body)

    async def media(self, call: Call) -> Response:
        person = enter(call, self._limiter)
        post = _own_post(call, person)
        return JSONResponse(_shown(call, post, fields(call, _MEDIA)))

    async def insights(self, call: Call) -> Response:
        person = enter(call, self._limiter, INSIGHTS)
        post = _own_post(call, person)
        names = [name for name in call.query.get("metric", "").split(",") if name]
        if not names or not set(names) <= _METRICS:
            listed = ", ".join(sorted(_METRICS))
            raise graph_error(400, 100, f"(#100) metric[0] must be one of the following values: {listed}")
        if post.extra["kind"] != "REELS" and set(names) & _REELS_ONLY:
            text = "Incompatible metrics with this media: The metric is not available for this media product type"
            raise invalid(text)
        data = [
            {
                "name": name,
                "period": "lifetime",
                "values": [{"value": post.metrics.get(name, 0)}],
                "title": name.replace("_", " ").title(),
                "id": f"{post.id}/insights/{name}/lifetime",
            }
            for name in names
        ]
        return JSONResponse({"data": data})

    async def comment(self, call: Call) -> Response:
        """A comment of the account under its own media."""
        params = await parameters(call, frozenset({"message"}))
        person = enter(call, self._limiter, COMMENTS, given=params.get("access_token"))
        post = _own_post(call, person)
        text = str(params.get("message", ""))
        if not text.strip():
            raise invalid("The parameter message is required")
        comment = Comment(f"180{call.state.new_id()[-14:]}", person, call.state.now(), text)
        post.comments.append(comment)
        call.accepted = comment.id
        return JSONResponse({"id": comment.id})

    async def comments(self, call: Call) -> Response:
        """The comments, newest first, 50 to a page."""
        person = enter(call, self._limiter, COMMENTS)
        post = _own_post(call, person)
        wanted = fields(call, _COMMENT, ("id", "text", "timestamp"))
        newest = list(reversed(post.comments))[:50]
        return JSONResponse({"data": [_shown_comment(comment, wanted) for comment in newest]})


def _own_post(call: Call, person: Person) -> Post:
    post = call.state.posts.get("instagram", call.params["id"])
    if post is None or post.person is not person:
        raise no_such_object(call.params["id"])
    return post


def _page_size(call: Call) -> int:
    size = integer(dict(call.query), "limit")
    if size is not None and size < 1:
        raise invalid("Param limit must be positive")
    return min(size or _PAGE, _MOST)


def _shown(call: Call, post: Post, wanted: tuple[str, ...]) -> dict[str, Any]:
    kind, first = post.extra["kind"], post.media[0] if post.media else None
    is_video = first is not None and first.mime_type.startswith("video/")
    types = {"CAROUSEL": "CAROUSEL_ALBUM"}
    everything: dict[str, Any] = {
        "id": post.id,
        "caption": post.text.replace("@", "") or None,
        "media_type": types.get(kind, "VIDEO" if is_video else "IMAGE"),
        "media_product_type": {"REELS": "REELS", "STORIES": "STORY"}.get(kind, "FEED"),
        "media_url": f"{call.base_url}/_sandbox/media/{first.sha256}" if first else None,
        "permalink": post.url,
        "timestamp": _instant(post.created_at),
        "username": post.person.handle,
        "shortcode": shortcode(post.id),
        "like_count": post.metrics.get("likes", 0),
        "comments_count": len(post.comments),
        "alt_text": post.extra["params"].get("alt_text"),
        "is_comment_enabled": True,
        "is_shared_to_feed": str(post.extra["params"].get("share_to_feed", "true")).lower() == "true",
        "owner": {"id": post.person.account_id("instagram")},
        "thumbnail_url": None,
    }
    return {name: everything[name] for name in wanted if everything[name] is not None}


def _shown_comment(comment: Comment, wanted: tuple[str, ...]) -> dict[str, Any]:
    everything = {
        "id": comment.id,
        "text": comment.text,
        "timestamp": _instant(comment.created_at),
        "username": comment.person.handle,
        "like_count": 0,
        "hidden": False,
    }
    return {name: everything[name] for name in wanted}


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
