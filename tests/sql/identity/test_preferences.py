"""Preferences: everybody's own, in every state of the account."""

from __future__ import annotations

from typing import LiteralString

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied


def test_defaults(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        assert rows(
            db, "select language, time_zone, theme, week_starts_on, product_analytics from public.preferences"
        ) == [("en", "UTC", "system", "monday", True)]


@pytest.mark.parametrize("birth_date", ["1990-01-01", "2012-01-01", None])
def test_opting_out_works_in_every_state_of_the_account(db: Connection, birth_date: str | None) -> None:
    with acting_as(db, create_person(db, birth_date=birth_date)):
        assert db.execute("update public.preferences set product_analytics = false").rowcount == 1


def test_not_for_others_and_not_without_a_session(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, bob):
        update = "update public.preferences set theme = 'dark' where user_id = %s"
        assert db.execute(update, (ada.user_id,)).rowcount == 0
    db.execute("delete from auth.sessions where id = %s", (ada.session_id,))
    with acting_as(db, ada):
        assert db.execute("update public.preferences set theme = 'dark'").rowcount == 0
        assert rows(db, "select from public.preferences") == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Argentina/Buenos_Aires", "Asia/Kolkata", "UTC"])
def test_time_zones_are_iana_names(db: Connection, zone: str) -> None:
    with acting_as(db, create_person(db)):
        db.execute("update public.preferences set time_zone = %s", (zone,))
        assert scalar(db, "select time_zone from public.preferences") == zone


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "CET",
        "EST5EDT",
        "UTC+3",
        "Foo/Bar5",
        "europe/berlin",
        "Mars/Olympus",
        "posix/Europe/Berlin",
        "Etc/GMT+3",
        "+01:00",
    ],
)
def test_nothing_else_is_a_time_zone(db: Connection, zone: str) -> None:
    with denied(db, "NX130"), acting_as(db, create_person(db)):
        db.execute("update public.preferences set time_zone = %s", (zone,))


@pytest.mark.parametrize(
    ("column", "value", "state"),
    [
        ("language", "english", "23514"),
        ("language", "EN", "23514"),
        ("theme", "pink", "23514"),
        ("week_starts_on", "friday", "23514"),
        ("language", None, "23502"),
        ("product_analytics", None, "23502"),
    ],
)
def test_values_out_of_bounds(db: Connection, column: LiteralString, value: str | None, state: str) -> None:
    with denied(db, state), acting_as(db, create_person(db)):
        db.execute("update public.preferences set " + column + " = %s", (value,))


@pytest.mark.parametrize("language", ["en", "pt-BR", "zh-Hant-TW", "fil"])
def test_languages(db: Connection, language: str) -> None:
    with acting_as(db, create_person(db)):
        assert db.execute("update public.preferences set language = %s", (language,)).rowcount == 1


@pytest.mark.parametrize("column", ["user_id", "created_at"])
def test_protected_columns(db: Connection, column: LiteralString) -> None:
    ada = create_person(db)
    statement = "update public.preferences set theme = 'dark', " + column + " = null"
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(statement)
    db.execute("grant all on public.preferences to authenticated")
    with denied(db, "NX010"), acting_as(db, ada):
        db.execute(statement)
