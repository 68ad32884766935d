"""The list of backups and the copy of erasures: terms on both sides of the instant, what a restore makes of them."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sql.privacy import erasing
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import create_person, denied
from tests.support.seed import seed_person

AT = datetime(2028, 2, 29, 1, 0, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = timedelta(hours=840)


def begin(
    db: Connection, at: datetime, worker: uuid.UUID | None = None, key: str = "k1"
) -> tuple[uuid.UUID, str] | None:
    """Begin a backup; its id and the name of its file, or None: there was nothing to do."""
    backup = uuid.uuid4()
    found = rows(
        db, "select file_name from private.begin_backup(%s, 'bucket', %s, %s, %s)", backup, key, worker, at
    )
    return (backup, found[0][0]) if found else None


def finish(db: Connection, backup: uuid.UUID, at: datetime) -> None:
    assert scalar(db, "select private.finish_backup(%s, 7, repeat('0', 64), 'k1', 2, 0, %s)", backup, at)


def reconcile(db: Connection, at: datetime, *names: str) -> list[str]:
    files = json.dumps([{"name": name, "size": 7} for name in names])
    return [
        name
        for (name,) in rows(
            db, "select file_name from private.reconcile_backups('bucket', %s, %s)", files, at
        )
    ]


def worker(db: Connection, at: datetime) -> uuid.UUID:
    found: uuid.UUID = scalar(db, "select private.register_worker('w', null, null, %s)", at)
    return found


def test_the_day_has_one_backup_whoever_asks(db: Connection) -> None:
    """P3.2. A living worker is waited for, a dead one is not; by hand there is always another one."""
    first, second = worker(db, AT), worker(db, AT)
    begun = begin(db, AT, first)
    assert begun is not None
    assert begun[1] == f"nexora-20280229T010000Z-{begun[0]}.nxb"
    assert begin(db, AT, second) is None
    assert (
        begin(db, AT + timedelta(minutes=11), second) is not None
    )  # no heartbeat of the first for ten minutes
    finish(db, begun[0], AT)
    assert begin(db, AT + timedelta(hours=23, minutes=29, seconds=59), first) is None
    assert (
        begin(db, AT + timedelta(hours=1), first, "k2") is not None
    )  # a rotation must not leave all under the old key
    assert begin(db, AT + timedelta(hours=23, minutes=30), first) is not None
    assert begin(db, AT) is not None


def test_it_ends_after_35_days_and_the_purge_is_looked_at(db: Connection) -> None:
    """P8.2: over a leap day; what was removed counts as purged only when it is not there any more."""
    backup, name = begin(db, AT) or (None, "")
    assert backup is not None
    finish(db, backup, AT)
    assert reconcile(db, AT + WINDOW - timedelta(seconds=1), name) == []
    assert reconcile(db, AT + WINDOW, name) == [name]
    assert reconcile(db, AT + WINDOW, name) == [name]
    assert reconcile(db, AT + WINDOW) == []
    assert scalar(db, "select purged_at from private.backups where id = %s", backup) == AT + WINDOW
    with denied(db, "23514"):
        db.execute("update private.backups set expires_at = taken_at + interval '840 hours 1 second'")


def test_one_that_is_not_where_it_was_put_is_missing_until_it_is_back(db: Connection) -> None:
    backup, name = begin(db, AT) or (None, "")
    assert backup is not None
    finish(db, backup, AT)
    for there, missing in (((), AT + DAY), ((name,), None)):
        reconcile(db, AT + DAY, *there)
        assert scalar(db, "select missing_at from private.backups where id = %s", backup) == missing
    reconcile(db, AT + 2 * DAY + timedelta(hours=1), name)
    assert scalar(db, "select listed_at from private.backups") == AT + 2 * DAY + timedelta(hours=1)


def test_one_that_nobody_knows_of_gets_its_term_from_its_name(db: Connection) -> None:
    """After a restore the list is older than what lies there."""
    name = f"nexora-20280229T010000Z-{uuid.uuid4()}.nxb"
    assert reconcile(db, AT + 3 * DAY, name, "notes.txt", f"{name}.partial") == []
    assert rows(db, "select state, expires_at from private.backups") == [("found", AT + WINDOW)]
    assert reconcile(db, AT + WINDOW, name) == [name]


def test_what_was_begun_and_never_finished_is_forgotten(db: Connection) -> None:
    begun = begin(db, AT)
    assert begun is not None
    reconcile(db, AT + 2 * DAY)
    assert scalar(db, "select count(*) from private.backups") == 1
    reconcile(db, AT + 2 * DAY + timedelta(seconds=1))
    assert scalar(db, "select count(*) from private.backups") == 0
    again = begin(db, AT)
    assert again is not None
    assert scalar(db, "select private.drop_backup(%s)", again[0])
    assert not scalar(db, "select private.finish_backup(%s, 7, repeat('0', 64), 'k1', 2, 0)", again[0])


def test_nothing_that_is_left_out_is_referred_to_by_what_is_not(db: Connection) -> None:
    """A restore loads rows with triggers off: a reference to a row that is in no backup would dangle."""
    dangling = rows(
        db,
        """select k.conrelid::regclass::text, k.confrelid::regclass::text from pg_constraint k
           join private.backup_exclusions x on to_regclass(x.relation) = k.confrelid
           where k.contype = 'f' and not exists (
             select from private.backup_exclusions o where to_regclass(o.relation) = k.conrelid)""",
    )
    assert dangling == []


def pending(db: Connection) -> list[dict[str, Any]]:
    return [row for (row,) in rows(db, "select to_jsonb(p) from private.pending_tombstones(10) p")]


def confirm(db: Connection, tombstones: list[dict[str, Any]]) -> None:
    db.execute("select private.confirm_tombstones(%s)", (json.dumps(tombstones),))


def test_an_erasure_is_copied_at_each_step_and_then_the_database_forgets_the_key(db: Connection) -> None:
    """P8.2. The tag is an HMAC: only who has the key can tell the person, and the ledger calls them by it."""
    person = create_person(db)
    at = erasing.now(db)
    erasure = erasing.request(db, person)
    (asked,) = pending(db)
    assert asked["state"] == "requested"
    assert (
        scalar(db, "select private.subject_tag(%s, %s)", asked["tag_key"], person.user_id)
        == asked["subject_tag"]
    )
    confirm(db, [asked])
    assert pending(db) == []
    assert erasing.run(db, erasure, at + erasing.GRACE) == "completed"
    (done,) = pending(db)
    assert (done["state"], done["tag_key"]) == ("completed", asked["tag_key"])
    confirm(db, [asked])  # a late report of the step before
    assert pending(db) == [done]
    confirm(db, [done])
    assert rows(db, "select tag_key, state from private.erasure_tombstones") == [(None, "completed")]
    assert rows(db, "select distinct subject_tag from private.erasure_ledger") == [(asked["subject_tag"],)]


def test_the_copy_goes_with_the_last_backup_that_may_hold_the_person(db: Connection) -> None:
    person = create_person(db)
    backup, _ = begin(db, erasing.now(db)) or (None, "")
    assert backup is not None
    finish(db, backup, erasing.now(db))
    erasing.erase(db, person)
    confirm(db, pending(db))
    ended = scalar(db, "select ended_at from private.erasure_tombstones")

    def forgotten(at: datetime) -> int:
        count: int = scalar(db, "select private.forget_tombstones(%s)", at)
        return count

    assert (
        forgotten(ended + WINDOW) == 0
    )  # the backup is past its term, and nobody has looked that it is gone
    reconcile(db, ended + WINDOW)
    assert forgotten(ended + WINDOW - timedelta(seconds=1)) == 0
    assert forgotten(ended + WINDOW) == 1
    (gone,) = pending(db)
    assert gone["state"] == "gone"
    confirm(db, [gone])
    assert scalar(db, "select count(*) from private.erasure_tombstones") == 0


def test_a_copy_that_is_gone_is_written_again_or_missed(db: Connection) -> None:
    """Its key is here until the erasure has ended; after that the copy alone has it."""
    person = create_person(db)
    at = erasing.now(db)
    erasure = erasing.request(db, person)
    confirm(db, pending(db))

    def reconciled(*copied: uuid.UUID) -> int:
        missing: int = scalar(db, "select private.reconcile_tombstones(%s, %s)", list(copied), at)
        return missing

    assert (reconciled(erasure), pending(db)) == (0, [])
    assert reconciled() == 0
    assert [one["state"] for one in pending(db)] == ["requested"]
    erasing.run(db, erasure, at + erasing.GRACE)
    confirm(db, pending(db))
    assert [reconciled(erasure), reconciled(), reconciled(), reconciled(erasure)] == [0, 1, 1, 0]


def settle(db: Connection, *tombstones: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = scalar(
        db,
        "select to_jsonb(s) from private.settle_restore(%s, %s) s",
        json.dumps({"id": str(uuid.uuid4()), "taken_at": erasing.now(db).isoformat()}),
        json.dumps(tombstones),
    )
    return found


def test_a_restore_has_erasures_requests_and_withdrawals_happen_again(admin_db: Connection) -> None:
    """What the database is like here is what a backup was: before any of it happened."""
    db = admin_db
    erased, asked, withdrew, stays = (seed_person(db) for _ in range(4))
    at = erasing.now(db)
    db.execute("savepoint before")
    erasing.erase(db, erased.person)
    done = pending(db)[0]
    erasing.request(db, asked.person, at - DAY)
    open_one = next(one for one in pending(db) if one["state"] == "requested")
    db.execute("rollback to before")
    begun = erasing.request(db, withdrew.person)
    cancelled = pending(db)[0] | {"state": "cancelled", "ended_at": at.isoformat()}
    db.execute("select set_config('storage.allow_delete_query', 'true', true)")
    db.execute("delete from storage.objects")  # files come later
    db.execute(
        "select private.approve_legal_hold(private.place_legal_hold(%s, '{user}', 'case', 'a'), 'b')",
        (erased.person.user_id,),
    )  # lifted, before the erasure was carried out
    told = settle(db, done, open_one, cancelled)
    assert (told["erased_count"], told["reopened_count"], told["cancelled_count"]) == (1, 1, 1)
    people = {user for (user,) in rows(db, "select id from auth.users")}
    assert people == {one.person.user_id for one in (asked, withdrew, stays)}
    assert rows(
        db, "select requested_at, state from private.erasures where user_id = %s", asked.person.user_id
    ) == [(at - DAY, "requested")]
    assert scalar(db, "select due_at from private.queue where lane = 'erasure'") == at - DAY + erasing.GRACE
    assert scalar(db, "select state from private.erasures where id = %s", begun) == "cancelled"
    states = dict(rows(db, "select user_id, state from private.accounts"))
    assert states == {
        asked.person.user_id: "locked", withdrew.person.user_id: "active", stays.person.user_id: "active"
    }  # fmt: skip
    assert scalar(db, "select count(*) from private.erasure_notices") == 0  # they were told back then
    assert scalar(db, "select count(*) from private.token_vault") == 0
    assert pending(db) == []
    assert rows(db, "select distinct subject_tag from private.erasure_ledger") == [(done["subject_tag"],)]


def test_somebody_elses_tombstone_touches_nobody(db: Connection) -> None:
    person = create_person(db)
    other = {
        "erasure_id": str(uuid.uuid4()), "state": "completed", "tag_key": "1" * 64, "subject_tag": "2" * 64,
        "requested_at": AT.isoformat(), "ended_at": AT.isoformat(),
    }  # fmt: skip
    assert settle(db, other)["erased_count"] == 0
    assert scalar(db, "select id from auth.users") == person.user_id


def test_only_an_empty_project_is_emptied(db: Connection) -> None:
    create_person(db)
    db.execute("set local session_replication_role = replica")
    with denied(db, "NX002"):
        db.execute("select private.empty_for_restore()")


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_restoring_is_for_nobody_of_the_api(db: Connection, role: str) -> None:
    for call in ("empty_for_restore()", "settle_restore('{}', '[]')", "give_back_files('[]')"):
        with denied(db, "42501"):
            db.execute(f"set local role {role}")
            db.execute(f"select private.{call}")
