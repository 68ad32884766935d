"""P1.7, P1.8, P5.2, P7.5: what is kept of an event names nobody, and nothing is kept of whoever does not want it."""

from __future__ import annotations

import threading

import psycopg
import pytest

from tests.sql.analytics.using import NOON, draw, kept, pages, track
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied


def test_one_kind_is_kept_of_a_day_each_thing_once(db: Connection) -> None:
    """P1.7: no person, no time of day, no count; the same call again adds nothing."""
    ada = create_person(db)
    draw(db, ada, "path")
    events = [
        {"kind": "page", "name": "calendar", "from": "posts"},
        {"kind": "page", "name": "posts"},
        {"kind": "feature", "name": "schedule_post"},
    ]
    for at in (NOON, "2026-03-02 19:30Z"):
        assert track(db, ada, events, "small", at)
    assert kept(db) == [("2026-03-02", "path", "posts>calendar")]
    draw(db, ada, "page")
    track(db, ada, events)
    assert [name for _, kind, name in kept(db) if kind == "page"] == ["calendar", "posts"]


def test_every_kind_comes_from_its_source(db: Connection) -> None:
    """P1.8, P1.9: a country, a browser family, a system, a class of screen: one of each, the first of the day."""
    ada = create_person(db)
    db.execute(
        "update auth.sessions set user_agent = 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' where id = %s",
        (ada.session_id,),
    )
    db.execute(
        "update public.login_events set country = 'NL', located_at = now() where session_id = %s",
        (ada.session_id,),
    )
    for kind, wanted in {
        "country": "NL", "browser": "Firefox", "os": "Linux", "screen": "large", "session": "5_to_20_minutes",
        "feature": "publish_now",
    }.items():  # fmt: skip
        draw(db, ada, kind)
        events = [
            {"kind": "session", "name": "5_to_20_minutes"},
            {"kind": "feature", "name": "publish_now"},
        ]
        assert track(db, ada, events, "large")
        assert track(db, ada, [], "small"), "another class of screen on the same day is not kept"
        assert [name for _, k, name in kept(db) if k == kind] == [wanted]


def test_no_kind_is_drawn_more_often_than_another(db: Connection) -> None:
    counts = rows(
        db,
        """select private.usage_kind(private.usage_pseudonym(sha256('k'), md5(n::text)::uuid)), count(*)
           from generate_series(1, 8000) n group by 1""",
    )
    assert len(counts) == 8
    assert all(850 < count < 1150 for _, count in counts)


@pytest.mark.parametrize(
    ("events", "screen", "code"),
    [
        ({}, None, "NX002"),
        (None, None, "NX002"),
        (pages("home") * 51, None, "NX702"),
        (["home"], None, "NX701"),
        ([[]], None, "NX701"),
        (pages("ada@example.org"), None, "NX701"),
        ([{"kind": "screen", "name": "small"}], None, "NX701"),
        ([{"kind": "page", "name": "home", "note": "x"}], None, "NX701"),
        ([{"kind": "page", "name": "home", "from": "elsewhere"}], None, "NX701"),
        ([{"kind": "feature", "name": "publish_now", "from": "home"}], None, "NX701"),
        (pages("home"), "1920x1080", "NX701"),
    ],
)
def test_what_is_not_on_the_list_is_refused(
    db: Connection, events: object, screen: str | None, code: str
) -> None:
    ada = create_person(db)
    with denied(db, code):
        track(db, ada, events, screen)


def test_calls_of_a_day_are_limited(db: Connection) -> None:
    ada = create_person(db)
    db.execute("update private.settings set value = '2' where key = 'usage_calls_per_day'")
    assert track(db, ada, [])
    assert track(db, ada, [])
    with denied(db, "NX703"):
        track(db, ada, [])
    assert track(db, create_person(db), [])
    assert track(db, ada, [], at="2026-03-03 00:00Z"), "a new day"


def test_an_account_that_may_not_be_used_is_not_counted(db: Connection) -> None:
    """P9.2: as for everything else that a person writes."""
    child = create_person(db, birth_date="2011-01-01")
    with denied(db, "NX111"):
        track(db, child, [])
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select public.track_usage('[]')")


def test_opting_out_holds_at_once_and_takes_today_along(db: Connection) -> None:
    """P5.2, P7.5; others are left alone."""
    ada, bob = create_person(db), create_person(db)
    draw(db, ada, "page")
    for person in (ada, bob):
        assert track(db, person, pages("home"), "small")
    others = len(kept(db)) - 1
    with acting_as(db, ada):
        db.execute("select public.withdraw_consent('product_improvement')")
    assert len(kept(db)) == others
    assert track(db, ada, pages("home")) is False
    assert len(kept(db)) == others
    assert scalar(db, "select private.may_process(%s, 'product_improvement')", ada.user_id) is False
    with acting_as(db, ada):
        db.execute("select public.give_consent('product_improvement', 1)")
    assert track(db, ada, pages("home"))


def test_global_privacy_control_is_an_opt_out_of_the_call(db: Connection) -> None:
    ada = create_person(db)
    draw(db, ada, "page")
    db.execute("select set_config('request.headers', %s, true)", ('{"sec-gpc": "1"}',))
    assert track(db, ada, pages("home")) is False
    db.execute("select set_config('request.headers', %s, true)", ('{"user-agent": "x"}',))
    assert kept(db) == []
    assert track(db, ada, pages("home"))


@pytest.mark.parametrize("how", ["lock", "erase", "delete"])
def test_who_leaves_leaves_nothing_of_today(admin_db: Connection, how: str) -> None:
    """P7.3: with the request to erase the account, a lock by the service, or a deletion elsewhere."""
    ada = create_person(admin_db)
    draw(admin_db, ada, "page")
    track(admin_db, ada, pages("home"))
    if how == "erase":
        with acting_as(admin_db, ada):
            admin_db.execute("select public.request_erasure()")
    elif how == "lock":
        admin_db.execute(
            "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
            (ada.user_id,),
        )
    else:
        admin_db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert kept(admin_db) == []
    assert scalar(admin_db, "select count(*) from private.usage_calls") == 0


def test_my_data_shows_what_can_be_found_of_today(db: Connection) -> None:
    """P7.1."""
    ada = create_person(db)
    draw(db, ada, "page")
    track(db, ada, pages("home", "posts"))

    def count() -> object:
        with acting_as(db, ada):
            return scalar(db, "select row_count from public.my_data() where place = 'private.usage_events'")

    assert count() == 2
    db.execute("select private.destroy_usage_keys('2026-03-03 00:00Z')")
    assert count() == 0


def test_a_day_cannot_be_linked_to_another(db: Connection) -> None:
    """P5.2: the key goes with the first event of the next day, or with housekeeping, and not before."""
    ada = create_person(db)
    track(db, ada, [], at="2026-03-02 00:00Z")
    monday = scalar(db, "select key from private.usage_keys")
    assert scalar(db, "select private.destroy_usage_keys('2026-03-02 23:59:59Z')") == 0
    track(db, ada, [], at="2026-03-02 23:59:59Z")
    assert rows(db, "select day::text, key from private.usage_keys") == [("2026-03-02", monday)]
    track(db, ada, [], at="2026-03-03 00:00Z")
    assert [day for (day,) in rows(db, "select day::text from private.usage_keys")] == ["2026-03-03"]
    assert scalar(db, "select key from private.usage_keys") != monday
    track(db, ada, [], at="2026-03-02 23:59:59Z")
    assert scalar(db, "select count(*) from private.usage_keys") == 1, "who was late counts for the new day"
    assert scalar(db, "select private.destroy_usage_keys('2026-03-09 00:00Z')") == 1
    assert scalar(db, "select count(*) from private.usage_keys") == 0
    assert scalar(db, "select count(*) from private.usage_calls") == 0
    assert scalar(db, "select private.destroy_usage_keys('2026-03-09 00:00Z')") == 0


def test_a_key_is_destroyed_although_somebody_reads_it(db_url: str) -> None:
    """Nobody waits for anybody, so nobody can deadlock."""
    with psycopg.connect(db_url) as reading, psycopg.connect(db_url) as destroying:
        track(destroying, create_person(destroying), [])
        destroying.commit()
        assert scalar(reading, "select count(*) from private.usage_keys") == 1
        destroying.execute("set statement_timeout = '5s'")
        assert scalar(destroying, "select private.destroy_usage_keys('2026-03-03 00:00Z')") == 1
        destroying.commit()
        assert scalar(reading, "select count(*) from private.usage_keys") == 0
        assert scalar(reading, "select count(*) from private.usage_calls") == 0


def test_a_day_whose_key_was_lost_begins_again(db: Connection) -> None:
    """Unlogged tables are empty after a crash: no person may count as two."""
    ada = create_person(db)
    draw(db, ada, "page")
    track(db, ada, pages("home"))
    db.execute("delete from private.usage_keys")
    track(db, ada, [], at="2026-03-02 18:00Z")
    assert kept(db) == []


def test_an_event_on_its_way_does_not_survive_an_opt_out(db_url: str) -> None:
    """P5.2, P7.5: two connections; whichever comes first, nothing is left."""
    with psycopg.connect(db_url) as tracking, psycopg.connect(db_url) as choosing:
        ada = create_person(tracking)
        draw(tracking, ada, "page")
        tracking.commit()
        assert track(tracking, ada, pages("home"))
        assert kept(tracking)
        done = threading.Event()

        def opt_out() -> None:
            with acting_as(choosing, ada):
                choosing.execute("select public.withdraw_consent('product_improvement')")
            choosing.commit()
            done.set()

        waiting = threading.Thread(target=opt_out)
        waiting.start()
        assert not done.wait(0.1), "the opt-out waits for the event"
        tracking.commit()
        waiting.join(10)
        assert kept(tracking) == []
