"""What the provider tells is recorded once, and ends optional mail where it must (P3.10, P7.6)."""

from __future__ import annotations

import hashlib

import pytest

from tests.sql.messaging.making import T0, choices, claim, mail, new_worker, queue_mail, report, send, tell
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied


@pytest.fixture
def ada(db: Connection) -> Person:
    return create_person(db)


def _wanted(db: Connection, person: Person, category: str = "product") -> bool:
    return bool(scalar(db, "select private.mail_is_wanted(%s, %s)", person.user_id, category))


def test_a_delivery_is_proof(db: Connection, ada: Person) -> None:
    mail_id = send(db, ada.user_id)
    assert tell(db, mail_id, "delivered")
    assert mail(db, mail_id)["delivered_at"] is not None


def test_an_event_counts_once(db: Connection, ada: Person) -> None:
    mail_id = send(db, ada.user_id)
    assert tell(db, mail_id, "delivered", event="msg_1")
    assert not tell(db, mail_id, "delivered", event="msg_1")
    assert scalar(db, "select count(*) from private.mail_events") == 1


def test_an_event_settles_a_mail_whose_answer_was_lost(db: Connection, ada: Person) -> None:
    """It had been taken: it is not sent again."""
    worker, mail_id = new_worker(db), queue_mail(db, ada.user_id)
    (claimed,) = claim(db, worker)
    assert tell(db, mail_id, "sent")
    row = mail(db, mail_id)
    assert (row["state"], row["provider_id"], row["last_code"]) == (
        "sent",
        f"re-{mail_id}",
        "answer_was_lost",
    )
    assert report(db, worker, claimed, "retry", code="no_answer") == 0
    assert scalar(db, "select count(*) from private.queue where subject_id = %s", mail_id) == 0


def test_a_permanent_bounce_ends_optional_mail_to_that_address(db: Connection, ada: Person) -> None:
    mail_id = send(db, ada.user_id)
    assert tell(db, mail_id, "bounced", code="Permanent")
    assert (mail(db, mail_id)["last_code"], mail(db, mail_id)["bounced_at"] is not None) == (
        "Permanent",
        True,
    )
    assert (_wanted(db, ada), _wanted(db, ada, "security")) == (False, True)
    assert rows(db, "select kind from public.notifications where user_id = %s", ada.user_id) == [
        ("mail_address_bounced",)
    ]
    assert choices(db, ada.user_id) == {}
    db.execute("update auth.users set email = 'new@people.example' where id = %s", (ada.user_id,))
    assert _wanted(db, ada)


def test_a_passing_bounce_ends_nothing(db: Connection, ada: Person) -> None:
    assert tell(db, send(db, ada.user_id), "bounced", code="Transient")
    assert _wanted(db, ada)


def test_a_complaint_switches_everything_optional_off(db: Connection, ada: Person) -> None:
    with acting_as(db, ada):
        db.execute("select public.give_consent('marketing', 1, 'settings')")
    assert tell(db, send(db, ada.user_id), "complained")
    assert choices(db, ada.user_id) == {"marketing": False, "product": False}
    assert not scalar(db, "select private.may_process(%s, 'marketing')", ada.user_id)
    assert _wanted(db, ada, "security")


def test_a_late_event_brings_nobody_back(db: Connection, ada: Person) -> None:
    """P7.3: the person is gone, and so is what is told about them."""
    mail_id = send(db, ada.user_id)
    db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert not tell(db, mail_id, "bounced", code="Permanent")
    assert scalar(db, "select count(*) from private.mail_events where mail_id = %s", mail_id) == 0


def test_an_event_about_another_message_is_not_ours(db: Connection, ada: Person) -> None:
    mail_id = send(db, ada.user_id)
    query = "select private.record_mail_event('msg_2', 'bounced', 're-forged', %s, %s, null, %s)"
    assert not scalar(db, query, mail_id, T0, T0)
    assert _wanted(db, ada)


def test_only_workers_record_events(db: Connection, ada: Person) -> None:
    call = "select worker.record_mail_event('msg_3', %s, 're-1', null, now(), null)"
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(call, ("delivered",))
    with as_worker(db):
        assert scalar(db, call, "delivered") is False
    with denied(db, "NX002"), as_worker(db):
        db.execute(call, (None,))


def _link(db: Connection, person: Person, template: str = "notice") -> str:
    queue_mail(db, person.user_id, template)
    token = claim(db, new_worker(db))[0]["unsubscribe_token"] or ""
    return hashlib.sha256(token.encode()).hexdigest()


def test_one_click_switches_off_its_own_category_of_its_own_person(db: Connection, ada: Person) -> None:
    bob, link = create_person(db), _link(db, ada)
    for _ in range(2):  # a repeat is harmless
        with as_worker(db):
            assert scalar(db, "select worker.unsubscribe(%s)", link) == "product"
    assert choices(db, ada.user_id) == {"product": False}
    assert choices(db, bob.user_id) == {}


def test_looking_at_the_link_changes_nothing(db: Connection, ada: Person) -> None:
    """RFC 8058: programs that scan mail follow links."""
    link = _link(db, ada)
    with as_worker(db):
        assert rows(db, "select category_id, is_wanted from worker.find_unsubscribe(%s)", link) == [
            ("product", True)
        ]
    assert choices(db, ada.user_id) == {}


@pytest.mark.parametrize("function", ["find_unsubscribe", "unsubscribe"])
def test_a_link_that_does_not_exist(db: Connection, ada: Person, function: str) -> None:
    for link in ("0" * 64, _link(db, ada, "password_changed")):
        with denied(db, "NX804"), as_worker(db):
            db.execute(f"select worker.{function}(%s)", (link,))  # type: ignore[arg-type]
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(f"select worker.{function}('x')")  # type: ignore[arg-type]


def test_unsubscribing_from_marketing_is_a_withdrawal_on_record(db: Connection, ada: Person) -> None:
    with acting_as(db, ada):
        db.execute("select public.give_consent('marketing', 1, 'settings')")
    link = _link(db, ada, "news")
    with as_worker(db):
        db.execute("select worker.unsubscribe(%s)", (link,))
    assert (
        scalar(db, "select method from public.consents where user_id = %s and not is_given", ada.user_id)
        == "unsubscribe_link"
    )


def test_a_notice_that_wants_a_mail_gets_one_an_hour(db: Connection, ada: Person) -> None:
    notify = "select private.notify(%s, %s, 'post_target', gen_random_uuid(), null, %s)"
    for kind, at in (
        ("target_failed", T0),
        ("target_failed", T0),
        ("mail_address_bounced", T0),
        ("target_failed", "2026-03-01T13:00:00Z"),
    ):
        db.execute(notify, (ada.user_id, kind, at))
    found = rows(db, "select template_id, params from private.mails where user_id = %s", ada.user_id)
    title, advice = rows(db, "select title, advice from private.notification_words('target_failed', null)")[0]
    assert found == [("notice", {"title": title, "advice": advice})] * 2


def test_the_switch_of_the_preferences_and_the_category_are_one_choice(db: Connection, ada: Person) -> None:
    for is_wanted in (False, True):
        with acting_as(db, ada):
            db.execute("update public.preferences set mail_notices = %s", (is_wanted,))
        assert choices(db, ada.user_id) == {"product": is_wanted}
    with acting_as(db, ada):
        db.execute("select public.choose_mail('product', false)")
        assert scalar(db, "select mail_notices from public.preferences") is False


def test_a_notice_is_not_mailed_to_whoever_switched_that_off(db: Connection, ada: Person) -> None:
    with acting_as(db, ada):
        db.execute("select public.choose_mail('product', false)")
    db.execute("select private.notify(%s, 'target_failed', 'post_target', null, null)", (ada.user_id,))
    assert rows(db, "select from private.mails where user_id = %s", ada.user_id) == []


def test_a_changed_password_is_told_in_any_case(db: Connection, ada: Person) -> None:
    db.execute("update auth.users set encrypted_password = '$2a$10$another' where id = %s", (ada.user_id,))
    assert rows(db, "select template_id, category_id from private.mails where user_id = %s", ada.user_id) == [
        ("password_changed", "security")
    ]
