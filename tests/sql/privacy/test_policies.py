"""A change takes effect 14 days after the last mail, not before, and is accepted by use after that (P11.1 to P11.3)."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied, sign_in

T0 = datetime(2027, 2, 20, 12, tzinfo=UTC)  # after every person of these tests was made
DAY = timedelta(days=1)
SUMMARY = "We name the company that hosts our workers."
URL = "https://nexora.example/privacy/2"
ANNOUNCE = "select private.announce_policy(%s, %s, %s, %s)"


@pytest.fixture
def ada(db: Connection) -> Person:
    return create_person(db)


def announce(db: Connection, effective_at: datetime = T0 + 20 * DAY, at: datetime = T0) -> int:
    """Announce a change."""
    return int(scalar(db, ANNOUNCE, URL, SUMMARY, effective_at, at))


def deliver(db: Connection, at: datetime, *, but: uuid.UUID | None = None) -> None:
    """Everything that waits is taken by the provider at `at`."""
    db.execute(
        """select private.settle_mail(m.id, 'sent', null, m.id::text, %s) from private.mails m
           where m.state = 'waiting' and m.template_id = 'policy_change' and m.user_id is distinct from %s""",
        (at, but),
    )


def settle(db: Connection, at: datetime) -> None:
    """The cleanups that concern policies."""
    db.execute("select private.mail_policies(%s), private.settle_policy_mailings(%s)", (at, at))


def version(db: Connection, number: int = 2) -> dict[str, Any]:
    """The row of a version."""
    return dict(scalar(db, "select to_jsonb(v) from public.policy_versions v where version = %s", number))


def in_effect(db: Connection, at: datetime) -> int:
    """The version that holds at an instant."""
    return int(scalar(db, "select private.policy_in_effect(%s)", at))


def effective_at(db: Connection) -> datetime:
    """When version 2 takes effect."""
    found: datetime = scalar(db, "select effective_at from public.policy_versions where version = 2")
    return found


@pytest.mark.parametrize(
    ("ahead", "is_lawful"),
    [
        (14 * DAY - timedelta(hours=1), False),
        (14 * DAY - timedelta(seconds=1), False),
        (14 * DAY, True),
        (40 * DAY, True),
    ],
)
def test_a_change_is_announced_14_days_ahead(
    db: Connection, ada: Person, ahead: timedelta, is_lawful: bool
) -> None:
    if is_lawful:
        assert announce(db, T0 + ahead) == 2
    else:
        with denied(db, "NX931"):
            announce(db, T0 + ahead)


def test_14_days_are_336_hours_whatever_the_zone(db: Connection, ada: Person) -> None:
    """On 28 March 2027 clocks in Europe go forward: a day of 23 hours saves nobody an hour."""
    db.execute("set local time zone 'Europe/Berlin'")
    at = datetime(2027, 3, 20, 12, tzinfo=UTC)
    with denied(db, "NX931"):
        announce(db, at + timedelta(hours=335), at)
    assert announce(db, at + timedelta(hours=336), at) == 2


def test_the_database_itself_refuses_an_earlier_date(db: Connection, ada: Person) -> None:
    with denied(db, "23514"):
        db.execute(
            """insert into public.policy_versions (version, url, summary, announced_at, effective_at)
               values (2, %s, %s, %s, %s)""",
            (URL, SUMMARY, T0, T0 + 14 * DAY - timedelta(seconds=1)),
        )
    announce(db)
    with denied(db, "NX932"):
        db.execute(
            "update public.policy_versions set effective_at = effective_at - interval '1 second' where version = 2"
        )
    with denied(db, "23514"):
        db.execute("update public.policy_versions set last_mailed_at = effective_at where version = 2")
    for change in (
        "summary = 'Something quite different, later on.'",
        "url = 'https://x.example'",
        "announced_at = now()",
    ):
        with denied(db, "NX932"):
            db.execute(f"update public.policy_versions set {change} where version = 2")  # type: ignore[arg-type]
    with denied(db, "NX932"):
        db.execute("delete from public.policy_versions where version = 1")
    with denied(db, "NX932"):
        db.execute("truncate public.policy_versions cascade")


def test_one_change_at_a_time(db: Connection, ada: Person) -> None:
    announce(db)
    with denied(db, "NX930"):
        announce(db)


def test_everybody_is_mailed_in_batches_whatever_they_chose(db: Connection) -> None:
    db.execute("update private.settings set value = '2' where key = 'policy_mail_batch'")
    people = [create_person(db) for _ in range(5)]
    with acting_as(db, people[0]):
        db.execute("select public.choose_mail('product', false)")
    announce(db)
    queued = "select count(*) from private.mails where template_id = 'policy_change'"
    counts = [scalar(db, queued)]
    for _ in range(3):
        settle(db, T0)
        counts.append(scalar(db, queued))
    assert counts == [2, 4, 5, 5]
    assert scalar(
        db, "select fanned_out_at is not null and last_user_id is null from private.policy_mailings"
    )


def test_the_date_follows_the_last_mail(db: Connection, ada: Person) -> None:
    """A mail that fails for days moves the date for everybody."""
    create_person(db)
    announce(db, T0 + 14 * DAY)
    deliver(db, T0 + timedelta(hours=1), but=ada.user_id)
    assert effective_at(db) == T0 + 14 * DAY + timedelta(hours=1)
    settle(db, T0 + 10 * DAY)
    assert effective_at(db) == T0 + 24 * DAY  # one still waits
    assert version(db)["mailed_at"] is None
    assert in_effect(db, T0 + 100 * DAY) == 1
    deliver(db, T0 + 11 * DAY)
    settle(db, T0 + 12 * DAY)
    assert effective_at(db) == T0 + 25 * DAY
    assert in_effect(db, T0 + 25 * DAY - timedelta(seconds=1)) == 1
    assert in_effect(db, T0 + 25 * DAY) == 2


def test_a_worker_that_is_down_puts_the_date_off(db: Connection, ada: Person) -> None:
    announce(db)
    for days in (10, 25):
        settle(db, T0 + days * DAY)
        assert effective_at(db) == T0 + (days + 14) * DAY
    assert in_effect(db, T0 + 60 * DAY) == 1


def test_an_address_that_takes_no_mail_holds_nothing_up(db: Connection, ada: Person) -> None:
    bob = create_person(db)
    announce(db)
    deliver(db, T0, but=bob.user_id)
    db.execute(
        "select private.settle_mail(id, 'failed', 'no_address') from private.mails where user_id = %s",
        (bob.user_id,),
    )
    settle(db, T0 + DAY)
    assert in_effect(db, T0 + 20 * DAY) == 2


def test_once_everybody_was_told_nothing_moves(db: Connection, ada: Person) -> None:
    announce(db)
    deliver(db, T0)
    settle(db, T0 + DAY)
    with denied(db, "NX932"):
        db.execute(
            "update public.policy_versions set effective_at = effective_at + interval '1 day' where version = 2"
        )


def _accepted(db: Connection, person: Person) -> dict[int, str]:
    return dict(
        rows(db, "select version, method from public.policy_acceptances where user_id = %s", person.user_id)
    )


def _use(db: Connection, person: Person, at: datetime) -> bool:
    return bool(scalar(db, "select private.accept_by_use(%s, 'use', %s)", person.user_id, at))


def test_use_during_the_notice_accepts_nothing_and_use_after_it_once(db: Connection, ada: Person) -> None:
    announce(db)
    deliver(db, T0)
    settle(db, T0)
    assert not _use(db, ada, T0 + 20 * DAY - timedelta(seconds=1))
    assert _accepted(db, ada) == {1: "sign_up"}
    assert _use(db, ada, T0 + 20 * DAY)
    assert not _use(db, ada, T0 + 21 * DAY)
    assert _accepted(db, ada) == {1: "sign_up", 2: "use"}
    found = scalar(
        db,
        "select accepted_at from public.policy_acceptances where user_id = %s and version = 2",
        ada.user_id,
    )
    assert found == T0 + 20 * DAY


def _take_effect_in_the_past(db: Connection) -> None:
    db.execute(
        """insert into public.policy_versions
             (version, url, summary, announced_at, effective_at, last_mailed_at, mailed_at)
           values (2, %s, %s, now() - interval '30 days', now() - interval '1 day', now() - interval '20 days',
                   now() - interval '20 days')""",
        (URL, SUMMARY),
    )


def test_signing_in_and_renewing_a_session_are_use(db: Connection, ada: Person) -> None:
    bob = create_person(db)
    _take_effect_in_the_past(db)
    sign_in(db, Person(ada.user_id, uuid.uuid4(), ada.email))
    db.execute("update auth.sessions set refreshed_at = now() where id = %s", (bob.session_id,))
    assert (_accepted(db, ada).get(2), _accepted(db, bob).get(2)) == ("use", "use")


@pytest.mark.parametrize("state", ["locked", "awaiting_guardian"])
def test_whoever_is_closing_the_account_accepts_nothing(db: Connection, ada: Person, state: str) -> None:
    db.execute(
        """update private.accounts set state = %s, locked_at = case when %s = 'locked' then now() end
           where user_id = %s""",
        (state, state, ada.user_id),
    )
    _take_effect_in_the_past(db)
    sign_in(db, Person(ada.user_id, uuid.uuid4(), ada.email))
    assert 2 not in _accepted(db, ada)


def test_signing_up_during_the_notice(db: Connection) -> None:
    """What holds is accepted; the change is told at once, and moves no date."""
    db.execute(
        """insert into public.policy_versions (version, url, summary, announced_at, effective_at)
           values (2, %s, %s, now() - interval '10 days', now() + interval '4 days')""",
        (URL, SUMMARY),
    )
    campaign = scalar(
        db,
        """insert into private.mail_campaigns (template_id, category_id, params, created_at, give_up_at)
           values ('policy_change', 'policy', %s, now() - interval '10 days', now() + interval '9 days')
           returning id""",
        json.dumps({"version": 2}),
    )
    db.execute(
        "insert into private.policy_mailings (version, campaign_id, fanned_out_at) values (2, %s, now())",
        (campaign,),
    )
    before = effective_at(db)
    kim = create_person(db)
    assert _accepted(db, kim) == {1: "sign_up"}
    assert rows(db, "select template_id, campaign_id from private.mails where user_id = %s", kim.user_id) == [
        ("policy_change", None)
    ]
    deliver(db, datetime.now(UTC))
    assert effective_at(db) == before


def test_the_notice_stands_in_the_product_while_a_change_is_pending(db: Connection, ada: Person) -> None:
    announce(db, datetime.now(UTC) + 20 * DAY, datetime.now(UTC))
    with acting_as(db, ada):
        found = rows(
            db, "select version, state, url, summary, accepted_at is not null from public.list_policies()"
        )
        assert len(rows(db, "select from public.policy_versions")) == 2
    assert found[0] == (2, "pending", URL, SUMMARY, False)
    assert found[1][:2] + found[1][4:] == (1, "in_effect", True)


def test_acceptances_are_neither_written_nor_changed_by_people(db: Connection, ada: Person) -> None:
    for statement in ("insert into public.policy_acceptances values (auth.uid(), 1, now(), 'use')",
                      "update public.policy_acceptances set version = 1",
                      "delete from public.policy_acceptances"):  # fmt: skip
        with denied(db, "42501"), acting_as(db, ada):
            db.execute(statement)  # type: ignore[arg-type]
    with denied(db, "NX903"):
        db.execute("update public.policy_acceptances set accepted_at = now()")
    db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert _accepted(db, ada) == {}


def test_only_the_service_announces(db: Connection, ada: Person) -> None:
    call = "select worker.announce_policy(%s, %s, now() + interval '15 days')"
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(call, (URL, SUMMARY))
    with as_worker(db):
        assert scalar(db, call, URL, SUMMARY) == 2
