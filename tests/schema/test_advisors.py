"""`db advise` refuses what it should, and its list of allowed findings cannot rot."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from workers.schema import advisors
from workers.schema.advisors import Allowance, Finding
from workers.schema.errors import SchemaError
from workers.schema.scratch import Scratch

ROOT = Path(__file__).resolve().parents[2]

# Each with names of its own, so that one database holds them all.
PLANTED = {
    ("nexora_rls_disabled", "private.no_rls"): "create table private.no_rls (id int primary key)",
    ("rls_disabled_in_public", "public.no_rls"): (
        "create table public.no_rls (id int primary key); grant select on public.no_rls to anon"
    ),
    ("nexora_definer_in_exposed_schema", "public.plant_definer()"): (
        "create function public.plant_definer() returns int language sql security definer set search_path = ''"
        " as 'select 1';"
        "grant execute on function public.plant_definer() to authenticated"
    ),
    ("nexora_definer_executable_by_anon", "private.plant_definer()"): (
        "create function private.plant_definer() returns int language sql security definer set search_path = ''"
        " as 'select 1';"
        "grant execute on function private.plant_definer() to anon"
    ),
    ("function_search_path_mutable", "private.plant_path"): (
        "create function private.plant_path() returns int language sql as 'select 1'"
    ),
    ("unindexed_foreign_keys", "public.no_index.no_index_user_fk"): (
        """create table public.no_index (id uuid primary key,
             user_id uuid constraint no_index_user_fk references auth.users (id));
           alter table public.no_index enable row level security"""
    ),
    ("auth_rls_initplan", "public.every_row"): (
        """create table public.every_row (id uuid primary key);
           alter table public.every_row enable row level security;
           create policy every_row_select_owner on public.every_row for select to authenticated
             using (id = auth.uid())"""
    ),
    ("rls_policy_always_true", "public.any_row"): (
        """create table public.any_row (id uuid primary key);
           alter table public.any_row enable row level security;
           create policy any_row_insert_owner on public.any_row for insert to authenticated with
             check (true)"""
    ),
}


def test_the_schema_has_no_finding_that_is_not_allowed(scratch: Scratch, template_db: str) -> None:
    advice = advisors.advise(ROOT, scratch.stack.url(template_db))
    assert (advice.refused, advice.stale) == ((), ())


def test_planted_faults_are_refused(scratch: Scratch, template_db: str) -> None:
    scratch.stack.create_database("advised", template=template_db)
    try:
        with psycopg.connect(scratch.stack.url("advised")) as connection:
            for statement in PLANTED.values():
                connection.execute(statement.encode())
        advice = advisors.advise(ROOT, scratch.stack.url("advised"))
    finally:
        scratch.stack.drop_database("advised")
    refused = {(finding.lint, finding.subject) for finding in advice.refused}
    assert set(PLANTED) - refused == set()
    assert not advice.passed


FINDING = Finding("some_lint", "INFO", "public.x", "why")


def test_a_finding_that_is_allowed_passes() -> None:
    allowance = Allowance("some_lint", "public.x", "looked at it")
    advice = advisors.judge([FINDING], [allowance])
    assert advice.passed
    assert advice.allowed == ((FINDING, allowance),)


@pytest.mark.parametrize("other", [("other_lint", "public.x"), ("some_lint", "public.y")])
def test_a_stale_entry_fails(other: tuple[str, str]) -> None:
    advice = advisors.judge([FINDING], [Allowance("some_lint", "public.x", "…"), Allowance(*other, "…")])
    assert not advice.passed
    assert [(entry.lint, entry.subject) for entry in advice.stale] == [other]


@pytest.mark.parametrize(
    "text",
    [
        '[[allow]]\nlint = "a"\nsubject = "b"',
        '[[allow]]\nlint = "a"\nsubject = "b"\nreason = " "',
        '[[allow]]\nlint = "a"\nsubject = "b"\nreason = "c"\n' * 2,
    ],
)
def test_an_entry_without_a_reason_or_twice_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / advisors.ALLOW_FILE
    path.parent.mkdir()
    path.write_text(text)
    with pytest.raises(SchemaError):
        advisors.allowances(tmp_path)
