"""Threads and first comments: who may write them, how they go out part by part, never twice, never half forgotten."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.sql.connections.making import register_worker
from tests.sql.publishing.making import Scene
from tests.support.personas import acting_as, create_person, denied


def add_part(scene: Scene, position: int, body: str) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            "insert into public.target_follow_ups (target_id, position, body) values (%s, %s, %s)",
            (scene.target, position, body),
        )


def record(
    scene: Scene, attempt: int, position: int, external_id: str = "100", *, worker: uuid.UUID | None = None,
    url: str | None = None, charge: str | None = None, offset: str = "0",
) -> bool:  # fmt: skip
    row = scene.db.execute(
        "select private.record_part(%s, %s, %s, %s, %s, %s, %s, now() + %s::interval)",
        (worker or scene.worker, scene.target, attempt, position, external_id, url, charge, offset),
    ).fetchone()
    assert row is not None
    return row[0]


def parts(scene: Scene) -> list[tuple[int, str | None]]:
    return scene.db.execute(
        "select position, external_id from public.target_follow_ups where target_id = %s order by position",
        (scene.target,),
    ).fetchall()


@pytest.fixture
def thread(scene: Scene) -> Scene:
    """A post with two further parts, due now."""
    add_part(scene, 1, "second")
    add_part(scene, 2, "third")
    scene.schedule()
    return scene


# --- what people may do -------------------------------------------------------------------------------------


def test_a_claim_carries_the_parts_in_order(thread: Scene) -> None:
    (claim,) = thread.claim()
    assert claim["external_id"] is None
    assert claim["follow_ups"] == [
        {"position": 1, "text": "second", "external_id": None},
        {"position": 2, "text": "third", "external_id": None},
    ]


def test_a_target_without_parts_carries_none(scene: Scene) -> None:
    scene.schedule()
    (claim,) = scene.claim()
    assert (claim["external_id"], claim["follow_ups"]) == (None, [])


def test_nobody_adds_parts_to_a_stranger_s_target(thread: Scene) -> None:
    stranger = create_person(thread.db)
    with acting_as(thread.db, stranger), denied(thread.db, "42501"):
        thread.db.execute(
            "insert into public.target_follow_ups (target_id, body, position) values (%s, 'x', 9)",
            (thread.target,),
        )
    with acting_as(thread.db, stranger):
        assert thread.db.execute("update public.target_follow_ups set body = 'x'").rowcount == 0
        assert thread.db.execute("delete from public.target_follow_ups").rowcount == 0


@pytest.mark.parametrize("column", ["external_id", "external_url", "published_at", "target_id", "user_id"])
def test_people_do_not_write_what_workers_record(thread: Scene, column: str) -> None:
    with acting_as(thread.db, thread.person), denied(thread.db, "42501"):
        thread.db.execute(f"update public.target_follow_ups set {column} = null")


def test_parts_do_not_change_while_a_worker_has_the_target(thread: Scene) -> None:
    thread.claim()
    with acting_as(thread.db, thread.person), denied(thread.db, "NX423"):
        thread.db.execute("update public.target_follow_ups set body = 'other'")
    with acting_as(thread.db, thread.person), denied(thread.db, "NX423"):
        thread.db.execute(
            "insert into public.target_follow_ups (target_id, position, body) values (%s, 3, 'x')",
            (thread.target,),
        )
    with acting_as(thread.db, thread.person), denied(thread.db, "NX423"):
        thread.db.execute("delete from public.target_follow_ups")


def test_parts_do_not_change_once_the_first_is_out(thread: Scene) -> None:
    thread.claim()
    assert thread.mark(1)
    assert record(thread, 1, 0)
    with acting_as(thread.db, thread.person):
        with denied(thread.db, "42501"):
            thread.db.execute("update public.target_follow_ups set body = 'other'")
        assert thread.db.execute("delete from public.target_follow_ups").rowcount == 0


def test_parts_of_a_scheduled_target_may_change(thread: Scene) -> None:
    with acting_as(thread.db, thread.person):
        assert thread.db.execute("update public.target_follow_ups set body = 'other'").rowcount == 2


def test_what_is_out_stays_as_it_is(thread: Scene) -> None:
    thread.claim()
    assert thread.mark(1)
    assert record(thread, 1, 0)
    assert thread.mark(1)
    assert record(thread, 1, 1, "101")
    assert thread.report(1, "rejected", code="thread_incomplete", message="The third part was refused.")
    with acting_as(thread.db, thread.person):
        changed = thread.db.execute(
            "update public.target_follow_ups set body = 'x' returning position"
        ).fetchall()
        assert changed == [(2,)]
        assert thread.db.execute("delete from public.target_follow_ups where position = 1").rowcount == 0


# --- part by part -------------------------------------------------------------------------------------------


def test_each_part_is_marked_and_recorded_and_the_target_is_published_at_the_end(thread: Scene) -> None:
    thread.claim()
    for position in range(3):
        assert thread.mark(1)
        assert thread.queued()["sending_at"] is not None
        assert record(thread, 1, position, f"10{position}", url=f"https://x.com/i/10{position}")
        queued = thread.queued()
        assert (queued["sending_at"], queued["progress"]) == (None, {})
        assert thread.state() == "publishing"
    assert thread.report(1, "published", external_id="100")
    row = thread.row()
    assert (row["state"], row["external_id"], row["external_url"]) == (
        "published",
        "100",
        "https://x.com/i/100",
    )
    assert parts(thread) == [(1, "101"), (2, "102")]


def test_recording_again_answers_the_same_and_changes_nothing(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    assert record(thread, 1, 0, "100", charge="post_create")
    assert record(thread, 1, 0, "100", charge="post_create")
    assert not record(thread, 1, 0, "other")
    assert thread.row()["external_id"] == "100"
    assert thread.db.execute("select count(*) from public.publish_costs").fetchone() == (1,)


@pytest.mark.parametrize(
    ("position", "external_id"), [(0, ""), (0, None), (-1, "1"), (None, "1"), (0, "x" * 513)]
)
def test_what_is_no_part_is_refused(thread: Scene, position: Any, external_id: Any) -> None:
    thread.claim()
    thread.mark(1)
    with denied(thread.db, "NX002"):
        record(thread, 1, position, external_id)


def test_only_the_lease_records(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    other = register_worker(thread.db)
    assert not record(thread, 1, 0, worker=other)
    assert not record(thread, 2, 0)
    assert thread.row()["external_id"] is None
    assert thread.queued()["sending_at"] is not None


@pytest.mark.parametrize("out", [0, 1, 2, 3])
@pytest.mark.parametrize("is_marked", [False, True])
def test_whoever_comes_after_a_dead_worker_goes_on_at_the_missing_part(
    thread: Scene, out: int, is_marked: bool
) -> None:
    thread.claim()
    for position in range(out):
        thread.mark(1)
        record(thread, 1, position, f"10{position}")
    if is_marked:
        assert thread.mark(1)
    thread.kill()
    second = register_worker(thread.db)
    (claim,) = thread.claim("1 minute", worker=second)
    assert claim["mode"] == ("reconcile" if is_marked else "publish")
    ids = [claim["external_id"], *(part["external_id"] for part in claim["follow_ups"])]
    assert ids == [f"10{position}" if position < out else None for position in range(3)]
    # A marked part is only ever probed for; once that has recorded it, the next one may be sent.
    assert thread.mark(2, "1 minute", worker=second) is not is_marked
    if is_marked and out < 3:
        assert record(thread, 2, out, f"10{out}", worker=second, offset="1 minute")
        assert thread.mark(2, "1 minute", worker=second)


def test_a_late_worker_records_nothing(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    thread.kill()
    second = register_worker(thread.db)
    thread.claim("1 minute", worker=second)
    assert not record(thread, 1, 0)
    assert thread.queued()["sending_at"] is not None


def test_a_refused_part_leaves_the_post_and_can_be_gone_on_with(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    record(thread, 1, 0, "100", url="https://x.com/i/100")
    thread.mark(1)
    assert thread.report(1, "rejected", code="thread_incomplete", message="Part 2 was refused.")
    row = thread.row()
    assert (row["state"], row["failure_code"]) == ("failed", "thread_incomplete")
    assert (row["external_id"], row["external_url"]) == ("100", "https://x.com/i/100")
    assert thread.notices() == [("target_failed", "thread_incomplete")]
    with acting_as(thread.db, thread.person):
        thread.db.execute("select public.retry_target(%s)", (thread.target,))
    (claim,) = thread.claim()
    assert (claim["mode"], claim["external_id"]) == ("publish", "100")
    assert [part["external_id"] for part in claim["follow_ups"]] == [None, None]


def test_a_thread_whose_window_ends_half_way_has_failed_not_been_missed(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    record(thread, 1, 0, "100")
    assert not thread.mark(1, "61 minutes")
    row = thread.row()
    assert (row["state"], row["failure_code"], row["external_id"]) == ("failed", "NX439", "100")
    assert thread.notices() == [("target_failed", "NX439")]


def test_a_part_that_was_not_accepted_is_tried_again_alone(thread: Scene) -> None:
    thread.claim()
    thread.mark(1)
    record(thread, 1, 0, "100")
    thread.mark(1)
    assert thread.report(1, "retry", code="rate_limited", retry_after_seconds=60)
    assert thread.state() == "scheduled"
    (claim,) = thread.claim("3 minutes")
    assert (claim["mode"], claim["external_id"], claim["attempt"]) == ("publish", "100", 2)


# --- roles of files -----------------------------------------------------------------------------------------


def _add_file(scene: Scene, role: str, position: int = 1) -> None:
    name = f"{scene.person.user_id}/{uuid.uuid4()}.png"
    row = scene.db.execute(
        """insert into public.media (user_id, object_name, kind, mime_type, size_bytes)
           values (%s, %s, 'image', 'image/png', 10) returning id""",
        (scene.person.user_id, name),
    ).fetchone()
    assert row is not None
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            "insert into public.post_media (post_id, media_id, role, position) values (%s, %s, %s, %s)",
            (scene.post, row[0], role, position),
        )


def test_a_post_has_one_thumbnail_and_the_claim_says_which_file_it_is(scene: Scene) -> None:
    _add_file(scene, "thumbnail")
    _add_file(scene, "attachment")
    with denied(scene.db, "23505"):
        _add_file(scene, "thumbnail", 2)
    scene.db.execute("reset role")
    scene.schedule()
    (claim,) = scene.claim()
    assert [item["role"] for item in claim["media"]] == ["attachment", "thumbnail"]


# --- costs --------------------------------------------------------------------------------------------------


def _costs(scene: Scene) -> list[tuple[str, int, str]]:
    with acting_as(scene.db, scene.person):
        return scene.db.execute(
            "select charge, amount_micros, currency from public.publish_costs order by amount_micros"
        ).fetchall()


def test_every_accepted_call_is_charged_at_the_price_of_the_day(thread: Scene) -> None:
    thread.db.execute(
        """insert into private.platform_prices values
             ('x', 'post_create', (now() + interval '10 years')::date, 999, 'USD', 'a later price', '2026-11-20')"""
    )
    thread.claim()
    thread.mark(1)
    record(thread, 1, 0, charge="post_create_with_url")
    thread.mark(1)
    record(thread, 1, 1, "101", charge="post_create")
    assert _costs(thread) == [("post_create", 15000, "USD"), ("post_create_with_url", 200000, "USD")]
    with acting_as(thread.db, thread.person):
        months = thread.db.execute(
            "select platform_id, calls, amount_micros from public.monthly_publish_costs"
        ).fetchall()
    assert months == [("x", 2, 215000)]


def test_a_report_is_charged_once_and_a_call_without_price_costs_nothing(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    for _ in range(2):
        assert scene.report(1, "published", external_id="1", charge="post_create")
    assert _costs(scene) == [("post_create", 15000, "USD")]
    with scene.db.transaction():
        scene.db.execute(
            "select private.charge_targets(array[row(%s, 'free_call')::private.target_charge], now())",
            (scene.target,),
        )
    assert len(_costs(scene)) == 1


def test_costs_outlive_the_post_and_are_seen_by_nobody_else(scene: Scene) -> None:
    scene.db.execute(
        "select private.charge_targets(array[row(%s, 'post_create')::private.target_charge], now())",
        (scene.target,),
    )
    scene.db.execute("delete from public.posts where id = %s", (scene.post,))
    assert scene.db.execute("select target_id from public.publish_costs").fetchall() == [(None,)]
    with acting_as(scene.db, create_person(scene.db)):
        assert scene.db.execute("select * from public.publish_costs").fetchall() == []
        assert scene.db.execute("select * from public.monthly_publish_costs").fetchall() == []
    with acting_as(scene.db, scene.person), denied(scene.db, "42501"):
        scene.db.execute("delete from public.publish_costs")


# --- waiting ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [None, 0, 1])
def test_a_retry_without_a_stated_wait_is_due_after_the_back_off(scene: Scene, wait: float | None) -> None:
    """`least(null, bound)` is the bound: a week, once."""
    scene.schedule()
    scene.claim()
    more = {} if wait is None else {"retry_after_seconds": wait}
    assert scene.report(1, "retry", code="platform_timeout", **more)
    (late,) = scene.db.execute(
        "select due_at <= now() + interval '10 minutes' from private.queue where subject_id = %s",
        (scene.target,),
    ).fetchone() or (None,)
    assert (scene.state(), late) == ("scheduled", True)


def test_marks_name_their_target_alone(thread: Scene) -> None:
    thread.claim()
    mark = json.dumps([{"target_id": str(thread.target), "attempt": 9}])
    assert (
        thread.db.execute("select * from private.mark_sending(%s, %s)", (thread.worker, mark)).fetchall()
        == []
    )
