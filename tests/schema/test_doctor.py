"""`./nexora doctor` is silent about a sound deployment and names every planted fault with what to do."""

from __future__ import annotations

import argparse
import datetime
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from workers.cli import doctor
from workers.schema import deployment
from workers.schema.deployment import Check, Level
from workers.schema.scratch import Scratch
from workers.vault.keyring import new_keyring_json

DATABASE = "doctored"


@pytest.fixture
def deployed(migrated: str, scratch: Scratch) -> Iterator[dict[str, str]]:
    """The environment of a deployment whose database was built by the migrations of `tree`."""
    scratch.stack.drop_database(DATABASE)
    scratch.stack.create_database(DATABASE, template=migrated)
    url = scratch.stack.url(DATABASE)
    api_url = scratch.stack.serve(DATABASE)
    yield {
        "SUPABASE_URL": api_url,
        "SUPABASE_SECRET_KEY": scratch.stack.secrets.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": scratch.stack.secrets.publishable_key,
        "SUPABASE_DB_URL": url,
        "NEXORA_TOKEN_KEYRING": new_keyring_json(),
        "NEXORA_PUBLIC_URL": api_url,
    }
    scratch.stack.drop_database(DATABASE)


def _faults(tree: Path, environment: dict[str, str]) -> dict[str, Check]:
    found = [check for check in doctor.diagnose(tree, environment) if check.level is not Level.OK]
    assert all(check.advice for check in found), "every fault says what to do"
    return {check.subject: check for check in found}


def test_a_sound_deployment_is_all_ok(tree: Path, deployed: dict[str, str]) -> None:
    assert _faults(tree, deployed) == {}
    subjects = [check.subject for check in doctor.diagnose(tree, deployed)]
    assert {
        "clock",
        "migrations",
        "grants to visitors",
        "exposed schemas",
        "auth settings",
        "keyring",
    } <= set(subjects)


@pytest.mark.parametrize(
    ("statement", "subject", "words"),
    [
        ("update storage.buckets set public = true where id = 'media'", "storage buckets", "public: media"),
        (
            "grant select (handle) on public.profiles to anon",
            "grants to visitors",
            "anon: select on table public.profiles",
        ),
        ("grant execute on function private.fail(text, text) to public", "grants to visitors", "execute"),
        (
            "alter table private.settings disable row level security",
            "row level security",
            "off on private.settings",
        ),
        ("grant usage on schema worker to authenticated", "schema usage", "authenticated on worker"),
        (
            "delete from supabase_migrations.schema_migrations where version = (select max(version) from"
            " supabase_migrations.schema_migrations)",
            "migrations",
            "not applied: 2026",
        ),
        (
            "insert into supabase_migrations.schema_migrations (version) values ('20991231000000')",
            "migrations",
            "unknown here: 2099",
        ),
    ],
)
def test_drift_of_the_database_is_named(
    tree: Path, deployed: dict[str, str], statement: str, subject: str, words: str
) -> None:
    with psycopg.connect(deployed["SUPABASE_DB_URL"]) as connection:
        connection.execute(statement.encode())
    faults = _faults(tree, deployed)
    assert list(faults) == [subject]
    assert faults[subject].level is Level.FAIL
    assert words in faults[subject].finding


def test_a_database_without_migrations_is_named(tree: Path, scratch: Scratch) -> None:
    found = list(deployment.checks(tree, scratch.bare("doctored_bare")))
    assert (found[-1].subject, found[-1].level) == ("migrations", Level.FAIL)
    assert "db push" in found[-1].advice


@pytest.mark.parametrize(("offset", "level"), [(1.5, Level.OK), (2.5, Level.FAIL), (-2.5, Level.FAIL)])
def test_the_clock_may_differ_by_less_than_two_seconds(
    monkeypatch: pytest.MonkeyPatch, tree: Path, deployed: dict[str, str], offset: float, level: Level
) -> None:
    real = time.time
    monkeypatch.setattr(deployment.time, "time", lambda: real() + offset)
    clock = next(
        check for check in deployment.checks(tree, deployed["SUPABASE_DB_URL"]) if check.subject == "clock"
    )
    assert clock.level is level


def test_what_is_missing_short_or_malformed_in_the_environment_is_named(tree: Path) -> None:
    environment = {
        "SUPABASE_SECRET_KEY": "short",
        "NEXORA_TOKEN_KEYRING": "{}",
        "NEXORA_WEB_PORT": "many",
    }
    found = list(doctor.diagnose(tree, environment))
    text = "\n".join(f"{check.level} {check.subject} {check.finding}" for check in found)
    assert "missing: SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY, NEXORA_PUBLIC_URL" in text
    assert "WARN environment SUPABASE_DB_URL is missing" in text
    assert "FAIL environment SUPABASE_SECRET_KEY is shorter than 32 characters" in text
    assert "FAIL settings" in text
    assert "NEXORA_WEB_PORT" in text
    assert "FAIL keyring" in text
    assert "many" not in text, "values stay out of the report"


def test_what_cannot_be_reached_is_named(tree: Path, deployed: dict[str, str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    deployed |= {
        "SUPABASE_URL": f"http://127.0.0.1:{port}",
        "SUPABASE_DB_URL": f"postgresql://127.0.0.1:{port}/x",
    }
    faults = _faults(tree, deployed)
    assert list(faults) == ["database", "API"]


def test_plain_http_is_for_this_machine_only() -> None:
    assert doctor._tls("SUPABASE_URL", "http://127.0.0.1:1").level is Level.OK
    assert doctor._tls("SUPABASE_URL", "http://db.example").level is Level.FAIL


def _certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1, signed by itself, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def _tls_server(certificate: Path, version: ssl.TLSVersion) -> Iterator[str]:
    """Accepts one connection with no newer TLS than `version`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.maximum_version = version
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                plain.close()  # the client did not agree; that is what the test is about

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(10)


@pytest.mark.parametrize(
    ("version", "level"), [(ssl.TLSVersion.TLSv1_3, Level.OK), (ssl.TLSVersion.TLSv1_2, Level.FAIL)]
)
def test_tls_1_3_must_be_offered(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: ssl.TLSVersion, level: Level
) -> None:
    certificate = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with _tls_server(certificate, version) as url:
        assert doctor._tls("SUPABASE_URL", url).level is level


def test_a_certificate_that_nobody_vouches_for_fails(tmp_path: Path) -> None:
    with _tls_server(_certificate(tmp_path), ssl.TLSVersion.TLSv1_3) as url:
        check = doctor._tls("SUPABASE_URL", url)
    assert check.level is Level.FAIL
    assert "certificate" in check.finding


def test_without_configuration_an_embedded_stack_is_checked(
    monkeypatch: pytest.MonkeyPatch, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("SUPABASE_URL", "SUPABASE_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NEXORA_TOKEN_KEYRING", "NEXORA_PUBLIC_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(doctor, "ROOT", tree)
    assert doctor.run(argparse.Namespace()) == 0
    said = capsys.readouterr().out
    assert "embedded stack" in said
    assert "FAIL" not in said


def test_a_fault_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "short")
    monkeypatch.setattr(doctor, "ROOT", tree)
    assert doctor.run(argparse.Namespace()) == 1
    assert "FAIL environment" in capsys.readouterr().out
