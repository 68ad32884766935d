"""Age counts whole calendar years in UTC; 29 February turns on 1 March."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import denied

AGE = "select private.age_in_years(%s, %s)"


@pytest.mark.parametrize(
    ("birth_date", "now", "age"),
    [
        ("2013-03-01", "2026-02-28T23:59:59.999999Z", 12),
        ("2013-03-01", "2026-03-01T00:00:00Z", 13),
        ("2008-03-01", "2026-02-28T23:59:59.999999Z", 17),
        ("2008-03-01", "2026-03-01T00:00:00Z", 18),
        ("2012-02-29", "2025-02-28T23:59:59.999999Z", 12),
        ("2012-02-29", "2025-03-01T00:00:00Z", 13),
        ("2008-02-29", "2026-02-28T23:59:59.999999Z", 17),
        ("2008-02-29", "2026-03-01T00:00:00Z", 18),
        ("2008-02-29", "2028-02-29T00:00:00Z", 20),
        ("2012-12-31", "2025-12-31T00:00:00Z", 13),
        ("2026-03-01", "2026-03-01T00:00:00Z", 0),
        ("2013-03-01", "2026-03-01T13:59:59+14:00", 12),  # the day has begun in Kiritimati, not yet in UTC
        ("2013-03-01", "2026-02-28T12:00:00-12:00", 13),  # it has not begun on Baker Island
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_age(db: Connection, zone: str, birth_date: str, now: str, age: int) -> None:
    db.execute("select set_config('timezone', %s, true)", (zone,))
    assert scalar(db, AGE, birth_date, now) == age


def test_without_a_birth_date_there_is_no_age(db: Connection) -> None:
    assert scalar(db, AGE, None, "2026-01-01") is None


PARSE = "select private.parse_birth_date(%s, '2026-03-01T12:00:00Z')::text"


@pytest.mark.parametrize("text", ["1900-01-01", "2026-03-01", "2024-02-29"])
def test_dates_are_taken(db: Connection, text: str) -> None:
    assert scalar(db, PARSE, text) == text


def test_nothing_stays_nothing(db: Connection) -> None:
    assert scalar(db, PARSE, None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1899-12-31",
        "2026-03-02",
        "2025-02-29",
        "2026-13-01",
        "01.02.2000",
        "20000101",
        "yesterday",
        " 2000-01-01",
    ],
)
def test_everything_else_is_refused(db: Connection, text: str) -> None:
    with denied(db, "NX102"):
        db.execute(PARSE, (text,))
