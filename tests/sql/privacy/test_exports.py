"""P7.4: an export holds everything of one person as of one instant, privately, and is gone after seven days."""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.sql.privacy.erasing import now
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied
from tests.support.seed import seed_person
from tests.support.waiting import wait_until

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)


def request(db: Connection, person: Person) -> uuid.UUID:
    with acting_as(db, person):
        export: uuid.UUID = scalar(db, "select id from public.request_export()")
    return export


def lease(db: Connection, export: uuid.UUID, at: datetime) -> tuple[uuid.UUID, uuid.UUID, int]:
    """Register a worker and have it lease this export."""
    worker: uuid.UUID = scalar(
        db,
        "insert into private.workers (name, started_at, heartbeat_at) values ('w', %s, %s) returning id",
        at,
        at,
    )
    for subject, attempt in rows(
        db, "select subject_id, attempt from private.claim_jobs(%s, 'export', 100, %s)", worker, at
    ):
        if subject == export:
            return worker, export, attempt
    raise AssertionError("the export is not due")


def begin(db: Connection, held: tuple[object, ...], at: datetime) -> tuple[str, list[str] | None, Any]:
    ((task, files, document),) = rows(
        db, "select task, files, document from private.begin_export(%s, %s, %s, %s)", *held, at
    )
    return task, files, document


def upload(db: Connection, document: dict[str, Any], size: int = 10) -> None:
    db.execute(
        "insert into storage.objects (bucket_id, name, metadata) values ('exports', %s, %s)",
        (document["object_name"], json.dumps({"size": size})),
    )


def finish(db: Connection, held: tuple[object, ...], at: datetime, size: int = 10) -> bool:
    done: bool = scalar(
        db, "select private.finish_export(%s, %s, %s, %s, %s, 0, null, %s)", *held, size, "a" * 64, at
    )
    return done


def report(db: Connection, held: tuple[uuid.UUID, uuid.UUID, int], at: datetime) -> None:
    result = {"lane": "export", "subject_id": str(held[1]), "attempt": held[2], "outcome": "done"}
    db.execute("select private.finish_jobs(%s, %s, %s)", (held[0], json.dumps([result]), at))


def ready(db: Connection, person: Person) -> tuple[uuid.UUID, dict[str, Any]]:
    """An export that waits to be fetched."""
    at = now(db)
    held = lease(db, request(db, person), at)
    _, _, document = begin(db, held, at)
    upload(db, document)
    assert finish(db, held, at)
    report(db, held, at)
    return held[1], document


def announce(db: Connection) -> None:
    """A worker has said under which address it is reached."""
    db.execute(
        """insert into private.settings (key, value, description) values ('public_url', '"http://w"', 'x')
           on conflict (key) do update set value = excluded.value"""
    )


def state(db: Connection, export: uuid.UUID) -> str:
    found: str = scalar(db, "select state from private.exports where id = %s", export)
    return found


def lines(db: Connection, person: Person) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for area, line in rows(
        db, "select area, line from private.export_lines(%s) order by area, ordinal", person.user_id
    ):
        found.setdefault(area, []).append(json.loads(line))
    return found


def test_every_column_that_is_to_be_included_is_there_and_no_other(db: Connection) -> None:
    person = seed_person(db).person
    shown = {area: set(items[0]) for area, items in lines(db, person).items()}
    listed = {
        area: set(columns)
        for area, columns in rows(db, "select area, columns from private.exported_relations()")
    }
    assert {area: listed[area] for area in shown} == shown
    wanted = rows(
        db,
        """select d.export_name, d.column_name from private.data_catalogue d
           join private.live_columns() l using (schema_name, relation, column_name)
           where d.kind = 'column' and d.export_action = 'include' and d.subject_path <> 'none'""",
    )
    assert {(area, column) for area, columns in listed.items() for column in columns} == set(wanted)


def test_each_area_comes_from_one_place(db: Connection) -> None:
    areas = [area for (area,) in rows(db, "select area from private.exported_relations()")]
    assert len(areas) == len(set(areas))
    assert rows(db, "select area from private.exported_relations() where predicate is null") == []


def test_nothing_of_somebody_else_and_no_secret_is_in_it(db: Connection) -> None:
    mine, other = seed_person(db), seed_person(db)
    text = json.dumps(lines(db, mine.person))
    assert mine.marker in text
    assert other.marker not in text
    assert str(other.person.user_id) not in text
    assert "NXT" not in text
    assert "$2a$10$" not in text, "the hash of the password"


def test_counts_and_chunks_are_those_of_the_rows(db: Connection) -> None:
    belongings = seed_person(db)
    db.execute("update private.settings set value = '400' where key = 'export_chunk_chars'")
    for number in range(25):
        db.execute(
            "insert into public.captions (user_id, body) values (%s, %s)",
            (belongings.person.user_id, f"{number}" * 40),
        )
    at = now(db)
    held = lease(db, request(db, belongings.person), at)
    _, _, document = begin(db, held, at)
    (captions,) = [area for area in document["areas"] if area["area"] == "captions"]
    assert captions["rows"] == 26
    assert captions["chunks"] > 5
    read: list[Any] = []
    for position in range(captions["chunks"]):
        body = scalar(db, "select private.read_export_chunk(%s, %s, %s, 'captions', %s)", *held, position)
        read += [json.loads(line) for line in body.split("\n")]
    assert read == lines(db, belongings.person)["captions"]
    assert scalar(db, "select rows_total from private.exports where id = %s", held[1]) == sum(
        area["rows"] for area in document["areas"]
    )


def test_one_at_a_time(db: Connection) -> None:
    person = create_person(db)
    assert request(db, person) == request(db, person)
    with pytest.raises(psycopg.errors.UniqueViolation):
        db.execute(
            "insert into private.exports (user_id, requested_at) values (%s, now())", (person.user_id,)
        )


@pytest.mark.parametrize(("age", "is_refused"), [("59 minutes 59 seconds", False), ("1 hour", True)])
def test_it_takes_a_sign_in_of_the_last_hour(db: Connection, age: str, is_refused: bool) -> None:
    person = create_person(db)
    db.execute(
        """update auth.sessions set created_at = now() - %s::interval, refreshed_at = now() at time zone 'utc'
           where id = %s""",
        (age, person.session_id),
    )
    if is_refused:
        with acting_as(db, person), denied(db, "NX920"):
            db.execute("select public.request_export()")
    else:
        request(db, person)


def test_it_works_in_a_locked_account_and_for_nobody_else(db: Connection) -> None:
    person, stranger = create_person(db), create_person(db)
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (person.user_id,),
    )
    export, _ = ready(db, person)
    announce(db)
    with acting_as(db, stranger):
        assert rows(db, "select id from public.my_exports()") == []
        for call in ("open_export", "cancel_export"):
            with denied(db, "NX921"):
                db.execute(f"select public.{call}(%s)", (export,))
    with acting_as(db, person):
        assert scalar(db, "select state from public.my_exports()") == "ready"
        assert scalar(db, "select public.open_export(%s)", export).startswith("http://w/export/")
    with acting_as(db, None), denied(db, "42501"):
        db.execute("select public.request_export()")


def test_a_ticket_works_once_and_for_two_minutes(db: Connection) -> None:
    person = create_person(db)
    export, document = ready(db, person)
    announce(db)
    at = now(db)

    def ticket() -> str:
        with acting_as(db, person):
            link: str = scalar(db, "select public.open_export(%s)", export)
        return hashlib.sha256(link.rsplit("/", 1)[1].encode()).hexdigest()

    redeem = "select private.redeem_export(%s, %s)"
    first = ticket()
    assert scalar(db, redeem, first, at + timedelta(minutes=2)) is None
    assert scalar(db, redeem, first, at + timedelta(minutes=2) - SECOND) == document["object_name"]
    assert scalar(db, redeem, first, at) is None
    old = ticket()
    new = ticket()
    assert scalar(db, redeem, old, at) is None, "each click makes the one before useless"
    assert scalar(db, redeem, new, at) == document["object_name"]
    assert scalar(db, redeem, "f" * 64, at) is None


def test_the_archive_ends_after_seven_days(db: Connection) -> None:
    person = create_person(db)
    export, document = ready(db, person)
    at = now(db)
    held = lease(db, export, at + WEEK)
    assert begin(db, held, at + WEEK - SECOND)[0] == "nothing"
    shown = "select (private.view_export(e, %s)).state from private.exports e where e.id = %s"
    assert scalar(db, shown, at + WEEK - SECOND, export) == "ready"
    assert scalar(db, shown, at + WEEK, export) == "expired", "also while the worker is down"
    task, files, _ = begin(db, held, at + WEEK)
    assert (task, files) == ("remove", [document["object_name"]])
    db.execute("select private.forget_export(%s, %s, %s, %s)", (*held, at + WEEK))
    assert state(db, export) == "expired"


def test_the_term_is_kept_by_the_database(db: Connection) -> None:
    export, _ = ready(db, create_person(db))
    with denied(db, "23514"):
        db.execute(
            "update private.exports set expires_at = expires_at + interval '1 second' where id = %s",
            (export,),
        )


def test_an_archive_that_is_not_there_is_not_ready(db: Connection) -> None:
    at = now(db)
    held = lease(db, request(db, create_person(db)), at)
    _, _, document = begin(db, held, at)
    with denied(db, "NX923"):
        finish(db, held, at)
    upload(db, document, size=11)
    with denied(db, "NX923"):
        finish(db, held, at)
    assert finish(db, held, at, size=11)
    assert scalar(db, "select count(*) from private.export_chunks") == 0
    assert not finish(db, held, at, size=11), "a second report changes nothing"


def test_a_lease_that_is_gone_reads_and_reports_nothing(db: Connection) -> None:
    at = now(db)
    worker, export, attempt = lease(db, request(db, create_person(db)), at)
    begin(db, (worker, export, attempt), at)
    for held in ((worker, export, attempt + 1), (uuid.uuid4(), export, attempt)):
        with denied(db, "NX916"):
            begin(db, held, at)
        with denied(db, "NX916"):
            db.execute("select private.read_export_chunk(%s, %s, %s, 'profile', 0)", held)
        with denied(db, "NX916"):
            db.execute("select private.note_export(%s, %s, %s, 1, 1)", held)
        with denied(db, "NX916"):
            finish(db, held, at)


def test_cancelling_stops_it_and_has_the_file_removed(db: Connection) -> None:
    person = create_person(db)
    at = now(db)
    held = lease(db, request(db, person), at)
    _, _, document = begin(db, held, at)
    with acting_as(db, person):
        assert scalar(db, "select state from public.cancel_export(%s)", held[1]) == "cancelled"
    assert scalar(db, "select private.note_export(%s, %s, %s, 1, 0)", *held) is False
    upload(db, document)
    assert finish(db, held, at) is False
    report(db, held, at)
    again = lease(db, held[1], at)
    assert begin(db, again, at)[:2] == ("remove", [document["object_name"]])


def test_deleting_the_account_kills_it(db: Connection) -> None:
    person = create_person(db)
    at = now(db)
    held = lease(db, request(db, person), at)
    _, _, document = begin(db, held, at)
    upload(db, document)
    db.execute("select private.delete_auth_user(%s)", (person.user_id,))
    assert rows(db, "select 1 from private.exports where id = %s", held[1]) == []
    assert rows(db, "select 1 from private.export_chunks") == []
    assert finish(db, held, at) is False
    report(db, held, at)
    assert scalar(db, "select private.resume_exports(%s)", at) == 1, "an archive that nobody has any more"
    again = lease(db, held[1], at)
    assert begin(db, again, at)[:2] == ("remove", [document["object_name"]])


def test_nothing_gets_lost(db: Connection) -> None:
    """Whatever fell off the queue comes back; what a worker gave up is told to its person."""
    person = create_person(db)
    export = request(db, person)
    at = now(db)
    db.execute("delete from private.queue where subject_id = %s", (export,))
    assert scalar(db, "select private.resume_exports(%s)", at) == 1
    assert scalar(db, "select private.resume_exports(%s)", at) == 0
    db.execute("delete from private.queue where subject_id = %s", (export,))
    db.execute(
        """insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
           values ('export', %s, 10, 'x', %s)""",
        (export, at + SECOND),
    )
    assert scalar(db, "select private.resume_exports(%s)", at + SECOND) == 1
    assert state(db, export) == "failed"
    assert (
        scalar(db, "select kind from public.notifications where user_id = %s", person.user_id)
        == "export_failed"
    )
    assert scalar(db, "select last_code from private.dead_letters where last_code = 'gave_up'") == "gave_up"


def test_what_is_left_of_old_exports_goes(db: Connection) -> None:
    export, _ = ready(db, create_person(db))
    at = now(db) + timedelta(days=90)
    db.execute("update private.exports set object_name = null, state = 'expired' where id = %s", (export,))
    assert scalar(db, "select private.forget_exports(%s)", at) == 0
    assert scalar(db, "select private.forget_exports(%s)", at + SECOND) == 1


def test_no_role_of_the_api_reaches_the_bucket(db: Connection) -> None:
    """P3.3: not even the person: each URL is minted by the worker, for fifteen minutes."""
    person = create_person(db)
    ready(db, person)
    for who in (person, None):
        with acting_as(db, who):
            assert rows(db, "select 1 from storage.objects where bucket_id = 'exports'") == []
    with acting_as(db, person), denied(db, "42501"):
        db.execute(
            "insert into storage.objects (bucket_id, name) values ('exports', %s)",
            (f"{person.user_id}/x/y.zip",),
        )


def test_an_export_shows_one_instant(db_url: str) -> None:
    """What is committed while the snapshot is taken is not in it, wherever the reading stands."""
    with psycopg.connect(db_url, autocommit=True) as writer, psycopg.connect(db_url) as reader:
        person = create_person(writer)
        at = now(writer)
        export = request_by_hand(writer, person)
        held = lease(writer, export, now(writer))
        found: list[Any] = []
        with writer.transaction():
            writer.execute("lock table public.social_links in access exclusive mode")
            thread = threading.Thread(target=lambda: found.append(begin(reader, held, at)[2]))
            thread.start()
            waited = "select 1 from pg_stat_activity where pid = %s and wait_event_type = 'Lock'"
            wait_until(lambda: rows(writer, waited, reader.info.backend_pid) != [])
            for table, columns in (("captions", "body"), ("social_links", "platform, url")):
                values = "'late'" if table == "captions" else "'x', 'https://example.org/late'"
                writer.execute(
                    f"insert into public.{table} (user_id, {columns}) values (%s, {values})",
                    (person.user_id,),
                )
        thread.join(timeout=20)
        areas = {area["area"]: area["rows"] for area in found[0]["areas"]}
        assert (areas["captions"], areas["social_links"]) == (0, 0)
        reader.rollback()
        assert (
            scalar(writer, "select count(*) from public.social_links where user_id = %s", person.user_id) == 1
        )


def request_by_hand(db: Connection, person: Person) -> uuid.UUID:
    """A request outside of a transaction in which somebody could act."""
    with db.transaction():
        return request(db, person)


def test_only_a_worker_builds(db: Connection) -> None:
    person = create_person(db)
    export = request(db, person)
    with acting_as(db, person), denied(db, "42501"):
        db.execute("select worker.begin_export(%s, %s, 1)", (uuid.uuid4(), export))
    with as_worker(db), denied(db, "NX916"):
        db.execute("select worker.begin_export(%s, %s, 1)", (uuid.uuid4(), export))
