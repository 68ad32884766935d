"""Only the person who began completes a connection; anything else gives the tokens back (P3.4, P6.6, P6.7)."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.connections.making import (
    begin,
    confirm,
    connect_account,
    consumed_flow,
    digest,
    hold,
    register_worker,
    sealed,
)
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

COUNTED = (
    "private.pending_connections where confirmed_at is null",
    "public.connections",
    "private.token_vault",
    "private.revocation_outbox",
)


@pytest.fixture
def person(db: psycopg.Connection) -> Person:
    register_worker(db)
    return create_person(db)


def counts(db: psycopg.Connection) -> tuple[int, ...] | None:
    """Rows of connections that wait to be confirmed, of connections, vault and revocation outbox."""
    return db.execute(
        "select " + ", ".join(f"(select count(*)::int from {table})" for table in COUNTED)
    ).fetchone()


def test_what_is_held_is_no_connection_yet(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    assert counts(db) == (1, 0, 0, 0)
    held = db.execute(
        """select user_id, encode(code_hash, 'hex'), expires_at = now() + interval '10 minutes'
           from private.pending_connections"""
    ).fetchone()
    assert held == (person.user_id, digest(code), True)
    assert db.execute("select count(*) from private.queue").fetchone() == (0,)


def test_the_person_who_began_completes_it(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    with acting_as(db, person):
        rows = db.execute(
            "select user_id, state::text, handle from public.confirm_connection(%s)", (code,)
        ).fetchall()
    assert rows == [(person.user_id, "active", "mira")]
    assert counts(db) == (0, 1, 1, 0)


def test_confirming_twice_is_once(db: psycopg.Connection, person: Person) -> None:
    """A lost answer, a page that is loaded again. The code opens nothing any more: its tokens are in the vault."""
    code = hold(db, consumed_flow(db, person), "1")
    first = confirm(db, person, code)
    assert first is not None
    assert confirm(db, person, code) == first
    left = db.execute(
        "select sealed_access, sealed_refresh, sealed_revocation, key_ids from private.pending_connections"
    ).fetchone()
    assert left == (None, None, None, [])
    assert db.execute("select token_generation from public.connections").fetchone() == (1,)
    assert confirm(db, create_person(db), code) is None
    assert counts(db) == (0, 1, 1, 0), "the row goes; what is connected stays"


def test_what_was_confirmed_is_forgotten_without_harm(db: psycopg.Connection, person: Person) -> None:
    confirm(db, person, hold(db, consumed_flow(db, person), "1"))
    drop = "select private.drop_unconfirmed_connections(now() + interval '10 minutes')"
    assert db.execute(drop).fetchone() == (1,)
    assert counts(db) == (0, 1, 1, 0)


def test_a_confirmed_code_does_not_bring_a_disconnected_account_back(
    db: psycopg.Connection, person: Person
) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    account = confirm(db, person, code)
    with acting_as(db, person):
        db.execute("select public.disconnect_account(%s)", (account,))
    assert confirm(db, person, code) is None
    assert counts(db) == (0, 1, 0, 1)


def test_whoever_was_tricked_into_opening_the_link_gives_nothing_away(
    db: psycopg.Connection, person: Person
) -> None:
    """The attacker begins, the victim agrees at the platform: neither of the two gets a connection."""
    victim = create_person(db)
    code = hold(db, consumed_flow(db, person), "account of the victim")
    assert confirm(db, victim, code) is None
    assert counts(db) == (0, 0, 0, 1), "the tokens are gone, and the platform will be told"
    assert confirm(db, person, code) is None
    assert counts(db) == (0, 0, 0, 1)


def test_every_refusal_looks_the_same(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    db.execute("update private.pending_connections set expires_at = now()")
    assert [confirm(db, person, one) for one in (code, code, "never issued", "")] == [None] * 4
    with acting_as(db, person):
        assert db.execute("select * from public.confirm_connection(null)").fetchall() == []


def test_an_expired_code_gives_the_tokens_back(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    call = "select id from private.confirm_connection(%s, now() + %s::interval)"
    with acting_as(db, person):
        db.execute("savepoint before")
        assert db.execute(call, (code, "599 seconds")).fetchone() is not None
        db.execute("rollback to savepoint before")
        assert db.execute(call, (code, "10 minutes")).fetchone() is None
    assert counts(db) == (0, 0, 0, 1)


def test_housekeeping_gives_back_what_nobody_confirmed(db: psycopg.Connection, person: Person) -> None:
    hold(db, consumed_flow(db, person), "1")
    kept = db.execute(
        "select sealed_revocation, user_id, connection_id, generation from private.pending_connections"
    ).fetchone()
    drop = "select private.drop_unconfirmed_connections(now() + %s::interval)"
    assert db.execute(drop, ("599 seconds",)).fetchone() == (0,)
    assert db.execute(drop, ("10 minutes",)).fetchone() == (1,)
    assert counts(db) == (0, 0, 0, 1)
    given_back = db.execute(
        "select sealed_token, user_id, connection_id, generation from private.revocation_outbox"
    ).fetchone()
    assert given_back == kept, "the worker can open the record"
    assert db.execute("select lane from private.queue").fetchall() == [("revoke",)]


def test_a_living_connection_of_the_account_is_not_ended_by_a_dropped_one(
    db: psycopg.Connection, person: Person
) -> None:
    """Some platforms revoke every grant of an account at once."""
    connect_account(db, person, external_id="1")
    code = hold(db, consumed_flow(db, person), "1")
    assert confirm(db, create_person(db), code) is None
    assert counts(db) == (0, 1, 1, 0)


def test_connecting_an_account_spares_it_from_older_revocations(
    db: psycopg.Connection, person: Person
) -> None:
    victim = create_person(db)
    assert confirm(db, victim, hold(db, consumed_flow(db, person), "1")) is None
    connect_account(db, victim, external_id="1")
    assert counts(db) == (0, 1, 1, 0)
    assert db.execute("select lane from private.queue").fetchall() == [("refresh",)]


def test_somebody_else_was_faster(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    connect_account(db, create_person(db), external_id="1")
    with denied(db, "NX212"):
        confirm(db, person, code)


def test_of_two_tabs_the_first_one_counts(db: psycopg.Connection, person: Person) -> None:
    first, second = (hold(db, consumed_flow(db, person), "1") for _ in range(2))
    assert confirm(db, person, second) is not None
    with denied(db, "NX215"):
        confirm(db, person, first)


def test_confirming_needs_a_usable_account_and_a_live_session(db: psycopg.Connection, person: Person) -> None:
    code = hold(db, consumed_flow(db, person), "1")
    with acting_as(db, None), denied(db, "42501"):
        db.execute("select * from public.confirm_connection(%s)", (code,))
    with as_worker(db), denied(db, "42501"):
        db.execute("select * from public.confirm_connection(%s)", (code,))
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (person.user_id,),
    )
    with denied(db, "NX112"):
        confirm(db, person, code)
    db.execute("delete from auth.sessions where user_id = %s", (person.user_id,))
    with denied(db, "NX001"):
        confirm(db, person, code)
    assert counts(db) == (1, 0, 0, 0)


def test_what_is_held_counts_as_an_open_attempt(db: psycopg.Connection, person: Person) -> None:
    for number in range(5):
        hold(db, consumed_flow(db, person), str(number))
        begin(db, person)
    with denied(db, "NX206"):
        begin(db, person)


def test_a_flow_is_held_once_and_with_a_proper_hash(db: psycopg.Connection, person: Person) -> None:
    flow = consumed_flow(db, person)
    hold(db, flow, "1")
    with denied(db, "NX210"):
        hold(db, flow, "1")
    flow = consumed_flow(db, person)
    with as_worker(db):
        row = db.execute(
            "select connection_id from worker.resolve_connection(%s, '2')", (flow.flow_id,)
        ).fetchone()
        assert row is not None
        with denied(db, "NX002"):
            db.execute(
                """select worker.hold_connection(%s, %s, '2', null, null, null, array['users.read', 'tweet.read',
                          'offline.access'], 1, %s, null, %s, array['k1'], null, null, 'not a hash')""",
                (flow.flow_id, row[0], sealed(), sealed()),
            )


def test_plain_tokens_and_long_waits_are_unlawful(db: psycopg.Connection, person: Person) -> None:
    hold(db, consumed_flow(db, person), "1")
    for column in ("sealed_access", "sealed_refresh", "sealed_revocation"):
        with denied(db, "23514"):
            db.execute(
                f"update private.pending_connections set {column} = convert_to(repeat('token', 60), 'UTF8')"
            )
    with denied(db, "23514"):
        db.execute("update private.pending_connections set expires_at = expires_at + interval '1 second'")


def test_the_tokens_go_with_the_person(db: psycopg.Connection, person: Person) -> None:
    hold(db, consumed_flow(db, person), "1")
    db.execute("select private.delete_auth_user(%s)", (person.user_id,))
    assert counts(db) == (0, 0, 0, 0)


def test_a_pending_record_counts_as_use_of_its_key(db: psycopg.Connection, person: Person) -> None:
    hold(db, consumed_flow(db, person), "1", access=sealed("k9"))
    with as_worker(db):
        assert ("k9", 1) in db.execute("select * from worker.count_key_use()").fetchall()


def test_reconnecting_what_was_deleted_meanwhile(db: psycopg.Connection, person: Person) -> None:
    account = connect_account(db, person, external_id="1")
    code = hold(db, consumed_flow(db, person, reconnect=account), "1")
    db.execute("delete from public.connections where id = %s", (account,))
    assert confirm(db, person, code) is None
