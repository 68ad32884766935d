"""The chain of results in the database: append-only, each follows the last one, workers alone."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

SIGNATURE = "a" * 64


def document(db: Connection, **changes: object) -> str:
    seq, head = rows(db, "select seq, hash from private.attestation_head()")[0]
    content = {
        "seq": seq + 1,
        "prev_hash": head,
        "results": [{"status": "pass"}, {"status": "fail"}],
        **changes,
    }
    return json.dumps(content)


def store(db: Connection, text: str) -> object:
    return scalar(db, "select worker.store_attestation(%s, %s, 'k1')", text, SIGNATURE)


def test_each_follows_the_one_before(db: Connection) -> None:
    texts = []
    for _ in range(3):
        texts.append(document(db))
        assert store(db, texts[-1]) is True
    kept = rows(
        db, "select seq, prev_hash, hash, document, failed_count from private.attestations order by seq"
    )
    assert [row[0] for row in kept] == [1, 2, 3]
    assert [row[3] for row in kept] == texts, "exactly the text that was signed"
    assert [row[1] for row in kept] == ["0" * 64, kept[0][2], kept[1][2]]
    assert kept[0][2] == hashlib.sha256(texts[0].encode()).hexdigest()
    assert {row[4] for row in kept} == {1}


@pytest.mark.parametrize("change", [{"seq": 7}, {"prev_hash": "f" * 64}])
def test_what_does_not_follow_is_not_kept(db: Connection, change: dict[str, object]) -> None:
    assert store(db, document(db, **change)) is False
    assert scalar(db, "select count(*) from private.attestations") == 0


@pytest.mark.parametrize("text", ["no json", "{}", '{"results": 1}'])
def test_a_malformed_document_is_refused(db: Connection, text: str) -> None:
    with denied(db, "NX002"):
        store(db, text)


@pytest.mark.parametrize(
    "change",
    [
        "update private.attestations set document = replace(document, 'fail', 'pass')",
        "delete from private.attestations",
        "truncate private.attestations",
    ],
)
def test_results_are_never_changed(db: Connection, change: str) -> None:
    store(db, document(db))
    with denied(db, "NX990"):
        db.execute(change.encode())


def test_workers_attest_and_people_do_not(db: Connection) -> None:
    person = create_person(db)
    with as_worker(db):
        assert scalar(db, "select count(*) from worker.attest()") > 50
        assert scalar(db, "select count(*) from worker.promise_texts()") > 50
        assert scalar(db, "select seq from worker.attestation_head()") == 0
        assert rows(db, "select * from worker.list_attestations(10)") == []
    for statement in ("select * from worker.attest()", "select * from private.attest()"):
        with denied(db, "42501"), acting_as(db, person):
            db.execute(statement.encode())
