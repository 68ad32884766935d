"""LinkedIn's versioned REST API: posts, images, social actions, post statistics, and OpenID user info.

"Posts API", "Post API schema", "MultiImage API", "Images API", "little Text Format", "API Rate Limiting",
"Error handling", "Versioning", "Sign In with LinkedIn using OpenID Connect", "Member Post Statistics".
Wording that the documents leave out is what clients report.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response

from workers.sandbox import little_text
from workers.sandbox.limits import Limiter
from workers.sandbox.linkedin_media import LinkedInMedia, attached, status
from workers.sandbox.linkedin_wire import (
    author,
    bad_input,
    enter,
    forbidden,
    invalid,
    json_body,
    not_found,
    throttled,
    userinfo_enter,
)
from workers.sandbox.schema import Schema
from workers.sandbox.state import Comment, Media, Person, Post
from workers.sandbox.wire import Call, RefusedError, Routes

DUPLICATE_SECONDS = 600  # "Wait 10 minutes for the duplicate restriction to expire or modify the content"
MAX_ALT_TEXT = 4_086  # characters
_TEXT: Schema = {"type": "string"}
_IMAGE: Schema = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": _TEXT, "altText": {"type": "string", "maxLength": MAX_ALT_TEXT}, "title": _TEXT},
}

CREATE: Schema = {
    "type": "object",
    "required": ["author", "commentary", "distribution", "lifecycleState", "visibility"],
    "properties": {
        "author": _TEXT,
        "commentary": _TEXT,
        "visibility": {"type": "string", "enum": ["PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"]},
        "lifecycleState": {
            "type": "string",
            "enum": ["DRAFT", "PUBLISHED", "PUBLISH_REQUESTED", "PUBLISH_FAILED"],
        },
        "isReshareDisabledByAuthor": {"type": "boolean"},
        "distribution": {
            "type": "object",
            "required": ["feedDistribution"],
            "properties": {
                "feedDistribution": {"type": "string", "enum": ["MAIN_FEED", "NONE"]},
                "targetEntities": {"type": "array"},
                "thirdPartyDistributionChannels": {"type": "array"},
            },
        },
        "content": {
            "type": "object",
            "properties": {
                "media": _IMAGE,
                "multiImage": {
                    "type": "object",
                    "required": ["images"],
                    "properties": {
                        "images": {"type": "array", "minItems": 2, "maxItems": 20, "items": _IMAGE},
                        "altText": _TEXT,
                    },
                },
                "article": {
                    "type": "object",
                    "required": ["source", "title"],
                    "properties": {"source": _TEXT, "title": _TEXT, "description": _TEXT, "thumbnail": _TEXT},
                },
            },
        },
        "reshareContext": {"type": "object", "required": ["parent"], "properties": {"parent": _TEXT}},
    },
}
COMMENT: Schema = {
    "type": "object",
    "required": ["actor", "message"],
    "properties": {
        "actor": _TEXT,
        "object": _TEXT,
        "message": {
            "type": "object",
            "required": ["text"],
            "properties": {"text": {"type": "string", "maxLength": 1250}, "attributes": {"type": "array"}},
        },
        "parentComment": _TEXT,
    },
}
_STATISTICS = ("IMPRESSION", "MEMBERS_REACHED", "RESHARE", "REACTION", "COMMENT")


class LinkedIn:
    """Handlers of the API at the root `/linkedin`."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._media = LinkedInMedia(limiter)

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/linkedin/v2/userinfo", self.userinfo)
        self._media.register(routes)
        routes.add("POST", "/linkedin/rest/posts", self.create)
        routes.add("GET", "/linkedin/rest/posts/{urn}", self.read)
        routes.add("DELETE", "/linkedin/rest/posts/{urn}", self.delete)
        routes.add("GET", "/linkedin/rest/socialActions/{urn}", self.social_actions)
        routes.add("POST", "/linkedin/rest/socialActions/{urn}/comments", self.comment)
        routes.add("GET", "/linkedin/rest/socialActions/{urn}/comments", self.comments)
        routes.add("GET", "/linkedin/rest/memberCreatorPostAnalytics", self.statistics)

    def rate_limited(self, call: Call) -> Response:
        return throttled().response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        name = unquote(call.path.removeprefix("/linkedin"))
        if is_known:
            body = {"status": 405, "message": f"Method '{call.method}' is not supported for URI '{name}'"}
            return JSONResponse(body, 405)
        return JSONResponse(
            {"status": 404, "code": "RESOURCE_NOT_FOUND", "message": f"No virtual resource found: {name}"},
            404,
        )

    async def userinfo(self, call: Call) -> Response:
        person = userinfo_enter(call)
        first, _, last = person.name.partition(" ")
        return JSONResponse(
            {
                "sub": person.account_id("linkedin"),
                "name": person.name,
                "given_name": first,
                "family_name": last,
                "locale": {"country": "US", "language": "en"},
                "picture": call.avatar_url(person),
            }
        )

    async def create(self, call: Call) -> Response:
        person = enter(call, self._limiter, "posts", "CREATE", "w_member_social")
        body = json_body(call, CREATE)
        if body["author"] != author(person):
            raise forbidden("/author")
        if body["lifecycleState"] != "PUBLISHED":
            raise bad_input(
                400,
                "INVALID_VALUE_FOR_FIELD",
                "PUBLISHED is the only accepted lifecycleState",
                "lifecycleState",
            )
        text = little_text.parse(body["commentary"])
        if len(text.text) > little_text.MAX_LENGTH:
            raise bad_input(
                422, "FIELD_LENGTH_TOO_LONG", "Commentary is longer than 3000 characters", "commentary"
            )
        media = self._attached(call, person, body.get("content", {}))
        post = self._new_post(call, person, body, text, media)
        twin = call.state.posts.duplicate(
            "linkedin", person, post.duplicate_key, call.state.now() - DUPLICATE_SECONDS
        )
        if twin is not None:
            raise _duplicate(twin)
        call.state.posts.add(post)
        call.accepted = post.id
        headers = {"x-restli-id": post.id, "x-linkedin-id": post.id, "location": f"/posts/{post.id}"}
        return Response(status_code=201, headers=headers)

    def _new_post(
        self,
        call: Call,
        person: Person,
        body: dict[str, Any],
        text: little_text.LittleText,
        media: tuple[Media, ...],
    ) -> Post:
        kind = "ugcPost" if len(media) > 1 else "share"
        urn = f"urn:li:{kind}:{call.state.new_id()}"
        content = body.get("content", {})
        article = content.get("article", {}).get("source", "")
        key = "\n".join([text.text, article, *(m.sha256 for m in media)])
        alt_texts = [content.get("media", {}), *content.get("multiImage", {}).get("images", [])]
        for item in alt_texts:
            found = next((m for m in media if m.id == item.get("id")), None)
            if found is not None:
                found.alt_text = item.get("altText", "")
        extra = {
            "body": body,
            "source": text.source,
            "is_cut": text.is_cut,
            "article": content.get("article"),
        }
        url = f"https://www.linkedin.com/feed/update/{urn}/"
        sent = body["commentary"]
        return Post(
            urn, "linkedin", person, call.state.now(), text.text, sent, url, media, extra, duplicate_key=key
        )

    def _attached(self, call: Call, person: Person, content: dict[str, Any]) -> tuple[Media, ...]:
        if len(content) > 1:
            raise invalid(422, "", "ERROR :: /content :: union type is invalid: more than one member is set")
        if "multiImage" in content:
            urns = [image["id"] for image in content["multiImage"]["images"]]
            return tuple(attached(call, person, urn, ("image",)) for urn in urns)
        if "media" in content:
            media = attached(call, person, content["media"]["id"], ("image", "video", "document"))
            if media.category == "document" and not content["media"].get("title"):
                raise bad_input(
                    400, "MISSING_REQUIRED_FIELD_FOR_OPERATION", "title is required", "content/media"
                )
            return (media,)
        thumbnail = content.get("article", {}).get("thumbnail")
        return (attached(call, person, thumbnail, ("image",)),) if thumbnail else ()

    async def read(self, call: Call) -> Response:
        person = enter(call, self._limiter, "posts", "GET", "r_member_social")
        post = self._own_post(call, person, call.params["urn"])
        body = post.extra["body"]
        shown = {
            name: body[name] for name in ("author", "visibility", "distribution", "content") if name in body
        }
        created = int(post.created_at * 1000)
        return JSONResponse(
            {
                **shown,
                "id": post.id,
                "commentary": post.extra["source"],
                "isReshareDisabledByAuthor": body.get("isReshareDisabledByAuthor", False),
                "createdAt": created,
                "publishedAt": created,
                "lastModifiedAt": created,
                "lifecycleState": _lifecycle(call, post),
                "lifecycleStateInfo": {"isEditedByAuthor": False},
            }
        )

    async def delete(self, call: Call) -> Response:
        """Idempotent, also for a post that is already gone ("Posts API")."""
        person = enter(call, self._limiter, "posts", "DELETE", "w_member_social")
        post = call.state.posts.get("linkedin", call.params["urn"])
        if post is not None and post.person is not person:
            raise forbidden("/author")
        if post is not None:
            post.deleted = True
            call.accepted = post.id
        return Response(status_code=204)

    async def social_actions(self, call: Call) -> Response:
        person = enter(call, self._limiter, "socialActionsV2", "GET", "r_member_social")
        post = self._own_post(call, person, call.params["urn"])
        likes, comments = post.metrics.get("REACTION", 0), post.metrics.get("COMMENT", 0)
        return JSONResponse(
            {
                "target": post.id,
                "$URN": post.id,
                "likesSummary": {
                    "selectedLikes": [],
                    "aggregatedTotalLikes": likes,
                    "likedByCurrentUser": False,
                    "totalLikes": likes,
                },
                "commentsSummary": {
                    "selectedComments": [],
                    "totalFirstLevelComments": comments,
                    "commentsState": "OPEN",
                    "aggregatedTotalComments": comments,
                },
            }
        )

    async def comment(self, call: Call) -> Response:
        """A comment of the member ("Comments API"): the text is plain, at most 1,250 characters."""
        person = enter(call, self._limiter, "socialActions.comments", "CREATE", "w_member_social")
        body = json_body(call, COMMENT)
        post = call.state.posts.get("linkedin", call.params["urn"])
        if post is None:
            raise not_found("socialActions", call.params["urn"])
        if body["actor"] != author(person):
            raise forbidden("/actor")
        if body.get("object", post.id) != post.id:
            raise bad_input(400, "INVALID_URN_ID", "object is not the entity of the path", "object")
        made = Comment(call.state.new_id(), person, call.state.now(), body["message"]["text"])
        post.comments.append(made)
        call.accepted = made.id
        return JSONResponse(_shown_comment(post, made), 201, headers={"x-restli-id": made.id})

    async def comments(self, call: Call) -> Response:
        """The comments of a post, oldest first; needs `r_member_social`."""
        person = enter(call, self._limiter, "socialActions.comments", "GET_ALL", "r_member_social")
        post = self._own_post(call, person, call.params["urn"])
        elements = [_shown_comment(post, made) for made in post.comments]
        return JSONResponse({"paging": {"start": 0, "count": 100, "links": []}, "elements": elements})

    async def statistics(self, call: Call) -> Response:
        """One number of one post: `q=entity`, `entity=(share:urn…)`, `queryType=IMPRESSION`…"""
        person = enter(call, self._limiter, "memberCreatorPostAnalytics", "FINDER", "r_member_postAnalytics")
        kind = call.query.get("queryType", "")
        if call.query.get("q") != "entity" or kind not in _STATISTICS:
            raise invalid(
                400, "ILLEGAL_ARGUMENT", "Resource method could not be resolved from request parameters."
            )
        _, _, urn = call.query.get("entity", "").strip("()").partition(":")
        post = self._own_post(call, person, unquote(urn))
        metric = {
            "type": {"com.linkedin.adsexternalapi.memberanalytics.v1.CreatorPostAnalyticsMetricTypeV1": kind}
        }
        element = {"count": post.metrics.get(kind, 0), "metricType": metric["type"]}
        return JSONResponse({"paging": {"start": 0, "count": 10, "links": []}, "elements": [element]})

    def _own_post(self, call: Call, person: Person, urn: str) -> Post:
        post = call.state.posts.get("linkedin", urn)
        if post is None:
            raise not_found("posts", urn)
        if post.person is not person:
            raise forbidden("/author")
        return post


def _shown_comment(post: Post, made: Comment) -> dict[str, Any]:
    return {
        "id": made.id,
        "actor": author(made.person),
        "object": post.id,
        "message": {"attributes": [], "text": made.text},
        "created": {"actor": author(made.person), "time": int(made.created_at * 1000)},
        "commentUrn": f"urn:li:comment:({post.id},{made.id})",
    }


def _lifecycle(call: Call, post: Post) -> str:
    """A post whose image is still processing is published later ("Post API schema": PUBLISH_REQUESTED)."""
    statuses = {status(call, m) for m in post.media}
    return "PUBLISHED" if statuses <= {"AVAILABLE"} else "PUBLISH_REQUESTED"


def _duplicate(twin: Post) -> RefusedError:
    return RefusedError(
        422,
        {
            "errorDetailType": "com.linkedin.common.error.BadRequest",
            "message": "com.linkedin.content.common.exception.BadRequestResponseException: "
            f"Content is a duplicate of {twin.id}",
            "errorDetails": {
                "inputErrors": [
                    {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}
                ]
            },
            "status": 422,
        },
    )
