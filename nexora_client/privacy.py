"""What is held about the person, and their rights over it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from nexora_client.consents import ConsentsContext
from nexora_client.erasure import ErasureContext
from nexora_client.rows import Row
from nexora_client.transport import Transport, parse_rows

__all__ = ["HeldData", "LawfulBasis", "PrivacyContext"]

Withheld = Literal["exclude_secret", "exclude_third_party", "exclude_derived"]


class LawfulBasis(StrEnum):
    """Why data may be processed: Article 6 of the GDPR."""

    CONTRACT = "contract"
    CONSENT = "consent"
    LEGAL_OBLIGATION = "legal_obligation"
    LEGITIMATE_INTEREST = "legitimate_interest"


class HeldData(Row, frozen=True):
    """What is held about the person in one place.

    Attributes:
        area: what it belongs to, as in an export: `posts`, `profile`.
        place: table, bucket, queue, backup; `public.posts`.
        kind: `column` (a table), `bucket`, `queue`, `log`, `backup` or `external`.
        categories: kinds of personal data, in the terms of fideslang.
        fields: the columns that an export holds.
        withheld: the others: secrets, data of third parties, and what is derived.
        row_count: rows or files of the person; None where they cannot be counted.
        sources: where it comes from, in words.
        purpose, purpose_description, lawful_basis: what it is used for, and why it may be.
        kept: for how long, in words.
        is_exported: whether an export holds any of it.
    """

    area: str
    place: str
    kind: str
    categories: tuple[str, ...]
    fields: tuple[str, ...] | None
    withheld: dict[str, Withheld] | None
    row_count: int | None
    sources: tuple[str, ...]
    purpose: str
    purpose_description: str
    lawful_basis: LawfulBasis
    kept: str
    is_exported: bool


class PrivacyContext:
    """`client.privacy`.

    Attributes:
        consents: what data may be used for, and who receives it.
        erasure: deleting the account.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.consents = ConsentsContext(transport)
        self.erasure = ErasureContext(transport)

    def my_data(self) -> tuple[HeldData, ...]:
        """Everything that is held about the person, place by place."""
        return parse_rows(HeldData, self._transport.call("my_data"))
