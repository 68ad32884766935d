"""private.fail() and the registry behind it."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.querying import Connection
from tests.support.personas import acting_as, create_person, denied


def test_an_error_carries_code_message_hint_and_detail(db: Connection) -> None:
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select private.fail('NX010', p_detail := 'handle')")
    said = caught.value.diag
    assert (said.sqlstate, said.message_detail) == ("NX010", "handle")
    assert said.message_primary == "This field cannot be changed directly"
    assert said.message_hint == "Use the function that is meant for this change."


def test_without_detail_there_is_none(db: Connection) -> None:
    with pytest.raises(psycopg.Error) as caught:
        db.execute("select private.fail('NX003')")
    assert caught.value.diag.message_detail is None


def test_a_code_that_is_not_registered_is_our_mistake(db: Connection) -> None:
    with denied(db, "NX000"):
        db.execute("select private.fail('NX899')")


def test_a_person_may_raise_but_not_read(db: Connection) -> None:
    person = create_person(db)
    with denied(db, "NX003"), acting_as(db, person):
        db.execute("select private.fail('NX003')")
    with denied(db, "42501"), acting_as(db, person):
        db.execute("select from private.error_registry")


@pytest.mark.parametrize(
    ("code", "message", "hint", "status"),
    [
        ("NX1", "A message", "A hint", 400),
        ("AB001", "A message", "A hint", 400),
        ("NX899", "A message with a full stop.", "A hint", 400),
        ("NX899", "A message", "", 400),
        ("NX899", "A message", "A hint", 200),
    ],
)
def test_a_bad_registration_is_refused(
    db: Connection, code: str, message: str, hint: str, status: int
) -> None:
    with denied(db, "23514"):
        db.execute(
            "insert into private.error_registry values (%s, %s, %s, %s)", (code, message, hint, status)
        )


def test_the_ledger_takes_only_functions_of_private(db: Connection) -> None:
    with denied(db, "23514"):
        db.execute("insert into private.definer_ledger values ('public.x', 'a reason that is long enough')")
