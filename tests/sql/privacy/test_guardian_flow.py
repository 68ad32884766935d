"""A minor asks, the guardian answers by one-time links, and a child under 13 is erased (P9.1, P9.2)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from tests.sql.messaging.making import claim, mail, new_worker, report
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

NOW = datetime.now(UTC)
GUARDIAN = "parent@family.example"
ASK = "select public.request_guardian_consent('Alex Parent', %s)"


def _birthday(years: int) -> str:
    return NOW.date().replace(year=NOW.year - years, day=min(NOW.day, 28)).isoformat()


@pytest.fixture
def kim(db: Connection) -> Person:
    person = create_person(db, birth_date=_birthday(15))
    db.execute("update public.profiles set display_name = 'Kim' where user_id = %s", (person.user_id,))
    return person


def ask(db: Connection, person: Person) -> None:
    """The person asks a guardian."""
    with acting_as(db, person):
        db.execute(ASK, (GUARDIAN,))


def links(db: Connection, person: Person) -> tuple[str, str]:
    """Hashes of the links in the newest mail: to consent, and to take it back."""
    params = scalar(
        db,
        """select m.params from private.mails m join private.guardian_consents c on m.dedupe_key = 'guardian:' || c.id
           where c.user_id = %s and c.token_hash is not null and c.confirmed_at is null""",
        person.user_id,
    )
    confirm, revoke = (
        hashlib.sha256(params[f"{n}_token"].encode()).hexdigest() for n in ("confirm", "revoke")
    )
    return confirm, revoke


def state(db: Connection, person: Person) -> str:
    """State of the account."""
    return str(scalar(db, "select state from private.accounts where user_id = %s", person.user_id))


def confirm(db: Connection, link: str, at: datetime = NOW) -> str:
    """The guardian presses the button."""
    return str(scalar(db, "select private.confirm_guardian_request(%s, %s)", link, at))


def withdraw(db: Connection, link: str) -> str:
    """The guardian takes it back."""
    return str(scalar(db, "select private.withdraw_guardian_consent(%s)", link))


def test_the_guardian_is_mailed_and_the_address_is_not_kept(db: Connection, kim: Person) -> None:
    ask(db, kim)
    at = (NOW + timedelta(hours=1)).isoformat()
    worker = new_worker(db, at)
    (claimed,) = claim(db, worker, at)
    assert (claimed["address"], claimed["display_name"], claimed["template_id"]) == (
        GUARDIAN,
        None,
        "guardian_request",
    )
    assert claimed["params"]["child"] == "Kim"
    report(db, worker, claimed, "sent", at, provider_id="re-1")
    row = mail(db, claimed["mail_id"])
    assert (row["address"], row["params"]) == (None, {})
    found = scalar(
        db, "select guardian_email_hash from private.guardian_consents where user_id = %s", kim.user_id
    )
    assert found == hashlib.sha256(GUARDIAN.encode()).hexdigest()


def test_consent_opens_the_account_once(db: Connection, kim: Person) -> None:
    ask(db, kim)
    link, _ = links(db, kim)
    with as_worker(db):
        assert rows(db, "select * from worker.find_guardian_request(%s)", link) == [
            ("Kim", "Alex Parent", "open")
        ]
    assert state(db, kim) == "awaiting_guardian"  # looking is not consenting
    with as_worker(db):
        assert scalar(db, "select worker.confirm_guardian_request(%s)", link) == "given"
        assert scalar(db, "select worker.confirm_guardian_request(%s)", link) == "given"
    assert state(db, kim) == "active"
    assert rows(db, "select method, evidence like 'guardian:%%' from private.guardian_consents where user_id = %s",
                kim.user_id) == [("mailed_link", True)]  # fmt: skip
    with acting_as(db, kim):
        assert rows(db, "select kind from public.notifications") == [("guardian_consented",)]
    with denied(db, "NX114"):
        ask(db, kim)


@pytest.mark.parametrize(
    ("lived", "is_valid"),
    [(timedelta(days=7) - timedelta(minutes=1), True), (timedelta(days=7, minutes=1), False)],
)
def test_a_link_lives_for_seven_days(db: Connection, kim: Person, lived: timedelta, is_valid: bool) -> None:
    ask(db, kim)
    link, _ = links(db, kim)
    at = datetime.now(UTC) + lived  # asked for a moment ago, by the clock of the database
    if is_valid:
        assert confirm(db, link, at) == "given"
        return
    with denied(db, "NX942"):
        confirm(db, link, at)
    with denied(db, "NX942"):
        db.execute("select private.find_guardian_request(%s, %s)", (link, at))
    assert state(db, kim) == "awaiting_guardian"


def test_taking_it_back_closes_the_account_at_once(db: Connection, kim: Person) -> None:
    ask(db, kim)
    link, back = links(db, kim)
    confirm(db, link)
    for _ in range(2):
        assert withdraw(db, back) == "withdrawn"
        assert state(db, kim) == "awaiting_guardian"
    with denied(db, "NX942"):  # the old link does not consent again
        confirm(db, link)
    with acting_as(db, kim):
        assert rows(db, "select * from public.notifications") == []
    ask(db, kim)
    assert confirm(db, links(db, kim)[0]) == "given"


def test_declining_ends_the_link(db: Connection, kim: Person) -> None:
    ask(db, kim)
    link, back = links(db, kim)
    assert withdraw(db, back) == "declined"
    with denied(db, "NX942"):
        confirm(db, link)


def test_a_new_request_makes_the_link_before_it_worthless(db: Connection, kim: Person) -> None:
    ask(db, kim)
    old, old_back = links(db, kim)
    ask(db, kim)
    for call in (confirm, withdraw):
        with denied(db, "NX942"):
            call(db, old if call is confirm else old_back)
    assert confirm(db, links(db, kim)[0]) == "given"


def test_the_links_are_not_interchangeable(db: Connection, kim: Person) -> None:
    ask(db, kim)
    link, back = links(db, kim)
    with denied(db, "NX942"):
        confirm(db, back)
    with denied(db, "NX942"):
        withdraw(db, link)
    with denied(db, "NX942"):
        confirm(db, "0" * 64)


def test_three_requests_a_day(db: Connection, kim: Person) -> None:
    for _ in range(3):
        ask(db, kim)
    with denied(db, "NX941"):
        ask(db, kim)


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b", "a b@c.example", "a@b.example,c@d.example", "<a@b.example>"]
)
def test_an_address_must_be_one(db: Connection, kim: Person, address: str) -> None:
    with denied(db, "NX002"), acting_as(db, kim):
        db.execute(ASK, (address,))


def test_nobody_consents_for_themselves(db: Connection, kim: Person) -> None:
    with denied(db, "NX940"), acting_as(db, kim):
        db.execute(ASK, (kim.email.upper(),))


@pytest.mark.parametrize("birth_date", [_birthday(30), None])
def test_who_needs_no_guardian(db: Connection, birth_date: str | None) -> None:
    with denied(db, "NX114"):
        ask(db, create_person(db, birth_date=birth_date))


def test_whoever_came_of_age_needs_none_any_more(db: Connection, kim: Person) -> None:
    ask(db, kim)
    link, _ = links(db, kim)
    db.execute("update private.accounts set birth_date = %s where user_id = %s", (_birthday(18), kim.user_id))
    assert confirm(db, link) == "not_needed"


def test_unanswered_requests_are_forgotten(db: Connection, kim: Person) -> None:
    ask(db, kim)
    forget = "select private.forget_guardian_requests(%s)"
    assert scalar(db, forget, NOW + timedelta(days=36)) == 0
    assert scalar(db, forget, NOW + timedelta(days=38)) == 1


def test_people_do_not_reach_the_answers(db: Connection, kim: Person) -> None:
    for function in ("find_guardian_request('x')", "confirm_guardian_request('x')", "withdraw_guardian_consent('x')",
                     "report_under_13(gen_random_uuid(), 'x')"):  # fmt: skip
        with denied(db, "42501"), acting_as(db, kim):
            db.execute(f"select worker.{function}")  # type: ignore[arg-type]


def test_a_child_that_is_found_is_locked_at_once_and_erased_without_grace(
    db: Connection, kim: Person
) -> None:
    """P9.1."""
    with as_worker(db):
        erasure = UUID(str(scalar(db, "select worker.report_under_13(%s, 'case-17')", kim.user_id)))
    assert state(db, kim) == "locked"
    assert scalar(db, "select count(*) from auth.sessions where user_id = %s", kim.user_id) == 0
    assert scalar(db, "select grace_until = requested_at from private.erasures where id = %s", erasure)
    with as_worker(db):
        assert scalar(db, "select worker.report_under_13(%s, 'case-17')", kim.user_id) == erasure


@pytest.mark.parametrize(
    ("user", "evidence"), [(UUID(int=1), "case-17"), (None, "Kim is 12, says a neighbour")]
)
def test_a_report_names_an_account_and_no_child(
    db: Connection, kim: Person, user: UUID | None, evidence: str
) -> None:
    with denied(db, "NX002"), as_worker(db):
        db.execute("select worker.report_under_13(%s, %s)", (user or kim.user_id, evidence))
