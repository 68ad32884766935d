"""`./nexora attest` against a configured database: table, JSON, report, signed chain, exit code."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.sql.attestation.test_attest import back_up
from workers.cli import attest
from workers.errors import ConfigurationError
from workers.schema.scratch import Scratch
from workers.vault.keyring import new_keyring_json

DATABASE = "attested"


@pytest.fixture
def configured(migrated: str, scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment of a deployment with a backup of today; yields the URL of its database."""
    scratch.stack.drop_database(DATABASE)
    scratch.stack.create_database(DATABASE, template=migrated)
    url = scratch.stack.url(DATABASE)
    with psycopg.connect(url) as connection:
        back_up(connection)
    for name, value in {
        "SUPABASE_DB_URL": url,
        "SUPABASE_URL": scratch.stack.serve(DATABASE),
        "SUPABASE_PUBLISHABLE_KEY": scratch.stack.secrets.publishable_key,
        "NEXORA_TOKEN_KEYRING": new_keyring_json(),
    }.items():
        monkeypatch.setenv(name, value)
    yield url
    scratch.stack.unserve(DATABASE)
    scratch.stack.drop_database(DATABASE)


def run(tmp_path: Path) -> tuple[int, list[dict[str, object]]]:
    json_file = tmp_path / "out" / "attestation.json"
    code = attest.run(argparse.Namespace(json=json_file, html=tmp_path / "out" / "attestation.html"))
    return code, json.loads(json_file.read_text())


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from private.attestations").fetchone()
    assert row is not None
    return int(row[0])


def test_a_sound_deployment_is_attested_signed_and_reported(
    configured: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, results = run(tmp_path)
    assert code == 0, [result for result in results if result["status"] == "fail"]
    assert all(set(result) == {"promise", "check", "status", "evidence"} for result in results)
    assert {result["status"] for result in results} == {"pass", "pending"}
    assert "0 not proven" in capsys.readouterr().out
    assert "signed (HMAC-SHA-256) and stored" in (tmp_path / "out" / "attestation.html").read_text()
    assert stored(configured) == 1
    assert run(tmp_path)[0] == 0
    assert stored(configured) == 2


def test_a_broken_promise_ends_with_1_and_is_kept(configured: str, tmp_path: Path) -> None:
    with psycopg.connect(configured) as connection:
        connection.execute("update storage.buckets set public = true where id = 'media'")
    code, results = run(tmp_path)
    assert code == 1
    assert [result["check"] for result in results if result["status"] == "fail"] == ["files_are_private"]
    assert stored(configured) == 1


def test_a_chain_that_was_tampered_with_ends_with_1(
    configured: str, scratch: Scratch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path)
    with psycopg.connect(scratch.stack.url(DATABASE, admin=True)) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("update private.attestations set signature = repeat('0', 64)")
    code, results = run(tmp_path)
    assert code == 1
    assert not [result for result in results if result["status"] == "fail"]
    assert "the signature is not ours" in capsys.readouterr().out


def test_without_a_keyring_it_says_what_it_cannot_prove(
    configured: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NEXORA_TOKEN_KEYRING")
    code, results = run(tmp_path)
    assert code == 1
    failed = {result["check"] for result in results if result["status"] == "fail"}
    assert failed == {"vault_seals", "backups_are_sealed"}
    assert "not stored" in capsys.readouterr().out
    assert stored(configured) == 0


def test_a_database_that_is_not_there_is_a_wrong_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPABASE_DB_URL", "postgresql://127.0.0.1:1/nowhere")
    with pytest.raises(ConfigurationError, match="SUPABASE_DB_URL"):
        run(tmp_path)
