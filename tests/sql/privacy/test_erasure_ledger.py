"""P8.2: the ledger proves what was erased, names nobody, and cannot be changed unnoticed."""

from __future__ import annotations

import pytest

from tests.sql.privacy.erasing import erase
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import create_person, denied
from tests.support.seed import seed_person

OFF = "alter table private.erasure_ledger disable trigger user"


def test_it_says_what_was_erased_and_not_of_whom(db: Connection) -> None:
    seeded = seed_person(db)
    erasure = erase(db, seeded.person)
    entries = rows(db, "select action, relation, row_count from private.erasure_ledger order by seq")
    assert ("delete", "public.posts", 1) in entries
    assert entries[-1] == ("completed", "all", 0)
    assert rows(db, "select * from private.ledger_faults()") == []
    text = scalar(db, "select string_agg(l::text, ' ') from private.erasure_ledger l")
    assert str(seeded.person.user_id) not in text
    assert seeded.marker not in text
    tags = rows(db, "select distinct subject_tag from private.erasure_ledger")
    assert tags == [(scalar(db, "select private.ledger_tag(%s, %s)", erasure, seeded.person.user_id),)]


@pytest.mark.parametrize(
    "change",
    [
        "update private.erasure_ledger set row_count = 0",
        "delete from private.erasure_ledger",
        "truncate private.erasure_ledger",
    ],
)
def test_nobody_changes_it(db: Connection, change: str) -> None:
    erase(db, create_person(db))
    with denied(db, "NX903"):
        db.execute(change)


@pytest.mark.parametrize(
    "change",
    [
        "update private.erasure_ledger set row_count = row_count + 1 where seq = 2",
        "update private.erasure_ledger set executed_at = executed_at + interval '1 microsecond' where seq = 2",
        "update private.erasure_ledger set relation = 'public.other' where seq = 2",
        "delete from private.erasure_ledger where seq = 2",
        "delete from private.erasure_ledger where seq = 1",
    ],
)
def test_a_change_behind_its_back_shows(db: Connection, change: str) -> None:
    erase(db, create_person(db))
    db.execute(OFF)
    db.execute(change)
    assert rows(db, "select * from private.ledger_faults()") != []


def test_two_erasures_are_one_chain(db: Connection) -> None:
    erase(db, create_person(db))
    first = scalar(db, "select max(seq) from private.erasure_ledger")
    erase(db, create_person(db))
    assert scalar(db, "select min(seq) from private.erasure_ledger where seq > %s", first) == first + 1
    assert rows(db, "select * from private.ledger_faults()") == []
