"""What is used up is not tried, by no worker; and one account's thousands do not delay another's single post."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest

from tests.sql.connections.making import connect_account, register_worker
from tests.sql.publishing.making import Scene, add_post, add_target, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import create_person


def add_due(scene: Scene, count: int, due: str = "0", tolerance: str = "1 hour") -> None:
    """More targets on the account of the scene, due at now() + `due`."""
    scene.db.execute(
        """with post as (
             insert into public.posts (user_id, body) select %(user)s, 'post ' || i from generate_series(1, %(count)s) i
             returning id
           ), target as (
             insert into public.post_targets (user_id, post_id, connection_id, platform_id, state, scheduled_at,
                                              checked_at, tolerance, revision)
             select %(user)s, p.id, c.id, c.platform_id, 'scheduled', now() + %(due)s::interval, now(),
                    %(tolerance)s::interval, 1
             from post p join public.connections c on c.id = %(account)s
             returning id, scheduled_at, scheduled_at + tolerance as expires_at
           )
           insert into private.queue (lane, subject_id, due_at, expires_at)
           select 'publish', id, scheduled_at, expires_at from target""",
        {
            "user": scene.person.user_id,
            "account": scene.account,
            "count": count,
            "due": due,
            "tolerance": tolerance,
        },
    )


def limit(scene: Scene, remaining: int, *, minutes: int = 10, account: bool = True) -> None:
    scene.db.execute(
        """insert into private.platform_budgets (platform_id, connection_id, name, limit_value, remaining, resets_at,
                                                 observed_at)
           values ('x', %s, 'posts', 100, %s, now() + make_interval(mins => %s), now())""",
        (scene.account if account else None, remaining, minutes),
    )


def neighbour(scene: Scene, due: str = "0") -> uuid.UUID:
    """Another person's single target."""
    person = create_person(scene.db)
    account = connect_account(scene.db, person)
    post = add_post(scene.db, person)
    other = Scene(scene.db, person, account, post, add_target(scene.db, person, post, account), scene.worker)
    other.schedule()
    scene.db.execute(
        "update private.queue set due_at = now() + %s::interval where subject_id = %s", (due, other.target)
    )
    return other.target


def waiting(db: psycopg.Connection) -> list[tuple[timedelta, int]]:
    """When what nobody has is due, and its attempt."""
    return rows(
        db,
        """select due_at - now(), attempt from private.queue where lane = 'publish' and worker_id is null
           order by due_at""",
    )


def test_two_workers_share_what_is_left(scene: Scene) -> None:
    add_due(scene, 10)
    limit(scene, 3)
    other = register_worker(scene.db, "other")
    assert len(scene.claim(limit=2)) == 2
    assert len(scene.claim(limit=100, worker=other)) == 1
    assert scene.claim() == []
    assert len(waiting(scene.db)) == 7


def test_workers_that_claim_at_one_instant_share_what_is_left(db_url: str) -> None:
    with psycopg.connect(db_url) as connection:
        scene = make_scene(connection)
        add_due(scene, 40)
        limit(scene, 7)
        workers = [register_worker(connection, f"w{n}") for n in range(4)]
    start = threading.Barrier(len(workers))
    counts: list[int] = []

    def claim(worker: uuid.UUID) -> None:
        with psycopg.connect(db_url) as session:
            start.wait()
            counts.append(scalar(session, "select count(*) from worker.claim_targets(%s, 5)", worker))

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 7
    with psycopg.connect(db_url) as connection:
        assert scalar(connection, "select remaining from private.platform_budgets") == 0


def test_what_waits_for_a_window_is_due_after_it_and_has_not_been_tried(scene: Scene) -> None:
    add_due(scene, 2)
    limit(scene, 0)
    assert scene.claim() == []
    for due, attempt in waiting(scene.db):
        assert timedelta(minutes=10) <= due <= timedelta(minutes=10, seconds=20)
        assert attempt == 0
    assert rows(
        scene.db, "select distinct state::text, attempt, attempt_base from public.post_targets order by 1"
    ) == [
        ("draft", 0, 0),
        ("scheduled", 0, 0),
    ]
    assert scalar(scene.db, "select count(*) from private.publish_attempts") == 0
    claimed = scene.claim("11 minutes")
    assert [row["attempt"] for row in claimed] == [1, 1]


def test_what_would_come_too_late_is_missed_and_told_at_once(scene: Scene) -> None:
    add_due(scene, 1)
    limit(scene, 0, minutes=61)
    assert scene.claim() == []
    assert rows(
        scene.db, "select state::text, failure_code from public.post_targets where state <> 'draft'"
    ) == [("missed", "NX438")]
    assert scene.notices() == [("target_missed", "NX438")]
    assert waiting(scene.db) == []


def test_a_window_of_the_service_counts_for_all_accounts(scene: Scene) -> None:
    add_due(scene, 2, "-1 second")
    single = neighbour(scene)
    limit(scene, 2, account=False)
    assert single not in {row["target_id"] for row in scene.claim()}
    assert [due > timedelta(minutes=9) for due, _ in waiting(scene.db)] == [True]


def test_an_account_without_anything_left_takes_nothing_from_the_service(scene: Scene) -> None:
    add_due(scene, 5, "-1 second")
    single = neighbour(scene)
    limit(scene, 0)
    limit(scene, 1, account=False)
    assert [row["target_id"] for row in scene.claim()] == [single]
    assert scalar(scene.db, "select remaining from private.platform_budgets where connection_id is null") == 0


def test_a_window_that_ended_is_no_limit(scene: Scene) -> None:
    add_due(scene, 3)
    limit(scene, 0, minutes=-1)
    assert len(scene.claim()) == 3


def test_a_window_of_another_platform_is_no_limit(scene: Scene) -> None:
    add_due(scene, 3)
    limit(scene, 0, account=False)
    scene.db.execute("update private.platform_budgets set platform_id = 'linkedin'")
    assert len(scene.claim()) == 3


def test_what_was_sent_is_probed_whatever_is_left(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, "unknown")
    limit(scene, 0)
    assert [row["mode"] for row in scene.claim("20 minutes")] == ["reconcile"]


def test_thousands_do_not_delay_one(scene: Scene) -> None:
    """The first claims may pass over many batches; none takes the account's share twice."""
    add_due(scene, 5000, "-1 minute")
    single = neighbour(scene, "-1 second")
    claims = 1
    while single not in {row["target_id"] for row in scene.claim(limit=100)}:
        claims += 1
    assert claims <= 2
    held = scalar(scene.db, "select count(*) from private.queue where worker_id is not null")
    assert held <= claims * 25 + 1


def test_a_worker_whose_hands_are_full_of_one_account_finds_the_other(scene: Scene) -> None:
    """A small worker asks for one target at a time; the thousands of the account that it is busy with give way."""
    add_due(scene, 60, "-1 minute")
    single = neighbour(scene, "-1 second")
    found: list[uuid.UUID] = []
    for _ in range(2):
        found += [row["target_id"] for row in scene.claim(limit=1, busy=[scene.account])]
    assert found == [single]


def test_a_plain_claim_of_a_full_batch_looks_no_further(scene: Scene) -> None:
    """The fast path: without a window, a surplus or a busy account nothing is ranked."""
    scene.db.execute("drop function private.decide_leases(private.queue[], int, uuid[], timestamptz)")
    add_due(scene, 20)
    rows_of_all = scene.db.execute(
        "select target_id from worker.claim_targets(%s, 20)", (scene.worker,)
    ).fetchall()
    assert len(rows_of_all) == 20


def test_a_busy_account_is_served_where_nobody_waits(scene: Scene) -> None:
    add_due(scene, 3)
    assert len(scene.claim(limit=10, busy=[scene.account])) == 3


def test_the_surplus_comes_a_little_later_one_after_the_other(scene: Scene) -> None:
    add_due(scene, 40)
    assert len(scene.claim(limit=40)) == 25
    assert waiting(scene.db) == [(timedelta(milliseconds=200 * n), 0) for n in range(1, 16)]
    assert len(scene.claim("4 seconds")) == 15


def test_without_others_waiting_there_is_no_surplus(scene: Scene) -> None:
    add_due(scene, 40)
    assert len(scene.claim(limit=41)) == 40


def test_many_accounts_are_no_surplus(db: psycopg.Connection) -> None:
    scenes = [make_scene(db) for _ in range(5)]
    for scene in scenes:
        add_due(scene, 20)
    assert len(scenes[0].claim(limit=100)) == 100


def test_fairness_never_makes_anything_late(scene: Scene) -> None:
    scene.db.execute("update private.settings set value = '\"10 minutes\"' where key = 'claim_spacing'")
    add_due(scene, 30, "-58 seconds", "1 minute")
    scene.claim(limit=30)
    assert all(due <= timedelta(seconds=1) for due, _ in waiting(scene.db))


@pytest.mark.parametrize("share", [5, 25])
def test_the_share_is_a_setting(scene: Scene, share: int) -> None:
    scene.db.execute(
        "update private.settings set value = to_jsonb(%s::int) where key = 'claim_account_share'", (share,)
    )
    add_due(scene, 50)
    assert len(scene.claim(limit=50)) == share
