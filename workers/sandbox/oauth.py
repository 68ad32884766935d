"""Token, refresh and revocation endpoints, and the bearer check, for every platform in `oauth_table`.

RFC 6749 sections 4.1.3, 4.1.4, 5 and 6, RFC 7636 section 4.6, RFC 7009, RFC 9700 section 4.14.2 (rotation:
the reuse of a refresh token ends its whole family; the reuse of an authorization code ends what was issued
for it).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Literal

from starlette.responses import JSONResponse, Response

from workers.sandbox.oauth_table import Platform
from workers.sandbox.state import Code, Grant, State, Token, digest, new_secret
from workers.sandbox.wire import Call, RefusedError, single_fields

_NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
BadBearer = Literal["missing", "unknown", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class OAuthServer:
    """The token side of one platform's authorization server."""

    platform: Platform

    async def token(self, call: Call) -> Response:
        fields = await self._fields(call)
        grant_type = self._need(fields, "grant_type")
        if grant_type == "authorization_code":
            self._authenticate(call, fields)
            return self._redeem(call, fields)
        if grant_type == "refresh_token":
            self._authenticate(call, fields)
            return self._refresh(call, fields)
        raise self.refusal("grant_type", grant_type)

    async def revoke(self, call: Call) -> Response:
        """RFC 7009. A refresh token takes its family along."""
        fields = await self._fields(call)
        if self.platform.revoke_needs_client:
            self._authenticate(call, fields)
        else:
            fields = {**dict(call.query), **fields}
        value = self._need(fields, "token")
        tokens = call.state.tokens
        token = tokens.refreshing(value) or tokens.bearer(value)
        known = token is not None and token.grant.platform == self.platform.id
        if token is not None and known:
            self._end(call, token)
        elif not self.platform.revoke_is_lenient:
            raise self.refusal("revoke")
        return JSONResponse(self.platform.revoke_answer)

    def _end(self, call: Call, token: Token) -> None:
        call.accepted = "revoked"
        if self.platform.revoke_is_lenient and token.kind == "access":
            call.state.tokens.access.pop(token.digest, None)
        else:
            token.grant.ended = "revoked"

    def _redeem(self, call: Call, fields: dict[str, str]) -> Response:
        value, redirect = self._need(fields, "code"), self._need(fields, "redirect_uri")
        code = call.state.tokens.codes.get(value)
        if code is None or code.platform != self.platform.id:
            raise self.refusal("code")
        if code.grant is not None:
            code.grant.ended = "replayed"
            raise self.refusal("code")
        if code.expires_at <= call.state.now():
            raise self.refusal("code")
        if code.redirect_uri != redirect:
            raise self.refusal("redirect")
        self._check_verifier(code, fields)
        code.grant = self._new_grant(call.state, code)
        call.accepted = "token"
        return self._issue(call.state, code.grant, with_refresh=code.offline)

    def _check_verifier(self, code: Code, fields: dict[str, str]) -> None:
        if code.challenge is None:
            return
        verifier = self._need(fields, "code_verifier")
        if not hmac.compare_digest(code.challenge.encode(), self._challenge(code.method, verifier).encode()):
            raise self.refusal("verifier")

    def _challenge(self, method: str | None, verifier: str) -> str:
        hashed = hashlib.sha256(verifier.encode()).digest()
        if method == "plain":
            return verifier
        if self.platform.pkce_hex:
            return hashed.hex()
        return base64.urlsafe_b64encode(hashed).decode().rstrip("=")

    def _new_grant(self, state: State, code: Code) -> Grant:
        expires = state.now() + self.platform.refresh_seconds
        return Grant(self.platform.id, code.person, code.client_id, code.scopes, state.now(), expires)

    def _refresh(self, call: Call, fields: dict[str, str]) -> Response:
        value = self._need(fields, "refresh_token")
        token = call.state.tokens.refreshing(value)
        if token is None or token.grant.platform != self.platform.id or token.grant.ended is not None:
            raise self.refusal("refresh")
        if token.used:
            token.grant.ended = "replayed"
            raise self.refusal("refresh")
        if token.expires_at is not None and token.expires_at <= call.state.now():
            raise self.refusal("refresh")
        rotates = self.platform.refresh == "rotating"
        token.used = rotates
        call.accepted = "token"
        return self._issue(call.state, token.grant, with_refresh=rotates)

    def _issue(self, state: State, grant: Grant, with_refresh: bool) -> Response:
        now, platform = state.now(), self.platform
        kind = "short" if platform.shape == "instagram" else "access"
        access = new_secret(f"{platform.id}-at-")
        state.tokens.add(Token(digest(access), grant, now, now + platform.access_seconds, kind=kind))
        scope = platform.answer_separator.join(sorted(grant.scopes))
        if platform.shape == "instagram":
            account = int(grant.person.account_id(platform.id))
            body = {"access_token": access, "user_id": account, "permissions": sorted(grant.scopes)}
            return JSONResponse(body, headers=_NO_STORE)
        answer: dict[str, str | int] = {
            "token_type": platform.token_type,
            "expires_in": platform.access_seconds,
            "access_token": access,
            "scope": scope,
        }
        if with_refresh:
            refresh = new_secret(f"{platform.id}-rt-")
            expires_at = now + platform.refresh_seconds
            state.tokens.add(Token(digest(refresh), grant, now, expires_at, kind="refresh"))
            answer["refresh_token"] = refresh
        if platform.shape == "tiktok":
            answer["open_id"] = grant.person.account_id(platform.id)
            answer["refresh_expires_in"] = platform.refresh_seconds
        return JSONResponse(answer, headers=_NO_STORE)

    async def _fields(self, call: Call) -> dict[str, str]:
        allowed = {"application/x-www-form-urlencoded"} | (
            {"multipart/form-data"} if self.platform.multipart else set()
        )
        if call.body and call.content_type not in allowed:
            raise self.refusal("missing", "grant_type")
        try:
            return await single_fields(call)
        except ValueError as error:
            raise self.refusal("missing", str(error)) from error

    def _need(self, fields: dict[str, str], name: str) -> str:
        value = fields.get(name, "")
        if not value:
            raise self.refusal("missing", name)
        return value

    def _authenticate(self, call: Call, fields: dict[str, str]) -> None:
        if self.platform.basic_auth:
            client, secret = _basic_credentials(call.headers.get("authorization", ""))
        else:
            client = self._need(fields, self.platform.client_field)
            secret = self._need(fields, "client_secret")
        is_client = client == call.state.client_id(self.platform.id)
        if not hmac.compare_digest(secret.encode(), call.state.secret.encode()) or not is_client:
            raise self.refusal("client")

    def refusal(self, key: str, name: str = "") -> RefusedError:
        wording = self.platform.errors[key]
        description = wording.description.replace("{name}", name)
        body: dict[str, str | int] = {"error": wording.error, "error_description": description}
        if self.platform.shape == "tiktok":
            body["log_id"] = secrets.token_hex(16)
        if self.platform.shape == "instagram":
            body = {"error_type": wording.error, "code": wording.status, "error_message": description}
        return RefusedError(wording.status, body, _NO_STORE)


def _basic_credentials(header: str) -> tuple[str, str]:
    """Client id and secret of RFC 7617; two empty strings when the header is not that."""
    scheme, _, value = header.partition(" ")
    try:
        decoded = base64.b64decode(value, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        decoded = ""
    client, _, secret = decoded.partition(":")
    return client, secret


def find_bearer(call: Call, platform: str) -> Token | BadBearer:
    """The live token of the request, or what is wrong with it; the platform's module words the refusal."""
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not value:
        return "missing"
    return judge_token(call, platform, value)


def judge_token(call: Call, platform: str, value: str) -> Token | BadBearer:
    token = call.state.bearer(value)
    if token is None or token.grant.platform != platform:
        return "unknown"
    if token.grant.ended is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= call.state.now():
        return "expired"
    call.token = token
    return token
