"""What data of the person may be used for, and who receives it."""

from __future__ import annotations

from uuid import UUID

from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_row, parse_rows

__all__ = ["Choice", "ConsentsContext", "Processor", "Purpose"]


class Purpose(Row, frozen=True):
    """One use of data.

    Attributes:
        lawful_basis: `contract`, `consent`, `legal_obligation` or `legitimate_interest` (Article 6 GDPR).
        may_be_refused: whether the person has a say; `give` and `withdraw` work for these alone.
        is_allowed: whether it may be done now.
        text_version, body: the current words of the choice, where there is one.
    """

    id: str
    description: str
    lawful_basis: str
    may_be_refused: bool
    is_allowed: bool
    text_version: int | None
    body: str | None


class Choice(Row, frozen=True):
    """One entry in the log of what the person allowed and refused."""

    id: UUID
    purpose_id: str
    is_given: bool
    text_version: int | None
    method: str
    at: Instant


class Processor(Row, frozen=True):
    """Who processes data on behalf of the service.

    Attributes:
        receives: what it gets, and no more.
        countries: ISO 3166 codes of where it processes.
        safeguard: what protects data there, e.g. `standard_contractual_clauses`.
        purposes: ids of what it receives data for.
    """

    id: str
    display_name: str
    task: str
    receives: str
    countries: tuple[str, ...]
    safeguard: str
    purposes: tuple[str, ...]


class ConsentsContext:
    """`client.privacy.consents`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def purposes(self) -> tuple[Purpose, ...]:
        """Everything that data is used for, and whether that is allowed now."""
        return parse_rows(Purpose, self._transport.call("list_purposes"))

    def give(self, purpose: str, text_version: int, *, method: str = "settings") -> Choice:
        """Agree to a purpose, in the words that were shown.

        Args:
            text_version: of the words that were shown, from `purposes`.
            method: where the choice was made, a word in snake_case.

        Raises:
            ValidationFailed: NX901 there is no choice.
            Conflict: NX902 the words have changed; show the new ones.
        """
        answer = self._transport.call("give_consent", purpose=purpose, version=text_version, method=method)
        return parse_row(Choice, answer)

    def withdraw(self, purpose: str) -> Choice:
        """Refuse a purpose, or take consent back; holds at once.

        Raises:
            ValidationFailed: NX901 there is no choice.
        """
        return parse_row(Choice, self._transport.call("withdraw_consent", purpose=purpose))

    def processors(self) -> tuple[Processor, ...]:
        """Who processes data on behalf of the service: what for, where, under which safeguard."""
        return parse_rows(Processor, self._transport.call("list_processors"))
