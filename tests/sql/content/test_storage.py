"""Buckets and their policies: private, own folder only, no way out of it (P3.3, P3.6)."""

from __future__ import annotations

import psycopg
import pytest

from tests.support.personas import Person, acting_as, create_person, denied

INSERT = """insert into storage.objects (bucket_id, name, owner_id, metadata)
            values (%s, %s, %s, '{"size": 1, "mimetype": "image/png"}')"""

TRAVERSAL = [
    "{me}/../{other}/a.png",
    "{me}/..",
    "{me}/./a.png",
    "{me}/a..png",
    "{me}//a.png",
    "{me}/a\\b.png",
    "{me}/%2e%2e/{other}/a.png",
    "{me}/%2E%2E/a.png",
    "{me}/a%2fb.png",
    "{me}/%5c/a.png",
    "{me}/a%00.png",
    "{me}/a\n.png",
    "{me}/a/",
    "{me}",
    "/{me}/a.png",
    "{other}/a.png",
    "../{me}/a.png",
    "a.png",
]


@pytest.fixture
def me(db: psycopg.Connection) -> Person:
    return create_person(db)


def put(db: psycopg.Connection, bucket: str, name: str, person: Person) -> None:
    db.execute(INSERT, (bucket, name, str(person.user_id)))


@pytest.mark.parametrize("bucket", ["media", "avatars"])
def test_buckets_are_private_and_limited(db: psycopg.Connection, bucket: str) -> None:
    row = db.execute(
        "select public, file_size_limit > 0, cardinality(allowed_mime_types) > 0 from storage.buckets where id = %s",
        (bucket,),
    ).fetchone()
    assert row == (False, True, True)


@pytest.mark.parametrize("bucket", ["media", "avatars"])
@pytest.mark.parametrize("name", TRAVERSAL)
def test_names_that_leave_the_own_folder_are_refused(
    db: psycopg.Connection, me: Person, bucket: str, name: str
) -> None:
    other = create_person(db)
    name = name.format(me=me.user_id, other=other.user_id)
    with acting_as(db, me), denied(db, "42501"):
        put(db, bucket, name, me)


@pytest.mark.parametrize("name", TRAVERSAL)
def test_such_names_are_invisible_even_if_they_exist(db: psycopg.Connection, me: Person, name: str) -> None:
    other = create_person(db)
    put(db, "media", name.format(me=me.user_id, other=other.user_id), me)
    with acting_as(db, me):
        assert db.execute("select name from storage.objects").fetchall() == []


@pytest.mark.parametrize("name", ["{me}/a.png", "{me}/2026/clip one.final.mp4", "{me}/ä%20b.png"])
@pytest.mark.parametrize("bucket", ["media", "avatars"])
def test_the_own_folder_is_open(db: psycopg.Connection, me: Person, bucket: str, name: str) -> None:
    name = name.format(me=me.user_id)
    with acting_as(db, me):
        put(db, bucket, name, me)
        assert db.execute("select name from storage.objects").fetchall() == [(name,)]
    with acting_as(db, create_person(db)):
        assert db.execute("select name from storage.objects").fetchall() == []
    with acting_as(db, None):
        assert db.execute("select name from storage.objects").fetchall() == []


def test_other_buckets_stay_closed(db: psycopg.Connection, me: Person) -> None:
    db.execute("insert into storage.buckets (id, name, public) values ('other', 'other', false)")
    with acting_as(db, me), denied(db, "42501"):
        put(db, "other", f"{me.user_id}/a.png", me)


def test_an_account_that_waits_for_a_guardian_uploads_nothing(db: psycopg.Connection) -> None:
    minor = create_person(db, birth_date="2012-01-01")
    with acting_as(db, minor), denied(db, "42501"):
        put(db, "avatars", f"{minor.user_id}/a.png", minor)


def test_media_are_never_overwritten_or_renamed_and_avatars_are(db: psycopg.Connection, me: Person) -> None:
    with acting_as(db, me):
        put(db, "media", f"{me.user_id}/a.png", me)
        put(db, "avatars", f"{me.user_id}/a.png", me)
        updated = db.execute("update storage.objects set version = 'v2' returning bucket_id").fetchall()
        assert updated == [("avatars",)]
        with denied(db, "42501"):
            db.execute("update storage.objects set name = 'elsewhere/a.png'")


def test_a_file_stays_as_long_as_a_media_row_names_it(db: psycopg.Connection, me: Person) -> None:
    db.execute(
        "select set_config('storage.allow_delete_query', 'true', true)"
    )  # what the storage service does
    remove = "delete from storage.objects where bucket_id = 'media' returning name"
    with acting_as(db, me):
        put(db, "media", f"{me.user_id}/a.png", me)
        db.execute("select public.register_media(%s)", (f"{me.user_id}/a.png",))
        assert db.execute(remove).fetchall() == []
        db.execute("delete from public.media")
        assert len(db.execute(remove).fetchall()) == 1


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("u/a.png", True),
        ("u/b/c d.png", True),
        ("u/" + "a" * 510, True),
        ("u/" + "a" * 511, False),
        (None, False),
        ("", False),
        ("u/.hidden", True),
        ("u/...", False),
        ("u/a\t.png", False),
    ],
)
def test_object_name_is_safe(db: psycopg.Connection, name: str | None, safe: bool) -> None:
    assert db.execute("select private.object_name_is_safe(%s)", (name,)).fetchone() == (safe,)
