"""Statements are cut where Postgres would cut them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.schema.sqltext import Statement, bare, statements, without_comments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select 1; select 2", ["select 1", "select 2"]),
        ("-- only; a comment\n", []),
        ("/* a; /* nested; */ b; */ select 1;", ["select 1"]),
        ("select ';', 'it''s;', e'\\';', \";\";", ["select ';', 'it''s;', e'\\';', \";\""]),
        ("do $$ begin; $x$ ; $x$ end $$; select 1;", ["do $$ begin; $x$ ; $x$ end $$", "select 1"]),
        ("do $body$ ; $$ ; $body$;", ["do $body$ ; $$ ; $body$"]),
        ("select a$b$c; select 1", ["select a$b$c", "select 1"]),
        ("select $1; select 2", ["select $1", "select 2"]),
    ],
)
def test_statements(text: str, expected: list[str]) -> None:
    assert [statement.text for statement in statements(text)] == expected


def test_a_statement_knows_the_line_it_begins_on() -> None:
    assert list(statements("-- one\n\nselect 1;\n/* four\n*/ select\n 2;")) == [
        Statement("select 1", 3),
        Statement("select\n 2", 5),
    ]


def test_comments_are_blanked_but_lines_stay() -> None:
    text = "select 1 -- a\n/* b\n */ + '--c'"
    assert without_comments(text).splitlines() == ["select 1     ", "    ", "    + '--c'"]


def test_bare_code_has_no_comments_and_no_texts() -> None:
    assert (
        bare("do $$ -- private.x\n select 'private.y', private.z $$") == "do $$  \n select '', private.z $$"
    )


@given(
    st.lists(st.sampled_from(["select ';'", "do $$;$$", "select 1 /* ; */ + 1", 'select ";"', "select 2"]))
)
def test_joining_and_cutting_are_inverse(parts: list[str]) -> None:
    assert [statement.text for statement in statements(";\n".join(parts) + ";")] == parts
