"""Dragging in a calendar: one call, of one target or of the whole post, and only what the person saw."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, add_target
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, create_person, denied

MOVE = "select id, scheduled_at, revision from public.move_target(%s, %s, %s, %s, %s)"
START = datetime(2027, 6, 7, 9, tzinfo=UTC)
LATER = START + timedelta(days=2, hours=3)


@pytest.fixture
def planned(scene: Scene) -> Scene:
    """The target at START, another one of the post an hour later."""
    second = add_target(
        scene.db, scene.person, scene.post, connect_account(scene.db, scene.person, "linkedin")
    )
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.schedule_post(%s, %s)", scene.post, START)
        rows(scene.db, "select * from public.reschedule_target(%s, %s)", second, START + timedelta(hours=1))
    return scene


def test_one_target_moves_alone(planned: Scene) -> None:
    with acting_as(planned.db, planned.person):
        assert rows(planned.db, MOVE, planned.target, LATER, 1, False, None) == [(planned.target, LATER, 2)]
    queued = planned.queued()
    assert queued is not None
    assert queued["due_at"] == LATER


def test_the_whole_post_moves_by_the_same_amount(planned: Scene) -> None:
    with acting_as(planned.db, planned.person):
        moved = rows(planned.db, MOVE, planned.target, LATER, 1, True, None)
    assert sorted(at for _, at, _ in moved) == [LATER, LATER + timedelta(hours=1)]
    due = "select array_agg(due_at order by due_at) from private.queue where lane = 'publish'"
    assert scalar(planned.db, due) == [LATER, LATER + timedelta(hours=1)]


def test_nothing_moves_when_one_of_them_would_be_past(planned: Scene) -> None:
    early = scalar(planned.db, "select now() + interval '30 minutes'")
    with acting_as(planned.db, planned.person):
        second = scalar(planned.db, "select id from public.post_targets where id <> %s", planned.target)
        with denied(planned.db, "NX411"):  # the first one would be half an hour ago
            rows(planned.db, MOVE, second, early, None, True, None)
    assert planned.row()["scheduled_at"] == START


def test_a_target_that_was_changed_meanwhile_stays(planned: Scene) -> None:
    with acting_as(planned.db, planned.person):
        rows(planned.db, MOVE, planned.target, LATER, 1, False, None)
        with denied(planned.db, "NX454"):
            rows(planned.db, MOVE, planned.target, START, 1, False, None)
        assert rows(planned.db, MOVE, planned.target, START, 2, False, None) == [(planned.target, START, 3)]


def test_a_repeat_changes_nothing(planned: Scene) -> None:
    key = uuid.uuid4()
    with acting_as(planned.db, planned.person):
        first = rows(planned.db, MOVE, planned.target, LATER, 1, True, key)
        assert rows(planned.db, MOVE, planned.target, LATER, 1, True, key) == first
        assert rows(planned.db, MOVE, planned.target, LATER, 1, False, None) == [(planned.target, LATER, 2)]
        with denied(planned.db, "NX003"):
            rows(planned.db, MOVE, planned.target, START, 1, True, key)


def test_a_draft_is_dropped_into_the_calendar(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        assert rows(scene.db, MOVE, scene.target, START, 0, True, None) == [(scene.target, START, 1)]


def test_what_a_worker_has_does_not_move(scene: Scene) -> None:
    scene.schedule()
    [claimed] = scene.claim()
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        rows(scene.db, MOVE, scene.target, LATER, None, False, None)
    assert scene.mark(claimed["attempt"])
    assert scene.report(claimed["attempt"], "published", external_id="1")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        rows(scene.db, MOVE, scene.target, LATER, None, False, None)


def test_the_zone_that_was_given_stays(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        local = "select * from public.schedule_post_local(%s, '2027-07-01 09:00', 'Europe/Berlin')"
        rows(scene.db, local, scene.post)
        rows(scene.db, MOVE, scene.target, datetime(2027, 12, 1, 8, tzinfo=UTC), None, False, None)
        kept = rows(scene.db, "select local_time, time_zone, adjusted from public.target_local_times")
    assert kept == [(datetime(2027, 12, 1, 9), "Europe/Berlin", None)]


def test_moving_is_for_the_person_of_the_target(planned: Scene) -> None:
    with acting_as(planned.db, create_person(planned.db)), denied(planned.db, "NX402"):
        rows(planned.db, MOVE, planned.target, LATER, None, False, None)
