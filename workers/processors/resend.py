"""Takes an address off Resend's suppression list (P7.3), which keeps it without end, unlike the log of messages.

The list is the only place where Resend keeps an address: no contact is ever made there. Only people whose address
bounced or complained are on it (`private.external_accounts`), so that nobody else's is sent anywhere for this (P4.3).

Source: "Remove Suppression" (resend.com/docs, 2026-11). It needs a key with full access, and an account without that
API answers 404 to all of it: then there is no list that could be reached.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import httpx

from workers import http
from workers.errors import ProviderRateLimitedError, ProviderRefusedError, ProviderUnavailableError
from workers.settings import MailAccount

__all__ = ["ResendEraser"]


class ResendEraser:
    """See `workers.jobs.erasure.OutsideEraser`; the reference is an address.

    Args:
        client: from `workers.http`; shared.
        account: key and address of the API.
    """

    def __init__(self, client: http.Client, account: MailAccount) -> None:
        self._client = client
        self._account = account

    async def erase(self, reference: str) -> None:
        answer = await http.exchange(
            self._client,
            "DELETE",
            f"{self._account.base_url}/suppressions/{quote(reference, safe='')}",
            headers={"Authorization": f"Bearer {self._account.api_key.get_secret_value()}"},
        )
        host = urlsplit(self._account.base_url).hostname or "?"
        if answer.is_success or answer.status_code == httpx.codes.NOT_FOUND:
            return
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise ProviderRateLimitedError(host)
        if answer.is_server_error:
            raise ProviderUnavailableError(host, answer.status_code)
        raise ProviderRefusedError(host, http_status=answer.status_code)
