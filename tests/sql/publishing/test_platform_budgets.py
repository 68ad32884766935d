"""What platforms say is left is kept for all workers: observed, reserved at the claim, given back when unsent."""

from __future__ import annotations

import json
import uuid
from decimal import Decimal

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.querying import rows, scalar


def tell(scene: Scene, budget: object, outcome: str = "retry", offset: str = "0", **more: object) -> None:
    """One report with an observation, without a lease: observations count whoever brings them."""
    scene.report(1, outcome, offset, budget=budget, **more)


def left(scene: Scene, name: str = "posts") -> Decimal | None:
    row = scene.db.execute(
        "select remaining from private.platform_budgets where name = %s and resets_at > now()", (name,)
    ).fetchone()
    return None if row is None else row[0]


def in_seconds(scene: Scene, seconds: int) -> str:
    return str(scalar(scene.db, "select to_json(now() + make_interval(secs => %s)) #>> '{}'", seconds))


def window(
    scene: Scene, remaining: int, *, seconds: int = 600, scope: str = "account", limit: int = 100
) -> list[dict]:
    resets_at = in_seconds(scene, seconds)
    return [{"scope": scope, "name": "posts", "limit": limit, "remaining": remaining, "resets_at": resets_at}]


def test_an_observation_is_kept_for_its_account_or_for_all(scene: Scene) -> None:
    tell(scene, window(scene, 7) + window(scene, 90, scope="app"))
    assert rows(
        scene.db,
        "select connection_id, name, limit_value, remaining from private.platform_budgets order by 1 nulls last",
    ) == [(scene.account, "posts", 100, 7), (None, "posts", 100, 90)]


@pytest.mark.parametrize(
    ("second", "seconds", "expected"),
    [
        (3, 600, 3),
        (9, 600, 7),  # an older answer that arrives late
        (9, 640, 7),  # the same window, rounded otherwise
        (9, 900, 9),  # a new window
    ],
)
def test_within_a_window_it_only_falls(scene: Scene, second: int, seconds: int, expected: int) -> None:
    tell(scene, window(scene, 7))
    tell(scene, window(scene, second, seconds=seconds))
    assert left(scene) == expected


def test_after_its_end_the_newest_word_counts(scene: Scene) -> None:
    tell(scene, window(scene, 0, seconds=60))
    tell(scene, window(scene, 100, seconds=120), offset="2 minutes")
    assert left(scene) is None or left(scene) == 0
    tell(scene, window(scene, 100, seconds=900), offset="2 minutes")
    assert left(scene) == 100


def test_what_is_missing_comes_from_the_documents(db: psycopg.Connection) -> None:
    scene = make_scene(db, "linkedin")
    tell(scene, [{"scope": "account", "name": "posts", "remaining": 0}], offset="0")
    assert rows(
        db,
        """select limit_value, remaining, resets_at = (date_trunc('day', now() at time zone 'utc') + interval '1 day')
                                                        at time zone 'utc'
           from private.platform_budgets""",
    ) == [(100, 0, True)]


def test_a_window_that_rolls_is_looked_at_again_within_the_hour(db: psycopg.Connection) -> None:
    scene = make_scene(db, "instagram")
    tell(scene, [{"scope": "account", "name": "posts", "limit": 50, "remaining": 0}])
    assert scalar(db, "select resets_at = now() + interval '1 hour' from private.platform_budgets") is True


def test_a_window_that_no_post_needs_holds_nothing_back(db: psycopg.Connection) -> None:
    scene = make_scene(db, "youtube")
    tell(scene, [{"scope": "app", "name": name, "remaining": 0} for name in ("units", "videos_insert")])
    assert rows(db, "select name from private.platform_budgets") == [("videos_insert",)]


def test_an_unknown_window_lasts_a_quarter_of_an_hour(scene: Scene) -> None:
    tell(scene, [{"scope": "app", "name": "who_knows", "remaining": 0}])
    assert (
        scalar(scene.db, "select resets_at = now() + interval '15 minutes' from private.platform_budgets")
        is True
    )


def test_midnight_is_that_of_the_platform(db: psycopg.Connection) -> None:
    end = scalar(
        db,
        """select private.window_end(l, '2026-11-20T07:30:00Z') from private.platform_limits l
           where platform_id = 'youtube' and name = 'videos_insert'""",
    )
    assert end.isoformat() == "2026-11-20T08:00:00+00:00"


def test_too_many_requests_says_that_nothing_is_left(scene: Scene) -> None:
    tell(scene, None, code="rate_limited", retry_after_seconds=120)
    assert rows(
        scene.db,
        "select connection_id, remaining, resets_at = now() + interval '120 s' from private.platform_budgets",
    ) == [(scene.account, 0, True)]


@pytest.mark.parametrize(
    "budget",
    [
        "nonsense",
        {},
        [1, None, "x"],
        [{"scope": "planet", "name": "posts", "remaining": 1}],
        [{"scope": "account", "name": "Bad Name", "remaining": 1}],
        [{"scope": "account", "name": "posts"}],
        [{"scope": "account", "name": "posts", "remaining": -1}],
        [{"scope": "account", "name": "posts", "remaining": "many"}],
        [{"scope": "account", "name": "posts", "remaining": 0, "resets_at": "2001-01-01T00:00:00Z"}],
    ],
)
def test_what_makes_no_sense_is_left_out(scene: Scene, budget: object) -> None:
    tell(scene, budget)
    assert scalar(scene.db, "select count(*) from private.platform_budgets") == 0


@pytest.mark.parametrize("resets_at", ["2026-13-45T00:00:00Z", "tomorrow", 17, None])
def test_an_end_that_cannot_be_read_is_completed(scene: Scene, resets_at: object) -> None:
    tell(scene, [{"scope": "account", "name": "posts", "remaining": 1, "resets_at": resets_at}])
    assert left(scene) == 1


def test_a_success_brings_its_observation(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    assert scene.report(1, "published", external_id="1", budget=window(scene, 4))
    assert left(scene) == 4


def test_of_several_reports_the_least_counts(scene: Scene) -> None:
    results = [
        {"target_id": str(scene.target), "attempt": 1, "outcome": "retry", "budget": window(scene, n)}
        for n in (5, 3, 4)
    ]
    scene.db.execute("select * from private.report_targets(%s, %s)", (scene.worker, json.dumps(results)))
    assert left(scene) == 3


@pytest.mark.parametrize(("outcome", "expected"), [("released", 5), ("retry", 5), ("rejected", 5)])
def test_what_was_claimed_and_not_sent_is_given_back(scene: Scene, outcome: str, expected: int) -> None:
    scene.schedule()
    tell(scene, window(scene, 5))
    assert len(scene.claim()) == 1
    assert left(scene) == 4
    scene.report(1, outcome)
    assert left(scene) == expected


def test_what_was_sent_is_not_given_back(scene: Scene) -> None:
    scene.schedule()
    tell(scene, window(scene, 5))
    scene.claim()
    scene.mark(1)
    scene.report(1, "retry")
    assert left(scene) == 4


def test_what_a_dead_worker_had_is_given_back(scene: Scene) -> None:
    scene.schedule()
    tell(scene, window(scene, 5))
    scene.claim()
    scene.kill()
    other = scalar(scene.db, "select worker.register_worker('other')")
    assert len(scene.claim(worker=other)) == 1
    assert left(scene) == 4  # reserved once


def test_windows_go_with_their_account(scene: Scene) -> None:
    tell(scene, window(scene, 5))
    scene.db.execute("delete from public.connections where id = %s", (scene.account,))
    assert scalar(scene.db, "select count(*) from private.platform_budgets") == 0


def test_old_windows_are_forgotten(scene: Scene) -> None:
    tell(scene, window(scene, 5, seconds=60))
    call = "select private.forget_budgets(now() + %s::interval)"
    assert scalar(scene.db, call, "7 days") == 0
    assert scalar(scene.db, call, "7 days 61 seconds") == 1


def test_a_target_that_is_gone_is_no_error(scene: Scene) -> None:
    result = [{"target_id": str(uuid.uuid4()), "attempt": 1, "outcome": "retry", "budget": window(scene, 1)}]
    scene.db.execute("select * from private.report_targets(%s, %s)", (scene.worker, json.dumps(result)))
    assert scalar(scene.db, "select count(*) from private.platform_budgets") == 0
