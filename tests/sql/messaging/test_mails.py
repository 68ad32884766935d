"""A mail goes once, to who wants it, is tried for days, and keeps neither address nor words (P3.10, P4.3)."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.messaging.making import T0, beat, claim, mail, new_worker, queue_mail, report, send
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

DAY_1, DAY_2, DAY_3 = "2026-03-02T12:00:00Z", "2026-03-03T12:00:00Z", "2026-03-04T12:00:01Z"


@pytest.fixture
def ada(db: Connection) -> Person:
    person = create_person(db)
    db.execute("update public.profiles set display_name = 'Ada' where user_id = %s", (person.user_id,))
    return person


def test_a_claim_brings_all_that_sending_needs(db: Connection, ada: Person) -> None:
    worker, mail_id = new_worker(db), queue_mail(db, ada.user_id, kind="target_failed")
    (claimed,) = claim(db, worker)
    token = claimed.pop("unsubscribe_token")
    assert len(token) == 64
    assert claimed == {
        "mail_id": mail_id,
        "attempt": 1,
        "category_id": "product",
        "template_id": "notice",
        "params": {"kind": "target_failed"},
        "address": ada.email,
        "display_name": "Ada",
    }
    assert claim(db, worker) == []


def test_a_mandatory_mail_has_no_unsubscribe_link(db: Connection, ada: Person) -> None:
    queue_mail(db, ada.user_id, "password_changed")
    assert [one["unsubscribe_token"] for one in claim(db, new_worker(db))] == [None]


def test_the_address_is_not_kept(db: Connection, ada: Person) -> None:
    """P4.3: looked up for the message in question; no row holds it before or after."""
    mail_id = send(db, ada.user_id)
    row = mail(db, mail_id)
    assert (row["state"], row["provider_id"], row["address"], row["params"], row["unsubscribe_token"]) == (
        "sent", f"re-{mail_id}", None, {}, None,
    )  # fmt: skip
    assert ada.email not in str(row)
    assert row["unsubscribe_hash"] is not None
    assert scalar(db, "select count(*) from private.queue where lane ~ '^mail'") == 0


def test_a_stranger_s_address_goes_with_the_message(db: Connection) -> None:
    to = "select private.queue_mail_to('guardian@example.org', 'erasure_completed', '{}', 'once', null, %s)"
    mail_id, worker = scalar(db, to, T0), new_worker(db)
    (claimed,) = claim(db, worker)
    assert (claimed["address"], claimed["display_name"]) == ("guardian@example.org", None)
    report(db, worker, claimed, "sent", provider_id="re-1")
    assert mail(db, mail_id)["address"] is None
    with denied(db, "23514"):
        db.execute("update private.mails set address = 'guardian@example.org' where id = %s", (mail_id,))


def test_a_dedupe_key_is_queued_once(db: Connection, ada: Person) -> None:
    query = "select private.queue_mail(%s, 'notice', '{}', 'the-same', %s)"
    first, again = (scalar(db, query, ada.user_id, T0) for _ in range(2))
    assert first == again
    send(db, ada.user_id)
    assert scalar(db, query, ada.user_id, T0) == first


@pytest.mark.parametrize("key", ["ada@example.org", "a b", "", "x"])
def test_a_dedupe_key_holds_no_address(db: Connection, ada: Person, key: str) -> None:
    with denied(db, "23514"):
        db.execute("select private.queue_mail(%s, 'notice', '{}', %s, %s)", (ada.user_id, key, T0))


def test_an_unknown_template_is_refused(db: Connection, ada: Person) -> None:
    with denied(db, "23502"):
        queue_mail(db, ada.user_id, "gossip")


def test_what_was_switched_off_meanwhile_is_skipped(db: Connection, ada: Person) -> None:
    mail_id = queue_mail(db, ada.user_id)
    kept = queue_mail(db, ada.user_id, "password_changed")
    with acting_as(db, ada):
        db.execute("select public.choose_mail('product', false)")
    assert [one["mail_id"] for one in claim(db, new_worker(db))] == [kept]
    row = mail(db, mail_id)
    assert (row["state"], row["last_code"], row["sent_at"]) == ("skipped", "switched_off", None)
    assert scalar(db, "select count(*) from private.dead_letters") == 0


def test_a_person_without_address_is_an_alarm(db: Connection, ada: Person) -> None:
    mail_id = queue_mail(db, ada.user_id, "password_changed")
    db.execute("update auth.users set email = null where id = %s", (ada.user_id,))
    assert claim(db, new_worker(db)) == []
    assert (mail(db, mail_id)["state"], mail(db, mail_id)["last_code"]) == ("failed", "no_address")
    assert rows(db, "select lane, subject_id, last_code from private.dead_letters") == [
        ("mail", mail_id, "no_address")
    ]


def test_a_retry_comes_within_the_hour_or_when_the_provider_allows(db: Connection, ada: Person) -> None:
    worker, mail_id = new_worker(db), queue_mail(db, ada.user_id)
    (claimed,) = claim(db, worker)
    assert report(db, worker, claimed, "retry", code="rate_limit_exceeded", retry_after_seconds=7200) == 1
    assert mail(db, mail_id)["last_code"] == "rate_limit_exceeded"
    beat(db, worker, "2026-03-01T14:00:00Z")
    assert claim(db, worker, "2026-03-01T13:59:59Z") == []
    (again,) = claim(db, worker, "2026-03-01T14:00:00Z")
    assert (again["mail_id"], again["attempt"], again["unsubscribe_token"]) == (
        mail_id, 2, claimed["unsubscribe_token"],
    )  # fmt: skip
    report(db, worker, again, "retry", "2026-03-01T14:00:00Z", code="no_answer")
    due = scalar(db, "select private.next_mail_due() <= '2026-03-01T15:00:00Z'")
    assert due


def test_retries_end_with_an_alarm_when_the_time_is_over(db: Connection, ada: Person) -> None:
    """Bounded by time: 2 days for a notice."""
    worker, mail_id = new_worker(db), queue_mail(db, ada.user_id)
    for at in (T0, DAY_1, DAY_2):
        beat(db, worker, at)
        for claimed in claim(db, worker, at):
            report(db, worker, claimed, "retry", at, code="unavailable")
    row = mail(db, mail_id)
    assert (row["state"], row["attempts"], row["last_code"]) == ("failed", 2, "unavailable")
    assert (
        scalar(db, "select last_code from private.dead_letters where subject_id = %s", mail_id)
        == "unavailable"
    )


def test_without_any_worker_the_time_ends_as_well(db: Connection, ada: Person) -> None:
    mail_id = queue_mail(db, ada.user_id)
    assert scalar(db, "select private.give_up_mails('2026-03-03T11:59:59Z')") == 0
    assert scalar(db, "select private.give_up_mails('2026-03-03T12:00:00Z')") == 1
    assert mail(db, mail_id)["state"] == "failed"
    assert claim(db, new_worker(db, DAY_3), DAY_3) == []


def test_a_refusal_is_final(db: Connection, ada: Person) -> None:
    worker, mail_id = new_worker(db), queue_mail(db, ada.user_id)
    (claimed,) = claim(db, worker)
    assert report(db, worker, claimed, "refused", code="validation_error") == 1
    assert (mail(db, mail_id)["state"], mail(db, mail_id)["last_code"]) == ("failed", "validation_error")


def test_late_reports_are_fenced_but_a_sent_mail_is_sent(db: Connection, ada: Person) -> None:
    """The provider's id is proof, whoever brings it; nobody sends the mail again."""
    old, new = new_worker(db), new_worker(db)
    mail_id = queue_mail(db, ada.user_id)
    (claimed,) = claim(db, old)
    db.execute("select private.stop_worker(%s, %s)", (old, T0))
    (again,) = claim(db, new)
    assert again["attempt"] == 2
    assert report(db, old, claimed, "retry", code="no_answer") == 0
    assert report(db, old, claimed, "refused", code="x") == 0
    assert report(db, old, claimed, "sent", provider_id="re-1") == 1
    assert report(db, new, again, "sent", provider_id="re-1") == 0
    assert scalar(db, "select count(*) from private.queue where subject_id = %s", mail_id) == 0


def test_bulk_never_delays_a_single_mail(db: Connection, ada: Person) -> None:
    campaign = scalar(
        db,
        """insert into private.mail_campaigns (template_id, category_id, params, created_at, give_up_at)
           values ('policy_change', 'policy', '{"version": 2}', %s, %s) returning id""",
        T0, DAY_2,
    )  # fmt: skip
    people = [ada.user_id, *(create_person(db).user_id for _ in range(3))]
    for expected in (4, 0):
        assert scalar(db, "select private.queue_campaign(%s, %s, %s)", campaign, people, T0) == expected
    urgent = queue_mail(db, ada.user_id, "password_changed", "2026-03-01T12:00:05Z")
    worker = new_worker(db, "2026-03-01T12:00:05Z")
    claimed = claim(db, worker, "2026-03-01T12:00:05Z", limit=2)
    assert {one["mail_id"] for one in claimed} >= {urgent}
    assert [one["params"] for one in claimed if one["mail_id"] != urgent] == [{"version": 2}]


def test_a_campaign_cannot_be_optional(db: Connection, ada: Person) -> None:
    """What goes to everybody without asking is essential."""
    campaign = scalar(
        db,
        """insert into private.mail_campaigns (template_id, category_id, created_at, give_up_at)
           values ('notice', 'product', %s, %s) returning id""",
        T0, DAY_2,
    )  # fmt: skip
    assert scalar(db, "select private.queue_campaign(%s, %s, %s)", campaign, [ada.user_id], T0) == 0


def test_mails_go_with_the_person(db: Connection, ada: Person) -> None:
    sent, waiting = send(db, ada.user_id), queue_mail(db, ada.user_id)
    db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert rows(db, "select id from private.mails where id in (%s, %s)", sent, waiting) == []
    assert scalar(db, "select count(*) from private.queue where subject_id = %s", waiting) == 0
    assert claim(db, new_worker(db)) == []


def test_the_log_is_kept_for_13_months(db: Connection, ada: Person) -> None:
    mail_id = send(db, ada.user_id)
    assert scalar(db, "select private.forget_mails('2027-04-01T12:00:00Z')") == 0
    assert scalar(db, "select private.forget_mails('2027-04-01T12:00:01Z')") == 1
    assert rows(db, "select from private.mails where id = %s", mail_id) == []


def test_nobody_but_a_worker_claims(db: Connection, ada: Person) -> None:
    for call in (
        "claim_mails(gen_random_uuid(), 1)",
        "report_mails(gen_random_uuid(), '[]')",
        "next_mail_due()",
    ):
        with denied(db, "42501"), acting_as(db, ada):
            db.execute(f"select worker.{call}")  # type: ignore[arg-type]
        with as_worker(db):
            db.execute(f"select worker.{call}")  # type: ignore[arg-type]
    with denied(db, "NX002"), as_worker(db):
        db.execute("select worker.report_mails(gen_random_uuid(), '{}')")
    for table in ("mails", "mail_campaigns", "mail_events", "mail_suppressions"):
        with denied(db, "42501"), as_worker(db):
            db.execute(f"select from private.{table}")  # type: ignore[arg-type]


def test_an_unknown_worker_gets_nothing(db: Connection, ada: Person) -> None:
    queue_mail(db, ada.user_id)
    assert claim(db, uuid.uuid4()) == []
