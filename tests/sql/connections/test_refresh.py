"""Renewing tokens: one at a time, the first new set wins, an error disconnects nobody (P6.6, P6.8)."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.sql.connections.making import connect_account, register_worker, sealed
from tests.support.personas import as_worker, create_person, denied

LEASE = "select generation, leased, sealed_refresh is not null from worker.lease_token(%s, %s, %s)"
STORE = """select worker.store_refreshed_token(%s, %s, %s, %s, %s, %s, array['k1'], now() + interval '2 hours', null)"""


@pytest.fixture
def worker(db: psycopg.Connection) -> uuid.UUID:
    return register_worker(db)


@pytest.fixture
def account(db: psycopg.Connection, worker: uuid.UUID) -> uuid.UUID:
    return connect_account(db, create_person(db))


def store(db: psycopg.Connection, account: uuid.UUID, worker: uuid.UUID, generation: int) -> bool:
    row = db.execute(STORE, (account, worker, generation, sealed(), sealed(), sealed())).fetchone()
    assert row is not None
    return row[0]


def test_one_lease_at_a_time_even_for_the_holder(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    other = register_worker(db)
    with as_worker(db):
        assert db.execute(LEASE, (account, worker, 1)).fetchone() == (1, True, True)
        assert db.execute(LEASE, (account, other, 1)).fetchone() == (1, False, True)
        assert db.execute(LEASE, (account, worker, None)).fetchone() == (1, False, True)


def test_a_lease_ends_after_a_minute(db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID) -> None:
    call = "select leased from private.lease_token(%s, %s, null, now() + %s::interval)"
    assert db.execute(call, (account, worker, "0")).fetchone() == (True,)
    assert db.execute(call, (account, worker, "59 seconds")).fetchone() == (False,)
    assert db.execute(call, (account, worker, "60 seconds")).fetchone() == (True,)


def test_who_has_seen_an_old_generation_gets_the_new_one_instead(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    with as_worker(db):
        db.execute(LEASE, (account, worker, 1))
        assert store(db, account, worker, 2)
        assert db.execute(LEASE, (account, worker, 1)).fetchone() == (2, False, True)
        assert db.execute(LEASE, (account, worker, 2)).fetchone() == (2, True, True)


def test_each_generation_replaces_the_one_before_once(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    other = register_worker(db)
    with as_worker(db):
        assert not store(db, account, worker, 3)
        assert store(db, account, worker, 2)
        assert not store(db, account, other, 2)
        assert not store(db, account, worker, 1)
    assert db.execute("select generation, refresh_worker from private.token_vault").fetchone() == (2, None)
    assert db.execute("select token_generation from public.connections").fetchone() == (2,)


def test_a_renewal_inside_the_refresh_job_makes_it_due_again(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    db.execute("update private.queue set due_at = now() where lane = 'refresh'")
    with as_worker(db):
        job = db.execute(
            "select subject_id, attempt from worker.claim_jobs(%s, 'refresh', 5)", (worker,)
        ).fetchone()
        assert job is not None
        store(db, account, worker, 2)
        result = f'[{{"lane": "refresh", "subject_id": "{account}", "attempt": {job[1]}, "outcome": "done"}}]'
        db.execute("select * from worker.finish_jobs(%s, %s)", (worker, result))
    planned = db.execute("select worker_id, due_at > now() + interval '1 hour' from private.queue").fetchall()
    assert planned == [(None, True)]


def test_a_failed_renewal_gives_the_lease_back_and_disconnects_nobody(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    other = register_worker(db)
    with as_worker(db):
        db.execute(LEASE, (account, worker, 1))
        assert db.execute("select worker.fail_refresh(%s, %s, 'x')", (account, other)).fetchone() == (False,)
        assert db.execute(
            "select worker.fail_refresh(%s, %s, 'HTTP 503 <b>')", (account, worker)
        ).fetchone() == (True,)
        assert db.execute(LEASE, (account, other, 1)).fetchone() == (1, True, True)
    row = db.execute("select state::text, last_error_code from public.connections").fetchone()
    assert row == ("active", "HTTP_503_b_")


def test_no_refresh_token_no_lease(db: psycopg.Connection, worker: uuid.UUID) -> None:
    account = connect_account(db, create_person(db), refresh=False)
    with as_worker(db):
        assert db.execute(LEASE, (account, worker, None)).fetchone() == (1, False, False)


def test_only_live_workers_lease_and_only_connected_accounts_have_tokens(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    with as_worker(db), denied(db, "NX002"):
        db.execute(LEASE, (account, uuid.uuid4(), None))
    with as_worker(db):
        assert db.execute(LEASE, (uuid.uuid4(), worker, None)).fetchone() is None
    db.execute("select private.disconnect(%s)", (account,))
    with as_worker(db):
        assert db.execute(LEASE, (account, worker, None)).fetchone() is None
        assert not store(db, account, worker, 2)


@pytest.mark.parametrize(
    ("life", "wait", "expected"),
    [
        ("2 hours", "0", "1 hour 50 minutes"),
        ("30 minutes", "0", "24 minutes"),
        ("2 days", "0", "47 hours 50 minutes"),
        ("60 days", "0", "48 days"),
        ("60 days", "24 hours", "48 days"),
        ("25 hours", "24 hours", "24 hours 50 minutes"),
        (
            "1 hour",
            "24 hours",
            "24 hours",
        ),  # cannot be renewed before, so that it is too late: the person connects again
        ("-1 hour", "0", "-1 hour"),
    ],
)
def test_when_a_token_is_renewed(db: psycopg.Connection, life: str, wait: str, expected: str) -> None:
    row = db.execute(
        """select private.refresh_at(now() + %s::interval, %s::interval, now())
                  = greatest(now(), now() + %s::interval)""",
        (life, wait, expected),
    ).fetchone()
    assert row == (True,)


@pytest.mark.parametrize(("platform", "expected"), [("x", "0"), ("instagram", "24 hours")])
def test_only_instagram_wants_its_tokens_to_be_a_day_old(
    db: psycopg.Connection, worker: uuid.UUID, platform: str, expected: str
) -> None:
    account = connect_account(db, create_person(db), platform)
    row = db.execute("select private.renewable_after(%s) = %s::interval", (account, expected)).fetchone()
    assert row == (True,)


def test_a_renewal_that_was_given_up_begins_anew(
    db: psycopg.Connection, worker: uuid.UUID, account: uuid.UUID
) -> None:
    revive = "select private.revive_refreshes(now() + %s::interval)"
    other = connect_account(db, create_person(db))
    for connection in (account, other):
        db.execute("select private.dequeue('refresh', %s)", (connection,))
        db.execute(
            """insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
               values ('refresh', %s, 10, 'HTTP_503', now())""",
            (connection,),
        )
    db.execute("select private.disconnect(%s)", (other,))
    assert db.execute(revive, ("5 minutes",)).fetchone() == (1,)
    assert db.execute(revive, ("10 minutes",)).fetchone() == (0,)
    planned = db.execute(
        "select subject_id, due_at = now() + interval '65 minutes', attempt from private.queue where lane = 'refresh'"
    ).fetchall()
    assert planned == [(account, True, 0)]
