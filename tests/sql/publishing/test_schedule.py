"""Putting a post on schedule: everything that is known to be wrong is refused there, and a repeat changes nothing."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, add_target, make_scene
from tests.support.personas import acting_as, create_person, denied

SCHEDULE = "select id, state::text, revision from public.schedule_post(%s, now() + %s::interval, %s)"
NOW = "select id, state::text, scheduled_at = now(), revision from public.publish_now(%s, %s)"


def test_scheduling_takes_every_target_of_the_post(scene: Scene) -> None:
    second = add_target(
        scene.db, scene.person, scene.post, connect_account(scene.db, scene.person, "linkedin")
    )
    with acting_as(scene.db, scene.person):
        rows = scene.db.execute(SCHEDULE, (scene.post, "1 hour", None)).fetchall()
    assert sorted(rows) == sorted([(scene.target, "scheduled", 1), (second, "scheduled", 1)])
    due = scene.db.execute(
        "select count(*) from private.queue where lane = 'publish' and due_at = now() + interval '1 hour'"
    )
    assert due.fetchone() == (2,)
    assert scene.events() == [("draft", "scheduled", None)]


def test_a_key_makes_a_repeat_an_answer(scene: Scene) -> None:
    key = uuid.uuid4()
    with acting_as(scene.db, scene.person):
        first = scene.db.execute(SCHEDULE, (scene.post, "1 hour", key)).fetchall()
        assert scene.db.execute(SCHEDULE, (scene.post, "1 hour", key)).fetchall() == first
        with denied(scene.db, "NX003"):
            scene.db.execute(SCHEDULE, (scene.post, "2 hours", key))


def test_a_double_click_without_a_key_is_harmless(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        first = scene.db.execute(SCHEDULE, (scene.post, "1 hour", None)).fetchall()
        assert scene.db.execute(SCHEDULE, (scene.post, "1 hour", None)).fetchall() == first
        with denied(scene.db, "NX413"):
            scene.db.execute(SCHEDULE, (scene.post, "2 hours", None))


@pytest.mark.parametrize(
    ("offset", "code"), [("-61 seconds", "NX411"), (None, "NX411"), ("-59 seconds", None)]
)
def test_the_time_is_not_past(scene: Scene, offset: str | None, code: str | None) -> None:
    with acting_as(scene.db, scene.person):
        if code is None:
            assert len(scene.db.execute(SCHEDULE, (scene.post, offset, None)).fetchall()) == 1
        else:
            with denied(scene.db, code):
                scene.db.execute(SCHEDULE, (scene.post, offset, None))


def test_infinity_is_no_time(scene: Scene) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX411"):
        scene.db.execute("select * from public.schedule_post(%s, 'infinity')", (scene.post,))


def test_problems_come_as_json(scene: Scene) -> None:
    scene.db.execute("update public.posts set body = %s", ("x" * 281,))
    with (
        acting_as(scene.db, scene.person),
        scene.db.transaction(),
        pytest.raises(psycopg.Error) as caught,
        scene.db.transaction(),
    ):
        scene.db.execute(SCHEDULE, (scene.post, "1 hour", None))
    assert caught.value.sqlstate == "NX410"
    [problem] = json.loads(caught.value.diag.message_detail or "")
    assert (problem["target_id"], problem["rule"], problem["limit_value"], problem["measured"]) == (
        str(scene.target),
        "text_length",
        280,
        281,
    )
    assert scene.state() == "draft"


def test_warnings_do_not_stop_anybody(scene: Scene) -> None:
    media = scene.db.execute(
        """insert into public.media (user_id, object_name, kind, mime_type, size_bytes)
           values (%s, %s, 'image', 'image/png', 10) returning id""",
        (scene.person.user_id, f"{scene.person.user_id}/a.png"),
    ).fetchone()
    assert media is not None
    scene.db.execute(
        "insert into public.post_media (post_id, media_id, user_id) values (%s, %s, %s)",
        (scene.post, media[0], scene.person.user_id),
    )
    scene.schedule("1 hour")
    assert scene.state() == "scheduled"


def test_scheduling_needs_a_connected_account(scene: Scene) -> None:
    scene.db.execute("select private.revoke_connection(%s, 'gone')", (scene.account,))
    with acting_as(scene.db, scene.person), denied(scene.db, "NX412"):
        scene.db.execute(SCHEDULE, (scene.post, "1 hour", None))


def test_scheduling_needs_the_scope(db: psycopg.Connection) -> None:
    scene = make_scene(db, "linkedin")
    db.execute("update public.connections set scopes = array['openid', 'profile']")
    with acting_as(db, scene.person), denied(db, "NX412"):  # P6.5
        db.execute(SCHEDULE, (scene.post, "1 hour", None))


def test_scheduling_needs_a_platform_that_is_offered(scene: Scene) -> None:
    scene.db.execute("update public.platforms set is_publishable = false where id = 'x'")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX414"):
        scene.db.execute(SCHEDULE, (scene.post, "1 hour", None))


def test_scheduling_is_for_the_person_of_the_post(scene: Scene) -> None:
    with acting_as(scene.db, create_person(scene.db)):
        for call, arguments in ((SCHEDULE, (scene.post, "1 hour", None)), (NOW, (scene.post, None))):
            with denied(scene.db, "NX401"):
                scene.db.execute(call, arguments)
    with acting_as(scene.db, None), denied(scene.db, "42501"):
        scene.db.execute(SCHEDULE, (scene.post, "1 hour", None))


def test_a_post_without_accounts_has_nothing_to_schedule(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("delete from public.post_targets")
        for call, arguments in ((SCHEDULE, (scene.post, "1 hour", None)), (NOW, (scene.post, None))):
            with denied(scene.db, "NX413"):
                scene.db.execute(call, arguments)


def test_publish_now_brings_forward_what_was_scheduled_and_repeats(scene: Scene) -> None:
    scene.schedule("5 hours")
    with acting_as(scene.db, scene.person):
        first = scene.db.execute(NOW, (scene.post, None)).fetchall()
        assert first == [(scene.target, "scheduled", True, 2)]
        assert scene.db.execute(NOW, (scene.post, None)).fetchall() == first
    queued = scene.queued()
    assert queued is not None
    assert [row["target_id"] for row in scene.claim()] == [scene.target]
    with acting_as(scene.db, scene.person):
        assert scene.db.execute(NOW, (scene.post, None)).fetchall() == first
        key = uuid.uuid4()
        assert (
            scene.db.execute(NOW, (scene.post, key)).fetchall()
            == scene.db.execute(NOW, (scene.post, key)).fetchall()
        )
