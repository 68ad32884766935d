"""Moving, retrying, cancelling and resolving single targets."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.connections.making import register_worker
from tests.sql.publishing.making import Scene
from tests.support.personas import acting_as, create_person, denied

RESCHEDULE = """select state::text, scheduled_at = now() + %s::interval
                from public.reschedule_target(%s, now() + %s::interval, %s)"""
RETRY = "select state::text, scheduled_at = now() from public.retry_target(%s, %s)"
CANCEL = "select state::text from public.cancel_target(%s)"
RESOLVE = "select state::text, external_url, failure_code from public.resolve_unconfirmed(%s, %s, %s)"


def reschedule(scene: Scene, offset: str, key: uuid.UUID | None = None) -> tuple[str, bool] | None:
    with acting_as(scene.db, scene.person):
        return scene.db.execute(RESCHEDULE, (offset, scene.target, offset, key)).fetchone()


def test_rescheduling_moves_target_and_queue_row(scene: Scene) -> None:
    scene.schedule("1 hour")
    for offset in ("3 hours", "3 hours", "30 minutes"):
        assert reschedule(scene, offset) == ("scheduled", True)
        queued = scene.queued()
        assert queued is not None
        assert queued["due_at"] == scene.row()["scheduled_at"]
    assert scene.row()["revision"] == 3  # the repeat did not count
    assert len(scene.events()) == 1


def test_rescheduling_gives_a_draft_its_first_time(scene: Scene) -> None:
    key = uuid.uuid4()
    assert reschedule(scene, "1 hour", key) == ("scheduled", True)
    assert reschedule(scene, "1 hour", key) == ("scheduled", True)
    with acting_as(scene.db, scene.person), denied(scene.db, "NX003"):
        scene.db.execute(RESCHEDULE, ("2 hours", scene.target, "2 hours", key))


def test_rescheduling_is_refused_once_a_worker_has_it(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(RESCHEDULE, ("1 hour", scene.target, "1 hour", None))
    scene.mark(1)
    scene.report(1, "published", external_id="1")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(RESCHEDULE, ("1 hour", scene.target, "1 hour", None))


def test_rescheduling_checks_again(scene: Scene) -> None:
    scene.schedule("1 hour")
    scene.db.execute("update public.posts set body = repeat('x', 281)")  # not a person: no guard
    with acting_as(scene.db, scene.person), denied(scene.db, "NX410"):
        scene.db.execute(RESCHEDULE, ("2 hours", scene.target, "2 hours", None))
    with acting_as(scene.db, scene.person), denied(scene.db, "NX411"):
        scene.db.execute(RESCHEDULE, ("-2 hours", scene.target, "-2 hours", None))


@pytest.mark.parametrize(
    "function",
    [
        "cancel_target(%s)",
        "retry_target(%s)",
        "resolve_unconfirmed(%s, true)",
        "reschedule_target(%s, now())",
    ],
)
def test_other_people_reach_nothing(scene: Scene, function: str) -> None:
    scene.schedule("1 hour")
    with acting_as(scene.db, create_person(scene.db)), denied(scene.db, "NX402"):
        scene.db.execute(f"select public.{function}", (scene.target,))
    with acting_as(scene.db, None), denied(scene.db, "42501"):
        scene.db.execute(f"select public.{function}", (scene.target,))


def test_retrying_a_failure_starts_a_new_count_but_never_reuses_an_attempt_number(scene: Scene) -> None:
    scene.schedule()
    assert [row["attempt"] for row in scene.claim()] == [1]
    scene.report(1, "rejected", code="403", message="Not allowed")
    assert (scene.state(), scene.row()["failure_code"], scene.row()["failure_message"]) == (
        "failed",
        "403",
        "Not allowed",
    )
    with acting_as(scene.db, scene.person):
        assert scene.db.execute(RETRY, (scene.target, None)).fetchone() == ("scheduled", True)
        assert scene.db.execute(RETRY, (scene.target, None)).fetchone() == ("scheduled", True)
    assert scene.row()["failure_code"] is None
    assert [row["attempt"] for row in scene.claim()] == [2]
    assert scene.report(1, "rejected") is False
    with acting_as(scene.db, scene.person):
        assert scene.db.execute(RETRY, (scene.target, None)).fetchone() == ("scheduled", True)


def test_another_time_after_a_lost_lease_starts_a_new_count_and_gives_no_number_again(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.kill()
    scene.db.execute("select private.release_dead_leases()")
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            "select * from public.reschedule_target(%s, now() + interval '1 hour')", (scene.target,)
        )
    assert (scene.row()["attempt"], scene.row()["attempt_base"]) == (0, 1)
    [claimed] = scene.claim("1 hour", worker=register_worker(scene.db))
    assert claimed["attempt"] == 2
    assert not scene.report(1, "rejected")


def test_only_failures_and_misses_are_retried(scene: Scene) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(RETRY, (scene.target, None))
    scene.schedule("1 hour")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(RETRY, (scene.target, None))


def cancel(scene: Scene) -> str:
    with acting_as(scene.db, scene.person):
        row = scene.db.execute(CANCEL, (scene.target,)).fetchone()
    assert row is not None
    return row[0]


def test_cancelling_takes_it_out_of_the_queue_and_repeats(scene: Scene) -> None:
    scene.schedule("1 hour")
    assert cancel(scene) == "cancelled"
    assert cancel(scene) == "cancelled"
    assert scene.queued() is None
    assert scene.claim("2 hours") == []
    scene.schedule("1 hour")
    assert scene.state() == "scheduled"


def test_cancelling_wins_over_a_worker_until_it_sends(scene: Scene) -> None:
    scene.schedule()
    [claimed] = scene.claim()
    assert cancel(scene) == "cancelled"
    assert scene.mark(claimed["attempt"]) is False
    assert scene.report(claimed["attempt"], "published", external_id="1") is False  # it had no leave to send
    assert scene.state() == "cancelled"
    assert scene.attempts() == [(1, "cancelled")]


def test_a_lease_that_was_cancelled_cannot_come_back_to_life(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    cancel(scene)
    scene.schedule()
    [second] = scene.claim()
    assert second["attempt"] == 2
    assert scene.mark(1) is False
    assert scene.report(1, "rejected") is False
    assert scene.mark(2) is True


def test_cancelling_is_too_late_once_it_is_sent(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    for _ in range(2):
        with acting_as(scene.db, scene.person), denied(scene.db, "NX420"):
            scene.db.execute(CANCEL, (scene.target,))
        scene.report(1, "unknown")  # waits for a probe: it may be on the platform


@pytest.mark.parametrize("outcome", ["published", "rejected", "unconfirmed"])
def test_what_has_ended_cannot_be_cancelled(scene: Scene, outcome: str) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, outcome, external_id="1")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(CANCEL, (scene.target,))


def test_a_draft_has_nothing_to_cancel(scene: Scene) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(CANCEL, (scene.target,))


def unconfirmed(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, "unconfirmed")
    assert scene.state() == "unconfirmed"


def test_the_person_found_it(scene: Scene) -> None:
    unconfirmed(scene)
    url = "https://x.com/i/status/1"
    with acting_as(scene.db, scene.person):
        for _ in range(2):
            assert scene.db.execute(RESOLVE, (scene.target, True, url)).fetchone() == ("published", url, None)
        with denied(scene.db, "NX421"):
            scene.db.execute(RESOLVE, (scene.target, False, None))
    assert scene.row()["published_at"] is not None


def test_the_person_did_not_find_it_and_retries(scene: Scene) -> None:
    unconfirmed(scene)
    with acting_as(scene.db, scene.person):
        for _ in range(2):
            assert scene.db.execute(RESOLVE, (scene.target, False, None)).fetchone() == (
                "failed",
                None,
                "NX437",
            )
        assert scene.db.execute(RETRY, (scene.target, None)).fetchone() == ("scheduled", True)
    assert [row["mode"] for row in scene.claim()] == ["publish"]


SEND_AGAIN = "select state::text, scheduled_at = now() from public.resolve_unconfirmed(%s, false, null, true)"


def test_the_person_did_not_find_it_and_has_it_sent_again(scene: Scene) -> None:
    unconfirmed(scene)
    assert [kind for kind, _ in scene.notices()] == ["target_unconfirmed"]
    with acting_as(scene.db, scene.person):
        for _ in range(2):
            assert scene.db.execute(SEND_AGAIN, (scene.target,)).fetchone() == ("scheduled", True)
    assert [(a, b) for a, b, _ in scene.events()][-2:] == [("unconfirmed", "failed"), ("failed", "scheduled")]
    assert scene.db.execute("select read_at is not null from public.notifications").fetchall() == [(True,)]
    assert [row["mode"] for row in scene.claim()] == ["publish"]


def test_it_is_sent_again_after_second_thoughts(scene: Scene) -> None:
    unconfirmed(scene)
    with acting_as(scene.db, scene.person):
        scene.db.execute(RESOLVE, (scene.target, False, None))
        assert scene.db.execute(SEND_AGAIN, (scene.target,)).fetchone() == ("scheduled", True)


def test_nothing_is_sent_again_that_is_there_or_was_never_in_doubt(scene: Scene) -> None:
    unconfirmed(scene)
    with acting_as(scene.db, scene.person), denied(scene.db, "NX002"):
        scene.db.execute("select public.resolve_unconfirmed(%s, true, null, true)", (scene.target,))
    with acting_as(scene.db, scene.person):
        scene.db.execute(RESOLVE, (scene.target, True, None))
        with denied(scene.db, "NX421"):
            scene.db.execute(SEND_AGAIN, (scene.target,))


def test_an_answer_without_a_link_keeps_the_link_that_is_there(scene: Scene) -> None:
    unconfirmed(scene)
    scene.db.execute("update public.post_targets set external_url = 'https://x.com/i/status/1'")
    with acting_as(scene.db, scene.person):
        row = scene.db.execute(RESOLVE, (scene.target, True, None)).fetchone()
    assert row == ("published", "https://x.com/i/status/1", None)


@pytest.mark.parametrize(
    ("found", "url"), [(None, None), (True, "http://x.com"), (True, "javascript:alert(1)")]
)
def test_resolving_takes_an_answer_and_a_safe_link(scene: Scene, found: bool | None, url: str | None) -> None:
    unconfirmed(scene)
    with acting_as(scene.db, scene.person), denied(scene.db, "NX002"):
        scene.db.execute(RESOLVE, (scene.target, found, url))


def test_only_the_unconfirmed_is_resolved(scene: Scene) -> None:
    scene.schedule()
    with acting_as(scene.db, scene.person), denied(scene.db, "NX421"):
        scene.db.execute(RESOLVE, (scene.target, True, None))
