"""A thousand targets due at one instant and two workers: each is published exactly once, none is lost."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import psycopg

from nexora_client import Platform
from tests.support.api import Api
from tests.support.creators import new_creator
from tests.support.running import running_worker
from tests.support.waiting import wait_until_over
from workers.sandbox import Sandbox

PEOPLE, POSTS_EACH = 10, 100


def test_a_thousand_at_once_with_two_workers(quick_api: Api, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.control.set_limits(**{"x POST /2/tweets": 10_000})
    with ExitStack() as stack:
        with running_worker(quick_api, sandbox, tmp_path) as worker:
            creators = [
                stack.enter_context(new_creator(quick_api, sandbox, worker.web_url, Platform.X))
                for _ in range(PEOPLE)
            ]
        with psycopg.connect(quick_api.db_url, autocommit=True) as database:
            for creator in creators:
                _schedule_all_for_now(database, creator.connections[Platform.X].id)
            workers = [stack.enter_context(running_worker(quick_api, sandbox, tmp_path)) for _ in range(2)]
            wait_until_over(lambda: _count_unsettled(database), lambda unsettled: unsettled == 0)
            states = dict(
                database.execute(
                    "select state::text, count(*) from public.post_targets group by 1"
                ).fetchall()
            )
            worked = database.execute(
                "select count(distinct worker_id) from private.publish_attempts where outcome = 'published'"
            ).fetchone()
        assert all(worker.stop() == 0 for worker in workers)
    assert states == {"published": PEOPLE * POSTS_EACH}
    copies = Counter(post.text for post in sandbox.control.posts("x"))
    assert len(copies) == PEOPLE * POSTS_EACH
    assert set(copies.values()) == {1}
    assert worked == (2,)


def _schedule_all_for_now(database: psycopg.Connection, connection_id: object) -> None:
    """What `schedule_post` leaves behind, for many posts in one statement."""
    database.execute(
        """with post as (
             insert into public.posts (user_id, body)
             select c.user_id, 'post ' || i || ' of ' || c.handle
             from public.connections c, generate_series(1, %(posts)s) i where c.id = %(connection)s returning *
           ), target as (
             insert into public.post_targets
               (user_id, post_id, connection_id, platform_id, state, scheduled_at, revision, checked_at)
             select c.user_id, p.id, c.id, c.platform_id, 'scheduled', now(), 1, now()
             from post p join public.connections c on c.id = %(connection)s
             returning id, scheduled_at + tolerance as expires_at
           )
           insert into private.queue (lane, subject_id, due_at, expires_at)
           select 'publish', id, now(), expires_at from target""",
        {"posts": POSTS_EACH, "connection": connection_id},
    )


def _count_unsettled(database: psycopg.Connection) -> int:
    row = database.execute(
        "select count(*) from public.post_targets where state in ('scheduled', 'publishing')"
    ).fetchone()
    assert row is not None
    return int(row[0])
