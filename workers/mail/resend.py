"""Sends through Resend (`POST /emails`), one message to one address per request (P4.3).

Over httpx, not with the package `resend` (2.51 examined): its key and address are globals of a module, each call opens
a client of its own without our TLS floor, and whatever goes wrong on the way becomes "500" with the exception's text,
so that "never sent" and "perhaps sent" look alike and messages may quote an address. What is used of it is one call.

Every request carries the mail's id as `Idempotency-Key`: Resend keeps it for 24 hours, so that a message whose answer
was lost is not sent twice. Sources: "Send Email", "Idempotency Keys", "Errors", "Usage Limits" (resend.com/docs,
2026-11).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from uuid import UUID

import httpx

from workers import http
from workers.errors import ProviderError
from workers.logs import get_logger
from workers.mail.layout import Rendered
from workers.settings import MailAccount

__all__ = ["Message", "ResendSender", "Sent"]

log = get_logger(__name__)

_CONCURRENT_SECONDS: Final = 5.0
_QUOTA_SECONDS: Final = 3600.0
_SECONDS_CAP: Final = 86_400.0
# The request itself cannot be mended by sending it again. Everything else that is refused is a matter of keys, domains
# or quotas, which an operator mends while the mail waits.
_FINAL: Final = frozenset(
    {"validation_error", "missing_required_field", "invalid_parameter", "invalid_attachment"}
)
_FINAL_STATUS: Final = frozenset({400, 413, 422})


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one address.

    Attributes:
        mail_id: the mail's id, which is the idempotency key.
        to: the address; used for this request and nothing else.
        category: kind of mail, for the provider's statistics.
        rendered: subject, HTML and text.
        headers: further mail headers.
    """

    mail_id: UUID
    to: str = field(repr=False)
    category: str
    rendered: Rendered = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of it.

    Attributes:
        outcome: `sent`: taken, with the provider's id. `retry`: not taken, or nobody knows. `refused`: never will be.
        retry_after: seconds, where the provider named them.
    """

    outcome: Literal["sent", "retry", "refused"]
    provider_id: str | None = None
    code: str | None = None
    retry_after: float | None = None


class ResendSender:
    """Sends at the pace that the account allows.

    Args:
        client: from `workers.http`; shared.
        account: key, address, sender.
        clock, sleep: time; tests replace them.
    """

    def __init__(
        self,
        client: http.Client,
        account: MailAccount,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._account = account
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    async def send(self, message: Message) -> Sent:
        """Send one message; never raises for what the network or the provider does."""
        await self._keep_pace()
        headers = {
            "Authorization": f"Bearer {self._account.api_key.get_secret_value()}",
            "Idempotency-Key": str(message.mail_id),
        }
        url = f"{self._account.base_url}/emails"
        try:
            answer = await http.exchange(self._client, "POST", url, json=self._body(message), headers=headers)
        except ProviderError as error:
            return Sent("retry", code=error.code)
        return _judged(answer, message.mail_id)

    async def _keep_pace(self) -> None:
        now = self._clock()
        wait, self._next = self._next - now, max(now, self._next) + 1 / self._account.per_second
        if wait > 0:
            await self._sleep(wait)

    def _body(self, message: Message) -> dict[str, Any]:
        body: dict[str, Any] = {
            "from": self._account.sender,
            "to": [message.to],
            "subject": message.rendered.subject,
            "html": message.rendered.html,
            "text": message.rendered.text,
            # Comes back in every event, so that an event finds its mail even where our answer was lost.
            "tags": [
                {"name": "mail_id", "value": str(message.mail_id)},
                {"name": "category", "value": message.category},
            ],
        }
        if message.headers:
            body["headers"] = dict(message.headers)
        return body


def _judged(answer: httpx.Response, mail_id: UUID) -> Sent:
    document = _document(answer)
    if answer.is_success:
        provider_id = document.get("id")
        if isinstance(provider_id, str) and 0 < len(provider_id) <= 100:
            return Sent("sent", provider_id)
        return Sent("retry", code="unreadable_answer")  # the key gets the answer again
    code = document.get("name")
    code = (
        code
        if isinstance(code, str) and code.isidentifier() and len(code) <= 60
        else f"http_{answer.status_code}"
    )
    log.warning("mail_not_taken", code=code, http_status=answer.status_code, subject_id=mail_id)
    if code == "invalid_idempotent_request":
        # An earlier request with this key was taken, in other words: the message has gone.
        return Sent("sent", f"earlier:{mail_id}", "sent_before")
    if code == "concurrent_idempotent_requests":
        return Sent("retry", code=code, retry_after=_CONCURRENT_SECONDS)
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Sent("retry", code=code, retry_after=_retry_after(answer, code))
    if code in _FINAL and answer.status_code in _FINAL_STATUS:
        return Sent("refused", code=code)
    return Sent("retry", code=code)


def _document(answer: httpx.Response) -> Mapping[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _retry_after(answer: httpx.Response, code: str) -> float:
    try:
        seconds = float(answer.headers.get("retry-after", ""))
    except ValueError:
        seconds = _QUOTA_SECONDS if code.endswith("quota_exceeded") else 1.0
    return min(max(seconds, 1.0), _SECONDS_CAP)
