"""Essential mail cannot be switched off by anybody, the rest at any time; marketing needs a consent (P2.4, P7.6)."""

from __future__ import annotations

import pytest

from tests.sql.messaging.making import choices, queue_mail
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

MANDATORY = ["security", "billing", "policy"]


def _give(db: Connection) -> None:
    db.execute("select public.give_consent('marketing', 1, 'settings')")


def test_everybody_sees_what_holds(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        found = rows(db, "select id, is_mandatory, is_wanted from public.list_mail_choices()")
        assert len(rows(db, "select id from public.mail_categories")) == 5
    assert found == [
        ("billing", True, True),
        ("policy", True, True),
        ("security", True, True),
        ("marketing", False, False),
        ("product", False, True),
    ]


@pytest.mark.parametrize("category", MANDATORY)
def test_mandatory_mail_cannot_be_switched_off(db: Connection, category: str) -> None:
    ada = create_person(db)
    with denied(db, "NX801"), acting_as(db, ada):
        db.execute("select public.choose_mail(%s, false)", (category,))
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(
            "insert into public.mail_preferences (category_id, is_wanted) values (%s, false)", (category,)
        )
    for is_mandatory, sqlstate in ((False, "23503"), (True, "23514")):  # by whoever owns the database
        with denied(db, sqlstate):
            db.execute(
                """insert into public.mail_preferences
                     (user_id, category_id, is_mandatory, is_wanted, method, changed_at)
                   values (%s, %s, %s, false, 'forged', now())""",
                (ada.user_id, category, is_mandatory),
            )
    with denied(db, "23514"):
        db.execute("update public.mail_categories set is_mandatory = false where id = %s", (category,))


def test_a_template_belongs_to_one_category(db: Connection) -> None:
    """No news under the name of security."""
    with denied(db, "23503"):
        db.execute(
            """insert into private.mails (user_id, template_id, category_id, dedupe_key, created_at, give_up_at)
               values (%s, 'news', 'security', 'forged', now(), now() + interval '1 day')""",
            (create_person(db).user_id,),
        )


def test_product_mail_is_switched_off_and_on(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    for is_wanted in (False, False, True):
        with acting_as(db, ada):
            assert scalar(db, "select (public.choose_mail('product', %s)).is_wanted", is_wanted) is is_wanted
        assert scalar(db, "select private.mail_is_wanted(%s, 'product')", ada.user_id) is is_wanted
    assert choices(db, bob.user_id) == {}
    with acting_as(db, bob):
        assert rows(db, "select * from public.mail_preferences") == []


@pytest.mark.parametrize("birth_date", [None, "2012-01-01"])
def test_choosing_works_in_every_state_of_the_account(db: Connection, birth_date: str | None) -> None:
    with acting_as(db, create_person(db, birth_date=birth_date)):
        assert scalar(db, "select (public.choose_mail('product', false)).is_wanted") is False


@pytest.mark.parametrize(("category", "sqlstate"), [("gossip", "NX803"), ("marketing", "NX802")])
def test_what_cannot_be_chosen(db: Connection, category: str, sqlstate: str) -> None:
    with denied(db, sqlstate), acting_as(db, create_person(db)):
        db.execute("select public.choose_mail(%s, true)", (category,))


def test_nobody_chooses_without_a_session(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select public.choose_mail('product', false)")
    with denied(db, "42501"), as_worker(db):
        db.execute("select public.choose_mail('product', false)")
    ada = create_person(db)
    db.execute("delete from auth.sessions where user_id = %s", (ada.user_id,))
    with denied(db, "NX001"), acting_as(db, ada):
        db.execute("select public.choose_mail('product', false)")


def test_marketing_needs_a_consent(db: Connection) -> None:
    ada = create_person(db)
    with denied(db, "NX904"):
        queue_mail(db, ada.user_id, "news")
    with denied(db, "NX904"):
        db.execute("select private.set_mail_preference(%s, 'marketing', true, 'forged')", (ada.user_id,))
    with acting_as(db, ada):
        _give(db)
    assert choices(db, ada.user_id) == {"marketing": True}
    assert queue_mail(db, ada.user_id, "news")


@pytest.mark.parametrize(
    "withdrawal",
    [
        "select public.withdraw_consent('marketing')",
        "select public.choose_mail('marketing', false)",
    ],
)
def test_a_withdrawal_by_either_way_holds_everywhere(db: Connection, withdrawal: str) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        _give(db)
        db.execute(withdrawal)  # type: ignore[call-overload]
    assert choices(db, ada.user_id) == {"marketing": False}
    assert not scalar(db, "select private.may_process(%s, 'marketing')", ada.user_id)
    with denied(db, "NX904"):
        queue_mail(db, ada.user_id, "news")
    with acting_as(db, ada):
        _give(db)
    assert choices(db, ada.user_id) == {"marketing": True}


def test_optional_mail_goes_to_accounts_that_work_alone(db: Connection) -> None:
    ada = create_person(db)
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s", (ada.user_id,)
    )
    assert not scalar(db, "select private.mail_is_wanted(%s, 'product')", ada.user_id)
    assert scalar(db, "select private.mail_is_wanted(%s, 'security')", ada.user_id)


def test_choices_go_with_the_person(db: Connection) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        db.execute("select public.choose_mail('product', false)")
    db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert choices(db, ada.user_id) == {}
