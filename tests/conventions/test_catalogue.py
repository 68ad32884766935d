"""The rules over the built database, and each rule over a planted violation of it."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from tests.conventions.rules import ALL, Rule
from workers.schema import privileges, sqltext
from workers.schema.deployment import ANON_MAY

WEB = Path(__file__).resolve().parents[2] / "workers" / "web"

_CODE = re.compile(r"['\"](NX\d{3})['\"]")

by_name = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)


def _violations(connection: psycopg.Connection, rule: Rule) -> set[str]:
    connection.execute("set local search_path = ''")
    return {text for (text,) in connection.execute(rule.violations)}


@by_name
def test_the_schema_keeps_the_rule(db: psycopg.Connection, rule: Rule) -> None:
    assert sorted(_violations(db, rule)) == []


@by_name
def test_the_rule_notices_a_planted_violation(db: psycopg.Connection, rule: Rule) -> None:
    before = _violations(db, rule)
    db.execute(rule.plant)
    assert _violations(db, rule) - before, "the planted violation went unnoticed"


def test_rules_have_names_of_their_own() -> None:
    assert len({rule.name for rule in ALL}) == len(ALL)


def _raised_codes(connection: psycopg.Connection) -> set[str]:
    rows = connection.execute(
        "select prosrc from pg_proc where pronamespace::regnamespace::text in ('public', 'private',"
        " 'worker', 'retained')"
    )
    return {code for (body,) in rows for code in _CODE.findall(sqltext.without_comments(body))}


def _codes_of_the_web_app() -> set[str]:
    """What the worker tells a browser on its way, where no function of the database has a say."""
    return {code for file in WEB.glob("*.py") for code in _CODE.findall(file.read_text())} - {"NX000"}


def _registered_codes(connection: psycopg.Connection) -> set[str]:
    return {code for (code,) in connection.execute("select code from private.error_registry")}


def test_every_error_that_is_raised_is_registered_and_the_other_way_round(db: psycopg.Connection) -> None:
    assert _raised_codes(db) | _codes_of_the_web_app() == _registered_codes(db)


def test_an_error_that_is_not_registered_is_noticed(db: psycopg.Connection) -> None:
    db.execute(
        "create function private.plant_it() returns void language sql as $$ select private.fail('NX899') $$"
    )
    assert "NX899" in _raised_codes(db) - _registered_codes(db)


def test_every_registered_error_says_what_to_do(db: psycopg.Connection) -> None:
    silent = db.execute(
        """select code from private.error_registry
           where trim(message) = '' or trim(hint) = '' or http_status not between 400 and 599"""
    ).fetchall()
    assert silent == []


def _anon_rights(connection: psycopg.Connection) -> dict[privileges.Holder, privileges.Rights]:
    connection.execute("set local search_path = ''")
    return {
        holder: rights for holder, rights in privileges.read(connection).items() if holder.grantee == "anon"
    }


def test_a_visitor_may_do_exactly_what_is_stated(db: psycopg.Connection) -> None:
    assert _anon_rights(db) == ANON_MAY


def test_a_right_too_many_for_visitors_is_noticed(db: psycopg.Connection) -> None:
    db.execute("create table public.planted (id uuid); grant select (id) on public.planted to anon")
    assert _anon_rights(db) != ANON_MAY
