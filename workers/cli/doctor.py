"""`./nexora doctor`: checks a deployment from where it runs, and says what to do about each fault."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.markup import escape

from workers.errors import ConfigurationError
from workers.http import DATABASE, build_client
from workers.schema import scratch
from workers.schema.deployment import Check, Level, checks
from workers.settings import Settings, load
from workers.vault.keyring import Keyring, KeyringError, new_keyring_json

ROOT = Path(__file__).resolve().parents[2]
_COLOURS = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}
_NEEDED = (
    "SUPABASE_URL",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_PUBLISHABLE_KEY",
    "NEXORA_TOKEN_KEYRING",
    "NEXORA_PUBLIC_URL",
)
_USEFUL = {"SUPABASE_DB_URL": "the database is not checked without it"}
_KEYS = ("SUPABASE_SECRET_KEY", "SUPABASE_PUBLISHABLE_KEY")
_MIN_KEY_CHARACTERS = 32
_HIDDEN_SCHEMAS = ("private", "retained", "auth", "storage")
_TLS_SECONDS = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `doctor`: none."""
    parser.description = "Checks the deployment that the environment names; without one, an embedded stack."


def run(args: argparse.Namespace) -> int:
    """Runs every check; returns 1 if one fails."""
    del args
    console = Console(soft_wrap=True, highlight=False)
    environment = dict(os.environ)
    with ExitStack() as closing:
        if not any(environment.get(name) for name in (*_NEEDED, *_USEFUL)):
            console.print("[dim]nothing is configured: checking an embedded stack[/]")
            environment.update(_embedded(closing))
        worst = Level.OK
        for check in diagnose(ROOT, environment):
            console.print(_line(check))
            worst = max(worst, check.level, key=list(Level).index)
    return 1 if worst is Level.FAIL else 0


def diagnose(root: Path, environment: Mapping[str, str]) -> Iterator[Check]:
    """Every check of the deployment that `environment` names; `root` holds the migrations it should have."""
    yield from _environment(environment)
    yield _keyring(environment.get("NEXORA_TOKEN_KEYRING"))
    for name in ("SUPABASE_URL", "NEXORA_PUBLIC_URL"):
        if environment.get(name):
            yield _tls(name, environment[name])
    if environment.get("SUPABASE_DB_URL"):
        yield from checks(root, environment["SUPABASE_DB_URL"])
    if environment.get("SUPABASE_URL") and environment.get("SUPABASE_PUBLISHABLE_KEY"):
        yield from asyncio.run(
            _api(environment["SUPABASE_URL"].rstrip("/"), environment["SUPABASE_PUBLISHABLE_KEY"])
        )


def _line(check: Check) -> str:
    text = f"[{_COLOURS[check.level]}]{check.level.value:<4}[/] {check.subject}: {escape(check.finding)}"
    return (
        f"{text}\n       → {escape(check.advice)}" if check.level is not Level.OK and check.advice else text
    )


def _embedded(closing: ExitStack) -> dict[str, str]:
    databases = closing.enter_context(scratch.started(lambda _: None))
    name = "doctor"
    url = databases.from_migrations(ROOT, name)
    api_url = databases.stack.serve(name)
    return {
        "SUPABASE_URL": api_url,
        "SUPABASE_SECRET_KEY": databases.stack.secrets.secret_key,
        "SUPABASE_PUBLISHABLE_KEY": databases.stack.secrets.publishable_key,
        "SUPABASE_DB_URL": url,
        "NEXORA_TOKEN_KEYRING": new_keyring_json(),
        "NEXORA_PUBLIC_URL": api_url,
    }


def _environment(environment: Mapping[str, str]) -> Iterator[Check]:
    missing = [name for name in _NEEDED if not environment.get(name)]
    if missing:
        yield Check(
            Level.FAIL,
            "environment",
            f"missing: {', '.join(missing)}",
            "set them; .env.example describes each",
        )
    for name, loss in _USEFUL.items():
        if not environment.get(name):
            yield Check(Level.WARN, "environment", f"{name} is missing", f"set it: {loss}")
    for name in _KEYS:
        if environment.get(name) and len(environment[name]) < _MIN_KEY_CHARACTERS:
            finding = f"{name} is shorter than {_MIN_KEY_CHARACTERS} characters"
            yield Check(Level.FAIL, "environment", finding, "copy the whole key from the project's settings")
    if environment.get("SUPABASE_SECRET_KEY") and environment.get("SUPABASE_SECRET_KEY") == environment.get(
        "SUPABASE_PUBLISHABLE_KEY"
    ):
        yield Check(
            Level.FAIL,
            "environment",
            "secret and publishable key are the same",
            "they are two keys; set both",
        )
    yield _settings(environment)


def _settings(environment: Mapping[str, str]) -> Check:
    """The worker's own reading of the variables: what it would refuse at its start."""
    fields = {str(field.validation_alias): name for name, field in Settings.model_fields.items()}
    try:
        load(
            Settings,
            **{fields[name]: value for name, value in environment.items() if name in fields and value},
        )
    except ConfigurationError as error:
        return Check(Level.FAIL, "settings", str(error), "correct the variable; .env.example describes it")
    return Check(Level.OK, "settings", "every variable that is set is well-formed")


def _keyring(text: str | None) -> Check:
    try:
        keyring = Keyring.from_json(text)
    except KeyringError as error:
        return Check(
            Level.FAIL,
            "keyring",
            str(error),
            "make one with ./nexora keys new, or restore it from your secret store",
        )
    return Check(
        Level.OK, "keyring", ", ".join(f"{key_id} {state}" for key_id, state in keyring.states.items())
    )


def _tls(name: str, url: str) -> Check:
    parts = urlsplit(url)
    host = parts.hostname or ""
    subject = f"TLS of {name}"
    if parts.scheme != "https":
        if host in ("127.0.0.1", "localhost", "::1"):
            return Check(Level.OK, subject, "stays on this machine")
        return Check(Level.FAIL, subject, "no https", "serve it over https (P3.1)")
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        with (
            socket.create_connection((host, parts.port or 443), timeout=_TLS_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            return Check(Level.OK, subject, str(secure.version()))
    except ssl.SSLError as error:
        return Check(
            Level.FAIL,
            subject,
            f"no TLS 1.3 with a valid certificate: {error.reason or error}",
            "mend the server (P3.1)",
        )
    except OSError as error:
        return Check(Level.FAIL, subject, f"cannot be reached: {error}", f"check {name} and the network")


async def _api(url: str, publishable_key: str) -> list[Check]:
    async with build_client(DATABASE, headers={"apikey": publishable_key}) as client:
        return [check async for check in _api_checks(client, url)]


async def _api_checks(client: httpx.AsyncClient, url: str) -> AsyncIterator[Check]:
    try:
        yield await _exposed_schemas(client, url)
        yield await _auth_settings(client, url)
    except httpx.HTTPError as error:
        advice = "check SUPABASE_URL and the network"
        yield Check(Level.FAIL, "API", f"no answer: {type(error).__name__}", advice)


async def _exposed_schemas(client: httpx.AsyncClient, url: str) -> Check:
    """An API that does not expose a schema refuses its name (PostgREST: PGRST106), whatever the table."""
    surplus = []
    for schema in _HIDDEN_SCHEMAS:
        answer = await client.get(f"{url}/rest/v1/nexora_doctor", headers={"Accept-Profile": schema})
        if answer.status_code != httpx.codes.NOT_ACCEPTABLE:
            surplus.append(f"{schema} ({answer.status_code})")
    answer = await client.get(f"{url}/rest/v1/nexora_doctor", headers={"Accept-Profile": "worker"})
    if answer.status_code == httpx.codes.NOT_ACCEPTABLE:
        return Check(
            Level.FAIL, "exposed schemas", "worker is missing", "expose public and worker (API settings)"
        )
    if surplus:
        return Check(
            Level.FAIL, "exposed schemas", f"surplus: {', '.join(surplus)}", "expose public and worker only"
        )
    return Check(Level.OK, "exposed schemas", "public and worker, nothing private")


async def _auth_settings(client: httpx.AsyncClient, url: str) -> Check:
    answer = await client.get(f"{url}/auth/v1/settings")
    if answer.status_code != httpx.codes.OK:
        advice = "check SUPABASE_URL and SUPABASE_PUBLISHABLE_KEY"
        return Check(Level.FAIL, "auth settings", f"/auth/v1/settings answers {answer.status_code}", advice)
    if answer.json().get("external", {}).get("anonymous_users"):
        return Check(
            Level.FAIL,
            "auth settings",
            "anonymous sign-ins are on",
            "switch them off: an account has an age (P9.1)",
        )
    return Check(Level.OK, "auth settings", "reachable; no anonymous sign-ins")
