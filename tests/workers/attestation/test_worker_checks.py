"""Every check of the worker passes on this code, and fails when what it looks at is broken."""

from __future__ import annotations

import dataclasses
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from pydantic_settings import SettingsConfigDict

from tests.conftest import ROOT
from workers import http, logs
from workers.attestation import worker_checks
from workers.attestation.secrets import scan
from workers.attestation.worker_checks import CHECKS, Surroundings, run_worker_check
from workers.settings import Settings
from workers.vault import Keyring, SecretToken, Vault, stream
from workers.web import app

pytestmark = pytest.mark.anyio


@pytest.fixture
def surroundings() -> Surroundings:
    return Surroundings(ROOT, Keyring.generate(), "https://project.example", "key")


def answering(patch: pytest.MonkeyPatch, body: dict[str, Any], status: int = 200) -> None:
    """Auth's settings, without a network."""
    build, answer = http.build_client, httpx.MockTransport(lambda _: httpx.Response(status, json=body))

    def client(profile: http.Profile, **options: Any) -> http.Client:
        return build(profile, **({"transport": answer} | options))

    patch.setattr(worker_checks.http, "build_client", client)


def _weak_tls(patch: pytest.MonkeyPatch) -> None:
    http._tls.cache_clear()
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    patch.setattr(http, "_tls", lambda: context)


def _unbound(patch: pytest.MonkeyPatch) -> None:
    opened: dict[bytes, SecretToken] = {}
    seal = Vault.seal

    def remember(self: Vault, secret: SecretToken, place: Any) -> bytes:
        record = seal(self, secret, place)
        opened[record] = secret
        return record

    patch.setattr(Vault, "seal", remember)
    patch.setattr(Vault, "open", lambda _self, record, _place: opened.get(record, SecretToken("x")))


def _endless(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        stream._Cipher, "_nonce", lambda self, _is_last: self._prefix + struct.pack(">IB", self._counter, 0)
    )


def _settings_from_file(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Settings, "model_config", SettingsConfigDict(**{**Settings.model_config, "env_file": ".env"})
    )


def _open_log(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logs, "FIELDS", {**logs.FIELDS, "body": lambda _: True})


def _open_pages(patch: pytest.MonkeyPatch) -> None:
    patch.setitem(app._HEADERS, "Content-Security-Policy", "default-src 'self' https://cdn.example")


def _secret_in_the_tree(patch: pytest.MonkeyPatch) -> None:
    planted = "gsk" + "_" + "a1B2" * 10
    patch.setattr(worker_checks, "scan", lambda root: (500, [f"planted: {len(planted)}"]))


PLANTS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "vault_seals": _unbound,
    "backups_are_sealed": _endless,
    "transport_is_tls_1_3": _weak_tls,
    "credentials_from_environment": _settings_from_file,
    "log_filter": _open_log,
    "source_holds_no_secrets": _secret_in_the_tree,
    "pages_load_nothing_foreign": _open_pages,
    "no_anonymous_sign_ins": lambda patch: answering(patch, {"external": {"anonymous_users": True}}),
}


def test_the_database_lists_the_same_checks(db: psycopg.Connection) -> None:
    listed = {
        name
        for (name,) in db.execute("select id from private.promise_checks where runs_in = 'worker'").fetchall()
    }
    assert listed == set(CHECKS) == set(PLANTS)


@pytest.mark.parametrize("check", sorted(CHECKS))
async def test_it_passes_on_this_code(
    check: str, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, {"external": {"email": True, "anonymous_users": False}})
    passed, evidence = await run_worker_check(check, surroundings)
    assert passed, evidence
    assert evidence


@pytest.mark.parametrize("check", sorted(PLANTS))
async def test_a_plant_fails_exactly_its_check(
    check: str, surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, {"external": {}})
    PLANTS[check](monkeypatch)
    failed = {name for name in CHECKS if not (await run_worker_check(name, surroundings))[0]}
    assert failed == {check}


@pytest.mark.parametrize(
    ("check", "without"),
    [
        ("vault_seals", "keyring"),
        ("no_anonymous_sign_ins", "api_key"),
        ("transport_is_tls_1_3", "supabase_url"),
    ],
)
async def test_what_cannot_be_looked_at_does_not_pass(
    check: str, without: str, surroundings: Surroundings
) -> None:
    passed, evidence = await run_worker_check(check, dataclasses.replace(surroundings, **{without: None}))
    assert not passed
    assert "not configured here" in evidence["faults"][0]


async def test_a_check_that_raises_has_failed_without_its_words(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_: Surroundings) -> worker_checks.Finding:
        raise ValueError("ada@example.org")

    monkeypatch.setitem(worker_checks.CHECKS, "log_filter", broken)  # type: ignore[arg-type]
    assert await run_worker_check("log_filter", surroundings) == (
        False,
        {"faults": ["the check failed with ValueError"]},
    )


async def test_a_check_that_this_worker_does_not_know_has_failed(surroundings: Surroundings) -> None:
    passed, _ = await run_worker_check("something_newer", surroundings)
    assert not passed


def test_the_scan_finds_a_planted_key_and_names_its_kind_alone(tmp_path: Path) -> None:
    """P3.9."""
    planted = "gsk" + "_" + "a1B2" * 10
    (tmp_path / "settings.py").write_text(f"first = 1\nkey = '{planted}'\n")
    (tmp_path / ".env").write_text(planted)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "other.js").write_text(planted)
    assert scan(tmp_path) == (1, ["settings.py:2: AI provider key"])
