"""What platforms would refuse: dated rows with a source, one judgement for people and workers."""

from __future__ import annotations

import uuid

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.support.personas import acting_as, as_worker, create_person, denied


def problems(db: psycopg.Connection, target: uuid.UUID, offset: str = "0") -> list[tuple[str, str]]:
    return db.execute(
        "select rule, severity from private.target_problems(%s, now() + %s::interval)", (target, offset)
    ).fetchall()


def attach(
    scene: Scene, kind: str, mime: str, *, size: int = 1000, alt: str | None = "alt", **more: object
) -> None:
    columns = {"kind": kind, "mime_type": mime, "size_bytes": size, "alt_text": alt, **more}
    names = ", ".join(columns)
    row = scene.db.execute(
        f"""insert into public.media (user_id, object_name, {names})
            values (%s, %s, {", ".join(["%s"] * len(columns))}) returning id""",
        (scene.person.user_id, f"{scene.person.user_id}/{uuid.uuid4().hex}", *columns.values()),
    ).fetchone()
    assert row is not None
    scene.db.execute(
        """insert into public.post_media (post_id, media_id, user_id, position)
           values (%s, %s, %s, (select count(*) + 1 from public.post_media where post_id = %s))""",
        (scene.post, row[0], scene.person.user_id, scene.post),
    )


def set_body(scene: Scene, body: str) -> None:
    scene.db.execute("update public.posts set body = %s where id = %s", (body, scene.post))


@pytest.mark.parametrize(
    ("platform", "body", "expected"),
    [
        ("x", "x" * 280, []),
        ("x", "x" * 281, [("text_length", "error")]),
        ("x", "語" * 140, []),
        ("x", "語" * 141, [("text_length", "error")]),
        ("x", "x" * 256 + " https://example.com/" + "y" * 200, []),
        ("x", " \n", [("content_required", "error")]),
        ("linkedin", "語" * 3000, []),
        ("linkedin", "x" * 3001, [("text_length", "error")]),
    ],
)
def test_texts(db: psycopg.Connection, platform: str, body: str, expected: list[tuple[str, str]]) -> None:
    scene = make_scene(db, platform, body)
    assert problems(db, scene.target) == expected


@pytest.mark.parametrize(
    ("platform", "files", "expected"),
    [
        ("x", [("image", "image/png")] * 4, []),
        ("x", [("image", "image/png")] * 5, ["image_count"]),
        ("x", [("image", "image/gif")] * 2, ["gif_count"]),
        ("x", [("video", "video/mp4")] * 2, ["video_count"]),
        ("x", [("image", "image/png"), ("image", "image/gif")], ["media_kind_count"]),
        ("x", [("document", "application/pdf")], ["document_count", "media_types"]),
        ("linkedin", [("document", "application/pdf")], []),
        ("linkedin", [("image", "image/webp")], ["media_types"]),
        ("linkedin", [("image", "image/png")] * 20, []),
        ("linkedin", [("image", "image/png")] * 21, ["image_count"]),
    ],
)
def test_files(
    db: psycopg.Connection, platform: str, files: list[tuple[str, str]], expected: list[str]
) -> None:
    scene = make_scene(db, platform)
    for kind, mime in files:
        attach(scene, kind, mime)
    assert [rule for rule, _ in problems(db, scene.target)] == expected


@pytest.mark.parametrize(
    ("platform", "kind", "mime", "more", "expected"),
    [
        ("x", "image", "image/png", {"size": 5242880}, []),
        ("x", "image", "image/png", {"size": 5242881}, [("image_bytes", "error")]),
        ("x", "image", "image/gif", {"size": 15728640}, []),
        ("x", "video", "video/mp4", {"size": 536870913}, [("video_bytes", "error")]),
        ("x", "video", "video/mp4", {"duration_ms": 499}, [("video_ms_min", "error")]),
        ("x", "video", "video/mp4", {"duration_ms": 140001}, [("video_ms_max", "error")]),
        ("x", "image", "image/png", {"alt": None}, [("alt_text", "warning")]),
        ("linkedin", "image", "image/png", {"width": 6500, "height": 6500}, [("image_pixels", "error")]),
        ("linkedin", "image", "image/png", {"width": 100000, "height": 100000}, [("image_pixels", "error")]),
    ],
)
def test_sizes(
    db: psycopg.Connection, platform: str, kind: str, mime: str, more: dict, expected: list[tuple[str, str]]
) -> None:
    scene = make_scene(db, platform)
    attach(scene, kind, mime, **more)
    assert problems(db, scene.target) == expected


def test_a_file_alone_is_enough(scene: Scene) -> None:
    set_body(scene, "")
    attach(scene, "image", "image/png")
    assert problems(scene.db, scene.target) == []


def test_the_text_of_the_target_comes_before_that_of_the_post(scene: Scene) -> None:
    set_body(scene, "x" * 281)
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set text = 'short'")
    assert problems(scene.db, scene.target) == []


def test_rules_are_dated(scene: Scene) -> None:
    set_body(scene, "x" * 200)
    scene.db.execute(
        """insert into public.platform_rules (platform_id, rule, value, unit, source, checked_on, valid_from, valid_to)
           values ('x', 'text_length', 100, 'weighted characters', 'a test', current_date,
                   (now() at time zone 'utc')::date + 10, (now() at time zone 'utc')::date + 20)"""
    )
    assert problems(scene.db, scene.target, "9 days") == []
    assert problems(scene.db, scene.target, "10 days") == [("text_length", "error")]
    assert problems(scene.db, scene.target, "20 days") == [("text_length", "error")]
    assert problems(scene.db, scene.target, "21 days") == []


def test_people_check_their_own_posts(scene: Scene) -> None:
    set_body(scene, "x" * 300)
    call = "select target_id, rule, severity, limit_value, measured, message from public.check_post(%s)"
    with acting_as(scene.db, scene.person):
        assert scene.db.execute(call, (scene.post,)).fetchall() == [
            (scene.target, "text_length", "error", 280, 300, "The text is too long")
        ]
    with acting_as(scene.db, create_person(scene.db)), denied(scene.db, "NX401"):
        scene.db.execute(call, (scene.post,))
    with acting_as(scene.db, None), denied(scene.db, "42501"):
        scene.db.execute(call, (scene.post,))


def test_rules_are_read_only(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        assert scene.db.execute("select count(*) > 20 from public.platform_rules").fetchone() == (True,)
        with denied(scene.db, "42501"):
            scene.db.execute("update public.platform_rules set value = 1")
    with as_worker(scene.db), denied(scene.db, "42501"):
        scene.db.execute("select * from public.platform_rules")
