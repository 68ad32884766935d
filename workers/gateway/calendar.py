"""Calendar feeds."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from pydantic.dataclasses import dataclass

from workers.gateway.answers import checked
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW

__all__ = ["CalendarCalls", "CalendarEvent", "CalendarFeed"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class CalendarEvent:
    """One target with a time.

    Attributes:
        title: of its post; may be empty. Personal content: never log it.
        platform, handle: the account as people know it.
        state: of the target.
        starts_at: when it is or was to be published.
        sequence: grows with every change of time and with a cancellation (RFC 5545).
        changed_at: last change of target or post.
        external_url: where it stands, once published.
    """

    target_id: str
    title: str = Field(repr=False)
    platform: str
    handle: str | None = Field(default=None, repr=False)
    state: str
    starts_at: datetime
    sequence: int
    changed_at: datetime
    external_url: str | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class CalendarFeed:
    """What one address shows."""

    name: str = Field(repr=False)
    events: tuple[CalendarEvent, ...]


class CalendarCalls(Caller):
    """Calendar feeds."""

    async def read_calendar_feed(self, token_hash: str) -> CalendarFeed | None:
        """What the address with this SHA-256 (hex) shows; None: unknown or revoked.

        Repeat: harmless; writes the day of use.
        """
        data = await self._call("read_calendar_feed", {"p_token_hash": token_hash}, repeat=True)
        return None if not data else checked("read_calendar_feed", CalendarFeed, data)
