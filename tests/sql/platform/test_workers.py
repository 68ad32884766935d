"""Workers register, stay alive by heartbeat, and end in order."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

T0 = "2026-03-01T12:00:00Z"
REGISTER = "select private.register_worker('w-1', %s, %s, %s)"


def _worker(db: Connection, at: str = T0) -> uuid.UUID:
    return scalar(db, "select private.register_worker('w-1', null, null, %s)", at)


def _lease(db: Connection, worker: uuid.UUID, subject: uuid.UUID, at: str = T0) -> None:
    db.execute("select private.enqueue('planted', %s, %s, %s)", (subject, at, at))
    assert scalar(db, "select count(*) from private.lease_due(%s, 'planted', 10, null, %s)", worker, at) == 1


def test_a_worker_registers_beats_and_stops(db: Connection) -> None:
    with as_worker(db):
        worker = scalar(
            db, "select worker.register_worker('host:1', 'https://w.example/', '{https://app.example/done}')"
        )
        assert scalar(db, "select worker.heartbeat(%s)", worker)
        assert scalar(db, "select worker.stop_worker(%s)", worker) == 0
        assert not scalar(db, "select worker.heartbeat(%s)", worker)
        assert scalar(db, "select worker.stop_worker(%s)", worker) == 0
    assert scalar(db, "select private.setting('public_url')") == "https://w.example"
    assert rows(db, "select url from private.redirect_urls") == [("https://app.example/done",)]


def test_people_are_no_workers(db: Connection) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute("select private.register_worker('x', null, null)")


@pytest.mark.parametrize("name", [None, "", "a b", "x" * 101])
def test_a_worker_has_a_name(db: Connection, name: str | None) -> None:
    with denied(db, "NX002"):
        db.execute("select private.register_worker(%s, null, null)", (name,))


@pytest.mark.parametrize(
    ("public_url", "redirect_urls"),
    [
        ("http://w.example", None),
        ("https://w.example/?x=1", None),
        ("nonsense", None),
        (None, ["https://app.example", "http://app.example"]),
        (None, ["https://app.example", None]),
    ],
)
def test_bad_addresses_are_refused(
    db: Connection, public_url: str | None, redirect_urls: list[str] | None
) -> None:
    with denied(db, "NX005"):
        db.execute(REGISTER, (public_url, redirect_urls, T0))


def test_a_list_replaces_the_list_and_null_leaves_it(db: Connection) -> None:
    one, two = "https://app.example/1", "https://app.example/2"
    for announced, expected in [
        ([one, two, two], {one, two}),
        (None, {one, two}),
        ([two], {two}),
        ([], set()),
    ]:
        db.execute(REGISTER, (None, announced, T0))
        assert {url for (url,) in rows(db, "select url from private.redirect_urls")} == expected


def test_an_unknown_worker_has_no_heartbeat(db: Connection) -> None:
    assert not scalar(db, "select private.heartbeat(gen_random_uuid())")


@pytest.mark.parametrize(
    ("now", "is_dead"), [("2026-03-01T12:00:45Z", False), ("2026-03-01T12:00:45.001Z", True)]
)
def test_a_worker_without_heartbeat_is_dead_after_the_lease(db: Connection, now: str, is_dead: bool) -> None:
    worker, subject = _worker(db), uuid.uuid4()
    _lease(db, worker, subject)
    assert scalar(db, "select private.release_dead_leases(%s)", now) == int(is_dead)
    assert scalar(db, "select private.heartbeat(%s, %s)", worker, now) is not is_dead


def test_a_heartbeat_never_goes_back(db: Connection) -> None:
    worker = _worker(db)
    db.execute("select private.heartbeat(%s, '2026-03-01T11:00:00Z')", (worker,))
    assert scalar(db, "select heartbeat_at = %s from private.workers where id = %s", T0, worker)


def test_stopping_gives_back_what_is_not_being_sent(db: Connection) -> None:
    worker, idle, sending = _worker(db), uuid.uuid4(), uuid.uuid4()
    _lease(db, worker, idle)
    _lease(db, worker, sending)
    db.execute(
        "update private.queue set sending_at = %s, sending_attempt = 1 where subject_id = %s", (T0, sending)
    )
    later = "2026-03-01T12:00:10Z"
    assert scalar(db, "select private.stop_worker(%s, %s)", worker, later) == 1
    assert rows(
        db,
        "select worker_id, leased_at, due_at = %s, attempt from private.queue where subject_id = %s",
        later,
        idle,
    ) == [(None, None, True, 1)]
    assert scalar(db, "select worker_id from private.queue where subject_id = %s", sending) == worker
    assert scalar(db, "select private.hold_worker(%s)", worker) == "stopping"
    assert rows(db, "select * from private.lease_due(%s, 'planted', 10, null, %s)", worker, later) == []


def test_what_a_stopped_worker_was_sending_is_released_when_its_heartbeat_runs_out(db: Connection) -> None:
    worker, sending = _worker(db), uuid.uuid4()
    _lease(db, worker, sending)
    db.execute(
        "update private.queue set sending_at = %s, sending_attempt = 1 where subject_id = %s", (T0, sending)
    )
    db.execute("select private.stop_worker(%s, %s)", (worker, T0))
    assert scalar(db, "select private.release_dead_leases('2026-03-01T12:01:00Z')") == 1
    assert rows(
        db,
        "select worker_id, sending_at is not null, attempt from private.queue where subject_id = %s",
        sending,
    ) == [(None, True, 1)]
    assert scalar(db, "select private.hold_worker(%s)", worker) is None


def test_workers_are_forgotten_a_week_after_they_went(db: Connection) -> None:
    worker = _worker(db)
    db.execute("select private.stop_worker(%s, %s)", (worker, T0))
    assert scalar(db, "select private.forget_workers('2026-03-08T12:00:00Z')") == 0
    assert scalar(db, "select private.forget_workers('2026-03-08T12:00:01Z')") == 1


def test_a_living_worker_is_never_forgotten(db: Connection) -> None:
    _worker(db)
    assert scalar(db, "select private.forget_workers('2099-01-01')") == 0
