"""P8.5: what a legal hold covers is not deleted by anybody; when it is lifted, deletion goes on."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import psycopg
import pytest

from tests.sql.privacy.erasing import GRACE, now, request, run, step
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied
from tests.support.seed import seed_person


def place(db: Connection, subject: uuid.UUID, *categories: str, approved: bool = True) -> uuid.UUID:
    hold: uuid.UUID = scalar(
        db, "select worker.place_legal_hold(%s, %s, 'case 7', 'ann')", subject, list(categories)
    )
    if approved:
        assert scalar(db, "select worker.approve_legal_hold(%s, 'ben')", hold) is True
    return hold


def release(db: Connection, hold: uuid.UUID) -> None:
    assert scalar(db, "select worker.release_legal_hold(%s, 'ann')", hold) is False
    assert scalar(db, "select worker.release_legal_hold(%s, 'ben')", hold) is True


def count(db: Connection, table: str, person: uuid.UUID) -> int:
    return int(scalar(db, f"select count(*) from {table} where user_id = %s", person))


def test_a_hold_before_the_request_keeps_what_it_covers_and_nothing_else(db: Connection) -> None:
    seeded = seed_person(db)
    person = seeded.person.user_id
    hold = place(db, person, "user.content")
    erasure = request(db, seeded.person)
    at = now(db) + GRACE
    assert run(db, erasure, at) == "held"
    for kept in ("public.posts", "public.scripts", "public.post_targets", "public.connections"):
        assert count(db, kept, person) >= 1, kept
    for gone in ("private.token_vault", "public.social_links", "public.notifications", "private.accounts"):
        assert count(db, gone, person) == 0, gone
    assert scalar(db, "select count(*) from storage.objects where name like %s", f"{person}/%") == 1
    assert scalar(db, "select count(*) from auth.users where id = %s", person) == 1

    release(db, hold)
    assert scalar(db, "select count(*) from private.queue where lane = 'erasure'") == 1
    assert run(db, erasure, at) == "completed"
    assert count(db, "public.posts", person) == 0


def test_a_hold_in_the_middle_stops_what_is_left(db: Connection) -> None:
    seeded = seed_person(db)
    erasure = request(db, seeded.person)
    at = now(db) + GRACE
    for _ in range(8):
        step(db, erasure, at)
    hold = place(db, seeded.person.user_id, "user")
    assert run(db, erasure, at) == "held"
    assert count(db, "public.posts", seeded.person.user_id) == 1
    release(db, hold)
    assert run(db, erasure, at) == "completed"


def test_the_deadline_alarm_is_silent_while_a_hold_works(db: Connection) -> None:
    seeded = seed_person(db)
    place(db, seeded.person.user_id, "user")
    erasure = request(db, seeded.person)
    assert run(db, erasure, now(db) + GRACE) == "held"
    assert scalar(db, "select private.warn_of_erasures(now() + interval '31 days')") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.posts where user_id = %(person)s",
        "delete from public.scripts where user_id = %(person)s",
        "delete from public.connections where user_id = %(person)s",
        "delete from auth.users where id = %(person)s",
        "select private.delete_auth_user(%(person)s)",
        "truncate public.posts cascade",
        "truncate public.captions",
    ],
)
def test_nobody_deletes_what_is_held(db: Connection, statement: str) -> None:
    person = seed_person(db).person.user_id
    place(db, person, "user.content")
    with denied(db, "NX913"):
        db.execute(statement, {"person": person})


def test_its_person_does_not_delete_what_is_held(db: Connection) -> None:
    seeded = seed_person(db)
    place(db, seeded.person.user_id, "user.content")
    with denied(db, "NX913"), acting_as(db, seeded.person):
        db.execute("delete from public.captions")
    other = seed_person(db)
    with acting_as(db, other.person):
        db.execute("delete from public.captions")


def test_tokens_cannot_be_held(db: Connection) -> None:
    for categories in (["user.authorization"], ["user.authorization.credentials"], [], ["system.operations"]):
        with denied(db, "NX002"), as_worker(db):
            db.execute("select worker.place_legal_hold(%s, %s, 'case 7', 'ann')", (uuid.uuid4(), categories))


def test_it_takes_two_people(db: Connection) -> None:
    hold = place(db, create_person(db).user_id, "user", approved=False)
    with denied(db, "NX914"):
        db.execute("select worker.approve_legal_hold(%s, 'ann')", (hold,))
    assert scalar(db, "select worker.approve_legal_hold(%s, 'ben')", hold) is True
    assert scalar(db, "select worker.release_legal_hold(%s, 'ben')", hold) is False
    with denied(db, "NX914"):
        db.execute("select worker.release_legal_hold(%s, 'ben')", (hold,))
    assert scalar(db, "select worker.release_legal_hold(%s, 'cleo')", hold) is True
    with denied(db, "NX915"):
        db.execute("select worker.release_legal_hold(%s, 'ann')", (uuid.uuid4(),))


def test_one_that_nobody_approves_lapses_after_three_days(db: Connection) -> None:
    person = create_person(db).user_id
    place(db, person, "user", approved=False)
    effective = "select count(*) from private.effective_holds(%s, now() + %s)"
    assert scalar(db, effective, person, timedelta(hours=72) - timedelta(milliseconds=1)) == 1
    assert scalar(db, effective, person, timedelta(hours=72)) == 0


def test_every_personal_table_has_its_guard(db: Connection) -> None:
    assert rows(db, "select * from private.unguarded_relations()") == []


def test_a_table_without_its_guard_is_a_gap(db: Connection) -> None:
    db.execute("drop trigger _050_keep_held on public.posts")
    gaps = rows(db, "select gap, subject from private.catalogue_gaps()")
    assert gaps == [("no guard against deleting what is held", "public.posts")]


def test_a_hold_at_the_same_moment_waits_for_the_step_and_stops_the_next(db_url: str) -> None:
    """Two connections: the step holds the erasure, the hold waits for it, and then counts."""
    with psycopg.connect(db_url) as worker, psycopg.connect(db_url) as counsel:
        seeded = seed_person(worker)
        erasure = request(worker, seeded.person)
        worker.commit()
        at = now(worker) + GRACE
        step(worker, erasure, at)  # the plan; not committed, so that its lock is held
        placed = threading.Event()

        def place_it() -> None:
            place(counsel, seeded.person.user_id, "user.content")
            counsel.commit()
            placed.set()

        thread = threading.Thread(target=place_it)
        thread.start()
        waiting = """select count(*) from pg_stat_activity
                     where wait_event_type = 'Lock' and position('place_legal_hold' in query) > 0"""
        with psycopg.connect(db_url, autocommit=True) as watcher:
            while scalar(watcher, waiting) == 0:
                assert not placed.is_set()
        worker.commit()
        thread.join()
        assert run(worker, erasure, at) == "held"
        assert count(worker, "public.posts", seeded.person.user_id) == 1
        worker.rollback()
