"""YouTube Data API v3 and OpenID user info; uploads are in `youtube_upload`.

"Channels: list", "Videos: list", "PlaylistItems: list", "Thumbnails: set", "CommentThreads: insert" and
"CommentThreads: list", with the discovery document of the API (revision 20261104). Since 2026-09-14 a
thumbnail may have 50 MB (before: 2 MB); since 2026-11-02 unaudited projects are no longer held to private
videos (see `YouTubeSettings.forced_private`).
"""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from workers.sandbox import files
from workers.sandbox.limits import Limiter
from workers.sandbox.schema import Schema
from workers.sandbox.state import Comment, Media, Person, Post, new_secret
from workers.sandbox.wire import Call, Routes, words
from workers.sandbox.youtube_upload import YouTubeUpload
from workers.sandbox.youtube_video import described, moment, privacy, thumbnails
from workers.sandbox.youtube_wire import (
    authorize,
    check_query,
    enter,
    error,
    json_body,
    page,
    parts,
    rate_limited,
)

MAX_THUMBNAIL = 52_428_800  # bytes
MAX_COMMENT = 10_000  # characters
_TEXT: Schema = {"type": "string"}
_COMMENT: Schema = {
    "type": "object",
    "properties": {
        "snippet": {
            "type": "object",
            "properties": {
                "channelId": _TEXT,
                "videoId": _TEXT,
                "topLevelComment": {
                    "type": "object",
                    "properties": {"snippet": {"type": "object", "properties": {"textOriginal": _TEXT}}},
                },
            },
        }
    },
}


class YouTube:
    """Handlers of the API at the root `/youtube`."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._upload = YouTubeUpload(limiter)

    def register(self, routes: Routes) -> None:
        self._upload.register(routes)
        routes.add("GET", "/youtube/v1/userinfo", self.userinfo)
        routes.add("GET", "/youtube/youtube/v3/channels", self.channels)
        routes.add("GET", "/youtube/youtube/v3/videos", self.videos)
        routes.add("GET", "/youtube/youtube/v3/playlistItems", self.playlist_items)
        routes.add("POST", "/youtube/upload/youtube/v3/thumbnails/set", self.set_thumbnail)
        routes.add("POST", "/youtube/youtube/v3/commentThreads", self.add_comment)
        routes.add("GET", "/youtube/youtube/v3/commentThreads", self.comment_threads)

    def rate_limited(self, call: Call) -> Response:
        return rate_limited(call)

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return JSONResponse(
            {"error": {"code": 404, "message": "Method not found.", "status": "NOT_FOUND"}}, 404
        )

    async def userinfo(self, call: Call) -> Response:
        person = authorize(call)
        if call.token is None or "openid" not in call.token.grant.scopes:
            raise error(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        first, _, last = person.name.partition(" ")
        subject = str(int.from_bytes(person.account_id("youtube").encode()[2:10], "big"))
        return JSONResponse({"sub": subject, "name": person.name, "given_name": first, "family_name": last})

    async def channels(self, call: Call) -> Response:
        person = enter(call, self._limiter, "channels.list")
        known = words("id snippet contentDetails statistics status brandingSettings")
        check_query(call, {"part": known, "mine": words("true"), "maxResults": None, "hl": None})
        if call.query.get("mine") != "true":
            text = "No filter selected. Expected one of: mine"
            raise error(400, "missingRequiredParameter", text, "youtube.parameter")
        whole = {
            "snippet": {
                "title": person.name,
                "description": person.headline,
                "customUrl": f"@{person.handle}",
                "thumbnails": {"default": {"url": call.avatar_url(person), "width": 88, "height": 88}},
            },
            "contentDetails": {"relatedPlaylists": {"likes": "", "uploads": _uploads_id(person)}},
            "statistics": _channel_statistics(call, person),
            "status": {"privacyStatus": "public", "isLinked": True, "longUploadsStatus": "allowed"},
        }
        item = {"kind": "youtube#channel", "id": person.account_id("youtube")}
        return _listing("channel", [item | _only(whole, parts(call))], 1)

    async def videos(self, call: Call) -> Response:
        """Up to 50 videos by id: anybody's public and unlisted ones, and all of one's own."""
        person = enter(call, self._limiter, "videos.list")
        known = words("id snippet status statistics contentDetails processingDetails player")
        check_query(call, {"part": known, "id": None, "hl": None, "maxResults": None})
        ids = [item for item in call.query.get("id", "").split(",") if item]
        if not ids or len(ids) > 50:
            text = "No filter selected. Expected one of: id"
            raise error(400, "missingRequiredParameter", text, "youtube.parameter")
        found = [post for post in (call.state.posts.get("youtube", item) for item in ids) if post is not None]
        shown = [
            post for post in found if post.person is person or privacy(post, call.state.now()) != "private"
        ]
        if "processingDetails" in parts(call) and any(post.person is not person for post in shown):
            raise error(403, "forbidden", "The request is not properly authorized.", "youtube.video")
        return _listing("video", [described(call, post, parts(call)) for post in shown], len(shown))

    async def playlist_items(self, call: Call) -> Response:
        """The playlist of a channel's uploads, newest first; its owner sees the private ones too."""
        person = enter(call, self._limiter, "playlistItems.list")
        known = words("id snippet contentDetails status")
        check_query(call, {"part": known, "playlistId": None, "maxResults": None, "pageToken": None})
        owner = next(
            (p for p in call.state.people.values() if _uploads_id(p) == call.query.get("playlistId")), None
        )
        if owner is None:
            text = "The playlist identified with the request's playlistId parameter cannot be found."
            raise error(404, "playlistNotFound", text, "youtube.playlistItem", location="playlistId")
        uploads = [
            post
            for post in call.state.posts.of("youtube", owner)
            if owner is person or privacy(post, call.state.now()) == "public"
        ]
        first, end = page(call, len(uploads), 50)
        items = [_playlist_item(call, post, parts(call)) for post in uploads[first:end]]
        following = {"nextPageToken": str(end)} if end < len(uploads) else {}
        return _listing("playlistItem", items, len(uploads), **following)

    async def set_thumbnail(self, call: Call) -> Response:
        person = enter(call, self._limiter, "thumbnails.set")
        check_query(call, {"videoId": None, "uploadType": words("media"), "alt": words("json")})
        post = call.state.posts.get("youtube", call.query.get("videoId", ""))
        domain = "youtube.thumbnail"
        if post is None:
            text = "The video that you are trying to set a thumbnail for cannot be found."
            raise error(404, "videoNotFound", text, domain, location="videoId")
        if post.person is not person:
            text = "The thumbnail can't be set for the specified video. The request might not be authorized."
            raise error(403, "forbidden", text, domain)
        if not call.body:
            raise error(400, "mediaBodyRequired", "The request does not include the image content.", domain)
        if len(call.body) > call.state.limits.get("youtube thumbnail bytes", MAX_THUMBNAIL):
            raise error(413, "uploadTooLarge", "Media is too large.")
        if call.content_type not in ("image/jpeg", "image/png", "application/octet-stream"):
            text = f"Media type '{call.content_type}' is not supported."
            raise error(400, "badContent", text)
        mime = files.sniff(call.body)
        if mime not in ("image/jpeg", "image/png"):
            raise error(400, "invalidImage", "The provided image content is invalid.", domain)
        self._spend_thumbnail(call, person)
        self._keep_thumbnail(call, post, mime)
        listed = {"kind": "youtube#thumbnailSetResponse", "items": [thumbnails(post)]}
        return JSONResponse(listed)

    def _spend_thumbnail(self, call: Call, person: Person) -> None:
        """The channel's own limit, whose number YouTube does not publish."""
        if "youtube channel thumbnails" in call.state.limits:
            _, is_within = self._limiter.spend("youtube channel thumbnails", person.key, 0, 86_400)
            if not is_within:
                text = "The channel has uploaded too many thumbnails recently. Please try again later."
                raise error(429, "uploadRateLimitExceeded", text, "youtube.thumbnail")

    def _keep_thumbnail(self, call: Call, post: Post, mime: str) -> None:
        now = call.state.now()
        media = Media(new_secret(), "youtube", post.person, now, now, mime, "thumbnail", len(call.body))
        call.state.library.add(media)
        call.state.library.store(media, call.body)
        post.extra["thumbnail"] = media
        call.accepted = post.id

    async def add_comment(self, call: Call) -> Response:
        person = enter(call, self._limiter, "commentThreads.insert")
        check_query(call, {"part": words("id snippet replies")})
        asked = parts(call)
        snippet = json_body(call, _COMMENT, "comment_thread").get("snippet", {})
        text = snippet.get("topLevelComment", {}).get("snippet", {}).get("textOriginal", "")
        video = self._commentable(call, person, snippet, text)
        comment = Comment(f"Ugx{new_secret()[:23]}", person, call.state.now(), text)
        video.comments.append(comment)
        call.accepted = comment.id
        return JSONResponse(_thread(comment, video, asked))

    def _commentable(self, call: Call, person: Person, snippet: dict[str, Any], text: str) -> Post:
        """The video of a new comment, if it can have one ("CommentThreads: insert", errors)."""
        domain = "youtube.commentThread"
        if not snippet.get("videoId"):
            told = "Each comment thread must be linked to a video."
            raise error(400, "channelOrVideoIdMissing", told, domain)
        if not text.strip():
            raise error(400, "commentTextRequired", "The comment must not be blank.", domain)
        if len(text) > MAX_COMMENT:
            raise error(400, "commentTextTooLong", "The comment contains too many characters.", domain)
        video = call.state.posts.get("youtube", snippet["videoId"])
        if video is None or (privacy(video, call.state.now()) == "private" and video.person is not person):
            raise error(404, "videoNotFound", "The specified video could not be found.", domain)
        if snippet.get("channelId", video.person.account_id("youtube")) != video.person.account_id("youtube"):
            raise error(404, "channelNotFound", "The specified channel could not be found.", domain)
        if (
            video.extra["made_for_kids"] or privacy(video, call.state.now()) == "private"
        ):  # such videos have none
            told = "The video identified by the videoId parameter has disabled comments."
            raise error(403, "commentsDisabled", told, domain)
        return video

    async def comment_threads(self, call: Call) -> Response:
        """Comments on one video, newest first."""
        person = enter(call, self._limiter, "commentThreads.list")
        known = words("id snippet replies")
        check_query(
            call,
            {"part": known, "videoId": None, "maxResults": None, "pageToken": None, "order": words("time"),
             "textFormat": words("plainText html")},
        )  # fmt: skip
        video = call.state.posts.get("youtube", call.query.get("videoId", ""))
        if video is None or (privacy(video, call.state.now()) == "private" and video.person is not person):
            text = "The video identified by the videoId parameter could not be found."
            raise error(404, "videoNotFound", text, "youtube.commentThread", location="videoId")
        found = list(reversed(video.comments))
        first, end = page(call, len(found), 100)
        items = [_thread(comment, video, parts(call)) for comment in found[first:end]]
        following = {"nextPageToken": str(end)} if end < len(found) else {}
        return _listing("commentThread", items, len(items), **following)


def _uploads_id(person: Person) -> str:
    return "UU" + person.account_id("youtube")[2:]


def _only(whole: dict[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    return {name: part for name, part in whole.items() if name in wanted}


def _listing(kind: str, items: list[dict[str, Any]], total: int, **more: str) -> Response:
    info = {"totalResults": total, "resultsPerPage": len(items)}
    return JSONResponse({"kind": f"youtube#{kind}ListResponse", **more, "pageInfo": info, "items": items})


def _channel_statistics(call: Call, person: Person) -> dict[str, Any]:
    videos = call.state.posts.of("youtube", person)
    views = sum(post.metrics.get("viewCount", 0) for post in videos)
    return {
        "viewCount": str(views),
        "subscriberCount": "0",
        "hiddenSubscriberCount": False,
        "videoCount": str(len(videos)),
    }


def _playlist_item(call: Call, post: Post, wanted: frozenset[str]) -> dict[str, Any]:
    whole = {
        "snippet": {
            "publishedAt": moment(post.created_at),
            "channelId": post.person.account_id("youtube"),
            "title": post.extra["title"],
            "description": post.sent_text,
            "playlistId": _uploads_id(post.person),
            "resourceId": {"kind": "youtube#video", "videoId": post.id},
        },
        "contentDetails": {"videoId": post.id, "videoPublishedAt": moment(post.created_at)},
        "status": {"privacyStatus": privacy(post, call.state.now())},
    }
    return {"kind": "youtube#playlistItem", "id": f"UU{post.id}"} | _only(whole, wanted)


def _thread(comment: Comment, video: Post, wanted: frozenset[str]) -> dict[str, Any]:
    shown = {
        "kind": "youtube#comment",
        "id": comment.id,
        "snippet": {
            "channelId": video.person.account_id("youtube"),
            "videoId": video.id,
            "textDisplay": comment.text,
            "textOriginal": comment.text,
            "authorDisplayName": f"@{comment.person.handle}",
            "authorChannelId": {"value": comment.person.account_id("youtube")},
            "likeCount": 0,
            "publishedAt": moment(comment.created_at),
            "updatedAt": moment(comment.created_at),
        },
    }
    snippet = {
        "channelId": video.person.account_id("youtube"),
        "videoId": video.id,
        "topLevelComment": shown,
        "canReply": True,
        "totalReplyCount": 0,
        "isPublic": True,
    }
    return {"kind": "youtube#commentThread", "id": comment.id} | _only({"snippet": snippet}, wanted)
