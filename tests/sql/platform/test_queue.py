"""Work is scheduled, rescheduled and taken back."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import denied

T0 = "2026-03-01T12:00:00Z"
LATER = "2026-03-01T13:00:00Z"
SUBJECT = uuid.UUID("00000000-0000-4000-8000-00000000000a")
ENQUEUE = "select private.enqueue('planted', %s, %s, %s)"
LEASE = "select * from private.lease_due(%s, 'planted', 10, null, %s)"
ROW = "select due_at, again_at, attempt, progress, worker_id from private.queue where subject_id = %s"


def _worker(db: Connection) -> uuid.UUID:
    return scalar(db, "select private.register_worker('w', null, null, %s)", T0)


def _is_due(db: Connection, at: str) -> bool:
    return scalar(db, "select due_at = %s from private.queue where subject_id = %s", at, SUBJECT)


def test_scheduling(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, LATER, T0))
    assert _is_due(db, LATER)


def test_what_is_past_is_due_now(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, "2020-01-01", T0))
    assert _is_due(db, T0)


def test_rescheduling_moves_it_and_counts_from_zero(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    db.execute("update private.queue set attempt = 3, progress = '{}' where subject_id = %s", (SUBJECT,))
    db.execute(ENQUEUE, (SUBJECT, LATER, T0))
    assert _is_due(db, LATER)
    assert rows(db, ROW, SUBJECT)[0][2:4] == (0, None)


def test_what_is_leased_stays_and_becomes_due_again_afterwards(db: Connection) -> None:
    worker = _worker(db)
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    db.execute(LEASE, (worker, T0))
    db.execute(ENQUEUE, (SUBJECT, LATER, T0))
    assert _is_due(db, T0)
    assert rows(db, ROW, SUBJECT)[0][2:] == (1, None, worker)
    assert scalar(db, "select again_at = %s from private.queue where subject_id = %s", LATER, SUBJECT)


def test_an_unknown_outcome_survives_rescheduling(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    db.execute(
        "update private.queue set attempt = 2, sending_at = %s, sending_attempt = 2, progress = '{\"k\": 1}' where "
        "subject_id = %s",
        (T0, SUBJECT),
    )
    db.execute(ENQUEUE, (SUBJECT, LATER, T0))
    assert rows(db, ROW, SUBJECT)[0][2:4] == (2, {"k": 1})


def test_lanes_are_apart(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    db.execute("select private.enqueue('other', %s, %s, %s)", (SUBJECT, LATER, T0))
    assert scalar(db, "select count(*) from private.queue where subject_id = %s", SUBJECT) == 2
    assert scalar(db, "select private.next_due('planted') = %s", T0)
    assert scalar(db, "select private.next_due('other') = %s", LATER)


def test_taking_back(db: Connection) -> None:
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    db.execute(LEASE, (_worker(db), T0))
    assert scalar(db, "select private.dequeue('planted', %s)", SUBJECT)
    assert not scalar(db, "select private.dequeue('planted', %s)", SUBJECT)
    assert rows(db, ROW, SUBJECT) == []


@pytest.mark.parametrize(
    "change",
    ["worker_id = gen_random_uuid()", "leased_at = now()", "sending_at = now()"],
)
def test_unlawful_states_are_refused(db: Connection, change: str) -> None:
    db.execute(ENQUEUE, (SUBJECT, T0, T0))
    with denied(db, "23514"):
        db.execute(f"update private.queue set {change}")  # type: ignore[arg-type]


def test_a_dead_letter_holds_a_code_and_no_text(db: Connection) -> None:
    with denied(db, "23514"):
        db.execute(
            "insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at) values "
            "('x', %s, 1, %s, now())",
            (SUBJECT, "Ada said: hello"),
        )


def test_a_claim_writes_no_indexed_column(db: Connection) -> None:
    indexed = {
        name
        for (name,) in rows(
            db,
            """select a.attname from pg_index i
               join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
               where i.indrelid = 'private.queue'::regclass""",
        )
    }
    assert indexed == {"lane", "subject_id", "due_at"}
    assert scalar(db, "select count(*) from pg_trigger where tgrelid = 'private.queue'::regclass") == 0
    assert "fillfactor=25" in scalar(
        db, "select reloptions from pg_class where oid = 'private.queue'::regclass"
    )
