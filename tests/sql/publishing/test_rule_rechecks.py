"""A limit that changes reaches scheduled posts as a notice beforehand, not as a failure when they are due."""

from __future__ import annotations

import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.querying import rows, scalar

NOTICE = ("target_breaks_new_rule", "NX410")


def new_rule(scene: Scene, limit: int, *, begins_in_days: int = 0, known_in: str = "1 minute") -> None:
    """A migration adds a row."""
    scene.db.execute(
        """insert into public.platform_rules (platform_id, rule, value, unit, source, checked_on, valid_from,
                                              changed_at)
           values ('x', 'text_length', %s, 'weighted characters', 'a test', current_date,
                   (now() at time zone 'utc')::date + %s, now() + %s::interval)""",
        (limit, begins_in_days, known_in),
    )


def recheck(scene: Scene, offset: str = "2 minutes") -> int:
    return scalar(scene.db, "select private.recheck_scheduled_targets(now() + %s::interval)", offset)


@pytest.fixture
def long_post(scene: Scene) -> Scene:
    """200 characters, due in 12 days."""
    scene.db.execute("update public.posts set body = repeat('x', 200)")
    scene.schedule("12 days")
    recheck(scene, "0")
    return scene


def test_a_new_limit_is_told_when_it_becomes_known(long_post: Scene) -> None:
    new_rule(long_post, 100, begins_in_days=10)
    assert recheck(long_post) == 1
    assert long_post.notices() == [NOTICE]
    assert long_post.state() == "scheduled"


def test_what_is_published_before_it_begins_is_no_news(long_post: Scene) -> None:
    new_rule(long_post, 100, begins_in_days=13)
    recheck(long_post)
    assert long_post.notices() == []


def test_what_keeps_the_new_limit_is_no_news_and_is_not_judged_again_when_due(long_post: Scene) -> None:
    new_rule(long_post, 200)
    recheck(long_post)
    assert long_post.notices() == []
    assert (
        scalar(long_post.db, "select checked_at = now() + interval '2 minutes' from public.post_targets")
        is True
    )


def test_people_are_told_once(long_post: Scene) -> None:
    new_rule(long_post, 100)
    recheck(long_post)
    long_post.db.execute("update public.notifications set read_at = now()")
    for offset in ("3 minutes", "1 day"):
        assert recheck(long_post, offset) == 0
    assert long_post.notices() == [NOTICE]


def test_another_change_is_another_run(long_post: Scene) -> None:
    new_rule(long_post, 250)
    recheck(long_post)
    long_post.db.execute("update public.platform_rules set value = 100, changed_at = now() + interval '1 hour' "
                         "where rule = 'text_length' and source = 'a test'")  # fmt: skip
    assert recheck(long_post, "61 minutes") == 1
    assert long_post.notices() == [NOTICE]


def test_correcting_a_row_is_a_change(long_post: Scene) -> None:
    long_post.db.execute("update public.platform_rules set changed_at = '2001-01-01'")
    long_post.db.execute("update public.platform_rules set value = value where rule = 'text_length'")
    assert scalar(
        long_post.db,
        "select bool_and(changed_at = now()) from public.platform_rules where rule = 'text_length'",
    )


def test_who_is_told_and_does_nothing_sees_it_fail_with_the_reason(long_post: Scene) -> None:
    new_rule(long_post, 100)
    recheck(long_post)
    assert long_post.claim("12 days") == []
    row = long_post.row()
    assert (row["state"], row["failure_code"]) == ("failed", "NX410")
    assert row["failure_message"] == "The text is too long (200, at most 100)"


def test_it_goes_on_where_the_last_run_ended(long_post: Scene) -> None:
    others = [make_scene(long_post.db) for _ in range(4)]
    for days, other in enumerate(others):
        other.schedule(f"{days + 1} days")
    new_rule(long_post, 100)
    long_post.db.execute("update private.settings set value = '2' where key = 'recheck_batch'")
    assert [recheck(long_post, f"{minutes} minutes") for minutes in (2, 3, 4, 5)] == [2, 2, 1, 0]
    assert long_post.notices() == [NOTICE]
    assert rows(
        long_post.db,
        """select count(*) from public.post_targets
           where state = 'scheduled' and checked_at > now() + interval '1 minute'""",
    ) == [(4,)]


def test_drafts_and_what_is_over_are_left_alone(scene: Scene) -> None:
    scene.db.execute("update public.posts set body = repeat('x', 200)")
    new_rule(scene, 100)
    assert recheck(scene) == 0
    assert scene.notices() == []
