"""Profiles: one's own row, handles that do not look alike, columns that stay as they are."""

from __future__ import annotations

import threading
from typing import LiteralString

import psycopg
import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as, as_worker, create_person, denied

CHANGE = "select (public.change_handle(%s)).handle"


def _change(db: Connection, person: Person, handle: str | None) -> str:
    with acting_as(db, person):
        return scalar(db, CHANGE, handle)


def test_a_new_person_has_a_generated_handle(db: Connection) -> None:
    person = create_person(db)
    handle = scalar(db, "select handle from public.profiles where user_id = %s", person.user_id)
    assert handle.startswith("creator_")
    assert len(handle) == len("creator_") + 10


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paolo", "pa0lo"),
        ("paolo", "pao1o"),
        ("paolo", "paoio"),
        ("sam.smith", "sam_smith"),
        ("sam.smith", "samsmith"),
        ("modern", "modem"),
        ("savvy", "sawy"),
        ("s5s5", "ssss"),
        ("ADA.L", "ada1"),
        ("mo.r.ne", "mo_me"),
    ],
)
def test_handles_that_look_alike_are_the_same(db: Connection, one: str, other: str) -> None:
    assert _change(db, create_person(db), one) == one.lower()
    with denied(db, "NX122"):
        _change(db, create_person(db), other)


@pytest.mark.parametrize(("one", "other"), [("paola", "paolo"), ("ada", "adam"), ("team4", "teama")])
def test_handles_that_differ_are_different(db: Connection, one: str, other: str) -> None:
    assert _change(db, create_person(db), one) == one
    assert _change(db, create_person(db), other) == other


@pytest.mark.parametrize(
    "handle",
    [
        None,
        "",
        "ab",
        "a" * 31,
        "a b c",
        "ada!",
        "ädä",
        "аda",
        "ada\n",
        "___",
        "a__",
        ".ada",
        "ada.",
        "a..da",
        "ada\u200b",
    ],
)
def test_what_is_no_handle(db: Connection, handle: str | None) -> None:
    with denied(db, "NX120"):
        _change(db, create_person(db), handle)


@pytest.mark.parametrize(
    "handle",
    [
        "admin",
        "Admin",
        "adm1n",
        "support",
        "5upport",
        "s.u.p.p.o.r.t",
        "nexora",
        "nex0ra",
        "nexora_help",
        "the.nexora",
    ],
)
def test_reserved_handles(db: Connection, handle: str) -> None:
    with denied(db, "NX121"):
        _change(db, create_person(db), handle)


def test_one_s_own_handle_may_change_its_looks(db: Connection) -> None:
    person = create_person(db)
    assert [_change(db, person, handle) for handle in ("sam.smith", "sam_smith", "sam_smith")] == [
        "sam.smith",
        "sam_smith",
        "sam_smith",
    ]


@pytest.mark.parametrize(("state", "code"), [("2012-01-01", "NX111"), (None, "NX110")])
def test_an_account_that_may_not_be_used_changes_nothing(
    db: Connection, state: str | None, code: str
) -> None:
    person = create_person(db, birth_date=state)
    with denied(db, code):
        _change(db, person, "ada.l")
    with acting_as(db, person):
        assert db.execute("update public.profiles set bio = 'x'").rowcount == 0
        assert scalar(db, "select count(*) from public.profiles") == 1


def test_of_two_people_who_want_one_handle_one_gets_it(db_url: str) -> None:
    with psycopg.connect(db_url) as setup:
        people = [create_person(setup) for _ in range(4)]
    outcomes: list[str | None] = []
    start = threading.Barrier(4)

    def change(person: Person) -> None:
        with psycopg.connect(db_url) as connection:
            start.wait()
            try:
                with acting_as(connection, person):
                    outcomes.append(scalar(connection, CHANGE, "wanted"))
            except psycopg.Error as error:
                outcomes.append(error.sqlstate)

    threads = [threading.Thread(target=change, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, outcomes)) == ["NX122", "NX122", "NX122", "wanted"]


def test_people_see_and_edit_their_own_profile_only(db: Connection) -> None:
    ada, bob = create_person(db), create_person(db)
    with acting_as(db, ada):
        assert rows(db, "select user_id from public.profiles") == [(ada.user_id,)]
        changed = db.execute(
            "update public.profiles set display_name = 'Ada 阿達', niche = 'maths', bio = E'a\\nb', "
            "country = 'GB'"
        )
        assert changed.rowcount == 1
        assert (
            db.execute("update public.profiles set bio = 'x' where user_id = %s", (bob.user_id,)).rowcount
            == 0
        )
    assert scalar(db, "select updated_at = now() from public.profiles where user_id = %s", ada.user_id)
    with denied(db, "42501"), acting_as(db, None):
        db.execute("select from public.profiles")
    with denied(db, "42501"), as_worker(db):
        db.execute("select from public.profiles")


def test_a_dead_session_sees_nothing(db: Connection) -> None:
    ada = create_person(db)
    db.execute("delete from auth.sessions where id = %s", (ada.session_id,))
    with acting_as(db, ada):
        assert rows(db, "select from public.profiles") == []
        assert db.execute("update public.profiles set bio = 'x'").rowcount == 0


@pytest.mark.parametrize(
    "change", ["user_id = gen_random_uuid()", "handle = 'ada.l'", "created_at = now() - interval '1 s'"]
)
def test_protected_columns(db: Connection, change: LiteralString) -> None:
    """Through the column grants, and through the trigger where grants were opened (mass assignment)."""
    ada = create_person(db)
    statement = "update public.profiles set bio = 'x', " + change
    with denied(db, "42501"), acting_as(db, ada):
        db.execute(statement)
    db.execute("grant all on public.profiles to authenticated")
    with denied(db, "NX010"), acting_as(db, ada):
        db.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "delete from public.profiles",
        "insert into public.profiles (user_id, handle) values (gen_random_uuid(), 'ada.l')",
    ],
)
def test_people_neither_make_nor_delete_profiles(db: Connection, statement: LiteralString) -> None:
    with denied(db, "42501"), acting_as(db, create_person(db)):
        db.execute(statement)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("display_name", ""),
        ("display_name", "x" * 81),
        ("display_name", "Ada\nLovelace"),
        ("display_name", "Ada \u202e ecalevoL"),
        ("niche", "x" * 81),
        ("bio", "x" * 1001),
        ("bio", ""),
        ("country", "de"),
        ("country", "DEU"),
        ("avatar_path", "somebody/a.png"),
        ("avatar_path", "{user}/../other/a.png"),
        ("avatar_path", "{user}//a.png"),
        ("avatar_path", "{user}/%2e%2e/a.png"),
        ("avatar_path", "{user}\\a.png"),
        ("avatar_path", "{user}/"),
    ],
)
def test_values_out_of_bounds(db: Connection, column: LiteralString, value: str) -> None:
    ada = create_person(db)
    with denied(db, "23514"), acting_as(db, ada):
        update = "update public.profiles set " + column + " = %s"
        db.execute(update, (value.replace("{user}", str(ada.user_id)),))


def test_an_avatar_in_the_own_folder(db: Connection) -> None:
    ada = create_person(db)
    with acting_as(db, ada):
        assert (
            db.execute("update public.profiles set avatar_path = %s", (f"{ada.user_id}/face-1.png",)).rowcount
            == 1
        )


def test_the_generated_handle_itself_is_never_taken_or_reserved(db: Connection) -> None:
    for _ in range(20):
        create_person(db)
    assert (
        scalar(
            db, "select count(*) from private.reserved_handles r join public.profiles p using (handle_key)"
        )
        == 0
    )
