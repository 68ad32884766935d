"""One call runs every cleanup; one that fails leaves the others alone."""

from __future__ import annotations

import psycopg

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import as_worker, denied


def test_every_registered_function_runs_and_says_how_much_it_did(db: Connection) -> None:
    with as_worker(db):
        found = dict(rows(db, "select * from worker.run_housekeeping()"))
    registered = {task for (task,) in rows(db, "select task from private.housekeeping_tasks")}
    assert set(found) == registered
    assert None not in found.values()
    assert scalar(db, "select count(*) from private.housekeeping_tasks where last_code is not null") == 0


def test_a_failing_task_is_noted_and_the_others_run(db: Connection) -> None:
    db.execute(
        """create function private.planted(p_now timestamptz) returns bigint language plpgsql as
           $$ begin delete from private.settings; return 1 / 0; end $$"""
    )
    db.execute("insert into private.housekeeping_tasks values ('planted', 'private.planted', 5)")
    found = dict(rows(db, "select * from private.housekeeping('2026-01-01')"))
    assert found["planted"] is None
    assert found["expire_idempotency_keys"] is not None
    assert rows(
        db,
        "select last_code, last_success_at, last_run_at is not null from private.housekeeping_tasks "
        "where task = 'planted'",
    ) == [("22012", None, True)]


def test_tasks_run_in_their_order(db: Connection) -> None:
    found = [task for task, _ in rows(db, "select * from private.housekeeping()")]
    expected = [
        task for (task,) in rows(db, "select task from private.housekeeping_tasks order by run_order, task")
    ]
    assert found == expected


def test_only_functions_of_private_can_be_registered(db: Connection) -> None:
    with denied(db, "23514"):
        db.execute("insert into private.housekeeping_tasks values ('x', 'pg_sleep(9); --', 1)")


def test_a_second_run_at_the_same_time_does_nothing(db_url: str) -> None:
    with psycopg.connect(db_url) as first, psycopg.connect(db_url) as second:
        assert rows(first, "select * from private.housekeeping()")
        assert rows(second, "select * from private.housekeeping()") == []
        first.rollback()
        second.rollback()
        assert rows(second, "select * from private.housekeeping()")
        second.rollback()
