"""Four workers, an editor and a person who changes their mind, all at once: afterwards every target tells the truth."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.sql.connections.making import connect_account, consumed_flow, register_worker, store
from tests.sql.publishing.making import Row, add_post, add_target
from tests.sql.querying import rows, scalar
from tests.support.personas import Person, acting_as, create_person

SECONDS = 2.5
LAWFUL = {"NX204", "NX412", "NX420", "NX421", "NX423"}
"""What people may be answered while workers are at it."""
HASTE = 20
"""The clocks of workers run so much faster, so that probes are due within the test."""


@dataclass
class Ledger:
    """What the workers know: what they were allowed to send, and what the platform took."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    sending: dict[uuid.UUID, int] = field(default_factory=dict)
    out: dict[uuid.UUID, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def begin(self, target: uuid.UUID, attempt: int) -> None:
        with self.lock:
            assert target not in self.sending, "two attempts are sending"
            assert target not in self.out, "sent again"
            self.sending[target] = attempt
            self.counts["marked"] += 1

    def end(self, target: uuid.UUID) -> None:
        with self.lock:
            del self.sending[target]

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1


@dataclass(frozen=True)
class Account:
    person: Person
    connection: uuid.UUID
    external_id: str
    targets: list[uuid.UUID]


@dataclass(frozen=True)
class Stage:
    url: str
    accounts: list[Account]
    ledger: Ledger
    began: float

    def is_over(self) -> bool:
        return time.monotonic() > self.began + SECONDS

    def later(self) -> timedelta:
        """How far the clocks of workers are ahead."""
        return timedelta(seconds=HASTE * (time.monotonic() - self.began))

    def session(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True, options="-c lock_timeout=20s")


@pytest.fixture
def stage(db_url: str) -> Stage:
    accounts: list[Account] = []
    with psycopg.connect(db_url) as db:
        register_worker(db)  # announces the addresses
        db.execute("update private.settings set value = '1000' where key = 'publish_max_attempts'")
        db.execute("update private.settings set value = '0' where key = 'backoff_base_seconds'")
        for number in range(6):
            person = accounts[-1].person if number % 2 else create_person(db)
            connection = connect_account(db, person, external_id=f"account-{number}")
            targets = []
            for n in range(10):
                post = add_post(db, person, f"post {number}-{n}")
                targets.append(add_target(db, person, post, connection))
                with acting_as(db, person):
                    db.execute("select public.publish_now(%s)", (post,))
            accounts.append(Account(person, connection, f"account-{number}", targets))
    return Stage(db_url, accounts, Ledger(), time.monotonic())


def publish(stage: Stage, seed: int) -> None:
    """A worker: claims, marks most of it, and says something about all of it."""
    chance, ledger = random.Random(seed), stage.ledger
    with stage.session() as db:
        worker = register_worker(db, f"stress-{seed}")
        db.execute(
            "update private.workers set heartbeat_at = now() + interval '1 hour' where id = %s", (worker,)
        )
        while not stage.is_over():
            with db.cursor(row_factory=dict_row) as cursor:
                query = "select * from private.claim_targets(%s, %s, null, null, now() + %s)"
                claimed = cursor.execute(query, (worker, chance.randint(1, 8), stage.later())).fetchall()
            chance.shuffle(claimed)
            asked = [row for row in claimed if row["mode"] == "reconcile" or chance.random() < 0.85]
            marked = mark(db, worker, asked, stage)
            for row in claimed:
                assert row["mode"] == "publish" or row["target_id"] not in marked
                ledger.count(row["mode"])
                if row["target_id"] in marked:
                    ledger.begin(row["target_id"], row["attempt"])
            report(db, worker, [(row, say(chance, row, row in asked, marked)) for row in claimed], stage)


def mark(db: psycopg.Connection, worker: uuid.UUID, asked: list[Row], stage: Stage) -> set[uuid.UUID]:
    marks = json.dumps([{"target_id": str(row["target_id"]), "attempt": row["attempt"]} for row in asked])
    query = "select * from private.mark_sending(%s, %s, now() + %s)"
    return {target for (target,) in rows(db, query, worker, marks, stage.later())}


def say(chance: random.Random, row: Row, is_asked: bool, marked: set[uuid.UUID]) -> tuple[str, bool | None]:
    """An outcome, and whether it must be accepted; None: somebody may have taken the lease away."""
    if row["mode"] == "reconcile":
        return chance.choices(["published", "retry", "unknown"], [5, 75, 20])[0], True
    if row["target_id"] in marked:
        return chance.choices(["published", "retry", "rejected", "unknown"], [3, 72, 10, 15])[0], True
    if is_asked:  # refused: the lease is gone
        return chance.choice(["published", "retry", "unknown"]), False
    return chance.choice(["retry", "released"]), None


def report(
    db: psycopg.Connection, worker: uuid.UUID, said: list[tuple[Row, tuple[str, bool | None]]], stage: Stage
) -> None:
    results = []
    for row, (outcome, must_count) in said:
        target = row["target_id"]
        if must_count and outcome in ("retry", "rejected"):
            stage.ledger.end(target)  # before the report: after it somebody else may send
        results.append(
            {
                "target_id": str(target),
                "attempt": row["attempt"],
                "outcome": outcome,
                "external_id": str(target),
            }
        )
    query = "select target_id, accepted from private.report_targets(%s, %s, now() + %s)"
    accepted = dict(rows(db, query, worker, json.dumps(results), stage.later()))
    for row, (outcome, must_count) in said:
        assert must_count in (None, accepted[row["target_id"]]), (outcome, must_count)
        if must_count and outcome == "published":
            stage.ledger.out[row["target_id"]] = row["text"]
            stage.ledger.end(row["target_id"])


def attempt_to(stage: Stage, what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except psycopg.Error as error:
        if error.sqlstate not in LAWFUL:
            raise
        stage.ledger.count(f"{what} {error.sqlstate}")
    else:
        stage.ledger.count(what)


EDIT_TARGET = "update public.post_targets set text = %s where id = %s"
EDIT_POST = """update public.posts p set body = %s
               from public.post_targets t where t.id = %s and p.id = t.post_id"""


def edit(stage: Stage, seed: int) -> None:
    """Somebody who cannot stop improving texts."""
    chance = random.Random(seed)
    with stage.session() as db:
        while not stage.is_over():
            account = chance.choice(stage.accounts)
            query = chance.choice([EDIT_TARGET, EDIT_POST])
            change = (f"better {chance.random()}", chance.choice(account.targets))

            def act(
                person: Person = account.person,
                query: LiteralString = query,
                change: tuple[str, uuid.UUID] = change,
            ) -> None:
                with db.transaction(), acting_as(db, person):
                    db.execute(query, change)

            attempt_to(stage, "edit", act)


def change_mind(stage: Stage, seed: int) -> None:
    """Somebody who cancels, retries, disconnects and connects again."""
    chance = random.Random(seed)
    with stage.session() as db:
        while not stage.is_over():
            account = chance.choice(stage.accounts)
            what = chance.choices(["cancel", "retry", "move", "disconnect", "revoke"], [30, 45, 15, 5, 5])[0]
            target = chance.choice(account.targets)

            def act(what: str = what, account: Account = account, target: uuid.UUID = target) -> None:
                with db.transaction():
                    move(db, what, account, target)

            attempt_to(stage, what, act)
            if what in ("disconnect", "revoke"):  # at once, or there would soon be nothing to do
                with db.transaction():
                    flow = consumed_flow(db, account.person, reconnect=account.connection)
                    assert store(db, flow, account.external_id) == account.connection


def move(db: psycopg.Connection, what: str, account: Account, target: uuid.UUID) -> None:
    if what == "revoke":
        db.execute("select private.revoke_connection(%s, 'invalid_grant')", (account.connection,))
        return
    with acting_as(db, account.person):
        match what:
            case "cancel":
                db.execute("select public.cancel_target(%s)", (target,))
            case "retry":
                db.execute("select public.retry_target(%s)", (target,))
            case "move":
                db.execute("select public.reschedule_target(%s, now())", (target,))
            case _:
                db.execute("select public.disconnect_account(%s)", (account.connection,))


def test_whatever_happens_at_once_every_target_tells_the_truth(stage: Stage) -> None:
    parts = [(publish, 1), (publish, 2), (publish, 3), (publish, 4), (edit, 5), (change_mind, 6)]
    with ThreadPoolExecutor(len(parts)) as pool:
        for future in [pool.submit(part, stage, seed) for part, seed in parts]:
            future.result()
    counts = stage.ledger.counts
    for what in ("marked", "reconcile", "edit", "retry", "move", "disconnect", "revoke"):
        assert counts[what] > 0, counts
    with stage.session() as db:
        check(db, stage.ledger)


def check(db: psycopg.Connection, ledger: Ledger) -> None:
    states = dict(rows(db, "select id, state::text from public.post_targets"))
    published = {target for target, state in states.items() if state == "published"}
    assert published == set(ledger.out)
    assert published
    for target, text in rows(db, "select id, text from public.post_targets where state = 'published'"):
        assert text in (None, ledger.out[target]), "edited after it was handed out"

    queue = rows(
        db, "select subject_id, worker_id, sending_attempt from private.queue where lane = 'publish'"
    )
    assert {target for target, _, _ in queue} == {
        target for target, state in states.items() if state in ("scheduled", "publishing")
    }
    assert [worker for _, worker, _ in queue if worker is not None] == []
    in_doubt = {target: attempt for target, _, attempt in queue if attempt is not None}
    assert in_doubt == {
        target: attempt for target, attempt in ledger.sending.items() if states[target] != "unconfirmed"
    }

    twice = "select count(*) - count(distinct (target_id, attempt)) from private.publish_attempts"
    assert scalar(db, twice) == 0
    successes = rows(db, "select target_id from private.publish_attempts where outcome = 'published'")
    assert sorted(target for (target,) in successes) == sorted(published)

    seen: dict[uuid.UUID, str] = {}
    for target, before, after in rows(
        db, "select target_id, from_state::text, to_state::text from public.target_events order by id"
    ):
        assert seen.get(target, "draft") == before, "a step is missing in the history"
        seen[target] = after
    assert seen == states
