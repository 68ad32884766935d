"""What was checked stays true until it is published, and what a worker has in hand does not change under it."""

from __future__ import annotations

import pytest

from tests.sql.publishing.making import Scene
from tests.support.personas import acting_as, denied

EDITS = {
    "post": "update public.posts set body = 'changed'",
    "target": "update public.post_targets set text = 'changed' returning id",
}


def test_a_scheduled_post_can_be_edited_within_the_rules(scene: Scene) -> None:
    scene.schedule("1 hour")
    with acting_as(scene.db, scene.person):
        scene.db.execute(EDITS["post"])
        with denied(scene.db, "NX410"):
            scene.db.execute("update public.posts set body = repeat('x', 281)")
        assert len(scene.db.execute(EDITS["target"]).fetchall()) == 1
        with denied(scene.db, "NX410"):
            scene.db.execute("update public.post_targets set text = repeat('x', 281)")
        scene.db.execute("update public.posts set body = repeat('x', 281)")  # the target has its own text now
    [claimed] = scene.claim("1 hour")
    assert claimed["text"] == "changed"


def test_a_draft_may_break_rules(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.posts set body = repeat('x', 281)")
        scene.db.execute("update public.post_targets set text = repeat('x', 281)")


@pytest.mark.parametrize("stage", ["claimed", "sending", "unknown"])
def test_content_is_still_while_it_is_published(scene: Scene, stage: str) -> None:
    scene.schedule()
    scene.claim()
    if stage != "claimed":
        scene.mark(1)
    if stage == "unknown":
        scene.report(1, "unknown")
    with acting_as(scene.db, scene.person):
        with denied(scene.db, "NX423"):
            scene.db.execute(EDITS["post"])
        with denied(scene.db, "NX422"):
            scene.db.execute("delete from public.posts")
        if stage == "unknown":
            assert scene.db.execute(EDITS["target"]).fetchall() == []  # the row policy
        else:
            with denied(scene.db, "NX423"):
                scene.db.execute(EDITS["target"])
        scene.db.execute("update public.posts set script_id = null")  # not content


def test_a_longer_time_window_reaches_the_queue(scene: Scene) -> None:
    scene.schedule()
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set tolerance = '3 hours'")
    assert [row["attempt"] for row in scene.claim("2 hours")] == [1]
    assert scene.mark(1, "3 hours")


def test_content_moves_again_after_the_outcome(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, "published", external_id="1")
    with acting_as(scene.db, scene.person):
        scene.db.execute(EDITS["post"])
        scene.db.execute("delete from public.posts")
    assert scene.db.execute("select count(*) from public.post_targets").fetchone() == (0,)


def test_a_scheduled_post_can_be_deleted(scene: Scene) -> None:
    scene.schedule("1 hour")
    with acting_as(scene.db, scene.person):
        scene.db.execute("delete from public.posts")
    assert scene.queued() is None
    assert scene.claim("1 hour") == []


def attach(scene: Scene, name: str, kind: str = "image", mime: str = "image/png") -> None:
    row = scene.db.execute(
        """insert into public.media (user_id, object_name, kind, mime_type, size_bytes)
           values (%s, %s, %s, %s, 10) returning id""",
        (scene.person.user_id, f"{scene.person.user_id}/{name}", kind, mime),
    ).fetchone()
    assert row is not None
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            """insert into public.post_media (post_id, media_id, position)
               values (%s, %s, (select count(*) + 1 from public.post_media))""",
            (scene.post, row[0]),
        )


def test_files_of_a_scheduled_post_keep_the_rules(scene: Scene) -> None:
    scene.schedule("1 hour")
    attach(scene, "a")
    with denied(scene.db, "NX410"):
        attach(scene, "b", "video", "video/mp4")
    with acting_as(scene.db, scene.person):
        scene.db.execute("delete from public.post_media")


def test_files_are_still_while_they_are_published(scene: Scene) -> None:
    attach(scene, "a")
    scene.schedule()
    [claimed] = scene.claim()
    assert [(f["object_name"], f["mime_type"]) for f in claimed["media"]] == [
        (f"{scene.person.user_id}/a", "image/png")
    ]
    with denied(scene.db, "NX423"):
        attach(scene, "b")
    with acting_as(scene.db, scene.person):
        for statement in (
            "delete from public.post_media",
            "update public.post_media set position = 2",
            "delete from public.media",
        ):
            with denied(scene.db, "NX423"):
                scene.db.execute(statement)


def test_a_post_that_loses_its_only_content_stays_off_schedule(scene: Scene) -> None:
    attach(scene, "a")
    scene.db.execute("update public.posts set body = ''")
    scene.schedule("1 hour")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX410"):
        scene.db.execute("delete from public.media")
