"""A claim is a lease: one worker, fenced by its attempt, lost with the heartbeat."""

from __future__ import annotations

import threading
import uuid
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.sql.querying import Connection, rows, scalar

T0 = "2026-03-01T12:00:00Z"
NOW = datetime.fromisoformat(T0)


def _worker(db: Connection, at: datetime = NOW) -> uuid.UUID:
    return scalar(db, "select private.register_worker('w', null, null, %s)", at)


def _enqueue(db: Connection, *seconds: float) -> list[uuid.UUID]:
    """Work of lane `planted` that is due so many seconds after T0."""
    subjects = [uuid.uuid4() for _ in seconds]
    for subject, offset in zip(subjects, seconds, strict=True):
        db.execute(
            "insert into private.queue (lane, subject_id, due_at) values ('planted', %s, %s)",
            (subject, NOW + timedelta(seconds=offset)),
        )
    return subjects


def _lease(
    db: Connection,
    worker: uuid.UUID | None,
    limit: int | None = 10,
    since: datetime | None = None,
    now: datetime = NOW,
) -> list[dict]:
    with db.cursor(row_factory=dict_row) as cursor:
        query = "select * from private.lease_due(%s, 'planted', %s, %s, %s) order by due_at"
        return cursor.execute(query, (worker, limit, since, now)).fetchall()


def test_what_is_due_is_leased_oldest_first(db: Connection) -> None:
    worker = _worker(db)
    late, now, old = _enqueue(db, 0.001, 0, -60)
    assert [row["subject_id"] for row in _lease(db, worker, 1)] == [old]
    [row] = _lease(db, worker)
    assert (row["subject_id"], row["worker_id"], row["leased_at"], row["attempt"]) == (now, worker, NOW, 1)
    assert _lease(db, worker) == []
    assert [row["subject_id"] for row in _lease(db, worker, now=NOW + timedelta(seconds=1))] == [late]


def test_since_leaves_older_work_to_the_sweep(db: Connection) -> None:
    worker = _worker(db)
    old, new = _enqueue(db, -60, -1)
    assert [row["subject_id"] for row in _lease(db, worker, since=NOW - timedelta(seconds=2))] == [new]
    assert [row["subject_id"] for row in _lease(db, worker)] == [old]


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_nothing_is_leased_without_a_limit(db: Connection, limit: int | None) -> None:
    _enqueue(db, 0)
    assert _lease(db, _worker(db), limit) == []


@pytest.mark.parametrize("worker", [None, uuid.uuid4()])
def test_strangers_get_nothing(db: Connection, worker: uuid.UUID | None) -> None:
    _enqueue(db, 0)
    assert _lease(db, worker) == []


def test_a_stopped_worker_gets_nothing(db: Connection) -> None:
    worker = _worker(db)
    db.execute("select private.stop_worker(%s, %s)", (worker, NOW))
    _enqueue(db, 0)
    assert _lease(db, worker) == []


def test_next_due_is_the_earliest_that_is_free(db: Connection) -> None:
    assert scalar(db, "select private.next_due('planted')") is None
    _enqueue(db, -5, 30, 60)
    assert scalar(db, "select private.next_due('planted')") == NOW - timedelta(seconds=5)
    _lease(db, _worker(db))
    assert scalar(db, "select private.next_due('planted')") == NOW + timedelta(seconds=30)


def test_a_dead_lease_keeps_what_is_known_and_raises_the_attempt(db: Connection) -> None:
    dead = _worker(db)
    [subject] = _enqueue(db, -10)
    _lease(db, dead)
    db.execute(
        "update private.queue set sending_at = %s, sending_attempt = 1, progress = '{\"upload\": 1}'"
        " where subject_id = %s",
        (NOW, subject),
    )
    later = NOW + timedelta(seconds=46)
    assert scalar(db, "select private.release_dead_leases(%s)", later) == 1
    assert scalar(db, "select private.release_dead_leases(%s)", later) == 0
    [row] = _lease(db, _worker(db, later), now=later)
    assert (row["attempt"], row["sending_at"], row["progress"], row["due_at"]) == (
        2,
        NOW,
        {"upload": 1},
        later,
    )


def test_the_living_keep_their_leases(db: Connection) -> None:
    dead, alive = _worker(db), _worker(db)
    _enqueue(db, -2, -1)
    _lease(db, dead, 1)
    _lease(db, alive, 1)
    later = NOW + timedelta(seconds=50)
    db.execute("select private.heartbeat(%s, %s)", (alive, later))
    assert scalar(db, "select private.release_dead_leases(%s)", later) == 1
    assert rows(db, "select worker_id from private.queue where worker_id is not null") == [(alive,)]


def test_the_leases_of_a_worker_are_found_in_every_lane(db: Connection) -> None:
    dead = _worker(db)
    for lane in ("alpha", "beta", "gamma"):
        db.execute("select private.enqueue(%s, gen_random_uuid(), %s, %s)", (lane, NOW, NOW))
        db.execute(
            "select private.enqueue(%s, gen_random_uuid(), %s, %s)", (lane, NOW + timedelta(days=1), NOW)
        )
        assert len(rows(db, "select from private.lease_due(%s, %s, 10, null, %s)", dead, lane, NOW)) == 1
    assert scalar(db, "select private.release_dead_leases(%s)", NOW + timedelta(minutes=1)) == 3
    assert scalar(db, "select count(*) from private.queue where worker_id is not null") == 0


def test_a_lease_that_began_after_the_clock_was_read_is_taken_back_as_well(db: Connection) -> None:
    dead = _worker(db)
    _enqueue(db, 60)
    _lease(db, dead, now=NOW + timedelta(seconds=60))
    assert scalar(db, "select private.release_dead_leases(%s)", NOW + timedelta(seconds=50)) == 1


@pytest.mark.parametrize(
    ("attempt", "bound"), [(-1, 5), (1, 5), (2, 10), (5, 80), (10, 2560), (11, 3600), (1000, 3600)]
)
def test_back_off_is_jittered_below_its_bound(db: Connection, attempt: int, bound: int) -> None:
    low, high, distinct = rows(
        db,
        "select min(d), max(d), count(distinct d) from (select private.backoff_delay(%s) d from "
        "generate_series(1, 400)) x",
        attempt,
    )[0]
    assert timedelta(0) <= low < timedelta(seconds=bound * 0.2)
    assert timedelta(seconds=bound * 0.8) < high <= timedelta(seconds=bound)
    assert distinct > 300


def test_the_other_side_s_wish_is_a_lower_bound(db: Connection) -> None:
    shortest = scalar(
        db, "select min(d) from (select private.backoff_delay(1, 7200.5) d from generate_series(1, 50)) x"
    )
    assert shortest == timedelta(seconds=7200.5)


def test_claimers_at_the_same_time_never_get_the_same_row(db_url: str) -> None:
    with psycopg.connect(db_url) as setup:
        setup.execute(
            """insert into private.queue (lane, subject_id, due_at)
               select 'race', gen_random_uuid(), now() - interval '1 minute' from generate_series(1, 600)"""
        )
    taken: list[uuid.UUID] = []
    start = threading.Barrier(6)

    def claim() -> None:
        with psycopg.connect(db_url, autocommit=True) as connection:
            worker = scalar(connection, "select private.register_worker('racer', null, null)")
            start.wait()
            idle = 0
            while idle < 3:  # a claim may come back empty while all that is left is locked
                found = rows(connection, "select subject_id from private.lease_due(%s, 'race', 7)", worker)
                taken.extend(subject for (subject,) in found)
                idle = 0 if found else idle + 1

    threads = [threading.Thread(target=claim) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 600
    assert len(set(taken)) == 600
    with psycopg.connect(db_url) as check:
        assert scalar(
            check, "select min(attempt) = 1 and max(attempt) = 1 from private.queue where lane = 'race'"
        )


def test_a_claim_under_way_is_not_declared_dead_between(db_url: str) -> None:
    """The claim holds the worker's row: a sweep leaves it alone, and the next one takes the fresh lease as well."""
    release = "select private.release_dead_leases()"
    with psycopg.connect(db_url, autocommit=True) as setup:
        worker = scalar(setup, "select private.register_worker('w', null, null, now() - interval '1 hour')")
        setup.execute("select private.enqueue('slow', gen_random_uuid(), now())")
    with psycopg.connect(db_url) as claimer, psycopg.connect(db_url, autocommit=True) as sweeper:
        assert len(rows(claimer, "select from private.lease_due(%s, 'slow', 5)", worker)) == 1
        assert scalar(sweeper, release) == 0
        claimer.commit()
        assert scalar(sweeper, release) == 1
        assert scalar(sweeper, "select worker_id from private.queue where lane = 'slow'") is None
