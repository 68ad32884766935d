"""LinkedIn: uploads of images, videos and documents.

Images and documents go in one PUT with the member's token; a video goes in the byte ranges that LinkedIn
asks for, each to an address that is its own permission, and is finalized with the ETags of its parts. Whether
LinkedIn has processed a video anybody may ask who uploaded it; images and documents only a grant that may
read (`w_member_social` alone is write-only), otherwise LinkedIn finishes them behind the post.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from workers.providers.base import MediaFile, NotAccepted, PublishClaim, PublishStopped, Rejected
from workers.providers.linkedin_api import LinkedInApi
from workers.providers.linkedin_posts import author
from workers.vault.secret import SecretToken

__all__ = ["LinkedInUploads"]

_PROCESSING_SECONDS: Final = {"image": 120.0, "document": 120.0, "video": 900.0}
_MOST_PARTS: Final = 2000
_READ_BYTES: Final = 4 * 1024 * 1024
_LONGEST_PART: Final = 32 * 1024 * 1024
_RESOURCES: Final = {"image": "images", "video": "videos", "document": "documents"}
_READING: Final = "r_member_social"


class LinkedInUploads:
    """Uploads files; each answers the URN under which a post may show it."""

    def __init__(self, api: LinkedInApi, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._api = api
        self._sleep = sleep

    async def upload(self, claim: PublishClaim, file: MediaFile, token: SecretToken) -> str:
        """Upload one file and wait until it can be used, as far as that can be seen.

        Raises:
            PublishStopped: it cannot be used, or not now.
        """
        if file.kind not in _RESOURCES:
            raise PublishStopped(
                Rejected("unsupported_media", "This kind of file cannot be posted to LinkedIn.")
            )
        if file.kind == "video":
            urn = await self._video(claim, file, token)
        else:
            urn = await self._whole(claim, file, token)
        if file.kind == "video" or _READING in claim.scopes:
            await self._await_available(urn, file.kind, token)
        return urn

    async def _whole(self, claim: PublishClaim, file: MediaFile, token: SecretToken) -> str:
        value = await self._initialize(file.kind, {"owner": author(claim)}, token)
        url = _text(value, "uploadUrl")
        await self._api.put(url, _bytes_of(file), file.size_bytes, file.mime_type, token)
        return _urn(value, file.kind)

    async def _video(self, claim: PublishClaim, file: MediaFile, token: SecretToken) -> str:
        request = {
            "owner": author(claim),
            "fileSizeBytes": file.size_bytes,
            "uploadCaptions": False,
            "uploadThumbnail": False,
        }
        value = await self._initialize("video", request, token)
        urn, parts = _urn(value, "video"), []
        for url, first, length in _instructions(value, file.size_bytes):
            async with file.part(first, length) as content:
                response = await self._api.put(url, content, length, "application/octet-stream", None)
            etag = response.headers.get("etag", "")
            if not etag:
                raise PublishStopped(NotAccepted("unreadable_answer", http_status=response.status_code))
            parts.append(etag)
        token_of_upload = value.get("uploadToken")
        finalize = {
            "video": urn,
            "uploadToken": token_of_upload if isinstance(token_of_upload, str) else "",
            "uploadedPartIds": parts,
        }
        await self._api.step(
            "POST", "/videos?action=finalizeUpload", token, {"finalizeUploadRequest": finalize}
        )
        return urn

    async def _initialize(
        self, kind: str, request: Mapping[str, Any], token: SecretToken
    ) -> Mapping[str, Any]:
        path = f"/{_RESOURCES[kind]}?action=initializeUpload"
        answer = await self._api.step("POST", path, token, {"initializeUploadRequest": request})
        value = answer.get("value")
        if not isinstance(value, dict):
            raise PublishStopped(NotAccepted("unreadable_answer"))
        return value

    async def _await_available(self, urn: str, kind: str, token: SecretToken) -> None:
        """Wait until the file is processed, where we may look."""
        waited, pause = 0.0, 0.25
        while True:
            try:
                answer = await self._api.step("GET", f"/{_RESOURCES[kind]}/{quote(urn, safe='')}", token)
            except PublishStopped as stopped:
                if getattr(stopped.outcome, "http_status", None) == HTTPStatus.FORBIDDEN:
                    return
                raise
            status = answer.get("status")
            if status == "AVAILABLE":
                return
            if status == "PROCESSING_FAILED":
                text = "LinkedIn could not process one of the files. Replace the file."
                raise PublishStopped(Rejected("media_refused", text))
            if waited >= _PROCESSING_SECONDS[kind]:
                raise PublishStopped(NotAccepted("media_not_ready"))
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 2, 10.0)


async def _bytes_of(file: MediaFile) -> AsyncIterator[bytes]:
    """The whole file, a part at a time."""
    for start in range(0, file.size_bytes, _READ_BYTES):
        async with file.part(start, min(_READ_BYTES, file.size_bytes - start)) as content:
            yield content


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise PublishStopped(NotAccepted("unreadable_answer"))
    return text


def _urn(value: Mapping[str, Any], kind: str) -> str:
    urn = _text(value, kind)
    if not re.fullmatch(rf"urn:li:{kind}:[\w-]+", urn):
        raise PublishStopped(NotAccepted("unreadable_answer"))
    return urn


def _instructions(value: Mapping[str, Any], size: int) -> list[tuple[str, int, int]]:
    """Address, first byte and length of every part, in order; they must cover the file exactly."""
    given = value.get("uploadInstructions")
    found: list[tuple[str, int, int]] = []
    next_byte = 0
    for item in given if isinstance(given, list) else []:
        first, last = (
            (item.get("firstByte"), item.get("lastByte")) if isinstance(item, dict) else (None, None)
        )
        if first != next_byte or not isinstance(last, int) or not first <= last < first + _LONGEST_PART:
            raise PublishStopped(NotAccepted("unreadable_answer"))
        found.append((_text(item, "uploadUrl"), first, last - first + 1))
        next_byte = last + 1
    if next_byte != size or len(found) > _MOST_PARTS:
        raise PublishStopped(NotAccepted("unreadable_answer"))
    return found
