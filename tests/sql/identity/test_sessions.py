"""Sessions: seen and ended by their person, ended by a new password and by inactivity (P3.7, P3.8)."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, create_person, denied, sign_in

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)


def _second_session(db: Connection, person: Person) -> Person:
    return sign_in(db, replace(person, session_id=uuid.uuid4()))


def _is_live(db: Connection, person: Person) -> bool:
    with acting_as(db, person):
        return scalar(db, "select private.session_is_live()")


@pytest.mark.parametrize(
    ("user_agent", "browser", "os"),
    [
        (FIREFOX, "Firefox", "Linux"),
        (CHROME, "Chrome", "Windows"),
        (CHROME + " Edg/140.0", "Edge", "Windows"),
        (CHROME + " OPR/120.0", "Opera", "Windows"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 "
            "Safari/605.1.15",
            "Safari",
            "macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 CriOS/140.0 "
            "Mobile/15E148 Safari/604.1",
            "Chrome",
            "iOS",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
            "Chrome",
            "Android",
        ),
        (
            "Mozilla/5.0 (Linux; Android 15) SamsungBrowser/27.0 Chrome/125.0 Mobile Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
            "Chrome",
            "ChromeOS",
        ),
        ("python-httpx/0.28", "Other", "Other"),
        ("", "Other", "Other"),
        (None, None, None),
    ],
)
def test_of_a_device_browser_and_system_are_kept(
    db: Connection, user_agent: str | None, browser: str | None, os: str | None
) -> None:
    ada = create_person(db)
    for _ in range(2):  # the second time what was kept is read again
        db.execute("update auth.sessions set user_agent = %s where id = %s", (user_agent, ada.session_id))
        user_agent = scalar(db, "select user_agent from auth.sessions where id = %s", ada.session_id)
        assert user_agent == (f"{browser} on {os}" if browser else None)
    with acting_as(db, ada):
        assert rows(db, "select browser, os from public.list_sessions()") == [(browser, os)]


def test_people_see_their_live_sessions_last_active_first(db: Connection) -> None:
    ada = create_person(db)
    create_person(db)
    recent, idle = _second_session(db, ada), _second_session(db, ada)
    db.execute(
        "update auth.sessions set created_at = now() - interval '2 days' where id = %s", (ada.session_id,)
    )
    db.execute(
        "update auth.sessions set created_at = now() - interval '40 days', refreshed_at = (now() - "
        "interval '1 day') at time zone 'utc' where id = %s",
        (recent.session_id,),
    )
    db.execute(
        "update auth.sessions set created_at = now() - interval '31 days' where id = %s", (idle.session_id,)
    )
    with acting_as(db, ada):
        found = rows(
            db, "select id, last_active_at = now() - interval '1 day', is_current from public.list_sessions()"
        )
    assert found == [(recent.session_id, True, False), (ada.session_id, False, True)]


def test_a_session_is_revoked_at_once(db: Connection) -> None:
    ada = create_person(db)
    other = _second_session(db, ada)
    with acting_as(db, ada):
        assert scalar(db, "select public.revoke_session(%s)", other.session_id)
        assert not scalar(db, "select public.revoke_session(%s)", other.session_id)
    assert not _is_live(db, other)
    assert _is_live(db, ada)


def test_sessions_of_others_are_out_of_reach(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, bob):
        assert not scalar(db, "select public.revoke_session(%s)", ada.session_id)
    assert _is_live(db, ada)


def test_signing_out_everywhere(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    other = _second_session(db, ada)
    with acting_as(db, ada):
        assert scalar(db, "select public.sign_out_everywhere()") == 2
    assert [_is_live(db, person) for person in (ada, other, bob)] == [False, False, True]
    with denied(db, "NX001"), acting_as(db, ada):
        db.execute("select public.sign_out_everywhere()")


@pytest.mark.parametrize("birth_date", [None, "2012-01-01"])
def test_it_works_before_the_account_may_be_used(db: Connection, birth_date: str | None) -> None:
    ada = create_person(db, birth_date=birth_date)
    with acting_as(db, ada):
        assert len(rows(db, "select from public.list_sessions()")) == 1
        assert scalar(db, "select public.sign_out_everywhere()") == 1


@pytest.mark.parametrize(
    "call", ["list_sessions()", "revoke_session(gen_random_uuid())", "sign_out_everywhere()"]
)
def test_visitors_and_dead_sessions_do_nothing(db: Connection, call: str) -> None:
    ada = create_person(db)
    db.execute("delete from auth.sessions where id = %s", (ada.session_id,))
    with denied(db, "NX001"), acting_as(db, ada):
        db.execute(f"select public.{call}")  # type: ignore[arg-type]
    with denied(db, "42501"), acting_as(db, None):
        db.execute(f"select public.{call}")  # type: ignore[arg-type]


def test_a_new_password_ends_every_session_the_acting_one_included(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    other = _second_session(db, ada)
    db.execute(
        "update auth.users set encrypted_password = '$2a$10$another.hash' where id = %s", (ada.user_id,)
    )
    assert [_is_live(db, person) for person in (ada, other, bob)] == [False, False, True]
    with denied(db, "NX001"), acting_as(db, ada):
        db.execute("select public.my_account()")
    with acting_as(db, ada):
        assert rows(db, "select from public.profiles") == []
    assert (
        scalar(
            db,
            "select count(*) from private.audit_events where action = 'password_changed' and subject_id = %s",
            ada.user_id,
        )
        == 1
    )


@pytest.mark.parametrize("before", [None, ""])
def test_a_first_password_ends_nothing(db: Connection, before: str | None) -> None:
    ada = create_person(db)
    db.execute("update auth.users set encrypted_password = %s where id = %s", (before, ada.user_id))
    sign_in(db, replace(ada, session_id=(session := uuid.uuid4())))
    db.execute("update auth.users set encrypted_password = '$2a$10$first.hash' where id = %s", (ada.user_id,))
    assert _is_live(db, replace(ada, session_id=session))


def test_writing_the_same_password_hash_ends_nothing(db: Connection) -> None:
    ada = create_person(db)
    db.execute(
        "update auth.users set encrypted_password = encrypted_password, email = 'x@people.example' where "
        "id = %s",
        (ada.user_id,),
    )
    assert _is_live(db, ada)


@pytest.mark.parametrize(("seconds", "is_kept"), [(30 * 86400 - 1, True), (30 * 86400, False)])
@pytest.mark.parametrize("is_refreshed", [True, False])
def test_idle_sessions_are_deleted(db: Connection, is_refreshed: bool, seconds: int, is_kept: bool) -> None:
    ada = create_person(db)
    if is_refreshed:
        db.execute(
            "update auth.sessions set created_at = now() - interval '1 year', refreshed_at = now() at "
            "time zone 'utc' where id = %s",
            (ada.session_id,),
        )
    db.execute("select private.expire_sessions(now() + make_interval(secs => %s))", (seconds,))
    assert bool(rows(db, "select from auth.sessions where id = %s", ada.session_id)) is is_kept
