"""What platforms would refuse: dated rows with a source, one judgement for people and workers."""

from __future__ import annotations

import json
import uuid

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.support.personas import acting_as, as_worker, create_person, denied


def problems(db: psycopg.Connection, target: uuid.UUID, offset: str = "0") -> list[tuple[str, str]]:
    return db.execute(
        "select rule, severity from private.target_problems(%s, null, now() + %s::interval)", (target, offset)
    ).fetchall()


def attach(
    scene: Scene,
    kind: str,
    mime: str,
    *,
    size: int = 1000,
    alt: str | None = "alt",
    role: str = "attachment",
    **more: object,
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
        """insert into public.post_media (post_id, media_id, user_id, role, position)
           values (%s, %s, %s, %s, (select count(*) + 1 from public.post_media where post_id = %s))""",
        (scene.post, row[0], scene.person.user_id, role, scene.post),
    )


WELL: dict[str, dict[str, object]] = {
    "x": {},
    "linkedin": {},
    "instagram": {},
    "youtube": {"made_for_kids": False, "title": "A title"},
    "tiktok": {"privacy_level": "SELF_ONLY"},
}


def set_options(scene: Scene, options: dict[str, object]) -> None:
    scene.db.execute(
        "update public.post_targets set options = %s where id = %s", (json.dumps(options), scene.target)
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
        ("youtube", [("video", "video/mp4")], []),
        ("youtube", [], ["video_required"]),
        ("youtube", [("video", "video/mp4")] * 2, ["video_count"]),
        ("youtube", [("video", "video/mp4"), ("image", "image/png")], ["image_count", "media_types"]),
        ("instagram", [], ["media_required"]),
        ("instagram", [("image", "image/jpeg")] * 10, []),
        ("instagram", [("image", "image/jpeg")] * 8 + [("video", "video/mp4")] * 2, []),
        ("instagram", [("image", "image/jpeg")] * 11, ["file_count"]),
        ("instagram", [("image", "image/png")], ["media_types"]),
        ("tiktok", [], ["media_required"]),
        ("tiktok", [("image", "image/webp")] * 35, []),
        ("tiktok", [("image", "image/webp")] * 36, ["image_count"]),
        ("tiktok", [("image", "image/png")], ["media_types"]),
        ("tiktok", [("image", "image/jpeg"), ("video", "video/mp4")], ["media_kind_count"]),
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
    set_options(scene, WELL[platform])
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
        ("instagram", "image", "image/jpeg", {"width": 4, "height": 5}, []),
        ("instagram", "image", "image/jpeg", {"width": 79, "height": 100}, [("image_ratio_min", "error")]),
        ("instagram", "image", "image/jpeg", {"width": 191, "height": 100}, []),
        ("instagram", "image", "image/jpeg", {"width": 192, "height": 100}, [("image_ratio_max", "error")]),
        ("instagram", "video", "video/mp4", {"duration_ms": 900001}, [("video_ms_max", "error")]),
        ("instagram", "video", "video/mp4", {"size": 300 * 2**20 + 1}, [("video_bytes", "error")]),
        ("tiktok", "video", "video/mp4", {"duration_ms": 2999}, [("video_ms_min", "error")]),
        ("tiktok", "video", "video/mp4", {"size": 4 * 2**30 + 1}, [("video_bytes", "error")]),
        ("tiktok", "image", "image/webp", {"size": 20 * 2**20 + 1}, [("image_bytes", "error")]),
        ("youtube", "video", "video/mp4", {"duration_ms": 15 * 60_000}, []),
        (
            "youtube",
            "video",
            "video/mp4",
            {"duration_ms": 15 * 60_000 + 1},
            [("video_ms_unverified", "warning")],
        ),
        (
            "youtube",
            "video",
            "video/mp4",
            {"duration_ms": 12 * 3_600_000 + 1},
            [("video_ms_max", "error"), ("video_ms_unverified", "warning")],
        ),
        ("youtube", "video", "video/mp4", {"size": 256 * 2**30 + 1}, [("video_bytes", "error")]),
    ],
)
def test_sizes(
    db: psycopg.Connection, platform: str, kind: str, mime: str, more: dict, expected: list[tuple[str, str]]
) -> None:
    scene = make_scene(db, platform)
    set_options(scene, WELL[platform])
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


@pytest.mark.parametrize(
    ("platform", "kind", "mime", "body", "options", "expected"),
    [
        ("youtube", "video", "video/mp4", "é" * 2500, {}, []),
        ("youtube", "video", "video/mp4", "é" * 2501, {}, ["text_length"]),
        ("youtube", "video", "video/mp4", "a < b", {}, ["forbidden_characters"]),
        ("youtube", "video", "video/mp4", "", {"title": "x" * 100}, []),
        ("youtube", "video", "video/mp4", "", {"title": "x" * 101}, ["title_length"]),
        ("youtube", "video", "video/mp4", "", {"title": None}, ["title_required"]),
        ("youtube", "video", "video/mp4", "", {"tags": ["x" * 249, "y" * 250]}, []),
        ("youtube", "video", "video/mp4", "", {"tags": ["x" * 250, "y" * 250]}, ["tags_length"]),
        ("youtube", "video", "video/mp4", "", {"tags": ["x " * 124, "y" * 250]}, ["tags_length"]),
        ("instagram", "image", "image/jpeg", "x" * 2201, {}, ["text_length"]),
        ("instagram", "image", "image/jpeg", "#a #b #c #d #e", {}, []),
        ("instagram", "image", "image/jpeg", "#a #b #c #d #e #f", {}, ["hashtag_count"]),
        ("instagram", "image", "image/jpeg", "@a " * 21, {}, ["mention_count"]),
        ("instagram", "video", "video/mp4", "", {"kind": "story"}, []),
        ("tiktok", "video", "video/mp4", "😀" * 1100, {}, []),
        ("tiktok", "video", "video/mp4", "😀" * 1101, {}, ["text_length"]),
        ("tiktok", "image", "image/jpeg", "", {"title": "x" * 90}, []),
        ("tiktok", "image", "image/jpeg", "", {"title": "x" * 91}, ["title_length"]),
    ],
)
def test_texts_of_platforms_with_files(
    db: psycopg.Connection, platform: str, kind: str, mime: str, body: str, options: dict, expected: list[str]
) -> None:
    scene = make_scene(db, platform, body)
    set_options(scene, {**WELL[platform], **options})
    attach(scene, kind, mime)
    assert [rule for rule, _ in problems(db, scene.target)] == expected


def test_a_story_takes_one_file_of_at_most_a_minute(db: psycopg.Connection) -> None:
    scene = make_scene(db, "instagram")
    set_options(scene, {"kind": "story"})
    attach(scene, "video", "video/mp4", duration_ms=60_001)
    attach(scene, "image", "image/jpeg")
    assert [rule for rule, _ in problems(db, scene.target)] == ["story_file_count", "story_video_ms_max"]


@pytest.mark.parametrize(
    ("platform", "mime", "size", "expected"),
    [
        ("youtube", "image/png", 50 * 2**20, []),
        ("youtube", "image/png", 50 * 2**20 + 1, ["thumbnail_bytes"]),
        ("youtube", "image/webp", 1000, ["thumbnail_types"]),
        ("x", "image/webp", 10 * 2**20, []),  # of no concern there
    ],
)
def test_a_thumbnail_is_no_attachment(
    db: psycopg.Connection, platform: str, mime: str, size: int, expected: list[str]
) -> None:
    scene = make_scene(db, platform)
    set_options(scene, WELL[platform])
    attach(scene, "video", "video/mp4")
    attach(scene, "image", mime, size=size, alt=None, role="thumbnail")
    assert [rule for rule, _ in problems(db, scene.target)] == expected


@pytest.mark.parametrize(
    ("platform", "parts", "expected"),
    [
        ("x", ["x" * 280] * 24, []),
        ("x", ["x"] * 25, ["follow_up_count"]),
        ("x", ["fits", "x" * 281], ["follow_up_length"]),
        ("linkedin", ["x" * 1250], []),
        ("linkedin", ["x" * 1251], ["follow_up_length"]),
        ("linkedin", ["one", "two"], ["follow_up_count"]),
        ("instagram", ["x" * 301], ["follow_up_length", "follow_up_scopes"]),
        ("tiktok", ["one"], ["follow_up_count"]),
    ],
)
def test_follow_ups(db: psycopg.Connection, platform: str, parts: list[str], expected: list[str]) -> None:
    scene = make_scene(db, platform)
    set_options(scene, WELL[platform])
    if platform == "instagram" or platform == "tiktok":
        attach(scene, "image", "image/jpeg")
    for position, part in enumerate(parts, 1):
        db.execute(
            "insert into public.target_follow_ups (user_id, target_id, position, body) values (%s, %s, %s, %s)",
            (scene.person.user_id, scene.target, position, part),
        )
    assert [rule for rule, _ in problems(db, scene.target)] == expected


def test_comments_must_have_been_granted(db: psycopg.Connection) -> None:
    scene = make_scene(db, "instagram")
    attach(scene, "image", "image/jpeg")
    db.execute(
        "insert into public.target_follow_ups (user_id, target_id, body) values (%s, %s, 'First!')",
        (scene.person.user_id, scene.target),
    )
    assert problems(db, scene.target) == [("follow_up_scopes", "error")]
    with acting_as(db, scene.person), denied(db, "NX410"):
        db.execute("select public.schedule_post(%s, now() + interval '1 hour')", (scene.post,))
    db.execute("update public.connections set scopes = scopes || 'instagram_business_manage_comments'::text")
    assert problems(db, scene.target) == []


def test_parts_that_are_out_are_not_judged_any_more(scene: Scene) -> None:
    scene.db.execute(
        """insert into public.target_follow_ups (user_id, target_id, body, external_id, published_at)
           values (%s, %s, repeat('x', 300), '1', now())""",
        (scene.person.user_id, scene.target),
    )
    assert problems(scene.db, scene.target) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [("  \nFirst line\nmore", []), ("x" * 101, []), ("", ["title_required"]), ("<\nx", None)],
)
def test_a_video_without_a_title_takes_the_first_line(
    db: psycopg.Connection, body: str, expected: list[str] | None
) -> None:
    scene = make_scene(db, "youtube", body)
    set_options(scene, {"made_for_kids": True})
    attach(scene, "video", "video/mp4")
    assert [rule for rule, _ in problems(db, scene.target)] == (
        expected or ["forbidden_characters"] * (expected is None)
    )


def test_a_video_takes_the_title_of_its_post(db: psycopg.Connection) -> None:
    scene = make_scene(db, "youtube", "< in the text only counts there")
    db.execute("update public.posts set title = %s", ("x" * 101,))
    set_options(scene, {"made_for_kids": True})
    attach(scene, "video", "video/mp4")
    assert [rule for rule, _ in problems(db, scene.target)] == ["forbidden_characters", "title_length"]


def test_a_limit_that_was_lowered_holds_from_its_day_on(db: psycopg.Connection) -> None:
    rows = db.execute(
        """select day::text, r.value from unnest(array['2025-12-17', '2025-12-18']::date[]) day,
             private.rules_on('instagram', day) r where r.rule = 'hashtag_count' order by 1"""
    ).fetchall()
    assert rows == [("2025-12-17", 30), ("2025-12-18", 5)]


def test_scheduling_judges_by_the_rules_of_the_day_of_publishing(scene: Scene) -> None:
    set_body(scene, "x" * 200)
    scene.db.execute(
        """insert into public.platform_rules (platform_id, rule, value, unit, source, checked_on, valid_from)
           values ('x', 'text_length', 100, 'weighted characters', 'a test', current_date,
                   (now() at time zone 'utc')::date + 10)"""
    )
    with denied(scene.db, "NX410"):
        scene.schedule("11 days")
    scene.schedule("9 days")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX410"):
        scene.db.execute("select public.reschedule_target(%s, now() + interval '11 days')", (scene.target,))


def test_every_rule_has_words(db: psycopg.Connection) -> None:
    silent = db.execute(
        """select rule from public.platform_rules where rule not in ('url_length', 'posts_per_day')
           except select rule from private.rule_words"""
    ).fetchall()
    assert silent == []


@pytest.mark.parametrize(
    ("rule", "unit", "limit", "measured", "message"),
    [
        ("image_bytes", "bytes", 5242880, 7000000, "A picture is too large (6.7 MB, at most 5 MB)"),
        (
            "video_ms_max",
            "milliseconds",
            140000,
            200000,
            "A video is too long (3.3 minutes, at most 2.3 minutes)",
        ),
        ("video_ms_min", "milliseconds", 3000, 500, "A video is too short (0.5 seconds, at least 3 seconds)"),
        ("image_ratio_min", "ratio", 0.8, 0.5625, "A picture is too tall for its width (0.56, at least 0.8)"),
        ("media_required", "pieces", 1, 0, "A picture or a video is missing"),
        ("document_count", "pieces", 0, 1, "There are too many documents"),
        ("never_heard_of", "pieces", 1, 2, "A rule of the platform is not kept (2, at most 1)"),
    ],
)
def test_messages_are_for_people(
    db: psycopg.Connection, rule: str, unit: str, limit: float, measured: float, message: str
) -> None:
    row = db.execute(
        "select private.rule_message(%s, %s, %s::numeric, %s::numeric)", (rule, unit, limit, measured)
    ).fetchone()
    assert row == (message,)


def test_people_check_their_own_posts(scene: Scene) -> None:
    set_body(scene, "x" * 300)
    call = "select target_id, rule, severity, limit_value, measured, message from public.check_post(%s)"
    with acting_as(scene.db, scene.person):
        assert scene.db.execute(call, (scene.post,)).fetchall() == [
            (scene.target, "text_length", "error", 280, 300, "The text is too long (300, at most 280)")
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
