"""Several sessions on one scene at one time, and whoever ends what a lease rests on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TypeVar

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as
from tests.support.waiting import wait_until

T = TypeVar("T")
Act = Callable[[Scene], object]


@dataclass(frozen=True)
class Race:
    """One scene, due now, seen from sessions of a database of its own; nothing is open in any of them."""

    first: Scene
    second: Scene
    holder: psycopg.Connection
    watcher: psycopg.Connection
    pool: ThreadPoolExecutor

    def is_blocked(self, session: psycopg.Connection) -> bool:
        query = "select cardinality(pg_blocking_pids(%s)) > 0"
        return bool(scalar(self.watcher, query, session.info.backend_pid))

    def start(self, scene: Scene, act: Callable[[Scene], T]) -> Future[T]:
        """Lets the session act and commit; comes back when it waits for a lock, or is through."""

        def run() -> T:
            try:
                result = act(scene)
            except BaseException:
                scene.db.rollback()
                raise
            scene.db.commit()
            return result

        future = self.pool.submit(run)
        wait_until(lambda: future.done() or self.is_blocked(scene.db))
        return future

    def blocked(self, scene: Scene, act: Callable[[Scene], T]) -> Future[T]:
        """The same, and it has to wait."""
        future = self.start(scene, act)
        assert not future.done(), "it did not wait"
        return future

    def hold(self, target: uuid.UUID) -> None:
        """A third session stands on the queue row, so that others come to a halt there."""
        query = "select from private.queue where lane = 'publish' and subject_id = %s for update"
        assert len(rows(self.holder, query, target)) == 1

    def side_by_side(self, *acts: tuple[Scene, Act]) -> list[object]:
        """Starts them one after the other, lets the holder go once each has come as far as it can."""
        futures = [self.start(scene, act) for scene, act in acts]
        self.holder.commit()
        return [future.result() for future in futures]


@pytest.fixture
def race(db_url: str) -> Iterator[Race]:
    with ExitStack() as stack:

        def session(*, autocommit: bool = False) -> psycopg.Connection:
            connection = psycopg.connect(db_url, autocommit=autocommit, options="-c lock_timeout=10s")
            return stack.enter_context(closing(connection))

        setup = session()
        setup.execute("delete from private.queue")
        setup.execute("update private.workers set stopped_at = now(), released_at = now()")
        scene = make_scene(setup)
        scene.schedule()
        setup.commit()
        second, holder, watcher = replace(scene, db=session()), session(), session(autocommit=True)
        pool = stack.enter_context(ThreadPoolExecutor(2))
        yield Race(scene, second, holder, watcher, pool)


@pytest.fixture
def leased(race: Race) -> Race:
    """The worker has it, and has not sent it: attempt 1."""
    assert [row["attempt"] for row in race.first.claim()] == [1]
    race.first.db.commit()
    return race


def disconnect(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("select public.disconnect_account(%s)", (scene.account,))


def revoke(scene: Scene) -> None:
    assert scalar(scene.db, "select private.revoke_connection(%s, 'invalid_grant')", scene.account)


def restrict(scene: Scene) -> None:
    assert scalar(scene.db, "select private.restrict_processing(%s)", scene.person.user_id)


def lock_down(scene: Scene) -> None:
    scene.db.execute("select private.lock_down(%s, now())", (scene.person.user_id,))


def cancel(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("select public.cancel_target(%s)", (scene.target,))


def reschedule(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        query = "select public.reschedule_target(%s, now() + interval '1 hour')"
        scene.db.execute(query, (scene.target,))


@dataclass(frozen=True)
class Ending:
    """Somebody ends what a lease rests on, and what becomes of a target that a worker has not sent."""

    act: Act
    state: str
    code: str | None
    outcome: str
    stays_queued: bool = False


ENDINGS = [
    pytest.param(Ending(disconnect, "failed", "NX431", "disconnected"), id="disconnect"),
    pytest.param(Ending(revoke, "scheduled", "NX430", "reconnect", stays_queued=True), id="revoke"),
    pytest.param(Ending(restrict, "cancelled", None, "cancelled"), id="restrict"),
    pytest.param(Ending(lock_down, "cancelled", None, "cancelled"), id="lock_down"),
    pytest.param(Ending(cancel, "cancelled", None, "cancelled"), id="cancel"),
]
ENDINGS_OF_ACCOUNTS = [ending for ending in ENDINGS if ending.id != "cancel"]


def told(scene: Scene) -> tuple[str, str | None]:
    row = scene.row()
    return row["state"], row["failure_code"]


def assert_ended(scene: Scene, ending: Ending, attempts: list[tuple[int, str]]) -> None:
    """As the ending says; nobody gets it, and nothing that the worker says about its lease counts."""
    assert told(scene) == (ending.state, ending.code)
    assert scene.attempts() == attempts
    queued = scene.queued()
    if ending.stays_queued:
        assert queued is not None
        assert (queued["worker_id"], queued["leased_at"], queued["sending_at"]) == (None, None, None)
    else:
        assert queued is None
    assert not scene.mark(1)
    assert not scene.save_progress(1, {"session": 1})
    for outcome in ("published", "retry", "rejected", "unknown", "released", "reconnect", "unconfirmed"):
        assert not scene.report(1, outcome, external_id="1")
    assert told(scene) == (ending.state, ending.code)
    assert scene.attempts() == attempts
    assert scene.claim() == []
    scene.db.commit()
