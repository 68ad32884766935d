"""The mark before the irreversible call: who gets leave to send, once; and the progress of longer uploads."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any, LiteralString

import pytest

from tests.sql.connections.making import register_worker
from tests.sql.publishing.making import Row, Scene, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, as_worker, denied

SCHEDULED = ("draft", "scheduled", None)
PUBLISHING = ("scheduled", "publishing", None)


@pytest.fixture
def claimed(scene: Scene) -> Scene:
    """A worker has it, attempt 1, and may send it until an hour from now."""
    scene.schedule()
    [claim] = scene.claim()
    assert claim["attempt"] == 1
    return scene


def mark_all(scene: Scene, marks: object, offset: str = "0") -> list[uuid.UUID]:
    query = "select * from private.mark_sending(%s, %s, now() + %s::interval)"
    return [row[0] for row in scene.db.execute(query, (scene.worker, json.dumps(marks), offset))]


def element(scene: Scene, attempt: int = 1, **more: object) -> Row:
    return {"target_id": str(scene.target), "attempt": attempt, **more}


def lease(scene: Scene) -> Row:
    queued = scene.queued()
    assert queued is not None
    return queued


def sent(scene: Scene) -> tuple[Any, ...]:
    """When it was marked, by which attempt, with which progress."""
    query = "select sending_at - now(), sending_attempt, progress from private.queue where subject_id = %s"
    [row] = rows(scene.db, query, scene.target)
    return row


def picture(scene: Scene) -> tuple[Any, ...]:
    """The target with the place of its row version, which every update changes."""
    [row] = rows(scene.db, "select t.ctid::text, t.* from public.post_targets t where id = %s", scene.target)
    return row


def told(scene: Scene) -> tuple[str, str | None]:
    row = scene.row()
    return row["state"], row["failure_code"]


def call(scene: Scene, query: LiteralString, *parameters: object) -> Any:
    return scalar(scene.db, query, *parameters)


def assert_left_alone(scene: Scene, before: Row) -> None:
    assert scene.queued() == before
    assert scene.events() == [SCHEDULED]
    assert scene.attempts() == []
    assert scene.notices() == []


# --- leave to send ------------------------------------------------------------------------------------------


def test_a_mark_says_when_which_attempt_began_to_send_and_what_to_ask_for(claimed: Scene) -> None:
    before, target = lease(claimed), picture(claimed)
    assert mark_all(claimed, [element(claimed, platform_key="container-9")], "5 seconds") == [claimed.target]
    assert sent(claimed) == (timedelta(seconds=5), 1, {"platform_key": "container-9"})
    marks = ("sending_at", "sending_attempt", "progress")
    assert {k: v for k, v in lease(claimed).items() if k not in marks} == {
        k: v for k, v in before.items() if k not in marks
    }
    assert picture(claimed) == target
    assert claimed.events() == [SCHEDULED]


def test_a_quick_publish_is_one_change_of_state(claimed: Scene) -> None:
    assert claimed.row()["attempt"] == 0
    assert claimed.mark(1)
    assert claimed.state() == "scheduled"
    assert claimed.report(1, "published", external_id="100")
    assert claimed.events() == [SCHEDULED, ("scheduled", "published", None)]
    assert claimed.attempts() == [(1, "published")]
    assert claimed.row()["attempt"] == 1
    assert claimed.queued() is None


def test_the_same_lease_may_ask_again_and_the_first_time_counts(claimed: Scene) -> None:
    assert claimed.mark(1, "1 second")
    assert claimed.mark(1, "20 seconds")
    assert sent(claimed) == (timedelta(seconds=1), 1, {"platform_key": "key"})


def test_a_mark_without_a_key_keeps_the_progress(claimed: Scene) -> None:
    claimed.save_progress(1, {"session": "s-1"})
    assert mark_all(claimed, [element(claimed)]) == [claimed.target]
    assert sent(claimed) == (timedelta(0), 1, {"session": "s-1"})


def test_a_key_is_added_to_the_progress_and_replaces_an_earlier_one(claimed: Scene) -> None:
    claimed.save_progress(1, {"session": "s-1"})
    assert claimed.mark(1, key="first")
    assert claimed.mark(1, key="second")
    assert sent(claimed)[2] == {"session": "s-1", "platform_key": "second"}


def test_a_key_is_kept_up_to_512_characters(claimed: Scene) -> None:
    assert claimed.mark(1, key="k" * 600)
    assert sent(claimed)[2] == {"platform_key": "k" * 512}


def test_workers_mark_and_nobody_else(claimed: Scene) -> None:
    wrapper: LiteralString = "select * from worker.mark_sending(%s, %s)"
    marks = json.dumps([element(claimed)])
    for person in (claimed.person, None):
        with acting_as(claimed.db, person), denied(claimed.db, "42501"):
            claimed.db.execute(wrapper, (claimed.worker, marks))
    with as_worker(claimed.db):
        assert rows(claimed.db, wrapper, claimed.worker, marks) == [(claimed.target,)]


# --- who has no leave ---------------------------------------------------------------------------------------


def test_another_worker_has_no_leave(claimed: Scene) -> None:
    before = lease(claimed)
    assert not claimed.mark(1, worker=register_worker(claimed.db, "other"))
    assert_left_alone(claimed, before)


def test_another_worker_does_not_end_what_is_too_late(claimed: Scene) -> None:
    before = lease(claimed)
    assert not claimed.mark(1, "2 hours", worker=register_worker(claimed.db, "other"))
    assert_left_alone(claimed, before)


@pytest.mark.parametrize("attempt", [0, 2])
@pytest.mark.parametrize("offset", ["0", "2 hours"])
def test_another_attempt_has_no_leave(claimed: Scene, attempt: int, offset: str) -> None:
    before = lease(claimed)
    assert not claimed.mark(attempt, offset)
    assert_left_alone(claimed, before)


def test_an_unknown_worker_has_no_leave(claimed: Scene) -> None:
    before = lease(claimed)
    assert not claimed.mark(1, worker=uuid.uuid4())
    assert_left_alone(claimed, before)


def test_nobody_marks_what_nobody_has(scene: Scene) -> None:
    scene.schedule()
    before = lease(scene)
    assert not scene.mark(0)
    assert not scene.mark(1)
    assert_left_alone(scene, before)


def test_what_was_given_back_is_not_marked(claimed: Scene) -> None:
    assert claimed.report(1, "released")
    before = lease(claimed)
    assert not claimed.mark(1)
    assert lease(claimed) == before
    assert claimed.state() == "scheduled"


def test_a_dead_worker_has_no_leave_once_its_lease_is_taken_back(claimed: Scene) -> None:
    claimed.kill()
    call(claimed, "select private.release_dead_leases()")
    before = lease(claimed)
    assert before["worker_id"] is None
    assert not claimed.mark(1)
    assert_left_alone(claimed, before)


def test_a_worker_that_was_declared_dead_has_no_leave_for_what_it_still_seems_to_have(claimed: Scene) -> None:
    claimed.db.execute("update private.workers set stopped_at = now(), released_at = now()")
    before = lease(claimed)
    assert before["worker_id"] == claimed.worker
    assert not claimed.mark(1)
    assert_left_alone(claimed, before)


def test_a_silent_worker_has_leave_until_somebody_takes_its_lease(claimed: Scene) -> None:
    claimed.kill()
    assert claimed.mark(1)


def test_the_late_first_worker_has_no_leave_and_the_second_does(claimed: Scene) -> None:
    claimed.kill()
    second = register_worker(claimed.db, "second")
    assert [row["attempt"] for row in claimed.claim(worker=second)] == [2]
    claimed.db.execute("update private.workers set stopped_at = null, released_at = null")
    assert not claimed.mark(1)
    assert not claimed.mark(2)
    assert claimed.mark(2, worker=second)
    assert sent(claimed) == (timedelta(0), 2, {"platform_key": "key"})


def test_what_was_sent_before_is_never_sent_by_a_later_attempt(claimed: Scene) -> None:
    assert claimed.mark(1)
    assert claimed.report(1, "unknown")
    [claim] = claimed.claim("10 minutes")
    assert (claim["attempt"], claim["mode"]) == (2, "reconcile")
    before = lease(claimed)
    for offset in ("10 minutes", "3 hours"):
        assert not claimed.mark(2, offset, key="again")
        assert lease(claimed) == before
    assert claimed.state() == "publishing"


# --- too late -----------------------------------------------------------------------------------------------


def test_until_the_end_of_its_time_it_may_be_sent(claimed: Scene) -> None:
    assert claimed.mark(1, "1 hour")


def test_after_its_time_it_may_not_be_sent_and_is_missed(claimed: Scene) -> None:
    assert not claimed.mark(1, "1 hour 1 second")
    assert told(claimed) == ("missed", "NX434")
    assert claimed.events() == [SCHEDULED, ("scheduled", "missed", "NX434")]
    assert claimed.attempts() == [(1, "refused")]
    assert claimed.notices() == [("target_missed", "NX434")]
    assert claimed.queued() is None
    assert call(claimed, "select sending_at is null from private.publish_attempts")
    assert not claimed.report(1, "published", "2 hours", external_id="100")


def test_a_refused_upload_is_missed_as_well(claimed: Scene) -> None:
    claimed.save_progress(1, {"session": "s-1"})
    assert not claimed.mark(1, "1 hour 1 second")
    assert claimed.events() == [SCHEDULED, PUBLISHING, ("publishing", "missed", "NX434")]


def test_a_repeat_that_comes_too_late_has_no_leave_and_leaves_the_mark(claimed: Scene) -> None:
    assert claimed.mark(1)
    before = lease(claimed)
    assert not claimed.mark(1, "1 hour 1 second")
    assert_left_alone(claimed, before)
    assert claimed.report(1, "unknown", "1 hour 1 second")
    assert claimed.state() == "publishing"


def test_one_that_is_too_late_keeps_no_others_from_being_sent(claimed: Scene) -> None:
    other = make_scene(claimed.db)
    other.schedule()
    with acting_as(other.db, other.person):
        other.db.execute("update public.post_targets set tolerance = '1 minute'")
    assert len(claimed.claim()) == 1
    marked = mark_all(claimed, [element(other), element(claimed)], "2 minutes")
    assert marked == [claimed.target]
    assert told(other) == ("missed", "NX434")
    assert sent(claimed)[:2] == (timedelta(minutes=2), 1)


# --- what ends the lease before the mark --------------------------------------------------------------------


def test_the_person_takes_it_back_before_the_mark(claimed: Scene) -> None:
    with acting_as(claimed.db, claimed.person):
        claimed.db.execute("select public.cancel_target(%s)", (claimed.target,))
    assert not claimed.mark(1)
    assert told(claimed) == ("cancelled", None)
    assert claimed.attempts() == [(1, "cancelled")]
    assert claimed.notices() == []


def test_the_account_is_disconnected_before_the_mark(claimed: Scene) -> None:
    call(claimed, "select private.disconnect(%s)", claimed.account)
    assert not claimed.mark(1)
    assert told(claimed) == ("failed", "NX431")
    assert claimed.attempts() == [(1, "disconnected")]
    assert claimed.notices() == [("target_failed", "NX431")]
    assert claimed.queued() is None


def test_the_platform_ends_the_grant_before_the_mark(claimed: Scene) -> None:
    assert call(claimed, "select private.revoke_connection(%s, 'invalid_grant')", claimed.account)
    assert not claimed.mark(1)
    assert told(claimed) == ("scheduled", "NX430")
    assert claimed.attempts() == [(1, "reconnect")]


@pytest.mark.parametrize(
    "ending",
    ["select private.restrict_processing(%s)", "select private.lock_down(%s, now())"],
    ids=["restricted", "erased"],
)
@pytest.mark.parametrize("uploading", [False, True])
def test_nobody_sends_for_who_is_restricted_or_about_to_be_erased(
    claimed: Scene, ending: LiteralString, uploading: bool
) -> None:
    if uploading:
        claimed.save_progress(1, {"session": "s-1"})
    call(claimed, ending, claimed.person.user_id)
    assert not claimed.mark(1)
    assert told(claimed) == ("cancelled", None)
    assert claimed.attempts() == [(1, "cancelled")]
    assert claimed.queued() is None


ENDINGS: list[LiteralString] = [
    "select private.disconnect(%(account)s)",
    "select private.revoke_connection(%(account)s, 'invalid_grant')",
    "select private.restrict_processing(%(person)s)",
    "select private.lock_down(%(person)s, now())",
    "select private.stop_worker(%(worker)s)",
]


@pytest.mark.parametrize("ending", ENDINGS, ids=["disconnect", "revoke", "restrict", "erase", "stop"])
def test_what_was_marked_before_is_left_alone_and_its_success_counts(
    claimed: Scene, ending: LiteralString
) -> None:
    assert claimed.mark(1)
    before, target = lease(claimed), picture(claimed)
    claimed.db.execute(
        ending, {"account": claimed.account, "person": claimed.person.user_id, "worker": claimed.worker}
    )
    assert lease(claimed) == before
    assert picture(claimed) == target
    assert claimed.report(1, "published", external_id="100")
    assert told(claimed) == ("published", None)
    assert claimed.attempts() == [(1, "published")]


def test_a_worker_that_stops_gives_back_what_it_has_not_marked(claimed: Scene) -> None:
    assert call(claimed, "select private.stop_worker(%s)", claimed.worker) == 1
    before = lease(claimed)
    assert (before["worker_id"], before["attempt"]) == (None, 1)
    assert not claimed.mark(1)
    assert_left_alone(claimed, before)
    second = register_worker(claimed.db, "second")
    assert [row["attempt"] for row in claimed.claim(worker=second)] == [2]


def test_a_worker_that_is_stopping_may_repeat_its_mark(claimed: Scene) -> None:
    assert claimed.mark(1, "1 second")
    assert call(claimed, "select private.stop_worker(%s)", claimed.worker) == 0
    assert claimed.mark(1, "2 seconds")
    assert sent(claimed)[:2] == (timedelta(seconds=1), 1)


def test_a_worker_that_is_stopping_goes_on_with_its_thread(claimed: Scene) -> None:
    assert claimed.mark(1)
    call(claimed, "select private.stop_worker(%s)", claimed.worker)
    recorded = "select private.record_part(%s, %s, 1, 0, '100', null, null)"
    assert call(claimed, recorded, claimed.worker, claimed.target)
    assert claimed.mark(1, "2 seconds", key="part-1")
    assert sent(claimed) == (timedelta(seconds=2), 1, {"platform_key": "part-1"})


def test_a_thread_that_is_half_out_is_not_gone_on_with_after_its_time(claimed: Scene) -> None:
    assert claimed.mark(1)
    recorded = "select private.record_part(%s, %s, 1, 0, '100', null, null)"
    assert call(claimed, recorded, claimed.worker, claimed.target)
    assert not claimed.mark(1, "1 hour 1 second")
    assert told(claimed) == ("failed", "NX439")
    assert claimed.notices() == [("target_failed", "NX439")]
    assert claimed.attempts() == [(1, "refused")]
    assert claimed.row()["external_id"] == "100"


# --- what a worker sends along ------------------------------------------------------------------------------


@pytest.mark.parametrize("marks", [{}, {"target_id": "x"}, "x", 1, None])
def test_marks_are_an_array(claimed: Scene, marks: object) -> None:
    before = lease(claimed)
    with denied(claimed.db, "NX002"):
        mark_all(claimed, marks)
    assert_left_alone(claimed, before)


def test_marks_are_not_null(claimed: Scene) -> None:
    with denied(claimed.db, "NX002"):
        claimed.db.execute("select private.mark_sending(%s, null)", (claimed.worker,))


def test_no_marks_are_no_leave(claimed: Scene) -> None:
    before = lease(claimed)
    assert mark_all(claimed, []) == []
    assert_left_alone(claimed, before)


@pytest.mark.parametrize(
    "malformed",
    [
        None, 7, "text", [], {}, {"target_id": "no id", "attempt": 1}, {"target_id": None, "attempt": 1},
        {"target_id": "OWN"}, {"target_id": "OWN", "attempt": None}, {"target_id": "OWN", "attempt": "one"},
        {"target_id": "OWN", "attempt": 1.5}, {"target_id": "OWN", "attempt": 99999999999},
        {"target_id": "OWN", "attempt": {"n": 1}}, {"target_id": str(uuid.UUID(int=1)), "attempt": 1},
    ],
)  # fmt: skip
def test_malformed_marks_are_passed_over_and_the_others_marked(scene: Scene, malformed: object) -> None:
    other = make_scene(scene.db)
    for each in (scene, other):
        each.schedule()
    assert len(scene.claim()) == 2
    before = lease(scene)
    if isinstance(malformed, dict) and malformed.get("target_id") == "OWN":
        malformed = malformed | {"target_id": str(scene.target)}
    assert mark_all(scene, [malformed, element(other, platform_key="k")]) == [other.target]
    assert sent(other) == (timedelta(0), 1, {"platform_key": "k"})
    assert lease(scene) == before


def test_a_mark_twice_in_one_call_is_answered_once(claimed: Scene) -> None:
    assert mark_all(claimed, [element(claimed), element(claimed)]) == [claimed.target]


def test_of_several_attempts_in_one_call_the_latest_counts(claimed: Scene) -> None:
    before = lease(claimed)
    assert mark_all(claimed, [element(claimed, 1), element(claimed, 2)]) == []
    assert_left_alone(claimed, before)
    assert mark_all(claimed, [element(claimed, 1), element(claimed, 0)]) == [claimed.target]


def test_many_are_marked_at_once_and_each_gets_its_own_key(scene: Scene) -> None:
    scenes = [make_scene(scene.db) for _ in range(5)]
    for each in scenes:
        each.schedule()
    assert len(scene.claim()) == 5
    marks = [element(each, platform_key=f"key {number}") for number, each in enumerate(scenes)]
    assert sorted(mark_all(scene, marks)) == sorted(each.target for each in scenes)
    assert [sent(each) for each in scenes] == [
        (timedelta(0), 1, {"platform_key": f"key {number}"}) for number in range(5)
    ]


# --- progress -----------------------------------------------------------------------------------------------


def save(scene: Scene, progress: object, offset: str = "0", *, attempt: int = 1) -> bool:
    query = "select private.save_progress(%s, %s, %s, %s, now() + %s::interval)"
    answer = call(scene, query, scene.worker, scene.target, attempt, json.dumps(progress), offset)
    return bool(answer)


def test_progress_shows_that_it_is_being_published_once(claimed: Scene) -> None:
    for number in range(3):
        assert save(claimed, {"session": number}, "1 minute")
    assert claimed.events() == [SCHEDULED, PUBLISHING]
    row = claimed.row()
    assert (row["state"], row["attempt"]) == ("publishing", 1)
    assert row["updated_at"] == call(claimed, "select now() + interval '1 minute'")
    assert lease(claimed)["progress"] == {"session": 2}


def test_only_the_first_progress_writes_the_target(claimed: Scene) -> None:
    assert save(claimed, {"session": 1})
    before = picture(claimed)
    assert save(claimed, {"session": 2}, "1 minute")
    assert picture(claimed) == before


def test_progress_renews_the_lease_and_nothing_else_of_it(claimed: Scene) -> None:
    before = lease(claimed)
    assert save(claimed, {"session": 1}, "20 minutes")
    renewed = call(claimed, "select now() + interval '20 minutes'")
    assert lease(claimed) == before | {"leased_at": renewed, "progress": {"session": 1}}


def test_progress_replaces_progress_and_keeps_the_key(claimed: Scene) -> None:
    assert save(claimed, {"session": 1, "part": 1})
    assert claimed.mark(1, key="container-9")
    assert save(claimed, {"session": 2})
    assert sent(claimed) == (timedelta(0), 1, {"session": 2, "platform_key": "container-9"})
    assert save(claimed, {"platform_key": "container-10"})
    assert sent(claimed) == (timedelta(0), 1, {"platform_key": "container-10"})


def test_progress_clears_what_an_earlier_try_said(claimed: Scene) -> None:
    assert claimed.report(1, "retry", code="busy", message="Busy")
    assert [row["attempt"] for row in claimed.claim("10 minutes")] == [2]
    assert told(claimed) == ("scheduled", "busy")
    assert save(claimed, {"session": 1}, "10 minutes", attempt=2)
    row = claimed.row()
    assert (row["failure_code"], row["failure_message"], row["attempt"]) == (None, None, 2)
    assert claimed.events()[-1] == PUBLISHING


@pytest.mark.parametrize("progress", [[], "x", 1, None, {"session": "s" * 16384}])
def test_progress_is_a_small_object(claimed: Scene, progress: object) -> None:
    before = lease(claimed)
    with denied(claimed.db, "NX002"):
        save(claimed, progress)
    assert_left_alone(claimed, before)


def test_progress_is_not_null(claimed: Scene) -> None:
    with denied(claimed.db, "NX002"):
        call(claimed, "select private.save_progress(%s, %s, 1, null)", claimed.worker, claimed.target)


def test_progress_may_have_nearly_16_kilobytes(claimed: Scene) -> None:
    progress = {"session": "s" * 16300}
    assert save(claimed, progress)
    assert lease(claimed)["progress"] == progress


def test_somebody_else_s_lease_takes_no_progress(claimed: Scene) -> None:
    before = lease(claimed)
    assert not claimed.save_progress(1, {"session": 1}, worker=register_worker(claimed.db, "other"))
    assert not claimed.save_progress(1, {"session": 1}, worker=uuid.uuid4())
    for attempt in (0, 2):
        assert not claimed.save_progress(attempt, {"session": 1})
    assert_left_alone(claimed, before)
    assert claimed.state() == "scheduled"


def test_what_was_taken_back_takes_no_progress(claimed: Scene) -> None:
    with acting_as(claimed.db, claimed.person):
        claimed.db.execute("select public.cancel_target(%s)", (claimed.target,))
    assert not claimed.save_progress(1, {"session": 1})
    assert told(claimed) == ("cancelled", None)


def test_a_retry_after_an_upload_waits_again_and_goes_on_with_its_progress(claimed: Scene) -> None:
    assert save(claimed, {"session": "s-1"})
    assert claimed.report(1, "retry", code="busy")
    assert told(claimed) == ("scheduled", "busy")
    assert claimed.events() == [SCHEDULED, PUBLISHING, ("publishing", "scheduled", "busy")]
    [claim] = claimed.claim("10 minutes")
    assert (claim["attempt"], claim["mode"], claim["progress"]) == (2, "publish", {"session": "s-1"})
    assert claimed.mark(2, "10 minutes")


def test_a_retry_after_the_mark_may_be_sent_again(claimed: Scene) -> None:
    assert claimed.mark(1)
    assert claimed.report(1, "retry", code="busy")
    assert sent(claimed)[:2] == (None, None)
    [claim] = claimed.claim("10 minutes")
    assert (claim["attempt"], claim["mode"]) == (2, "publish")
    assert claimed.mark(2, "10 minutes")
    assert sent(claimed)[:2] == (timedelta(minutes=10), 2)


def test_workers_save_progress_and_nobody_else(claimed: Scene) -> None:
    wrapper: LiteralString = "select worker.save_progress(%s, %s, 1, '{}')"
    for person in (claimed.person, None):
        with acting_as(claimed.db, person), denied(claimed.db, "42501"):
            claimed.db.execute(wrapper, (claimed.worker, claimed.target))
    with as_worker(claimed.db):
        assert call(claimed, wrapper, claimed.worker, claimed.target) is True


def test_a_mark_looks_at_its_own_rows_alone(scene: Scene) -> None:
    """Whatever the statistics say: nobody had a worker when they were made."""
    scene.schedule()
    scene.db.execute(
        "insert into private.queue (lane, subject_id, due_at)"
        " select 'publish', gen_random_uuid(), now() + interval '1 day' from generate_series(1, 2000)"
    )
    scene.db.execute("analyze private.queue")
    scene.claim()
    fetched = "select idx_tup_fetch from pg_stat_xact_user_tables where relid = 'private.queue'::regclass"
    before = scalar(scene.db, fetched)
    assert scene.mark(1)
    assert scalar(scene.db, fetched) - before < 20
