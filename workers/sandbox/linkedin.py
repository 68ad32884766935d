"""LinkedIn's versioned REST API: posts, images, social actions, post statistics, and OpenID user info.

"Posts API", "Post API schema", "MultiImage API", "Images API", "little Text Format", "API Rate Limiting",
"Error handling", "Versioning", "Sign In with LinkedIn using OpenID Connect", "Member Post Statistics".
Wording that the documents leave out is what clients report.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from starlette.responses import JSONResponse, Response

from workers.sandbox import files, little_text
from workers.sandbox.limits import Limiter
from workers.sandbox.linkedin_wire import (
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
from workers.sandbox.state import Media, Person, Post, new_secret
from workers.sandbox.wire import Call, RefusedError, Routes

DUPLICATE_SECONDS = 600  # "Wait 10 minutes for the duplicate restriction to expire or modify the content"
MAX_PIXELS = 36_152_320  # "Images with less than 36,152,320 pixels"
MAX_ALT_TEXT = 4_086  # characters
UPLOAD_SECONDS = 86_400  # life of an upload URL; LinkedIn states it in every answer, not in a document
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
INITIALIZE: Schema = {
    "type": "object",
    "required": ["initializeUploadRequest"],
    "properties": {
        "initializeUploadRequest": {
            "type": "object",
            "required": ["owner"],
            "properties": {"owner": _TEXT, "mediaLibraryMetadata": {"type": "object"}},
        }
    },
}
_STATISTICS = ("IMPRESSION", "MEMBERS_REACHED", "RESHARE", "REACTION", "COMMENT")


class LinkedIn:
    """Handlers of the API at the root `/linkedin`."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/linkedin/v2/userinfo", self.userinfo)
        routes.add("POST", "/linkedin/rest/images", self.initialize_image)
        routes.add("GET", "/linkedin/rest/images/{urn}", self.read_image)
        routes.add("PUT", "/linkedin/dms-uploads/{token}", self.upload)
        routes.add("POST", "/linkedin/rest/posts", self.create)
        routes.add("GET", "/linkedin/rest/posts/{urn}", self.read)
        routes.add("DELETE", "/linkedin/rest/posts/{urn}", self.delete)
        routes.add("GET", "/linkedin/rest/socialActions/{urn}", self.social_actions)
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

    async def initialize_image(self, call: Call) -> Response:
        person = enter(call, self._limiter, "images", "ACTION", "w_member_social")
        if call.query.get("action") != "initializeUpload":
            raise invalid(
                400, "ILLEGAL_ARGUMENT", "Resource method could not be resolved from request parameters."
            )
        body = json_body(call, INITIALIZE)
        if body["initializeUploadRequest"]["owner"] != _author(person):
            raise forbidden("/initializeUploadRequest/owner")
        state, now = call.state, call.state.now()
        media = Media(f"urn:li:image:C4E{new_secret()[:18]}", "linkedin", person, now, now + UPLOAD_SECONDS)
        media.upload_token = new_secret()
        state.library.add(media)
        value = {
            "uploadUrlExpiresAt": int(media.expires_at * 1000),
            "uploadUrl": f"{call.base_url}/linkedin/dms-uploads/{media.upload_token}?ca=vector_feedshare",
            "image": media.id,
        }
        return JSONResponse({"value": value})

    async def upload(self, call: Call) -> Response:
        """The bytes, in one PUT with the member's token ("Images API": the call requires an OAuth token)."""
        person = enter(call, self._limiter, "", "PUT", "w_member_social")
        media = call.state.library.by_upload_token(call.params["token"])
        if media is None or media.person is not person or media.expires_at <= call.state.now():
            return Response("Upload URL is invalid or expired", 403)
        if media.status != "uploading":
            return Response("Already uploaded", 400)
        if not call.body:
            return Response("Empty body", 400)
        call.state.library.store(media, call.body)
        media.mime_type, media.total_bytes = files.sniff(call.body), len(call.body)
        width, height = files.image_size(call.body)
        is_image = media.mime_type in ("image/jpeg", "image/png", "image/gif") and width * height < MAX_PIXELS
        media.status = "processing" if is_image else "failed"
        media.ready_at = call.state.now() + call.state.media_delay_seconds
        call.accepted = media.id
        return Response(status_code=201)

    async def read_image(self, call: Call) -> Response:
        """Needs more than `w_member_social`: "write-only … unable to perform a GET call for rest/images"."""
        person = enter(call, self._limiter, "images", "GET")
        if call.token is None or "r_member_social" not in call.token.grant.scopes:
            text = (
                "Accessing this image resource is forbidden. Please check your permissions for this resource"
            )
            raise invalid(403, "ACCESS_DENIED", text)
        media = call.state.library.get("linkedin", call.params["urn"])
        if media is None or media.person is not person:
            raise not_found("images", call.params["urn"])
        body = {"owner": _author(person), "id": media.id, "status": _status(call, media)}
        if body["status"] == "AVAILABLE":
            body["downloadUrl"] = f"{call.base_url}/_sandbox/media/{media.sha256}"
        return JSONResponse(body)

    async def create(self, call: Call) -> Response:
        person = enter(call, self._limiter, "posts", "CREATE", "w_member_social")
        body = json_body(call, CREATE)
        if body["author"] != _author(person):
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
        media = self._media(call, person, body.get("content", {}))
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

    def _media(self, call: Call, person: Person, content: dict[str, Any]) -> tuple[Media, ...]:
        if len(content) > 1:
            raise invalid(422, "", "ERROR :: /content :: union type is invalid: more than one member is set")
        images = content["multiImage"]["images"] if "multiImage" in content else []
        images = [content["media"]] if "media" in content else images
        if thumbnail := content.get("article", {}).get("thumbnail"):
            images = [{"id": thumbnail}]
        return tuple(self._image(call, person, image["id"]) for image in images)

    def _image(self, call: Call, person: Person, urn: str) -> Media:
        if not urn.startswith("urn:li:image:"):
            raise bad_input(400, "INVALID_URN_TYPE", f"{urn} is not a urn:li:image", "content")
        media = call.state.library.get("linkedin", urn)
        if media is None:
            raise bad_input(400, "INVALID_URN_ID", f"{urn} does not exist", "content")
        if media.person is not person:
            text = (
                "One or more of the assets is not owned by the author. All assets must be owned by the author"
            )
            raise bad_input(400, "INVALID_CONTENT_OWNERSHIP", text, "content")
        if media.status == "uploading":
            raise bad_input(400, "MEDIA_ASSET_WAITING_UPLOAD", "Media asset is waiting upload", "content")
        if media.status == "failed":
            raise bad_input(400, "MEDIA_ASSET_PROCESSING_FAILED", "Media asset failed processing", "content")
        return media

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


def _author(person: Person) -> str:
    return f"urn:li:person:{person.account_id('linkedin')}"


def _status(call: Call, media: Media) -> str:
    if media.status == "processing" and media.ready_at <= call.state.now():
        media.status = "ready"
    return {
        "uploading": "WAITING_UPLOAD",
        "processing": "PROCESSING",
        "ready": "AVAILABLE",
        "failed": "PROCESSING_FAILED",
    }[media.status]


def _lifecycle(call: Call, post: Post) -> str:
    """A post whose image is still processing is published later ("Post API schema": PUBLISH_REQUESTED)."""
    statuses = {_status(call, m) for m in post.media}
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
