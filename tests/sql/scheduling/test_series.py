"""Series: each occurrence once and ahead of time, in local time, whatever happens to workers and accounts meanwhile."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, add_target, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, create_person, denied

CREATE = """select series_id, occurrence_count, next_at, warnings
            from private.create_series(%s, %s, %s::date, %s::time, %s, %s::text[], %s::uuid, %s)"""
LIST = "select number, occurs_on::text, state from public.list_occurrences(%s)"
NOW = datetime(2027, 3, 1, tzinfo=UTC)


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """People, sessions and the platforms' clocks live now; the series of these tests live in 2027."""
    scene.db.execute("update private.settings set value = '\"2000 years\"' where key = 'session_inactivity'")
    return scene


def create(
    scene: Scene, rule: str, *, start: str = "2027-03-01", at: str = "09:00", zone: str = "UTC",
    texts: list[str] | None = None, key: uuid.UUID | None = None, now: datetime = NOW,
) -> tuple[uuid.UUID, int, datetime | None, list[dict[str, Any]]]:  # fmt: skip
    with acting_as(scene.db, scene.person):
        [row] = rows(scene.db, CREATE, scene.post, rule, start, at, zone, texts or [], key, now)
    return row  # type: ignore[return-value]


def housekeep(scene: Scene, now: datetime) -> int:
    return scalar(scene.db, "select private.make_due_occurrences(%s)", now)


def made(scene: Scene) -> list[tuple[str, datetime, str]]:
    """(text, time, state) of what series made."""
    return rows(
        scene.db,
        """select p.body, t.scheduled_at, t.state::text
           from public.post_occurrences o join public.posts p on p.id = o.post_id
           join public.post_targets t on t.post_id = p.id order by o.number, t.id""",
    )  # type: ignore[return-value]


def notices(scene: Scene) -> list[tuple[str, str | None]]:
    return [notice for notice in scene.notices() if "occurrence" in notice[0] or "series" in notice[0]]


def test_occurrences_are_made_up_to_the_horizon_and_then_one_by_one(scene: Scene) -> None:
    series, count, next_at, warnings = create(
        scene, "FREQ=WEEKLY;BYDAY=MO;COUNT=12", texts=["Week {n}, {date}"]
    )
    assert (count, next_at, warnings) == (12, datetime(2027, 5, 3, 9, tzinfo=UTC), [])
    found = made(scene)
    assert len(found) == 9
    assert found[1] == ("Week 2, 2027-03-08", datetime(2027, 3, 8, 9, tzinfo=UTC), "scheduled")
    due = next_at - timedelta(days=60)
    assert housekeep(scene, due - timedelta(seconds=1)) == 0
    assert housekeep(scene, due) == 1
    assert housekeep(scene, due) == 0
    assert housekeep(scene, datetime(2027, 5, 1, tzinfo=UTC)) == 2
    assert len(made(scene)) == 12
    assert rows(scene.db, "select state::text, next_at from public.post_series where id = %s", series) == [
        ("ended", None)
    ]
    assert scalar(scene.db, "select count(*) from private.queue where lane = 'publish'") == 12


def test_an_occurrence_is_a_copy_of_the_template(scene: Scene) -> None:
    other = add_target(
        scene.db,
        scene.person,
        scene.post,
        connect_account(scene.db, scene.person, "linkedin"),
        "No {n} on {date}",
    )
    scene.db.execute(
        "update public.post_targets set tolerance = '2 hours', options = %s where id = %s",
        ('{"visibility": "CONNECTIONS"}', other),
    )
    media = scalar(
        scene.db,
        """insert into public.media (user_id, object_name, kind, mime_type, size_bytes, alt_text)
           values (%s, %s, 'image', 'image/png', 10, 'x') returning id""",
        scene.person.user_id, f"{scene.person.user_id}/a.png",
    )  # fmt: skip
    scene.db.execute(
        "insert into public.post_media (post_id, media_id, user_id, position) values (%s, %s, %s, 3)",
        (scene.post, media, scene.person.user_id),
    )
    scene.db.execute("update public.posts set title = 'Part {n}' where id = %s", (scene.post,))
    scene.db.execute(
        "insert into public.target_follow_ups (user_id, target_id, body) values (%s, %s, 'More on {date}')",
        (scene.person.user_id, scene.target),
    )
    create(scene, "FREQ=DAILY;COUNT=1")
    copy, title = rows(
        scene.db,
        "select p.id, p.title from public.posts p join public.post_occurrences o on o.post_id = p.id",
    )[0]
    assert title == "Part 1"
    assert rows(scene.db, "select media_id, position from public.post_media where post_id = %s", copy) == [
        (media, 3)
    ]
    targets = rows(
        scene.db,
        "select text, options, tolerance::text, platform_id from public.post_targets where post_id = %s order by 4",
        copy,
    )
    assert targets == [
        ("No 1 on 2027-03-01", {"visibility": "CONNECTIONS"}, "02:00:00", "linkedin"),
        (None, {}, "01:00:00", "x"),
    ]
    assert rows(
        scene.db, """select f.body from public.target_follow_ups f join public.post_targets t on t.id = f.target_id
                     where t.post_id = %s""", copy,
    ) == [("More on 2027-03-01",)]  # fmt: skip
    assert scene.state() == "draft"


def test_local_time_stays_through_clock_changes(scene: Scene) -> None:
    create(scene, "FREQ=DAILY;COUNT=3", start="2027-03-27", at="02:30", zone="Europe/Berlin")
    assert [at for _, at, _ in made(scene)] == [
        datetime(2027, 3, 27, 1, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 1, 30, tzinfo=UTC),  # 02:30 does not exist: 03:30 summer time
        datetime(2027, 3, 29, 0, 30, tzinfo=UTC),
    ]
    assert rows(scene.db, "select adjusted from public.post_occurrences order by number") == [
        (None,),
        ("gap",),
        (None,),
    ]
    assert rows(scene.db, "select local_time, adjusted from public.target_local_times order by scheduled_at")[1] == (
        datetime(2027, 3, 28, 3, 30), "gap")  # fmt: skip


def test_texts_take_turns_and_repetition_is_pointed_out(scene: Scene) -> None:
    _, _, _, warnings = create(scene, "FREQ=DAILY;COUNT=5", texts=["A", "B"])
    assert [text for text, _, _ in made(scene)] == ["A", "B", "A", "B", "A"]
    [warning] = warnings
    assert (warning["rule"], warning["severity"], warning["measured"], warning["target_id"]) == (
        "repeated_text", "warning", 3, str(scene.target))  # fmt: skip
    assert create(scene, "FREQ=DAILY;COUNT=5")[3][0]["measured"] == 5
    assert create(scene, "FREQ=DAILY;COUNT=2", texts=["A", "B"])[3] == []
    assert create(scene, "FREQ=DAILY;COUNT=1")[3] == []


def test_what_was_over_at_the_beginning_is_left_out(scene: Scene) -> None:
    series, count, _, _ = create(scene, "FREQ=DAILY;COUNT=5", now=datetime(2027, 3, 3, 9, 0, 1, tzinfo=UTC))
    assert count == 2
    with acting_as(scene.db, scene.person):
        assert rows(scene.db, LIST, series) == [(4, "2027-03-04", "made"), (5, "2027-03-05", "made")]
        with denied(scene.db, "NX411"):
            rows(
                scene.db,
                CREATE,
                scene.post,
                "FREQ=DAILY;COUNT=2",
                "2027-02-01",
                "09:00",
                "UTC",
                [],
                None,
                NOW,
            )


def test_a_worker_that_was_down_makes_up_for_it_and_says_what_was_missed(scene: Scene) -> None:
    create(scene, "FREQ=MONTHLY;BYMONTHDAY=29;COUNT=12", start="2028-01-01", now=NOW)
    assert made(scene) == []
    assert housekeep(scene, datetime(2028, 3, 29, 9, 0, 1, tzinfo=UTC)) == 4
    assert rows(scene.db, "select occurs_on::text, state::text from public.post_occurrences order by number") == [
        ("2028-01-29", "missed"), ("2028-02-29", "missed"),
        ("2028-03-29", "missed"), ("2028-04-29", "made")]  # fmt: skip
    assert notices(scene) == [("occurrence_missed", None)] * 3
    assert housekeep(scene, datetime(2028, 3, 29, 9, 0, 1, tzinfo=UTC)) == 0


def test_an_occurrence_is_never_made_twice(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=DAILY;COUNT=3")
    scene.db.execute(
        "delete from public.posts p using public.post_occurrences o where o.post_id = p.id and o.number = 2"
    )
    # as if the note of how far it had come were lost
    scene.db.execute("update public.post_series set state = 'active', next_number = 1, make_at = now()")
    assert housekeep(scene, NOW) == 3
    assert [text for text, _, _ in made(scene)] == ["Hello", "Hello"]
    assert scalar(scene.db, "select count(*) from public.post_occurrences where series_id = %s", series) == 3


def test_two_rounds_of_housekeeping_at_once(db_url: str) -> None:
    with psycopg.connect(db_url) as connection:
        scene = make_scene(connection)
        connection.execute(
            "update private.settings set value = '\"2000 years\"' where key = 'session_inactivity'"
        )
        for _ in range(5):
            create(scene, "FREQ=DAILY;COUNT=10", start="2027-08-01")
    start = threading.Barrier(4)
    counts: list[int] = []

    def run() -> None:
        with psycopg.connect(db_url) as session:
            start.wait()
            counts.append(scalar(session, "select private.make_due_occurrences('2027-07-31Z')"))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with psycopg.connect(db_url) as connection:
        assert sum(counts) == 50
        assert (
            scalar(connection, "select count(*) from public.post_occurrences where post_id is not null") == 50
        )


def test_one_run_makes_a_bounded_number(scene: Scene) -> None:
    scene.db.execute("update private.settings set value = '4' where key = 'series_per_run'")
    create(scene, "FREQ=DAILY;COUNT=10", start="2027-08-01")
    later = datetime(2027, 7, 31, tzinfo=UTC)
    assert [housekeep(scene, later) for _ in range(4)] == [4, 4, 2, 0]


def test_an_account_that_is_gone_leaves_a_draft_and_a_notice(scene: Scene) -> None:
    create(scene, "FREQ=DAILY;COUNT=2", start="2027-08-01")
    scene.db.execute("select private.revoke_connection(%s, 'gone')", (scene.account,))
    assert housekeep(scene, datetime(2027, 7, 1, tzinfo=UTC)) == 2
    assert [state for _, _, state in made(scene)] == ["draft", "draft"]
    assert notices(scene) == [("occurrence_not_scheduled", "NX412")] * 2


def test_a_series_that_fails_does_not_stop_the_others(scene: Scene) -> None:
    bad, *_ = create(scene, "FREQ=DAILY;COUNT=1", start="2027-08-01")
    good, *_ = create(scene, "FREQ=DAILY;COUNT=1", start="2027-08-02")
    scene.db.execute("alter table public.post_series drop constraint rule_is_short")
    scene.db.execute("update public.post_series set rule = 'nonsense' where id = %s", (bad,))
    later = datetime(2027, 7, 31, tzinfo=UTC)
    assert housekeep(scene, later) == 1
    assert notices(scene) == [("series_failed", "NX453")]
    assert rows(scene.db, "select make_at from public.post_series where id = %s", bad) == [
        (later + timedelta(hours=1),)
    ]
    assert rows(scene.db, "select state::text from public.post_series where id = %s", good) == [("ended",)]


def test_deleting_the_template_ends_the_series(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=DAILY;COUNT=2", start="2027-08-01")
    with acting_as(scene.db, scene.person):
        rows(scene.db, "delete from public.posts where id = %s returning id", scene.post)
        with denied(scene.db, "NX401"):
            rows(scene.db, "select * from public.prepare_occurrence(%s, 1)", series)
    assert housekeep(scene, datetime(2027, 7, 31, tzinfo=UTC)) == 0
    assert rows(scene.db, "select state::text from public.post_series") == [("ended",)]


def test_skipping_before_and_after_it_was_made(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=MONTHLY;COUNT=4", start="2027-03-05")
    skip = "select state::text from public.skip_occurrence(%s, %s)"
    with acting_as(scene.db, scene.person):
        for number in (1, 3, 1, 3):
            assert rows(scene.db, skip, series, number) == [("skipped",)]
        for number in (0, 5, 99):
            with denied(scene.db, "NX456"):
                rows(scene.db, skip, series, number)
    assert [state for _, _, state in made(scene)] == ["cancelled", "scheduled"]
    housekeep(scene, datetime(2027, 6, 4, tzinfo=UTC))
    with acting_as(scene.db, scene.person):
        assert [state for _, _, state in rows(scene.db, LIST, series)] == [
            "skipped",
            "made",
            "skipped",
            "made",
        ]


def test_an_occurrence_that_is_out_cannot_be_skipped(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=DAILY;COUNT=1")
    scene.db.execute("update public.post_targets set state = 'publishing' where state = 'scheduled'")
    scene.db.execute(
        "update public.post_targets set state = 'published', published_at = now() where state = 'publishing'"
    )
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        rows(scene.db, "select * from public.skip_occurrence(%s, 1)", series)


def test_one_can_be_made_ahead_of_its_turn_and_edited(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=MONTHLY;COUNT=4", start="2027-03-05")
    with acting_as(scene.db, scene.person):
        prepare = "select post_id, occurs_on from public.prepare_occurrence(%s, 4)"
        [(post, day)] = rows(scene.db, prepare, series)
        assert day == date(2027, 6, 5)
        assert rows(scene.db, prepare, series) == [(post, day)]
        rows(scene.db, "update public.posts set body = 'Special' where id = %s returning id", post)
        with denied(scene.db, "NX456"):
            rows(scene.db, "select * from public.prepare_occurrence(%s, 5)", series)
    housekeep(scene, datetime(2027, 4, 20, tzinfo=UTC))
    assert [text for text, _, _ in made(scene)] == ["Hello", "Hello", "Hello", "Special"]


@pytest.mark.parametrize(("cancel", "states"), [(False, ["scheduled"] * 2), (True, ["cancelled"] * 2)])
def test_ending_a_series(scene: Scene, cancel: bool, states: list[str]) -> None:
    series, *_ = create(scene, "FREQ=MONTHLY;COUNT=4", start="2027-03-05")
    with acting_as(scene.db, scene.person):
        for _ in range(2):
            assert rows(scene.db, "select state::text from public.end_series(%s, %s)", series, cancel) == [
                ("ended",)
            ]
        assert len(rows(scene.db, LIST, series)) == 2
    assert housekeep(scene, datetime(2027, 6, 4, tzinfo=UTC)) == 0
    assert [state for _, _, state in made(scene)] == states


def test_a_repeat_makes_no_second_series(scene: Scene) -> None:
    key = uuid.uuid4()
    first = create(scene, "FREQ=DAILY;COUNT=2", key=key)
    assert create(scene, "FREQ=DAILY;COUNT=2", key=key) == first
    with acting_as(scene.db, scene.person), denied(scene.db, "NX003"):
        rows(scene.db, CREATE, scene.post, "FREQ=DAILY;COUNT=3", "2027-03-01", "09:00", "UTC", [], key, NOW)
    assert scalar(scene.db, "select count(*) from public.post_series") == 1


def test_a_series_needs_what_every_schedule_needs(scene: Scene) -> None:
    def refuse(code: str, **more: object) -> None:
        given = {
            "rule": "FREQ=DAILY;COUNT=2",
            "start": "2027-03-01",
            "at": "09:00",
            "zone": "UTC",
            "texts": [],
        } | more
        with acting_as(scene.db, scene.person), denied(scene.db, code):
            rows(
                scene.db,
                CREATE,
                scene.post,
                given["rule"],
                given["start"],
                given["at"],
                given["zone"],
                given["texts"],
                None,
                NOW,
            )

    refuse("NX450", zone="CET")
    refuse("NX453", rule="FREQ=DAILY")
    refuse("NX002", at="09:00:30")
    refuse("NX002", at=None)
    refuse("NX002", start="infinity")
    refuse("NX002", texts=["A", " "])
    refuse("NX002", texts=["A"] * 101)
    scene.db.execute("update private.settings set value = '0' where key = 'series_max'")
    refuse("NX458")
    scene.db.execute("update public.posts set body = %s", ("x" * 300,))
    refuse("NX410")
    scene.db.execute("select private.revoke_connection(%s, 'gone')", (scene.account,))
    refuse("NX412")
    scene.db.execute("delete from public.post_targets")
    refuse("NX413")


def test_nobody_reaches_the_series_of_somebody_else(scene: Scene) -> None:
    series, *_ = create(scene, "FREQ=DAILY;COUNT=2")
    with acting_as(scene.db, create_person(scene.db)):
        with denied(scene.db, "NX401"):
            rows(
                scene.db,
                CREATE,
                scene.post,
                "FREQ=DAILY;COUNT=2",
                "2027-03-01",
                "09:00",
                "UTC",
                [],
                None,
                NOW,
            )
        for call in (
            "end_series(%s)",
            "list_occurrences(%s)",
            "skip_occurrence(%s, 1)",
            "prepare_occurrence(%s, 1)",
        ):
            with denied(scene.db, "NX455"):
                rows(scene.db, f"select * from public.{call}", series)  # type: ignore[arg-type]
        assert rows(scene.db, "select * from public.post_series") == []
        assert rows(scene.db, "select * from public.post_occurrences") == []
