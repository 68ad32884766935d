"""P7.3, P8.2: whoever asks for it is deleted everywhere, whatever happens on the way, and nobody else is."""

from __future__ import annotations

import json
import threading
import uuid
from datetime import datetime, timedelta

import psycopg
import pytest

from tests.sql.privacy.erasing import GRACE, do_errands, erase, now, request, run, step
from tests.sql.querying import Connection, rows, scalar
from tests.support.hosted_columns import add_hosted_columns
from tests.support.personas import Person, acting_as, create_person, denied, sign_in
from tests.support.seed import seed_person, tables_without_rows_of
from tests.support.waiting import wait_until

MILLISECOND = timedelta(milliseconds=1)


def state_of(db: Connection, erasure: uuid.UUID) -> tuple[str, str | None]:
    ((state, code),) = rows(db, "select state, last_code from private.erasures where id = %s", erasure)
    return state, code


def mentions(db: Connection, needle: str) -> set[str]:
    """Relations in which any row holds this text, in the whole database."""
    found = set()
    for (name,) in rows(
        db,
        """select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
           where c.relkind = 'r' and n.nspname in ('public', 'private', 'worker', 'retained', 'auth', 'storage')""",
    ):
        query = f"select exists (select from {name} t where lower(t::text) like %s)"
        if scalar(db, query, f"%{needle.lower()}%"):
            found.add(name)
    return found


def test_one_person_goes_and_the_other_stays(db: Connection) -> None:
    gone, stays = seed_person(db), seed_person(db)
    before = mentions(db, stays.marker)
    erase(db, gone.person)
    db.execute("delete from private.erasure_notices")  # sent
    db.execute("select private.expire_revocations(now() + interval '24 hours')")
    for needle in (str(gone.person.user_id), gone.person.email):
        assert mentions(db, needle) == set()
    assert mentions(db, gone.marker) == {"retained.billing_invoices"}  # P8.3
    assert mentions(db, stays.marker) == before
    assert tables_without_rows_of(db, stays.person.user_id) == set()


def test_the_request_locks_everything_at_once(db: Connection) -> None:
    seeded = seed_person(db)
    person = seeded.person
    db.execute(
        "insert into private.queue (lane, subject_id, due_at) values ('publish', %s, now() + interval '1 hour')",
        (seeded.target_id,),
    )
    with acting_as(db, person):
        ((state, requested_at, cancel_until, due_at),) = rows(
            db, "select state, requested_at, cancel_until, due_at from public.request_erasure()"
        )
    assert (state, cancel_until - requested_at, due_at - requested_at) == (
        "requested", GRACE, timedelta(hours=720),
    )  # fmt: skip
    assert scalar(db, "select count(*) from auth.sessions where user_id = %s", person.user_id) == 0
    assert scalar(db, "select count(*) from private.token_vault where user_id = %s", person.user_id) == 0
    assert (
        scalar(db, "select count(*) from private.revocation_outbox where user_id = %s", person.user_id) == 2
    )
    assert scalar(db, "select state from public.post_targets where id = %s", seeded.target_id) == "cancelled"
    assert scalar(db, "select state from public.post_series where id = %s", seeded.series_id) == "ended"
    assert scalar(db, "select state from private.accounts where user_id = %s", person.user_id) == "locked"
    told = "select params ->> 'erase_at' from private.mails where user_id = %s and template_id = 'erasure_requested'"
    assert datetime.fromisoformat(scalar(db, told, person.user_id)) == cancel_until


def test_during_the_grace_a_person_can_cancel_and_nothing_else(db: Connection) -> None:
    seeded = seed_person(db)
    request(db, seeded.person)
    back = sign_in(db, Person(seeded.person.user_id, uuid.uuid4(), seeded.person.email))
    with acting_as(db, back):
        assert rows(db, "select from public.posts") == []
        assert scalar(db, "select state from public.my_erasure()") == "requested"
    with denied(db, "NX112"), acting_as(db, back):
        db.execute("select public.schedule_post(%s, now() + interval '1 day')", (seeded.post_id,))
    with acting_as(db, back):
        assert scalar(db, "select state from public.cancel_erasure()") == "cancelled"
        assert len(rows(db, "select from public.posts")) == 1
        assert rows(db, "select from public.my_erasure()") == []
    with denied(db, "NX911"), acting_as(db, back):
        db.execute("select public.cancel_erasure()")
    assert scalar(db, "select count(*) from private.queue where lane = 'erasure'") == 0


def test_nothing_is_deleted_before_the_grace_is_over(db: Connection) -> None:
    person = seed_person(db).person
    erasure = request(db, person)
    ends = now(db) + GRACE
    assert step(db, erasure, ends - MILLISECOND) == ("requested", None)
    assert scalar(db, "select count(*) from private.erasure_steps") == 0
    assert step(db, erasure, ends) == ("erasing", None)


def test_cancelled_at_the_last_second(db: Connection) -> None:
    """Whoever has the row first wins: a cancelled erasure does not begin, one that has begun is not cancelled."""
    first, second = seed_person(db).person, seed_person(db).person
    ends = now(db) + GRACE
    erasure = request(db, first)
    back = sign_in(db, Person(first.user_id, uuid.uuid4(), first.email))
    with acting_as(db, back):
        db.execute("select public.cancel_erasure()")
    assert step(db, erasure, ends) == ("cancelled", None)
    assert tables_without_rows_of(db, first.user_id) == set()

    erasure = request(db, second)
    step(db, erasure, ends)
    back = sign_in(db, Person(second.user_id, uuid.uuid4(), second.email))
    with denied(db, "NX910"), acting_as(db, back):
        db.execute("select public.cancel_erasure()")


def test_an_account_that_was_locked_before_stays_locked(db: Connection) -> None:
    person = create_person(db)
    db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (person.user_id,),
    )
    request(db, person)
    back = sign_in(db, Person(person.user_id, uuid.uuid4(), person.email))
    with acting_as(db, back):
        db.execute("select public.cancel_erasure()")
    assert scalar(db, "select state from private.accounts where user_id = %s", person.user_id) == "locked"


def test_asking_twice_is_asking_once(db: Connection) -> None:
    person = create_person(db)
    assert request(db, person) == request(db, person, now(db) + timedelta(days=3))


def test_it_is_due_within_thirty_days_across_leap_days_and_clock_changes(db: Connection) -> None:
    db.execute("set local time zone 'Europe/Berlin'")
    for at in ("2028-02-01T12:00:00Z", "2027-03-20T01:30:00Z", "2027-10-20T01:30:00Z"):
        db.execute("savepoint one")
        seconds = scalar(
            db,
            "select extract(epoch from e.due_at - e.requested_at)::int from private.begin_erasure(%s, '7 days', %s) e",
            create_person(db).user_id,
            at,
        )
        assert seconds == 30 * 86400
        db.execute("rollback to savepoint one")


def test_steps_in_small_batches_and_each_twice(db: Connection) -> None:
    person = seed_person(db).person
    db.execute(
        "insert into public.captions (user_id, body) select %s, 'x' || n from generate_series(1, 25) n",
        (person.user_id,),
    )
    db.execute("update private.settings set value = '10' where key = 'erasure_batch'")
    erasure = request(db, person)
    at = now(db) + GRACE
    assert run(db, erasure, at) == "completed"
    counts = dict(rows(db, "select relation, row_count from private.erasure_steps where action = 'delete'"))
    assert counts["public.captions"] == 26
    assert step(db, erasure, at) == ("completed", None)


def test_a_step_that_is_run_again_finds_nothing(db: Connection) -> None:
    """A worker that died after the commit, before it knew."""
    person = seed_person(db).person
    erasure = request(db, person)
    at = now(db) + GRACE
    undone: set[int] = set()
    state = ""
    while state != "completed":
        state, errands = step(db, erasure, at)
        for _ in range(2 if errands is not None else 0):
            do_errands(db, erasure, errands or {})
        for (position,) in rows(
            db, "select position from private.erasure_steps where done_at is not null and action <> 'sweep'"
        ):
            if position not in undone and state == "erasing":
                undone.add(position)
                db.execute("update private.erasure_steps set done_at = null where position = %s", (position,))
    assert len(undone) > 30
    assert state_of(db, erasure) == ("completed", None)


def test_killed_inside_every_step_the_next_worker_takes_it_up(db: Connection) -> None:
    """A worker that died before the commit of any step, and one that died between a step and what it asked for."""
    person = seed_person(db).person
    erasure = request(db, person)
    at = now(db) + GRACE
    state, steps = "erasing", 0
    while state == "erasing":
        with db.transaction(force_rollback=True):
            lost = step(db, erasure, at)
        assert step(db, erasure, at) == lost
        state, errands = lost
        assert errands is None or step(db, erasure, at)[1] == errands
        if errands is not None:
            do_errands(db, erasure, errands)
        steps += 1
    assert (state, steps > 100) == ("completed", True)
    assert tables_without_rows_of(db, person.user_id) >= {"posts", "profiles", "billing_invoices"}


def test_what_came_in_late_is_found_and_deleted(db: Connection) -> None:
    """Between two steps, something writes about the person: the sweep sees it, and the plan starts over."""
    person = seed_person(db).person
    erasure = request(db, person)
    at = now(db) + GRACE
    while not rows(db, "select from private.erasure_steps where action = 'auth' and done_at is not null"):
        step(db, erasure, at)
    db.execute(
        """insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
           values ('late', %s, 1, 'x', now())""",
        (person.user_id,),
    )
    assert run(db, erasure, at) == "failed"
    assert state_of(db, erasure) == ("erasing", "sweep:private.dead_letters")
    assert run(db, erasure, at) == "completed"
    assert scalar(db, "select count(*) from private.dead_letters") == 0


def test_nothing_late_brings_a_person_back(db: Connection) -> None:
    """A webhook, an answer of a worker or a job that comes when the person is gone finds no place to write to."""
    seeded = seed_person(db)
    person = seeded.person
    erase(db, person)
    for statement in (
        "insert into public.posts (user_id, body) values (%s, 'late')",
        "insert into public.notifications (user_id, kind, subject_kind, created_at) values (%s, 'late', 'post', now())",
        "select private.notify(%s, 'target_failed', 'post_target', gen_random_uuid())",
        "select private.log_choice(%s, 'marketing', true, 'webhook')",
        "insert into private.billing_customers (user_id, stripe_customer_id, created_at) values (%s, 'cus_1', now())",
    ):
        with denied(db, "23503"):
            db.execute(statement, (person.user_id,))
    with denied(db, "NX001"), acting_as(db, person):
        db.execute("select public.cancel_erasure()")


def test_the_same_address_can_sign_up_again_and_finds_nothing(db: Connection) -> None:
    gone = seed_person(db)
    erase(db, gone.person)
    again = create_person(db, email=gone.person.email)
    with acting_as(db, again):
        assert rows(db, "select from public.posts") == []


def test_the_catalogue_changing_under_way_makes_a_new_plan(db: Connection) -> None:
    person = seed_person(db).person
    erasure = request(db, person)
    at = now(db) + GRACE
    for _ in range(10):
        step(db, erasure, at)
    db.execute(
        "create table public.planted (id uuid primary key default gen_random_uuid(), "
        "user_id uuid not null references auth.users (id) on delete cascade)"
    )
    db.execute("insert into public.planted (user_id) values (%s)", (person.user_id,))
    db.execute(
        """select private.register_data('public.planted', 'user_id', 'features', 'delete_row',
             '{"user.unique_id": "id user_id"}', 'planted')"""
    )
    assert run(db, erasure, at) == "completed"
    assert scalar(
        db, "select row_count from private.erasure_steps where relation = 'public.planted' and action = 'delete'"
    ) == 1  # fmt: skip


def test_it_does_not_end_while_the_catalogue_has_a_gap(db: Connection) -> None:
    person = seed_person(db).person
    erasure = request(db, person)
    db.execute("create table public.planted (whose uuid)")
    at = now(db) + GRACE
    assert run(db, erasure, at) == "failed"
    assert state_of(db, erasure) == ("erasing", "catalogue_gaps")
    db.execute("drop table public.planted")
    assert run(db, erasure, at) == "completed"


def test_what_auth_keeps_goes_too(db: Connection) -> None:
    """Its log has no reference to the person, and deleting a user writes the address into it once more."""
    gone, stays = create_person(db), create_person(db)
    for person in (gone, stays):
        for payload in (
            {"actor_id": str(person.user_id), "actor_username": person.email},
            {
                "actor_id": "00000000-0000-0000-0000-000000000000",
                "traits": {"user_email": person.email.upper()},
            },
        ):
            db.execute(
                "insert into auth.audit_log_entries (id, payload, created_at, ip_address) values (%s, %s, now(), '')",
                (uuid.uuid4(), json.dumps(payload)),
            )
        db.execute(
            """insert into auth.flow_state (id, user_id, auth_code, authentication_method, code_challenge_method,
                 code_challenge, provider_type, created_at, updated_at)
               values (%s, %s, %s, 'email', 's256', 'x', 'email', now(), now())""",
            (uuid.uuid4(), person.user_id, str(uuid.uuid4())),
        )
    erase(db, gone)
    assert scalar(db, "select count(*) from auth.audit_log_entries") == 2
    assert scalar(db, "select count(*) from auth.flow_state") == 1


def test_what_only_the_hosted_auth_keeps_goes_too(admin_db: Connection) -> None:
    """Its other tables refer to the user and cascade; these two hold an address that refers to nobody."""
    add_hosted_columns(admin_db)
    gone, stays = create_person(admin_db), create_person(admin_db)
    for person in (gone, stays):
        admin_db.execute(
            "insert into auth.one_time_tokens (id, user_id, token_hash, relates_to) values (%s, %s, 'x', %s)",
            (uuid.uuid4(), person.user_id, person.email.upper()),
        )
        admin_db.execute(
            "insert into auth.saml_relay_states (id, for_email) values (%s, %s)", (uuid.uuid4(), person.email)
        )
    erase(admin_db, gone)
    for table in ("auth.one_time_tokens", "auth.saml_relay_states"):
        assert len(rows(admin_db, f"select from {table}")) == 1


def test_the_last_mail_is_asked_for_and_its_address_does_not_stay(db: Connection) -> None:
    person = create_person(db)
    erasure = erase(db, person)
    ((email, delete_by, created_at),) = rows(
        db, "select email, delete_by, created_at from private.erasure_notices where erasure_id = %s", erasure
    )
    assert (email, delete_by - created_at) == (person.email, timedelta(hours=72))
    db.execute("savepoint sent")
    assert scalar(db, "select private.send_erasure_notices(%s)", created_at) == 1
    sent = rows(db, "select template_id, address, user_id, give_up_at - created_at from private.mails")
    assert sent == [("erasure_completed", person.email, None, timedelta(days=3))]
    assert scalar(db, "select count(*) from private.erasure_notices") == 0
    db.execute("rollback to savepoint sent")
    forget = "select private.forget_erasure_notices(%s)"
    assert scalar(db, forget, delete_by - MILLISECOND) == 0
    assert scalar(db, forget, delete_by) == 1


def test_a_processor_is_told_before_it_is_complete(db: Connection) -> None:
    person = create_person(db)
    db.execute(
        "insert into private.billing_customers (user_id, stripe_customer_id, created_at) values (%s, 'cus_x1', now())",
        (person.user_id,),
    )
    erasure = request(db, person)
    at = now(db) + GRACE
    errands = None
    while errands is None:
        state, errands = step(db, erasure, at)
        assert state == "erasing"
    assert errands["outside"] == [{"processor_id": "stripe", "reference": "cus_x1"}]
    assert step(db, erasure, at)[1] == errands
    assert run(db, erasure, at) == "completed"
    assert scalar(db, "select count(*) from private.erasure_outbox") == 0


def test_resend_is_told_of_an_address_on_its_suppression_list_and_no_last_mail_goes_there(
    db: Connection,
) -> None:
    for suppressed, told, notices in (
        ("address_hash(email)", True, 0),
        ("address_hash('earlier-' || email)", False, 1),
    ):
        db.execute("savepoint plain")
        person = create_person(db)
        db.execute(
            f"""insert into private.mail_suppressions (user_id, address_hash, reason, at)
                select id, private.{suppressed}, 'bounced', now() from auth.users where id = %s""",
            (person.user_id,),
        )
        erasure = request(db, person)
        step(db, erasure, now(db) + GRACE)
        found = rows(db, "select processor_id, reference from private.erasure_outbox")
        assert found == ([("resend", person.email)] if told else [])
        assert run(db, erasure, now(db) + GRACE) == "completed"
        assert scalar(db, "select count(*) from private.erasure_notices") == notices
        db.execute("rollback to savepoint plain")


def test_an_erasure_that_fell_off_the_queue_comes_back(db: Connection) -> None:
    """The worker was down, or gave up."""
    erasure = request(db, create_person(db))
    ends = now(db) + GRACE
    db.execute("delete from private.queue where lane = 'erasure'")
    assert scalar(db, "select private.resume_all_erasures(%s)", ends - MILLISECOND) == 0
    assert scalar(db, "select private.resume_all_erasures(%s)", ends) == 1
    assert scalar(db, "select private.resume_all_erasures(%s)", ends) == 0
    assert scalar(db, "select subject_id from private.queue where lane = 'erasure'") == erasure


def test_an_alarm_before_the_deadline_also_after_a_long_silence(db: Connection) -> None:
    """P7.7."""
    request(db, create_person(db))
    due = now(db) + timedelta(hours=720)
    warn = "select private.warn_of_erasures(%s)"
    assert scalar(db, warn, due - timedelta(hours=72) - MILLISECOND) == 0
    assert scalar(db, warn, due + timedelta(days=5)) == 1
    assert scalar(db, warn, due + timedelta(days=6)) == 0
    assert rows(db, "select lane, last_code from private.dead_letters") == [("erasure", "deadline_near")]


def test_a_lease_that_is_gone_moves_nothing(db: Connection) -> None:
    erasure = request(db, create_person(db))
    with denied(db, "NX916"):
        db.execute("select worker.advance_erasure(gen_random_uuid(), %s, 1)", (erasure,))


def test_an_erasure_that_has_ended_names_nobody(db: Connection) -> None:
    erase(db, create_person(db))
    for change in ("user_id = gen_random_uuid()", "identifiers = '{x}'"):
        with denied(db, "23514"):
            db.execute(f"update private.erasures set {change}")


@pytest.mark.parametrize(
    "name", ["erasures", "erasure_steps", "erasure_outbox", "erasure_ledger", "legal_holds"]
)
def test_people_do_not_reach_the_tables(db: Connection, name: str) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(f"select from private.{name}")


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("x ann@people.example.", True),
        ('{"who": "ann@people.example"}', True),
        ("joann@people.example", False),
        ("ann@people.example.org", False),
        ("id=123456789;", True),
        ("9123456789", False),
        ("1234567890", False),
        ("\\\\x" + b"ann@people.example".hex(), True),
    ],
)
def test_a_mention_is_a_whole_word(db: Connection, text: str, is_found: bool) -> None:
    """Somebody else's address or number is nobody's trace."""
    pattern = "select lower(%s) ~ private.mention_pattern(array['ann@people.example', '123456789'])"
    assert scalar(db, pattern, text) is is_found


@pytest.mark.parametrize(
    "row",
    [
        {"note": "of Ann@people.example, once"},
        {"doc": '{"who": {"address": "ann@people.example"}}'},
        {"raw": b"\0ann@people.example\0"},
        {"tags": ["x", "100%_bc"]},
        {"person": uuid.UUID(int=7)},
        {"people": [uuid.UUID(int=7)]},
        {"kind": "cus_12345678"},
    ],
)
def test_a_mention_is_found_in_a_column_of_any_type(db: Connection, row: dict[str, object]) -> None:
    identifiers = [str(uuid.UUID(int=7)), "ann@people.example", "cus_12345678", "100%_bc"]
    db.execute(
        """create table private.planted (id bigint generated always as identity, note text, doc jsonb, raw bytea,
             tags text[], person uuid, people uuid[], kind varchar(20), at timestamptz, is_it boolean)"""
    )
    sweep = "select private.sweep('private.planted', %s, %s)"
    db.execute("insert into private.planted (note, doc, raw) values ('joann@people.example', '{}', '')")
    assert scalar(db, sweep, uuid.UUID(int=7), identifiers) == 0
    ((column, value),) = row.items()
    db.execute(f"insert into private.planted ({column}) values (%s)", (value,))
    assert scalar(db, sweep, uuid.UUID(int=7), identifiers) == 1


def test_a_step_and_a_cancellation_at_the_same_moment(db_url: str) -> None:
    """Two connections: the step has the row, the cancellation waits for it, and is then refused."""
    with psycopg.connect(db_url) as worker, psycopg.connect(db_url) as person_db:
        person = create_person(worker)
        erasure = request(worker, person)
        back = sign_in(worker, Person(person.user_id, uuid.uuid4(), person.email))
        worker.commit()
        at = now(worker) + GRACE
        step(worker, erasure, at)  # not committed: the row is held
        refused: list[str | None] = []

        def cancel() -> None:
            try:
                with acting_as(person_db, back):
                    person_db.execute("select public.cancel_erasure()")
            except psycopg.Error as error:
                refused.append(error.sqlstate)

        thread = threading.Thread(target=cancel)
        thread.start()
        waiting = """select count(*) from pg_stat_activity
                     where wait_event_type = 'Lock' and position('cancel_erasure' in query) > 0"""
        with psycopg.connect(db_url, autocommit=True) as watcher:
            wait_until(lambda: scalar(watcher, waiting) > 0)
        worker.commit()
        thread.join()
        person_db.rollback()
        assert refused == ["NX910"]
        assert run(worker, erasure, at) == "completed"
