"""`client.scheduling` against the real API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest

from nexora_client import OccurrenceState, Post, Target, TargetState, errors
from tests.client.people import Person, connect_account, worker_fact


def draft(person: Person, db_url: str, body: str = "First light.") -> tuple[Post, Target]:
    connection_id = connect_account(db_url, person.user_id)
    post = person.client.content.posts.create(body)
    return post, person.client.publishing.targets.add(post.id, connection_id)


def announce(db_url: str) -> None:
    """A worker that serves calendars."""
    worker_fact(db_url, "select worker.register_worker('w', 'https://worker.example', null)")


def test_a_local_time_comes_to_an_instant(ada: Person, db_url: str) -> None:
    scheduling = ada.client.scheduling
    gap = scheduling.resolve(datetime(2027, 3, 28, 2, 30), "Europe/Berlin")
    assert (gap.at, gap.local_time, gap.adjusted) == (
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 3, 30),
        "gap",
    )
    later = scheduling.resolve(datetime(2027, 10, 31, 2, 30), "Europe/Berlin", ambiguity="later")
    assert (later.at, later.adjusted) == (datetime(2027, 10, 31, 1, 30, tzinfo=UTC), "overlap")
    with pytest.raises(errors.ValidationFailed) as caught:
        scheduling.resolve(datetime(2027, 1, 1), "Mars/Olympus")
    assert caught.value.code == "NX450"
    with pytest.raises(errors.ValidationFailed):
        scheduling.resolve(datetime(2027, 1, 1, tzinfo=UTC), "Europe/Berlin")


def test_schedule_in_local_time_and_move(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    scheduling = ada.client.scheduling
    local = datetime(2099, 7, 1, 9)
    (row,) = scheduling.schedule_local(post.id, local, "Asia/Kolkata")
    assert (row.target_id, row.local_time, row.time_zone, row.adjusted) == (
        target.id,
        local,
        "Asia/Kolkata",
        None,
    )
    assert row.scheduled_at == datetime(2099, 7, 1, 3, 30, tzinfo=UTC)
    (moved,) = scheduling.move(target.id, row.scheduled_at + timedelta(hours=1), revision=1)
    assert (moved.revision, moved.state) == (2, TargetState.SCHEDULED)
    with pytest.raises(errors.Conflict):
        scheduling.move(target.id, row.scheduled_at, revision=1)
    again = scheduling.reschedule_local(target.id, local + timedelta(days=1), "Asia/Kolkata")
    assert again.scheduled_at == row.scheduled_at + timedelta(days=1)


def test_warnings_about_a_time(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    other = ada.client.content.posts.create("First light.")
    ada.client.publishing.targets.add(other.id, target.connection_id)
    at = datetime(2099, 7, 1, 9, tzinfo=UTC)
    ada.client.publishing.schedule(other.id, at)
    assert ada.client.scheduling.check(post.id) == ()
    warnings = ada.client.scheduling.check(post.id, at + timedelta(minutes=5))
    assert [(w.rule, w.severity, w.measured, w.target_id) for w in warnings] == [
        ("repeated_text", "warning", 1, target.id),
        ("spacing", "warning", 5, target.id),
    ]


def test_slots_and_the_queue(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    slots = ada.client.scheduling.slots
    with pytest.raises(errors.WrongState):
        ada.client.scheduling.add_to_queue(post.id)
    slot = slots.add(target.connection_id, 1, time(9), "Europe/Berlin")
    with pytest.raises(errors.AlreadyExists):
        slots.add(target.connection_id, 1, time(9), "Europe/Berlin")
    slot = slots.update(slot.id, weekday=2, local_time=time(18, 30))
    assert (slot.weekday, slot.local_time, slots.of_connection(target.connection_id)) == (
        2,
        time(18, 30),
        (slot,),
    )
    after = datetime(2099, 6, 1, tzinfo=UTC)
    free = slots.next_free(target.connection_id, after)
    assert free is not None
    (queued,) = ada.client.scheduling.add_to_queue(post.id, after=after)
    assert queued.scheduled_at == free.at
    taken, later = slots.between(target.connection_id, after, after + timedelta(days=14))
    assert (taken.target_id, later.target_id) == (target.id, None)
    slots.remove(slot.id)
    assert slots.next_free(target.connection_id) is None


def test_a_series(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    series = ada.client.scheduling.series
    day, key = date.today() + timedelta(days=2), uuid4()

    def create() -> UUID:
        new = series.create(
            post.id, "FREQ=DAILY;INTERVAL=40;COUNT=3", day, time(9), "Europe/Berlin", idempotency_key=key
        )
        assert (new.occurrence_count, new.warnings[0].rule, new.warnings[0].measured) == (
            3,
            "repeated_text",
            3,
        )
        return new.series_id

    series_id = create()
    assert create() == series_id
    assert series.list() == (series.get(series_id),)
    assert [(one.number, one.state) for one in series.occurrences(series_id)] == [
        (1, OccurrenceState.MADE), (2, OccurrenceState.MADE), (3, OccurrenceState.PLANNED)]  # fmt: skip
    made = series.occurrences(series_id)[0]
    assert made.post_id is not None
    assert ada.client.publishing.targets.of_post(made.post_id)[0].state is TargetState.SCHEDULED
    series.skip(series_id, 1)
    third = series.prepare(series_id, 3)
    assert third is not None
    assert ada.client.content.posts.get(third).body == "First light."
    ended = series.end(series_id, cancel_scheduled=True)
    assert (ended.state, ended.next_at) == ("ended", None)
    assert ada.client.publishing.targets.of_post(third)[0].state is TargetState.CANCELLED
    assert ada.client.publishing.targets.get(target.id).state is TargetState.DRAFT
    with pytest.raises(errors.ValidationFailed) as caught:
        series.create(post.id, "FREQ=DAILY", day, time(9), "UTC")
    assert (caught.value.code, caught.value.details) == ("NX453", "COUNT")


TABLE = "text;accounts;at\nÄ first;x;2099-06-01 12:00\nToo late;x;2020-01-01 12:00\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_imported(ada: Person, db_url: str, encoding: str) -> None:
    connect_account(db_url, ada.user_id)
    scheduling = ada.client.scheduling
    report = scheduling.import_csv(TABLE.encode(encoding))
    assert (report.rows, report.imported, report.refused) == (2, 0, 1)
    (problem,) = report.problems
    assert (problem.row, problem.column, problem.code, problem.severity) == (3, "at", "time_past", "error")
    report = scheduling.import_csv(TABLE, mode="valid", time_zone="America/New_York")
    (post,) = report.posts
    assert (post.row, post.is_new, ada.client.content.posts.get(post.post_id).body) == (2, True, "Ä first")
    (target,) = ada.client.publishing.targets.of_post(post.post_id)
    assert target.scheduled_at == datetime(2099, 6, 1, 16, tzinfo=UTC)


def test_rows_are_imported_once_per_key(ada: Person, db_url: str) -> None:
    scheduling, key = ada.client.scheduling, uuid4()
    rows = [{"key": "a", "text": "A"}, {"key": "b", "text": "B", "at": None}]
    first = scheduling.import_rows(rows, idempotency_key=key)
    assert first.imported == 2
    assert scheduling.import_rows(rows, idempotency_key=key) == first
    assert (scheduling.import_rows(rows).existing, scheduling.import_rows([]).rows) == (2, 0)


def test_what_is_no_table_is_refused(ada: Person) -> None:
    for table, detail in (('text\n"A', "quote in row 2"), ("colour\nred", "column 1")):
        with pytest.raises(errors.ValidationFailed) as caught:
            ada.client.scheduling.import_csv(table)
        assert (caught.value.code, caught.value.details) == ("NX457", detail)
    with pytest.raises(errors.ValidationFailed):
        ada.client.scheduling.import_csv("text\nÄ".encode("latin-1"))
    assert {"text", "accounts", "at"} <= set(ada.client.scheduling.import_columns())


def test_calendar_feeds(ada: Person, db_url: str) -> None:
    announce(db_url)
    feeds = ada.client.scheduling.calendar_feeds
    new = feeds.create("My plan")
    assert new.url.startswith("https://worker.example/calendar/")
    (feed,) = feeds.list()
    assert (feed.id, feed.name, feed.last_used_on) == (new.feed_id, "My plan", None)
    assert feeds.revoke(feed.id)
    assert not feeds.revoke(feed.id)
    assert feeds.list() == ()
    with pytest.raises(errors.ValidationFailed):
        feeds.create(" ")


def test_nobody_reaches_the_plans_of_somebody_else(ada: Person, bob: Person, db_url: str) -> None:
    """P3.6."""
    announce(db_url)
    post, target = draft(ada, db_url)
    mine = ada.client.scheduling
    slot = mine.slots.add(target.connection_id, 1, time(9), "UTC")
    series = mine.series.create(post.id, "FREQ=DAILY;COUNT=2", date(2099, 1, 1), time(9), "UTC")
    feed = mine.calendar_feeds.create()
    theirs, at = bob.client.scheduling, datetime(2099, 7, 1, 9)
    refused: list[Callable[[], object]] = [
        lambda: theirs.schedule_local(post.id, at, "UTC"),
        lambda: theirs.reschedule_local(target.id, at, "UTC"),
        lambda: theirs.move(target.id, at.replace(tzinfo=UTC)),
        lambda: theirs.check(post.id),
        lambda: theirs.add_to_queue(post.id),
        lambda: theirs.slots.add(target.connection_id, 1, time(9), "UTC"),
        lambda: theirs.slots.update(slot.id, weekday=2),
        lambda: theirs.slots.remove(slot.id),
        lambda: theirs.slots.next_free(target.connection_id),
        lambda: theirs.slots.between(target.connection_id, at.replace(tzinfo=UTC), at.replace(tzinfo=UTC)),
        lambda: theirs.series.create(post.id, "FREQ=DAILY;COUNT=2", date(2099, 1, 1), time(9), "UTC"),
        lambda: theirs.series.get(series.series_id),
        lambda: theirs.series.occurrences(series.series_id),
        lambda: theirs.series.end(series.series_id),
        lambda: theirs.series.skip(series.series_id, 1),
        lambda: theirs.series.prepare(series.series_id, 1),
    ]
    for call in refused:
        with pytest.raises(errors.NotFound):
            call()
    assert not theirs.calendar_feeds.revoke(feed.feed_id)
    assert (theirs.calendar_feeds.list(), theirs.series.list()) == ((), ())
    assert [one.id for one in mine.calendar_feeds.list()] == [feed.feed_id]
