"""What mails lead to: the unsubscribe link, and the provider's events.

A link that is merely opened changes nothing, because mail scanners open links; the POST does, from a mail program
(RFC 8058: body `List-Unsubscribe=One-Click`) as well as from the button of the page (P7.6).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import parse_qs
from uuid import UUID

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from workers.errors import GatewayError, RuleError
from workers.gateway import MailLink
from workers.logs import get_logger
from workers.mail.webhooks import InvalidWebhookError, verified
from workers.web.pages import choice_page, problem_page

__all__ = ["MailPages", "MailWebGateway", "form_token", "token_hash"]

_TOKEN: Final = re.compile(r"[0-9a-f]{64}")
_MAX_BODY: Final = 262_144  # bytes; an event has a few hundred
_MAX_FORM: Final = 4096

log = get_logger(__name__)


class MailWebGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def find_unsubscribe(self, token_hash: str) -> MailLink:
        """See `Gateway.find_unsubscribe`."""
        ...

    async def unsubscribe(self, token_hash: str) -> str:
        """See `Gateway.unsubscribe`."""
        ...

    async def record_mail_event(
        self,
        event_id: str,
        kind: str,
        provider_id: str | None,
        mail_id: UUID | None,
        at: datetime,
        code: str | None,
    ) -> bool:
        """See `Gateway.record_mail_event`."""
        ...


def token_hash(token: str) -> str | None:
    """Hash of a token as the database knows it; None for what cannot be one."""
    return hashlib.sha256(token.encode()).hexdigest() if _TOKEN.fullmatch(token) else None


async def read_body(request: Request, limit: int) -> bytes | None:
    """The body as it arrived; None when it is longer than `limit` bytes."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            return None
    return bytes(body)


async def form_token(request: Request) -> str:
    """The token of a POST: from the form of our page, or from the address, where mail programs leave it."""
    body = await read_body(request, _MAX_FORM) or b""
    given = parse_qs(body.decode("utf-8", "replace")).get("token", [""])[0]
    return given or request.query_params.get("token", "")


class MailPages:
    """Handlers.

    Args:
        gateway: the database.
        webhook_key: what events are signed with; None where none is configured: then they are refused.
        clock: current time.
    """

    def __init__(
        self, gateway: MailWebGateway, webhook_key: bytes | None, clock: Callable[[], datetime]
    ) -> None:
        self._gateway = gateway
        self._webhook_key = webhook_key
        self._clock = clock

    async def ask(self, request: Request) -> Response:
        """GET: which mails the link is about, with a button. Changes nothing."""
        token = request.query_params.get("token", "")
        hashed = token_hash(token)
        try:
            if hashed is None:
                return _unknown_link()
            link = await self._gateway.find_unsubscribe(hashed)
        except RuleError:
            return _unknown_link()
        if not link.is_wanted:
            return _stopped()
        return choice_page(
            title="Stop these mails?",
            paragraphs=(link.description, "You can switch them on again in the settings of your account."),
            action="/mail/unsubscribe",
            token=token,
            label="Stop these mails",
        )

    async def unsubscribe(self, request: Request) -> Response:
        """POST: stop them. A repeat is harmless."""
        hashed = token_hash(await form_token(request))
        try:
            if hashed is None:
                return _unknown_link()
            await self._gateway.unsubscribe(hashed)
        except RuleError:
            return _unknown_link()
        return _stopped()

    async def receive(self, request: Request) -> Response:
        """POST of the provider: 204 once recorded; anything else makes it try again later."""
        body = await read_body(request, _MAX_BODY)
        if self._webhook_key is None or body is None:
            return JSONResponse({"error": "not accepted"}, 404 if body is not None else 413)
        try:
            event = verified(self._webhook_key, request.headers, body, self._clock())
        except InvalidWebhookError as error:
            log.warning("webhook_refused", code=error.code)
            return JSONResponse({"error": "invalid signature"}, 400)
        if event.kind is not None:
            try:
                await self._gateway.record_mail_event(
                    event.id, event.kind, event.provider_id, event.mail_id, event.at, event.code
                )
            except GatewayError as error:
                log.warning("webhook_not_recorded", code=error.code)
                return JSONResponse({"error": "try again"}, 503)
        return Response(status_code=204)


def _stopped() -> Response:
    return choice_page(
        title="These mails have stopped",
        paragraphs=(
            "It holds from this moment on.",
            "Mails about the safety of your account, invoices and changes of the rules still come.",
        ),
    )


def _unknown_link() -> Response:
    return problem_page(
        title="This link is not valid any more",
        message="It is unknown or too old",
        hint="Choose the mails that you want in the settings of your account.",
        code="NX804",
        status=404,
    )
