"""The audit log says who did what, holds no contents, and does not change."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

AUDIT = "select private.audit('thing_done', 'thing', null, %s)"
LAST = "select actor, actor_kind, details from private.audit_events where action = 'thing_done'"


@pytest.fixture
def open_audit(db: Connection) -> Connection:
    """Lets every role write through a definer function, as the bodies of the service do."""
    db.execute(
        """create function public.plant() returns void language sql security definer set search_path = '' as
           $$ select private.audit('thing_done', 'thing', null) $$"""
    )
    db.execute("grant execute on function public.plant() to public")
    return db


def test_a_person_is_named(open_audit: Connection) -> None:
    person = create_person(open_audit)
    with acting_as(open_audit, person):
        open_audit.execute("select public.plant()")
    assert rows(open_audit, LAST) == [(person.user_id, "person", {})]


def test_a_worker_is_not(open_audit: Connection) -> None:
    with as_worker(open_audit):
        open_audit.execute("select public.plant()")
    assert rows(open_audit, LAST) == [(None, "worker", {})]


def test_everything_else_is_the_system(open_audit: Connection) -> None:
    open_audit.execute("select public.plant()")
    with acting_as(open_audit, None):
        open_audit.execute("select public.plant()")
    assert rows(open_audit, LAST) == [(None, "system", {})] * 2


@pytest.mark.parametrize(
    "details",
    [
        "{}",
        '{"field": "handle", "n": 3, "ok": true, "at": "2026-01-01T00:00:00Z", "of": ["a-b", "NX1"]}',
    ],
)
def test_ids_names_and_codes_are_taken(db: Connection, details: str) -> None:
    db.execute(AUDIT, (details,))
    assert scalar(db, "select details = %s from private.audit_events where action = 'thing_done'", details)


@pytest.mark.parametrize(
    "details",
    [
        '{"a": "hello world"}',
        '{"a": ["ada@people.example"]}',
        '{"a": {"b": "x y"}}',
        "[]",
        '{"a": "' + "x" * 65 + '"}',
        '{"a": "ünï"}',
    ],
)
def test_contents_are_refused(db: Connection, details: str) -> None:
    with denied(db, "23514"):
        db.execute(AUDIT, (details,))


def test_rows_do_not_change(db: Connection) -> None:
    db.execute(AUDIT, ("{}",))
    for change in (
        "action = 'thing_undone'",
        "at = at + interval '1 s'",
        "details = '{\"a\": 1}'",
        "subject_id = gen_random_uuid()",
    ):
        with denied(db, "NX020"):
            db.execute(f"update private.audit_events set {change}")  # type: ignore[arg-type]


def test_an_erasure_takes_out_whom_it_is_about(db: Connection) -> None:
    subject = uuid.uuid4()
    db.execute("select private.audit('thing_done', 'thing', %s)", (subject,))
    db.execute(
        "update private.audit_events set actor = null, subject_id = null where subject_id = %s", (subject,)
    )
    assert rows(db, LAST) == [(None, "system", {})]


def test_nobody_reads_or_writes_it_through_the_api(db: Connection) -> None:
    for statement in ("select from private.audit_events", "delete from private.audit_events"):
        with denied(db, "42501"), acting_as(db, create_person(db)):
            db.execute(statement)  # type: ignore[arg-type]
        with denied(db, "42501"), as_worker(db):
            db.execute(statement)  # type: ignore[arg-type]
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(AUDIT, ("{}",))


def test_it_is_kept_for_thirteen_months(db: Connection) -> None:
    db.execute("select private.ensure_partitions('2020-01-15')")
    db.execute("select private.audit('thing_done', 'thing', null, '{}', '2020-01-31T23:59:59Z')")
    db.execute("select private.drop_expired_partitions('2021-02-28T23:59:59Z')")
    assert scalar(db, "select count(*) from private.audit_events where action = 'thing_done'") == 1
    db.execute("select private.drop_expired_partitions('2021-03-01T00:00:00Z')")
    assert scalar(db, "select count(*) from private.audit_events where action = 'thing_done'") == 0
