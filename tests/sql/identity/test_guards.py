"""Who counts as signed in, and whose account may be used: every policy and every body relies on this."""

from __future__ import annotations

import json
import uuid
from typing import LiteralString

import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import Person, acting_as, create_person, denied

IS_LIVE = "select private.session_is_live()"


def test_a_session_is_live(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        assert scalar(db, IS_LIVE)
        assert scalar(db, "select private.account_is_usable()")


def _claims(db: Connection, person: Person, *, style: str) -> None:
    claims = {"sub": str(person.user_id), "role": "authenticated", "session_id": str(person.session_id)}
    if style == "one setting":
        db.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))
    else:
        for name, value in claims.items():
            db.execute("select set_config(%s, %s, true)", (f"request.jwt.claim.{name}", value))
    db.execute("set local role authenticated")


@pytest.mark.parametrize("style", ["one setting", "one setting per claim"])
def test_both_ways_of_passing_claims_work(db: Connection, style: str) -> None:
    person = create_person(db)
    _claims(db, person, style=style)
    assert scalar(db, IS_LIVE)
    assert scalar(db, "select private.require_person()") == person.user_id


def test_without_claims_nobody_is_signed_in(db: Connection) -> None:
    db.execute("set local role authenticated")
    assert not scalar(db, IS_LIVE)
    assert not scalar(db, "select private.account_is_usable()")
    with denied(db, "NX001"):
        db.execute("select private.require_person()")


@pytest.mark.parametrize("session_id", [uuid.uuid4(), "", "nonsense"])
def test_a_session_that_is_not_there_is_not_live(db: Connection, session_id: object) -> None:
    ada = create_person(db)
    with acting_as(db, Person(ada.user_id, session_id, ada.email)):  # type: ignore[arg-type]
        assert not scalar(db, IS_LIVE)


def test_the_session_of_somebody_else_is_not_live(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, Person(ada.user_id, bob.session_id, ada.email)):
        assert not scalar(db, IS_LIVE)
        with denied(db, "NX001"):
            db.execute("select private.require_person()")


@pytest.mark.parametrize(
    ("created", "refreshed", "not_after", "now", "is_live"),
    [
        ("2026-01-01T00:00:00Z", None, None, "2026-01-30T23:59:59Z", True),
        ("2026-01-01T00:00:00Z", None, None, "2026-01-31T00:00:00Z", False),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00", None, "2026-01-30T23:59:59Z", True),
        ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00", None, "2026-01-31T00:00:00Z", False),
        ("2026-01-01T00:00:00Z", None, "2026-01-02T00:00:00Z", "2026-01-01T23:59:59Z", True),
        ("2026-01-01T00:00:00Z", None, "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", False),
        ("2026-01-01T00:00:00Z", None, "2027-01-01T00:00:00Z", "2026-01-31T00:00:00Z", False),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_a_session_ends_by_inactivity_and_at_its_end(
    db: Connection,
    zone: str,
    created: str,
    refreshed: str | None,
    not_after: str | None,
    now: str,
    is_live: bool,
) -> None:
    person = create_person(db)
    db.execute(
        "update auth.sessions set created_at = %s, refreshed_at = %s, not_after = %s where id = %s",
        (created, refreshed, not_after, person.session_id),
    )
    db.execute("select set_config('timezone', %s, true)", (zone,))
    with acting_as(db, person):
        assert scalar(db, "select private.session_is_live(%s)", now) is is_live
        assert scalar(db, "select private.account_is_usable(%s)", now) is is_live


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("state = 'incomplete', birth_date = null", "NX110"),
        ("state = 'awaiting_guardian', birth_date = '2012-01-01'", "NX111"),
        ("state = 'locked', locked_at = now()", "NX112"),
    ],
)
def test_a_live_session_alone_is_not_enough(db: Connection, change: LiteralString, code: str) -> None:
    person = create_person(db)
    db.execute("update private.accounts set " + change + " where user_id = %s", (person.user_id,))
    with acting_as(db, person):
        assert scalar(db, IS_LIVE)
        assert not scalar(db, "select private.account_is_usable()")
    with denied(db, code), acting_as(db, person):
        db.execute("select private.require_person()")


def test_without_an_account_row_the_account_is_incomplete(db: Connection) -> None:
    person = create_person(db)
    db.execute("delete from private.accounts where user_id = %s", (person.user_id,))
    with denied(db, "NX110"), acting_as(db, person):
        db.execute("select private.require_person()")


def test_visitors_cannot_even_ask(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, None):
        db.execute(IS_LIVE)
