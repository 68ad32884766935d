"""Jobs are claimed and finished by workers; late and foreign reports change nothing."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import datetime, timedelta

import psycopg
import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

LEASE = {"lane": "planted", "subject_id": str(uuid.UUID(int=1)), "attempt": 1}
NOW = datetime.fromisoformat("2026-03-01T12:00:00Z")


def _worker(db: Connection, at: datetime = NOW) -> uuid.UUID:
    return scalar(db, "select private.register_worker('w', null, null, %s)", at)


def _enqueue(db: Connection, seconds: float = 0) -> uuid.UUID:
    subject = uuid.uuid4()
    db.execute(
        "select private.enqueue('planted', %s, %s, %s)", (subject, NOW + timedelta(seconds=seconds), NOW)
    )
    return subject


def _claim(db: Connection, worker: uuid.UUID, now: datetime = NOW) -> list[tuple]:
    return rows(db, "select * from private.claim_jobs(%s, 'planted', 10, %s)", worker, now)


def _finish(db: Connection, worker: uuid.UUID, *results: dict, now: datetime = NOW) -> list[bool]:
    given = [{"lane": "planted", "attempt": 1, "outcome": "done", **result} for result in results]
    found = rows(
        db, "select * from private.finish_jobs(%s, %s, %s)", worker, json.dumps(given, default=str), now
    )
    accepted = {subject: is_accepted for _, subject, is_accepted in found}
    return [accepted[result["subject_id"]] for result in results]


def _queued(db: Connection, subject: uuid.UUID) -> list[tuple]:
    return rows(db, "select attempt, worker_id, due_at from private.queue where subject_id = %s", subject)


def test_claim_and_finish_through_the_api(db: Connection) -> None:
    subject = _enqueue(db)
    db.execute("update private.queue set due_at = now() where subject_id = %s", (subject,))
    with as_worker(db):
        worker = scalar(db, "select worker.register_worker('w')")
        assert rows(db, "select * from worker.claim_jobs(%s, 'planted', 5)", worker) == [(subject, 1, None)]
        result = json.dumps(
            [{"lane": "planted", "subject_id": str(subject), "attempt": 1, "outcome": "done"}]
        )
        finish = "select * from worker.finish_jobs(%s, %s)"
        assert rows(db, finish, worker, result) == [("planted", subject, True)]
        assert rows(db, finish, worker, result) == [("planted", subject, False)]
        assert scalar(db, "select worker.next_job_due('planted')") is None


def test_people_do_not_claim(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute("select private.claim_jobs(gen_random_uuid(), 'planted', 1)")


def test_a_claim_says_when_the_next_is_due(db: Connection) -> None:
    subject = _enqueue(db)
    _enqueue(db, 90)
    assert _claim(db, _worker(db)) == [(subject, 1, NOW + timedelta(seconds=90))]
    assert scalar(db, "select private.next_job_due('planted')") == NOW + timedelta(seconds=90)


def test_a_claim_takes_over_from_the_dead(db: Connection) -> None:
    subject = _enqueue(db)
    dead = _worker(db)
    _claim(db, dead)
    later = NOW + timedelta(minutes=1)
    heir = _worker(db, later)
    assert _claim(db, heir, later) == [(subject, 2, None)]
    assert _finish(db, dead, {"subject_id": subject}, now=later) == [False]
    assert _finish(db, heir, {"subject_id": subject, "attempt": 1}, now=later) == [False]
    assert _finish(db, heir, {"subject_id": subject, "attempt": 2}, now=later) == [True]
    assert _queued(db, subject) == []


def test_a_worker_that_missed_its_heartbeats_declares_itself_dead(db: Connection) -> None:
    worker = _worker(db)
    _enqueue(db)
    assert _claim(db, worker, NOW + timedelta(minutes=1)) == []


def test_a_retry_is_due_after_the_back_off(db: Connection) -> None:
    subject, worker = _enqueue(db), _worker(db)
    _claim(db, worker)
    assert _finish(
        db, worker, {"subject_id": subject, "outcome": "retry", "code": "http_503", "retry_after_seconds": 20}
    ) == [True]
    [(attempt, holder, due_at)] = _queued(db, subject)
    assert (attempt, holder) == (1, None)
    assert due_at == NOW + timedelta(seconds=20)
    assert _finish(db, worker, {"subject_id": subject}) == [False]


@pytest.mark.parametrize(("attempt", "is_dead"), [(9, False), (10, True)])
def test_the_last_retry_is_a_dead_letter(db: Connection, attempt: int, is_dead: bool) -> None:
    subject, worker = _enqueue(db), _worker(db)
    _claim(db, worker)
    db.execute("update private.queue set attempt = %s where subject_id = %s", (attempt, subject))
    _finish(db, worker, {"subject_id": subject, "attempt": attempt, "outcome": "retry", "code": "http_503"})
    letters = rows(
        db,
        "select lane, attempts, last_code, died_at from private.dead_letters where subject_id = %s",
        subject,
    )
    assert letters == ([("planted", 10, "http_503", NOW)] if is_dead else [])
    assert bool(_queued(db, subject)) is not is_dead


def test_dead_is_dead_at_once(db: Connection) -> None:
    subject, worker = _enqueue(db), _worker(db)
    _claim(db, worker)
    assert _finish(db, worker, {"subject_id": subject, "outcome": "dead"}) == [True]
    assert rows(db, "select last_code from private.dead_letters where subject_id = %s", subject) == [
        ("unknown",)
    ]
    assert _queued(db, subject) == []


def test_work_that_is_asked_for_again_at_the_very_moment_it_is_done_is_not_lost(db_url: str) -> None:
    with psycopg.connect(db_url) as asker, psycopg.connect(db_url, autocommit=True) as finisher:
        worker = _worker(finisher)
        subject = _enqueue(finisher)
        _claim(finisher, worker)
        later = NOW + timedelta(hours=1)
        asker.execute("select private.enqueue('planted', %s, %s, %s)", (subject, later, NOW))
        accepted: list[bool] = []
        report = threading.Thread(
            target=lambda: accepted.extend(_finish(finisher, worker, {"subject_id": subject}))
        )
        report.start()
        report.join(timeout=0.3)
        assert report.is_alive()  # it waits for the row
        asker.commit()
        report.join(timeout=10)
        assert accepted == [True]
        assert _queued(finisher, subject) == [(0, None, later)]


@pytest.mark.parametrize("outcome", ["done", "dead"])
def test_work_that_was_asked_for_again_meanwhile_is_due_again(db: Connection, outcome: str) -> None:
    subject, worker = _enqueue(db), _worker(db)
    _claim(db, worker)
    later = NOW + timedelta(hours=1)
    db.execute("select private.enqueue('planted', %s, %s, %s)", (subject, later, NOW))
    assert _finish(db, worker, {"subject_id": subject, "outcome": outcome}) == [True]
    assert _queued(db, subject) == [(0, None, later)]
    assert scalar(db, "select again_at from private.queue where subject_id = %s", subject) is None


def test_one_report_settles_many(db: Connection) -> None:
    worker = _worker(db)
    done, again, dead, foreign = (_enqueue(db) for _ in range(4))
    _claim(db, worker)
    db.execute("update private.queue set worker_id = gen_random_uuid() where subject_id = %s", (foreign,))
    accepted = _finish(
        db,
        worker,
        {"subject_id": done},
        {"subject_id": again, "outcome": "retry"},
        {"subject_id": dead, "outcome": "dead", "code": "NX214"},
        {"subject_id": foreign},
        {"subject_id": uuid.UUID(int=7)},
    )
    assert accepted == [True, True, True, False, False]
    assert {subject for (subject,) in rows(db, "select subject_id from private.queue")} == {again, foreign}


@pytest.mark.parametrize(
    "results",
    [
        None,
        "{}",
        '[{"lane": "planted"}]',
        json.dumps([LEASE | {"outcome": "maybe"}]),
        json.dumps([LEASE | {"outcome": "dead", "code": "Ada wrote hello"}]),
    ],
)
def test_malformed_reports_are_refused(db: Connection, results: str | None) -> None:
    with denied(db, "NX002"):
        db.execute("select private.finish_jobs(%s, %s)", (_worker(db), results))


def test_dead_letters_are_kept_for_three_months(db: Connection) -> None:
    db.execute(
        "insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at) values ('x', "
        "%s, 1, 'y', %s)",
        (uuid.uuid4(), NOW),
    )
    assert scalar(db, "select private.forget_dead_letters(%s)", NOW + timedelta(days=90)) == 0
    assert scalar(db, "select private.forget_dead_letters(%s)", NOW + timedelta(days=90, seconds=1)) == 1
