"""Local times on both sides of every kind of clock change, against the standard library's zone rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.publishing.making import Scene, add_post, add_target
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, create_person, denied

RESOLVE = "select at, adjusted from private.local_instant(%s::timestamp, %s, %s)"
PREVIEW = "select at, local_time, adjusted from public.resolve_local_time(%s::timestamp, %s, %s)"
SCHEDULE = "select * from public.schedule_post_local(%s, %s::timestamp, %s, %s, %s)"

# zone, local time, choice, instant in UTC, what was adjusted
CASES = [
    # Germany: 02:00 to 03:00 is skipped on 28 March 2027, and shown twice on 31 October 2027
    ("Europe/Berlin", "2027-03-28 01:59", "earlier", "2027-03-28T00:59Z", None),
    ("Europe/Berlin", "2027-03-28 02:00", "earlier", "2027-03-28T01:00Z", "gap"),
    ("Europe/Berlin", "2027-03-28 02:30", "earlier", "2027-03-28T01:30Z", "gap"),
    ("Europe/Berlin", "2027-03-28 02:30", "later", "2027-03-28T01:30Z", "gap"),
    ("Europe/Berlin", "2027-03-28 03:00", "earlier", "2027-03-28T01:00Z", None),
    ("Europe/Berlin", "2027-10-31 01:59", "earlier", "2027-10-30T23:59Z", None),
    ("Europe/Berlin", "2027-10-31 02:00", "earlier", "2027-10-31T00:00Z", "overlap"),
    ("Europe/Berlin", "2027-10-31 02:30", "earlier", "2027-10-31T00:30Z", "overlap"),
    ("Europe/Berlin", "2027-10-31 02:30", "later", "2027-10-31T01:30Z", "overlap"),
    ("Europe/Berlin", "2027-10-31 03:00", "earlier", "2027-10-31T02:00Z", None),
    # New York: 14 March 2027, 7 November 2027
    ("America/New_York", "2027-03-14 01:59", "earlier", "2027-03-14T06:59Z", None),
    ("America/New_York", "2027-03-14 02:15", "earlier", "2027-03-14T07:15Z", "gap"),
    ("America/New_York", "2027-03-14 03:00", "earlier", "2027-03-14T07:00Z", None),
    ("America/New_York", "2027-11-07 00:59", "earlier", "2027-11-07T04:59Z", None),
    ("America/New_York", "2027-11-07 01:00", "earlier", "2027-11-07T05:00Z", "overlap"),
    ("America/New_York", "2027-11-07 01:00", "later", "2027-11-07T06:00Z", "overlap"),
    ("America/New_York", "2027-11-07 02:00", "earlier", "2027-11-07T07:00Z", None),
    # Lord Howe moves its clocks by half an hour: 4 April 2027 back, 3 October 2027 forward
    ("Australia/Lord_Howe", "2027-04-04 01:29", "earlier", "2027-04-03T14:29Z", None),
    ("Australia/Lord_Howe", "2027-04-04 01:30", "earlier", "2027-04-03T14:30Z", "overlap"),
    ("Australia/Lord_Howe", "2027-04-04 01:30", "later", "2027-04-03T15:00Z", "overlap"),
    ("Australia/Lord_Howe", "2027-04-04 02:00", "earlier", "2027-04-03T15:30Z", None),
    ("Australia/Lord_Howe", "2027-10-03 01:59", "earlier", "2027-10-02T15:29Z", None),
    ("Australia/Lord_Howe", "2027-10-03 02:10", "earlier", "2027-10-02T15:40Z", "gap"),
    ("Australia/Lord_Howe", "2027-10-03 02:30", "earlier", "2027-10-02T15:30Z", None),
    # Casablanca: an hour back for Ramadan (7 February 2027 at 03:00), forward after it (14 March 2027 at 02:00)
    ("Africa/Casablanca", "2027-02-07 01:59", "earlier", "2027-02-07T00:59Z", None),
    ("Africa/Casablanca", "2027-02-07 02:30", "earlier", "2027-02-07T01:30Z", "overlap"),
    ("Africa/Casablanca", "2027-02-07 02:30", "later", "2027-02-07T02:30Z", "overlap"),
    ("Africa/Casablanca", "2027-02-07 03:00", "earlier", "2027-02-07T03:00Z", None),
    ("Africa/Casablanca", "2027-03-14 02:30", "earlier", "2027-03-14T02:30Z", "gap"),
    ("Africa/Casablanca", "2027-03-14 03:00", "earlier", "2027-03-14T02:00Z", None),
    # no clock changes; leap day
    ("Asia/Kolkata", "2027-03-28 02:30", "earlier", "2027-03-27T21:00Z", None),
    ("UTC", "2028-02-29 23:59", "earlier", "2028-02-29T23:59Z", None),
    ("Europe/Berlin", "2028-02-29 02:30", "earlier", "2028-02-29T01:30Z", None),
]  # fmt: skip

ZONES = sorted(
    {case[0] for case in CASES} | {"America/St_Johns", "Asia/Kathmandu", "Pacific/Chatham", "Europe/London"}
)


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize(("zone", "local", "choice", "expected", "adjusted"), CASES)
def test_the_instant_of_a_local_time(
    db: psycopg.Connection, zone: str, local: str, choice: str, expected: str, adjusted: str | None
) -> None:
    assert rows(db, RESOLVE, local, zone, choice) == [(instant(expected), adjusted)]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    local=st.datetimes(datetime(2025, 1, 1), datetime(2029, 12, 31)).map(
        lambda at: at.replace(microsecond=0)
    ),
    later=st.booleans(),
)
def test_it_agrees_with_the_standard_library(
    db: psycopg.Connection, zone: str, local: datetime, later: bool
) -> None:
    at, adjusted = rows(db, RESOLVE, local, zone, "later" if later else "earlier")[0]
    there = ZoneInfo(zone)
    first, last = (local.replace(tzinfo=there, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == last:
        assert (at, adjusted) == (first, None)
    elif first < last:
        assert (at, adjusted) == (last if later else first, "overlap")
    else:  # PEP 495: in a gap fold=0 takes the offset before it, hence moves forward
        assert (at, adjusted) == (first, "gap")
        assert at.astimezone(there).replace(tzinfo=None) == local + (first - last)


def test_a_preview_says_what_it_comes_to(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        assert rows(scene.db, PREVIEW, "2027-03-28 02:30", "Europe/Berlin", "earlier") == [
            (instant("2027-03-28T01:30Z"), datetime(2027, 3, 28, 3, 30), "gap")
        ]


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "CET", "EST5EDT", "europe/berlin", "posix/Europe/Berlin", "", None, "+02"]
)
def test_a_zone_must_exist(scene: Scene, zone: str | None) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX450"):
        rows(scene.db, PREVIEW, "2027-03-28 02:30", zone, "earlier")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX450"):
        rows(scene.db, SCHEDULE, scene.post, "2027-03-28 02:30", zone, "earlier", None)


@pytest.mark.parametrize(
    ("local", "choice"),
    [(None, "earlier"), ("infinity", "earlier"), ("1999-12-31", "earlier"), ("294276-12-31", "later"),
     ("2027-01-01", "first"), ("2027-01-01", None)],
)  # fmt: skip
def test_time_and_choice_must_make_sense(scene: Scene, local: str | None, choice: str | None) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX002"):
        rows(scene.db, PREVIEW, local, "Europe/Berlin", choice)


def test_a_post_is_scheduled_in_local_time_and_remembers_it(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        [row] = rows(scene.db, SCHEDULE, scene.post, "2027-03-28 02:30", "Europe/Berlin", "earlier", None)
        again = rows(scene.db, SCHEDULE, scene.post, "2027-03-28 02:30", "Europe/Berlin", "earlier", None)
    at = instant("2027-03-28T01:30Z")
    assert row == (
        scene.target,
        scene.person.user_id,
        at,
        datetime(2027, 3, 28, 3, 30),
        "Europe/Berlin",
        "gap",
    )
    assert again == [row]
    assert (scene.row()["scheduled_at"], scene.row()["revision"]) == (at, 1)
    queued = scene.queued()
    assert queued is not None
    assert queued["due_at"] == at


def test_another_time_as_an_instant_ends_the_memory(scene: Scene) -> None:
    local = "select count(*) from public.target_local_times"
    with acting_as(scene.db, scene.person):
        rows(scene.db, SCHEDULE, scene.post, "2027-07-01 09:00", "Europe/Berlin", "earlier", None)
        assert scalar(scene.db, local) == 1
        rows(scene.db, "select * from public.reschedule_target(%s, '2027-07-02T09:00Z')", scene.target)
        assert scalar(scene.db, local) == 0
        [row] = rows(
            scene.db, "select local_time, time_zone from public.reschedule_target_local(%s, '2027-07-03 09:00', %s)",
            scene.target, "Asia/Kolkata",
        )  # fmt: skip
    assert row == (datetime(2027, 7, 3, 9), "Asia/Kolkata")
    assert scene.row()["scheduled_at"] == instant("2027-07-03T03:30Z")


def test_the_time_must_not_be_past(scene: Scene) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX411"):
        rows(scene.db, SCHEDULE, scene.post, "2020-01-01 09:00", "Europe/Berlin", "earlier", None)


def test_it_is_for_the_person_of_the_post(scene: Scene) -> None:
    with acting_as(scene.db, create_person(scene.db)):
        with denied(scene.db, "NX401"):
            rows(scene.db, SCHEDULE, scene.post, "2027-07-01 09:00", "UTC", "earlier", None)
        with denied(scene.db, "NX402"):
            rows(
                scene.db,
                "select * from public.reschedule_target_local(%s, '2027-07-03', 'UTC')",
                scene.target,
            )


def test_a_zone_whose_rules_changed_is_pointed_out(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        rows(scene.db, SCHEDULE, scene.post, "2027-10-31 02:30", "Europe/Berlin", "later", None)
        check = "select rule, severity, measured from public.check_schedule(%s)"
        assert rows(scene.db, check, scene.post) == []
    # What it would look like had the zone been an hour off when the post was scheduled.
    scene.db.execute("update public.target_local_times set local_time = '2027-10-31 04:30'")
    with acting_as(scene.db, scene.person):
        assert rows(scene.db, check, scene.post) == [("zone_rules", "warning", 120)]


def test_a_second_account_of_the_post_comes_along(scene: Scene) -> None:
    other = add_post(scene.db, scene.person)
    assert add_target(scene.db, scene.person, other, scene.account)
    with acting_as(scene.db, scene.person):
        found = rows(scene.db, SCHEDULE, other, "2027-07-01 09:00", "America/New_York", "earlier", None)
    assert [row[2] for row in found] == [instant("2027-07-01T09:00Z") + timedelta(hours=4)]
