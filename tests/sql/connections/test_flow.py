"""From the button to the stored tokens: one-time, short-lived, bound to person and browser (P1.12, P3.4, P6.5)."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.sql.connections.making import (
    PUBLIC_URL,
    REDIRECT,
    X_SCOPES,
    begin,
    connect_account,
    consumed_flow,
    digest,
    register_worker,
    sealed,
    store,
    ticket_of,
)
from tests.support.personas import Person, acting_as, as_worker, create_person, denied


@pytest.fixture
def person(db: psycopg.Connection) -> Person:
    register_worker(db)
    return create_person(db)


def test_begin_returns_a_link_to_the_worker_and_stores_only_the_hash(
    db: psycopg.Connection, person: Person
) -> None:
    url = begin(db, person, "x", ("publish", "analytics"))
    assert url.startswith(f"{PUBLIC_URL}/oauth/x/start?ticket=")
    assert len(ticket_of(url)) == 64
    flow = db.execute(
        "select user_id, features, scopes, encode(ticket_hash, 'hex') from private.oauth_flows"
    ).fetchone()
    assert flow == (person.user_id, ["analytics", "profile", "publish"], X_SCOPES, digest(ticket_of(url)))


@pytest.mark.parametrize(
    ("platform", "features", "redirect", "code"),
    [
        ("myspace", ["publish"], REDIRECT, "NX201"),
        (None, ["publish"], REDIRECT, "NX201"),
        ("x", ["inbox"], REDIRECT, "NX202"),  # P6.2
        ("x", ["publish", None], REDIRECT, "NX202"),
        ("linkedin", ["analytics"], REDIRECT, "NX202"),
        ("x", ["publish"], REDIRECT + "/", "NX203"),
        ("x", ["publish"], "https://evil.example/connected", "NX203"),
        ("x", ["publish"], None, "NX203"),
    ],
)
def test_begin_refuses(
    db: psycopg.Connection, person: Person, platform: str, features: list[str], redirect: str, code: str
) -> None:
    with acting_as(db, person), denied(db, code):
        db.execute("select public.begin_connection(%s, %s, %s)", (platform, features, redirect))


def test_begin_needs_a_worker_that_announced_itself(db: psycopg.Connection, person: Person) -> None:
    db.execute("delete from private.settings where key = 'public_url'")
    with acting_as(db, person), denied(db, "NX205"):
        db.execute("select public.begin_connection('x', array['publish'], %s)", (REDIRECT,))


def test_begin_limits_open_attempts(db: psycopg.Connection, person: Person) -> None:
    for _ in range(10):
        begin(db, person)
    with acting_as(db, person), denied(db, "NX206"):
        db.execute("select public.begin_connection('x', array['publish'], %s)", (REDIRECT,))


def test_begin_is_for_people_with_a_usable_account(db: psycopg.Connection) -> None:
    register_worker(db)
    minor = create_person(db, birth_date="2012-01-01")
    call = ("select public.begin_connection('x', array['publish'], %s)", (REDIRECT,))
    with acting_as(db, minor), denied(db, "NX111"):
        db.execute(*call)
    with acting_as(db, None), denied(db, "42501"):
        db.execute(*call)


def test_reconnect_is_for_an_own_connection(db: psycopg.Connection, person: Person) -> None:
    theirs = connect_account(db, create_person(db))
    with acting_as(db, person), denied(db, "NX204"):
        db.execute("select public.begin_connection('x', array['publish'], %s, %s)", (REDIRECT, theirs))


def redeem(db: psycopg.Connection, ticket: str, state: str = "s", browser: str = "b") -> None:
    db.execute(
        "select * from worker.redeem_ticket(%s, %s, %s, %s)",
        (digest(ticket), digest(state), digest(browser), sealed()),
    )


def test_a_ticket_works_once(db: psycopg.Connection, person: Person) -> None:
    ticket = ticket_of(begin(db, person))
    with as_worker(db):
        redeem(db, ticket)
        with denied(db, "NX210"):
            redeem(db, ticket, "other")
        with denied(db, "NX210"):
            redeem(db, "never issued", "another")


def test_a_ticket_lives_two_minutes(db: psycopg.Connection, person: Person) -> None:
    ticket = ticket_of(begin(db, person))
    call = "select * from private.redeem_ticket(%s, %s, %s, %s, now() + %s::interval)"
    arguments = (digest(ticket), digest("s"), digest("b"), sealed())
    with denied(db, "NX210"):
        db.execute(call, (*arguments, "2 minutes"))
    assert db.execute(call, (*arguments, "119 seconds")).fetchone() is not None


def test_a_ticket_takes_well_formed_values_only(db: psycopg.Connection, person: Person) -> None:
    ticket = digest(ticket_of(begin(db, person)))
    with as_worker(db):
        for arguments, code in (
            ((ticket, "zz", digest("b"), sealed()), "NX002"),
            ((ticket, digest("s"), digest("b").upper(), sealed()), "NX002"),
            ((ticket, digest("s"), digest("b"), "bm90IHNlYWxlZA=="), "NX216"),
            ((ticket, digest("s"), digest("b"), "not base64!"), "NX216"),
        ):
            with denied(db, code):
                db.execute("select * from worker.redeem_ticket(%s, %s, %s, %s)", arguments)


def test_the_platform_comes_back_once_in_the_same_browser(db: psycopg.Connection, person: Person) -> None:
    ticket = ticket_of(begin(db, person))
    call = "select user_id, platform_id, redirect_to, features from worker.consume_oauth_state(%s, %s)"
    with as_worker(db):
        redeem(db, ticket)
        with denied(db, "NX211"):
            db.execute(call, (digest("s"), digest("other browser")))
        with denied(db, "NX210"):
            db.execute(call, (digest("unknown"), digest("b")))
        row = db.execute(call, (digest("s"), digest("b"))).fetchone()
        assert row == (person.user_id, "x", REDIRECT, ["profile", "publish"])
        with denied(db, "NX210"):
            db.execute(call, (digest("s"), digest("b")))
    assert db.execute("select sealed_verifier from private.oauth_flows").fetchone() == (None,)


def test_a_state_lives_ten_minutes(db: psycopg.Connection, person: Person) -> None:
    ticket = ticket_of(begin(db, person))
    redeem(db, ticket)
    call = "select * from private.consume_oauth_state(%s, %s, now() + %s::interval)"
    with denied(db, "NX210"):
        db.execute(call, (digest("s"), digest("b"), "10 minutes"))
    assert db.execute(call, (digest("s"), digest("b"), "599 seconds")).fetchone() is not None


def test_storing_makes_a_connection_and_a_vault_row_and_ends_the_flow(
    db: psycopg.Connection, person: Person
) -> None:
    flow = consumed_flow(db, person)
    stored = store(db, flow, "123")
    with acting_as(db, person):
        row = db.execute(
            "select state::text, handle, scopes, token_generation from public.connections"
        ).fetchall()
    assert row == [("active", "mira", X_SCOPES, 1)]
    assert db.execute("select connection_id, user_id, generation from private.token_vault").fetchone() == (
        stored,
        person.user_id,
        1,
    )
    assert db.execute("select count(*) from private.oauth_flows").fetchone() == (0,)
    with as_worker(db), denied(db, "NX210"):
        db.execute("select * from worker.resolve_connection(%s, '123')", (flow.flow_id,))


def test_the_refresh_is_planned_ten_minutes_before_the_end_or_a_fifth_of_a_short_life(
    db: psycopg.Connection, person: Person
) -> None:
    planned = """select extract(epoch from due_at - now())::int from private.queue
                 where lane = 'refresh' and subject_id = %s"""
    long_lived = store(db, consumed_flow(db, person), "1")
    short_lived = store(db, consumed_flow(db, person), "2", access_seconds=600)
    without = store(db, consumed_flow(db, person), "3", refresh=False)
    assert db.execute(planned, (long_lived,)).fetchone() == (6600,)
    assert db.execute(planned, (short_lived,)).fetchone() == (480,)
    assert db.execute(planned, (without,)).fetchone() is None


def test_an_account_belongs_to_one_person(db: psycopg.Connection, person: Person) -> None:
    connect_account(db, create_person(db), external_id="shared")
    flow = consumed_flow(db, person)
    with as_worker(db), denied(db, "NX212"):
        db.execute("select * from worker.resolve_connection(%s, 'shared')", (flow.flow_id,))


def test_reconnecting_keeps_the_connection_and_counts_the_generation(
    db: psycopg.Connection, person: Person
) -> None:
    first = connect_account(db, person, external_id="1")
    db.execute("select private.revoke_connection(%s, 'invalid_grant')", (first,))
    again = store(db, consumed_flow(db, person, reconnect=first), "1")
    assert again == first
    row = db.execute(
        "select state::text, token_generation, last_error_code from public.connections"
    ).fetchone()
    assert row == ("active", 2, None)


def test_reconnecting_with_another_account_is_refused(db: psycopg.Connection, person: Person) -> None:
    first = connect_account(db, person, external_id="1")
    flow = consumed_flow(db, person, reconnect=first)
    with as_worker(db), denied(db, "NX213"):
        db.execute("select * from worker.resolve_connection(%s, '2')", (flow.flow_id,))


@pytest.mark.parametrize("scopes", [[], ["tweet.write"], [*X_SCOPES, "dm.read"], [*X_SCOPES, "list.read"]])
def test_scopes_that_are_missing_or_widened_are_refused(
    db: psycopg.Connection, person: Person, scopes: list[str]
) -> None:
    flow = consumed_flow(db, person)
    with denied(db, "NX214"):
        store(db, flow, "1", scopes=scopes)


def test_a_feature_that_was_not_granted_is_left_out(db: psycopg.Connection, person: Person) -> None:
    store(db, consumed_flow(db, person, "linkedin"), "1", scopes=["openid", "profile"])  # P6.5
    assert db.execute("select scopes from public.connections").fetchone() == (["openid", "profile"],)


def test_tokens_are_stored_for_the_resolved_connection_and_generation_only(
    db: psycopg.Connection, person: Person
) -> None:
    flow = consumed_flow(db, person)
    with denied(db, "NX215"):
        store(db, flow, "1", connection_id=uuid.uuid4())
    with denied(db, "NX215"):
        store(db, flow, "1", generation=2)
    with denied(db, "NX216"):
        store(db, flow, "1", access="cGxhaW4gdG9rZW4=")


def test_a_person_who_became_unusable_in_between_connects_nothing(
    db: psycopg.Connection, person: Person
) -> None:
    flow = consumed_flow(db, person)
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (person.user_id,),
    )
    with denied(db, "NX217"):
        store(db, flow, "1")


def test_expired_flows_are_forgotten(db: psycopg.Connection, person: Person) -> None:
    begin(db, person)
    redeem(db, ticket_of(begin(db, person)))
    forget = "select private.forget_oauth_flows(now() + %s::interval)"
    assert db.execute(forget, ("119 seconds",)).fetchone() == (0,)
    assert db.execute(forget, ("2 minutes",)).fetchone() == (1,)  # the ticket that nobody redeemed
    assert db.execute(forget, ("10 minutes",)).fetchone() == (1,)
