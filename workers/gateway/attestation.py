"""Attestations: run the checks of the database, read and extend the chain of results."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic.dataclasses import dataclass

from workers.gateway.answers import scalar
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW

__all__ = ["AttestationCalls", "AttestationHead", "AttestedCheck", "PromiseText", "StoredAttestation"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class AttestedCheck:
    """One check as the database ran it; status `worker` asks the worker to run it."""

    promise_id: str
    check_id: str | None = None
    status: Literal["pass", "fail", "pending", "worker"]
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class PromiseText:
    """A promise, one of its checks, and how that one is enforced, in words for people."""

    promise_id: str
    obligation: str
    check_id: str | None = None
    enforced_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class AttestationHead:
    """The last attestation (number 0 before the first), and the seal of the database's guards."""

    seq: int
    hash: str
    guards_hash: str
    database_name: str
    attested_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class StoredAttestation:
    """An attestation as it is kept; `document` is the exact text that was signed."""

    seq: int
    attested_at: datetime
    document: str
    prev_hash: str
    hash: str
    key_id: str
    signature: str


class AttestationCalls(Caller):
    """Running checks and keeping their results."""

    async def attest(self) -> list[AttestedCheck]:
        """Run every check of the database. Repeat: harmless, nothing is written."""
        return await self._rows(AttestedCheck, "attest", repeat=True)

    async def promise_texts(self) -> list[PromiseText]:
        """The promises in their order. Repeat: harmless."""
        return await self._rows(PromiseText, "promise_texts", repeat=True)

    async def attestation_head(self) -> AttestationHead:
        """What the next attestation follows. Repeat: harmless."""
        return await self._row(AttestationHead, "attestation_head", {}, repeat=True)

    async def store_attestation(self, document: str, signature: str, key_id: str) -> bool:
        """Keep a signed document. False: it does not follow the last one.

        Repeat: harmless; what is stored already does not follow itself.
        """
        arguments = {"p_document": document, "p_signature": signature, "p_key_id": key_id}
        return scalar(
            "store_attestation", bool, await self._call("store_attestation", arguments, repeat=True)
        )

    async def list_attestations(self, limit: int) -> list[StoredAttestation]:
        """The last attestations, newest first. Repeat: harmless."""
        return await self._rows(StoredAttestation, "list_attestations", {"p_limit": limit}, repeat=True)
