"""Ending a connection: tokens gone at once, the copy for revocation within 24 hours in every case (P6.7, P6.8)."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

from tests.sql.connections.making import confirm, connect_account, consumed_flow, hold, register_worker, store
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

DISCONNECT = "select state::text, token_expires_at from public.disconnect_account(%s)"


@pytest.fixture
def worker(db: psycopg.Connection) -> uuid.UUID:
    return register_worker(db)


@pytest.fixture
def person(db: psycopg.Connection) -> Person:
    return create_person(db)


@pytest.fixture
def account(db: psycopg.Connection, worker: uuid.UUID, person: Person) -> uuid.UUID:
    return connect_account(db, person, external_id="1")


def count(db: psycopg.Connection, table: str) -> int:
    row = db.execute(f"select count(*) from {table}").fetchone()
    assert row is not None
    return row[0]


def test_disconnecting_deletes_tokens_and_leaves_one_sealed_copy(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    kept = db.execute("select sealed_revocation, generation from private.token_vault").fetchone()
    with acting_as(db, person):
        assert db.execute(DISCONNECT, (account,)).fetchone() == ("disconnected", None)
    assert count(db, "private.token_vault") == 0
    assert db.execute("select sealed_token, generation from private.revocation_outbox").fetchall() == [kept]
    assert db.execute(
        "select delete_by = now() + interval '24 hours' from private.revocation_outbox"
    ).fetchone() == (True,)
    assert db.execute("select lane from private.queue").fetchall() == [("revoke",)]


def test_disconnecting_twice_is_once(db: psycopg.Connection, person: Person, account: uuid.UUID) -> None:
    with acting_as(db, person):
        db.execute(DISCONNECT, (account,))
        assert db.execute(DISCONNECT, (account,)).fetchone() == ("disconnected", None)
    assert count(db, "private.revocation_outbox") == 1


def test_only_own_accounts_are_disconnected(db: psycopg.Connection, account: uuid.UUID) -> None:
    with acting_as(db, create_person(db)), denied(db, "NX204"):
        db.execute(DISCONNECT, (account,))
    with acting_as(db, None), denied(db, "42501"):
        db.execute(DISCONNECT, (account,))
    assert count(db, "private.token_vault") == 1


def test_an_attempt_in_progress_does_not_undo_a_disconnection(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    flow = consumed_flow(db, person, reconnect=account)
    db.execute("select private.disconnect(%s)", (account,))
    with denied(db, "NX210"):
        store(db, flow, "1")


def test_a_pending_connection_does_not_undo_a_disconnection(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    code = hold(db, consumed_flow(db, person, reconnect=account), "1")
    db.execute("select private.disconnect(%s)", (account,))
    assert confirm(db, person, code) is None
    assert count(db, "private.revocation_outbox") == 2, "both sets of tokens are given back"


def test_connecting_again_keeps_the_history_and_drops_the_pending_revocation(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    assert connect_account(db, person, external_id="1") == account
    assert count(db, "private.revocation_outbox") == 0
    assert db.execute("select lane from private.queue").fetchall() == [("refresh",)]
    assert db.execute("select token_generation, state::text from public.connections").fetchone() == (
        2,
        "active",
    )


def test_somebody_else_may_connect_a_disconnected_account(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    assert connect_account(db, create_person(db), external_id="1") != account
    assert count(db, "private.revocation_outbox") == 0, "the end of the old grant must not end the new one"


def test_the_platform_ends_a_grant_once(db: psycopg.Connection, person: Person, account: uuid.UUID) -> None:
    with as_worker(db):
        assert db.execute(
            "select worker.revoke_connection(%s, 'invalid_grant', 9)", (account,)
        ).fetchone() == (False,)
        assert db.execute(
            "select worker.revoke_connection(%s, 'invalid_grant', 1)", (account,)
        ).fetchone() == (True,)
        assert db.execute("select worker.revoke_connection(%s, 'invalid_grant')", (account,)).fetchone() == (
            False,
        )
    assert count(db, "private.token_vault") == 0
    assert count(db, "private.revocation_outbox") == 0
    with acting_as(db, person):
        assert db.execute("select state::text, last_error_code from public.connections").fetchone() == (
            "needs_reconnect",
            "invalid_grant",
        )
        notices = db.execute("select kind, subject_id, code from public.notifications").fetchall()
    assert notices == [("connection_needs_reconnect", account, "invalid_grant")]


def test_a_lost_grant_can_still_be_disconnected(
    db: psycopg.Connection, person: Person, account: uuid.UUID
) -> None:
    db.execute("select private.revoke_connection(%s, 'gone')", (account,))
    with acting_as(db, person):
        assert db.execute(DISCONNECT, (account,)).fetchone() == ("disconnected", None)
    assert count(db, "private.revocation_outbox") == 0


def claim(db: psycopg.Connection, worker: uuid.UUID) -> list[tuple[uuid.UUID, int]]:
    with as_worker(db):
        return db.execute(
            "select outbox_id, attempt from worker.claim_revocations(%s, 10)", (worker,)
        ).fetchall()


def report(db: psycopg.Connection, worker: uuid.UUID, outbox: uuid.UUID, attempt: int, outcome: str) -> int:
    with as_worker(db):
        row = db.execute(
            "select worker.report_revocations(%s, %s)",
            (worker, json.dumps([{"outbox_id": str(outbox), "attempt": attempt, "outcome": outcome}])),
        ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("outcome", ["done", "gone"])
def test_a_settled_revocation_leaves_nothing(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID, outcome: str
) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    [(outbox, attempt)] = claim(db, worker)
    assert report(db, worker, outbox, attempt, outcome) == 1
    assert report(db, worker, outbox, attempt, outcome) == 0
    assert count(db, "private.revocation_outbox") == 0
    assert count(db, "private.queue") == 0
    assert db.execute(
        "select count(*) from private.audit_events where action = 'revocation_settled'"
    ).fetchone() == (1,)


def test_a_passing_failure_is_retried_and_reports_are_fenced(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    [(outbox, attempt)] = claim(db, worker)
    assert claim(db, worker) == []
    assert report(db, register_worker(db), outbox, attempt, "done") == 0
    assert report(db, worker, outbox, attempt + 1, "done") == 0
    assert report(db, worker, outbox, attempt, "nonsense") == 0
    assert report(db, worker, outbox, attempt, "retry") == 1
    db.execute("update private.queue set due_at = now()")
    assert claim(db, worker) == [(outbox, attempt + 1)]
    assert report(db, worker, outbox, attempt, "done") == 0


def test_after_24_hours_the_copy_is_gone_in_every_case(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    claim(db, worker)
    expire = "select private.expire_revocations(now() + %s::interval)"
    assert db.execute(expire, ("23 hours 59 minutes 59 seconds",)).fetchone() == (0,)
    assert db.execute(expire, ("24 hours",)).fetchone() == (1,)
    assert count(db, "private.revocation_outbox") == 0
    assert count(db, "private.queue") == 0
    assert db.execute(
        "select action from private.audit_events where action like 'revocation%'"
    ).fetchall() == [("revocation_unconfirmed",)]


def test_the_copy_cannot_be_kept_longer(db: psycopg.Connection, account: uuid.UUID) -> None:
    db.execute("select private.disconnect(%s)", (account,))
    with denied(db, "23514"):
        db.execute("update private.revocation_outbox set delete_by = delete_by + interval '1 second'")


def test_a_malformed_report_is_refused(db: psycopg.Connection, worker: uuid.UUID) -> None:
    with as_worker(db), denied(db, "NX002"):
        db.execute("select worker.report_revocations(%s, '{}')", (worker,))


def test_grants_that_run_out_are_ended(db: psycopg.Connection, person: Person, worker: uuid.UUID) -> None:
    account = connect_account(db, person, refresh=False)
    db.execute(
        "update public.connections set usable_until = now() + interval '60 days' where id = %s", (account,)
    )
    end = "select private.end_expired_grants(now() + %s::interval)"
    assert db.execute(end, ("59 days 23 hours",)).fetchone() == (0,)
    assert db.execute(end, ("60 days",)).fetchone() == (1,)
    assert db.execute("select state::text from public.connections where id = %s", (account,)).fetchone() == (
        "needs_reconnect",
    )
