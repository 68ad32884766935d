"""Calendar feeds: what a person has planned, as iCalendar (RFC 5545), under an address that is itself the key.

Whatever is wrong with an address — never issued, revoked, cut off, too long — gets the same answer as a path
that does not exist. Nothing here is logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from icalendar import Calendar, Event, vText
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from workers.errors import DatabaseBusyError, TransportError
from workers.gateway import CalendarEvent, CalendarFeed

__all__ = ["CalendarGateway", "CalendarPages", "RateLimit", "render"]

_FILE: Final = re.compile(r"([A-Za-z0-9_-]{43})\.ics")  # 32 random bytes in base64url
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_DURATION: Final = timedelta(minutes=15)
_REFRESH: Final = timedelta(minutes=30)
_LOOKUPS_AT_ONCE: Final = 8
_STATUS: Final = {
    "scheduled": "CONFIRMED",
    "publishing": "CONFIRMED",
    "published": "CONFIRMED",
    "cancelled": "CANCELLED",
}  # the others did not go as planned: TENTATIVE


class CalendarGateway(Protocol):
    """The part of `workers.gateway.Gateway` that calendars use."""

    async def read_calendar_feed(self, token_hash: str) -> CalendarFeed | None: ...


class RateLimit:
    """So many requests per window and address, counted in memory: nothing about reading is stored.

    Args:
        limit: requests per window; calendar programs ask a few times per hour.
        window: how long a count lasts.
        capacity: addresses that are remembered; the one that was counted first is forgotten first.
    """

    def __init__(
        self, limit: int = 60, window: timedelta = timedelta(hours=1), capacity: int = 10_000
    ) -> None:
        self._limit = limit
        self._window = window
        self._capacity = capacity
        self._counts: OrderedDict[str, tuple[datetime, int]] = OrderedDict()

    def wait(self, key: str, now: datetime) -> timedelta | None:
        """Count a request; None: it may be answered, else how long to wait."""
        began, count = self._counts.get(key, (now, 0))
        if now - began >= self._window:
            self._counts.pop(key, None)
            began, count = now, 0
        if count >= self._limit:
            return began + self._window - now
        self._counts[key] = (began, count + 1)
        if len(self._counts) > self._capacity:
            self._counts.popitem(last=False)
        return None


class CalendarPages:
    """Serves `/calendar/<token>.ics`.

    Args:
        gateway: the database.
        clock: current time.
        limit: how often one address may be read.
    """

    def __init__(
        self, gateway: CalendarGateway, clock: Callable[[], datetime], limit: RateLimit | None = None
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._limit = limit or RateLimit()
        self._lookups = asyncio.Semaphore(_LOOKUPS_AT_ONCE)

    async def feed(self, request: Request) -> Response:
        """Answer one request: the calendar, 304 where the program has it, or 404, 429, 503."""
        named = _FILE.fullmatch(request.path_params["file"])
        if named is None:
            raise HTTPException(404)
        token_hash = hashlib.sha256(named.group(1).encode("ascii")).hexdigest()
        wait = self._limit.wait(
            token_hash, self._clock()
        )  # before the look-up: it says nothing about the token
        if wait is not None:
            raise HTTPException(429, headers=_retry_after(wait))
        feed = await self._look_up(token_hash)
        if feed is None:
            raise HTTPException(404)
        body = render(feed)
        headers = {
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Cache-Control": f"private, max-age={int(_REFRESH.total_seconds())}",
            "X-Robots-Tag": "noindex",
        }
        if _has_it(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        headers["Content-Disposition"] = 'inline; filename="nexora.ics"'
        return Response(body, media_type="text/calendar", headers=headers)

    async def _look_up(self, token_hash: str) -> CalendarFeed | None:
        async with self._lookups:
            try:
                return await self._gateway.read_calendar_feed(token_hash)
            except (TransportError, DatabaseBusyError) as error:
                raise HTTPException(503, headers=_retry_after(timedelta(minutes=1))) from error


def render(feed: CalendarFeed) -> bytes:
    """The calendar. The same feed gives the same bytes, so that its hash is its version."""
    calendar = Calendar()
    calendar.add("prodid", "-//Nexora OS//Content calendar//EN")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", vText(_plain(feed.name)))
    calendar.add("name", vText(_plain(feed.name)))  # RFC 7986
    calendar.add("refresh-interval", _REFRESH, parameters={"VALUE": "DURATION"})
    for event in feed.events:
        calendar.add_component(_event(event))
    body: bytes = calendar.to_ical()
    return body


def _event(event: CalendarEvent) -> Event:
    entry = Event()
    entry.add("uid", f"{event.target_id}@nexora")
    entry.add("dtstamp", event.changed_at)
    entry.add("last-modified", event.changed_at)
    entry.add("sequence", event.sequence)
    entry.add("dtstart", event.starts_at)
    entry.add("dtend", event.starts_at + _DURATION)
    entry.add("summary", vText(f"{_plain(event.title) or 'Post'} · {_account(event)}"))
    entry.add("description", vText(f"{_account(event)}: {event.state}"))
    entry.add("status", _STATUS.get(event.state, "TENTATIVE"))
    entry.add("transp", "TRANSPARENT")  # nobody is busy while a post is published
    if event.external_url is not None:
        entry.add("url", _CONTROL.sub("", event.external_url))
    return entry


def _account(event: CalendarEvent) -> str:
    return event.platform if event.handle is None else f"{event.platform} @{_plain(event.handle).lstrip('@')}"


def _plain(text: str) -> str:
    """Without control characters, which iCalendar cannot carry."""
    return _CONTROL.sub("", text).strip()


def _has_it(request: Request, etag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or etag in {tag.strip().removeprefix("W/") for tag in known.split(",")}


def _retry_after(wait: timedelta) -> dict[str, str]:
    return {"Retry-After": str(max(1, int(wait.total_seconds())))}
