"""A person is told once, reads their own notices only, and can do nothing but mark them as read."""

from __future__ import annotations

import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

SUBJECT = uuid.UUID("00000000-0000-4000-8000-00000000000b")
T0 = "2026-03-01T12:00:00Z"


def _notify(
    db: Connection, person: Person, code: str | None = "NX431", subject: uuid.UUID | None = SUBJECT
) -> None:
    db.execute(
        "select private.notify(%s, 'target_failed', 'post_target', %s, %s, %s)",
        (person.user_id, subject, code, T0),
    )


def _count(db: Connection, person: Person) -> int:
    return scalar(db, "select count(*) from public.notifications where user_id = %s", person.user_id)


def test_a_notice_reaches_its_person(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    _notify(db, ada)
    with acting_as(db, ada):
        assert rows(db, "select kind, subject_kind, subject_id, code, read_at from public.notifications") == [
            ("target_failed", "post_target", SUBJECT, "NX431", None)
        ]
    with acting_as(db, bob):
        assert rows(db, "select * from public.notifications") == []
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select from public.notifications")
    with denied(db, "42501"), as_worker(db):
        db.execute("select from public.notifications")


@pytest.mark.parametrize(("code", "subject"), [("NX431", SUBJECT), (None, SUBJECT), (None, None)])
def test_it_is_told_once_while_unread(db: Connection, code: str | None, subject: uuid.UUID | None) -> None:
    ada = create_person(db)
    for _ in range(3):
        _notify(db, ada, code, subject)
    assert _count(db, ada) == 1
    db.execute("update public.notifications set read_at = %s", (T0,))
    _notify(db, ada, code, subject)
    assert _count(db, ada) == 2


def test_another_reason_or_person_is_another_notice(db: Connection) -> None:
    ada = create_person(db)
    _notify(db, ada)
    _notify(db, ada, "NX430")
    _notify(db, create_person(db))
    assert _count(db, ada) == 2


def test_reading_takes_the_database_s_time_once(db: Connection) -> None:
    ada = create_person(db)
    _notify(db, ada)
    with acting_as(db, ada):
        db.execute("update public.notifications set read_at = '1999-01-01'")
        assert scalar(db, "select read_at = now() from public.notifications")
    db.execute("update public.notifications set read_at = '2026-03-02T00:00:00Z'")
    with acting_as(db, ada):
        db.execute("update public.notifications set read_at = now()")
        assert scalar(db, "select read_at = '2026-03-02T00:00:00Z' from public.notifications")
        db.execute("update public.notifications set read_at = null")
        assert scalar(db, "select read_at is null from public.notifications")


def test_notices_of_others_cannot_be_marked(db: Connection) -> None:
    ada = create_person(db)
    _notify(db, ada)
    with acting_as(db, create_person(db)):
        assert db.execute("update public.notifications set read_at = now()").rowcount == 0


COLUMNS = ["id", "user_id", "kind", "subject_kind", "subject_id", "code", "created_at", "wants_mail"]


@pytest.mark.parametrize("column", COLUMNS)
def test_nothing_else_can_be_changed(db: Connection, column: str) -> None:
    ada = create_person(db)
    _notify(db, ada)
    statement = f"update public.notifications set read_at = now(), {column} = null"
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(statement)  # type: ignore[arg-type]
    db.execute("grant all on public.notifications to authenticated")  # as an API server that re-grants would
    with denied(db, "NX010"), acting_as(db, ada):
        db.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "statement", ["delete from public.notifications", "insert into public.notifications (kind) values ('x')"]
)
def test_people_neither_write_nor_delete(db: Connection, statement: str) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(statement)  # type: ignore[arg-type]


def test_without_a_usable_account_there_is_nothing_to_see(db: Connection) -> None:
    ada = create_person(db, birth_date=None)
    _notify(db, ada)
    with acting_as(db, ada):
        assert rows(db, "select * from public.notifications") == []


def test_a_notice_holds_no_text(db: Connection) -> None:
    with denied(db, "23514"):
        _notify(db, create_person(db), "Your post about cats failed")


def test_notices_go_with_the_person(db: Connection) -> None:
    ada = create_person(db)
    _notify(db, ada)
    db.execute("delete from auth.users where id = %s", (ada.user_id,))
    assert _count(db, ada) == 0


@pytest.mark.parametrize(
    ("is_read", "now", "is_kept"),
    [
        (True, "2026-05-30T12:00:00Z", True),
        (True, "2026-05-30T12:00:01Z", False),
        (False, "2027-03-01T12:00:00Z", True),
        (False, "2027-03-01T12:00:01Z", False),
    ],
)
def test_old_notices_go(db: Connection, is_read: bool, now: str, is_kept: bool) -> None:
    ada = create_person(db)
    _notify(db, ada)
    if is_read:
        db.execute("update public.notifications set read_at = %s", (T0,))
    assert scalar(db, "select private.forget_notifications(%s)", now) == int(not is_kept)
    assert _count(db, ada) == int(is_kept)


def test_changes_are_streamed_where_the_platform_can(db: Connection) -> None:
    found = rows(
        db,
        "select pubname from pg_publication_tables where schemaname = 'public' and tablename = "
        "'notifications'",
    )
    assert found == [("supabase_realtime",)]
