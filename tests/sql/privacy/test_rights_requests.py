"""P7.7: every use of a right is answered within 30 days, with proof, and one that waits too long raises an alarm."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

import pytest

from tests.sql.privacy.erasing import now
from tests.sql.privacy.erasing import run as run_erasure
from tests.sql.privacy.test_exports import ready
from tests.sql.privacy.test_exports import request as request_export
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied, sign_in

SECOND = timedelta(seconds=1)
DAY = timedelta(hours=24)


def ask(db: Connection, person: Person, kind: str = "access", details: str = "") -> uuid.UUID:
    with acting_as(db, person):
        found: uuid.UUID = scalar(db, "select id from public.request_right(%s, %s)", kind, details)
    return found


def answer(db: Connection, request: uuid.UUID, at: datetime, words: str = "Done.") -> str:
    proof: str = scalar(
        db, "select private.answer_request(%s, 'answered', %s, 'op:1', %s)", request, words, at
    )
    return proof


def state(db: Connection, subject: uuid.UUID) -> str:
    found: str = scalar(db, "select state from private.rights_requests where %s in (id, subject_id)", subject)
    return found


def alarms(db: Connection, request: uuid.UUID) -> list[str]:
    found = rows(
        db, "select last_code from private.dead_letters where subject_id = %s order by died_at", request
    )
    return [code for (code,) in found]


def escalate(db: Connection, at: datetime) -> int:
    count: int = scalar(db, "select private.escalate_requests(%s)", at)
    return count


def test_the_deadline_is_the_databases(db: Connection) -> None:
    person = create_person(db)
    for kind in ("access", "correct", "object", "restrict"):
        request = ask(db, person, kind, "My name is misspelt.")
        assert (
            scalar(db, "select due_at - received_at from private.rights_requests where id = %s", request)
            == 30 * DAY
        )
        assert ask(db, person, kind, "My name is misspelt.") == request, "the same again"
    request = ask(db, person, "access", "Something else.")
    with denied(db, "23514"):
        db.execute(
            "update private.rights_requests set due_at = due_at + interval '1 second' where id = %s",
            (request,),
        )
    with denied(db, "NX903"):
        db.execute("update private.rights_requests set details = 'nothing' where id = %s", (request,))


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-03-15 12:00Z", "2026-04-14 12:00Z"),  # the clocks go forward between
        ("2026-10-10 12:00Z", "2026-11-09 12:00Z"),  # and back
        ("2028-02-10 12:00Z", "2028-03-11 12:00Z"),  # 29 February
        ("2026-12-31 23:59:59Z", "2027-01-30 23:59:59Z"),
    ],
)
def test_thirty_days_are_720_hours_wherever_the_clock_stands(db: Connection, received: str, due: str) -> None:
    db.execute("set local timezone = 'Europe/Berlin'")
    person = create_person(db)
    opening = "select (r).id, (r).due_at from private.open_request(%s, 'access', '', null, %s) r"
    ((request, at),) = rows(db, opening, person.user_id, received)
    assert at == datetime.fromisoformat(due.replace(" ", "T"))
    level = "select private.request_level(%s, %s)"
    for days, expected in ((20, 1), (27, 2), (30, 3)):
        instant = at + (days - 30) * DAY
        assert scalar(db, level, received, instant - timedelta(microseconds=1)) == expected - 1
        assert scalar(db, level, received, instant) == expected
    escalate(db, at - SECOND)
    escalate(db, at)
    assert alarms(db, request) == ["day_27", "overdue"]


@pytest.mark.parametrize(
    ("kind", "details"), [("delete", ""), ("export", ""), ("other", ""), ("access", "x" * 4001)]
)
def test_what_is_no_request_is_refused(db: Connection, kind: str, details: str) -> None:
    with acting_as(db, create_person(db)), denied(db, "NX002"):
        db.execute("select public.request_right(%s, %s)", (kind, details))


def test_nobody_floods_the_service(db: Connection) -> None:
    person = create_person(db)
    for number in range(20):
        ask(db, person, "access", str(number))
    with acting_as(db, person), denied(db, "NX962"):
        db.execute("select public.request_right('access', 'one more')")


def test_alarms_on_both_sides_of_each_instant_and_once(db: Connection) -> None:
    request, at = ask(db, create_person(db)), now(db)
    expected: list[str] = []
    for days, code in ((20, "day_20"), (27, "day_27"), (30, "overdue")):
        assert escalate(db, at + days * DAY - SECOND) == 0
        assert escalate(db, at + days * DAY) == 1
        assert escalate(db, at + days * DAY) == 0, "once"
        expected.append(code)
        assert alarms(db, request) == expected
        ((level, waiting),) = rows(
            db, "select level, waiting from private.count_requests(%s) where waiting > 0", at + days * DAY
        )
        assert (level, waiting) == (len(expected), 1)


def test_alarms_come_also_after_a_time_without_workers(db: Connection) -> None:
    request, at = ask(db, create_person(db)), now(db)
    late = ask(db, create_person(db), "correct")
    answer(db, late, at + 29 * DAY)
    assert escalate(db, at + 45 * DAY) == 1
    assert alarms(db, request) == ["overdue"], "the one that matters, at the first chance"
    assert alarms(db, late) == [], "answered in time"


def test_an_answer_reaches_its_person_with_its_proof(db: Connection) -> None:
    person, stranger = create_person(db), create_person(db)
    request = ask(db, person, "correct", "My name.")
    with as_worker(db):
        ((listed, details, level),) = rows(db, "select id, details, level from worker.list_requests()")
        assert (listed, details, level) == (request, "My name.", 0)
        answering = "select worker.answer_request(%s, %s, %s, %s)"
        for arguments in (
            (request, "open", "Again.", "op:1"),
            (request, "answered", "  ", "op:1"),
            (request, "answered", "Again.", "service"),
            (request, "answered", "Again.", None),
        ):
            with denied(db, "NX002"):
                db.execute(answering, arguments)
        with denied(db, "NX960"):
            db.execute(answering, (uuid.uuid4(), "answered", "Again.", "op:1"))
        proof = scalar(db, answering, request, "refused", "It is right as it is.", "op:1")
        with denied(db, "NX961"):
            db.execute(answering, (request, "answered", "Again.", "op:1"))
    with acting_as(db, person):
        ((outcome, words, shown, closed),) = rows(
            db,
            """select state, answer, answer_hash, to_char(closed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
               from public.my_requests()""",
        )
    assert (outcome, words, shown) == ("refused", "It is right as it is.", proof)
    text = f"{request}|refused|{closed}|It is right as it is."
    assert hashlib.sha256(text.encode()).hexdigest() == proof
    assert (
        scalar(db, "select kind from public.notifications where user_id = %s", person.user_id)
        == "right_answered"
    )
    assert (
        scalar(db, "select template_id from private.mails where user_id = %s", person.user_id)
        == "right_answered"
    )
    with denied(db, "NX903"):
        db.execute("update private.rights_requests set answer = 'Never mind.' where id = %s", (request,))
    with acting_as(db, stranger):
        assert rows(db, "select 1 from public.my_requests()") == []
        with denied(db, "NX960"):
            db.execute("select public.withdraw_request(%s)", (request,))


def test_a_person_takes_a_request_back(db: Connection) -> None:
    person = create_person(db)
    request = ask(db, person)
    with acting_as(db, person):
        assert scalar(db, "select state from public.withdraw_request(%s)", request) == "withdrawn"
        with denied(db, "NX961"):
            db.execute("select public.withdraw_request(%s)", (request,))


def test_objecting_switches_everything_off_at_once(db: Connection) -> None:
    """P7.5: and what it says in words waits for somebody."""
    person = create_person(db)
    with acting_as(db, person):
        db.execute("select public.give_consent('marketing', 1)")
        ((first, outcome, words),) = rows(db, "select id, state, answer from public.request_right('object')")
        assert (outcome, words) == ("answered", "Switched off: marketing, product_improvement.")
        allowed = rows(db, "select id from public.list_purposes() where may_be_refused and is_allowed")
        assert allowed == []
        assert scalar(db, "select id from public.request_right('object')") == first, "nothing was left to do"
        assert scalar(db, "select state from public.request_right('object', 'And my sign-ins?')") == "open"
        db.execute("update public.preferences set product_analytics = true")
        again = rows(db, "select id, answer from public.request_right('object')")[0]
    assert again[0] != first
    assert again[1] == "Switched off: product_improvement."
    methods = rows(
        db, "select distinct method from public.consents where user_id = %s and not is_given", person.user_id
    )
    assert methods == [("rights_request",)]


def test_what_came_by_mail_has_its_time_from_the_mail(db: Connection) -> None:
    person, at = create_person(db), now(db)
    record = "select worker.record_request(%s, %s, %s, %s, 'op:1')"
    with as_worker(db):
        request = scalar(db, record, person.user_id, "access", "What do you hold?", at - 19 * DAY)
        assert scalar(db, record, person.user_id, "access", "What do you hold?", at) == request, (
            "the same mail"
        )
        scalar(db, record, person.user_id, "object", "", at)
        for arguments in (
            (person.user_id, "access", "", at + SECOND),
            (person.user_id, "access", "", at - 30 * DAY - SECOND),
            (person.user_id, "other", "", at),
            (uuid.uuid4(), "access", "", at),
        ):
            with denied(db, "NX002"):
                db.execute(record, arguments)
    assert escalate(db, at + DAY - SECOND) == 0
    assert escalate(db, at + DAY) == 1
    assert not scalar(db, "select private.may_process(%s, 'product_improvement')", person.user_id)


def test_an_export_is_a_request_that_its_archive_answers(db: Connection) -> None:
    person = create_person(db)
    export, _ = ready(db, person)
    with acting_as(db, person):
        ((kind, outcome, words, subject),) = rows(
            db, "select kind, state, answer, subject_id from public.my_requests()"
        )
    assert (kind, outcome, subject) == ("export", "answered", export)
    assert words.endswith("a" * 64)


def test_an_export_that_fails_stays_open_for_the_next_one(db: Connection) -> None:
    """The deadline runs from the first."""
    person, at = create_person(db), now(db)
    mailed = scalar(
        db, "select private.record_request(%s, 'export', '', %s, 'op:1')", person.user_id, at - 9 * DAY
    )
    failed = request_export(db, person)
    assert scalar(db, "select subject_id from private.rights_requests where id = %s", mailed) == failed
    db.execute("select private.fail_export(%s, 'x', now())", (failed,))
    assert state(db, failed) == "open"
    again = request_export(db, person)
    assert rows(
        db, "select id, subject_id, due_at from private.rights_requests where user_id = %s", person.user_id
    ) == [(mailed, again, at + 21 * DAY)]
    with acting_as(db, person):
        db.execute("select public.cancel_export(%s)", (again,))
        with denied(db, "NX961"):
            db.execute("select public.withdraw_request(%s)", (mailed,))
    assert state(db, again) == "withdrawn"


def test_a_deletion_is_a_request_and_goes_with_its_person(db: Connection) -> None:
    person, at = create_person(db), now(db)
    with acting_as(db, person):
        first = scalar(db, "select id from public.request_erasure()")
    assert (
        scalar(db, "select due_at from private.rights_requests where subject_id = %s", first) == at + 30 * DAY
    )
    sign_in(db, person)
    with acting_as(db, person):
        db.execute("select public.cancel_erasure()")
        assert rows(db, "select kind, state from public.my_requests()") == [("delete", "withdrawn")]
        second = scalar(db, "select id from public.request_erasure()")
    assert run_erasure(db, second, at + 7 * DAY) == "completed"
    assert rows(db, "select 1 from private.rights_requests where user_id = %s", person.user_id) == []
    ((asked, ended, due),) = rows(
        db, "select requested_at, ended_at, due_at from private.erasures where id = %s", second
    )
    assert asked < ended <= due, "the proof that is left"


def test_an_erasure_that_nobody_asked_for_is_no_request(db: Connection) -> None:
    child = create_person(db)
    db.execute("select private.begin_erasure(%s, interval '0', now())", (child.user_id,))
    assert rows(db, "select 1 from private.rights_requests where user_id = %s", child.user_id) == []


def test_rights_hold_in_every_state_of_the_account(db: Connection) -> None:
    person = create_person(db, birth_date=None)
    ask(db, person)
    db.execute("delete from auth.sessions where id = %s", (person.session_id,))
    with acting_as(db, person), denied(db, "NX001"):
        db.execute("select public.my_requests()")


def test_the_proof_is_kept_for_three_years(db: Connection) -> None:
    request, at = ask(db, create_person(db)), now(db)
    held = ask(db, person := create_person(db))
    answer(db, request, at)
    answer(db, held, at)
    db.execute("insert into private.held_people values (%s)", (person.user_id,))
    term = scalar(db, "select now() + interval '3 years'")
    forget = "select private.forget_requests(%s)"
    assert scalar(db, forget, term) == 0
    assert scalar(db, forget, term + SECOND) == 1
    assert state(db, held) == "answered"
