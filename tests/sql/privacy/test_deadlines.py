"""P3.10, P6.7, P7.3, P8.1, P9.2: deadlines last as many hours as promised whatever the clocks do, and whatever term has
run out is seen to by the first housekeeping that comes by, however long none did.

Both sides of each instant are in the tests of what it belongs to; here is what they have in common.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, create_person, denied
from tests.support.seed import seed_person

MILLISECOND = timedelta(milliseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Where local days have 23 or 25 hours, where a year has another day, and where a date was left out altogether.
MOMENTS = [
    ("Europe/Berlin", "2027-03-27T12:00:00"),
    ("Europe/Berlin", "2027-10-30T12:00:00"),
    ("America/New_York", "2028-02-28T23:59:59"),
    ("Pacific/Apia", "2028-12-31T11:30:00"),
]
# What the database sets: what brings it about, where it stands, hours.
ASKED = {
    "grace of an erasure": (
        "select private.begin_erasure(%(who)s, private.setting_interval('erasure_grace'), %(at)s)",
        "select grace_until from private.erasures", 168,
    ),
    "erasure": ("select private.begin_erasure(%(who)s, '7 days', %(at)s)", "select due_at from private.erasures", 720),
    "incident": (
        """select private.open_incident(%(at)s, 'A title', 'It happened as told here.', 'Addresses.',
                                        'We act like this.', 'Do it like this.', %(at)s)""",
        "select notify_by from private.incidents", 72,
    ),
    "link to a guardian": (
        "select private.request_guardian_consent('Alex', 'alex@family.example', %(at)s)",
        "select expires_at from private.guardian_consents", 168,
    ),
}  # fmt: skip
# What a table holds whoever writes to it.
DECLARED = {
    "archive of an export": (
        """insert into private.exports (id, user_id, state, requested_at, snapshot_at, ended_at, expires_at,
             object_name, size_bytes, sha256, catalogue_hash)
           values (%(id)s, %(who)s, 'ready', %(at)s, %(at)s, %(at)s, %(end)s,
                   concat_ws('/', %(who)s, %(id)s, 'x.zip'), 1, repeat('0', 64), repeat('0', 64))""", 168,
    ),
    "copy for a revocation": (
        """insert into private.revocation_outbox (user_id, connection_id, platform_id, external_account_id, generation,
             sealed_token, created_at, delete_by, attempts)
           values (%(who)s, gen_random_uuid(), 'x', '1', 1, '\\x4e5854' || decode(repeat('01', 200), 'hex'), %(at)s,
                   %(end)s, 0)""", 24,
    ),
    "last address of somebody who is gone": (
        """insert into private.erasure_notices (erasure_id, email, created_at, delete_by)
           select id, 'a@people.example', %(at)s, %(end)s from private.erasures where user_id = %(who)s""", 72,
    ),
}  # fmt: skip
# A row of each relation whose term counts from %(at)s; and after how long its job takes it, if that is not the term.
TERMS = {
    "auth.audit_log_entries": (
        "insert into auth.audit_log_entries (id, created_at, ip_address) values (gen_random_uuid(), %(at)s, '')", None,
    ),
    "auth.flow_state": (
        """insert into auth.flow_state (id, user_id, authentication_method, provider_type, created_at)
           values (gen_random_uuid(), %(who)s, 'email', 'email', %(at)s)""", None,
    ),
    "private.dead_letters": (
        """insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
           values ('publish', gen_random_uuid(), 1, 'x', %(at)s)""", None,
    ),
    "private.erasure_notices": (
        """insert into private.erasure_notices (erasure_id, email, created_at, delete_by)
           select (private.begin_erasure(%(who)s, '7 days', %(at)s)).id, 'a@people.example', %(at)s,
                  %(at)s + interval '72 hours'""", None,
    ),
    "private.export_chunks": ("update private.export_chunks set staged_at = %(at)s", None),
    "private.export_tickets": ("update private.export_tickets set expires_at = %(at)s", HOUR * 0),
    "private.exports": (
        """update private.exports set ended_at = %(at)s, expires_at = %(at)s + interval '168 hours', state = 'expired',
             object_name = null""", None,
    ),
    "private.grant_reminders": (
        """insert into private.grant_reminders (connection_id, usable_until, days, reminded_at)
           select id, %(at)s, 7, %(at)s from public.connections where user_id = %(who)s""", None,
    ),
    "private.idempotency_keys": (
        """insert into private.idempotency_keys (user_id, function_name, key, request_hash, response, created_at)
           values (%(who)s, 'f', gen_random_uuid(), 'x', '{}', %(at)s)""", None,
    ),
    "private.legal_holds": (
        """insert into private.legal_holds (subject_id, categories, matter, placed_by, placed_at, release_asked_by,
             released_by, released_at)
           values (%(who)s, '{user}', 'case 7', 'ann', %(at)s, 'ann', 'ben', %(at)s)""", None,
    ),
    "private.mails": (
        """insert into private.mails (user_id, template_id, category_id, params, dedupe_key, created_at, give_up_at,
             state, attempts, sent_at, provider_id)
           values (%(who)s, 'news', 'marketing', '{}', 'news:1', %(at)s, %(at)s + interval '1 day', 'sent', 1,
                   %(at)s, 'p')""",
        None,
    ),
    "private.oauth_flows": (
        """insert into private.oauth_flows (user_id, platform_id, features, scopes, redirect_to, ticket_hash,
             ticket_expires_at, created_at, expires_at)
           values (%(who)s, 'x', '{post}', '{tweet.read}', 'https://app.example', decode(repeat('01', 32), 'hex'),
                   %(at)s, %(at)s - interval '1 minute', %(at)s)""", HOUR * 0,
    ),
    "private.pending_connections": (
        """update private.pending_connections set created_at = %(at)s - interval '1 minute', expires_at = %(at)s""",
        HOUR * 0,
    ),
    "private.platform_budgets": (
        """insert into private.platform_budgets (platform_id, connection_id, name, limit_value, remaining, resets_at,
             observed_at)
           select 'x', id, 'posts', 1, 1, %(at)s, %(at)s from public.connections where user_id = %(who)s""", 7 * DAY,
    ),
    "private.revocation_outbox": (
        DECLARED["copy for a revocation"][0].replace("%(end)s", "%(at)s + interval '24 hours'"), None,
    ),
    "private.rights_requests": (
        """update private.rights_requests set state = 'withdrawn', closed_at = %(at)s,
             received_at = %(at)s - interval '1 hour', due_at = %(at)s + interval '719 hours'""", None,
    ),
    "public.notifications": ("update public.notifications set created_at = %(at)s", None),
}  # fmt: skip
# Terms with a job of their own kind, and where both sides of their end are tested.
ELSEWHERE = {
    "drop_expired_partitions": "tests/sql/platform/test_partitions.py, test_retention.py",
    "resume_all_erasures": "test_erasure.py",
    "destroy_usage_keys": "tests/sql/analytics",
    "destroy_old_invoices": "test_retention.py; its guard goes by the real time",
    "forget_tombstones": "test_backups.py; it also needs the copy outside to be gone",
    "expire_sessions": "tests/sql/identity/test_guards.py, test_sessions.py",
}


def _may_act(db: Connection, person: Person) -> None:
    claims = {"role": "authenticated", "sub": str(person.user_id), "session_id": str(person.session_id)}
    db.execute("select set_config('request.jwt.claims', %s, true)", (json.dumps(claims),))


@pytest.mark.parametrize(("zone", "moment"), MOMENTS)
def test_a_deadline_is_as_many_hours_whatever_the_clocks_do(db: Connection, zone: str, moment: str) -> None:
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    minor = create_person(db, birth_date="2012-06-01")
    db.execute("update auth.sessions set created_at = %s where id = %s", (at, minor.session_id))
    _may_act(db, minor)
    db.execute("select set_config('timezone', %s, true)", (zone,))
    for name, (brings_about, stands, hours) in ASKED.items():
        with db.transaction(force_rollback=True):
            db.execute(brings_about, {"who": minor.user_id, "at": at})
            assert scalar(db, stands) == at + hours * HOUR, name


@pytest.mark.parametrize(("zone", "moment"), MOMENTS)
def test_no_row_says_more_hours_than_promised(db: Connection, zone: str, moment: str) -> None:
    """Whoever writes it: the table refuses."""
    at = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    person = create_person(db)
    db.execute("select private.begin_erasure(%s, '7 days', %s)", (person.user_id, at))
    db.execute("select set_config('timezone', %s, true)", (zone,))
    for statement, hours in DECLARED.values():
        values = {"who": person.user_id, "at": at, "end": at + hours * HOUR, "id": uuid.uuid4()}
        with db.transaction(force_rollback=True):
            db.execute(statement, values)
        with denied(db, "23514"):
            db.execute(statement, values | {"end": values["end"] + MILLISECOND})


AT = datetime(2027, 3, 5, 12, tzinfo=UTC)


def _terms(db: Connection) -> dict[str, tuple[datetime, str]]:
    """Of each rule whose rows are tested here: when the term of a row of `AT` ends, and the job."""
    found = rows(
        db,
        """select r.relation, (%s at time zone 'utc' + r.keep) at time zone 'utc', t.function_name
           from private.retention_rules r join private.housekeeping_tasks t on t.task = r.applied_by
           where r.condition <> 'false' and r.applied_by <> all (%s) and r.relation <> 'private.mail_events'""",
        AT,
        list(ELSEWHERE),
    )
    return {relation: (end, function) for relation, end, function in found}


def test_every_rule_is_tested(db: Connection) -> None:
    assert set(_terms(db)) == set(TERMS)


@pytest.mark.parametrize("relation", TERMS)
def test_a_term_ends_at_its_instant_and_for_good(admin_db: Connection, relation: str) -> None:
    """A row stays to the last moment of its term; the first run after it takes it, however long none came by."""
    term, function = _terms(admin_db)[relation]
    statement, sooner = TERMS[relation]
    person = seed_person(admin_db).person
    admin_db.execute("set local session_replication_role = replica")
    admin_db.execute(statement, {"who": person.user_id, "at": AT})
    admin_db.execute("set local session_replication_role = origin")
    there = scalar(admin_db, f"select count(*) from {relation}")
    assert there > 0
    end = term if sooner is None else AT + sooner
    for run, left in ((end - MILLISECOND, there), (end + MILLISECOND, 0), (end + 1000 * DAY, 0)):
        with admin_db.transaction(force_rollback=True):
            admin_db.execute(f"select {function}(%s)", (run,))
            assert scalar(admin_db, f"select count(*) from {relation}") == left, run
