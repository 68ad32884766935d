"""Who reaches the tables of connections, and what they refuse (P3.4, P3.6, P6.2, P6.6)."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.connections.making import connect_account, register_worker
from tests.support.personas import acting_as, as_worker, create_person, denied


@pytest.mark.parametrize("table", ["token_vault", "revocation_outbox", "oauth_flows", "pending_connections"])
@pytest.mark.parametrize("verb", ["select * from", "delete from"])
def test_nobody_reaches_secrets_directly(db: psycopg.Connection, table: str, verb: str) -> None:
    person = create_person(db)
    with acting_as(db, person), denied(db, "42501"):
        db.execute(f"{verb} private.{table}")
    with as_worker(db), denied(db, "42501"):
        db.execute(f"{verb} private.{table}")


def test_people_see_their_own_connections_and_change_none(db: psycopg.Connection) -> None:
    register_worker(db)
    mine, theirs = create_person(db), create_person(db)
    connect_account(db, mine)
    connect_account(db, theirs)
    with acting_as(db, mine):
        assert db.execute("select user_id from public.connections").fetchall() == [(mine.user_id,)]
        for statement in (
            "update public.connections set state = 'active'",
            "update public.connections set user_id = user_id",
            "delete from public.connections",
            "insert into public.connections (platform_id) values ('x')",
        ):
            with denied(db, "42501"):
                db.execute(statement)
    with acting_as(db, None), denied(db, "42501"):
        db.execute("select * from public.connections")


def test_an_ended_session_sees_nothing(db: psycopg.Connection) -> None:
    register_worker(db)
    person = create_person(db)
    connect_account(db, person)
    db.execute("delete from auth.sessions where user_id = %s", (person.user_id,))
    with acting_as(db, person):
        assert db.execute("select * from public.connections").fetchall() == []
        assert db.execute("select * from public.platforms").fetchall() == []


def test_guard_trigger_holds_where_grants_do_not(db: psycopg.Connection) -> None:
    register_worker(db)
    person = create_person(db)
    connect_account(db, person)
    db.execute("grant update on public.connections to authenticated")
    db.execute("create policy test_update on public.connections for update to authenticated using (true)")
    with acting_as(db, person), denied(db, "NX010"):
        db.execute("update public.connections set scopes = '{}'")


def test_reference_rows_are_read_only(db: psycopg.Connection) -> None:
    with acting_as(db, create_person(db)):
        assert db.execute("select count(*) from public.platforms").fetchone() == (5,)
        with denied(db, "42501"):
            db.execute("update public.platforms set display_name = 'x'")
        with denied(db, "42501"):
            db.execute("insert into public.platform_features values ('x', 'inbox', array['dm.read'], 'no')")


def test_direct_messages_of_x_are_unlawful_everywhere(db: psycopg.Connection) -> None:
    with denied(db, "23514"):
        db.execute(
            "update public.platform_features set scopes = scopes || 'dm.read'::text where platform_id = 'x'"
        )
    register_worker(db)
    connect_account(db, create_person(db))
    with denied(db, "23514"):
        db.execute("update public.connections set scopes = scopes || 'dm.write'::text")


def test_plain_tokens_are_unlawful_in_every_secret_column(db: psycopg.Connection) -> None:
    register_worker(db)
    connect_account(db, create_person(db))
    for column in ("sealed_access", "sealed_refresh", "sealed_revocation"):
        with denied(db, "23514"):
            db.execute(f"update private.token_vault set {column} = convert_to(repeat('token', 60), 'UTF8')")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("decode('4e585401026b31' || repeat('00', 152), 'hex')", True),
        ("decode('4e585401026b31' || repeat('00', 151), 'hex')", False),
        ("decode('4e585402026b31' || repeat('00', 200), 'hex')", False),
        ("decode('4e58540100' || repeat('00', 200), 'hex')", False),
        ("decode('4e58540111' || repeat('00', 200), 'hex')", False),
        ("'\\x'::bytea", False),
        ("null::bytea", None),
    ],
)
def test_is_sealed(db: psycopg.Connection, record: str, expected: bool | None) -> None:
    assert db.execute(f"select private.is_sealed({record})").fetchone() == (expected,)
