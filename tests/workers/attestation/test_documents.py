"""Results are signed and chained: whatever is changed afterwards is found (the attestation's own proof)."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from tests.conftest import ROOT
from workers.attestation import Surroundings, attest_daily, attest_now, verify_chain, write_report
from workers.attestation.documents import store
from workers.gateway import AttestationHead, AttestedCheck, PromiseText, StoredAttestation
from workers.metrics import Metrics
from workers.vault import Keyring

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
KEYRING = Keyring.generate()
SURROUNDINGS = Surroundings(ROOT, KEYRING, None, None)


class MemoryStore:
    """A database of three promises and the chain of their attestations."""

    def __init__(self) -> None:
        self.rows: list[StoredAttestation] = []
        self.status = "pass"

    async def attest(self) -> list[AttestedCheck]:
        return [
            AttestedCheck(promise_id="P1.1", check_id="hashed", status=self.status, evidence={"rows": 3}),  # type: ignore[arg-type]
            AttestedCheck(promise_id="P1.11", check_id="log_filter", status="worker"),
            AttestedCheck(promise_id="P1.4", status="pending", evidence={"missing_feature": "brand deals"}),
        ]

    async def promise_texts(self) -> list[PromiseText]:
        return [
            PromiseText(
                promise_id="P1.1", obligation="Passwords are hashed.", check_id="hashed", enforced_by="<Auth>"
            ),
            PromiseText(promise_id="P1.4", obligation="Brand deals."),
            PromiseText(
                promise_id="P1.11", obligation="Logs.", check_id="log_filter", enforced_by="A filter."
            ),
        ]

    async def attestation_head(self) -> AttestationHead:
        last = self.rows[-1] if self.rows else None
        return AttestationHead(
            seq=last.seq if last else 0, hash=last.hash if last else "0" * 64, guards_hash="a" * 64,
            database_name="memory", attested_at=last.attested_at if last else None,
        )  # fmt: skip

    async def store_attestation(self, document: str, signature: str, key_id: str) -> bool:
        content = json.loads(document)
        head = await self.attestation_head()
        if (content["seq"], content["prev_hash"]) != (head.seq + 1, head.hash):
            return False
        digest = hashlib.sha256(document.encode()).hexdigest()
        self.rows.append(
            StoredAttestation(
                seq=head.seq + 1,
                attested_at=datetime.now(UTC),
                document=document,
                prev_hash=head.hash,
                hash=digest,
                key_id=key_id,
                signature=signature,
            )
        )
        return True

    async def list_attestations(self, limit: int) -> list[StoredAttestation]:
        return self.rows[::-1][:limit]


def chain_of(length: int) -> MemoryStore:
    database = MemoryStore()

    async def fill() -> None:
        for _ in range(length):
            attestation = await attest_now(database, SURROUNDINGS, commit="c", now=NOW)
            assert await store(database, attestation, KEYRING)

    asyncio.run(fill())
    return database


def test_results_come_in_the_order_of_the_promises_with_the_workers_own() -> None:
    attestation = asyncio.run(attest_now(MemoryStore(), SURROUNDINGS, commit="c", now=NOW))
    assert [(r.promise, r.check, r.status) for r in attestation.results] == [
        ("P1.1", "hashed", "pass"),
        ("P1.4", None, "pending"),
        ("P1.11", "log_filter", "pass"),
    ]
    assert attestation.count("fail") == 0


def test_a_chain_that_nobody_touched_holds() -> None:
    rows = chain_of(3).rows
    assert verify_chain(rows[::-1], KEYRING) == []
    assert verify_chain(rows[:0:-1], KEYRING) == [], "the oldest may be left out"
    assert verify_chain([], KEYRING) == []


def _resigned(row: StoredAttestation, document: str) -> StoredAttestation:
    """What somebody without the key can do at best: everything fits but the signature."""
    forged = hmac.new(b"guessed", document.encode(), hashlib.sha256).hexdigest()
    return replace(
        row, document=document, hash=hashlib.sha256(document.encode()).hexdigest(), signature=forged
    )


TAMPERINGS: dict[str, Callable[[list[StoredAttestation]], list[StoredAttestation]]] = {
    "the document was changed": lambda rows: [
        replace(rows[0], document=rows[0].document.replace("pass", "fail")),
        *rows[1:],
    ],
    "the signature is not ours": lambda rows: [
        *rows[:2],
        _resigned(rows[2], rows[2].document.replace('"rows":3', '"rows":4')),
    ],
    "does not follow the one before": lambda rows: [rows[0], rows[2]],
    "belongs elsewhere": lambda rows: [rows[0], replace(rows[1], prev_hash="f" * 64), rows[2]],
}


@pytest.mark.parametrize("fault", list(TAMPERINGS))
def test_a_tampered_chain_is_found(fault: str) -> None:
    found = verify_chain(TAMPERINGS[fault](chain_of(3).rows), KEYRING)
    assert any(fault in one for one in found), found


def test_signatures_of_another_keyring_do_not_count() -> None:
    assert len(verify_chain(chain_of(2).rows, Keyring.generate())) == 2


def test_a_retired_key_leaves_the_chain() -> None:
    rows = chain_of(2).rows
    later = KEYRING.with_pending_key().with_promoted_key().with_retired_keys({})
    assert verify_chain(rows, later) == []
    assert verify_chain([replace(rows[0], document="{}"), rows[1]], later)


def test_of_two_at_once_one_is_stored() -> None:
    async def both() -> list[bool]:
        database = MemoryStore()
        first = await attest_now(database, SURROUNDINGS, commit="c", now=NOW)
        return [await store(database, first, KEYRING), await store(database, first, KEYRING)]

    assert asyncio.run(both()) == [True, False]


def test_a_worker_attests_once_a_day_and_alarms() -> None:
    database, metrics = MemoryStore(), Metrics()
    database.status = "fail"
    assert asyncio.run(attest_daily(database, SURROUNDINGS, KEYRING, metrics))
    assert not asyncio.run(attest_daily(database, SURROUNDINGS, KEYRING, metrics))
    assert len(database.rows) == 1
    assert _value(metrics.registry, "nexora_attestation_failures") == 1


def test_a_broken_chain_is_an_alarm() -> None:
    database, metrics = chain_of(1), Metrics()
    database.rows[0] = replace(database.rows[0], signature="0" * 64, attested_at=NOW.replace(year=2020))
    assert asyncio.run(attest_daily(database, SURROUNDINGS, KEYRING, metrics))
    assert _value(metrics.registry, "nexora_attestation_failures") == 1


def _value(registry: CollectorRegistry, name: str) -> float | None:
    return registry.get_sample_value(name)


def test_the_report_needs_nothing_from_elsewhere_and_escapes_what_it_shows(tmp_path: Path) -> None:
    attestation = asyncio.run(attest_now(MemoryStore(), SURROUNDINGS, commit="c0ffee", now=NOW))
    write_report(tmp_path / "out" / "report.html", attestation, is_stored=False)
    page = (tmp_path / "out" / "report.html").read_text()
    assert "&lt;Auth&gt;" in page
    assert attestation.hash in page
    assert "c0ffee" in page
    assert "27 November 2026, 12:00:00 UTC" in page
    assert page.count("This version has no feature “brand deals”") == 2, (
        "among what is not proven, and in its place"
    )
    assert page.count('href="#P1.1"') >= 1
    assert "not signed" in page
    assert not any(word in page for word in ("http:", "https:", "<script", "$"))
