"""private.settings and the addresses that workers announce."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import denied


def test_settings_have_types(db: Connection) -> None:
    assert scalar(db, "select private.setting('lease_seconds')") == 45
    assert scalar(db, "select private.setting_int('lease_seconds')") == 45
    assert scalar(db, "select private.setting_interval('session_inactivity')") == timedelta(days=30)


def test_an_unknown_setting_is_null(db: Connection) -> None:
    assert scalar(db, "select private.setting('no_such_thing')") is None
    assert scalar(db, "select private.setting_int('no_such_thing')") is None
    assert scalar(db, "select private.setting_interval('no_such_thing')") is None


@pytest.mark.parametrize("value", ["{}", "[1]", "null"])
def test_a_setting_is_one_scalar(db: Connection, value: str) -> None:
    with denied(db, "23514"):
        db.execute("insert into private.settings values ('planted', %s, 'x')", (value,))


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://app.example", True),
        ("https://app.example:8443/callback?x=1", True),
        ("http://localhost:3000/done", True),
        ("http://127.0.0.1/done", True),
        ("http://[::1]:3000", True),
        ("http://app.example", False),
        ("http://localhost.evil.example/", False),
        ("http://127.0.0.1.evil.example/", False),
        ("https://user@app.example/", False),
        ("https://app.example/?to=a@b", True),
        ("https://app.example/#part", False),
        ("https://app.example/a b", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_which_addresses_are_allowed(db: Connection, url: str, is_allowed: bool) -> None:
    assert scalar(db, "select private.is_web_address(%s)", url) is is_allowed


def test_the_redirect_list_holds_safe_addresses_only(db: Connection) -> None:
    with denied(db, "23514"):
        db.execute("insert into private.redirect_urls values ('http://app.example', now())")
