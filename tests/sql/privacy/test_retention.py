"""P8.1, P8.3, P8.5: every term is a row with a job that keeps it; what a hold covers outlives its term."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, create_person, denied

LONG = timedelta(days=800)


def faults(db: Connection) -> list[tuple[str, str]]:
    return rows(db, "select relation, fault from private.retention_faults()")


def hold(db: Connection, person: Person) -> uuid.UUID:
    placed: uuid.UUID = scalar(
        db, "select private.place_legal_hold(%s, '{user}', 'case 7', 'ann')", person.user_id
    )
    return placed


def notice(db: Connection, person: Person, age: timedelta) -> None:
    db.execute(
        """insert into public.notifications (user_id, kind, subject_kind, subject_id, created_at)
           values (%s, 'target_failed', 'post_target', gen_random_uuid(), now() - %s)""",
        (person.user_id, age),
    )


def invoice(db: Connection, person: Person, issued: str) -> None:
    db.execute(
        """insert into public.billing_invoices (user_id, number, issued_at, billed_to, country, description,
             amount_minor, tax_minor, currency) values (%s, %s, %s, 'Name', 'DE', 'Plan', 1900, 303, 'EUR')""",
        (person.user_id, str(uuid.uuid4()), issued),
    )


def test_every_term_is_kept(db: Connection) -> None:
    assert faults(db) == []


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        ("delete from private.retention_rules where relation = 'private.mails'", "no rule for its term"),
        (
            "update private.retention_rules set keep = '2 years' where relation = 'private.mails'",
            "rule and catalogue differ",
        ),
        ("update private.retention_rules set anchor_column = 'x' where relation = 'private.mails'", "no such column"),
        ("delete from private.housekeeping_tasks where task = 'forget_mails'", "no job"),
        ("update private.partitioned_tables set retention = '20 years'", "no job"),
        (
            """insert into private.retention_rules (relation, anchor_column, keep, applied_by, reason)
               values ('public.posts', 'created_at', '1 day', 'apply_retention', 'Nobody has asked for this.')""",
            "no term in the catalogue",
        ),
    ],
)  # fmt: skip
def test_a_planted_gap_is_found(db: Connection, plant: str, expected: str) -> None:
    db.execute(plant)
    found = {fault for _, fault in rows(db, "select relation, fault from private.retention_gaps()")}
    assert expected in found


def test_rows_past_their_term_are_a_fault_until_the_job_has_run(db: Connection) -> None:
    notice(db, create_person(db), timedelta(days=367))
    assert faults(db) == [("public.notifications", "rows past their term")]
    db.execute("select private.forget_notifications()")
    assert faults(db) == []


def test_what_auth_never_deletes_is_deleted(db: Connection) -> None:
    for age in (timedelta(days=390), timedelta(days=400)):
        db.execute(
            """insert into auth.audit_log_entries (id, payload, created_at, ip_address)
               values (%s, '{}', now() - %s, '')""",
            (uuid.uuid4(), age),
        )
    assert scalar(db, "select private.apply_retention()") == 1
    assert scalar(db, "select private.apply_retention()") == 0


def test_a_held_row_stays_and_does_not_keep_the_others(db: Connection) -> None:
    """P8.5."""
    held, other = create_person(db), create_person(db)
    for person in (held, other):
        notice(db, person, LONG)
    placed = hold(db, held)
    assert scalar(db, "select private.forget_notifications()") == 1
    assert faults(db) == []
    for by in ("ann", "ben"):
        db.execute("select private.release_legal_hold(%s, %s)", (placed, by))
    assert scalar(db, "select private.forget_notifications()") == 1


def test_held_rows_outlive_the_month_that_is_dropped(db: Connection) -> None:
    """P8.5: a partition goes as a whole, except for what must be kept."""
    held, other = create_person(db), create_person(db)
    db.execute("select private.ensure_partitions('2020-01-15Z')")
    for person in (held, other):
        db.execute(
            "insert into public.login_events (user_id, session_id, at, method) values (%s, %s, '2020-01-10Z', 'email')",
            (person.user_id, uuid.uuid4()),
        )
    placed = hold(db, held)
    db.execute("select private.drop_expired_partitions()")
    old = "select user_id from public.login_events where at < '2021-01-01Z'"
    assert rows(db, old) == [(held.user_id,)]
    db.execute("select private.drop_expired_partitions()")
    assert rows(db, old) == [(held.user_id,)]
    for by in ("ann", "ben"):
        db.execute("select private.release_legal_hold(%s, %s)", (placed, by))
    db.execute("select private.drop_expired_partitions()")
    assert rows(db, old) == []


@pytest.mark.parametrize(
    "statement",
    [
        "update public.billing_invoices set amount_minor = 0",
        "delete from public.billing_invoices",
        "truncate public.billing_invoices",
    ],
)
def test_an_invoice_is_never_changed(db: Connection, statement: str) -> None:
    person = create_person(db)
    invoice(db, person, "2026-01-31Z")
    with denied(db, "NX850"):
        db.execute(statement)
    with denied(db, "42501"), acting_as(db, person):
        db.execute(statement)


@pytest.mark.parametrize(
    ("issued", "destroyed"),
    [("2024-02-29T12:00:00Z", "2031-02-28T12:00:00Z"), ("2026-03-29T00:30:00Z", "2033-03-29T00:30:00Z")],
)
def test_seven_years_are_counted_from_the_invoice(db: Connection, issued: str, destroyed: str) -> None:
    """P8.3, over leap days and in whatever zone the session is."""
    db.execute("set local time zone 'America/New_York'")
    assert scalar(
        db, "select private.seven_years_after(%s::timestamptz) = %s::timestamptz", issued, destroyed
    )


def test_kept_invoices_are_destroyed_after_seven_years_and_not_before(db: Connection) -> None:
    person = create_person(db)
    for age in ("7 years 1 hour", "6 years 11 months"):
        invoice(db, person, scalar(db, "select (now() - %s::interval)::text", age))
    assert scalar(db, "select private.retain_invoices(%s)", person.user_id) == 2
    with denied(db, "NX850"):
        db.execute("delete from retained.billing_invoices")
    assert scalar(db, "select private.destroy_old_invoices()") == 1
    assert scalar(db, "select count(*) from retained.billing_invoices") == 1
    pseudonyms = rows(db, "select pseudonym from retained.billing_invoices")
    assert (person.user_id,) not in pseudonyms
