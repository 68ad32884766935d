"""The states of an account, and the birthday that changes one."""

from __future__ import annotations

from typing import LiteralString

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

STATE = "select state from private.accounts where user_id = %s"


@pytest.mark.parametrize(
    ("birth_date", "consent", "now", "state"),
    [
        (None, None, "2026-03-01", "incomplete"),
        ("2008-03-02", None, "2026-03-01T23:59:59Z", "awaiting_guardian"),
        ("2008-03-02", None, "2026-03-02T00:00:00Z", "active"),
        ("2008-03-02", "2026-01-01", "2026-03-01T23:59:59Z", "active"),
        ("1990-01-01", None, "2026-03-01", "active"),
    ],
)
def test_the_state_follows_from_age_and_consent(
    db: Connection, birth_date: str | None, consent: str | None, now: str, state: str
) -> None:
    assert scalar(db, "select private.account_state(%s, %s, %s)", birth_date, consent, now) == state


@pytest.mark.parametrize(
    "change",
    [
        "state = 'unknown'",
        "state = 'incomplete'",
        "birth_date = null",
        "state = 'locked'",
        "locked_at = now()",
        "birth_date = '1899-12-31'",
    ],
)
def test_unlawful_states_are_refused(db: Connection, change: LiteralString) -> None:
    person = create_person(db)
    with denied(db, "23514"):
        db.execute("update private.accounts set " + change + " where user_id = %s", (person.user_id,))


@pytest.mark.parametrize(
    ("birth_date", "now", "state"),
    [
        ("2012-02-29", "2030-02-28T23:59:59Z", "awaiting_guardian"),
        ("2012-02-29", "2030-03-01T00:00:00Z", "active"),
        ("2012-05-05", "2030-05-04T23:59:59Z", "awaiting_guardian"),
        ("2012-05-05", "2030-05-05T00:00:00Z", "active"),
    ],
)
def test_the_18th_birthday_opens_the_account(db: Connection, birth_date: str, now: str, state: str) -> None:
    person = create_person(db, birth_date=birth_date)
    assert scalar(db, STATE, person.user_id) == "awaiting_guardian"
    for _ in range(2):
        db.execute("select private.activate_adults(%s)", (now,))
        assert scalar(db, STATE, person.user_id) == state
    written = scalar(db, "select count(*) from private.audit_events where action = 'account_came_of_age'")
    assert written == int(state == "active")


def test_a_locked_account_stays_locked_on_that_day(db: Connection) -> None:
    person = create_person(db, birth_date="2012-05-05")
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (person.user_id,),
    )
    db.execute("select private.activate_adults('2030-06-01')")
    assert scalar(db, STATE, person.user_id) == "locked"


def test_nobody_reads_birth_dates_through_the_api(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute("select birth_date from private.accounts")
    with denied(db, "42501"), as_worker(db):
        db.execute("select birth_date from private.accounts")


def test_the_account_goes_with_the_person(db: Connection) -> None:
    person = create_person(db)
    db.execute("delete from auth.users where id = %s", (person.user_id,))
    for table in (
        "private.accounts",
        "public.profiles",
        "public.preferences",
        "public.media_kits",
        "public.login_events",
    ):
        found = rows(db, f"select from {table} where user_id = %s", person.user_id)  # type: ignore[arg-type]
        assert found == [], table
