"""`db advise` refuses what it should, and its list of allowed findings cannot rot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from workers.schema import advisors
from workers.schema.advisors import Allowance, Finding
from workers.schema.errors import SchemaError
from workers.schema.scratch import Scratch

ROOT = Path(__file__).resolve().parents[2]

PLANTED = {
    "table without row level security, out of reach": (
        "create table private.planted (id int primary key)",
        ("nexora_rls_disabled", "private.planted"),
    ),
    "table without row level security, in reach": (
        "create table public.planted (id int primary key); grant select on public.planted to anon",
        ("rls_disabled_in_public", "public.planted"),
    ),
    "definer function in public": (
        "create function public.plant_it() returns int language sql security definer set search_path = ''"
        " as 'select 1';"
        "grant execute on function public.plant_it() to authenticated",
        ("nexora_definer_in_exposed_schema", "public.plant_it()"),
    ),
    "definer function for visitors": (
        "create function private.plant_it() returns int language sql security definer set search_path = ''"
        " as 'select 1';"
        "grant execute on function private.plant_it() to anon",
        ("nexora_definer_executable_by_anon", "private.plant_it()"),
    ),
    "mutable search_path": (
        "create function private.plant_it() returns int language sql as 'select 1'",
        ("function_search_path_mutable", "private.plant_it"),
    ),
    "unindexed foreign key": (
        """create table public.planted (id uuid primary key,
             user_id uuid constraint planted_user_fk references auth.users (id));
           alter table public.planted enable row level security""",
        ("unindexed_foreign_keys", "public.planted.planted_user_fk"),
    ),
    "auth.uid() for every row": (
        """create table public.planted (id uuid primary key);
           alter table public.planted enable row level security;
           create policy planted_select_owner on public.planted for select to authenticated
             using (id = auth.uid())""",
        ("auth_rls_initplan", "public.planted"),
    ),
    "write policy without a condition": (
        """create table public.planted (id uuid primary key);
           alter table public.planted enable row level security;
           create policy planted_insert_owner on public.planted for insert to authenticated with
             check (true)""",
        ("rls_policy_always_true", "public.planted"),
    ),
}


@pytest.fixture
def own_url(scratch: Scratch, template_db: str) -> Iterator[str]:
    """A database of this test's own with the whole schema."""
    scratch.stack.drop_database("advised")
    scratch.stack.create_database("advised", template=template_db)
    yield scratch.stack.url("advised")
    scratch.stack.drop_database("advised")


def test_the_schema_has_no_finding_that_is_not_allowed(scratch: Scratch, template_db: str) -> None:
    advice = advisors.advise(ROOT, scratch.stack.url(template_db))
    assert (advice.refused, advice.stale) == ((), ())


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fault_is_refused(own_url: str, name: str) -> None:
    statement, identity = PLANTED[name]
    with psycopg.connect(own_url) as connection:
        connection.execute(statement.encode())
    advice = advisors.advise(ROOT, own_url)
    assert identity in {(finding.lint, finding.subject) for finding in advice.refused}
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
