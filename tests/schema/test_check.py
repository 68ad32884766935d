"""`db check` finds nothing in a sound tree, and names every fault that is planted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from workers.schema import baseline, catalogue, check, compare, generated_types, sources
from workers.schema.errors import SchemaError
from workers.schema.scratch import Scratch

Faults = Callable[[Path], dict[str, tuple[str, ...]]]

FILES = "the migration files follow from the sources"
CATALOGUE = "catalogue and reference rows are the same"
PGDELTA = "pgdelta sees no difference"
LEDGER = "the definer ledger equals the catalogue"
TYPES = "the generated types are current"


def _append(tree: Path, statement: str) -> None:
    """Lets the migrations do more than the sources say."""
    newest = tree / baseline.MIGRATIONS / max(baseline.existing(tree))
    newest.write_text(f"{newest.read_text()}\n{statement}\n")


def test_a_sound_tree_has_no_faults(tree: Path, faults_of: Faults) -> None:
    assert faults_of(tree) == {}


# (statement that only the migrations have, thing that the catalogue must name, whether pgdelta sees it)
PLANTED = {
    "function body": (
        """do $$ begin execute replace(pg_get_functiondef('private.fail(text, text)'::regprocedure), 'begin',
             'begin perform 1;');
           end $$;""",
        "differs: function private.fail(text,text)",
        True,
    ),
    "function setting": (
        "alter function private.fail(text, text) set work_mem = '8MB';",
        "differs: function private.fail(text,text)",
        True,
    ),
    "missing policy": (
        "drop policy profiles_select_owner on public.profiles;",
        "only in the sources: policy public.profiles.profiles_select_owner",
        True,
    ),
    "restrictive policy that became permissive": (
        """drop policy profiles_all_live_session on public.profiles;
           create policy profiles_all_live_session on public.profiles for all to authenticated
             using ((select private.session_is_live()));""",
        "differs: policy public.profiles.profiles_all_live_session",
        True,
    ),
    "policy on storage": (
        "create policy planted_select_owner on storage.objects for select to authenticated using (true);",
        "only in the migrations: policy storage.objects.planted_select_owner",
        False,
    ),
    "changed policy on storage": (
        """do $$ begin execute (select format('alter policy %I on storage.objects using (true)', polname)
             from pg_policy
             where polrelid = 'storage.objects'::regclass and polcmd = 'r' limit 1); end $$;""",
        "differs: policy storage.objects.",
        False,
    ),
    "row level security": (
        "alter table public.profiles disable row level security;",
        "differs: table public.profiles",
        True,
    ),
    "column grant": (
        "grant update (user_id) on public.profiles to authenticated;",
        "only in the migrations: privilege on column public.profiles.user_id to authenticated",
        True,
    ),
    "table grant": (
        "grant truncate on public.profiles to authenticated;",
        "differs: privilege on r public.profiles to authenticated",
        True,
    ),
    "schema grant": (
        "grant usage on schema worker to authenticated;",
        "only in the migrations: privilege on schema worker to authenticated",
        True,
    ),
    "function grant": (
        "grant execute on function private.fail(text, text) to public;",
        "only in the migrations: privilege on function private.fail(text,text) to public",
        True,
    ),
    "default privilege": (
        "alter default privileges in schema public grant select on tables to anon;",
        "only in the migrations: privilege on future r of postgres in public to anon",
        True,
    ),
    "trigger on auth": (
        """create trigger _999_planted after insert on auth.users
           for each row execute function private.tg_touch_updated_at();""",
        "only in the migrations: trigger auth.users._999_planted",
        True,
    ),
    "enum order": (
        "alter type public.connection_state add value 'planted' before 'active';",
        "differs: type public.connection_state",
        True,
    ),
    "comment": (
        "comment on table public.profiles is 'planted';",
        "differs: comment table public.profiles",
        True,
    ),
    "constraint": (
        "alter table public.profiles add constraint planted check (handle <> 'planted');",
        "only in the migrations: constraint public.profiles.planted",
        True,
    ),
    "index": (
        "create index planted on public.profiles (display_name);",
        "only in the migrations: index public.planted",
        True,
    ),
    "changed reference row": (
        "update private.error_registry set hint = 'planted' where code = 'NX000';",
        "differs: row private.error_registry ('NX000')",
        False,
    ),
    "missing reference row": (
        "delete from private.settings where key = 'lease_seconds';",
        "only in the sources: row private.settings ('lease_seconds')",
        False,
    ),
    "public bucket": (
        "update storage.buckets set public = true where id = 'media';",
        "differs: row storage.buckets ('media')",
        False,
    ),
}


@pytest.fixture(scope="module")
def planted(scratch: Scratch, sound_tree: Path, migrated: str) -> Iterator[psycopg.Connection[Any]]:
    """A database as the migrations built it, to change and roll back."""
    scratch.stack.drop_database("schema_planted")
    scratch.stack.create_database("schema_planted", template=migrated)
    with catalogue.connect(scratch.stack.url("schema_planted")) as connection:
        catalogue.drop_dated_partitions(connection)
        connection.commit()
        yield connection


@pytest.fixture(scope="module")
def wanted(scratch: Scratch, sound_tree: Path) -> dict[str, str]:
    """What the sources build."""
    with catalogue.connect(scratch.from_sources(sound_tree, "schema_wanted")) as connection:
        catalogue.drop_dated_partitions(connection)
        return catalogue.read(connection)


@pytest.mark.parametrize("name", PLANTED)
def test_a_difference_is_named(planted: psycopg.Connection[Any], wanted: dict[str, str], name: str) -> None:
    statement, expected, _ = PLANTED[name]
    try:
        planted.execute(statement.encode())
        found = catalogue.read(planted)
    finally:
        planted.rollback()
    faults = compare.difference(found, wanted, found_in="migrations", wanted_in="sources")
    assert any(fault.startswith(expected) for fault in faults), faults


@pytest.mark.parametrize("is_seen", [True, False])
def test_pgdelta_sees_what_it_is_for(
    scratch: Scratch, sound_tree: Path, migrated: str, is_seen: bool
) -> None:
    """One run over all the differences it knows of, one over those that our own catalogue is there for."""
    scratch.stack.drop_database("schema_delta")
    scratch.stack.create_database("schema_delta", template=migrated)
    url = scratch.stack.url("schema_delta")
    with psycopg.connect(url) as connection:
        for statement, _, pgdelta_sees_it in PLANTED.values():
            if pgdelta_sees_it == is_seen:
                connection.execute(statement.encode())
    faults = {o.question: o.faults for o in check.comparison(scratch.from_sources(sound_tree), url)}
    assert bool(faults[PGDELTA]) == is_seen
    assert faults[CATALOGUE]
    for name in ("profiles_select_owner", "profiles_all_live_session", "_999_planted", "planted", "fail"):
        assert (name in "".join(faults[PGDELTA])) == is_seen


def test_every_question_names_its_fault(tree: Path, faults_of: Faults) -> None:
    """One run over a tree in which everything is wrong that can be at once."""
    names = (
        "function body",
        "missing policy",
        "changed policy on storage",
        "column grant",
        "changed reference row",
    )
    for name in names:
        _append(tree, PLANTED[name][0])
    _append(tree, "delete from private.definer_ledger where function_name = 'private.require_person';")
    types = tree / generated_types.PATH
    types.write_text(types.read_text().replace('"handle": string', '"handle": number'))
    faults = faults_of(tree)
    assert {FILES, CATALOGUE, PGDELTA, LEDGER, TYPES} == set(faults)
    for name in names:
        assert any(fault.startswith(PLANTED[name][1]) for fault in faults[CATALOGUE]), name
    ledger_row = "only in the sources: row private.definer_ledger ('private.require_person')"
    assert {fault for fault in faults[CATALOGUE] if "ledger" in fault} == {ledger_row}
    assert len(faults[CATALOGUE]) == len(names) + 1
    assert faults[LEDGER] == (
        "security definer function without a row in private.definer_ledger: private.require_person",
    )
    assert '+          "handle": string' in faults[TYPES][0]


def _file_faults(tree: Path) -> list[str]:
    return baseline.baseline_faults(tree, sources.load(tree))


def test_an_extra_file_is_named(tree: Path) -> None:
    (tree / baseline.MIGRATIONS / "20991231235959_extra.sql").write_text("select 1;\n")
    expected = f"{baseline.MIGRATIONS}/20991231235959_extra.sql: no source generates it; run ./nexora db new"
    assert _file_faults(tree) == [expected]


def test_a_file_that_the_runner_would_skip_is_named(tree: Path) -> None:
    (tree / baseline.MIGRATIONS / "later.sql").write_text("select 1;\n")
    with pytest.raises(SchemaError, match=r"not named <14 digits>_<name>\.sql: later\.sql"):
        _file_faults(tree)


def test_an_edited_migration_is_named(tree: Path) -> None:
    assert _file_faults(tree) == []
    _append(tree, "-- a comment only")
    assert len(_file_faults(tree)) == 1


def test_a_migration_that_fails_is_quoted(tree: Path, faults_of: Faults) -> None:
    _append(tree, "select 1 / 0;")
    faults = faults_of(tree)["sources and migrations can be applied"]
    assert "division by zero" in faults[0]
    assert not re.search(r"://\w+:(?!\*\*\*@)[^@\s]+@", faults[0]), "a password is in the message"


def test_a_source_that_nobody_lists_is_named(tree: Path, faults_of: Faults) -> None:
    (tree / "sql/00_platform/unlisted.sql").write_text("-- x\n")
    assert faults_of(tree) == {
        "the source tree is in order": ("sql/00_platform/unlisted.sql: not listed in sql/build.sql",)
    }
