"""Recurrence rules of RFC 5545, compared with the implementation of python-dateutil."""

from __future__ import annotations

from datetime import date, datetime, time

import psycopg
import pytest
from dateutil.rrule import rrulestr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.querying import rows
from tests.support.personas import denied

DAYS = """select number, occurs_on from private.rule_days(private.parse_rrule(%s, %s), %s, %s, %s::date)"""
WEEKDAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]


def days(
    db: psycopg.Connection,
    rule: str,
    start: date,
    through: date = date(2100, 1, 1),
    at: time = time(9),
    zone: str = "UTC",
) -> list[date]:
    found = rows(db, DAYS, rule, zone, start, at, through)
    assert [number for number, _ in found] == list(range(1, len(found) + 1))
    return [day for _, day in found]


def some(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(values, min_size=1, max_size=4, unique=True).map(",".join)


ordinals = st.tuples(st.sampled_from([-5, -2, -1, 1, 2, 3, 4, 5]), st.sampled_from(WEEKDAYS)).map(
    lambda x: f"{x[0]}{x[1]}"
)
month_days = st.one_of(st.integers(1, 31), st.integers(-31, -1)).map(str)
shapes = st.one_of(
    st.just("FREQ=DAILY"),
    st.just("FREQ=WEEKLY"),
    st.just("FREQ=MONTHLY"),
    some(st.sampled_from(WEEKDAYS)).map("FREQ=WEEKLY;WKST=MO;BYDAY={}".format),
    some(ordinals).map("FREQ=MONTHLY;BYDAY={}".format),
    some(month_days).map("FREQ=MONTHLY;BYMONTHDAY={}".format),
)
ends = st.one_of(
    st.integers(1, 40).map("COUNT={}".format),
    st.dates(date(2026, 1, 1), date(2029, 12, 31)).map("UNTIL={:%Y%m%d}".format),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=shapes, interval=st.integers(1, 5), end=ends, start=st.dates(date(2026, 1, 1), date(2028, 12, 31))
)
def test_it_agrees_with_dateutil(
    db: psycopg.Connection, shape: str, interval: int, end: str, start: date
) -> None:
    rule = f"{shape};INTERVAL={interval};{end}"
    horizon = date(start.year + 9, 1, 1)
    # dateutil reads an UNTIL without a time as midnight; ours is the whole day, as RFC 5545 has it for days.
    until = f"{rule}T235959" if "UNTIL" in rule else rule
    expected = [
        at.date() for at in rrulestr(until, dtstart=datetime.combine(start, time(9))) if at.date() <= horizon
    ]
    assert days(db, rule, start, horizon) == expected[:1000]


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", "2027-01-01", ["2027-01-31", "2027-03-31", "2027-05-31"]),
        ("FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3", "2028-01-15", ["2028-01-31", "2028-02-29", "2028-03-31"]),
        ("FREQ=MONTHLY;COUNT=3", "2028-01-29", ["2028-01-29", "2028-02-29", "2028-03-29"]),
        ("FREQ=MONTHLY;COUNT=3", "2027-01-29", ["2027-01-29", "2027-03-29", "2027-04-29"]),
        ("FREQ=MONTHLY;BYDAY=2TU;COUNT=2", "2027-01-13", ["2027-02-09", "2027-03-09"]),
        (
            "rrule:freq=daily;interval=2;until=20270105",
            "2027-01-01",
            ["2027-01-01", "2027-01-03", "2027-01-05"],
        ),
    ],
)
def test_examples(db: psycopg.Connection, rule: str, start: str, expected: list[str]) -> None:
    assert days(db, rule, date.fromisoformat(start)) == [date.fromisoformat(day) for day in expected]


@pytest.mark.parametrize(
    ("until", "count"), [("20270103T075959Z", 2), ("20270103T080000Z", 3), ("20270103T080001Z", 3)]
)
def test_until_as_an_instant_is_inclusive(db: psycopg.Connection, until: str, count: int) -> None:
    rule = f"FREQ=DAILY;UNTIL={until}"
    assert len(days(db, rule, date(2027, 1, 1), at=time(9), zone="Europe/Berlin")) == count


def test_every_series_has_an_end(db: psycopg.Connection) -> None:
    assert len(days(db, "FREQ=DAILY;UNTIL=21000101", date(2027, 1, 1))) == 1000
    assert days(db, "FREQ=MONTHLY;UNTIL=21000101", date(2027, 1, 1))[-1] == date(2037, 1, 1)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (None, "RRULE"), ("", "RRULE"), ("DAILY", "RRULE"), ("FREQ=DAILY;FREQ=DAILY;COUNT=1", "RRULE"),
        ("FREQ=DAILY;COUNT=1;", "RRULE"), ("FREQ=DAILY;COUNT=1;" + "X" * 500 + "=1", "RRULE"),
        ("COUNT=1", "FREQ"), ("FREQ=YEARLY;COUNT=1", "FREQ"), ("FREQ=HOURLY;COUNT=1", "FREQ"),
        ("FREQ=DAILY", "COUNT"), ("FREQ=DAILY;COUNT=0", "COUNT"), ("FREQ=DAILY;COUNT=1001", "COUNT"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "COUNT"),
        ("FREQ=DAILY;UNTIL=20270230", "UNTIL"), ("FREQ=DAILY;UNTIL=20270101T250000Z", "UNTIL"),
        ("FREQ=DAILY;UNTIL=20270101T090000", "UNTIL"), ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL"),
        ("FREQ=DAILY;INTERVAL=0;COUNT=1", "INTERVAL"), ("FREQ=DAILY;INTERVAL=1000;COUNT=1", "INTERVAL"),
        ("FREQ=DAILY;BYDAY=MO;COUNT=1", "BYDAY"), ("FREQ=WEEKLY;BYDAY=1MO;COUNT=1", "BYDAY"),
        ("FREQ=WEEKLY;BYDAY=XX;COUNT=1", "BYDAY"), ("FREQ=MONTHLY;BYDAY=MO;COUNT=1", "BYDAY"),
        ("FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=1;COUNT=1", "BYDAY"), ("FREQ=MONTHLY;BYDAY=6MO;COUNT=1", "BYDAY"),
        ("FREQ=MONTHLY;BYMONTHDAY=32;COUNT=1", "BYMONTHDAY"), ("FREQ=MONTHLY;BYMONTHDAY=0;COUNT=1", "BYMONTHDAY"),
        ("FREQ=WEEKLY;BYMONTHDAY=1;COUNT=1", "BYMONTHDAY"),
        ("FREQ=WEEKLY;WKST=SU;COUNT=1", "WKST"), ("FREQ=DAILY;BYSETPOS=1;COUNT=1", "BYSETPOS"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_named(db: psycopg.Connection, rule: str | None, part: str) -> None:
    with pytest.raises(psycopg.Error) as caught, db.transaction():
        rows(db, "select private.parse_rrule(%s, 'UTC')", rule)
    assert (caught.value.sqlstate, caught.value.diag.message_detail) == ("NX453", part)


def test_a_rule_that_is_no_rule_is_refused(db: psycopg.Connection) -> None:
    with denied(db, "NX453"):
        rows(db, "select private.parse_rrule('FREQ=DAILY;COUNT=1;drop table=1', 'UTC')")
