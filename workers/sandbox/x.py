"""X API v2: posts and users, as the documents of the platform state them.

"Manage Posts", "Response Codes & Errors", "Counting Characters", "Timelines" and X's OpenAPI document.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from workers.sandbox import x_text
from workers.sandbox.limits import Limiter
from workers.sandbox.schema import Schema
from workers.sandbox.state import Person, Post
from workers.sandbox.wire import Call, RefusedError, Routes, words
from workers.sandbox.x_media import XMedia, attachable, media_key
from workers.sandbox.x_wire import (
    check_query,
    enter,
    forbidden,
    integer,
    invalid,
    json_body,
    not_found,
    rate_limited,
)

DUPLICATE_SECONDS = 86_400  # X states no window; one day
_ID: Schema = {"type": "string", "pattern": "^[0-9]{1,19}$"}
_REPLY_SETTINGS = ["following", "mentionedUsers", "subscribers", "verified"]
_BOOLEANS = (
    "for_super_followers_only",
    "made_with_ai",
    "nullcast",
    "paid_partnership",
    "share_with_followers",
)

CREATE: Schema = {
    "type": "object",
    "properties": {
        **{name: {"type": "boolean"} for name in _BOOLEANS},
        "card_uri": {"type": "string"},
        "community_id": _ID,
        "direct_message_deep_link": {"type": "string"},
        "edit_options": {
            "type": "object",
            "required": ["previous_post_id"],
            "properties": {"previous_post_id": _ID},
        },
        "geo": {"type": "object", "required": ["place_id"], "properties": {"place_id": {"type": "string"}}},
        "media": {
            "type": "object",
            "required": ["media_ids"],
            "properties": {
                "media_ids": {"type": "array", "minItems": 1, "maxItems": 4, "items": _ID},
                "tagged_user_ids": {"type": "array", "maxItems": 10, "items": _ID},
                "preview_media_id": _ID,
                "title": {"type": "string"},
                "description": {"type": "string"},
                "embeddable": {"type": "boolean"},
                "call_to_actions": {"type": "object"},
            },
        },
        "poll": {
            "type": "object",
            "required": ["options", "duration_minutes"],
            "properties": {
                "duration_minutes": {"type": "integer", "minimum": 5, "maximum": 10_080},
                "options": {
                    "type": "array",
                    "minItems": 2,
                    "maxItems": 4,
                    "items": {"type": "string", "minLength": 1, "maxLength": 25},
                },
                "reply_settings": {"type": "string", "enum": _REPLY_SETTINGS},
            },
        },
        "quote_tweet_id": _ID,
        "reply": {
            "type": "object",
            "required": ["in_reply_to_tweet_id"],
            "properties": {
                "in_reply_to_tweet_id": _ID,
                "auto_populate_reply_metadata": {"type": "boolean"},
                "exclude_reply_user_ids": {"type": "array", "items": {"type": "string"}},
            },
        },
        "reply_settings": {"type": "string", "enum": _REPLY_SETTINGS},
        "text": {"type": "string"},
    },
}
_EXCLUSIVE = ("card_uri", "direct_message_deep_link", "media", "poll", "quote_tweet_id")

_POST_FIELDS = words(
    "article attachments author_id card_uri community_id context_annotations conversation_id created_at "
    "display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang "
    "media_metadata non_public_metrics note_tweet organic_metrics paid_partnership possibly_sensitive "
    "promoted_metrics public_metrics referenced_tweets reply_settings scopes source text withheld "
    "edit_history_post_ids referenced_posts note_post"
)
_USER_FIELDS = words(
    "affiliation confirmed_email connection_status created_at description entities id "
    "is_identity_verified location most_recent_tweet_id name parody pinned_tweet_id profile_banner_url "
    "profile_image_url protected public_metrics receives_your_dm subscription subscription_type url "
    "username verified verified_followers_count verified_type withheld"
)
_MEDIA_FIELDS = words(
    "alt_text duration_ms height media_key non_public_metrics organic_metrics preview_image_url "
    "promoted_metrics public_metrics type url variants width"
)
_EXPANSIONS = words(
    "article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet "
    "attachments.poll_ids author_id edit_history_tweet_ids edit_history_post_ids "
    "entities.mentions.username geo.place_id in_reply_to_user_id entities.note.mentions.username "
    "referenced_tweets.id referenced_tweets.id.author_id referenced_posts username"
)
_READ_QUERY: dict[str, frozenset[str] | None] = {
    "tweet.fields": _POST_FIELDS,
    "post.fields": _POST_FIELDS,
    "user.fields": _USER_FIELDS,
    "media.fields": _MEDIA_FIELDS,
    "expansions": _EXPANSIONS,
    "poll.fields": None,
    "place.fields": None,
}
_TIMELINE_QUERY: dict[str, frozenset[str] | None] = {
    **_READ_QUERY,
    "max_results": None,
    "pagination_token": None,
    "start_time": None,
    "end_time": None,
    "since_id": None,
    "until_id": None,
    "exclude": frozenset({"replies", "retweets"}),
}
_MEDIA_TYPES = {
    "tweet_image": "photo",
    "tweet_gif": "animated_gif",
    "tweet_video": "video",
    "amplify_video": "video",
}
_METRICS = ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count")


class X:
    """Handlers of the API at the root `/x`."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._media = XMedia(limiter)

    def register(self, routes: Routes) -> None:
        routes.add("POST", "/x/2/tweets", self.create)
        routes.add("GET", "/x/2/tweets", self.lookup)
        routes.add("GET", "/x/2/tweets/{id}", self.read)
        routes.add("DELETE", "/x/2/tweets/{id}", self.delete)
        routes.add("GET", "/x/2/users/me", self.me)
        routes.add("GET", "/x/2/users/{id}/tweets", self.timeline)
        self._media.register(routes)

    def rate_limited(self, call: Call) -> Response:
        return rate_limited(call.state.now() + 900)

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return JSONResponse(
            {"title": "Not Found", "type": "about:blank", "status": 404, "detail": "Not Found"}, 404
        )

    async def create(self, call: Call) -> Response:
        person = enter(call, self._limiter, "POST /2/tweets", "tweet.read", "tweet.write", "users.read")
        body = json_body(call, CREATE)
        _check_combination(body)
        text = body.get("text", "")
        media = attachable(call, person, body["media"]["media_ids"]) if "media" in body else ()
        _check_text(person, text)
        answered = self._check_reply(call, person, body)
        post_id = call.state.new_id()
        since = call.state.now() - DUPLICATE_SECONDS
        if text and call.state.posts.duplicate("x", person, text, since):
            raise forbidden("You are not allowed to create a Tweet with duplicate content.")
        shown, entities = x_text.shown_text(text, post_id, [media_key(m) for m in media])
        extra = {"entities": entities, "options": body, **_thread(post_id, answered)}
        url = f"https://x.com/{person.handle}/status/{post_id}"
        post = Post(
            post_id, "x", person, call.state.now(), shown, text, url, media, extra, duplicate_key=text
        )
        call.state.posts.add(post)
        call.accepted = post_id
        data = {"id": post_id, "text": shown, "edit_history_tweet_ids": [post_id]}
        return JSONResponse({"data": data}, 201)

    def _check_reply(self, call: Call, person: Person, body: dict[str, Any]) -> Post | None:
        """Replies go to oneself or to an author who mentioned this person ("Manage Posts", restrictions)."""
        if "reply" not in body:
            return None
        answered = call.state.posts.get("x", body["reply"]["in_reply_to_tweet_id"])
        if answered is None:
            raise forbidden("You attempted to reply to a Tweet that is deleted or not visible to you.")
        is_summoned = person.handle.lower() in x_text.mentions(answered.sent_text)
        if answered.person is not person and not is_summoned:
            raise forbidden(
                "Reply to this conversation is not allowed because you have not been mentioned or otherwise "
                "engaged by the author of the post you are replying to."
            )
        return answered

    async def delete(self, call: Call) -> Response:
        person = enter(call, self._limiter, "DELETE /2/tweets/:id", "tweet.read", "tweet.write", "users.read")
        post = call.state.posts.get("x", call.params["id"])
        if post is None:
            raise RefusedError(404, not_found("tweet", "id", call.params["id"]))
        if post.person is not person:
            raise forbidden("You are not authorized to delete this Tweet.")
        post.deleted = True
        call.accepted = post.id
        return JSONResponse({"data": {"deleted": True}})

    async def me(self, call: Call) -> Response:
        person = enter(call, self._limiter, "GET /2/users/me", "tweet.read", "users.read")
        allowed = {"user.fields": _USER_FIELDS, "expansions": None, "tweet.fields": _POST_FIELDS}
        check_query(call, {**allowed, "post.fields": _POST_FIELDS})
        return JSONResponse({"data": _user(call, person, _listed(call, "user.fields"))})

    async def read(self, call: Call) -> Response:
        enter(call, self._limiter, "GET /2/tweets/:id", "tweet.read", "users.read")
        check_query(call, _READ_QUERY)
        post = call.state.posts.get("x", call.params["id"])
        if post is None:
            return JSONResponse({"errors": [not_found("tweet", "id", call.params["id"])]})
        return JSONResponse(_answer(call, [post], {"data": _post(call, post)}))

    async def lookup(self, call: Call) -> Response:
        enter(call, self._limiter, "GET /2/tweets", "tweet.read", "users.read")
        check_query(call, {**_READ_QUERY, "ids": None})
        ids = [i for i in call.query.get("ids", "").split(",") if i]
        if not 1 <= len(ids) <= 100 or not all(i.isascii() and i.isdigit() and len(i) < 20 for i in ids):
            raise invalid(
                "The `ids` query parameter must hold 1 to 100 Post ids", {"ids": [call.query.get("ids", "")]}
            )
        found = [p for i in ids if (p := call.state.posts.get("x", i))]
        missing = [not_found("tweet", "ids", i) for i in ids if call.state.posts.get("x", i) is None]
        body: dict[str, Any] = {"data": [_post(call, p) for p in found]} if found else {}
        return JSONResponse(_answer(call, found, {**body, **({"errors": missing} if missing else {})}))

    async def timeline(self, call: Call) -> Response:
        enter(call, self._limiter, "GET /2/users/:id/tweets", "tweet.read", "users.read")
        check_query(call, _TIMELINE_QUERY)
        size = integer(call, "max_results", 10, 5, 100)
        author = call.state.person_by_account("x", call.params["id"])
        if author is None:
            return JSONResponse({"errors": [not_found("user", "id", call.params["id"])]})
        posts = [p for p in call.state.posts.of("x", author) if _is_wanted(call, p)]
        start = _page_start(call, posts)
        page = posts[start : start + size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0].id, "oldest_id": page[-1].id}
        if start + size < len(posts):
            meta["next_token"] = f"7140w{page[-1].id}"
        if start:
            meta["previous_token"] = f"77qpw{page[0].id if page else ''}"
        data = {"data": [_post(call, p) for p in page]} if page else {}
        return JSONResponse({**_answer(call, page, data), "meta": meta})


def _thread(post_id: str, answered: Post | None) -> dict[str, str]:
    if answered is None:
        return {"reply_to": "", "conversation": post_id}
    author = answered.person.account_id("x")
    return {
        "reply_to": answered.id,
        "reply_to_author": author,
        "conversation": answered.extra["conversation"],
    }


def _check_combination(body: dict[str, Any]) -> None:
    together = [name for name in _EXCLUSIVE if name in body]
    if len(together) > 1:
        raise invalid(f"{' and '.join(together)} are mutually exclusive", {name: [] for name in together})
    if not body.get("text") and not together:
        raise invalid("You must supply text or media.", {"text": [body.get("text", "")]})


def _check_text(person: Person, text: str) -> None:
    """Too long a text has no error of its own: clients report this 403."""
    limit = x_text.MAX_WEIGHT_PREMIUM if person.x_premium else x_text.MAX_WEIGHT
    if x_text.weighted_length(text) > limit:
        raise forbidden("You are not permitted to perform this action.")
    if x_text.count_cashtags(text) > 1:
        raise forbidden("Posts created via the API are limited to a maximum of one cashtag.")


def _listed(call: Call, *names: str) -> frozenset[str]:
    return frozenset(item for name in names for item in call.query.get(name, "").split(",") if item)


def _is_wanted(call: Call, post: Post) -> bool:
    query = call.query
    start, end = _instant(call, "start_time"), _instant(call, "end_time")
    return (
        (start is None or post.created_at >= start)
        and (end is None or post.created_at < end)
        and ("since_id" not in query or int(post.id) > _id(call, "since_id"))
        and ("until_id" not in query or int(post.id) < _id(call, "until_id"))
        and not ("replies" in _listed(call, "exclude") and post.extra["reply_to"])
    )


def _instant(call: Call, name: str) -> float | None:
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC).timestamp()
    except ValueError as error:
        raise invalid(
            f"The `{name}` query parameter value [{text}] is not an RFC3339 date-time", {name: [text]}
        ) from error


def _id(call: Call, name: str) -> int:
    text = call.query[name]
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise invalid(f"The `{name}` query parameter value [{text}] is not valid", {name: [text]})
    return int(text)


def _page_start(call: Call, posts: list[Post]) -> int:
    token = call.query.get("pagination_token")
    if token is None:
        return 0
    mark = token[5:]
    if token[:5] not in ("7140w", "77qpw") or not mark.isdigit():
        raise invalid(
            f"The `pagination_token` query parameter value [{token}] is not valid",
            {"pagination_token": [token]},
        )
    if token[:5] == "7140w":
        return sum(int(p.id) >= int(mark) for p in posts)
    newer = sum(int(p.id) > int(mark) for p in posts)
    return max(0, newer - integer(call, "max_results", 10, 5, 100))


def _post(call: Call, post: Post) -> dict[str, Any]:
    old, new = _listed(call, "tweet.fields"), _listed(call, "post.fields")
    wanted = old | new
    everything: dict[str, Any] = {
        "author_id": post.person.account_id("x"),
        "conversation_id": post.extra["conversation"],
        "created_at": _timestamp(post.created_at),
        "entities": post.extra["entities"],
        "lang": "en",
        "possibly_sensitive": False,
        "public_metrics": _metrics(post, bool(new)),
        "reply_settings": "everyone",
        "paid_partnership": bool(post.extra["options"].get("paid_partnership")),
        "edit_controls": {"edits_remaining": 5, "is_edit_eligible": False},
    }
    if post.extra["reply_to"]:
        everything["in_reply_to_user_id"] = post.extra["reply_to_author"]
        everything["referenced_tweets"] = [{"type": "replied_to", "id": post.extra["reply_to"]}]
    if post.media:
        everything["attachments"] = {"media_keys": [media_key(m) for m in post.media]}
    if len(post.text) > x_text.MAX_WEIGHT and x_text.weighted_length(post.sent_text) > x_text.MAX_WEIGHT:
        everything |= _note(post, everything["entities"])
    history = "edit_history_post_ids" if new else "edit_history_tweet_ids"
    basic = {"id": post.id, "text": everything.get("text", post.text), history: [post.id]}
    return {
        **basic,
        **{
            name: everything[name] for name in sorted(wanted) if name in everything and everything[name] != {}
        },
    }


def _note(post: Post, entities: dict[str, Any]) -> dict[str, Any]:
    """A long post: `text` holds its beginning, `note_tweet` all of it (data dictionary, "note_tweet")."""
    end = x_text.MAX_WEIGHT - 1
    kept = {name: [i for i in items if i["end"] <= end] for name, items in entities.items()}
    note = {"text": post.text, "entities": entities}
    return {"text": post.text[:end] + "…", "entities": kept, "note_tweet": note, "note_post": note}


def _metrics(post: Post, is_new_naming: bool) -> dict[str, int]:
    """X's OpenAPI document says `repost_count` under `post.fields`; `tweet.fields` keeps `retweet_count`."""
    counts = {name: post.metrics.get(name, 0) for name in _METRICS}
    if is_new_naming:
        counts["repost_count"] = counts.pop("retweet_count")
    return counts


def _answer(call: Call, posts: list[Post], body: dict[str, Any]) -> dict[str, Any]:
    expansions = _listed(call, "expansions")
    includes: dict[str, Any] = {}
    if "author_id" in expansions and posts:
        people = {p.person.key: p.person for p in posts}
        includes["users"] = [_user(call, p, _listed(call, "user.fields")) for p in people.values()]
    files = [m for p in posts for m in p.media]
    if "attachments.media_keys" in expansions and files:
        wanted = _listed(call, "media.fields")
        includes["media"] = [
            {"media_key": media_key(m), "type": _MEDIA_TYPES[m.category]}
            | ({"alt_text": m.alt_text} if "alt_text" in wanted and m.alt_text else {})
            for m in files
        ]
    return {**body, **({"includes": includes} if includes else {})}


def _user(call: Call, person: Person, wanted: frozenset[str]) -> dict[str, Any]:
    everything: dict[str, Any] = {
        "created_at": "2019-04-01T08:00:00.000Z",
        "description": person.headline,
        "profile_image_url": call.avatar_url(person),
        "protected": False,
        "public_metrics": {
            "followers_count": 1200,
            "following_count": 80,
            "tweet_count": 310,
            "listed_count": 7,
        },
        "verified": person.x_premium,
        "verified_type": "blue" if person.x_premium else "none",
        "subscription_type": "Premium" if person.x_premium else "None",
    }
    basic = {"id": person.account_id("x"), "name": person.name, "username": person.handle}
    return {**basic, **{name: everything[name] for name in sorted(wanted) if name in everything}}


def _timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
