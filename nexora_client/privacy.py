"""What is held about the person, and their rights over it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal
from uuid import UUID

from nexora_client.consents import ConsentsContext
from nexora_client.erasure import ErasureContext
from nexora_client.rights import RightsContext
from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_row, parse_rows, parse_value

__all__ = ["Export", "ExportState", "HeldData", "LawfulBasis", "PrivacyContext"]

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


class ExportState(StrEnum):
    """Where an export stands."""

    REQUESTED = "requested"
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Export(Row, frozen=True):
    """An archive of everything about the person.

    Attributes:
        expires_at: when the archive is deleted: seven days after it was made.
        rows_done, rows_total, files_done, files_total: how far it is.
        size_bytes, sha256: of the archive.
        omission_count: files that were listed and could not be read; the archive's manifest names them.
        code: why it failed, or why something is missing.
    """

    id: UUID
    state: ExportState
    requested_at: Instant
    ended_at: Instant | None
    expires_at: Instant | None
    rows_total: int
    rows_done: int
    files_total: int
    files_done: int
    size_bytes: int | None
    sha256: str | None
    omission_count: int
    code: str | None


class PrivacyContext:
    """`client.privacy`.

    Attributes:
        consents: what data may be used for, and who receives it.
        erasure: deleting the account.
        rights: the other rights, and every request with its answer.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.consents = ConsentsContext(transport)
        self.erasure = ErasureContext(transport)
        self.rights = RightsContext(transport)

    def my_data(self) -> tuple[HeldData, ...]:
        """Everything that is held about the person, place by place."""
        return parse_rows(HeldData, self._transport.call("my_data"))

    def request_export(self) -> Export:
        """Have everything put into one archive; the one under way is returned.

        Raises:
            NotSignedIn: NX920, the sign-in is more than an hour ago.
        """
        return parse_row(Export, self._transport.call("request_export"))

    def exports(self) -> tuple[Export, ...]:
        """The person's exports, newest first."""
        return parse_rows(Export, self._transport.call("my_exports"))

    def open_export(self, export_id: UUID) -> str:
        """A link that leads to the archive, once, within two minutes. Open it; do not keep or send it.

        Raises:
            NotFound: the person has no such export.
            NotSignedIn: NX920, the sign-in is more than an hour ago.
            WrongState: NX922, it is not ready, or its archive is deleted.
        """
        return parse_value(str, self._transport.call("open_export", export_id=export_id))

    def cancel_export(self, export_id: UUID) -> Export:
        """Stop an export, or have its archive deleted now.

        Raises:
            NotFound: the person has no such export.
        """
        return parse_row(Export, self._transport.call("cancel_export", export_id=export_id))
