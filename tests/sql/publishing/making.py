"""A person with an account, a post and a target, and the moves of a worker, for SQL tests."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from tests.sql.connections.making import connect_account, register_worker
from tests.support.personas import Person, acting_as, create_person

Row = dict[str, Any]


@dataclass(frozen=True)
class Scene:
    """One person, one connected account, one post with one target, and a live worker."""

    db: psycopg.Connection
    person: Person
    account: uuid.UUID
    post: uuid.UUID
    target: uuid.UUID
    worker: uuid.UUID

    def schedule(self, offset: str = "0") -> None:
        """The person schedules the post at now() + offset."""
        with acting_as(self.db, self.person):
            self.db.execute(
                "select * from public.schedule_post(%s, now() + %s::interval)", (self.post, offset)
            )

    def claim(
        self,
        offset: str = "0",
        *,
        worker: uuid.UUID | None = None,
        limit: int = 100,
        busy: Sequence[uuid.UUID] = (),
    ) -> list[Row]:
        """What the worker is given at now() + offset; its heart beats."""
        worker = worker or self.worker
        self.db.execute(
            "update private.workers set heartbeat_at = now() + %s::interval where id = %s", (offset, worker)
        )
        with self.db.cursor(row_factory=dict_row) as cursor:
            query = "select * from private.claim_targets(%s, %s, null, %s::uuid[], now() + %s::interval)"
            return cursor.execute(query, (worker, limit, list(busy), offset)).fetchall()

    def mark(
        self, attempt: int, offset: str = "0", *, worker: uuid.UUID | None = None, key: str = "key"
    ) -> bool:
        """Whether the worker may send."""
        mark = json.dumps([{"target_id": str(self.target), "attempt": attempt, "platform_key": key}])
        rows = self.db.execute(
            "select * from private.mark_sending(%s, %s, now() + %s::interval)",
            (worker or self.worker, mark, offset),
        ).fetchall()
        assert rows in ([], [(self.target,)])
        return bool(rows)

    def save_progress(self, attempt: int, progress: Row, *, worker: uuid.UUID | None = None) -> bool:
        """Whether the worker still has the target."""
        row = self.db.execute(
            "select private.save_progress(%s, %s, %s, %s)",
            (worker or self.worker, self.target, attempt, json.dumps(progress)),
        ).fetchone()
        assert row is not None
        return row[0]

    def report(
        self,
        attempt: int,
        outcome: str,
        offset: str = "0",
        *,
        worker: uuid.UUID | None = None,
        **more: object,
    ) -> bool:
        """Whether the report was accepted."""
        result = {"target_id": str(self.target), "attempt": attempt, "outcome": outcome, **more}
        rows = self.db.execute(
            "select target_id, accepted from private.report_targets(%s, %s, now() + %s::interval)",
            (worker or self.worker, json.dumps([result]), offset),
        ).fetchall()
        assert len(rows) == 1
        assert rows[0][0] == self.target
        return rows[0][1]

    def row(self) -> Row:
        """The target as it is."""
        with self.db.cursor(row_factory=dict_row) as cursor:
            row = cursor.execute("select * from public.post_targets where id = %s", (self.target,)).fetchone()
        assert row is not None
        return row

    def state(self) -> str:
        return self.row()["state"]

    def queued(self) -> Row | None:
        """The queue row of the target."""
        with self.db.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                "select * from private.queue where lane = 'publish' and subject_id = %s", (self.target,)
            ).fetchone()

    def events(self) -> list[tuple[str, str, str | None]]:
        """The history: from, to, code."""
        return self.db.execute(
            "select from_state::text, to_state::text, code from public.target_events where target_id = %s order by id",
            (self.target,),
        ).fetchall()

    def attempts(self) -> list[tuple[int, str]]:
        return self.db.execute(
            "select attempt, outcome from private.publish_attempts where target_id = %s order by attempt, finished_at",
            (self.target,),
        ).fetchall()

    def notices(self) -> list[tuple[str, str | None]]:
        return self.db.execute(
            "select kind, code from public.notifications where user_id = %s order by created_at, kind",
            (self.person.user_id,),
        ).fetchall()

    def kill(self, worker: uuid.UUID | None = None) -> None:
        """The worker's heart stopped long ago."""
        self.db.execute(
            "update private.workers set heartbeat_at = now() - interval '1 hour' where id = %s",
            (worker or self.worker,),
        )


def add_post(db: psycopg.Connection, person: Person, body: str = "Hello") -> uuid.UUID:
    with acting_as(db, person):
        row = db.execute("insert into public.posts (body) values (%s) returning id", (body,)).fetchone()
    assert row is not None
    return row[0]


def add_target(
    db: psycopg.Connection, person: Person, post: uuid.UUID, account: uuid.UUID, text: str | None = None
) -> uuid.UUID:
    with acting_as(db, person):
        row = db.execute(
            "insert into public.post_targets (post_id, connection_id, text) values (%s, %s, %s) returning id",
            (post, account, text),
        ).fetchone()
    assert row is not None
    return row[0]


def make_scene(db: psycopg.Connection, platform: str = "x", body: str = "Hello") -> Scene:
    """A draft on one account."""
    worker = register_worker(db)
    person = create_person(db)
    account = connect_account(db, person, platform)
    post = add_post(db, person, body)
    return Scene(db, person, account, post, add_target(db, person, post, account), worker)
