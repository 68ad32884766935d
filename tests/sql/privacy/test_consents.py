"""P2.1, P2.4, P7.5, P10.1: what may be refused is refused at once, and the log proves every choice."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied


def may(db: Connection, person: Person, purpose: str) -> bool:
    return bool(scalar(db, "select private.may_process(%s, %s)", person.user_id, purpose))


def log(db: Connection, person: Person) -> list[tuple[str, bool, int | None, str]]:
    return rows(
        db,
        "select purpose_id, is_given, text_version, method from public.consents where user_id = %s order by at",
        person.user_id,
    )


def test_marketing_needs_consent_and_ends_with_it(db: Connection) -> None:
    """P2.4."""
    person = create_person(db)
    assert not may(db, person, "marketing")
    with acting_as(db, person):
        db.execute("select public.give_consent('marketing', 1, 'sign_up')")
    assert may(db, person, "marketing")
    with acting_as(db, person):
        db.execute("select public.withdraw_consent('marketing')")
    assert not may(db, person, "marketing")
    assert log(db, person) == [("marketing", True, 1, "sign_up"), ("marketing", False, 1, "settings")]


def test_a_choice_that_stands_is_not_logged_again(db: Connection) -> None:
    person = create_person(db)
    with acting_as(db, person):
        first = scalar(db, "select (public.give_consent('marketing', 1)).id")
        assert scalar(db, "select (public.give_consent('marketing', 1)).id") == first
    assert len(log(db, person)) == 1


def test_the_switch_and_the_purpose_are_one_choice(db: Connection) -> None:
    """P5.2, P7.5: whichever way the person takes, the other shows it, and the log has it once."""
    person = create_person(db)
    assert may(db, person, "product_improvement")
    with acting_as(db, person):
        db.execute(
            "update public.preferences set product_analytics = false where user_id = %s", (person.user_id,)
        )
    assert not may(db, person, "product_improvement")
    with acting_as(db, person):
        db.execute("select public.give_consent('product_improvement', 1)")
        assert scalar(db, "select product_analytics from public.preferences") is True
        db.execute("select public.withdraw_consent('product_improvement')")
        assert scalar(db, "select product_analytics from public.preferences") is False
    assert [given for _, given, _, _ in log(db, person)] == [False, True, False]


def test_an_older_wording_is_not_agreed_to(db: Connection) -> None:
    person = create_person(db)
    db.execute(
        """insert into private.consent_texts (purpose_id, version, body, valid_from)
           values ('marketing', 2, 'Send me news, offers and invitations by e-mail.', now())"""
    )
    with denied(db, "NX902"), acting_as(db, person):
        db.execute("select public.give_consent('marketing', 1)")
    with acting_as(db, person):
        assert scalar(db, "select (public.give_consent('marketing', 2)).text_version") == 2
        assert (
            scalar(db, "select length(text_hash) from public.consents where user_id = %s", person.user_id)
            == 64
        )


@pytest.mark.parametrize("purpose", ["features", "security", "nonsense"])
def test_what_cannot_be_refused_cannot_be_chosen(db: Connection, purpose: str) -> None:
    person = create_person(db)
    with denied(db, "NX901"), acting_as(db, person):
        db.execute("select public.withdraw_consent(%s)", (purpose,))


def test_nothing_is_processed_for_a_purpose_that_is_not_listed(db: Connection) -> None:
    """P2.1."""
    person = create_person(db)
    assert not may(db, person, "curiosity")
    with denied(db, "NX904"):
        db.execute("select private.require_processing(%s, 'curiosity')", (person.user_id,))


def test_nothing_is_processed_for_somebody_who_is_gone(db: Connection) -> None:
    person = create_person(db)
    db.execute("select private.delete_auth_user(%s)", (person.user_id,))
    assert not may(db, person, "features")
    assert log(db, person) == []


@pytest.mark.parametrize(
    ("purpose", "allowed"),
    [("features", False), ("ai_processing", False), ("security", True), ("transactional_email", True)],
)
def test_an_account_that_waits_for_its_guardian_is_kept_safe_and_no_more(
    db: Connection, purpose: str, allowed: bool
) -> None:
    """P9.2."""
    person = create_person(db, birth_date="2012-06-01")
    assert may(db, person, purpose) is allowed


def test_choosing_works_in_every_state_of_the_account(db: Connection) -> None:
    """P7.5."""
    person = create_person(db, birth_date=None)
    with acting_as(db, person):
        db.execute("select public.withdraw_consent('product_improvement')")
        assert scalar(db, "select count(*) from public.list_purposes()") > 6
    with denied(db, "NX001"), acting_as(db, Person(person.user_id, create_person(db).session_id, "x")):
        db.execute("select public.withdraw_consent('marketing')")


def test_the_list_says_what_is_allowed(db: Connection) -> None:
    person = create_person(db)
    with acting_as(db, person):
        listed = dict(rows(db, "select id, is_allowed from public.list_purposes()"))
    assert listed["features"]
    assert listed["product_improvement"]
    assert not listed["marketing"]


@pytest.mark.parametrize(
    "change",
    [
        "update public.consents set is_given = true",
        "truncate public.consents",
    ],
)
def test_the_log_is_append_only_for_everybody(db: Connection, change: str) -> None:
    person = create_person(db)
    db.execute("select private.log_choice(%s, 'marketing', false, 'settings')", (person.user_id,))
    with denied(db, "NX903"):
        db.execute(change)


def test_people_and_workers_do_not_write_the_log(db: Connection) -> None:
    person = create_person(db)
    db.execute("select private.log_choice(%s, 'marketing', false, 'settings')", (person.user_id,))
    for statement in (
        "insert into public.consents (user_id, purpose_id, is_given, method, at) "
        "select user_id, 'marketing', false, 'forged', now() from public.consents",
        "delete from public.consents",
    ):
        with denied(db, "42501"), acting_as(db, person):
            db.execute(statement)
        with denied(db, "42501"), as_worker(db):
            db.execute(statement)
