"""An account that has to be connected again pauses what is scheduled on it; connecting it again goes on with it."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.connections.making import consumed_flow, store
from tests.sql.publishing.making import Scene, add_post, add_target, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, denied

PAUSED = ("scheduled", "NX430", "The platform ended the connection to this account")


@pytest.fixture
def scene(db: psycopg.Connection) -> Scene:
    scene = make_scene(db)
    db.execute("update public.connections set external_account_id = 'mira'")
    return scene


def revoke(scene: Scene, offset: str = "0") -> None:
    scene.db.execute(
        "select private.revoke_connection(%s, 'invalid_grant', null, now() + %s::interval)",
        (scene.account, offset),
    )


def reconnect(scene: Scene) -> None:
    store(scene.db, consumed_flow(scene.db, scene.person, reconnect=scene.account), "mira")


def told(scene: Scene) -> tuple[str, str, str]:
    row = scene.row()
    return row["state"], row["failure_code"], row["failure_message"]


def due(scene: Scene) -> object:
    return scalar(scene.db, "select due_at - now() from private.queue where subject_id = %s", scene.target)


def test_it_is_paused_visibly_and_not_due(scene: Scene) -> None:
    scene.schedule("1 hour")
    revoke(scene)
    assert told(scene) == PAUSED
    assert scene.claim("90 minutes") == []
    assert told(scene) == PAUSED
    assert scene.notices() == [("connection_needs_reconnect", "invalid_grant")]
    assert scene.events() == [("draft", "scheduled", None)]


def test_connecting_again_goes_on_in_time(scene: Scene) -> None:
    scene.schedule("1 hour")
    revoke(scene)
    reconnect(scene)
    assert told(scene) == ("scheduled", None, None)
    assert scene.claim("59 minutes") == []
    assert [row["attempt"] for row in scene.claim("1 hour")] == [1]


def test_what_is_due_meanwhile_and_still_in_time_goes_out_at_once(scene: Scene) -> None:
    scene.schedule("0")
    scene.db.execute("update public.post_targets set scheduled_at = now() - interval '59 minutes'")
    revoke(scene)
    reconnect(scene)
    assert len(scene.claim()) == 1


def test_what_is_too_late_by_then_is_missed_and_told(scene: Scene) -> None:
    scene.schedule("0")
    revoke(scene)
    scene.db.execute("update public.post_targets set scheduled_at = now() - interval '61 minutes'")
    reconnect(scene)
    assert told(scene)[:2] == ("missed", "NX430")
    assert ("target_missed", "NX430") in scene.notices()
    assert scene.queued() is None


def test_without_a_reconnect_it_is_missed_and_told_when_its_time_is_over(scene: Scene) -> None:
    scene.schedule("1 hour")
    revoke(scene)
    assert scene.claim("2 hours") == []
    assert told(scene)[0] == "scheduled"
    assert scene.claim("2 hours 1 second") == []
    assert told(scene)[:2] == ("missed", "NX430")
    assert ("target_missed", "NX430") in scene.notices()


@pytest.mark.parametrize("uploading", [False, True])
def test_what_a_worker_has_not_sent_is_taken_away_and_paused(scene: Scene, uploading: bool) -> None:
    scene.schedule()
    scene.claim()
    if uploading:
        scene.save_progress(1, {"session": 1})
    revoke(scene)
    assert told(scene) == PAUSED
    assert not scene.mark(1)
    assert not scene.save_progress(1, {"session": 2})
    assert not scene.report(1, "reconnect")
    assert scene.attempts() == [(1, "reconnect")]
    reconnect(scene)
    assert [row["attempt"] for row in scene.claim()] == [2]
    assert scene.row()["attempt_base"] == 1  # the paused one is no try


def test_what_a_worker_has_is_paused_by_its_report(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    revoke(scene)
    assert scene.report(1, "reconnect")
    assert told(scene) == PAUSED
    reconnect(scene)
    assert [row["mode"] for row in scene.claim()] == ["publish"]


def test_a_report_that_comes_after_the_reconnect_is_a_plain_failed_try(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    revoke(scene)
    reconnect(scene)
    assert scene.report(1, "reconnect", code="token_refused")
    assert told(scene)[:2] == ("scheduled", "token_refused")
    assert len(scene.claim("10 minutes")) == 1


def test_a_report_that_comes_after_disconnecting_fails(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.db.execute("select private.disconnect(%s)", (scene.account,))
    assert scene.report(1, "reconnect")
    assert told(scene)[:2] == ("failed", "NX431")


def test_what_was_sent_is_not_paused_but_asked_about(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, "unknown")
    revoke(scene)
    assert scene.state() == "publishing"


def test_a_paused_target_can_be_cancelled_and_not_rescheduled(scene: Scene) -> None:
    scene.schedule("1 hour")
    revoke(scene)
    with acting_as(scene.db, scene.person):
        with denied(scene.db, "NX412"):
            scene.db.execute(
                "select public.reschedule_target(%s, now() + interval '3 hours')", (scene.target,)
            )
        scene.db.execute("select public.cancel_target(%s)", (scene.target,))
    reconnect(scene)
    assert scene.state() == "cancelled"
    assert scene.claim("1 hour") == []


def test_disconnecting_ends_the_wait(scene: Scene) -> None:
    scene.schedule("1 hour")
    revoke(scene)
    scene.db.execute("select private.disconnect(%s)", (scene.account,))
    assert told(scene)[:2] == ("failed", "NX431")


def test_other_accounts_are_not_concerned(scene: Scene) -> None:
    other = make_scene(scene.db)
    other.schedule("1 hour")
    scene.schedule("1 hour")
    revoke(scene)
    assert due(other) < due(scene)  # type: ignore[operator]
    assert other.row()["failure_code"] is None


def test_many_are_paused_and_resumed_together(scene: Scene) -> None:
    for minutes in range(1, 30):
        post = add_post(scene.db, scene.person, f"post {minutes}")
        add_target(scene.db, scene.person, post, scene.account)
        with acting_as(scene.db, scene.person):
            scene.db.execute(
                "select public.schedule_post(%s, now() + make_interval(mins => %s))", (post, minutes)
            )
    revoke(scene)
    paused = "select count(*) from public.post_targets where failure_code = 'NX430' and state = 'scheduled'"
    assert scalar(scene.db, paused) == 29
    reconnect(scene)
    assert scalar(scene.db, paused) == 0
    assert rows(
        scene.db,
        """select count(*) from private.queue q join public.post_targets t on t.id = q.subject_id
           where q.due_at = t.scheduled_at""",
    ) == [(29,)]


def test_a_transient_error_pauses_nothing(scene: Scene) -> None:
    scene.schedule("1 hour")
    scene.db.execute("select private.fail_refresh(%s, %s, 'HTTP_503')", (scene.account, scene.worker))
    assert told(scene) == ("scheduled", None, None)
