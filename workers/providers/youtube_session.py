"""Google's resumable upload protocol as YouTube documents it, one HTTP request per call.

Source: developers.google.com/youtube/v3/guides/using_resumable_upload_protocol, read 2026-11. A session is
announced (`start`) and gets a URL of its own; the bytes go there in order (`put`), in parts that are multiples
of 256 KiB but for the last; an empty request (`ask`) tells what is stored. The video is created by the last
byte: until then the session can be left alone, and it never makes two videos. Its URL is a capability: it is
saved sealed, and never logged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from workers import http
from workers.providers.base import bearer, json_object
from workers.providers.definitions import endpoint
from workers.vault import SecretToken

__all__ = ["PART_UNIT", "Answer", "Complete", "Gone", "Incomplete", "Refused", "UploadProtocol"]

PART_UNIT: Final = 262_144
_START: Final = "https://www.googleapis.com/upload/youtube/v3/videos"
_STORED: Final = re.compile(r"bytes=0-(\d{1,15})")
_LONGEST_URL: Final = 4_000


@dataclass(frozen=True, slots=True)
class Incomplete:
    """308: the first `stored` bytes are there, and no video yet."""

    stored: int


@dataclass(frozen=True, slots=True)
class Complete:
    """200 or 201: the video exists. `video` is its resource with the parts id, snippet and status."""

    video: Mapping[str, Any] = field(repr=False)
    http_status: int


@dataclass(frozen=True, slots=True)
class Gone:
    """404 or 410: YouTube no longer knows the session. Whether it made a video before is not said."""

    http_status: int


@dataclass(frozen=True, slots=True)
class Refused:
    """Any other answer, also one that cannot be read."""

    response: httpx.Response = field(repr=False)


Answer = Incomplete | Complete | Gone | Refused


class UploadProtocol:
    """The requests. Every method raises `ProviderTransportError` when no answer came.

    Args:
        client: from `workers.http`; shared.
        sandbox_url: base URL of the sandbox that stands for YouTube, or None for YouTube itself.
    """

    def __init__(self, client: httpx.AsyncClient, sandbox_url: str | None) -> None:
        self._client = client
        self._sandbox_url = sandbox_url

    async def start(
        self, video: Mapping[str, Any], mime_type: str, size: int, notify: bool, token: SecretToken
    ) -> str | Refused:
        """Announce an upload of `size` bytes; answers the session's URL."""
        response = await http.exchange(
            self._client,
            "POST",
            endpoint(_START, self._sandbox_url),
            params={
                "uploadType": "resumable",
                "part": "id,snippet,status",
                "notifySubscribers": "true" if notify else "false",
            },
            json=video,
            headers={
                **bearer(token),
                "X-Upload-Content-Length": str(size),
                "X-Upload-Content-Type": mime_type,
            },
        )
        url: str = response.headers.get("location", "")
        if response.status_code == 200 and self._is_googles(url):
            return url
        return Refused(response)

    async def put(
        self, url: str, content: bytes, start: int, size: int, mime_type: str, token: SecretToken
    ) -> Answer:
        """Send the bytes from `start` on. When they reach `size` this is the irreversible call."""
        span = f"bytes {start}-{start + len(content) - 1}/{size}"
        headers = {**bearer(token), "Content-Type": mime_type, "Content-Range": span}
        return _read(await http.exchange(self._client, "PUT", url, content=content, headers=headers), size)

    async def ask(self, url: str, size: int, token: SecretToken) -> Answer:
        """What became of the session; changes nothing."""
        headers = {**bearer(token), "Content-Range": f"bytes */{size}", "Content-Length": "0"}
        return _read(await http.exchange(self._client, "PUT", url, headers=headers), size)

    def _is_googles(self, url: str) -> bool:
        """The token is sent to this URL: it must lead to where the request went."""
        if len(url) > _LONGEST_URL:
            return False
        if self._sandbox_url is not None:
            return urlsplit(url).netloc == urlsplit(self._sandbox_url).netloc
        parts = urlsplit(url)
        return parts.scheme == "https" and (parts.hostname or "").endswith(".googleapis.com")


def _read(response: httpx.Response, size: int) -> Answer:
    status = response.status_code
    if status in (200, 201):
        body = json_object(response)
        if body is not None and isinstance(body.get("id"), str) and body["id"]:
            return Complete(body, status)
    if status == 308:
        text = response.headers.get("range")
        match = _STORED.fullmatch(text or "")
        stored = 0 if text is None else int(match[1]) + 1 if match else -1
        if 0 <= stored <= size:
            return Incomplete(stored)
    if status in (404, 410):
        return Gone(status)
    return Refused(response)
