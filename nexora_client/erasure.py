"""Deleting the account and everything in it."""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from nexora_client.rows import Instant, Row
from nexora_client.transport import Transport, parse_row, parse_rows

__all__ = ["Erasure", "ErasureContext", "ErasureState"]


class ErasureState(StrEnum):
    """Where a request to delete the account stands."""

    REQUESTED = "requested"
    """It can still be cancelled."""
    ERASING = "erasing"
    HELD = "held"
    """A legal hold keeps a part of it back."""
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class Erasure(Row, frozen=True):
    """A request to delete the account.

    Attributes:
        cancel_until: until then the person can take it back.
        due_at: by then everything is gone, 30 days after the request at the latest.
    """

    id: UUID
    state: ErasureState
    requested_at: Instant
    cancel_until: Instant
    due_at: Instant


class ErasureContext:
    """`client.privacy.erasure`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self) -> Erasure:
        """Delete the account and everything in it, for good.

        At once: every session ends, this one included, connected accounts are disconnected, scheduled posts are
        taken back and the account is locked. Sign in again to cancel. Asking again answers the open request.
        """
        return parse_row(Erasure, self._transport.call("request_erasure"))

    def cancel(self) -> Erasure:
        """Take the request back. Accounts stay disconnected, and posts unscheduled.

        Raises:
            WrongState: NX910 it has begun.
            NotFound: NX911 there is no request.
        """
        return parse_row(Erasure, self._transport.call("cancel_erasure"))

    def get(self) -> Erasure | None:
        """The open request; None when there is none."""
        found = parse_rows(Erasure, self._transport.call("my_erasure"))
        return found[0] if found else None
