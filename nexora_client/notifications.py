"""What the service has to tell the person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from nexora_client.rows import Instant, OwnedRow
from nexora_client.transport import NEWEST_FIRST, PAGE_SIZE, Transport

__all__ = ["Notification", "NotificationsContext"]


class Notification(OwnedRow, frozen=True):
    """One notice. `code` says why, `subject_kind` and `subject_id` about what.

    Attributes:
        title: what happened, in words.
        advice: what to do.
        wants_mail: whether it is sent by mail as well.
    """

    kind: str
    subject_kind: str
    subject_id: UUID | None
    code: str | None
    created_at: Instant
    read_at: Instant | None
    wants_mail: bool
    title: str | None = None
    advice: str | None = None


class NotificationsContext:
    """`client.notifications`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, page_size: int = PAGE_SIZE) -> Iterator[Notification]:
        """Every notice, newest first, fetched `page_size` at a time."""
        return self._transport.iterate(Notification, "notices", {}, NEWEST_FIRST, page_size=page_size)

    def mark_read(self, notification_id: UUID) -> Notification:
        """Note that the person has seen it; the service keeps its own time of the first note.

        Raises:
            NotFound: the person has no such notice.
        """
        now = datetime.now(UTC)
        self._transport.update(Notification, "notifications", {"read_at": now}, {"id": notification_id})
        return self._transport.select_one(Notification, "notices", {"id": notification_id})
