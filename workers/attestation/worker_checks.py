"""The checks that a database cannot run: transport, vault, settings, logs, sources, pages.

Each is a coroutine function that takes the surroundings and answers the faults it found and its evidence: counts and
names only (P1.11). A check that raises has failed.
"""

from __future__ import annotations

import io
import json
import ssl
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import httpx
from pydantic import SecretStr

from workers import http, logs
from workers.attestation.secrets import scan
from workers.settings import Settings
from workers.vault import (
    Keyring,
    SecretToken,
    StreamError,
    StreamOpener,
    StreamSealer,
    TokenContext,
    Vault,
    VaultError,
)
from workers.vault.keyring import KEY_BYTES
from workers.web import WebContext, create_app

__all__ = ["CHECKS", "Finding", "Surroundings", "run_worker_check"]

Evidence = Mapping[str, Any]
Finding = tuple[list[str], Evidence]
"""Faults (none: passed) and evidence."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at besides the code itself.

    Attributes:
        root: directory of the sources.
        keyring: of this deployment; None when it is not configured here.
        supabase_url, api_key: the API of this deployment and a key for it.
    """

    root: Path
    keyring: Keyring | None
    supabase_url: str | None
    api_key: str | None


async def vault_seals(surroundings: Surroundings) -> Finding:
    """P3.1: a token is sealed with AES-256-GCM and opens in its own place alone."""
    if surroundings.keyring is None:
        return ["the keyring is not configured here (NEXORA_TOKEN_KEYRING)"], {}
    keyring, vault = surroundings.keyring, Vault(surroundings.keyring)
    place = TokenContext(uuid.uuid4(), uuid.uuid4(), "x", "access", 1)
    token = SecretToken("a token that exists for this test alone")
    record = vault.seal(token, place)
    others = (
        replace(place, user_id=uuid.uuid4()),
        replace(place, connection_id=uuid.uuid4()),
        replace(place, platform="linkedin"),
        replace(place, field="refresh"),
        replace(place, generation=2),
    )
    flipped = [record[:i] + bytes([record[i] ^ 1]) + record[i + 1 :] for i in range(0, len(record), 7)]
    wrap_key = keyring.wrap_key(keyring.primary_id)
    faults = []
    if not record.startswith(b"NXT\x01") or token.reveal_bytes() in record:
        faults.append("a sealed record is not of suite 1")
    if wrap_key is None or len(wrap_key.reveal_bytes()) != 32 or KEY_BYTES != 32:
        faults.append("the key is not one of 256 bits")
    if vault.open(record, place) != token:
        faults.append("a sealed record does not open in its own place")
    if vault.seal(token, place) == record:
        faults.append("two records of one token are equal")
    faults += ["a record opens in another place"] * sum(_opens(vault, record, other) for other in others)
    faults += ["a changed record opens"] * sum(_opens(vault, other, place) for other in flipped)
    states = [str(state) for state in keyring.states.values()]
    return faults, {
        "suite": "AES-256-GCM",
        "places_tried": len(others),
        "changes_tried": len(flipped),
        "keys": states,
    }


def _opens(vault: Vault, record: bytes, place: TokenContext) -> bool:
    try:
        vault.open(record, place)
    except VaultError:
        return False
    return True


async def backups_are_sealed(surroundings: Surroundings) -> Finding:
    """P3.2: a backup is sealed with AES-256-GCM; one that is cut off, altered or rearranged does not open."""
    if surroundings.keyring is None:
        return ["the keyring is not configured here (NEXORA_TOKEN_KEYRING)"], {}
    vault = Vault(surroundings.keyring)
    content = b"the rows of a self-test " * 100_000  # three chunks
    sealer = StreamSealer(vault, uuid.uuid4(), {"taken_at": "now"})
    chunks = [*sealer.feed(content), sealer.finish()]
    whole = sealer.head + b"".join(chunks)
    size = len(whole)
    wrong = {
        "cut off within a chunk": [whole[:-1], whole[: size // 2]],
        "cut off between chunks": [sealer.head + b"".join(chunks[:n]) for n in range(len(chunks))],
        "rearranged": [sealer.head + b"".join([chunks[1], chunks[0], *chunks[2:]])],
        "continued": [whole + chunks[-1]],
        "altered": [
            whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, size, size // 40 + 1)
        ],
    }
    faults = []
    if content[:24] in whole or not whole.startswith(b"NXB\x01"):
        faults.append("a backup is not of format 1")
    if _content_of(vault, whole) != content:
        faults.append("a backup does not open")
    for what, files in wrong.items():
        faults += [f"a backup that was {what} opens"] * sum(
            _content_of(vault, one) is not None for one in files
        )
    return faults, {"cipher": "AES-256-GCM", "changes_tried": sum(map(len, wrong.values()))}


def _content_of(vault: Vault, sealed: bytes) -> bytes | None:
    """What is in a sealed stream; None: it does not open."""
    try:
        return b"".join(StreamOpener(vault, io.BytesIO(sealed).read).chunks())
    except StreamError:
        return None


async def transport_is_tls_1_3(surroundings: Surroundings) -> Finding:
    """P3.1: TLS 1.3 or nothing, certificates verified, no redirects."""
    faults = []
    profiles = {"database": http.DATABASE, "platform": http.PLATFORM, "oauth": http.OAUTH}
    for name, profile in profiles.items():
        options = http.client_options(profile)
        tls = options["verify"]
        if tls.minimum_version < ssl.TLSVersion.TLSv1_3:
            faults.append(f"{name}: older TLS than 1.3 is accepted")
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            faults.append(f"{name}: certificates are not verified")
        if options["follow_redirects"]:
            faults.append(f"{name}: redirects are followed")
    url = surroundings.supabase_url or ""
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost", "http://[::1]")):
        faults.append("the API is not configured here, or not reached over https (SUPABASE_URL)")
    return faults, {"clients": list(profiles), "floor": "TLS 1.3"}


async def credentials_from_environment(_surroundings: Surroundings) -> Finding:
    """P3.5: secrets are read from the environment alone and do not show themselves."""
    faults = []
    secret_fields = {n: f for n, f in Settings.model_fields.items() if "SecretStr" in str(f.annotation)}
    canary = uuid.uuid4().hex
    planted: dict[str, Any] = {name: SecretStr(canary) for name in secret_fields}
    shown = repr(Settings.model_construct(None, **planted))
    if canary in shown:
        faults.append("settings show a secret")
    faults += [f"{name} has a default" for name, field in secret_fields.items() if field.default is not None]
    faults += [
        f"{name} is read as plain text"
        for name, field in Settings.model_fields.items()
        if name not in secret_fields
        and name.endswith(("_secret", "_secret_key", "_password", "_api_key", "keyring"))
    ]
    if Settings.model_config.get("env_file") or Settings.model_config.get("secrets_dir"):
        faults.append("settings are read from files")
    return faults, {"secrets": sorted(str(field.validation_alias) for field in secret_fields.values())}


async def log_filter(_surroundings: Surroundings) -> Finding:
    """P1.11: what people wrote, addresses and tokens do not pass the filter of the logs."""
    canaries = {
        "body": "the text of a post",
        "email": "ada@example.org",
        "code": "ada@example.org",
        "exception": "Could not send to ada@example.org",
        "task": "Bearer abcDEF123456abcDEF123456",
        "target_id": "the text of a post",
        "count": "42 words of somebody",
    }
    line = logs.filtered({"event": "self_test", **canaries})
    error = logs.filtered(
        {"event": "self_test", "exc_info": ValueError("the text of a post, ada@example.org")}
    )
    faults = [f"field {name} passes" for name, value in canaries.items() if value in line]
    if "ada@" in error or "text of a post" in error:
        faults.append("the message of an exception passes")
    dropped = json.loads(line).get("dropped", 0)
    return faults, {
        "fields_allowed": len(logs.FIELDS),
        "values_tried": len(canaries),
        "values_dropped": dropped,
    }


async def source_holds_no_secrets(surroundings: Surroundings) -> Finding:
    """P3.9: nothing in the sources looks like a key of a service."""
    count, found = scan(surroundings.root)
    if count < 50:
        found.append("these are not the sources: fewer than 50 files")
    if not (surroundings.root / ".ci" / "run").is_file():
        found.append("the scan before each change is missing (.ci/run)")
    return found, {"files": count}


async def pages_load_nothing_foreign(_surroundings: Surroundings) -> Finding:
    """P5.1: the worker's web server loads nothing from elsewhere and sets no lasting cookie."""
    nobody = cast(Any, None)
    context = WebContext(
        gateway=nobody,
        vault=nobody,
        clients={},
        public_url="http://127.0.0.1",
        is_healthy=lambda: True,
        render_metrics=lambda: (b"", "text/plain"),
    )
    app = create_app(context)
    faults = []
    paths = ("/health", "/metrics", "/nothing", "/oauth/nowhere/start")
    async with http.build_client(http.PLATFORM, transport=httpx.ASGITransport(app)) as client:
        for path in paths:
            answer = await http.exchange(client, "GET", f"http://worker{path}")
            policy = answer.headers.get("content-security-policy", "")
            if "default-src 'none'" not in policy or "http" in policy:
                faults.append(f"{path}: the content security policy lets something in")
            if "set-cookie" in answer.headers:
                faults.append(f"{path}: sets a cookie")
            if "<script" in answer.text or "src=" in answer.text:
                faults.append(f"{path}: loads something")
    return faults, {"pages": list(paths)}


async def no_anonymous_sign_ins(surroundings: Surroundings) -> Finding:
    """P9.1: whoever signs in has an account, and with it an age."""
    if surroundings.supabase_url is None or surroundings.api_key is None:
        return ["the API is not configured here (SUPABASE_URL and a key)"], {}
    async with http.build_client(http.DATABASE, headers={"apikey": surroundings.api_key}) as client:
        answer = await http.exchange(client, "GET", f"{surroundings.supabase_url}/auth/v1/settings")
    if answer.status_code != httpx.codes.OK:
        return [f"the settings of Auth answer {answer.status_code}"], {}
    external = answer.json().get("external", {})
    faults = ["anonymous sign-ins are on"] if external.get("anonymous_users") else []
    return faults, {"ways_to_sign_in": sorted(name for name, is_on in external.items() if is_on)}


Check = Callable[[Surroundings], Awaitable[Finding]]

CHECKS: Final[Mapping[str, Check]] = {
    "vault_seals": vault_seals,
    "backups_are_sealed": backups_are_sealed,
    "transport_is_tls_1_3": transport_is_tls_1_3,
    "credentials_from_environment": credentials_from_environment,
    "log_filter": log_filter,
    "source_holds_no_secrets": source_holds_no_secrets,
    "pages_load_nothing_foreign": pages_load_nothing_foreign,
    "no_anonymous_sign_ins": no_anonymous_sign_ins,
}
"""Check to its function; the database lists the same names with `runs_in = worker`."""


async def run_worker_check(check: str, surroundings: Surroundings) -> tuple[bool, dict[str, Any]]:
    """Run one check; whatever it raises is a failure with the name of the exception."""
    run = CHECKS.get(check)
    if run is None:
        return False, {"faults": ["this worker does not know the check: it is older than the database"]}
    try:
        faults, evidence = await run(surroundings)
    except Exception as error:  # noqa: BLE001  the promise is not proven, whatever it is; its text may hold anything
        return False, {"faults": [f"the check failed with {type(error).__name__}"]}
    return not faults, {**evidence, **({"faults": faults} if faults else {})}
