"""Reports from whoever has no lease any more: fenced off, but for a success of what was sent; and the last nets."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.sql.connections.making import register_worker
from tests.sql.publishing.making import Scene
from tests.sql.publishing.test_report_targets import (
    OTHERS,
    OUTCOMES,
    URL,
    attempt_rows,
    due_in,
    events,
    everything,
    told,
)
from tests.sql.querying import scalar
from tests.support.personas import acting_as


@pytest.fixture
def claimed(scene: Scene) -> Scene:
    """A worker has it and has not sent it: attempt 1."""
    scene.schedule()
    assert [row["attempt"] for row in scene.claim()] == [1]
    return scene


@pytest.fixture
def sent(claimed: Scene) -> Scene:
    """It is being sent."""
    assert claimed.mark(1)
    return claimed


# --- whoever has no lease has no say ------------------------------------------------------------------------


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize("outcome", OTHERS)
def test_another_worker_or_attempt_has_no_say(claimed: Scene, outcome: str, is_sent: bool) -> None:
    assert not is_sent or claimed.mark(1)
    before = everything(claimed)
    assert not claimed.report(1, outcome, worker=register_worker(claimed.db, "other"))
    assert not claimed.report(1, outcome, worker=uuid.uuid4())
    for attempt in (0, 2, -1):
        assert not claimed.report(attempt, outcome)
    assert everything(claimed) == before


def test_a_success_of_what_was_never_sent_counts_only_from_whoever_has_it(claimed: Scene) -> None:
    before = everything(claimed)
    assert not claimed.report(1, "published", worker=register_worker(claimed.db, "other"), external_id="1")
    assert not claimed.report(2, "published", external_id="1")
    assert everything(claimed) == before
    assert claimed.report(1, "published", external_id="1")


def lose(scene: Scene) -> uuid.UUID:
    """The worker dies; two minutes later another one has the target: attempt 2."""
    scene.kill()
    other = register_worker(scene.db, "other")
    assert [row["attempt"] for row in scene.claim("2 minutes", worker=other)] == [2]
    return other


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_worker_that_lost_what_it_had_not_sent_has_no_say(claimed: Scene, outcome: str) -> None:
    lose(claimed)
    assert claimed.attempts() == [(1, "lease_lost")]
    before = everything(claimed)
    for attempt in (1, 2):
        assert not claimed.report(attempt, outcome, "3 minutes", external_id="1")
    assert everything(claimed) == before


@pytest.mark.parametrize("outcome", OTHERS)
def test_a_worker_that_lost_what_it_had_sent_can_only_tell_of_a_success(sent: Scene, outcome: str) -> None:
    lose(sent)
    assert (sent.state(), sent.row()["attempt"]) == ("publishing", 1)
    before = everything(sent)
    for attempt in (1, 2):
        assert not sent.report(attempt, outcome, "3 minutes")
    assert everything(sent) == before


@pytest.mark.parametrize("outcome", OTHERS)
def test_what_a_person_took_back_is_not_brought_back(claimed: Scene, outcome: str) -> None:
    cancel(claimed)
    before = everything(claimed)
    assert not claimed.report(1, outcome)
    assert everything(claimed) == before


# --- late successes -----------------------------------------------------------------------------------------


def cancel(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("select public.cancel_target(%s)", (scene.target,))


def retry(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("select public.retry_target(%s)", (scene.target,))


def another_probes(scene: Scene) -> None:
    lose(scene)


def another_sends_again(scene: Scene) -> None:
    other = lose(scene)
    scene.report(2, "retry", "2 minutes", worker=other, code="not_there")
    assert [row["mode"] for row in scene.claim("5 minutes", worker=other)] == ["publish"]


def becomes_unconfirmed(scene: Scene) -> None:
    scene.report(2, "unconfirmed", "2 minutes", worker=lose(scene))


def becomes_failed(scene: Scene) -> None:
    scene.report(2, "rejected", "2 minutes", worker=lose(scene))


def becomes_missed(scene: Scene) -> None:
    scene.report(1, "retry", "2 minutes", retry_after_seconds=4000)


def becomes_cancelled(scene: Scene) -> None:
    scene.report(1, "retry", "2 minutes")
    cancel(scene)


def becomes_scheduled_again(scene: Scene) -> None:
    scene.report(1, "rejected", "2 minutes")
    retry(scene)


def is_taken_back_from_the_dead(scene: Scene) -> None:
    scene.kill()
    assert scalar(scene.db, "select private.release_dead_leases(now() + interval '2 minutes')") == 1


MEANWHILE = [
    (another_probes, "publishing"),
    (another_sends_again, "scheduled"),
    (becomes_unconfirmed, "unconfirmed"),
    (becomes_failed, "failed"),
    (becomes_missed, "missed"),
    (becomes_cancelled, "cancelled"),
    (becomes_scheduled_again, "scheduled"),
    (is_taken_back_from_the_dead, "scheduled"),
]


@pytest.mark.parametrize(("meanwhile", "state"), MEANWHILE)
def test_a_success_of_what_was_sent_counts_whatever_came_after_it(
    sent: Scene, meanwhile: Callable[[Scene], None], state: str
) -> None:
    meanwhile(sent)
    assert sent.state() == state
    attempts = attempt_rows(sent)
    assert sent.report(1, "published", "10 minutes", external_id="late-1", external_url=URL)
    row = sent.row()
    assert told(sent) == ("published", None, None)
    assert (row["external_id"], row["external_url"]) == ("late-1", URL)
    assert row["published_at"] == row["scheduled_at"] + timedelta(minutes=10) or state == "scheduled"
    assert sent.queued() is None
    added = [one for one in attempt_rows(sent) if one not in attempts]
    assert [(one["attempt"], one["outcome"], one["code"]) for one in added] == [(1, "published", "late")]
    assert (added[0]["worker_id"], added[0]["finished"]) == (sent.worker, timedelta(minutes=10))
    assert added[0]["sending_at"] is not None
    assert events(sent)[-1][:3] == (state, "published", None)
    assert sent.claim("11 minutes") == []


@pytest.mark.parametrize(("meanwhile", "state"), MEANWHILE)
def test_a_late_success_is_repeated_without_effect_and_not_contradicted(
    sent: Scene, meanwhile: Callable[[Scene], None], state: str
) -> None:
    meanwhile(sent)
    assert sent.report(1, "published", "10 minutes", external_id="late-1")
    before = everything(sent)
    assert sent.report(1, "published", "11 minutes", external_id="late-1")
    assert not sent.report(1, "published", "11 minutes", external_id="late-2")
    for outcome in OTHERS:
        assert not sent.report(1, outcome, "11 minutes")
    assert everything(sent) == before


def test_after_a_late_success_whoever_has_it_sends_no_more(sent: Scene) -> None:
    other = lose(sent)
    sent.report(2, "retry", "2 minutes", worker=other)
    sent.claim("5 minutes", worker=other)
    assert sent.report(1, "published", "6 minutes", external_id="late-1")
    assert not sent.mark(3, "6 minutes", worker=other)
    assert not sent.report(3, "published", "6 minutes", worker=other, external_id="3")
    assert sent.row()["external_id"] == "late-1"


@pytest.mark.parametrize("attempt", [1, 2])
def test_a_late_success_of_an_attempt_that_was_never_marked_does_not_count(
    claimed: Scene, attempt: int
) -> None:
    other = lose(claimed)
    claimed.report(2, "rejected", "2 minutes", worker=other)
    before = everything(claimed)
    assert not claimed.report(attempt, "published", "3 minutes", external_id="1")
    assert everything(claimed) == before


# --- the last nets ------------------------------------------------------------------------------------------

RECOVER = "select private.recover_lost_targets(now() + %s::interval)"
UNSTICK = "select private.release_stuck_targets(now() + %s::interval)"


def drop_from_queue(scene: Scene) -> None:
    scene.db.execute("delete from private.queue where lane = 'publish' and subject_id = %s", (scene.target,))


@pytest.mark.parametrize("uploading", [False, True])
def test_what_is_due_and_in_no_queue_is_put_before_the_person(claimed: Scene, uploading: bool) -> None:
    if uploading:
        claimed.save_progress(1, {"session": 1})
    drop_from_queue(claimed)
    assert scalar(claimed.db, RECOVER, "4 minutes 59 seconds") == 0
    assert scalar(claimed.db, RECOVER, "6 minutes") == 1
    assert (claimed.state(), claimed.row()["failure_code"]) == ("unconfirmed", "NX435")
    assert ("target_unconfirmed", "NX435") in claimed.notices()
    assert scalar(claimed.db, RECOVER, "6 minutes") == 0
    assert claimed.claim("6 minutes") == []


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
def test_what_is_in_the_queue_or_over_is_not_recovered(sent: Scene, outcome: str | None) -> None:
    assert outcome is None or sent.report(1, outcome)
    before = everything(sent)
    assert scalar(sent.db, RECOVER, "1 hour") == 0
    assert everything(sent) == before


@pytest.mark.parametrize("outcome", OTHERS)
def test_a_lease_without_progress_is_taken_back_and_its_report_fenced_off(
    claimed: Scene, outcome: str
) -> None:
    assert scalar(claimed.db, UNSTICK, "29 minutes") == 0
    assert scalar(claimed.db, UNSTICK, "31 minutes") == 1
    assert due_in(claimed) == timedelta(minutes=31)
    before = everything(claimed)
    assert not claimed.report(1, outcome, "31 minutes")
    assert not claimed.mark(1, "31 minutes")
    assert everything(claimed) == before
    assert [row["attempt"] for row in claimed.claim("31 minutes")] == [2]
    before = everything(claimed)
    assert not claimed.report(1, outcome, "32 minutes")
    assert everything(claimed) == before
    assert claimed.attempts() == [(1, "lease_lost")]


def test_progress_keeps_a_lease(claimed: Scene) -> None:
    query = "select private.save_progress(%s, %s, 1, '{}', now() + interval '20 minutes')"
    assert scalar(claimed.db, query, claimed.worker, claimed.target)
    assert scalar(claimed.db, UNSTICK, "31 minutes") == 0
    assert scalar(claimed.db, UNSTICK, "51 minutes") == 1


def test_what_was_sent_and_got_stuck_is_asked_about(sent: Scene) -> None:
    assert scalar(sent.db, UNSTICK, "31 minutes") == 1
    other = register_worker(sent.db, "other")
    assert [row["mode"] for row in sent.claim("31 minutes", worker=other)] == ["reconcile"]
    assert sent.report(1, "published", "32 minutes", external_id="late-1")
    assert sent.state() == "published"
