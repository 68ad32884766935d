"""Scheduling: local times, posting slots, moving, series, bulk import, calendar feeds."""

from __future__ import annotations

import codecs
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Literal
from uuid import UUID

from nexora_client import errors
from nexora_client.publishing import Target
from nexora_client.rows import UNSET, Problem, Row, Unset, changes
from nexora_client.scheduling_rows import (
    CalendarFeed,
    ImportReport,
    LocalTime,
    NewCalendarFeed,
    NewSeries,
    Occurrence,
    QueueSlot,
    Series,
    SlotTime,
    TargetLocalTime,
)
from nexora_client.transport import Transport, parse_row, parse_rows, parse_value

__all__ = ["SchedulingContext"]

Ambiguity = Literal["earlier", "later"]
ImportMode = Literal["all", "valid", "check"]


class SlotsContext:
    """`client.scheduling.slots`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(self, connection_id: UUID, weekday: int, local_time: time, time_zone: str) -> QueueSlot:
        """Add a weekly posting time to an account.

        Raises:
            ValidationFailed: unknown zone (NX450), weekday not 1 to 7, seconds in the time.
            AlreadyExists: the account has it.
            NotFound: the person has no such connection.
            WrongState: too many slots.
        """
        row = {
            "connection_id": connection_id,
            "weekday": weekday,
            "local_time": local_time.isoformat(),
            "time_zone": time_zone,
        }
        return self._transport.insert(QueueSlot, "queue_slots", row)

    def update(
        self,
        slot_id: UUID,
        *,
        weekday: int | Unset = UNSET,
        local_time: time | Unset = UNSET,
        time_zone: str | Unset = UNSET,
    ) -> QueueSlot:
        """Change a slot; posts that are in it stay at their times. Raises as `add` does."""
        at = local_time.isoformat() if isinstance(local_time, time) else local_time
        columns = changes(weekday=weekday, local_time=at, time_zone=time_zone)
        return self._transport.update(QueueSlot, "queue_slots", columns, {"id": slot_id})

    def remove(self, slot_id: UUID) -> None:
        """Remove a slot; posts that are in it stay at their times."""
        self._transport.delete("queue_slots", {"id": slot_id})

    def of_connection(self, connection_id: UUID) -> tuple[QueueSlot, ...]:
        """The weekly posting times of an account."""
        return self._transport.select(
            QueueSlot, "queue_slots", {"connection_id": connection_id}, order="weekday"
        )

    def next_free(self, connection_id: UUID, after: datetime | None = None) -> SlotTime | None:
        """The next slot that no post has; None: there is none within a year. A look, not a reservation."""
        found = parse_rows(
            SlotTime, self._transport.call("next_free_slot", connection_id=connection_id, after=after)
        )
        return found[0] if found else None

    def between(self, connection_id: UUID, start: datetime, end: datetime) -> tuple[SlotTime, ...]:
        """The slots of an account in (start, end], at most 400 days, each with the target that has it."""
        answer = self._transport.call("list_slots", connection_id=connection_id, **{"from": start, "to": end})
        return parse_rows(SlotTime, answer)


class SeriesContext:
    """`client.scheduling.series`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        post_id: UUID,
        rule: str,
        starts_on: date,
        local_time: time,
        time_zone: str,
        *,
        texts: Sequence[str] = (),
        idempotency_key: UUID | None = None,
    ) -> NewSeries:
        """Repeat a post, which becomes the template: its targets stay drafts, each occurrence is a copy.

        Args:
            rule: RRULE of RFC 5545 with COUNT or UNTIL, such as "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=10".
            texts: taken in turn instead of the template's text. {n} and {date} stand for number and day.

        Raises:
            ValidationFailed: the rule (NX453 names the part), the zone (NX450), an account's rules (NX410),
                or no occurrence lies ahead (NX411).
            NotFound: the person has no such post.
            FeatureNotGranted, WrongState: as `publishing.schedule`; too many series.
        """
        answer = self._transport.call_once(
            "create_series",
            idempotency_key,
            post_id=post_id,
            rule=rule,
            starts_on=starts_on,
            local_time=local_time.isoformat(),
            time_zone=time_zone,
            texts=list(texts),
        )
        return parse_row(NewSeries, answer)

    def list(self) -> tuple[Series, ...]:
        """All series, oldest first."""
        return self._transport.select(Series, "post_series", {}, order="created_at")

    def get(self, series_id: UUID) -> Series:
        """One series; NotFound where the person has no such one."""
        return self._transport.select_one(Series, "post_series", {"id": series_id})

    def occurrences(self, series_id: UUID) -> tuple[Occurrence, ...]:
        """All occurrences, made and planned; NotFound where the person has no such series."""
        return parse_rows(Occurrence, self._transport.call("list_occurrences", series_id=series_id))

    def end(self, series_id: UUID, *, cancel_scheduled: bool = False) -> Series:
        """Make no more occurrences; with `cancel_scheduled` take back those that wait for their time."""
        answer = self._transport.call("end_series", series_id=series_id, cancel_scheduled=cancel_scheduled)
        return parse_row(Series, answer)

    def skip(self, series_id: UUID, number: int) -> None:
        """Leave one occurrence out.

        Raises:
            NotFound: there is no such series or occurrence.
            WrongState: it is being sent, or it is out.
        """
        self._transport.call("skip_occurrence", series_id=series_id, number=number)

    def prepare(self, series_id: UUID, number: int) -> UUID | None:
        """Make one occurrence now, so that its post can be edited; the post's id, None if it was skipped.

        Raises:
            NotFound: there is no such series or occurrence, or its template was deleted.
        """
        answer = self._transport.call("prepare_occurrence", series_id=series_id, number=number)
        return parse_row(_PreparedOccurrence, answer).post_id


class _PreparedOccurrence(Row, frozen=True):
    post_id: UUID | None


class CalendarFeedsContext:
    """`client.scheduling.calendar_feeds`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, name: str = "Nexora OS") -> NewCalendarFeed:
        """Make an address for calendar programs.

        Raises:
            NoWorker: no worker runs that could serve it.
            ValidationFailed: the name is empty, longer than 100, or not one line.
            WrongState: too many feeds.
        """
        return parse_row(NewCalendarFeed, self._transport.call("create_calendar_feed", name=name))

    def list(self) -> tuple[CalendarFeed, ...]:
        """The addresses that are open, oldest first."""
        return self._transport.select(CalendarFeed, "calendar_feeds", {}, order="created_at")

    def revoke(self, feed_id: UUID) -> bool:
        """End an address at once; False: there was none."""
        return parse_value(bool, self._transport.call("revoke_calendar_feed", feed_id=feed_id))


class SchedulingContext:
    """`client.scheduling`.

    Attributes:
        slots: weekly posting times.
        series: posts that come again.
        calendar_feeds: addresses for calendar programs.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.slots = SlotsContext(transport)
        self.series = SeriesContext(transport)
        self.calendar_feeds = CalendarFeedsContext(transport)

    def resolve(self, local: datetime, time_zone: str, *, ambiguity: Ambiguity = "earlier") -> LocalTime:
        """What a local time comes to, without scheduling anything.

        Args:
            local: without a zone of its own.
            ambiguity: which instant to take where clocks show the time twice.

        Raises:
            ValidationFailed: unknown zone (NX450) or a time that makes no sense.
        """
        answer = self._transport.call(
            "resolve_local_time", local=_naive(local), time_zone=time_zone, ambiguity=ambiguity
        )
        return parse_row(LocalTime, answer)

    def schedule_local(
        self,
        post_id: UUID,
        local: datetime,
        time_zone: str,
        *,
        ambiguity: Ambiguity = "earlier",
        idempotency_key: UUID | None = None,
    ) -> tuple[TargetLocalTime, ...]:
        """As `publishing.schedule`, at a local time; the rows say what became of it."""
        answer = self._transport.call_once(
            "schedule_post_local",
            idempotency_key,
            post_id=post_id,
            local=_naive(local),
            time_zone=time_zone,
            ambiguity=ambiguity,
        )
        return parse_rows(TargetLocalTime, answer)

    def reschedule_local(
        self,
        target_id: UUID,
        local: datetime,
        time_zone: str,
        *,
        ambiguity: Ambiguity = "earlier",
        idempotency_key: UUID | None = None,
    ) -> TargetLocalTime:
        """As `publishing.reschedule`, at a local time."""
        answer = self._transport.call_once(
            "reschedule_target_local",
            idempotency_key,
            target_id=target_id,
            local=_naive(local),
            time_zone=time_zone,
            ambiguity=ambiguity,
        )
        return parse_row(TargetLocalTime, answer)

    def add_to_queue(
        self, post_id: UUID, *, after: datetime | None = None, idempotency_key: UUID | None = None
    ) -> tuple[Target, ...]:
        """Schedule every target of a post into its account's next free slot; raises as `schedule`, and:

        Raises:
            WrongState: an account has no slots (NX451), or none is free (NX452).
        """
        answer = self._transport.call_once("add_to_queue", idempotency_key, post_id=post_id, after=after)
        return parse_rows(Target, answer)

    def move(
        self,
        target_id: UUID,
        at: datetime,
        *,
        revision: int | None = None,
        whole_post: bool = False,
        idempotency_key: UUID | None = None,
    ) -> tuple[Target, ...]:
        """Give a target another time, as by dragging it in a calendar.

        Args:
            revision: of the target as it was seen; None moves it whatever has happened since.
            whole_post: move the other scheduled targets of the post by the same amount.

        Returns:
            What was moved.

        Raises:
            Conflict: it was changed in the meantime (NX454).
            NotFound, WrongState, ValidationFailed, FeatureNotGranted: as `publishing.reschedule`.
        """
        answer = self._transport.call_once(
            "move_target",
            idempotency_key,
            target_id=target_id,
            at=at,
            revision=revision,
            whole_post=whole_post,
        )
        return parse_rows(Target, answer)

    def check(self, post_id: UUID, at: datetime | None = None) -> tuple[Problem, ...]:
        """What speaks against a time: the time `at`, or the one that the targets have. All are warnings."""
        return parse_rows(Problem, self._transport.call("check_schedule", post_id=post_id, at=at))

    def import_csv(
        self,
        table: str | bytes,
        *,
        mode: ImportMode = "all",
        time_zone: str | None = None,
        idempotency_key: UUID | None = None,
    ) -> ImportReport:
        """Import up to 5,000 posts from a CSV table with a header; see `import_columns`.

        Args:
            table: text, or the bytes of a file in UTF-8 (with or without byte order mark) or UTF-16 with one.
            mode: `all` or nothing, `valid` rows alone, or `check` without importing.
            time_zone: for rows that name none; None: that of the preferences.

        Raises:
            ValidationFailed: no readable table (NX457); what is wrong with single rows is in the report.
        """
        text = table if isinstance(table, str) else _decoded(table)
        answer = self._transport.call_once(
            "import_posts_csv", idempotency_key, csv=text, mode=mode, time_zone=time_zone
        )
        return parse_row(ImportReport, answer)

    def import_rows(
        self,
        rows: Sequence[Mapping[str, str | None]],
        *,
        mode: ImportMode = "all",
        time_zone: str | None = None,
        idempotency_key: UUID | None = None,
    ) -> ImportReport:
        """As `import_csv`, from objects whose fields are the columns."""
        answer = self._transport.call_once(
            "import_posts",
            idempotency_key,
            rows=[dict(row) for row in rows],
            mode=mode,
            time_zone=time_zone,
        )
        return parse_row(ImportReport, answer)

    def import_columns(self) -> dict[str, str]:
        """The columns that an import knows, each with its description."""
        columns = parse_rows(_ImportColumn, self._transport.call("list_import_columns"))
        return {column.name: column.description for column in columns}


class _ImportColumn(Row, frozen=True):
    name: str
    description: str


def _naive(local: datetime) -> str:
    if local.tzinfo is not None:
        raise errors.ValidationFailed("A local time has no zone of its own; give the zone beside it.")
    return local.isoformat()


def _decoded(table: bytes) -> str:
    encoding = "utf-16" if table.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return table.decode(encoding)
    except UnicodeDecodeError as error:
        raise errors.ValidationFailed("The file is not in UTF-8; export it again as CSV UTF-8.") from error
