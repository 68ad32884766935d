"""Claims, media and scripted platforms for the publishers' tests."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from workers import http
from workers.gateway import ClaimedTarget, MediaItem
from workers.providers.base import Media
from workers.vault import SecretToken

NOW = datetime(2026, 11, 24, 9, 0, 0, tzinfo=UTC)
TOKEN = SecretToken("canary-token")
ID = UUID("00000000-0000-4000-8000-000000000001")


def claim(text: str = "Hello", **changes: Any) -> ClaimedTarget:
    """A claimed target; `changes` by field name."""
    fields: dict[str, Any] = {
        "target_id": ID,
        "attempt": 1,
        "mode": "publish",
        "user_id": ID,
        "connection_id": ID,
        "platform_id": "x",
        "external_account_id": "42",
        "text": text,
        "scheduled_at": NOW,
        "sealed_access": "sealed",
        "generation": 1,
    }
    return ClaimedTarget(**fields | changes)


def _kind(mime_type: str) -> str:
    return {"application": "document"}.get(mime_type.split("/")[0], mime_type.split("/")[0])


def media(
    count: int = 1, alt_text: str | None = "a dog", mime_type: str = "image/png"
) -> tuple[MediaItem, ...]:
    """Files of a post as the database describes them."""
    return tuple(
        MediaItem(
            bucket_id="media",
            object_name=f"person/{index}.png",
            kind=_kind(mime_type),
            mime_type=mime_type,
            size_bytes=9,
            alt_text=alt_text,
        )
        for index in range(count)
    )


@dataclass
class MemoryFile:
    """A `MediaFile` whose bytes are here; `parts` are the (start, length) that were read."""

    mime_type: str
    content: bytes = field(repr=False)
    alt_text: str | None = field(default=None, repr=False)
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    parts: list[tuple[int, int]] = field(default_factory=list)
    base_url: str = "https://files.example/signed"
    query: str = ""

    @property
    def kind(self) -> str:
        return _kind(self.mime_type)

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    @asynccontextmanager
    async def part(self, start: int, length: int) -> AsyncIterator[bytes]:
        assert 0 <= start < start + length <= len(self.content)
        self.parts.append((start, length))
        yield self.content[start : start + length]

    async def url(self, seconds: int) -> str:
        return f"{self.base_url}?{self.query or f'seconds={seconds}'}"


def files(*content: MemoryFile, thumbnail: MemoryFile | None = None) -> Media:
    """The files of a post."""
    return Media(content, thumbnail)


class Saved:
    """A `save` that keeps what it is given, as the worker does; `progress` is what a later claim carries."""

    def __init__(self) -> None:
        self.progress: dict[str, Any] = {}
        self.count = 0

    async def __call__(self, progress: Mapping[str, Any]) -> None:
        self.count += 1
        json.dumps(dict(progress))  # as it must be
        merged = {**self.progress, **progress}
        self.progress = {name: value for name, value in merged.items() if value is not None}


class Platform:
    """Answers requests by `METHOD /path`, and keeps them. An answer is a response, an exception or a
    function."""

    def __init__(self, answers: dict[str, Any] | None = None) -> None:
        self.answers: dict[str, Any] = dict(answers or {})
        self.requests: list[httpx.Request] = []
        self.client = http.build_client(http.PLATFORM, transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        key = f"{request.method} {request.url.raw_path.decode().split('?')[0]}"
        answer = self.answers[key]
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, Callable):  # type: ignore[arg-type]
            answer = answer(request)
        if isinstance(answer, Exception):
            raise answer
        # A response object serves once: hand out a copy.
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def sent(self, key: str) -> list[httpx.Request]:
        """The requests to `METHOD /path`."""
        return [r for r in self.requests if f"{r.method} {r.url.raw_path.decode().split('?')[0]}" == key]

    def body(self, key: str) -> Any:
        """JSON of the only request to `METHOD /path`."""
        (request,) = self.sent(key)
        return json.loads(request.content)


def answer(status: int = 200, body: Any = None, **headers: str) -> httpx.Response:
    """A response; header names with `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return (
        httpx.Response(status, json=body, headers=named)
        if body is not None
        else httpx.Response(status, headers=named)
    )


async def no_sleep(_seconds: float) -> None:
    """In place of `asyncio.sleep`."""
