"""Every notice is said in words with what to do, and comes by mail where it is worth it and wanted."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

_KIND = re.compile(r"private\.notify\([^;]*?'([a-z]+(?:_[a-z]+)+)'")


def notify(db: Connection, person: Person, kind: str, code: str | None = None) -> None:
    db.execute(
        "select private.notify(%s, %s, 'post_target', %s, %s)", (person.user_id, kind, uuid.uuid4(), code)
    )


def said(db: Connection, person: Person) -> list[tuple[str, str]]:
    with acting_as(db, person):
        return rows(db, "select title, advice from public.notices")


def test_every_kind_that_is_told_has_words(db: Connection) -> None:
    bodies = rows(
        db, "select prosrc from pg_proc where pronamespace = 'private'::regnamespace and prosrc ~ 'notify'"
    )
    kinds = {kind for (body,) in bodies for kind in _KIND.findall(body)} - {"post_target"}
    kinds |= {f"target_{state}" for state in ("failed", "missed", "unconfirmed")}
    assert len(kinds) > 5
    assert (
        kinds - {kind for (kind,) in rows(db, "select kind from public.notification_texts where code = ''")}
        == set()
    )


def test_a_code_that_says_more_has_words_of_its_own(db: Connection) -> None:
    ada = create_person(db)
    notify(db, ada, "target_missed", "NX438")
    assert said(db, ada)[0][0] == "A post was missed because the platform takes no more for now"


@pytest.mark.parametrize("code", [None, "NX999", "whatever"])
def test_any_other_code_gets_those_of_its_kind(db: Connection, code: str | None) -> None:
    ada = create_person(db)
    notify(db, ada, "target_missed", code)
    assert said(db, ada)[0][0] == "A post was not published within its time window"


def test_a_kind_without_words_is_still_there(db: Connection) -> None:
    ada = create_person(db)
    notify(db, ada, "never_heard_of")
    assert said(db, ada) == [(None, None)]


def test_notices_are_for_their_person(db: Connection) -> None:
    ada = create_person(db)
    notify(db, ada, "target_failed")
    assert said(db, create_person(db)) == []
    with as_worker(db), denied(db, "42501"):
        db.execute("select * from public.notices")
    with acting_as(db, None), denied(db, "42501"):
        db.execute("select * from public.notices")


@pytest.mark.parametrize(
    ("kind", "code", "is_wanted", "expected"),
    [
        ("target_failed", None, True, True),
        ("target_failed", None, False, False),
        ("connection_expires_soon", "days_14", True, False),
        ("connection_expires_soon", "days_7", True, True),
        ("never_heard_of", None, True, False),
    ],
)
def test_mail_is_for_what_is_worth_it_and_who_wants_it(
    db: Connection, kind: str, code: str | None, is_wanted: bool, expected: bool
) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        assert scalar(db, "select mail_notices from public.preferences") is True
        db.execute("update public.preferences set mail_notices = %s", (is_wanted,))
    notify(db, ada, kind, code)
    assert (
        scalar(db, "select wants_mail from public.notifications where user_id = %s", ada.user_id) is expected
    )


def test_texts_are_read_only(db: Connection) -> None:
    with acting_as(db, create_person(db)), denied(db, "42501"):
        db.execute("update public.notification_texts set title = 'something else'")
