"""Scripts, posts, captions, media: people reach their own rows only, and attach only what is theirs (P1.3, P3.6)."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

from tests.support.personas import Person, acting_as, as_worker, create_person, denied


def upload(
    db: psycopg.Connection, person: Person, name: str | None = None, mime: str = "image/png", size: int = 1000
) -> str:
    """A file of bucket media, as the storage service records it."""
    name = name or f"{person.user_id}/{uuid.uuid4().hex}.bin"
    db.execute(
        "insert into storage.objects (bucket_id, name, owner_id, metadata) values ('media', %s, %s, %s)",
        (name, str(person.user_id), json.dumps({"size": size, "mimetype": mime})),
    )
    return name


def add(db: psycopg.Connection, table: str, **columns: object) -> uuid.UUID:
    names = ", ".join(columns)
    places = ", ".join(["%s"] * len(columns))
    row = db.execute(
        f"insert into public.{table} ({names}) values ({places}) returning id", list(columns.values())
    ).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("scripts", {"title": "t", "body": "b"}),
        ("posts", {"title": "t", "body": "b"}),
        ("captions", {"body": "b"}),
    ],
)
def test_rows_are_for_their_person(db: psycopg.Connection, table: str, columns: dict[str, str]) -> None:
    mine, other = create_person(db), create_person(db)
    with acting_as(db, mine):
        row = add(db, table, **columns)
        assert db.execute(
            f"update public.{table} set body = 'c' where id = %s returning user_id", (row,)
        ).fetchone() == (mine.user_id,)
        with denied(db, "42501"):
            db.execute(f"update public.{table} set user_id = %s", (other.user_id,))
        with denied(db, "42501"):
            add(db, table, user_id=other.user_id, **columns)
    with acting_as(db, other):
        assert db.execute(f"select id from public.{table}").fetchall() == []
        assert db.execute(f"update public.{table} set body = 'x' returning id").fetchall() == []
        assert db.execute(f"delete from public.{table} returning id").fetchall() == []
    with acting_as(db, None), denied(db, "42501"):
        db.execute(f"select * from public.{table}")
    with as_worker(db), denied(db, "42501"):
        db.execute(f"select * from public.{table}")
    with acting_as(db, mine):
        assert db.execute(f"delete from public.{table} returning id").fetchall() == [(row,)]


@pytest.mark.parametrize("table", ["scripts", "posts", "captions", "media", "post_media"])
def test_an_account_that_waits_for_a_guardian_has_no_content(db: psycopg.Connection, table: str) -> None:
    minor = create_person(db, birth_date="2012-01-01")
    if table not in ("media", "post_media"):
        db.execute(f"insert into public.{table} (user_id, body) values (%s, 'b')", (minor.user_id,))
    with acting_as(db, minor):
        assert db.execute(f"select * from public.{table}").fetchall() == []
        if table not in ("media", "post_media"):
            with denied(db, "42501"):
                add(db, table, body="b")  # P9.2


def test_a_post_takes_its_own_persons_script_only(db: psycopg.Connection) -> None:
    mine, other = create_person(db), create_person(db)
    with acting_as(db, other):
        theirs = add(db, "scripts", body="b")
    with acting_as(db, mine):
        with denied(db, "23503"):
            add(db, "posts", script_id=theirs, body="b")
        script = add(db, "scripts", body="b")
        post = add(db, "posts", script_id=script, body="b")
        db.execute("delete from public.scripts where id = %s", (script,))
        assert db.execute("select script_id from public.posts where id = %s", (post,)).fetchone() == (None,)


def test_guard_triggers_hold_where_grants_do_not(db: psycopg.Connection) -> None:
    mine, other = create_person(db), create_person(db)
    db.execute("grant update on public.posts, public.scripts, public.captions to authenticated")
    with acting_as(db, mine):
        for table in ("posts", "scripts", "captions"):
            add(db, table, body="b")
            with denied(db, "NX010"):
                db.execute(f"update public.{table} set user_id = %s", (other.user_id,))
            with denied(db, "NX010"):
                db.execute(f"update public.{table} set created_at = now() - interval '1 day'")


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("scripts", {"title": "x" * 301}),
        ("scripts", {"body": "x" * 200001}),
        ("posts", {"title": "x" * 301}),
        ("posts", {"body": "x" * 100001}),
        ("captions", {"body": ""}),
        ("captions", {"body": "x" * 10001}),
    ],
)
def test_texts_are_bounded(db: psycopg.Connection, table: str, columns: dict[str, str]) -> None:
    with acting_as(db, create_person(db)), denied(db, "23514"):
        add(db, table, **columns)


def test_registering_takes_type_and_size_from_storage_and_repeats(db: psycopg.Connection) -> None:
    person = create_person(db)
    name = upload(db, person, mime="video/mp4", size=123)
    call = "select kind::text, mime_type, size_bytes, alt_text, id from public.register_media(%s, %s, 10, 20, 3000)"
    with acting_as(db, person):
        first = db.execute(call, (name, "a clip")).fetchone()
        again = db.execute(call, (name, "another text")).fetchone()
    assert first is not None
    assert first[:4] == ("video", "video/mp4", 123, "a clip")
    assert again == first
    assert db.execute("select width, height, duration_ms from public.media").fetchall() == [(10, 20, 3000)]


@pytest.mark.parametrize(
    ("name", "mime", "code"),
    [
        ("{other}/a.png", "image/png", "NX301"),
        ("{me}/../{other}/a.png", "image/png", "NX301"),
        ("{me}/a.svg", "image/svg+xml", None),
        ("{me}/a.zip", "application/zip", "NX302"),
    ],
)
def test_registering_refuses(db: psycopg.Connection, name: str, mime: str, code: str | None) -> None:
    me, other = create_person(db), create_person(db)
    name = upload(db, me, name.format(me=me.user_id, other=other.user_id), mime)
    with acting_as(db, me):
        if code is None:
            assert db.execute("select kind::text from public.register_media(%s)", (name,)).fetchone() == (
                "image",
            )
            return
        with denied(db, code):
            db.execute("select public.register_media(%s)", (name,))
        with denied(db, "NX301"):
            db.execute("select public.register_media('missing')")


def test_media_rows_cannot_be_made_up(db: psycopg.Connection) -> None:
    person = create_person(db)
    with acting_as(db, person), denied(db, "42501"):
        add(
            db,
            "media",
            object_name=f"{person.user_id}/x.png",
            kind="image",
            mime_type="image/png",
            size_bytes=1,
        )


def test_only_the_description_of_a_file_changes(db: psycopg.Connection) -> None:
    person = create_person(db)
    name = upload(db, person)
    with acting_as(db, person):
        db.execute("select public.register_media(%s)", (name,))
        db.execute("update public.media set alt_text = 'a dog'")
        with denied(db, "42501"):
            db.execute("update public.media set size_bytes = 1")
    db.execute("grant update on public.media to authenticated")
    with acting_as(db, person), denied(db, "NX010"):
        db.execute("update public.media set size_bytes = 1")


def test_files_and_posts_of_two_people_do_not_mix(db: psycopg.Connection) -> None:
    me, other = create_person(db), create_person(db)
    my_name, their_name = upload(db, me), upload(db, other)
    ids = {}
    for person, name in ((me, my_name), (other, their_name)):
        with acting_as(db, person):
            media = db.execute("select id from public.register_media(%s)", (name,)).fetchone()
            assert media is not None
            ids[person.user_id] = (add(db, "posts", body="b"), media[0])
    attach = "insert into public.post_media (post_id, media_id) values (%s, %s)"
    with acting_as(db, me):
        with denied(db, "23503"):
            db.execute(attach, (ids[other.user_id][0], ids[me.user_id][1]))
        with denied(db, "23503"):
            db.execute(attach, (ids[me.user_id][0], ids[other.user_id][1]))
        with denied(db, "42501"):
            db.execute(
                "insert into public.post_media (post_id, media_id, user_id) values (%s, %s, %s)",
                (*ids[other.user_id], other.user_id),
            )
        db.execute(attach, ids[me.user_id])
        with denied(db, "42501"):
            db.execute("update public.post_media set media_id = %s", (ids[other.user_id][1],))


def test_each_position_is_taken_once_and_can_be_swapped(db: psycopg.Connection) -> None:
    me = create_person(db)
    names = [upload(db, me), upload(db, me)]
    with acting_as(db, me):
        post = add(db, "posts", body="b")
        for position, name in enumerate(names, 1):
            db.execute(
                """insert into public.post_media (post_id, media_id, position)
                   values (%s, (select id from public.register_media(%s)), %s)""",
                (post, name, position),
            )
        db.execute("update public.post_media set position = 3 - position")
        with denied(db, "23505"):
            db.execute("update public.post_media set position = 1")
        with denied(db, "23514"):
            db.execute("update public.post_media set position = 0 where position = 1")
