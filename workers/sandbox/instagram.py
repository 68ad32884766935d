"""Instagram API with Instagram Login: tokens, the account, and where the rest of the API is.

"Business Login for Instagram", "Instagram API with Instagram Login". Publishing is in `instagram_containers`, reading
and comments in `instagram_reads`.
"""

from __future__ import annotations

import hmac

from starlette.responses import JSONResponse, Response

from workers.sandbox.instagram_containers import Containers
from workers.sandbox.instagram_reads import Reads
from workers.sandbox.instagram_wire import enter, find_token, graph_error, rate_limited
from workers.sandbox.limits import Limiter
from workers.sandbox.oauth_table import DAY
from workers.sandbox.state import Token, digest, new_secret
from workers.sandbox.wire import Call, Routes, words

LONG_SECONDS = 60 * DAY
_FIELDS = words("id user_id username name account_type profile_picture_url followers_count media_count")


class Instagram:
    """Handlers of the API at the root `/instagram`; every path also with a version before it."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter
        self._containers = Containers(limiter)
        self._reads = Reads(limiter)

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/instagram/access_token", self.exchange)
        routes.add("GET", "/instagram/refresh_access_token", self.refresh)
        containers, reads = self._containers, self._reads
        for root in ("/instagram", "/instagram/{version}"):
            routes.add("GET", f"{root}/me", self.me)
            routes.add("POST", f"{root}/{{id}}/media", containers.create)
            routes.add("GET", f"{root}/{{id}}/media", reads.media_list)
            routes.add("POST", f"{root}/{{id}}/media_publish", containers.publish)
            routes.add("GET", f"{root}/{{id}}/content_publishing_limit", containers.limit)
            routes.add("GET", f"{root}/{{id}}/insights", reads.insights)
            routes.add("POST", f"{root}/{{id}}/comments", reads.comment)
            routes.add("GET", f"{root}/{{id}}/comments", reads.comments)
        for root in ("/instagram", "/instagram/{version}"):
            routes.add("GET", f"{root}/{{id}}", self.node)

    def rate_limited(self, call: Call) -> Response:
        return rate_limited().response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        text = f"Unknown path components: {call.path.removeprefix('/instagram')}"
        return graph_error(400, 2500, text).response()

    async def exchange(self, call: Call) -> Response:
        """A short-lived token against one of 60 days."""
        token = find_token(call)
        secret = call.query.get("client_secret", "")
        if call.query.get("grant_type") != "ig_exchange_token":
            raise graph_error(400, 100, "Invalid parameter: grant_type")
        if not hmac.compare_digest(secret.encode(), call.state.secret.encode()):
            raise graph_error(400, 1, "Error validating client secret.")
        if token.kind != "short":
            raise graph_error(400, 452, "Session key invalid. The token is already long-lived.")
        return _long_lived(call, token)

    async def refresh(self, call: Call) -> Response:
        """Only a long-lived token that is at least 24 hours old and not expired."""
        token = find_token(call)
        if call.query.get("grant_type") != "ig_refresh_token":
            raise graph_error(400, 100, "Invalid parameter: grant_type")
        if token.kind == "short" or call.state.now() - token.issued_at < DAY:
            text = "Token cannot be refreshed: it must be long-lived and at least 24 hours old."
            raise graph_error(400, 10, text)
        return _long_lived(call, token)

    async def me(self, call: Call) -> Response:
        person = enter(call, self._limiter)
        wanted = call.query.get("fields", "id,user_id").split(",")
        if unknown := [name for name in wanted if name not in _FIELDS]:
            raise graph_error(400, 100, f"Tried accessing nonexisting field ({unknown[0]})")
        account = person.account_id("instagram")
        everything = {
            "id": account,
            "user_id": account,
            "username": person.handle,
            "name": person.name,
            "account_type": "MEDIA_CREATOR",
            "profile_picture_url": call.avatar_url(person),
            "followers_count": 0,
            "media_count": len(call.state.posts.of("instagram", person)),
        }
        return JSONResponse({name: everything[name] for name in wanted})

    async def node(self, call: Call) -> Response:
        """A container or a published medium: one address serves both."""
        if self._containers.is_container(call):
            return await self._containers.read(call)
        return await self._reads.media(call)


def _long_lived(call: Call, token: Token) -> Response:
    now = call.state.now()
    fresh = new_secret("instagram-at-")
    call.state.tokens.add(Token(digest(fresh), token.grant, now, now + LONG_SECONDS))
    call.accepted = "token"
    return JSONResponse({"access_token": fresh, "token_type": "bearer", "expires_in": LONG_SECONDS})
