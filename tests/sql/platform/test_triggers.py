"""updated_at tells the truth; people do not change protected columns, whatever grants say."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied


@pytest.fixture
def things(db: Connection) -> Connection:
    db.execute(
        "create table public.things (id int primary key, kept jsonb, free text, updated_at timestamptz)"
    )
    db.execute("insert into public.things values (1, '{\"a\": 1}', 'x', '2020-01-01')")
    db.execute(
        "grant all on public.things to authenticated, service_role"
    )  # as an API server that re-grants would
    db.execute(
        """create trigger _100_protect before update on public.things
           for each row execute function private.tg_protect_columns('id', 'kept')"""
    )
    db.execute(
        """create trigger _200_touch before update on public.things
           for each row execute function private.tg_touch_updated_at()"""
    )
    return db


def test_a_person_changes_free_columns(things: Connection) -> None:
    with acting_as(things, create_person(things)):
        things.execute("update public.things set free = 'y', kept = '{\"a\": 1}'")
    assert scalar(things, "select free from public.things") == "y"


@pytest.mark.parametrize(
    "change", ["kept = '{\"a\": 2}'", "kept = null", "id = 2", "free = 'y', kept = null"]
)
def test_a_person_does_not_change_protected_ones(things: Connection, change: str) -> None:
    with denied(things, "NX010"), acting_as(things, create_person(things)):
        things.execute(f"update public.things set {change}")  # type: ignore[arg-type]


def test_workers_and_functions_do(things: Connection) -> None:
    with as_worker(things):
        things.execute("update public.things set kept = null")
    things.execute("update public.things set id = 2")
    assert scalar(things, "select id from public.things where kept is null") == 2


def test_updated_at_is_the_database_s(things: Connection) -> None:
    things.execute("update public.things set updated_at = '1999-01-01'")
    assert scalar(things, "select updated_at = now() from public.things")
