"""Which mails the person wants."""

from __future__ import annotations

from enum import StrEnum

from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_rows

__all__ = ["MailCategory", "MailChoice", "MailContext"]


class MailCategory(StrEnum):
    """A kind of mail. Security, billing and policy mails cannot be switched off (P7.6)."""

    SECURITY = "security"
    BILLING = "billing"
    POLICY = "policy"
    PRODUCT = "product"
    MARKETING = "marketing"


class MailChoice(Row, frozen=True):
    """What holds for one kind of mail.

    Attributes:
        description: what such mails are about.
        is_mandatory: part of every account; cannot be switched off.
        needs_consent: switched on by a consent alone, in the words that the service gives for it.
        is_wanted: whether such mails are sent.
        changed_at: when the person chose; None where the default holds.
    """

    id: MailCategory
    description: str
    is_mandatory: bool
    needs_consent: bool
    is_wanted: bool
    changed_at: Instant | None


class MailContext:
    """`client.mail`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def choices(self) -> tuple[MailChoice, ...]:
        """Every kind of mail with what holds for the person, chosen or by default."""
        return parse_rows(MailChoice, self._transport.call("list_mail_choices"))

    def choose(self, category: MailCategory, is_wanted: bool) -> None:
        """Switch a kind of mail on or off; holds at once.

        Raises:
            Forbidden: NX801 it cannot be switched off; NX802 it is switched on by a consent alone.
        """
        self._transport.call("choose_mail", category=category.value, is_wanted=is_wanted)
