"""A grant that only the person can renew is announced 14, 7, 3 and 1 days before its end, each once."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.sql.connections.making import connect_account, register_worker
from tests.sql.querying import rows, scalar
from tests.support.personas import create_person


@pytest.fixture
def account(db: psycopg.Connection) -> uuid.UUID:
    """LinkedIn, for 60 days, without a refresh token."""
    register_worker(db)
    account = connect_account(db, create_person(db), "linkedin", refresh=False)
    ends(db, account, "60 days")
    return account


def ends(db: psycopg.Connection, account: uuid.UUID, offset: str) -> None:
    db.execute(
        """update public.connections set usable_until = now() + %s::interval, token_expires_at = now() + %s::interval
           where id = %s""",
        (offset, offset, account),
    )


def remind(db: psycopg.Connection, offset: str) -> int:
    return scalar(db, "select private.remind_of_expiring_grants(now() + %s::interval)", offset)


def told(db: psycopg.Connection) -> list[str]:
    return [code for (code,) in rows(db, "select code from public.notifications order by created_at")]


def test_four_reminders_each_once(db: psycopg.Connection, account: uuid.UUID) -> None:
    for day, expected in [(45, 0), (46, 1), (47, 0), (52, 0), (53, 1), (54, 0), (57, 1), (58, 0), (59, 1)]:
        assert remind(db, f"{day} days") == expected, day
        assert remind(db, f"{day} days 1 hour") == 0, day
    assert remind(db, "60 days") == 0
    assert told(db) == ["days_14", "days_7", "days_3", "days_1"]


def test_they_come_on_both_sides_of_the_instant(db: psycopg.Connection, account: uuid.UUID) -> None:
    assert remind(db, "45 days 23 hours 59 minutes") == 0
    assert remind(db, "46 days") == 1


@pytest.mark.parametrize(
    ("back", "expected"), [("51 days", "days_14"), ("55 days", "days_7"), ("59 days 1 h", "days_1")]
)
def test_after_days_without_housekeeping_the_true_one_comes(
    db: psycopg.Connection, account: uuid.UUID, back: str, expected: str
) -> None:
    assert remind(db, back) == 1
    assert remind(db, back) == 0
    assert told(db) == [expected]


def test_reading_a_reminder_does_not_bring_it_again(db: psycopg.Connection, account: uuid.UUID) -> None:
    remind(db, "46 days")
    db.execute("update public.notifications set read_at = now()")
    assert remind(db, "47 days") == 0


def test_a_grant_that_was_renewed_begins_anew(db: psycopg.Connection, account: uuid.UUID) -> None:
    remind(db, "59 days")
    ends(db, account, "118 days")
    assert remind(db, "103 days") == 0
    assert remind(db, "104 days") == 1
    assert told(db) == ["days_1", "days_14"]


def test_a_token_that_renews_itself_is_news_only_when_that_fails(db: psycopg.Connection) -> None:
    register_worker(db)
    account = connect_account(db, create_person(db), "instagram")
    ends(db, account, "60 days")
    db.execute("update private.token_vault set access_expires_at = now() + interval '60 days', "
               "refresh_expires_at = now() + interval '60 days'")  # fmt: skip
    assert remind(db, "50 days") == 0
    db.execute("update public.connections set last_error_code = 'HTTP_500' where id = %s", (account,))
    assert remind(db, "50 days") == 1


def test_a_refresh_token_that_ends_for_good_is_announced(db: psycopg.Connection) -> None:
    register_worker(db)
    account = connect_account(db, create_person(db), "linkedin")
    ends(db, account, "365 days")
    db.execute("update private.token_vault set refresh_expires_at = now() + interval '365 days'")
    assert remind(db, "351 days") == 1


def test_what_is_short_by_nature_or_over_is_no_news(db: psycopg.Connection, account: uuid.UUID) -> None:
    ends(db, account, "15 days")
    assert remind(db, "14 days 1 hour") == 0
    ends(db, account, "60 days")
    db.execute("select private.disconnect(%s)", (account,))
    assert remind(db, "59 days") == 0


def test_reminders_go_a_month_after_the_end(db: psycopg.Connection, account: uuid.UUID) -> None:
    remind(db, "59 days")
    forget = "select private.forget_reminders(now() + %s::interval)"
    assert scalar(db, forget, "90 days") == 0
    assert scalar(db, forget, "90 days 1 second") == 1
