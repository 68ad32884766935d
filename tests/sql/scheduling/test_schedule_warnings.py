"""What speaks against a time: each rule on both sides of its limit, and never as an error."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.sql.publishing.making import Scene, add_post, add_target
from tests.sql.querying import rows
from tests.support.personas import acting_as, create_person, denied

AT = datetime(2027, 6, 7, 9, tzinfo=UTC)
CHECK = "select rule, limit_value, measured from public.check_schedule(%s, %s)"


def check(scene: Scene, at: datetime | None = AT) -> list[tuple[str, object, object]]:
    with acting_as(scene.db, scene.person):
        return rows(scene.db, CHECK, scene.post, at)  # type: ignore[return-value]


def neighbour(scene: Scene, at: datetime, body: str = "Something else") -> uuid.UUID:
    post = add_post(scene.db, scene.person, body)
    target = add_target(scene.db, scene.person, post, scene.account)
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.schedule_post(%s, %s)", post, at)
    return target


@pytest.mark.parametrize(
    ("minutes", "is_close"), [(-15, False), (-14, True), (0, True), (14, True), (15, False)]
)
def test_spacing(scene: Scene, minutes: int, is_close: bool) -> None:
    neighbour(scene, AT + timedelta(minutes=minutes))
    assert check(scene) == ([("spacing", 15, abs(minutes))] if is_close else [])


def test_only_what_is_still_to_come_or_out_counts(scene: Scene) -> None:
    target = neighbour(scene, AT)
    assert check(scene)
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.cancel_target(%s)", target)
    assert check(scene) == []


@pytest.mark.parametrize(("others", "measured"), [(2, None), (3, 4)])
def test_posts_per_day(scene: Scene, others: int, measured: int | None) -> None:
    scene.db.execute(
        """insert into public.platform_rules (platform_id, rule, value, unit, source, checked_on, valid_from)
           values ('x', 'posts_per_day', 3, 'posts', 'a test', '2026-01-01', '2026-01-01')"""
    )
    for n in range(others):
        neighbour(scene, AT - timedelta(hours=23 - n))
        neighbour(scene, AT + timedelta(hours=24 + n))  # outside: the two days are looked at one by one
    assert check(scene) == ([] if measured is None else [("posts_per_day", 3, measured)])


@pytest.mark.parametrize(("seconds", "warned"), [(-1, True), (0, False), (1, False)])
def test_token_lifetime(scene: Scene, seconds: int, warned: bool) -> None:
    scene.db.execute("update public.connections set usable_until = %s", (AT + timedelta(seconds=seconds),))
    assert [rule for rule, _, _ in check(scene)] == (["token_lifetime"] if warned else [])


def test_repeated_text(scene: Scene) -> None:
    target = neighbour(scene, AT + timedelta(days=30), " Hello\n")
    neighbour(scene, AT + timedelta(days=31), "Hello, too")
    assert check(scene) == [("repeated_text", 0, 1)]
    with acting_as(scene.db, scene.person):
        rows(
            scene.db,
            "update public.post_targets set text = 'Good day' where id = %s returning id",
            scene.target,
        )
    assert check(scene) == []
    with acting_as(scene.db, scene.person):
        rows(scene.db, "update public.post_targets set text = 'Good day' where id = %s returning id", target)
    assert check(scene) == [("repeated_text", 0, 1)]


@pytest.mark.parametrize(("ago", "warned"), [("7 days", False), ("6 days 23:59", True)])
def test_a_text_that_was_published_counts_for_a_while(scene: Scene, ago: str, warned: bool) -> None:
    target = neighbour(scene, AT + timedelta(days=30), "Hello")
    scene.db.execute("update public.post_targets set state = 'publishing' where id = %s", (target,))
    scene.db.execute(
        "update public.post_targets set state = 'published', published_at = now() - %s::interval where id = %s",
        (ago, target),
    )
    assert bool(check(scene)) is warned


def test_warnings_do_not_keep_a_post_from_being_scheduled(scene: Scene) -> None:
    neighbour(scene, AT, "Hello")
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.schedule_post(%s, %s)", scene.post, AT)
        found = rows(
            scene.db,
            "select target_id, platform_id, rule, severity, message from public.check_schedule(%s)",
            scene.post,
        )
    assert [(row[:2], row[2], row[3]) for row in found] == [
        ((scene.target, "x"), "repeated_text", "warning"), ((scene.target, "x"), "spacing", "warning")]  # fmt: skip
    assert all(row[4] for row in found)


def test_a_draft_without_a_time_has_none(scene: Scene) -> None:
    neighbour(scene, AT, "Hello")
    assert check(scene, None) == []


def test_checking_is_for_the_person_of_the_post(scene: Scene) -> None:
    with acting_as(scene.db, create_person(scene.db)), denied(scene.db, "NX401"):
        rows(scene.db, CHECK, scene.post, AT)
