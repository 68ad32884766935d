"""A platform that answers what a test tells it to, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import SecretStr

from workers.http import OAUTH, build_client
from workers.providers.definitions import load_definitions
from workers.providers.oauth import PlatformOAuth
from workers.settings import PlatformApp

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]

CLIENT_SECRET = "made-up-client-secret"


@dataclass
class FakePlatform:
    """Answers by path; a list is used up one by one, its last element for ever."""

    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def on(self, path: str, *answers: Answer) -> None:
        """What to answer at a path."""
        self.answers[path] = list(answers)

    def json(self, path: str, body: Any, status: int = 200) -> None:
        """Answer a path with JSON, always."""
        self.on(path, lambda _: httpx.Response(status, json=body))

    def handle(self, request: httpx.Request) -> httpx.Response:
        """For `httpx.MockTransport`."""
        self.requests.append(request)
        answers = self.answers.get(request.url.path)
        if not answers:
            return httpx.Response(404, json={"error": "not_found"})
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def http(self) -> httpx.AsyncClient:
        """A client whose network is this object."""
        return build_client(OAUTH, transport=httpx.MockTransport(self.handle))

    def form(self, position: int = -1) -> dict[str, str]:
        """The form fields of a request."""
        return dict(parse_qsl(self.requests[position].content.decode(), keep_blank_values=True))

    def to(self, path: str) -> list[httpx.Request]:
        """The requests to one path."""
        return [request for request in self.requests if request.url.path == path]


def client_of(platform_id: str, platform: FakePlatform, sandbox_url: str | None = None) -> PlatformOAuth:
    """An OAuth client of one platform, over a fake of it."""
    app = PlatformApp(platform_id, f"id-{platform_id}", SecretStr(CLIENT_SECRET), sandbox_url)
    return PlatformOAuth(load_definitions()[platform_id], app, platform.http())


def query_of(url: str) -> dict[str, str]:
    """The query of a URL."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


TOKEN_PATHS = {
    "youtube": "/token",
    "x": "/2/oauth2/token",
    "linkedin": "/oauth/v2/accessToken",
    "instagram": "/oauth/access_token",
    "tiktok": "/v2/oauth/token/",
}
PROFILE_PATHS = {
    "youtube": "/youtube/v3/channels",
    "x": "/2/users/me",
    "linkedin": "/v2/userinfo",
    "instagram": "/me",
    "tiktok": "/v2/user/info/",
}
PROFILES: dict[str, Any] = {
    "youtube": {
        "items": [
            {
                "id": "UC-1",
                "snippet": {
                    "customUrl": "@ada",
                    "title": "Ada",
                    "thumbnails": {"default": {"url": "https://img.example/a.jpg"}},
                },
            }
        ]
    },
    "x": {
        "data": {
            "id": "42",
            "username": "ada",
            "name": "Ada",
            "profile_image_url": "https://img.example/a.jpg",
        }
    },
    "linkedin": {"sub": "abc", "name": "Ada", "picture": "https://img.example/a.jpg"},
    "instagram": {
        "user_id": "178",
        "username": "ada",
        "name": "Ada",
        "profile_picture_url": "https://img.example/a.jpg",
    },
    "tiktok": {
        "data": {
            "user": {"open_id": "o-1", "display_name": "Ada", "avatar_url": "https://img.example/a.jpg"}
        },
        "error": {"code": "ok", "message": "", "log_id": "1"},
    },
}
