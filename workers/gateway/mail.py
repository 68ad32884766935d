"""Mails: claimed, reported, what became of them, and the links that stand in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field
from pydantic.dataclasses import dataclass

from workers.gateway.answers import instant, optional_scalar, scalar
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW, document

__all__ = ["ClaimedMail", "MailCalls", "MailLink", "MailResult"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ClaimedMail:
    """A mail that is due, leased to this worker. The address is for this message alone (P4.3).

    Attributes:
        mail_id: idempotency key at the provider.
        params: values for the template.
        display_name: whom to greet; None where nobody is known by name.
        unsubscribe_token: for the link; None where this kind of mail cannot be switched off.
    """

    mail_id: UUID
    attempt: int
    category_id: str
    template_id: str
    params: dict[str, Any] = Field(repr=False)
    address: str = Field(repr=False)
    display_name: str | None = Field(default=None, repr=False)
    unsubscribe_token: str | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True, config=ROW)
class MailResult:
    """Outcome of one mail, as `worker.report_mails` takes it."""

    mail_id: UUID
    attempt: int
    outcome: Literal["sent", "retry", "refused"]
    provider_id: str | None = None
    code: str | None = None
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class MailLink:
    """What the unsubscribe link of a mail is about."""

    category_id: str
    description: str
    is_wanted: bool


class MailCalls(Caller):
    """Mails."""

    async def claim_mails(self, worker_id: UUID, limit: int) -> list[ClaimedMail]:
        """Lease due mails. Repeat: NOT after a lost answer (see the package's text)."""
        return await self._rows(
            ClaimedMail, "claim_mails", {"p_worker_id": str(worker_id), "p_limit": limit}, repeat=False
        )

    async def next_mail_due(self) -> datetime | None:
        """When the next mail is due; None when none waits. Repeat: reads only."""
        return optional_scalar("next_mail_due", datetime, await self._call("next_mail_due", repeat=True))

    async def report_mails(self, worker_id: UUID, results: Sequence[MailResult]) -> None:
        """Report outcomes. Repeat: harmless, each counts once."""
        await self._call(
            "report_mails",
            {"p_worker_id": str(worker_id), "p_results": [document(result) for result in results]},
            repeat=True,
        )

    async def record_mail_event(
        self,
        event_id: str,
        kind: str,
        provider_id: str | None,
        mail_id: UUID | None,
        at: datetime,
        code: str | None,
    ) -> bool:
        """Record what the provider told; False: known already, or about no mail of ours. Repeat: harmless."""
        data = await self._call(
            "record_mail_event",
            {
                "p_event_id": event_id,
                "p_kind": kind,
                "p_provider_id": provider_id,
                "p_mail_id": None if mail_id is None else str(mail_id),
                "p_at": instant(at),
                "p_code": code,
            },
            repeat=True,
        )
        return scalar("record_mail_event", bool, data)

    async def find_unsubscribe(self, token_hash: str) -> MailLink:
        """What a link would switch off. Repeat: reads only.

        Raises:
            RuleError: NX804 there is no such link.
        """
        return await self._row(MailLink, "find_unsubscribe", {"p_token_hash": token_hash}, repeat=True)

    async def unsubscribe(self, token_hash: str) -> str:
        """Switch it off; answers the category. Repeat: harmless.

        Raises:
            RuleError: NX804 there is no such link.
        """
        return scalar(
            "unsubscribe", str, await self._call("unsubscribe", {"p_token_hash": token_hash}, repeat=True)
        )
