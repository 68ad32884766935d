"""TikTok API v2: so far the account of the person ("Get User Info", "Error Handling")."""

from __future__ import annotations

import secrets

from starlette.responses import JSONResponse, Response

from workers.sandbox.oauth import find_bearer
from workers.sandbox.wire import Call, RefusedError, Routes

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

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/tiktok/v2/user/info/", self.user)

    def rate_limited(self, call: Call) -> Response:
        return _error(
            429, "rate_limit_exceeded", "The API rate limit was exceeded. Please try again later."
        ).response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return _error(404, "invalid_params", "Unsupported path").response()

    async def user(self, call: Call) -> Response:
        token = find_bearer(call, "tiktok")
        if isinstance(token, str):
            raise _error(
                401, "access_token_invalid", "The access token is invalid or not found in the request."
            )
        wanted = [name for name in call.query.get("fields", "").split(",") if name]
        if not wanted or any(name not in _SCOPE_OF_FIELD for name in wanted):
            raise _error(400, "invalid_params", "Fields is required and must be valid.")
        if any(_SCOPE_OF_FIELD[name] not in token.grant.scopes for name in wanted):
            raise _error(
                401,
                "scope_not_authorized",
                "The user did not authorize the scope required for completing this request.",
            )
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
            "video_count": 0,
        }
        error = {"code": "ok", "message": "", "log_id": secrets.token_hex(16)}
        return JSONResponse({"data": {"user": {name: everything[name] for name in wanted}}, "error": error})


def _error(status: int, code: str, message: str) -> RefusedError:
    return RefusedError(
        status, {"data": {}, "error": {"code": code, "message": message, "log_id": secrets.token_hex(16)}}
    )
