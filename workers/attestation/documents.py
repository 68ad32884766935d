"""One attestation: all checks run, put into a signed document that follows the one before.

The document is JSON in one fixed form (sorted keys, no blanks). Its SHA-256 stands in the next one, so that none can
be changed or taken out unnoticed; its HMAC-SHA-256 is made with a key derived from the worker's keyring under a label
of its own, so that whoever holds the database alone cannot make one up.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from workers.attestation.worker_checks import Surroundings, run_worker_check
from workers.gateway import AttestationHead, AttestedCheck, PromiseText, StoredAttestation
from workers.vault import Keyring, KeyringError

__all__ = ["Attestation", "AttestationStore", "Result", "attest_now", "store", "verify_chain"]

Status = Literal["pass", "fail", "pending"]
_FIRST: Final = "0" * 64


class AttestationStore(Protocol):
    """The part of the database that attesting uses; see `workers.gateway.Gateway`."""

    async def attest(self) -> Sequence[AttestedCheck]: ...

    async def promise_texts(self) -> Sequence[PromiseText]: ...

    async def attestation_head(self) -> AttestationHead: ...

    async def store_attestation(self, document: str, signature: str, key_id: str) -> bool: ...

    async def list_attestations(self, limit: int) -> Sequence[StoredAttestation]: ...


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of one check.

    Attributes:
        promise: id of the promise, `P3.4`.
        check: name of the check; None for a promise that is pending.
        status: pass, fail, or pending (the feature does not exist yet).
        evidence: counts and names of objects; never contents.
    """

    promise: str
    check: str | None
    status: Status
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Attestation:
    """All results of one run, and what they are about.

    Attributes:
        results: in the order of the promises.
        texts: obligation and enforcement of each check, in the same order.
        attested_at: when.
        database: its name.
        commit: the sources that were running.
        head: the attestation before, and the seal of the guards.
    """

    results: tuple[Result, ...]
    texts: tuple[PromiseText, ...]
    attested_at: datetime
    database: str
    commit: str
    head: AttestationHead

    def count(self, status: Status) -> int:
        """How many results have this status."""
        return sum(result.status == status for result in self.results)

    @property
    def document(self) -> str:
        """The text that is signed and stored."""
        content = {
            "seq": self.head.seq + 1,
            "prev_hash": self.head.hash,
            "attested_at": self.attested_at.isoformat(),
            "database": self.database,
            "commit": self.commit,
            "guards": self.head.guards_hash,
            "results": [asdict(result) for result in self.results],
        }
        return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @property
    def hash(self) -> str:
        """SHA-256 of the document, in hex."""
        return hashlib.sha256(self.document.encode()).hexdigest()


async def attest_now(
    store: AttestationStore, surroundings: Surroundings, *, commit: str, now: datetime
) -> Attestation:
    """Run every check, here and in the database. Nothing is stored.

    Raises:
        GatewayError: the database did not answer.
    """
    head = await store.attestation_head()
    texts = tuple(await store.promise_texts())
    attested = {(row.promise_id, row.check_id): row for row in await store.attest()}
    results = []
    for text in texts:
        row = attested[text.promise_id, text.check_id]
        if row.check_id is not None and row.status == "worker":
            passed, evidence = await run_worker_check(row.check_id, surroundings)
            results.append(Result(row.promise_id, row.check_id, "pass" if passed else "fail", evidence))
        else:
            status: Status = row.status if row.status != "worker" else "fail"
            results.append(Result(row.promise_id, row.check_id, status, row.evidence or {}))
    return Attestation(tuple(results), texts, now, head.database_name, commit, head)


async def store(store: AttestationStore, attestation: Attestation, keyring: Keyring) -> bool:
    """Sign and keep. False: another attestation was stored meanwhile."""
    document = attestation.document
    signature = _signature(keyring, keyring.primary_id, document)
    if signature is None:
        raise KeyringError("the primary key has no material")
    return await store.store_attestation(document, signature, keyring.primary_id)


def verify_chain(rows: Sequence[StoredAttestation], keyring: Keyring | None) -> list[str]:
    """Faults of stored attestations, oldest first; none: nothing was changed or taken out.

    Args:
        rows: as `list_attestations` gives them, newest first; the first one ever may be missing.
        keyring: verifies signatures; None leaves them out. Of a key that is retired only the chain is left.
    """
    faults = []
    before: StoredAttestation | None = None
    for row in sorted(rows, key=lambda one: one.seq):
        content = json.loads(row.document)
        if hashlib.sha256(row.document.encode()).hexdigest() != row.hash:
            faults.append(f"{row.seq}: the document was changed")
        if content.get("prev_hash") != row.prev_hash or content.get("seq") != row.seq:
            faults.append(f"{row.seq}: the document belongs elsewhere")
        expected = before.hash if before else (_FIRST if row.seq == 1 else row.prev_hash)
        if row.prev_hash != expected or (before and row.seq != before.seq + 1):
            faults.append(f"{row.seq}: does not follow the one before")
        wanted = None if keyring is None else _signature(keyring, row.key_id, row.document)
        if wanted is not None and not hmac.compare_digest(wanted, row.signature):
            faults.append(f"{row.seq}: the signature is not ours")
        before = row
    return faults


def _signature(keyring: Keyring, key_id: str, document: str) -> str | None:
    key = keyring.attestation_key(key_id)
    if key is None:
        return None
    return hmac.new(key.reveal_bytes(), document.encode(), hashlib.sha256).hexdigest()
