"""LinkedIn: one call of its versioned REST API, and what its statuses mean."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from workers import http
from workers.errors import ProviderTransportError
from workers.providers.base import (
    NeedsReconnect,
    NotAccepted,
    PublishStopped,
    Rejected,
    Unknown,
    bearer,
    json_object,
    retry_after,
)
from workers.providers.definitions import endpoint
from workers.providers.linkedin_posts import input_codes
from workers.vault.secret import SecretToken

__all__ = ["LinkedInApi"]

_API: Final = "https://api.linkedin.com/rest"


class LinkedInApi:
    """The API of one version.

    Args:
        client: from `workers.http`; shared.
        version: value of the header `LinkedIn-Version`, YYYYMM.
        sandbox_url: base URL of the sandbox that stands for LinkedIn, or None for LinkedIn itself.
        now: wall clock.
    """

    def __init__(
        self, client: httpx.AsyncClient, version: str, sandbox_url: str | None, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._version = version
        self._sandbox_url = sandbox_url
        self._now = now

    async def exchange(
        self, method: str, path: str, token: SecretToken, json: Mapping[str, Any] | None = None
    ) -> httpx.Response:
        """One request; raises as `http.exchange`."""
        headers = {
            **bearer(token),
            "LinkedIn-Version": self._version,
            "X-Restli-Protocol-Version": "2.0.0",
        }
        url = endpoint(_API + path, self._sandbox_url)
        return await http.exchange(self._client, method, url, json=json, headers=headers)

    async def step(
        self, method: str, path: str, token: SecretToken, json: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """One reversible call; answers its JSON object, empty when there is none to read.

        Raises:
            PublishStopped: whatever went wrong; it is known not to be a post.
        """
        try:
            response = await self.exchange(method, path, token, json)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if not response.is_success:
            raise PublishStopped(self.reversible(response))
        body = json_object(response) if response.content else {}
        if body is None:
            raise PublishStopped(NotAccepted("unreadable_answer", http_status=response.status_code))
        return body

    async def put(
        self,
        url: str,
        content: bytes | AsyncIterable[bytes],
        size: int,
        mime_type: str,
        token: SecretToken | None,
    ) -> httpx.Response:
        """Upload `size` bytes to where LinkedIn said; without `token` where the address is the permission.

        Raises:
            PublishStopped: the address is not LinkedIn's, or the upload did not succeed.
        """
        if not self._is_own_host(url):  # neither token nor file go to whatever host an answer names
            raise PublishStopped(NotAccepted("foreign_upload_host"))
        headers = {"Content-Type": mime_type, "Content-Length": str(size)}
        headers |= {} if token is None else bearer(token)
        try:
            response = await http.exchange(self._client, "PUT", url, content=content, headers=headers)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if not response.is_success:
            raise PublishStopped(self.reversible(response))
        return response

    def _is_own_host(self, url: str) -> bool:
        parts = urlsplit(url)
        if self._sandbox_url is not None:
            own = urlsplit(self._sandbox_url)
            return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "linkedin.com" or host.endswith(".linkedin.com"))

    def reversible(self, response: httpx.Response) -> NotAccepted | Rejected | NeedsReconnect:
        """What a refused upload means."""
        outcome = self.refusal(response, "one of the files of this post")
        if isinstance(outcome, Unknown):  # 5xx: whatever it did, it was no post
            return NotAccepted(outcome.code, http_status=outcome.http_status)
        return outcome

    def refusal(
        self, response: httpx.Response, what: str
    ) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
        """What a status other than 2xx means; `what` completes the sentence "LinkedIn did not accept …"."""
        status = response.status_code
        if status == 401:
            return NeedsReconnect("token_refused", status)
        if status == 408:
            return NotAccepted("platform_timeout", http_status=status)
        if status == 426:  # the version in our header has been retired: nothing the person could change
            return NotAccepted("api_version_retired", retry_after=1800, http_status=status)
        if status == 429:
            return NotAccepted("rate_limited", self._window(response), http_status=status)
        if status == 403:
            return Rejected(
                "forbidden",
                f"LinkedIn does not allow {what} with this connection. Connect the account again "
                "and allow posting.",
                status,
            )
        codes = input_codes(response)
        if codes & {"MEDIA_ASSET_PROCESSING_FAILED"}:
            return Rejected(
                "media_refused", "LinkedIn could not process one of the files. Replace the file.", status
            )
        if any(code.startswith("MEDIA_ASSET_") for code in codes):  # waiting or being processed
            return NotAccepted("media_not_ready", retry_after=5.0, http_status=status)
        if 400 <= status < 500:
            return Rejected(
                "refused",
                f"LinkedIn did not accept {what} (error {status}). Check its text and files.",
                status,
            )
        return Unknown(f"http_{status}", http_status=status)

    def _window(self, response: httpx.Response) -> float | None:
        """LinkedIn's limits are per day and end at midnight UTC (learn.microsoft.com, rate limits); an answer
        that speaks of a day waits until then."""
        wait = retry_after(response, self._now())
        message = str((json_object(response) or {}).get("message", ""))
        if wait is None and re.search(r"\bday\b|\bdaily\b", message, re.IGNORECASE):
            now = self._now().astimezone(UTC)
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            wait = (midnight - now).total_seconds()
        return wait
