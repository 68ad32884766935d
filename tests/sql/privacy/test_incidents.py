"""Everybody affected by a breach is mailed within 72 hours, across an outage of the provider, provably (P3.10)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from tests.sql.messaging.making import claim, new_worker, tell
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied
from workers import http
from workers.gateway import ClaimedMail, MailResult
from workers.jobs.mail import run_mails
from workers.mail.letters import Places
from workers.mail.resend import ResendSender
from workers.sandbox import Sandbox
from workers.settings import MailAccount

AWARE = datetime(2027, 3, 26, 20, tzinfo=UTC)  # clocks in Europe change within the 72 hours
HOUR = timedelta(hours=1)
WORDS = (
    "Addresses were exposed",
    "For two hours, addresses were shown to others.",
    "your address",
    "the mistake is mended",
    "beware of mails that ask for a password",
)
ALL = "select id from auth.users"


def _open(db: Connection, at: datetime = AWARE + HOUR) -> UUID:
    return UUID(
        str(scalar(db, "select private.open_incident(%s, %s, %s, %s, %s, %s, %s)", AWARE, *WORDS, at))
    )


def _freeze(db: Connection, incident: UUID, query: str = ALL, at: datetime = AWARE + 2 * HOUR) -> int:
    return int(scalar(db, "select private.freeze_affected(%s, %s, %s)", incident, query, at))


def _alarms(db: Connection) -> list[str]:
    return [
        code
        for (code,) in rows(
            db, "select last_code from private.dead_letters where lane = 'incident' order by died_at"
        )
    ]


@pytest.fixture
def people(db: Connection) -> list[Person]:
    """Three, of whom one wants no mail at all."""
    found = [create_person(db) for _ in range(3)]
    with acting_as(db, found[0]):
        db.execute("select public.choose_mail('product', false), public.withdraw_consent('marketing')")
    return found


def test_the_clock_starts_with_awareness_and_never_moves(db: Connection, people: list[Person]) -> None:
    db.execute("set local time zone 'Europe/Berlin'")
    incident = _open(db)
    assert scalar(db, "select notify_by from private.incidents") == AWARE + 72 * HOUR
    for change in ("aware_at = aware_at + interval '1 hour', notify_by = notify_by + interval '1 hour'",
                   "notify_by = notify_by + interval '1 second'", "opened_at = now()"):  # fmt: skip
        with denied(db, "NX951"):
            db.execute(f"update private.incidents set {change} where id = %s", (incident,))  # type: ignore[arg-type]
    for statement in ("delete from private.incidents", "truncate private.incidents cascade"):
        with denied(db, "NX951"):
            db.execute(statement)  # type: ignore[arg-type]
    with denied(db, "23514"):
        db.execute(
            """insert into private.incidents (aware_at, notify_by, opened_at, title, happened, affected, doing, advice)
               values (%s, %s, %s, %s, %s, %s, %s, %s)""",
            (AWARE, AWARE + 73 * HOUR, AWARE, *WORDS),
        )


def test_nobody_is_aware_in_the_future(db: Connection) -> None:
    with denied(db, "NX002"):
        _open(db, AWARE - HOUR)


def test_the_affected_are_frozen(db: Connection, people: list[Person]) -> None:
    incident = _open(db)
    query = f"select id from auth.users where id <> '{people[2].user_id}'"
    assert _freeze(db, incident, query) == 2
    with denied(db, "NX952"):
        _freeze(db, incident)
    late = create_person(db)
    with denied(db, "NX951"):
        db.execute(
            "insert into private.incident_recipients (incident_id, user_id) values (%s, %s)",
            (incident, late.user_id),
        )
    for statement in ("delete from private.incident_recipients", "truncate private.incident_recipients",
                      "update private.incident_recipients set user_id = gen_random_uuid()",
                      "update private.incidents set title = 'Another title'",
                      "update private.incident_events set at = now()",
                      "delete from private.incident_events"):  # fmt: skip
        with denied(db, "NX951"):
            db.execute(statement)  # type: ignore[arg-type]
    found = {row[0] for row in rows(db, "select user_id from private.incident_recipients")}
    assert found == {people[0].user_id, people[1].user_id}


def test_an_unknown_incident(db: Connection) -> None:
    unknown = UUID(int=1)
    for call in (
        "freeze_affected(%s, 'select id from auth.users')",
        "record_authority_notice(%s, 'A-1')",
        "report_incident(%s)",
    ):
        with denied(db, "NX950"):
            db.execute(f"select private.{call}", (unknown,))  # type: ignore[arg-type]


def test_the_mail_goes_to_whoever_wants_none(db: Connection, people: list[Person]) -> None:
    _freeze(db, _open(db))
    at = (AWARE + 2 * HOUR).isoformat()
    claimed = claim(db, new_worker(db, at), at, 100)
    assert {one["address"] for one in claimed} == {person.email for person in people}
    assert {(one["template_id"], one["category_id"], one["unsubscribe_token"]) for one in claimed} == {
        ("incident", "security", None)
    }
    assert claimed[0]["params"]["happened"] == WORDS[1]


class ClockGateway:
    """The gateway's part of sending, with the time as a parameter."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self.at = AWARE

    async def claim_mails(self, worker_id: UUID, limit: int) -> list[ClaimedMail]:
        return [ClaimedMail(**row) for row in claim(self._db, worker_id, self.at.isoformat(), limit)]

    async def report_mails(self, worker_id: UUID, results: Sequence[MailResult]) -> None:
        documents = [{**asdict(result), "mail_id": str(result.mail_id)} for result in results]
        self._db.execute(
            "select private.report_mails(%s, %s, %s)", (worker_id, json.dumps(documents), self.at)
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        running.control.set_limits(resend=1000)
        yield running


@pytest.mark.anyio
async def test_an_outage_of_60_hours_is_survived(
    db: Connection, people: list[Person], sandbox: Sandbox
) -> None:
    """Every kind of trouble in turn, the message taken without an answer among them; nobody gets two."""
    incident, gateway = _open(db), ClockGateway(db)
    gateway.at = AWARE + 2 * HOUR
    worker = new_worker(db, gateway.at.isoformat())
    account = MailAccount(
        SecretStr(f"re_{sandbox.secret}"), None, f"{sandbox.url}/resend", "N <n@nexora.example>", 1e6
    )
    _freeze(db, incident)
    async with http.build_client(http.PLATFORM) as client:
        sender = ResendSender(client, account)
        while gateway.at < AWARE + 72 * HOUR:
            is_out = gateway.at < AWARE + 62 * HOUR
            kinds = ("status", "reset_before", "rate_limit", "malformed", "reset_after") if is_out else ()
            sandbox.control.clear_faults()
            hour = int((gateway.at - AWARE) / HOUR)
            for kind in kinds[:3] if hour < 61 else kinds:
                sandbox.control.add_fault(kind, platform="resend", times=1)
            db.execute("update private.workers set heartbeat_at = %s where id = %s", (gateway.at, worker))
            await run_mails(gateway, sender, Places("https://w.example"), worker, 3 if is_out else 100)
            db.execute(
                "select private.watch_incidents(%s), private.give_up_mails(%s)", (gateway.at, gateway.at)
            )
            gateway.at += HOUR
    proof = rows(db, "select sent_at, provider_id, failed_code from private.incident_recipients")
    assert len(proof) == len(people)
    assert all(
        sent_at <= AWARE + 72 * HOUR and provider_id and not code for sent_at, provider_id, code in proof
    )
    assert sorted(mail.to[0] for mail in sandbox.control.mails()) == sorted(person.email for person in people)
    assert _alarms(db) == ["deadline_near"]


def test_an_alarm_comes_before_the_deadline_and_another_with_it(db: Connection, people: list[Person]) -> None:
    incident = _open(db)
    watch = "select private.watch_incidents(%s)"
    for at, alarms in (
        (AWARE + 48 * HOUR - timedelta(seconds=1), []),
        (AWARE + 48 * HOUR, ["deadline_near"]),
        (AWARE + 71 * HOUR, ["deadline_near"]),
        (AWARE + 72 * HOUR, ["deadline_near", "deadline_missed"]),
        (AWARE + 99 * HOUR, ["deadline_near", "deadline_missed"]),
    ):
        db.execute(watch, (at,))
        assert _alarms(db) == alarms
    events = [event for _, event, _ in rows(db, "select * from private.report_incident(%s)", incident)]
    assert events == ["became_aware", "opened", "deadline_near", "deadline_missed"]


def _all_sent(db: Connection, at: datetime) -> None:
    db.execute(
        """select private.settle_mail(m.id, 'sent', null, 're-' || m.id, %s) from private.mails m
           where m.template_id = 'incident'""",
        (at,),
    )


def test_no_alarm_when_everybody_and_the_authority_was_told(db: Connection, people: list[Person]) -> None:
    incident = _open(db)
    _freeze(db, incident)
    _all_sent(db, AWARE + 3 * HOUR)
    for _ in range(2):
        db.execute(
            "select private.record_authority_notice(%s, 'LfDI-2027/17', %s)", (incident, AWARE + 4 * HOUR)
        )
    with denied(db, "NX951"):
        db.execute("update private.incidents set authority_told_at = now()")
    db.execute("select private.watch_incidents(%s)", (AWARE + 90 * HOUR,))
    assert _alarms(db) == []


def test_the_timeline_for_the_authority(db: Connection, people: list[Person]) -> None:
    incident = _open(db)
    _freeze(db, incident)
    _all_sent(db, AWARE + 3 * HOUR)
    mail = scalar(db, "select mail_id from private.incident_recipients limit 1")
    assert tell(db, mail, "delivered")
    with as_worker(db):
        db.execute("select worker.record_authority_notice(%s, 'LfDI-2027/17')", (incident,))
        found = rows(db, "select event, people from worker.report_incident(%s)", incident)
    assert set(found) == {
        ("became_aware", None),
        ("opened", None),
        ("affected_frozen", 3),
        ("authority_told", None),
        ("first_mail_sent", None),
        ("last_mail_sent", 3),
        ("last_mail_delivered", 1),
    }


def test_the_proof_outlives_person_and_send_log_and_names_nobody(
    db: Connection, people: list[Person]
) -> None:
    _freeze(db, _open(db))
    _all_sent(db, AWARE + 3 * HOUR)
    db.execute("delete from auth.users where id = %s", (people[0].user_id,))
    db.execute("select private.forget_mails('2029-01-01T00:00:00Z')")
    found: list[tuple[Any, ...]] = rows(
        db, "select user_id, sent_at, provider_id from private.incident_recipients"
    )
    assert len(found) == 3
    assert {row[0] for row in found} == {None, people[1].user_id, people[2].user_id}
    assert all(sent_at == AWARE + 3 * HOUR and provider_id for _, sent_at, provider_id in found)


def test_only_the_service_opens_and_only_a_dba_freezes(db: Connection, people: list[Person]) -> None:
    call = "select worker.open_incident(now(), %s, %s, %s, %s, %s)"
    with denied(db, "42501"), acting_as(db, people[0]):
        db.execute(call, WORDS)
    with as_worker(db):
        incident = scalar(db, call, *WORDS)
    with denied(db, "42501"), as_worker(db):
        db.execute("select private.freeze_affected(%s, %s)", (incident, ALL))
