"""What a client of the platforms does: consent, code exchange, headers. Used by all tests of this folder."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from workers.sandbox import Sandbox
from workers.sandbox.oauth_table import TABLE

REDIRECT = "http://127.0.0.1:9/oauth/callback"
VERIFIER = "v" * 64
X_SCOPES = "tweet.read tweet.write users.read media.write offline.access"
LINKEDIN_SCOPES = "openid profile w_member_social"
GOOGLE = "https://www.googleapis.com/auth/"
YOUTUBE_SCOPES = f"{GOOGLE}youtube.upload {GOOGLE}youtube.readonly"
SCOPES = {
    "x": X_SCOPES,
    "linkedin": LINKEDIN_SCOPES,
    "youtube": f"openid {YOUTUBE_SCOPES}",
    "instagram": "instagram_business_basic,instagram_business_content_publish",
    "tiktok": "user.info.basic,video.publish",
}


def challenge(verifier: str = VERIFIER) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def png(width: int = 2, height: int = 2, shade: int = 0) -> bytes:
    """A valid grey PNG."""

    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = io.BytesIO()
    for _ in range(height):
        rows.write(b"\0" + bytes([shade]) * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = part(b"IHDR", head) + part(b"IDAT", zlib.compress(rows.getvalue())) + part(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@dataclass
class Client:
    """One application talking to one sandbox."""

    sandbox: Sandbox
    http: httpx.Client

    def authorize_query(self, platform: str, **changes: str | None) -> dict[str, str]:
        spec = TABLE[platform]
        query: dict[str, str | None] = {
            "response_type": "code",
            spec.client_field: f"sandbox-{platform}",
            "redirect_uri": REDIRECT,
            "scope": SCOPES[platform],
            "state": "st4te",
            "code_challenge": hashlib.sha256(VERIFIER.encode()).hexdigest() if spec.pkce_hex else challenge(),
            "code_challenge_method": "S256",
            "_sandbox_person": "maya",
            **({"access_type": "offline"} if platform == "youtube" else {}),
            **changes,
        }
        return {name: value for name, value in query.items() if value is not None}

    def authorize(self, platform: str, **changes: str | None) -> httpx.Response:
        path = f"/{platform}{TABLE[platform].authorize_path}"
        return self.http.get(path, params=self.authorize_query(platform, **changes))

    def code(self, platform: str, **changes: str | None) -> str:
        return answer(self.authorize(platform, **changes))["code"]

    def credentials(self, platform: str, secret: str | None = None) -> dict[str, Any]:
        spec, secret = TABLE[platform], secret if secret is not None else self.sandbox.secret
        if spec.basic_auth:
            return {"auth": (f"sandbox-{platform}", secret)}
        return {"data": {spec.client_field: f"sandbox-{platform}", "client_secret": secret}}

    def token_request(
        self, platform: str, fields: dict[str, str], secret: str | None = None
    ) -> httpx.Response:
        arguments = self.credentials(platform, secret)
        arguments["data"] = {**arguments.get("data", {}), **fields}
        return self.http.post(f"/{platform}{TABLE[platform].token_path}", **arguments)

    def redeem(self, platform: str, code: str, **changes: str | None) -> httpx.Response:
        fields: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": REDIRECT,
            "code_verifier": VERIFIER,
            **changes,
        }
        return self.token_request(platform, {k: v for k, v in fields.items() if v is not None})

    def refresh(self, platform: str, refresh_token: str) -> httpx.Response:
        return self.token_request(platform, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    def tokens(self, platform: str, **changes: str | None) -> dict[str, Any]:
        response = self.redeem(platform, self.code(platform, **changes))
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def x(self, person: str = "maya", scope: str = X_SCOPES) -> dict[str, str]:
        """Headers of an X caller."""
        token = self.tokens("x", _sandbox_person=person, scope=scope)["access_token"]
        return {"authorization": f"Bearer {token}"}

    def linkedin(self, person: str = "maya", scope: str = LINKEDIN_SCOPES) -> dict[str, str]:
        """Headers of a LinkedIn caller."""
        token = self.tokens("linkedin", _sandbox_person=person, scope=scope)["access_token"]
        return {
            "authorization": f"Bearer {token}",
            "linkedin-version": "202609",
            "x-restli-protocol-version": "2.0.0",
        }

    def youtube(self, person: str = "maya", scope: str = YOUTUBE_SCOPES) -> dict[str, str]:
        """Headers of a YouTube caller."""
        token = self.tokens("youtube", _sandbox_person=person, scope=scope)["access_token"]
        return {"authorization": f"Bearer {token}"}

    def account(self, platform: str, person: str = "maya") -> str:
        return self.sandbox.control.people()[person][platform]


def answer(response: httpx.Response) -> dict[str, str]:
    """The parameters of the redirect that a response is."""
    assert response.status_code == 302, response.text
    parts = urlsplit(response.headers["location"])
    return {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
