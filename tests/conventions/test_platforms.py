"""A platform is known everywhere or nowhere: what the recipe in CONVENTIONS.md adds, step by step."""

from __future__ import annotations

import psycopg
import pytest

from nexora_client import Platform
from tests.conventions.tree import ROOT
from workers.providers.definitions import load_definitions
from workers.sandbox.oauth_table import TABLE
from workers.settings import PLATFORMS


def _ids(db: psycopg.Connection, condition: str = "true") -> set[str]:
    return {row[0] for row in db.execute(f"select id from public.platforms where {condition}")}


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(lambda: set(load_definitions()), id="platforms.toml"),
        pytest.param(lambda: set(PLATFORMS), id="settings"),
        pytest.param(lambda: set(TABLE), id="sandbox"),
        pytest.param(lambda: {platform.value for platform in Platform}, id="nexora_client"),
    ],
)
def test_every_place_knows_the_same_platforms(db: psycopg.Connection, known) -> None:
    assert known() == _ids(db)


def test_every_platform_has_its_variables(db: psycopg.Connection) -> None:
    example = (ROOT / ".env.example").read_text()
    for name in _ids(db):
        for half in ("CLIENT_ID", "CLIENT_SECRET"):
            assert f"NEXORA_{name.upper()}_{half}=" in example


def test_every_platform_has_a_profile(db: psycopg.Connection) -> None:
    without = "not exists (select from public.platform_features f where f.platform_id = id and f.feature = 'profile')"
    assert _ids(db, without) == set()


def test_what_can_be_published_to_has_publisher_scopes_and_rules(db: psycopg.Connection) -> None:
    publishable = _ids(db, "is_publishable")
    scopes = "select from public.platform_features f where f.platform_id = id and f.feature = 'publish'"
    rules = "select from public.platform_rules r where r.platform_id = id and r.rule = 'text_length'"
    assert _ids(db, f"is_publishable and exists ({scopes}) and exists ({rules})") == publishable
    modules = {path.stem for path in (ROOT / "workers" / "providers").glob("*.py")}
    assert publishable <= modules
    assert publishable <= {path.stem for path in (ROOT / "workers" / "sandbox").glob("*.py")}
