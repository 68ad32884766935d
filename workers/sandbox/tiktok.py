"""TikTok API v2: the account of the person ("Get User Info"), and where the rest of the API is."""

from __future__ import annotations

from starlette.responses import Response

from workers.sandbox.limits import Limiter
from workers.sandbox.oauth import find_bearer
from workers.sandbox.tiktok_files import Uploads
from workers.sandbox.tiktok_posting import Posting
from workers.sandbox.tiktok_wire import envelope, error
from workers.sandbox.wire import Call, Routes

_SCOPE_OF_FIELD = {
    "open_id": "user.info.basic",
    "union_id": "user.info.basic",
    "avatar_url": "user.info.basic",
    "display_name": "user.info.basic",
    "username": "user.info.profile",
    "bio_description": "user.info.profile",
    "is_verified": "user.info.profile",
    "follower_count": "user.info.stats",
    "video_count": "user.info.stats",
}


class TikTok:
    """Handlers of the API at the root `/tiktok`."""

    def __init__(self, limiter: Limiter) -> None:
        self._posting = Posting(limiter)
        self._uploads = Uploads()

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/tiktok/v2/user/info/", self.user)
        self._posting.register(routes)
        self._uploads.register(routes)

    def rate_limited(self, call: Call) -> Response:
        return error(429, "rate_limit_exceeded").response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return error(404, "invalid_params", "Unsupported path").response()

    async def user(self, call: Call) -> Response:
        token = find_bearer(call, "tiktok")
        if isinstance(token, str):
            raise error(401, "access_token_invalid")
        wanted = [name for name in call.query.get("fields", "").split(",") if name]
        if not wanted or any(name not in _SCOPE_OF_FIELD for name in wanted):
            raise error(400, "invalid_params", "Fields is required and must be valid.")
        if any(_SCOPE_OF_FIELD[name] not in token.grant.scopes for name in wanted):
            raise error(401, "scope_not_authorized")
        person = token.grant.person
        account = person.account_id("tiktok")
        everything: dict[str, object] = {
            "open_id": account,
            "union_id": account[::-1],
            "avatar_url": call.avatar_url(person),
            "display_name": person.name,
            "username": person.handle,
            "bio_description": person.headline,
            "is_verified": False,
            "follower_count": 0,
            "video_count": len(call.state.posts.of("tiktok", person)),
        }
        return envelope({"user": {name: everything[name] for name in wanted}})
