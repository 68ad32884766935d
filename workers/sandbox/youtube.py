"""YouTube Data API v3: so far the channel of the person ("Channels: list") and OpenID user info."""

from __future__ import annotations

from starlette.responses import JSONResponse, Response

from workers.sandbox.oauth import find_bearer
from workers.sandbox.oauth_table import YOUTUBE
from workers.sandbox.state import Person
from workers.sandbox.wire import Call, RefusedError, Routes, words

_READ = frozenset(s for s in YOUTUBE.scopes if s.endswith(("youtube", "youtube.readonly")))
_PARTS = words("snippet statistics contentDetails id status")


class YouTube:
    """Handlers of the API at the root `/youtube`."""

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/youtube/v1/userinfo", self.userinfo)
        routes.add("GET", "/youtube/youtube/v3/channels", self.channels)

    def rate_limited(self, call: Call) -> Response:
        return _error(
            403, "quotaExceeded", "The request cannot be completed because you have exceeded your quota."
        ).response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return JSONResponse(
            {"error": {"code": 404, "message": "Method not found.", "status": "NOT_FOUND"}}, 404
        )

    async def userinfo(self, call: Call) -> Response:
        person = _enter(call, frozenset({"openid"}))
        first, _, last = person.name.partition(" ")
        subject = str(int.from_bytes(person.account_id("youtube").encode()[2:10], "big"))
        return JSONResponse({"sub": subject, "name": person.name, "given_name": first, "family_name": last})

    async def channels(self, call: Call) -> Response:
        person = _enter(call, _READ)
        parts = frozenset(call.query.get("part", "").split(","))
        if not parts <= _PARTS or call.query.get("mine") != "true":
            raise _error(400, "missingRequiredParameter", "No filter selected. Expected one of: mine")
        item = {
            "kind": "youtube#channel",
            "id": person.account_id("youtube"),
            "snippet": {
                "title": person.name,
                "description": person.headline,
                "customUrl": f"@{person.handle}",
            },
            "statistics": {
                "viewCount": "0",
                "subscriberCount": "0",
                "hiddenSubscriberCount": False,
                "videoCount": "0",
            },
        }
        shown = {name: value for name, value in item.items() if name in parts | {"kind", "id"}}
        page = {"totalResults": 1, "resultsPerPage": 5}
        return JSONResponse({"kind": "youtube#channelListResponse", "pageInfo": page, "items": [shown]})


def _enter(call: Call, one_of: frozenset[str]) -> Person:
    token = find_bearer(call, "youtube")
    if isinstance(token, str):
        text = "Request had invalid authentication credentials. Expected OAuth 2 access token."
        raise _error(401, "authError", text, "UNAUTHENTICATED")
    if not token.grant.scopes & one_of:
        text = "Request had insufficient authentication scopes."
        raise _error(403, "insufficientPermissions", text, "PERMISSION_DENIED")
    return token.grant.person


def _error(status: int, reason: str, message: str, name: str = "INVALID_ARGUMENT") -> RefusedError:
    detail = {"message": message, "domain": "global", "reason": reason}
    return RefusedError(
        status, {"error": {"code": status, "message": message, "errors": [detail], "status": name}}
    )
