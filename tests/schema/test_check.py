"""`db check` finds nothing in a sound tree, and names every fault that is planted."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from workers.schema import baseline, check, generated_types
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


def test_asound_tree_has_no_faults(tree: Path, faults_of: Faults) -> None:
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


@pytest.mark.parametrize("name", PLANTED)
def test_a_difference_is_named(scratch: Scratch, sound_tree: Path, migrated: str, name: str) -> None:
    statement, expected, pgdelta_sees_it = PLANTED[name]
    scratch.stack.drop_database("schema_planted")
    scratch.stack.create_database("schema_planted", template=migrated)
    url = scratch.stack.url("schema_planted")
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
    faults = {
        outcome.question: outcome.faults
        for outcome in check.comparison(scratch.from_sources(sound_tree), url)
    }
    assert any(fault.startswith(expected) for fault in faults[CATALOGUE]), faults[CATALOGUE]
    assert bool(faults[PGDELTA]) == pgdelta_sees_it


def test_differences_of_a_migration_file_are_named(tree: Path, faults_of: Faults) -> None:
    names = (
        "function body",
        "missing policy",
        "changed policy on storage",
        "column grant",
        "changed reference row",
    )
    for name in names:
        _append(tree, PLANTED[name][0])
    faults = faults_of(tree)
    assert {FILES, CATALOGUE, PGDELTA} == set(faults)
    for name in names:
        assert any(fault.startswith(PLANTED[name][1]) for fault in faults[CATALOGUE]), name
    assert len(faults[CATALOGUE]) == len(names)


def test_a_definer_function_outside_the_ledger_is_named(tree: Path, faults_of: Faults) -> None:
    _append(tree, "delete from private.definer_ledger where function_name = 'private.require_person';")
    expected = "security definer function without a row in private.definer_ledger: private.require_person"
    assert faults_of(tree)[LEDGER] == (expected,)


def test_stale_types_are_named(tree: Path, faults_of: Faults) -> None:
    path = tree / generated_types.PATH
    path.write_text(path.read_text().replace('"handle": string', '"handle": number'))
    faults = faults_of(tree)
    assert list(faults) == [TYPES]
    assert '+          "handle": string' in faults[TYPES][0]


def test_an_extra_file_is_named(tree: Path, faults_of: Faults) -> None:
    (tree / baseline.MIGRATIONS / "20991231235959_extra.sql").write_text("select 1;\n")
    expected = f"{baseline.MIGRATIONS}/20991231235959_extra.sql: no source generates it; run ./nexora db new"
    assert faults_of(tree) == {FILES: (expected,)}


def test_a_file_that_the_runner_would_skip_is_named(tree: Path, faults_of: Faults) -> None:
    (tree / baseline.MIGRATIONS / "later.sql").write_text("select 1;\n")
    assert "not named <14 digits>_<name>.sql: later.sql" in faults_of(tree)[FILES][0]


def test_an_edited_migration_is_named(tree: Path, faults_of: Faults) -> None:
    _append(tree, "-- a comment only")
    assert list(faults_of(tree)) == [FILES]


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
