"""Counting how the product is used, anonymously, for whoever does not mind (P1.7, P5.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from nexora_client.rows import Row
from nexora_client.transport import Transport, parse_rows, parse_value

__all__ = ["ScreenClass", "UsageContext", "UsageEvent"]

ScreenClass = Literal["small", "medium", "large"]


class UsageEvent(Row, frozen=True):
    """One thing that was done. The service keeps the day and the name; no time of day, no count, no person.

    Attributes:
        kind: a page that was shown, a feature that was used, or the step in which the length of a session lies.
        name: as the table `usage_names` lists it; there are no other words.
        from_page: the page before, for pages alone.
    """

    kind: Literal["page", "feature", "session"]
    name: str
    from_page: str | None = None


class UsageContext:
    """`client.usage`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def track(self, events: Sequence[UsageEvent], *, screen: ScreenClass | None = None) -> bool:
        """Count events; repeating a call counts nothing twice.

        Args:
            events: at most 50.
            screen: the class of the screen's width.

        Returns:
            Whether the person is counted; False: they opted out, and nothing was kept.

        Raises:
            ValidationFailed: NX701 a name is not on the list; NX702 too many events at once.
            RateLimited: NX703 that is all that is counted of one person in a day.
        """
        plain = [
            {"kind": event.kind, "name": event.name, **({"from": event.from_page} if event.from_page else {})}
            for event in events
        ]
        return parse_value(bool, self._transport.call("track_usage", events=plain, screen=screen))

    def is_counted(self) -> bool:
        """Whether use by this person is counted; `privacy.consents` and `profile.preferences` change it."""
        rows = parse_rows(_Switch, self._transport.call("list_purposes"))
        return any(row.is_allowed for row in rows if row.id == "product_improvement")


class _Switch(Row, frozen=True):
    id: str
    is_allowed: bool
