"""A database of the embedded stack refuses what a hosted project refuses, and allows what that allows."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from workers.embedded import MigrationError, Stack

Owner = psycopg.Connection[Any]


def scalar(connection: psycopg.Connection[Any], query: str) -> Any:
    [row] = connection.execute(query).fetchall()
    return row[0]


def test_migrations_run_without_superuser(owner: Owner) -> None:
    columns = "rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication"
    row = owner.execute(f"select {columns} from pg_roles where rolname = current_user").fetchone()
    assert row == (False, True, True, True, True)
    assert scalar(owner, "select current_user") == "postgres"
    assert scalar(owner, "select current_setting('server_version_num')::int / 10000") == 17


def test_roles_of_the_api(owner: Owner) -> None:
    rows = owner.execute(
        "select rolname, rolcanlogin, rolbypassrls, rolsuper from pg_roles"
        " where rolname = any(%s) order by 1",
        [["anon", "authenticated", "service_role", "authenticator", "embedded_api"]],
    ).fetchall()
    assert rows == [
        ("anon", False, False, False),
        ("authenticated", False, False, False),
        ("authenticator", True, False, False),
        ("embedded_api", True, False, False),
        ("service_role", False, True, False),
    ]


def test_exposed_schemas_are_what_the_linters_look_at(owner: Owner) -> None:
    assert scalar(owner, "select current_setting('pgrst.db_schemas')") == "public,worker"


@pytest.mark.parametrize(
    "statement",
    [
        "create table auth.mine (id int)",
        "create function storage.mine() returns int language sql as 'select 1'",
        "alter table storage.objects enable row level security",
        "alter table storage.objects add column mine int",
        "alter table auth.users add column mine int",
        "create index on storage.objects (owner_id)",
        "drop function storage.filename(text)",
        "drop table storage.objects cascade",
        "delete from storage.objects",
        "delete from storage.buckets",
        "set role supabase_admin",
        "set role supabase_storage_admin",
        "create extension file_fdw",
        "copy public.notes to '/tmp/x'",
    ],
)
def test_refused_as_on_hosted(owner: Owner, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        owner.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "create policy mine on storage.objects for select to authenticated using (true)",
        "drop policy objects_select_owner on storage.objects",
        "alter policy objects_select_owner on storage.objects to anon",
        "create trigger mine after insert on auth.users"
        " for each row execute function suppress_redundant_updates_trigger()",
        "create or replace trigger mine after update on storage.objects"
        " for each row execute function suppress_redundant_updates_trigger()",
        "create table public.mine (user_id uuid primary key references auth.users (id) on delete cascade)",
        "delete from auth.users",
        "delete from auth.sessions",
        "insert into storage.buckets (id, name) values ('mine', 'mine')",
        "select set_config('storage.allow_delete_query', 'true', true); delete from storage.objects",
        "alter role authenticator set pgrst.db_schemas = 'public'",
        "create extension citext with schema extensions",
        "create schema mine; grant usage on schema mine to anon",
        "alter publication supabase_realtime add table public.notes",
        "create role mine nologin; grant mine to postgres",
    ],
)
def test_allowed_as_on_hosted(owner: Owner, statement: str) -> None:
    owner.execute(statement)


def test_new_tables_are_closed_except_for_what_hosted_leaves_open(owner: Owner) -> None:
    owner.execute("create table public.mine (id int)")
    query = "select has_table_privilege('service_role', 'public.mine', '{}')"
    assert not any(scalar(owner, query.format(p)) for p in ("select", "insert", "update", "delete"))
    assert scalar(owner, query.format("truncate"))


def test_both_ways_of_passing_claims_work(owner: Owner) -> None:
    uid = "11111111-1111-4111-8111-111111111111"
    assert scalar(owner, "select auth.jwt()") is None
    owner.execute("select set_config('request.jwt.claims', %s, true)", [f'{{"sub": "{uid}", "role": "x"}}'])
    assert str(scalar(owner, "select auth.uid()")) == uid
    assert scalar(owner, "select auth.role()") == "x"


def test_push_applies_migrations_once_and_reports_a_failure(stack: Stack, tmp_path: Path) -> None:
    root = tmp_path / "a project"
    migrations = root / "supabase" / "migrations"
    migrations.mkdir(parents=True)
    (root / "supabase" / "config.toml").write_text('project_id = "test"\n')
    (migrations / "20260101000000_first.sql").write_text("create table public.first (id int);")
    stack.create_database("pushed")
    stack.provision("pushed")
    try:
        stack.push_migrations("pushed", root)
        stack.push_migrations("pushed", root)
        with psycopg.connect(stack.url("pushed")) as connection:
            assert scalar(connection, "select count(*) from supabase_migrations.schema_migrations") == 1
            assert (
                scalar(connection, "select tableowner from pg_tables where tablename = 'first'") == "postgres"
            )
        (migrations / "20260102000000_second.sql").write_text("create table auth.second (id int);")
        with pytest.raises(MigrationError, match="42501") as failure:
            stack.push_migrations("pushed", root)
        assert stack.secrets.postgres_password not in str(failure.value)
    finally:
        stack.drop_database("pushed")
        shutil.rmtree(root)


def test_a_copy_has_the_data_and_the_settings_of_its_template(stack: Stack, database: str) -> None:
    reader = psycopg.connect(stack.url(database))  # a session on the template does not get in the way
    stack.create_database("a copy", template=database)
    reader.close()
    try:
        with psycopg.connect(stack.url("a copy")) as connection:
            assert scalar(connection, "select count(*) from storage.buckets") >= 3
            assert scalar(connection, "select current_setting('pgrst.db_schemas')") == "public,worker"
            owner = "select pg_get_userbyid(datdba) from pg_database where datname = current_database()"
            assert scalar(connection, owner) == "postgres"
        assert stack.serve("a copy").startswith("http://127.0.0.1:")
    finally:
        stack.drop_database("a copy")
        stack.drop_database("a copy")
