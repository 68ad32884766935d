"""Using the rights over one's data, and reading the answers."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from nexora_client.account import AccountState
from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_row, parse_rows, parse_value

__all__ = ["Right", "RightsContext", "RightsRequest", "RightsRequestState"]


class Right(StrEnum):
    """What a person can ask for.

    `DELETE` and `EXPORT` are asked for by `privacy.erasure.request` and `privacy.request_export`, and appear among the
    requests by themselves.
    """

    ACCESS = "access"
    """What is held, where from, who got it; `privacy.my_data` shows most of it at once."""
    CORRECT = "correct"
    """Something that the person cannot change themselves."""
    OBJECT = "object"
    """Switches off at once everything that can be switched off."""
    RESTRICT = "restrict"
    """Has the data kept and nothing else done with it, until `lift_restriction`."""
    DELETE = "delete"
    EXPORT = "export"


class RightsRequestState(StrEnum):
    """Where a request stands."""

    OPEN = "open"
    ANSWERED = "answered"
    REFUSED = "refused"
    """With the reason as its answer."""
    WITHDRAWN = "withdrawn"
    """Taken back by the person."""


class RightsRequest(Row, frozen=True):
    """One use of a right.

    Attributes:
        details: what the person asked for, in their words.
        due_at: by then it is answered, 30 days after it was received.
        answer_hash: proof of the answer: SHA-256 of id, state, `closed_at` (UTC, microseconds) and answer, joined
            by `|`.
        subject_id: the export or erasure that carries it out.
    """

    id: UUID
    kind: Right
    details: str
    state: RightsRequestState
    received_at: Instant
    due_at: Instant
    closed_at: Instant | None
    answer: str | None
    answer_hash: str | None
    subject_id: UUID | None


class RightsContext:
    """`client.privacy.rights`. Works in every state of the account."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self, kind: Right, details: str = "") -> RightsRequest:
        """Use a right. The same words again answer the request that is open.

        Args:
            kind: `ACCESS`, `CORRECT`, `OBJECT` or `RESTRICT`.
            details: what it is about, up to 4,000 characters.

        Raises:
            ValidationFailed: NX002, another kind, or too many words.
            RateLimited: NX962.
        """
        return parse_row(
            RightsRequest, self._transport.call("request_right", kind=kind.value, details=details)
        )

    def list(self) -> tuple[RightsRequest, ...]:
        """Every right that the person has used, newest first."""
        return parse_rows(RightsRequest, self._transport.call("my_requests"))

    def withdraw(self, request_id: UUID) -> RightsRequest:
        """Take back a request that waits for an answer.

        Raises:
            NotFound: NX960, the person has no such request.
            WrongState: NX961, it is closed, or an export or a deletion, which have `cancel` methods.
        """
        return parse_row(RightsRequest, self._transport.call("withdraw_request", request_id=request_id))

    def lift_restriction(self) -> AccountState:
        """End the restriction; the state of the account afterwards. Posts that were taken back stay so."""
        return parse_value(AccountState, self._transport.call("lift_restriction"))
