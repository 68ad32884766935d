"""Rows of scheduling."""

from __future__ import annotations

from datetime import date, datetime, time
from enum import StrEnum
from typing import Literal
from uuid import UUID

from nexora_client.rows import Instant, OwnedRow, Problem, Row

__all__ = [
    "CalendarFeed",
    "ImportProblem",
    "ImportReport",
    "ImportedPost",
    "LocalTime",
    "NewCalendarFeed",
    "NewSeries",
    "Occurrence",
    "OccurrenceState",
    "QueueSlot",
    "Series",
    "SlotTime",
    "TargetLocalTime",
]

Adjusted = Literal["gap", "overlap"]


class LocalTime(Row, frozen=True):
    """What a local time comes to.

    Attributes:
        at: the instant.
        local_time: as a clock there shows it then; later than what was asked for where that does not exist.
        adjusted: `gap`: clocks skip the time on that day, it was moved forward. `overlap`: they show it twice.
    """

    at: Instant
    local_time: datetime
    adjusted: Adjusted | None


class TargetLocalTime(Row, frozen=True):
    """The local time and zone that a target was given; see `LocalTime`."""

    target_id: UUID
    user_id: UUID
    scheduled_at: Instant
    local_time: datetime
    time_zone: str
    adjusted: Adjusted | None


class QueueSlot(OwnedRow, frozen=True):
    """A weekly posting time of an account.

    Attributes:
        weekday: 1 Monday to 7 Sunday, in the zone of the slot.
        local_time: whole minutes.
        time_zone: IANA name.
    """

    connection_id: UUID
    weekday: int
    local_time: time
    time_zone: str
    created_at: Instant
    updated_at: Instant


class SlotTime(Row, frozen=True):
    """A slot in one week.

    Attributes:
        target_id: who has it; None: it is free.
    """

    at: Instant
    slot_id: UUID
    time_zone: str
    adjusted: Adjusted | None
    target_id: UUID | None = None


class OccurrenceState(StrEnum):
    """Where an occurrence of a series stands: `planned` ones have no post yet."""

    PLANNED = "planned"
    MADE = "made"
    SKIPPED = "skipped"
    MISSED = "missed"


class Occurrence(Row, frozen=True):
    """One occurrence of a series.

    Attributes:
        number: its place in the series, from 1; the same for ever.
        occurs_on: its day, in the zone of the series.
        at: its instant.
        post_id: its post, an ordinary one: edit, move or cancel it like any other.
    """

    number: int
    occurs_on: date
    at: Instant
    adjusted: Adjusted | None
    state: OccurrenceState
    post_id: UUID | None


class Series(OwnedRow, frozen=True):
    """A post that comes again.

    Attributes:
        post_id: the template; None once it was deleted.
        rule: RRULE of RFC 5545.
        texts: taken in turn instead of the template's text.
        next_at: when the next occurrence that is not made yet is to be published.
    """

    post_id: UUID | None
    rule: str
    starts_on: date
    local_time: time
    time_zone: str
    texts: tuple[str, ...]
    state: Literal["active", "ended"]
    next_number: int
    next_at: Instant | None
    created_at: Instant
    updated_at: Instant


class NewSeries(Row, frozen=True):
    """A series that was just created.

    Attributes:
        occurrence_count: occurrences that lie ahead.
        warnings: accounts on which the same text would come again, which platforms refuse.
    """

    series_id: UUID
    occurrence_count: int
    next_at: Instant | None
    warnings: tuple[Problem, ...]


class ImportedPost(Row, frozen=True):
    """What a row became; `is_new` is False where its key was imported before."""

    row: int
    post_id: UUID
    is_new: bool


class ImportProblem(Row, frozen=True):
    """What is wrong with one column of one row.

    Attributes:
        row: as a spreadsheet numbers it (the header is row 1); from 1 for `import_rows`.
        code: short name, such as `time_past`, or the platform's rule, such as `text_length`.
        severity: an `error` keeps the row from being imported.
    """

    row: int
    column: str
    code: str
    severity: Literal["error", "warning"]
    message: str


class ImportReport(Row, frozen=True):
    """What came of an import."""

    rows: int
    imported: int
    existing: int
    refused: int
    posts: tuple[ImportedPost, ...]
    problems: tuple[ImportProblem, ...]


class CalendarFeed(OwnedRow, frozen=True):
    """An address for calendar programs, without its secret.

    Attributes:
        last_used_on: day (UTC) on which it was last read.
    """

    name: str
    created_at: Instant
    last_used_on: date | None


class NewCalendarFeed(Row, frozen=True):
    """An address that was just made. `url` is shown this once; whoever knows it can read what is planned."""

    feed_id: UUID
    url: str
