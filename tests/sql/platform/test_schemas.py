"""Who reaches which schema, and what new objects may grant by default."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied


def test_a_visitor_does_not_reach_private(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select private.fail('NX001')")


def test_a_person_does_not_reach_worker(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute("select worker.run_housekeeping()")


@pytest.mark.parametrize(
    "table", ["queue", "settings", "workers", "accounts", "audit_events", "idempotency_keys"]
)
def test_nobody_reads_tables_of_private(db: Connection, table: str) -> None:
    query = f"select from private.{table}"
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(query)  # type: ignore[arg-type]
    with denied(db, "42501"), as_worker(db):
        db.execute(query)  # type: ignore[arg-type]


def test_new_functions_are_closed_to_everybody(db: Connection) -> None:
    db.execute("create function public.planted() returns int language sql as 'select 1'")
    for role in ("anon", "authenticated", "service_role"):
        assert not scalar(db, "select has_function_privilege(%s, 'public.planted()', 'execute')", role)


@pytest.mark.parametrize(
    "right", ["select", "insert", "update", "delete", "truncate", "references", "trigger"]
)
def test_new_tables_are_closed_to_everybody(db: Connection, right: str) -> None:
    db.execute("create table public.planted (id int)")
    for role in ("anon", "authenticated", "service_role"):
        assert not scalar(db, "select has_table_privilege(%s, 'public.planted', %s)", role, right)
