"""`./nexora attest`: proves the promises of the privacy policy against a live database, and reports."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, LiteralString

import httpx
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from workers.attestation import Attestation, Surroundings, attest_now, verify_chain, write_report
from workers.attestation.daily import commit_of
from workers.attestation.documents import store
from workers.cli.backup import back_up_and_drill
from workers.errors import ConfigurationError
from workers.gateway import AttestationHead, AttestedCheck, PromiseText, StoredAttestation
from workers.schema import scratch
from workers.vault.keyring import Keyring, KeyringError, new_keyring_json

ROOT = Path(__file__).resolve().parents[2]
_COLOURS = {"pass": "green", "fail": "bold red", "pending": "yellow"}
_CHAIN = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `attest`."""
    parser.description = (
        "Runs every check against the database of SUPABASE_DB_URL; without one, against an embedded stack with a "
        "few people in it. With NEXORA_TOKEN_KEYRING the result is signed and added to the chain. Exit code 1: "
        "something is not proven."
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write a list of {promise, check, status, evidence}"
    )
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a report to read and to print")


def run(args: argparse.Namespace) -> int:
    """Attest; returns 1 when a check fails or the chain of results does not hold."""
    console = Console(soft_wrap=True, highlight=False)
    with ExitStack() as closing:
        environment: Mapping[str, str] = os.environ
        if not environment.get("SUPABASE_DB_URL"):
            console.print("[dim]no database is configured: attesting an embedded stack[/]")
            environment = closing.enter_context(_embedded())
        surroundings = surroundings_of(environment)
        attestation, is_stored, faults = asyncio.run(attest(environment["SUPABASE_DB_URL"], surroundings))
    console.print(_table(attestation))
    for fault in faults:
        console.print(f"[bold red]the chain of results does not hold[/]: {escape(fault)}")
    _summarise(console, attestation, is_stored)
    if args.json is not None:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps([asdict(result) for result in attestation.results], indent=1) + "\n")
    if args.html is not None:
        write_report(args.html, attestation, is_stored=is_stored)
    return 1 if faults or attestation.count("fail") else 0


async def attest(url: str, surroundings: Surroundings) -> tuple[Attestation, bool, list[str]]:
    """Run every check against the database at `url`; with a keyring, sign the result and add it to the chain.

    Returns:
        The attestation, whether it was stored, and the faults of the chain before it.

    Raises:
        ConfigurationError: there is no such database.
    """
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            database = Database(connection)
            faults = verify_chain(await database.list_attestations(_CHAIN), surroundings.keyring)
            attestation = await attest_now(
                database, surroundings, commit=commit_of(ROOT), now=datetime.now(UTC)
            )
            is_stored = surroundings.keyring is not None and await store(
                database, attestation, surroundings.keyring
            )
            return attestation, is_stored, faults
    except psycopg.OperationalError as error:
        raise ConfigurationError("SUPABASE_DB_URL", f"cannot be reached ({type(error).__name__})") from None


class Database:
    """What attesting asks of a database, over a connection of its owner; the worker asks the same of the gateway."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    async def attest(self) -> list[AttestedCheck]:
        return [AttestedCheck(**row) for row in self._rows("select * from worker.attest()")]

    async def promise_texts(self) -> list[PromiseText]:
        return [PromiseText(**row) for row in self._rows("select * from worker.promise_texts()")]

    async def attestation_head(self) -> AttestationHead:
        return AttestationHead(**self._rows("select * from worker.attestation_head()")[0])

    async def store_attestation(self, document: str, signature: str, key_id: str) -> bool:
        rows = self._rows(
            "select worker.store_attestation(%s, %s, %s) as is_stored", document, signature, key_id
        )
        return bool(rows[0]["is_stored"])

    async def list_attestations(self, limit: int) -> list[StoredAttestation]:
        rows = self._rows("select * from worker.list_attestations(%s)", limit)
        return [StoredAttestation(**row) for row in rows]

    def _rows(self, query: LiteralString, *parameters: object) -> list[dict[str, Any]]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(query, parameters).fetchall()


def surroundings_of(environment: Mapping[str, str]) -> Surroundings:
    """What the checks of the worker look at, from the variables of a deployment.

    Raises:
        ConfigurationError: the keyring cannot be read.
    """
    text = environment.get("NEXORA_TOKEN_KEYRING")
    try:
        keyring = Keyring.from_json(text) if text else None
    except KeyringError as error:
        raise ConfigurationError("NEXORA_TOKEN_KEYRING", str(error)) from error
    key = environment.get("SUPABASE_PUBLISHABLE_KEY") or environment.get("SUPABASE_SECRET_KEY")
    url = environment.get("SUPABASE_URL", "").rstrip("/")
    return Surroundings(root=ROOT, keyring=keyring, supabase_url=url or None, api_key=key)


@contextmanager
def _embedded() -> Iterator[dict[str, str]]:
    """A migrated embedded stack with a few people, who have some content, and a backup that was tried."""
    with scratch.started(lambda _: None) as databases:
        url = databases.from_migrations(ROOT, "attest")
        api_url = databases.stack.serve("attest")
        key = databases.stack.secrets.publishable_key
        for name in ("Ada", "Grace", "Edsger"):
            _settle(api_url, key, name)
        keyring = new_keyring_json()
        drilling = back_up_and_drill(databases, api_url=api_url, database_url=url, keyring=keyring)
        asyncio.run(drilling)  # what came of it is for the checks to say
        yield {
            "SUPABASE_DB_URL": url,
            "SUPABASE_URL": api_url,
            "SUPABASE_PUBLISHABLE_KEY": key,
            "NEXORA_TOKEN_KEYRING": keyring,
        }


def _settle(api_url: str, key: str, name: str) -> None:
    """Sign somebody up and write a little, through the API as a front end does."""
    sign_up = {
        "email": f"{name.lower()}@people.example",
        "password": secrets.token_urlsafe(16),
        "data": {"display_name": name, "birth_date": "1990-05-17"},
    }
    with httpx.Client(base_url=api_url, headers={"apikey": key}, timeout=30) as client:
        session = client.post("/auth/v1/signup", json=sign_up).raise_for_status().json()
        client.headers["Authorization"] = f"Bearer {session['access_token']}"
        owner = {"user_id": session["user"]["id"]}
        for table, row in (
            ("captions", {"body": f"A caption of {name}"}),
            ("posts", {"title": "A post", "body": f"A post of {name}"}),
        ):
            client.post(f"/rest/v1/{table}", json=owner | row).raise_for_status()
        client.post(
            "/rest/v1/rpc/withdraw_consent", json={"p_purpose": "product_improvement"}
        ).raise_for_status()


def _table(attestation: Attestation) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("Promise", "Check", "Status", "Evidence"):
        table.add_column(heading, overflow="fold")
    for result in attestation.results:
        colour = _COLOURS[result.status]
        table.add_row(
            result.promise,
            result.check or "",
            f"[{colour}]{result.status}[/]",
            escape(_shown(result.evidence)),
        )
    return table


def _shown(evidence: Mapping[str, Any]) -> str:
    if evidence.get("faults"):
        faults: Sequence[str] = evidence["faults"]
        return "; ".join(faults)
    if "missing_feature" in evidence:
        return f"there is no feature yet: {evidence['missing_feature']}"
    counts = {
        n: v
        for n, v in evidence.items()
        if isinstance(v, int | float) or (isinstance(v, str) and len(v) <= 24)
    }
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in counts.items())


def _summarise(console: Console, attestation: Attestation, is_stored: bool) -> None:
    counts = ", ".join(
        f"[{colour}]{attestation.count(status)} {word}[/]"  # type: ignore[arg-type]
        for status, colour, word in (
            ("pass", "green", "proven"),
            ("fail", "bold red", "not proven"),
            ("pending", "yellow", "pending"),
        )
    )
    console.print(f"\n{counts}; guards {attestation.head.guards_hash[:16]}…")
    kept = f"signed and stored as number {attestation.head.seq + 1}, {attestation.hash[:16]}…"
    console.print(kept if is_stored else "not stored: set NEXORA_TOKEN_KEYRING to sign it")
