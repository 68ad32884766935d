"""What follows a post on one account, and what publishing cost."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from nexora_client.rows import Instant, OwnedRow, Row
from nexora_client.transport import Transport

__all__ = ["FollowUp", "FollowUpsContext", "MonthlyCost"]


class FollowUp(OwnedRow, frozen=True):
    """One part: of a thread on X, or the first comment elsewhere. `external_id` is empty until it is out."""

    target_id: UUID
    position: int
    body: str
    external_id: str | None
    external_url: str | None
    published_at: Instant | None
    created_at: Instant
    updated_at: Instant


class MonthlyCost(Row, frozen=True):
    """What a platform charged for publishing in one month (UTC).

    Attributes:
        month: its first day.
        calls: how many calls were charged.
        amount_micros: millionths of the currency.
    """

    user_id: UUID
    month: date
    platform_id: str
    currency: str
    calls: int
    amount_micros: int


class FollowUpsContext:
    """`client.publishing.follow_ups`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(self, target_id: UUID, body: str, *, position: int | None = None) -> FollowUp:
        """Add a part behind the others of a draft or scheduled target.

        Args:
            body: its text.
            position: from 1, each once per target; without it the next free one.

        Raises:
            NotFound: the person has no such target.
            AlreadyExists: the position is taken.
            ValidationFailed: the target is scheduled and could no longer be published.
        """
        if position is None:
            position = max((part.position for part in self.of_target(target_id)), default=0) + 1
        row = {"target_id": target_id, "position": position, "body": body}
        return self._transport.insert(FollowUp, "target_follow_ups", row)

    def of_target(self, target_id: UUID) -> tuple[FollowUp, ...]:
        """The parts of a target, in their order."""
        return self._transport.select(
            FollowUp, "target_follow_ups", {"target_id": target_id}, order="position"
        )

    def set_body(self, follow_up_id: UUID, body: str) -> FollowUp:
        """Change the text of a part that is not out yet.

        Raises:
            NotFound: the person has no such part, or it is out.
        """
        return self._transport.update(FollowUp, "target_follow_ups", {"body": body}, {"id": follow_up_id})

    def remove(self, follow_up_id: UUID) -> None:
        """Remove a part that is not out yet.

        Raises:
            NotFound: the person has no such part, or it is out.
        """
        self._transport.delete("target_follow_ups", {"id": follow_up_id})
