"""The daily attestation of a worker: run, sign, store, alarm."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from workers.attestation.documents import AttestationStore, attest_now, store, verify_chain
from workers.attestation.worker_checks import Surroundings
from workers.errors import GatewayError
from workers.logs import get_logger
from workers.metrics import Metrics
from workers.vault import Keyring

__all__ = ["attest_daily", "commit_of"]

log = get_logger(__name__)

_EVERY: Final = timedelta(hours=23, minutes=30)
_VERIFIED: Final = 30
"""So many of the last attestations are verified each time."""


async def attest_daily(
    gateway: AttestationStore, surroundings: Surroundings, keyring: Keyring, metrics: Metrics
) -> bool:
    """Attest unless somebody did within the last day; any number of workers may try.

    Returns:
        Whether this call stored an attestation. Failures are logged and counted: each is an alarm.
    """
    now = datetime.now(UTC)
    try:
        head = await gateway.attestation_head()
        if head.attested_at is not None and now - head.attested_at < _EVERY:
            return False
        commit = await asyncio.to_thread(commit_of, surroundings.root)
        faults = verify_chain(await gateway.list_attestations(_VERIFIED), keyring)
        attestation = await attest_now(gateway, surroundings, commit=commit, now=now)
        is_stored = await store(gateway, attestation, keyring)
    except GatewayError as error:
        log.exception("attestation_not_run", code=error.code)
        return False
    for result in attestation.results:
        if result.status == "fail":
            log.error("promise_not_proven", code=result.promise, task=result.check)
    if faults:
        log.error("attestation_chain_broken", count=len(faults))
    metrics.attestation_failures.set(attestation.count("fail") + len(faults))
    metrics.attested.set_to_current_time()
    log.info("attested", count=attestation.count("pass"), failed=attestation.count("fail"))
    return is_stored


def commit_of(root: Path) -> str:
    """The commit of a checkout, with `+` where something is not committed; `unknown` elsewhere."""
    try:
        head = _git(root, "rev-parse", "HEAD")
        return head + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    answer = subprocess.run(  # noqa: S603
        ["git", *arguments],  # noqa: S607  whichever git is on PATH
        cwd=root, check=True, capture_output=True, text=True, timeout=10,
    )  # fmt: skip
    return answer.stdout.strip()
