"""Instagram API with Instagram Login: long-lived tokens and the account ("Business Login for Instagram")."""

from __future__ import annotations

import hmac

from starlette.responses import JSONResponse, Response

from workers.sandbox.oauth import judge_token
from workers.sandbox.oauth_table import DAY
from workers.sandbox.state import Token, new_secret
from workers.sandbox.wire import Call, RefusedError, Routes, words

LONG_SECONDS = 60 * DAY
_FIELDS = words("id user_id username name account_type profile_picture_url followers_count media_count")


class Instagram:
    """Handlers of the API at the root `/instagram`; tokens travel in the query, as the documents have it."""

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/instagram/access_token", self.exchange)
        routes.add("GET", "/instagram/refresh_access_token", self.refresh)
        routes.add("GET", "/instagram/me", self.me)
        routes.add("GET", "/instagram/{version}/me", self.me)

    def rate_limited(self, call: Call) -> Response:
        return _error(400, 4, "Application request limit reached").response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return _error(
            400, 2500, f"Unknown path components: {call.path.removeprefix('/instagram')}"
        ).response()

    async def exchange(self, call: Call) -> Response:
        """A short-lived token against one of 60 days."""
        token = _token(call)
        secret = call.query.get("client_secret", "")
        if call.query.get("grant_type") != "ig_exchange_token":
            raise _error(400, 100, "Invalid parameter: grant_type")
        if not hmac.compare_digest(secret.encode(), call.state.secret.encode()):
            raise _error(400, 1, "Error validating client secret.")
        if token.kind != "short":
            raise _error(400, 452, "Session key invalid. The token is already long-lived.")
        return _long_lived(call, token)

    async def refresh(self, call: Call) -> Response:
        """Only a long-lived token that is at least 24 hours old and not expired."""
        token = _token(call)
        if call.query.get("grant_type") != "ig_refresh_token":
            raise _error(400, 100, "Invalid parameter: grant_type")
        if token.kind == "short" or call.state.now() - token.issued_at < DAY:
            raise _error(
                400, 10, "Token cannot be refreshed: it must be long-lived and at least 24 hours old."
            )
        return _long_lived(call, token)

    async def me(self, call: Call) -> Response:
        token = _token(call)
        if "instagram_business_basic" not in token.grant.scopes:
            raise _error(403, 10, "Application does not have permission for this action")
        person, wanted = token.grant.person, call.query.get("fields", "id,user_id").split(",")
        if unknown := [name for name in wanted if name not in _FIELDS]:
            raise _error(400, 100, f"Tried accessing nonexisting field ({unknown[0]})")
        account = person.account_id("instagram")
        everything = {
            "id": account,
            "user_id": account,
            "username": person.handle,
            "name": person.name,
            "account_type": "MEDIA_CREATOR",
            "profile_picture_url": call.avatar_url(person),
            "followers_count": 0,
            "media_count": 0,
        }
        return JSONResponse({name: everything[name] for name in wanted})


def _long_lived(call: Call, token: Token) -> Response:
    now = call.state.now()
    fresh = Token(new_secret("instagram-at-"), token.grant, now, now + LONG_SECONDS)
    call.state.tokens.add(fresh)
    call.accepted = "token"
    return JSONResponse({"access_token": fresh.value, "token_type": "bearer", "expires_in": LONG_SECONDS})


def _token(call: Call) -> Token:
    value = call.query.get("access_token") or call.headers.get("authorization", "").partition(" ")[2]
    token = judge_token(call, "instagram", value)
    if isinstance(token, str):
        text = {
            "expired": "Error validating access token: Session has expired.",
            "revoked": "Error validating access token: The user has not authorized application.",
        }.get(token, "Invalid OAuth access token - Cannot parse access token")
        raise _error(400, 190, text)
    return token


def _error(status: int, code: int, message: str) -> RefusedError:
    trace = new_secret()[:22]
    return RefusedError(
        status, {"error": {"message": message, "type": "OAuthException", "code": code, "fbtrace_id": trace}}
    )
