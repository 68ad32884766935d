"""Every promise is covered, a healthy database passes, and each check fails when what it proves is broken."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.attestation.plants import PLANTS
from tests.sql.querying import Connection, rows, scalar
from tests.support.seed import Belongings, seed_person

PROMISED = {
    *(f"P1.{n}" for n in range(1, 13)),
    *(f"P2.{n}" for n in range(1, 6)),
    *(f"P3.{n}" for n in range(1, 11)),
    *(f"P4.{n}" for n in range(1, 4)),
    *(f"P5.{n}" for n in range(1, 3)),
    *(f"P6.{n}" for n in range(1, 9)),
    *(f"P7.{n}" for n in range(1, 8)),
    *(f"P8.{n}" for n in range(1, 6)),
    *(f"P9.{n}" for n in range(1, 3)),
    *(f"P10.{n}" for n in range(1, 3)),
    *(f"P11.{n}" for n in range(1, 4)),
    "P12.1",
}
"""The ids of the privacy policy's obligations."""


@pytest.fixture
def seeded(admin_db: Connection) -> Belongings:
    seed_person(admin_db)
    back_up(admin_db)
    return seed_person(admin_db)


def back_up(db: Connection) -> None:
    """A backup of today, and a drill, as the worker and `./nexora backup drill` report them (P3.2)."""
    db.execute("select private.begin_backup('00000000-0000-4000-8000-000000000000', 'bucket', 'k1')")
    db.execute(
        "select private.finish_backup('00000000-0000-4000-8000-000000000000', 1, repeat('0', 64), 'k1', 0, 0)"
    )
    db.execute("select private.record_drill('00000000-0000-4000-8000-000000000000', now(), 1, 0, 0)")


def failed(db: Connection) -> dict[str, object]:
    return dict(rows(db, "select check_id, evidence from private.attest() where status = 'fail'"))


def test_every_promise_is_covered(db: Connection) -> None:
    attested = rows(db, "select promise_id, check_id, status from private.attest()")
    assert {promise for promise, _, _ in attested} == PROMISED
    assert {status for _, check, status in attested if check is None} == {"pending"}
    assert not {p for p, check, _ in attested if check} & {p for p, check, _ in attested if check is None}


def test_a_promise_without_check_and_without_missing_feature_fails(db: Connection) -> None:
    db.execute("delete from private.promise_checks where promise_id = 'P2.5'")
    assert rows(db, "select check_id, status from private.attest() where promise_id = 'P2.5'") == [
        (None, "fail")
    ]


def test_what_has_no_feature_is_pending_by_name(db: Connection) -> None:
    missing = rows(db, "select status, evidence from private.attest() where promise_id = 'P1.4'")
    assert missing == [("pending", {"missing_feature": "brand deals"})]


def test_a_healthy_database_passes(admin_db: Connection, seeded: Belongings) -> None:
    assert failed(admin_db) == {}


def test_a_database_without_people_passes(db: Connection) -> None:
    back_up(db)
    assert failed(db) == {}


def test_every_check_of_the_database_has_a_plant_and_a_function(db: Connection) -> None:
    checks = {c for (c,) in rows(db, "select id from private.promise_checks where runs_in = 'database'")}
    functions = {
        f for (f,) in rows(db, "select substr(proname, 8) from pg_proc where starts_with(proname, 'attest_')")
    }
    assert checks == set(PLANTS)
    assert checks <= functions
    assert all(PLANTS.values())


@pytest.mark.parametrize("check", PLANTS)
def test_a_broken_enforcement_fails_exactly_its_check(
    admin_db: Connection, seeded: Belongings, check: str
) -> None:
    """Each plant alone fails its check, and all of them together fail no other one: a run of all takes long."""
    plants = [
        plant.format(
            user=seeded.person.user_id,
            session=seeded.person.session_id,
            connection=seeded.connection_id,
            target=seeded.target_id,
        ).encode()
        for plant in PLANTS[check]
    ]
    for plant in plants:
        with admin_db.transaction(force_rollback=True):
            admin_db.execute(plant)
            assert scalar(admin_db, "select (private.run_check(%s, now())).passed", check) is False, plant
    while plants:
        left = []
        with admin_db.transaction(force_rollback=True):
            for plant in plants:
                try:
                    with admin_db.transaction():
                        admin_db.execute(plant)
                except psycopg.Error:  # two of them touch the same thing
                    left.append(plant)
            broken = failed(admin_db)
        assert set(broken) == {check}, broken
        assert left != plants
        plants = left


def test_an_exception_in_a_check_is_a_failure_with_its_code(admin_db: Connection) -> None:
    admin_db.execute(
        """create or replace function private.attest_nobody_trains(p_now timestamptz default now())
           returns private.finding language sql stable as 'select (1 / 0 = 1, null::jsonb)::private.finding'"""
    )
    assert failed(admin_db)["nobody_trains"] == {"faults": ["the check failed with 22012"]}


def test_evidence_names_objects_and_counts_only(admin_db: Connection, seeded: Belongings) -> None:
    """P1.11: whoever reads the report learns nothing about anybody."""
    text = str(rows(admin_db, "select * from private.attest()"))
    assert seeded.marker not in text
    assert seeded.person.email not in text
    assert str(seeded.person.user_id) not in text


def test_sealing_again_changes_nothing(db: Connection) -> None:
    before = scalar(db, "select private.guards_hash()")
    assert scalar(db, "select private.seal_guards()") > 1000
    assert scalar(db, "select private.guards_hash()") == before
