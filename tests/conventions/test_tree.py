"""Rules about the files of the project, each over the whole tree and over a planted violation."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from tests.conventions import tree
from workers.schema import sources
from workers.settings import Settings

Rule = Callable[[str, str], Iterator[str]]

_RULES: list[tuple[str, Rule, str, str]] = [
    # folder ('' for all), rule, a file that breaks it, one that must pass
    (
        "policies/",
        tree.who_may_only,
        "create table public.x (id uuid);",
        "alter table public.x enable row level security;",
    ),
    (
        "policies/",
        tree.who_may_only,
        "do $$ begin create table x (); end $$;",
        "do $$ begin execute 'grant select on x to y'; end $$;",
    ),
    (
        "sql/",
        tree.what_exists_only,
        "grant select on public.x to authenticated;",
        "create table public.x (id uuid); -- grant",
    ),
    (
        "sql/",
        tree.what_exists_only,
        "create policy p on public.x for select using (true);",
        "select $$ grant it $$;",
    ),
    ("sql/", tree.begins_with_header, "create table public.x (id uuid);", "-- public.x: …\n"),
    ("policies/", tree.begins_with_header, "grant select on x to y;", "-- Who …\n"),
    ("sql/", tree.forbidden_in_migrations, "BEGIN;\nselect 1;\nCOMMIT;", "do $$ begin perform 1; end $$;"),
    (
        "sql/",
        tree.forbidden_in_migrations,
        "create index concurrently x on y (z);",
        "create index x on y (z);",
    ),
    ("workers/", tree.builds_http_client, "client = httpx.AsyncClient()", "client = build_client(PLATFORM)"),
    ("", tree.too_long, "\n" * 451, "\n" * 300),
    ("", tree.registry_hosts, "https://" + "py" + "pi.org/simple", "https://docs.example/simple"),
    ("", tree.machine_paths, "see .." + "/shared/DESIGN.md", "see ../policies/10_identity"),
    ("", tree.secrets, "key = 'sb_" + "secret_abcdefghijklmnop'", "key = f'sb_secret_{random}'"),
    (
        "",
        tree.secrets,
        "postgresql://postgres:" + "hunter2@db.example/x",
        "postgresql://postgres:{password}@127.0.0.1/x",
    ),
    ("", tree.secrets, "AKIA" + "ABCDEFGHIJKLMNOP", "AKIA in words"),
]


@pytest.mark.parametrize(
    ("folder", "rule"), sorted({(folder, rule) for folder, rule, _, _ in _RULES}, key=str)
)
def test_the_tree_keeps_the_rule(folder: str, rule: Rule) -> None:
    found = [
        fault
        for path, text in tree.texts()
        if path.startswith(folder) and path != "sql/build.sql"
        for fault in rule(path, text)
    ]
    assert found == []


@pytest.mark.parametrize(("folder", "rule", "bad", "good"), _RULES)
def test_the_rule_notices_a_planted_violation(folder: str, rule: Rule, bad: str, good: str) -> None:
    path = f"{folder or 'workers/'}planted.{'sql' if folder in ('sql/', 'policies/') else 'py'}"
    assert list(rule(path, bad))
    assert not list(rule(path, good))


def test_lower_contexts_do_not_use_higher_ones() -> None:
    assert sources.dependency_faults(sources.load(tree.ROOT)) == []


def test_a_use_of_a_higher_context_is_noticed() -> None:
    lower = sources.Context(
        "10_identity", (sources.SourceFile("sql/10_identity/a.sql", "select private.later();"),)
    )
    text = "create function private.later() returns int language sql as 'select 1';"
    higher = sources.Context("20_connections", (sources.SourceFile("sql/20_connections/b.sql", text),))
    assert sources.dependency_faults([lower, higher]) == [
        "sql/10_identity/a.sql: uses private.later, which belongs to the higher 20_connections"
    ]


# The block of error codes that belongs to a context; see CONVENTIONS.md.
_CODE_BLOCKS = {
    "00_platform": "0[0-9][0-9]",
    "05_audit": "0[0-9][0-9]",
    "10_identity": "1[0-4][0-9]",
    "15_notifications": "1[5-9][0-9]",
    "20_connections": "2[0-9][0-9]",
    "30_content": "3[0-9][0-9]",
    "40_publishing": "4[0-4][0-9]",
    "45_scheduling": "4[5-9][0-9]",
    "70_analytics": "70[0-9]",
    "80_messaging": "80[0-9]",
    "85_billing": "8[5-9][0-9]",
    "90_privacy": "9[0-8][0-9]",
    "95_attestation": "99[0-9]",
}


def _codes_outside_their_block(context: str, text: str) -> list[str]:
    return [
        code
        for code in re.findall(r"^\s*\('NX(\d{3})'", text, re.MULTILINE)
        if not re.fullmatch(_CODE_BLOCKS[context], code)
    ]


def test_contexts_register_codes_of_their_own_block() -> None:
    for context in sources.load(tree.ROOT):
        for file in context.files:
            if file.stem == "errors" and not file.is_policy:
                assert _codes_outside_their_block(context.label, file.text) == [], file.path


def test_a_code_outside_its_block_is_noticed() -> None:
    assert _codes_outside_their_block("30_content", "values\n  ('NX301', 'a'),\n  ('NX401', 'b');") == ["401"]


def _variables(text: str) -> set[str]:
    return set(re.findall(r"^#?\s?([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))


def test_the_example_environment_names_exactly_the_variables_of_the_settings() -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    assert _variables((tree.ROOT / ".env.example").read_text()) == known


def test_a_variable_that_is_only_described_is_seen() -> None:
    assert _variables("SUPABASE_URL=\n# NEXORA_X=1\n# text with A=1\n") == {"SUPABASE_URL", "NEXORA_X"}
