"""A thread whose account, or whose person's account, ends while one of its parts is being sent (P6.7)."""

from __future__ import annotations

import pytest

from tests.sql.publishing.making import Scene
from tests.sql.publishing.racing import ENDINGS_OF_ACCOUNTS, Ending, Race
from tests.sql.querying import scalar


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_a_thread_does_not_go_on_once_its_account_has_ended(race: Race, ending: Ending) -> None:
    """Its first part was being sent and stays; the mark of the second comes after the commit and is refused."""
    mark_first_of_two(race)
    ending.act(race.second)
    race.second.db.commit()
    assert record_part(race.first, 0) is False
    assert race.first.mark(1) is False
    assert race.first.row()["external_id"] == "part-0"
    assert race.first.state() == ("scheduled" if ending.stays_queued else "failed")
    assert race.first.attempts() == [(1, "refused")]


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_a_part_that_is_recorded_waits_for_an_ending(race: Race, ending: Ending) -> None:
    mark_first_of_two(race)
    ending.act(race.second)
    recorded = race.blocked(race.first, lambda scene: record_part(scene, 0))
    race.second.db.commit()
    assert recorded.result() is False
    assert race.first.mark(1) is False


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_a_thread_that_is_all_out_counts_whatever_ended_meanwhile(race: Race, ending: Ending) -> None:
    mark_first_of_two(race)
    assert record_part(race.first, 0)
    race.first.mark(1)
    race.first.db.commit()
    ending.act(race.second)
    race.second.db.commit()
    assert record_part(race.first, 1)
    assert race.first.report(1, "published", external_id="part-0")
    assert race.first.state() == "published"


def mark_first_of_two(race: Race) -> None:
    race.first.db.execute(
        "insert into public.target_follow_ups (user_id, target_id, position, body) values (%s, %s, 1, 'second')",
        (race.first.person.user_id, race.first.target),
    )
    race.first.claim()
    race.first.mark(1)
    race.first.db.commit()


def record_part(scene: Scene, position: int) -> bool:
    query = "select private.record_part(%s, %s, 1, %s, %s, null, null)"
    is_held = scalar(scene.db, query, scene.worker, scene.target, position, f"part-{position}")
    scene.db.commit()
    return bool(is_held)
