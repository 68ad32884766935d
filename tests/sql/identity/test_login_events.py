"""Logins are on record; addresses only until a country was derived from them (P1.9, P1.10)."""

from __future__ import annotations

import json
import uuid
from typing import LiteralString

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

IP = "203.0.113.7"
ADDRESS = "select host(ip) from auth.sessions where id = %s"
SET = "select worker.set_login_countries(%s)"


def _sign_in(db: Connection, person: Person, ip: str | None = IP, user_agent: str | None = None) -> uuid.UUID:
    return scalar(
        db,
        """insert into auth.sessions (id, user_id, created_at, updated_at, ip, user_agent)
           values (gen_random_uuid(), %s, now(), now(), %s, %s) returning id""",
        person.user_id, ip, user_agent,
    )  # fmt: skip


def _login(db: Connection, session: uuid.UUID) -> uuid.UUID:
    return scalar(db, "select id from public.login_events where session_id = %s", session)


def test_a_login_is_recorded_and_its_person_sees_it(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, ada):
        assert rows(db, "select session_id, at = now(), method, country from public.login_events") == [
            (ada.session_id, True, "email", None)
        ]
    with acting_as(db, bob):
        assert rows(db, "select from public.login_events where user_id = %s", ada.user_id) == []


@pytest.mark.parametrize(
    ("metadata", "method"),
    [({"provider": "Google"}, "google"), ({}, "unknown"), ({"provider": "<b>"}, "unknown")],
)
def test_the_method_is_a_word(db: Connection, metadata: dict[str, str], method: str) -> None:
    ada = create_person(db)
    db.execute(
        "update auth.users set raw_app_meta_data = %s where id = %s", (json.dumps(metadata), ada.user_id)
    )
    session = _sign_in(db, ada)
    assert scalar(db, "select method from public.login_events where session_id = %s", session) == method


def test_a_country_is_derived_and_the_address_deleted(db: Connection) -> None:
    ada = create_person(db)
    session = _sign_in(db, ada)
    login = _login(db, session)
    with as_worker(db):
        assert rows(db, "select * from worker.claim_login_locations(10)") == [(login, IP)]
        given = json.dumps([{"login_id": str(login), "country": "NL"}])
        assert scalar(db, SET, given) == 1
        assert scalar(db, SET, given) == 0
        assert rows(db, "select * from worker.claim_login_locations(10)") == []
    assert scalar(db, ADDRESS, session) is None
    with acting_as(db, ada):
        assert scalar(db, "select country from public.login_events where id = %s", login) == "NL"
        assert scalar(db, "select country from public.list_sessions() where id = %s", session) == "NL"


def test_an_address_that_tells_nothing_is_deleted_as_well(db: Connection) -> None:
    session = _sign_in(db, create_person(db), "10.0.0.1")
    login = _login(db, session)
    with as_worker(db):
        db.execute(SET, (json.dumps([{"login_id": str(login), "country": None}]),))
    assert scalar(db, ADDRESS, session) is None
    assert rows(db, "select country, located_at = now() from public.login_events where id = %s", login) == [
        (None, True)
    ]


def test_a_refresh_does_not_bring_the_address_back(db: Connection) -> None:
    session = _sign_in(db, create_person(db))
    login = _login(db, session)
    with as_worker(db):
        db.execute(SET, (json.dumps([{"login_id": str(login), "country": "NL"}]),))
    db.execute("update auth.sessions set ip = %s, refreshed_at = now() where id = %s", (IP, session))
    assert scalar(db, ADDRESS, session) is None


@pytest.mark.parametrize(("limit", "found"), [(1, 1), (2, 2), (9, 2), (0, 0), (-1, 0)])
def test_claims_are_bounded(db: Connection, limit: int, found: int) -> None:
    ada = create_person(db)
    _sign_in(db, ada)
    _sign_in(db, ada, "2001:db8::7")
    _sign_in(db, ada, None)
    with as_worker(db):
        assert len(rows(db, "select * from worker.claim_login_locations(%s)", limit)) == found


@pytest.mark.parametrize(
    "given",
    [
        None,
        "{}",
        '[{"country": "NL"}]',
        '[{"login_id": "00000000-0000-4000-8000-000000000001", "country": "nl"}]',
    ],
)
def test_malformed_countries_are_refused(db: Connection, given: str | None) -> None:
    with denied(db, "NX002"), as_worker(db):
        db.execute(SET, (given,))


@pytest.mark.parametrize(("hours", "is_kept"), [(23.999, True), (24, False)])
def test_after_a_day_the_address_is_deleted_even_if_no_worker_ran(
    db: Connection, hours: float, is_kept: bool
) -> None:
    session = _sign_in(db, create_person(db))
    db.execute("select private.drop_addresses(now() + make_interval(secs => %s))", (hours * 3600,))
    assert (scalar(db, ADDRESS, session) is not None) is is_kept
    assert (
        scalar(db, "select located_at is null from public.login_events where session_id = %s", session)
        is is_kept
    )


def test_the_log_of_auth_keeps_no_address(db: Connection) -> None:
    entry = scalar(
        db,
        "insert into auth.audit_log_entries (id, payload, ip_address) values (gen_random_uuid(), '{}', "
        "%s) returning id",
        IP,
    )
    assert scalar(db, "select ip_address from auth.audit_log_entries where id = %s", entry) == ""


def test_a_login_outlasts_its_session(db: Connection) -> None:
    ada = create_person(db)
    db.execute("delete from auth.sessions where id = %s", (ada.session_id,))
    assert scalar(db, "select count(*) from public.login_events where user_id = %s", ada.user_id) == 1


@pytest.mark.parametrize("statement", ["delete from public.login_events", "update public.login_events "
    "set country = null",
                                       "insert into public.login_events (method) values ('x')"])  # fmt: skip
def test_people_do_not_change_the_record(db: Connection, statement: LiteralString) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(statement)


def test_people_do_not_ask_for_addresses(db: Connection) -> None:
    for statement in ("select worker.claim_login_locations(1)", "select private.claim_login_locations(1)"):
        with denied(db, "42501"), acting_as(db, create_person(db)):
            db.execute(statement)  # type: ignore[arg-type]


def test_logins_are_kept_for_thirteen_months(db: Connection) -> None:
    assert scalar(
        db,
        "select retention = '13 months' from private.partitioned_tables where table_name = "
        "'public.login_events'",
    )
