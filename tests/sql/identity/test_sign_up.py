"""What follows from a sign-up, and who cannot have an account (P9.1)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied, sign_in

STATE = "select state, birth_date::text from private.accounts where user_id = %s"
METADATA = "select raw_user_meta_data from auth.users where id = %s"
COMPLETE = "select public.complete_sign_up(%s)"


def _sign_up(db: Connection, metadata: Any, user_id: uuid.UUID | None = None) -> uuid.UUID:
    user_id = user_id or uuid.uuid4()
    db.execute(
        "insert into auth.users (id, email, raw_user_meta_data) values (%s, %s, %s)",
        (user_id, f"{user_id.hex}@people.example", json.dumps(metadata)),
    )
    return user_id


def _today_minus(db: Connection, years: int, days: int = 0) -> str:
    return scalar(
        db,
        "select ((now() at time zone 'utc')::date - make_interval(years => %s, days => %s))::date::text",
        years,
        days,
    )


def test_everybody_gets_their_rows(db: Connection) -> None:
    user = _sign_up(db, {"birth_date": "1990-01-01", "display_name": " Ada\tLovelace "})
    assert rows(db, STATE, user) == [("active", "1990-01-01")]
    assert scalar(db, "select display_name from public.profiles where user_id = %s", user) == "Ada Lovelace"
    assert rows(db, "select from public.preferences where user_id = %s", user) != []
    assert rows(db, "select from public.media_kits where user_id = %s", user) != []


def test_the_birth_date_stays_nowhere_else(db: Connection) -> None:
    user = _sign_up(db, {"birth_date": "1990-01-01", "display_name": "Ada"})
    assert scalar(db, METADATA, user) == {"display_name": "Ada"}
    db.execute(
        """update auth.users set raw_user_meta_data = '{"birth_date": "1980-01-01","a":"x"}' where id = %s""",
        (user,),
    )
    assert scalar(db, METADATA, user) == {"a": "x"}
    assert rows(db, STATE, user) == [("active", "1990-01-01")]
    db.execute(
        """insert into auth.identities (id, provider, provider_id, user_id, identity_data)
           values (gen_random_uuid(), 'email', %s, %s,
                   '{"birth_date": "1990-01-01", "email": "a@b.example"}')""",
        (str(user), user),
    )
    assert scalar(db, "select identity_data from auth.identities where user_id = %s", user) == {
        "email": "a@b.example"
    }


def test_metadata_as_text_inside_a_string_is_read_and_cleaned(db: Connection) -> None:
    user = _sign_up(db, json.dumps({"birth_date": "1990-01-01", "display_name": "Ada"}))
    assert rows(db, STATE, user) == [("active", "1990-01-01")]
    assert json.loads(scalar(db, METADATA, user)) == {"display_name": "Ada"}


@pytest.mark.parametrize("metadata", [None, {}, {"full_name": "Ada"}, {"birth_date": None}, [], 7])
def test_without_a_birth_date_the_account_is_incomplete(db: Connection, metadata: Any) -> None:
    assert rows(db, STATE, _sign_up(db, metadata)) == [("incomplete", None)]


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"full_name": "Ada"}, "Ada"),
        ({"name": "Ada"}, "Ada"),
        ({"name": "  "}, None),
        ({"name": "x" * 200}, "x" * 80),
        ({"name": "a\u202eb\nc"}, "a b c"),
        ({}, None),
    ],
)
def test_a_name_is_made_fit(db: Connection, metadata: dict[str, str], name: str | None) -> None:
    assert (
        scalar(db, "select display_name from public.profiles where user_id = %s", _sign_up(db, metadata))
        == name
    )


@pytest.mark.parametrize(
    ("years", "days", "state"),
    [(13, 0, "awaiting_guardian"), (18, -1, "awaiting_guardian"), (18, 0, "active")],
)
def test_age_decides_the_state(db: Connection, years: int, days: int, state: str) -> None:
    assert rows(db, STATE, _sign_up(db, {"birth_date": _today_minus(db, years, days)}))[0][0] == state


@pytest.mark.parametrize(("years", "days"), [(13, -1), (12, 0), (0, 0)])
def test_nobody_under_13_gets_an_account(db: Connection, years: int, days: int) -> None:
    user = uuid.uuid4()
    with denied(db, "NX101"):
        _sign_up(db, {"birth_date": _today_minus(db, years, days)}, user)
    assert rows(db, "select from auth.users where id = %s", user) == []


@pytest.mark.parametrize(
    ("now", "is_refused"),
    [("2025-02-28T23:59:59Z", True), ("2025-03-01T00:00:00Z", False)],
)
def test_the_13th_birthday_to_the_second(db: Connection, now: str, is_refused: bool) -> None:
    user = _sign_up(db, {})
    for table in ("media_kits", "preferences", "profiles"):
        db.execute(f"delete from public.{table} where user_id = %s", (user,))  # type: ignore[arg-type]
    db.execute("delete from private.accounts where user_id = %s", (user,))
    opening = ('select private.open_account(%s, \'{"birth_date": "2012-02-29"}\', %s)', (user, now))
    if is_refused:
        with denied(db, "NX101"):
            db.execute(*opening)  # type: ignore[arg-type]
    else:
        db.execute(*opening)  # type: ignore[arg-type]
        assert rows(db, STATE, user) == [("awaiting_guardian", "2012-02-29")]


@pytest.mark.parametrize("birth_date", ["2999-01-01", "soon", "1890-01-01", "", 19900101, {"a": 1}])
def test_what_is_no_birth_date_is_refused(db: Connection, birth_date: Any) -> None:
    with denied(db, "NX102"):
        _sign_up(db, {"birth_date": birth_date})


# --- complete_sign_up ---


def test_completing_makes_the_account_usable(db: Connection) -> None:
    person = create_person(db, birth_date=None)
    with acting_as(db, person):
        assert scalar(db, COMPLETE, "1990-01-01") == "active"
        assert scalar(db, COMPLETE, "1990-01-01") == "active"
        assert scalar(db, "select private.account_is_usable()")
    with denied(db, "NX113"), acting_as(db, person):
        db.execute(COMPLETE, ("1990-01-02",))


@pytest.mark.parametrize(
    ("now", "state"),
    [("2025-02-28T23:59:59Z", "refused_under_13"), ("2025-03-01T00:00:00Z", "awaiting_guardian")],
)
def test_completing_at_the_13th_birthday(db: Connection, now: str, state: str) -> None:
    person = create_person(db, birth_date=None)
    db.execute("update auth.sessions set created_at = '2025-02-20' where id = %s", (person.session_id,))
    with acting_as(db, person):
        assert scalar(db, "select private.complete_sign_up('2012-02-29', %s)", now) == state
    assert bool(rows(db, "select from auth.users where id = %s", person.user_id)) is (
        state != "refused_under_13"
    )


def test_of_a_child_nothing_is_left(db: Connection) -> None:
    child, other = create_person(db, birth_date=None), create_person(db)
    for person in (child, other):
        db.execute(
            "insert into auth.flow_state (id, user_id, authentication_method, provider_type) values "
            "(gen_random_uuid(), %s, 'oauth', 'google')",
            (person.user_id,),
        )
        for payload in ({"actor_id": str(person.user_id)}, {"traits": {"user_id": str(person.user_id)}}):
            db.execute(
                "insert into auth.audit_log_entries (id, payload) values (gen_random_uuid(), %s)",
                (json.dumps(payload),),
            )
            double = json.dumps(json.dumps(payload))
            db.execute(
                "insert into auth.audit_log_entries (id, payload) values (gen_random_uuid(), %s)", (double,)
            )
    before = scalar(db, "select count(*) from auth.audit_log_entries")
    with acting_as(db, child):
        assert scalar(db, COMPLETE, _today_minus(db, 12)) == "refused_under_13"
        assert scalar(db, "select private.session_is_live()") is False
    for table in (
        "auth.sessions",
        "auth.flow_state",
        "private.accounts",
        "public.profiles",
        "public.login_events",
    ):
        found = rows(db, f"select from {table} where user_id = %s", child.user_id)  # type: ignore[arg-type]
        assert found == [], table
    assert scalar(db, "select count(*) from auth.audit_log_entries") == before - 4
    assert scalar(db, "select count(*) from auth.flow_state where user_id = %s", other.user_id) == 1
    with denied(db, "NX001"), acting_as(db, child):
        db.execute(COMPLETE, ("1990-01-01",))


@pytest.mark.parametrize("birth_date", [None, "1899-12-31", "2999-01-01", "infinity"])
def test_completing_needs_a_date(db: Connection, birth_date: str | None) -> None:
    with denied(db, "NX102"), acting_as(db, create_person(db, birth_date=None)):
        db.execute(COMPLETE, (birth_date,))


def test_visitors_complete_nothing(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, None):
        db.execute(COMPLETE, ("1990-01-01",))


# --- my_account ---


@pytest.mark.parametrize(
    ("birth_date", "state", "year"),
    [("1990-05-06", "active", 1990), ("2012-05-06", "awaiting_guardian", 2012), (None, "incomplete", None)],
)
def test_people_see_their_account_in_every_state(
    db: Connection, birth_date: str | None, state: str, year: int | None
) -> None:
    person = create_person(db, birth_date=birth_date)
    create_person(db)
    with acting_as(db, person):
        assert rows(db, "select user_id, email, state, birth_year from public.my_account()") == [
            (person.user_id, person.email, state, year)
        ]


def test_without_a_live_session_there_is_no_account_to_see(db: Connection) -> None:
    person = create_person(db)
    db.execute("delete from auth.sessions where user_id = %s", (person.user_id,))
    with denied(db, "NX001"), acting_as(db, person):
        db.execute("select public.my_account()")
    sign_in(db, person)
    with acting_as(db, person):
        assert rows(db, "select from public.my_account()") == [()]


# --- the hook of Auth ---


def _hook(db: Connection, metadata: dict[str, str] | None) -> Any:
    event = json.dumps({"metadata": {}, "user": {"email": "a@b.example", "user_metadata": metadata}})
    return scalar(db, "select private.before_user_created(%s)", event)


def test_the_hook_lets_pass_what_the_trigger_lets_pass(db: Connection) -> None:
    for metadata in (None, {}, {"full_name": "Ada"}, {"birth_date": _today_minus(db, 13)}):
        assert _hook(db, metadata) == {}
    assert scalar(db, "select private.before_user_created('{}')") == {}


def test_the_hook_says_why_somebody_cannot_have_an_account(db: Connection) -> None:
    """P9.1. Auth passes on nothing but the message and the status."""
    assert _hook(db, {"birth_date": _today_minus(db, 13, days=-1)}) == {
        "error": {"http_code": 403, "message": "Nobody under 13 can have an account [NX101]"}
    }
    assert _hook(db, {"birth_date": "yesterday"})["error"]["http_code"] == 400


def test_only_auth_asks_the_hook(db: Connection, admin_db: Connection) -> None:
    for person in (None, create_person(db)):
        with denied(db, "42501"), acting_as(db, person):
            db.execute("select private.before_user_created('{}')")
    admin_db.execute("set local role supabase_auth_admin")
    assert scalar(admin_db, "select private.before_user_created('{}')") == {}
    with denied(admin_db, "42501"):
        admin_db.execute("select * from private.accounts")
    with denied(admin_db, "42501"):
        admin_db.execute("select private.setting('public_url')")
