"""Everything that holds data is registered, and nothing is registered that is not there (P7.3, P7.4, P8.2)."""

from __future__ import annotations

import psycopg
import pytest

from tests.conftest import ROOT
from tests.support.hosted_columns import add_hosted_columns
from workers.embedded import Stack
from workers.schema import retention

PLANTED = {
    "a new column": (
        "alter table public.posts add column contact_mail text",
        "unregistered column: public.posts.contact_mail",
    ),
    "a renamed column": (
        "alter table public.posts rename column body to words",
        "registered, but not there: public.posts.body",
    ),
    "a dropped column": (
        "alter table public.captions drop column body",
        "registered, but not there: public.captions.body",
    ),
    "a new table": ("create table private.planted (id uuid)", "unregistered column: private.planted.id"),
    "a dropped table": (
        "drop table private.reserved_handles",
        "registered, but not there: private.reserved_handles.handle_key",
    ),
    "a new partitioned table": (
        """create table private.planted (at timestamptz) partition by range (at);
           create table private.planted_default partition of private.planted default""",
        "unregistered column: private.planted.at",
    ),
    "a view": (
        "create view public.planted with (security_invoker = true) as select body from public.posts",
        "unregistered column: public.planted.body",
    ),
    "a materialised copy": (
        "create materialized view private.planted as select body from public.posts",
        "unregistered column: private.planted.body",
    ),
    "a schema of somebody's own": (
        "create schema planted; create table planted.planted (id int)",
        "unregistered column: planted.planted.id",
    ),
    "a new bucket": (
        "insert into storage.buckets (id, name) values ('planted', 'planted')",
        "unregistered bucket: planted",
    ),
    "a bucket that is gone": (
        "set local storage.allow_delete_query = 'true'; delete from storage.buckets where id = 'avatars'",
        "registered, but not there: bucket avatars",
    ),
    "a lane in the queue": (
        """insert into private.queue (lane, subject_id, due_at)
           values ('planted', '00000000-0000-4000-8000-000000000001', now())""",
        "unregistered lane: planted",
    ),
    "a lane in a function": (
        """create function private.plant_it() returns void language sql set search_path = '' as
             $$ select private.enqueue('planted', gen_random_uuid(), now()) $$""",
        "unregistered lane: planted",
    ),
    "JSON about which nobody says anything": (
        "update private.data_catalogue set justification = null where column_name = 'options'",
        "nobody says what is inside: public.post_targets.options",
    ),
    "a name that looks personal, kept without a word": (
        """alter table private.settings add column contact_mail text;
           select private.register_data('private.settings', 'none', 'features', 'keep_nonpersonal',
             '{"system.operations": "contact_mail"}')""",
        "kept, though it looks personal: private.settings.contact_mail",
    ),
    "an address kept in a table of people": (
        """alter table public.posts add column came_from inet;
           select private.register_data('public.posts', 'user_id', 'features', 'delete_row',
             '{"system.operations": "came_from"}')""",
        "kept, though it looks personal: public.posts.came_from",
    ),
    "a personal table without its person": (
        "alter table public.captions drop column user_id cascade",
        "no way to its person: public.captions",
    ),
    "a way that leads nowhere": (
        """update private.data_catalogue set subject_path = 'connection_id=>public.nowhere'
           where relation = 'platform_budgets'""",
        "no way to its person: private.platform_budgets",
    ),
    "two ways": (
        """update private.data_catalogue set subject_path = 'id'
           where relation = 'captions' and column_name = 'body'""",
        "more than one way to its person: public.captions",
    ),
    "a table that is deleted in part": (
        """update private.data_catalogue set erase_action = 'nullify'
           where relation = 'captions' and column_name = 'body'""",
        "deleted in part: public.captions",
    ),
    "a reference that stops an erasure": (
        "create table private.planted (post_id uuid references public.posts (id))",
        "a reference that stops an erasure: private.planted.planted_post_id_fkey",
    ),
    "a default that keeps what a request brought": (
        "alter table public.posts add column x text default current_setting('request.headers', true)",
        "a default that keeps what a request brought: public.posts.x",
    ),
}


def _gaps(db: psycopg.Connection) -> set[str]:
    db.execute("set local search_path = ''")
    return {
        f"{gap}: {subject}"
        for gap, subject in db.execute("select gap, subject from private.catalogue_gaps()")
    }


def test_the_catalogue_has_no_gap(db: psycopg.Connection) -> None:
    assert _gaps(db) == set()


@pytest.mark.parametrize(("fault", "expected"), PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_gap_is_found(db: psycopg.Connection, fault: str, expected: str) -> None:
    db.execute(fault)
    assert expected in _gaps(db)


def test_a_large_object_is_found(admin_db: psycopg.Connection) -> None:
    admin_db.execute("select lo_create(0)")
    assert "large objects, which nothing erases: 1" in _gaps(admin_db)


def test_the_hosted_schemas_have_no_gap(admin_db: psycopg.Connection) -> None:
    add_hosted_columns(admin_db)
    assert _gaps(admin_db) == set()


@pytest.mark.parametrize("table", ["auth.users", "auth.mfa_factors", "storage.objects"])
def test_an_unknown_column_of_the_platform_fails_closed(admin_db: psycopg.Connection, table: str) -> None:
    add_hosted_columns(admin_db)
    admin_db.execute(f"alter table {table} add column planted text")
    assert _gaps(admin_db) == {f"unregistered column: {table}.planted"}


def test_a_secret_cannot_be_registered_for_export(db: psycopg.Connection) -> None:
    """P6.6: the database itself refuses it."""
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(
            """update private.data_catalogue set export_action = 'include', export_name = 'x'
               where relation = 'token_vault' and column_name = 'sealed_access'"""
        )


def test_personal_data_cannot_be_registered_as_kept(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(
            "update private.data_catalogue set erase_action = 'keep_nonpersonal' where column_name = 'bio'"
        )


def test_data_without_a_purpose_cannot_be_registered(db: psycopg.Connection) -> None:
    """P2.1: no purpose, no entry; and without an entry there is a gap."""
    db.execute("create table private.planted (id uuid)")
    db.execute(
        """select private.register_data('private.planted', 'none', 'curiosity', 'keep_nonpersonal',
             '{"system.operations": "id"}')"""
    )
    assert "unregistered column: private.planted.id" in _gaps(db)


@pytest.mark.parametrize("purpose", ["train_models", "advertising", "data_broker"])
def test_purposes_that_were_promised_away_cannot_be_added(db: psycopg.Connection, purpose: str) -> None:
    """P2.2, P2.3."""
    with pytest.raises(psycopg.errors.CheckViolation):
        db.execute(
            """insert into private.processing_purposes (id, lawful_basis, may_be_refused, description)
               values (%s, 'consent', true, 'Something that was promised never to be.')""",
            (purpose,),
        )


def test_the_retention_table_is_current(stack: Stack, template_db: str) -> None:
    assert retention.faults(ROOT, stack.url(template_db)) == []


def test_the_hash_changes_with_the_catalogue(db: psycopg.Connection) -> None:
    before = db.execute("select private.catalogue_hash()").fetchone()
    db.execute("update private.data_catalogue set purpose = 'billing' where relation = 'captions'")
    assert db.execute("select private.catalogue_hash()").fetchone() != before
