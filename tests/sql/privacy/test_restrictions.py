"""P7.7: a restriction keeps the data, and nothing else is done with it until its person lifts it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.sql.privacy.erasing import now
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied, sign_in
from tests.support.seed import Belongings, seed_person

ACCOUNT = "select state from private.accounts where user_id = %s"


@pytest.fixture
def seeded(db: Connection) -> Belongings:
    return seed_person(db)


def restrict(db: Connection, seeded: Belongings) -> None:
    with acting_as(db, seeded.person):
        state = scalar(db, "select state from public.request_right('restrict', 'A number is disputed.')")
    assert state == "answered"


def test_nobody_works_with_what_is_restricted(db: Connection, seeded: Belongings) -> None:
    person = seeded.person
    db.execute("select private.enqueue('publish', %s, now(), now())", (seeded.target_id,))
    db.execute("select private.enqueue('refresh', %s, now(), now())", (seeded.connection_id,))
    restrict(db, seeded)
    assert scalar(db, ACCOUNT, person.user_id) == "restricted"
    target = "select state::text from public.post_targets where id = %s"
    assert scalar(db, target, seeded.target_id) == "cancelled"
    waiting = "select lane from private.queue where subject_id in (%s, %s)"
    assert rows(db, waiting, seeded.target_id, seeded.connection_id) == []
    for purpose in ("features", "ai_processing", "product_improvement", "marketing"):
        assert not scalar(db, "select private.may_process(%s, %s)", person.user_id, purpose)
    assert scalar(db, "select private.may_process(%s, 'security')", person.user_id)
    assert not scalar(db, "select private.mail_is_wanted(%s, 'product')", person.user_id)
    db.execute("update public.post_series set make_at = now() where id = %s", (seeded.series_id,))
    made = "select count(*) from public.post_occurrences where series_id = %s"
    before = scalar(db, made, seeded.series_id)
    db.execute("select private.make_due_occurrences(%s)", (now(db),))
    assert scalar(db, made, seeded.series_id) == before
    with acting_as(db, person):
        assert rows(db, "select 1 from public.posts") == []
        with denied(db, "NX115"):
            db.execute("select public.schedule_post(%s, now())", (seeded.post_id,))
        with denied(db, "42501"):
            db.execute("insert into public.posts (body) values ('More.')")


def test_the_rights_stay_open(db: Connection, seeded: Belongings) -> None:
    restrict(db, seeded)
    with acting_as(db, seeded.person):
        assert scalar(db, "select count(*) from public.my_data()") > 20
        assert scalar(db, "select state from public.request_export()") == "requested"
        assert scalar(db, "select state from public.request_right('access')") == "open"
        db.execute("select public.withdraw_consent('product_improvement')")
        assert scalar(db, "select state from public.request_erasure()") == "requested"


def test_cleanups_pass_over_it_as_over_what_is_held(db: Connection, seeded: Belongings) -> None:
    restrict(db, seeded)
    old = "update public.notifications set created_at = now() - interval '2 years', read_at = now() - interval '1 year'"
    db.execute(old)
    forget = "select private.forget_notifications(%s)"
    assert scalar(db, forget, now(db)) == 0
    hold = "select private.place_legal_hold(%s, '{user}', 'case 1', 'op:1')"
    held = scalar(db, hold, seeded.person.user_id)
    with acting_as(db, seeded.person):
        assert scalar(db, "select public.lift_restriction()") == "active"
    assert scalar(db, forget, now(db)) == 0, "the hold is left"
    for by in ("op:1", "op:2"):
        db.execute("select private.release_legal_hold(%s, %s)", (held, by))
    assert scalar(db, forget, now(db)) == 1


def test_lifting_it_brings_back_what_a_person_can_do(db: Connection, seeded: Belongings) -> None:
    db.execute(
        """update private.token_vault set sealed_refresh = sealed_access, access_expires_at = now() + interval '1 hour'
           where connection_id = %s""",
        (seeded.connection_id,),
    )
    restrict(db, seeded)
    vault = "select private.schedule_refresh(v, now()) from private.token_vault v where v.connection_id = %s"
    planned = "select count(*) from private.queue where lane = 'refresh' and subject_id = %s"
    db.execute(vault, (seeded.connection_id,))
    assert scalar(db, planned, seeded.connection_id) == 0, "nothing is renewed, whoever plans it"
    with acting_as(db, seeded.person):
        assert scalar(db, "select public.lift_restriction()") == "active"
        assert scalar(db, "select public.lift_restriction()") == "active", "again"
        assert scalar(db, "select count(*) from public.posts") == 1
        db.execute("select public.request_right('restrict')")
        kinds = rows(db, "select state from public.my_requests() where kind = 'restrict'")
        assert kinds == [("answered",), ("answered",)], "each time it begins it is another request"
    assert scalar(db, planned, seeded.connection_id) == 0
    with acting_as(db, seeded.person):
        db.execute("select public.lift_restriction()")
    assert scalar(db, planned, seeded.connection_id) == 1


def test_it_outlasts_a_deletion_that_is_taken_back(db: Connection, seeded: Belongings) -> None:
    restrict(db, seeded)
    with acting_as(db, seeded.person):
        db.execute("select public.request_erasure()")
    assert scalar(db, ACCOUNT, seeded.person.user_id) == "locked"
    sign_in(db, seeded.person)
    with acting_as(db, seeded.person):
        assert scalar(db, "select public.lift_restriction()") == "locked", "the lock is not lifted with it"
        db.execute("select public.request_right('restrict')")
        db.execute("select public.cancel_erasure()")
    assert scalar(db, ACCOUNT, seeded.person.user_id) == "restricted"


def test_a_minors_account_waits_for_the_guardian_again_afterwards(db: Connection) -> None:
    today = now(db)
    minor = create_person(db, birth_date=str((today - timedelta(days=15 * 366)).date()))
    with acting_as(db, minor):
        db.execute("select public.request_right('restrict')")
        assert scalar(db, "select public.lift_restriction()") == "awaiting_guardian"
        db.execute("select public.request_right('restrict')")
    db.execute("select private.record_guardian_consent(%s, 'signed_form', 'file 7')", (minor.user_id,))
    assert scalar(db, ACCOUNT, minor.user_id) == "restricted", (
        "a consent opens nothing that its person closed"
    )
    with acting_as(db, minor):
        assert scalar(db, "select public.lift_restriction()") == "active"


def test_somebody_elses_restriction_cannot_be_lifted(db: Connection, seeded: Belongings) -> None:
    restrict(db, seeded)
    with acting_as(db, create_person(db)):
        assert scalar(db, "select public.lift_restriction()") == "active"
    assert scalar(db, ACCOUNT, seeded.person.user_id) == "restricted"
