"""Weekly slots: the next free one, through clock changes, and never the same one twice."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, add_post, add_target, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, create_person, denied

ADD_SLOT = """insert into public.queue_slots (connection_id, weekday, local_time, time_zone)
              values (%s, %s, %s, %s) returning id"""
QUEUE = "select id, scheduled_at from public.add_to_queue(%s)"
NEXT = "select at from public.next_free_slot(%s, %s)"
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2027, 6, 7, tzinfo=UTC)


def add_slot(scene: Scene, weekday: int, time: str = "09:00", zone: str = "UTC") -> uuid.UUID:
    with acting_as(scene.db, scene.person):
        return scalar(scene.db, ADD_SLOT, scene.account, weekday, time, zone)


def next_slot(scene: Scene, after: datetime) -> datetime | None:
    with acting_as(scene.db, scene.person):
        found = rows(scene.db, NEXT, scene.account, after)
    return found[0][0] if found else None


def another(scene: Scene) -> tuple[uuid.UUID, uuid.UUID]:
    """One more post with a target on the same account."""
    post = add_post(scene.db, scene.person)
    return post, add_target(scene.db, scene.person, post, scene.account)


def queue(scene: Scene, post: uuid.UUID, after: datetime) -> datetime:
    with acting_as(scene.db, scene.person):
        [(_, at)] = rows(scene.db, "select id, scheduled_at from public.add_to_queue(%s, %s)", post, after)
    return at


@pytest.mark.parametrize("after_minutes", [-1, 0])
def test_the_next_slot_is_strictly_later(scene: Scene, after_minutes: int) -> None:
    add_slot(scene, 1)
    at = MONDAY.replace(hour=9)
    expected = at if after_minutes < 0 else at + timedelta(days=7)
    assert next_slot(scene, at + timedelta(minutes=after_minutes)) == expected


def test_posts_fill_the_slots_in_order(scene: Scene) -> None:
    add_slot(scene, 3, "18:30")
    add_slot(scene, 1)
    posts = [scene.post, *(another(scene)[0] for _ in range(3))]
    assert [queue(scene, post, MONDAY) for post in posts] == [
        MONDAY.replace(hour=9),
        MONDAY.replace(hour=18, minute=30) + timedelta(days=2),
        MONDAY.replace(hour=9) + timedelta(days=7),
        MONDAY.replace(hour=18, minute=30) + timedelta(days=9),
    ]


def test_moving_and_cancelling_frees_the_slot(scene: Scene) -> None:
    add_slot(scene, 1)
    first = queue(scene, scene.post, MONDAY)
    assert next_slot(scene, MONDAY) == first + timedelta(days=7)
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.move_target(%s, %s)", scene.target, first + timedelta(hours=1))
    assert next_slot(scene, MONDAY) == first
    other, target = another(scene)
    assert queue(scene, other, MONDAY) == first
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.cancel_target(%s)", target)
    assert next_slot(scene, MONDAY) == first


def test_what_is_published_keeps_its_slot(scene: Scene) -> None:
    add_slot(scene, 1)
    first = queue(scene, scene.post, MONDAY)
    scene.db.execute("update public.post_targets set state = 'publishing'")
    scene.db.execute("update public.post_targets set state = 'published', published_at = now()")
    assert next_slot(scene, MONDAY) == first + timedelta(days=7)


def test_each_account_has_slots_of_its_own(scene: Scene) -> None:
    linkedin = connect_account(scene.db, scene.person, "linkedin")
    add_target(scene.db, scene.person, scene.post, linkedin)
    add_slot(scene, 1)
    with acting_as(scene.db, scene.person):
        rows(scene.db, ADD_SLOT, linkedin, 2, "10:00", "UTC")
        found = dict(
            rows(
                scene.db,
                "select connection_id, scheduled_at from public.add_to_queue(%s, %s)",
                scene.post,
                MONDAY,
            )
        )
    assert found == {
        scene.account: MONDAY.replace(hour=9),
        linkedin: MONDAY.replace(hour=10) + timedelta(days=1),
    }


@pytest.mark.parametrize(
    ("after", "local"),
    [
        ("2027-03-20", ["2027-03-21 02:30+01:00", "2027-03-28 03:30+02:00", "2027-04-04 02:30+02:00"]),
        ("2027-10-23", ["2027-10-24 02:30+02:00", "2027-10-31 02:30+02:00", "2027-11-07 02:30+01:00"]),
    ],
)
def test_slots_keep_their_local_time_through_clock_changes(
    scene: Scene, after: str, local: list[str]
) -> None:
    add_slot(scene, 7, "02:30", "Europe/Berlin")
    start = datetime.fromisoformat(after).replace(tzinfo=BERLIN)
    with acting_as(scene.db, scene.person):
        found = rows(
            scene.db, "select at, adjusted from public.list_slots(%s, %s, %s)",
            scene.account, start, start + timedelta(days=20),
        )  # fmt: skip
    assert [at for at, _ in found] == [datetime.fromisoformat(text) for text in local]
    assert found[1][1] == ("gap" if after == "2027-03-20" else "overlap")


def test_a_slot_on_the_leap_day(scene: Scene) -> None:
    add_slot(scene, 2, "12:00", "Asia/Kolkata")  # 29 February 2028 is a Tuesday
    assert next_slot(scene, datetime(2028, 2, 28, tzinfo=UTC)) == datetime(2028, 2, 29, 6, 30, tzinfo=UTC)


def test_slots_that_meet_are_one(scene: Scene) -> None:
    add_slot(scene, 1, "09:00", "UTC")
    add_slot(scene, 1, "09:00", "Africa/Abidjan")
    assert queue(scene, scene.post, MONDAY) == MONDAY.replace(hour=9)
    assert next_slot(scene, MONDAY) == MONDAY.replace(hour=9) + timedelta(days=7)


def test_the_list_shows_who_has_which(scene: Scene) -> None:
    slot = add_slot(scene, 1)
    first = queue(scene, scene.post, MONDAY)
    with acting_as(scene.db, scene.person):
        found = rows(
            scene.db, "select at, slot_id, target_id from public.list_slots(%s, %s, %s)",
            scene.account, MONDAY, MONDAY + timedelta(days=14),
        )  # fmt: skip
        assert found == [(first, slot, scene.target), (first + timedelta(days=7), slot, None)]
        for start, end in (
            (MONDAY, MONDAY - timedelta(days=1)),
            (MONDAY, MONDAY + timedelta(days=401)),
            (None, MONDAY),
        ):
            with denied(scene.db, "NX002"):
                rows(scene.db, "select * from public.list_slots(%s, %s, %s)", scene.account, start, end)


def test_without_slots_there_is_nothing_to_fill(scene: Scene) -> None:
    assert next_slot(scene, MONDAY) is None
    with acting_as(scene.db, scene.person), denied(scene.db, "NX451"):
        rows(scene.db, QUEUE, scene.post)


def test_when_all_are_taken(scene: Scene) -> None:
    scene.db.execute("update private.settings set value = '14' where key = 'queue_horizon_days'")
    add_slot(scene, 1)
    for _ in range(2):
        queue(scene, another(scene)[0], MONDAY)
    with acting_as(scene.db, scene.person), denied(scene.db, "NX452"):
        rows(scene.db, "select * from public.add_to_queue(%s, %s)", scene.post, MONDAY)
    assert scene.state() == "draft"


def test_a_repeat_takes_no_second_slot(scene: Scene) -> None:
    add_slot(scene, 1)
    key = uuid.uuid4()
    with acting_as(scene.db, scene.person):
        first = rows(scene.db, QUEUE, scene.post)
        assert rows(scene.db, QUEUE, scene.post) == first
        other, _ = another(scene)
    with acting_as(scene.db, scene.person):
        keyed = "select id, scheduled_at from public.add_to_queue(%s, null, %s)"
        second = rows(scene.db, keyed, other, key)
        assert second != first
        assert rows(scene.db, keyed, other, key) == second
        with denied(scene.db, "NX003"):
            rows(scene.db, keyed, scene.post, key)


def test_slots_are_checked(scene: Scene) -> None:
    add_slot(scene, 1)
    with acting_as(scene.db, scene.person):
        for values, code in (
            ((1, "09:00", "UTC"), "23505"), ((8, "09:00", "UTC"), "23514"), ((1, "09:00:30", "UTC"), "23514"),
            ((1, "24:00", "UTC"), "23514"), ((1, "09:01", "Mars/Olympus"), "NX450"),
        ):  # fmt: skip
            with denied(scene.db, code):
                rows(scene.db, ADD_SLOT, scene.account, *values)
        with denied(scene.db, "NX450"):
            rows(scene.db, "update public.queue_slots set time_zone = 'CET' returning id")
        with denied(scene.db, "42501"):
            rows(scene.db, "update public.queue_slots set connection_id = gen_random_uuid() returning id")
    scene.db.execute("update private.settings set value = '1' where key = 'queue_slots_max'")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX458"):
        rows(scene.db, ADD_SLOT, scene.account, 2, "09:00", "UTC")


def test_nobody_reaches_the_slots_of_somebody_else(scene: Scene) -> None:
    add_slot(scene, 1)
    with acting_as(scene.db, create_person(scene.db)):
        assert rows(scene.db, "select * from public.queue_slots") == []
        with denied(scene.db, "23503"):
            rows(scene.db, ADD_SLOT, scene.account, 1, "10:00", "UTC")
        with denied(scene.db, "NX204"):
            rows(scene.db, NEXT, scene.account, MONDAY)
        with denied(scene.db, "NX204"):
            rows(scene.db, "select * from public.list_slots(%s, now(), now())", scene.account)
        with denied(scene.db, "NX401"):
            rows(scene.db, QUEUE, scene.post)


def test_parallel_calls_never_take_the_same_slot(db_url: str) -> None:
    """Twelve posts from six sessions at once, all for one account."""
    with psycopg.connect(db_url) as connection:
        scene = make_scene(connection)
        add_slot(scene, 1)
        add_slot(scene, 4, "18:00")
        posts = [scene.post, *(another(scene)[0] for _ in range(11))]
    start, taken, failures = threading.Barrier(6), [], []

    def fill(mine: list[uuid.UUID]) -> None:
        try:
            with psycopg.connect(db_url) as session:
                start.wait()
                for post in mine:
                    with session.transaction(), acting_as(session, scene.person):
                        taken.extend(at for _, at in rows(session, QUEUE, post))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=fill, args=(posts[i::6],)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(taken) == len(set(taken)) == 12
