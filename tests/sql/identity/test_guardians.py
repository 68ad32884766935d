"""Between 13 and 18 an account works only with a guardian's recorded consent (P9.2)."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

RECORD = "select worker.record_guardian_consent(%s, 'signed_form', 'archive/17')"
REVOKE = "select worker.revoke_guardian_consent(%s)"


def _minor(db: Connection) -> Person:
    return create_person(db, birth_date=scalar(db, "select (now() - interval '15 years')::date::text"))


def _is_usable(db: Connection, person: Person) -> bool:
    with acting_as(db, person):
        return scalar(db, "select private.account_is_usable()")


def test_consent_opens_the_account_and_its_revocation_closes_it(db: Connection) -> None:
    minor = _minor(db)
    assert not _is_usable(db, minor)
    with as_worker(db):
        consent = scalar(db, RECORD, minor.user_id)
        assert scalar(db, RECORD, minor.user_id) == consent
    assert _is_usable(db, minor)
    with acting_as(db, minor):
        assert scalar(db, "select guardian_consent_at is not null from public.my_account()")
    with as_worker(db):
        assert scalar(db, REVOKE, minor.user_id)
        assert not scalar(db, REVOKE, minor.user_id)
    assert not _is_usable(db, minor)
    with denied(db, "NX111"), acting_as(db, minor):
        db.execute("select private.require_person()")


def test_a_new_consent_after_a_revocation_is_a_new_record(db: Connection) -> None:
    minor = _minor(db)
    with as_worker(db):
        first = scalar(db, RECORD, minor.user_id)
        db.execute(REVOKE, (minor.user_id,))
        assert scalar(db, RECORD, minor.user_id) != first
    assert _is_usable(db, minor)
    assert scalar(db, "select count(*) from private.guardian_consents where user_id = %s", minor.user_id) == 2
    actions = rows(
        db, "select action from private.audit_events where subject_id = %s order by action", minor.user_id
    )
    assert [action for (action,) in actions] == ["guardian_consent_recorded"] * 2 + [
        "guardian_consent_revoked"
    ]


def test_a_revocation_after_the_18th_birthday_closes_nothing(db: Connection) -> None:
    minor = _minor(db)
    with as_worker(db):
        db.execute(RECORD, (minor.user_id,))
    assert scalar(db, "select private.revoke_guardian_consent(%s, now() + interval '4 years')", minor.user_id)
    assert _is_usable(db, minor)


@pytest.mark.parametrize("birth_date", ["1990-01-01", None])
def test_only_minors_have_guardians(db: Connection, birth_date: str | None) -> None:
    person = create_person(db, birth_date=birth_date)
    with denied(db, "NX114"), as_worker(db):
        db.execute(RECORD, (person.user_id,))


def test_an_unknown_account_has_none(db: Connection) -> None:
    with denied(db, "NX114"), as_worker(db):
        db.execute(RECORD, (uuid.uuid4(),))
    with as_worker(db):
        assert not scalar(db, REVOKE, uuid.uuid4())


@pytest.mark.parametrize(
    ("method", "evidence"),
    [(None, "x"), ("A Method", "x"), ("signed_form", None), ("signed_form", ""), ("signed_form", "x" * 201)],
)
def test_method_and_evidence_are_needed(db: Connection, method: str | None, evidence: str | None) -> None:
    minor = _minor(db)
    with denied(db, "NX002"), as_worker(db):
        db.execute("select worker.record_guardian_consent(%s, %s, %s)", (minor.user_id, method, evidence))


def test_a_minor_cannot_consent_for_themselves(db: Connection) -> None:
    minor = _minor(db)
    for statement in (RECORD, "select private.record_guardian_consent(%s, 'signed_form', 'x')"):
        with denied(db, "42501"), acting_as(db, minor):
            db.execute(statement, (minor.user_id,))


def test_a_lock_outlasts_consent(db: Connection) -> None:
    minor = _minor(db)
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s", (minor.user_id,)
    )
    with as_worker(db):
        db.execute(RECORD, (minor.user_id,))
    assert scalar(db, "select state from private.accounts where user_id = %s", minor.user_id) == "locked"


def test_only_one_consent_stands(db: Connection) -> None:
    minor = _minor(db)
    insert = (
        "insert into private.guardian_consents (user_id, confirmed_at, method, evidence) values "
        "(%s, now(), 'call', 'x')"
    )
    db.execute(insert, (minor.user_id,))
    with denied(db, "23505"):
        db.execute(insert, (minor.user_id,))


@pytest.mark.parametrize(
    "values",
    [
        "confirmed_at = now()",
        "revoked_at = now()",
        "guardian_email_hash = 'guardian@people.example'",
        "token_hash = repeat('a', 64), requested_at = now(), expires_at = now()",
        "token_hash = repeat('a', 64)",
    ],
)
def test_unlawful_records_are_refused(db: Connection, values: str) -> None:
    minor = _minor(db)
    db.execute("insert into private.guardian_consents (user_id) values (%s)", (minor.user_id,))
    with denied(db, "23514"):
        db.execute(f"update private.guardian_consents set {values}")  # type: ignore[arg-type]
