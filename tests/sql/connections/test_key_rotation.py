"""Rewrapping sealed records: every record is found, and replaces only what was read (P3.4)."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.sql.connections.making import begin, connect_account, digest, register_worker, sealed, ticket_of
from tests.support.personas import acting_as, as_worker, create_person, denied


@pytest.fixture
def account(db: psycopg.Connection) -> uuid.UUID:
    register_worker(db)
    return connect_account(db, create_person(db))


def test_every_record_is_counted_and_found(db: psycopg.Connection, account: uuid.UUID) -> None:
    gone = connect_account(db, create_person(db))
    db.execute("select private.disconnect(%s)", (gone,))
    ticket = ticket_of(begin(db, create_person(db)))
    with as_worker(db):
        db.execute(
            "select * from worker.redeem_ticket(%s, %s, %s, %s)",
            (digest(ticket), digest("s"), digest("b"), sealed("k1")),
        )
        assert db.execute("select * from worker.count_key_use()").fetchall() == [("k1", 5)]
        rows = db.execute(
            "select table_name, row_id, field from worker.tokens_to_rewrap('k1', 100)"
        ).fetchall()
    assert {row[:1] + row[2:] for row in rows} == {
        ("token_vault", "access"),
        ("token_vault", "refresh"),
        ("token_vault", "revocation"),
        ("revocation_outbox", "revocation"),
    }


def test_rewrapping_is_compare_and_swap(db: psycopg.Connection, account: uuid.UUID) -> None:
    swap = "select worker.rewrap_token('token_vault', %s, %s, %s, %s)"
    with as_worker(db):
        for field in ("access", "refresh", "revocation"):
            row = db.execute(
                "select sealed from worker.tokens_to_rewrap('k1', 100) where field = %s", (field,)
            ).fetchone()
            assert row is not None
            new = sealed("k2")
            assert db.execute(swap, (account, field, sealed("k1"), new)).fetchone() == (False,)
            assert db.execute(swap, (account, field, row[0], new)).fetchone() == (True,)
            assert db.execute(swap, (account, field, row[0], new)).fetchone() == (False,)
        assert db.execute("select * from worker.count_key_use()").fetchall() == [("k2", 3)]
    assert db.execute("select key_ids from private.token_vault").fetchone() == (["k2"],)


def test_only_known_places_and_sealed_values(db: psycopg.Connection, account: uuid.UUID) -> None:
    swap = "select worker.rewrap_token(%s, %s, %s, %s, %s)"
    with as_worker(db):
        with denied(db, "NX002"):
            db.execute(swap, ("accounts", account, "access", sealed(), sealed()))
        with denied(db, "NX216"):
            db.execute(swap, ("token_vault", account, "access", sealed(), "cGxhaW4="))
    with acting_as(db, create_person(db)), denied(db, "42501"):
        db.execute("select * from worker.count_key_use()")
