"""Media kit, rates and links: one's own, within bounds, once the account may be used."""

from __future__ import annotations

import json
from typing import LiteralString

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied

RATE = (
    "insert into public.media_kit_rates (platform_id, format, amount_minor, currency) values (%s, %s, "
    "%s, %s) returning user_id"
)
LINK = "insert into public.social_links (platform, url) values (%s, %s) returning user_id"


def test_a_kit_is_there_and_unpublished(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        assert rows(db, "select is_published, audience from public.media_kits") == [(False, {})]
        changed = db.execute(
            """update public.media_kits set headline = 'Maths', about = 'x', contact_email = 'ada@b.example',
               audience = '{"countries": {"GB": 60}}', is_published = true"""
        )
        assert changed.rowcount == 1


def test_rates_and_links_are_made_edited_and_deleted(db: Connection) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        assert scalar(db, RATE, "youtube", "dedicated_video", 250000, "EUR") == ada.user_id
        assert scalar(db, LINK, "website", "https://ada.example/") == ada.user_id
        assert db.execute("update public.media_kit_rates set amount_minor = 300000").rowcount == 1
        assert (
            db.execute("update public.social_links set url = 'https://ada.example/about?x=1#y'").rowcount == 1
        )
        assert db.execute("delete from public.media_kit_rates").rowcount == 1
        assert db.execute("delete from public.social_links").rowcount == 1


@pytest.mark.parametrize("table", ["media_kits", "media_kit_rates", "social_links"])
@pytest.mark.parametrize("birth_date", ["2012-01-01", None])
def test_not_before_the_account_may_be_used(
    db: Connection, table: LiteralString, birth_date: str | None
) -> None:
    person = create_person(db, birth_date=birth_date)
    with acting_as(db, person):
        assert rows(db, "select from public." + table) == []
    for statement, values in ((RATE, ("x", "post", 1, "EUR")), (LINK, ("web", "https://a.example"))):
        with denied(db, "42501"), acting_as(db, person):
            db.execute(statement, values)


def test_nobody_reaches_the_rows_of_others(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, ada):
        db.execute(RATE, ("x", "post", 1, "EUR"))
        db.execute(LINK, ("web", "https://a.example"))
    with acting_as(db, bob):
        for table in ("media_kit_rates", "social_links"):
            assert rows(db, f"select from public.{table}") == []  # type: ignore[arg-type]
            assert db.execute(f"delete from public.{table}").rowcount == 0  # type: ignore[arg-type]
        assert db.execute("update public.media_kit_rates set amount_minor = 2").rowcount == 0
    forged = (
        "insert into public.social_links (user_id, platform, url) values (%s, 'web', 'https://evil.example')"
    )
    with denied(db, "42501"), acting_as(db, bob):
        db.execute(forged, (ada.user_id,))
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select from public.media_kits")


@pytest.mark.parametrize(
    "rate",
    [
        ("X!", "post", 1, "EUR"),
        ("x", "A Post", 1, "EUR"),
        ("x", "post", -1, "EUR"),
        ("x", "post", 1, "eur"),
        ("x", "post", 10**12, "EUR"),
    ],
)
def test_rates_out_of_bounds(db: Connection, rate: tuple[object, ...]) -> None:
    with denied(db, "23514"), acting_as(db, create_person(db)):
        db.execute(RATE, rate)


def test_one_rate_per_format_and_currency(db: Connection) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        db.execute(RATE, ("x", "post", 1, "EUR"))
        db.execute(RATE, ("x", "post", 1, "USD"))
    with denied(db, "23505"), acting_as(db, ada):
        db.execute(RATE, ("x", "post", 2, "EUR"))


@pytest.mark.parametrize(
    "url",
    ["http://ada.example", "javascript:alert(1)", "https://user@ada.example", "https://user:pw@ada.example/", "https://localhost",
     "https://ada.example/a b", "https://" + "a" * 500 + ".example", "ftp://ada.example", "https://", ""],
)  # fmt: skip
def test_links_are_https(db: Connection, url: str) -> None:
    with denied(db, "23514"), acting_as(db, create_person(db)):
        db.execute(LINK, ("web", url))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("headline", "x" * 121),
        ("headline", "a\nb"),
        ("about", "x" * 5001),
        ("contact_email", "ada"),
        ("contact_email", "ada@people"),
        ("contact_email", "a b@people.example"),
        ("contact_email", "a@" + "x" * 250 + ".example"),
        ("audience", "[]"),
        ("audience", json.dumps({str(n): f"{n * 7919:x}" for n in range(3000)})),
    ],
)
def test_a_kit_out_of_bounds(db: Connection, column: LiteralString, value: str) -> None:
    with denied(db, "23514"), acting_as(db, create_person(db)):
        db.execute("update public.media_kits set " + column + " = %s", (value,))


@pytest.mark.parametrize("table", ["media_kits", "media_kit_rates", "social_links"])
@pytest.mark.parametrize("column", ["user_id", "created_at"])
def test_protected_columns(db: Connection, table: LiteralString, column: LiteralString) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        db.execute(RATE, ("x", "post", 1, "EUR"))
        db.execute(LINK, ("web", "https://a.example"))
    statement = "update public." + table + " set " + column + " = null"
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(statement)
    db.execute("grant all on all tables in schema public to authenticated")
    with denied(db, "NX010"), acting_as(db, ada):
        db.execute(statement)
