"""Sends the mails that are due.

What is claimed was still wanted at that moment. A mail whose outcome is unknown is sent again with the same
idempotency key, so dying anywhere here costs nobody a message and brings nobody two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

from workers.gateway import ClaimedMail, MailResult
from workers.logs import get_logger
from workers.mail.layout import render
from workers.mail.letters import Places, UnwritableError, write
from workers.mail.resend import Message, Sent

__all__ = ["MailGateway", "Sender", "compose", "run_mails"]

_REASONS: Final = {
    "security": "You get this because it concerns the safety of your account. Such mails cannot be switched off.",
    "billing": "You get this because you have an invoice with us. Such mails cannot be switched off.",
    "policy": "You get this because you have an account. Changes of the rules are told to everybody.",
    "product": "You get this because something in your account needs you.",
    "marketing": "You get this because you asked for news.",
}
_TO_OTHERS: Final = {
    "guardian_request": "You get this because somebody named you as their parent or guardian.",
    "erasure_completed": "You get this because you asked us to delete your account.",
}

_log = get_logger(__name__)


class MailGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def claim_mails(self, worker_id: UUID, limit: int) -> list[ClaimedMail]:
        """See `Gateway.claim_mails`."""
        ...

    async def report_mails(self, worker_id: UUID, results: Sequence[MailResult]) -> None:
        """See `Gateway.report_mails`."""
        ...


class Sender(Protocol):
    """`workers.mail.resend.ResendSender`, or a test's."""

    async def send(self, message: Message) -> Sent:
        """Send one message."""
        ...


async def run_mails(gateway: MailGateway, sender: Sender, places: Places, worker_id: UUID, limit: int) -> int:
    """Send what is due, one after the other, at the pace of the sender.

    Returns:
        How many were taken.

    Raises:
        GatewayError: when claiming or reporting fails; a mail that was not sent is a result, not an error.
    """
    claims = await gateway.claim_mails(worker_id, limit)
    if not claims:
        return 0
    results = [await _send(sender, places, claim) for claim in claims]
    await gateway.report_mails(worker_id, results)
    return len(claims)


def compose(claim: ClaimedMail, places: Places) -> Message:
    """The message of a claimed mail; the same at every attempt.

    Raises:
        UnwritableError: no such template, or a value is missing.
    """
    url = None
    headers: dict[str, str] = {}
    if claim.unsubscribe_token:
        url = f"{places.worker_url}/mail/unsubscribe?token={claim.unsubscribe_token}"
        headers = {
            "List-Unsubscribe": f"<{url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }  # RFC 8058
    letter = write(claim.template_id, claim.params, places)
    reason = _TO_OTHERS.get(claim.template_id) or _REASONS[claim.category_id]
    rendered = render(letter, name=claim.display_name, reason=reason, unsubscribe_url=url)
    return Message(claim.mail_id, claim.address, claim.category_id, rendered, headers)


async def _send(sender: Sender, places: Places, claim: ClaimedMail) -> MailResult:
    try:
        message = compose(claim, places)
    except UnwritableError as error:
        _log.error("mail_unwritable", subject_id=claim.mail_id, code=error.code)
        return MailResult(claim.mail_id, claim.attempt, "refused", code=error.code)
    sent = await sender.send(message)
    seconds = None if sent.retry_after is None else int(sent.retry_after + 0.999)
    return MailResult(claim.mail_id, claim.attempt, sent.outcome, sent.provider_id, sent.code, seconds)
