"""Options are checked before a post is scheduled: unknown, impossible, missing and contradictory ones."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.publishing.test_target_problems import WELL, attach, set_options
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, as_worker, denied

FILES = {
    "youtube": ("video", "video/mp4"),
    "instagram": ("image", "image/jpeg"),
    "tiktok": ("video", "video/mp4"),
}
PAST, SOON, LATER = "2001-01-01T00:00:00Z", "2099-01-01T00:00:00Z", "2099-06-01T00:00:00+02:00"


def with_options(
    db: psycopg.Connection, platform: str, options: dict[str, Any], *, is_well: bool = True
) -> list[str]:
    """The rules that a target breaks whose options are good ones and these."""
    scene = make_scene(db, platform)
    if platform in FILES:
        attach(scene, *FILES[platform])
    set_options(scene, {**(WELL[platform] if is_well else {}), **options})
    return [
        rule
        for (rule,) in rows(
            db, "select rule from private.target_problems(%s) where severity = 'error'", scene.target
        )
    ]


@pytest.mark.parametrize(
    ("platform", "options"),
    [
        (
            "x",
            {"reply_settings": "following", "made_with_ai": True, "in_reply_to": "123", "community_id": "9"},
        ),
        ("x", {"reply_settings": None}),
        ("linkedin", {"visibility": "CONNECTIONS", "is_reshare_disabled": True}),
        ("youtube", {"privacy": "unlisted", "tags": ["one", "two words"], "category_id": "22"}),
        ("youtube", {"privacy": "private", "publish_at": SOON, "notify_subscribers": False}),
        ("youtube", {"publish_at": LATER}),
        ("instagram", {"kind": "feed", "collaborators": ["a", "b", "c"], "share_to_feed": True}),
        (
            "tiktok",
            {"disable_comment": True, "is_aigc": True, "brand_organic_toggle": True, "cover_ms": 1500},
        ),
        ("tiktok", {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE", "brand_content_toggle": True}),
    ],
)
def test_good_options(db: psycopg.Connection, platform: str, options: dict[str, Any]) -> None:
    assert with_options(db, platform, options) == []


@pytest.mark.parametrize(
    ("platform", "options", "option"),
    [
        ("x", {"reply_setings": "following"}, "reply_setings"),
        ("x", {"Reply Settings <b>": 1}, "unknown"),
        ("x", {"privacy": "public"}, "privacy"),
        ("x", {"reply_settings": "nobody"}, "reply_settings"),
        ("x", {"reply_settings": ["following"]}, "reply_settings"),
        ("x", {"made_with_ai": "yes"}, "made_with_ai"),
        ("x", {"in_reply_to": "12a"}, "in_reply_to"),
        ("linkedin", {"visibility": "public"}, "visibility"),
        ("youtube", {"made_for_kids": None}, "made_for_kids"),
        ("youtube", {"made_for_kids": "no"}, "made_for_kids"),
        ("youtube", {"tags": "one, two"}, "tags"),
        ("youtube", {"tags": ["one", " "]}, "tags"),
        ("youtube", {"tags": ["x"] * 101}, "tags"),
        ("youtube", {"publish_at": "tomorrow"}, "publish_at"),
        ("youtube", {"publish_at": "2099-01-01T00:00:00"}, "publish_at"),
        ("youtube", {"publish_at": PAST}, "publish_at"),
        ("youtube", {"publish_at": SOON, "privacy": "public"}, "privacy"),
        ("instagram", {"collaborators": ["a", "b", "c", "d"]}, "collaborators"),
        ("instagram", {"kind": "reel"}, "kind"),
        ("instagram", {"cover_ms": 100}, "cover_ms"),
        ("tiktok", {"cover_ms": -1}, "cover_ms"),
        ("tiktok", {"cover_ms": 1.5}, "cover_ms"),
        ("tiktok", {"privacy_level": None}, "privacy_level"),
        ("tiktok", {"privacy_level": "EVERYBODY"}, "privacy_level"),
        ("tiktok", {"brand_content_toggle": True}, "brand_content_toggle"),
        ("tiktok", {"title": "not for videos"}, "title"),
    ],
)
def test_bad_options(db: psycopg.Connection, platform: str, options: dict[str, Any], option: str) -> None:
    assert with_options(db, platform, options) == [f"options.{option}"]


def test_the_inbox_needs_no_privacy(db: psycopg.Connection) -> None:
    assert with_options(db, "tiktok", {"mode": "inbox"}, is_well=False) == []


def test_the_answer_for_children_is_asked_for_in_words(db: psycopg.Connection) -> None:
    scene = make_scene(db, "youtube")
    set_options(scene, {"title": "A title"})
    attach(scene, "video", "video/mp4")
    assert scalar(db, "select message from private.target_problems(%s)", scene.target) == (
        "An answer is missing: Whether the video is made for children; the law wants an answer."
    )


def test_a_video_is_shown_after_it_was_published(db: psycopg.Connection) -> None:
    scene = make_scene(db, "youtube")
    attach(scene, "video", "video/mp4")
    at = scalar(db, "select to_json(now() + interval '2 hours') #>> '{}'")
    set_options(scene, {**WELL["youtube"], "publish_at": at})
    query = "select count(*) from private.target_problems(%s, now() + %s::interval) where severity = 'error'"
    assert scalar(db, query, scene.target, "119 minutes") == 0
    assert scalar(db, query, scene.target, "120 minutes") == 1


def test_names_that_somebody_wrote_are_not_repeated_in_problems(scene: Scene) -> None:
    set_options(scene, {"My secret <script>": 1})
    found = rows(scene.db, "select rule, message from private.target_problems(%s)", scene.target)
    assert found == [("options.unknown", "There is no such option for this platform")]


def test_a_post_with_a_bad_option_is_not_scheduled(scene: Scene) -> None:
    set_options(scene, {"reply_settings": "nobody"})
    with denied(scene.db, "NX410"):
        scene.schedule()


def test_options_are_read_only(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        assert scalar(scene.db, "select count(distinct platform_id) from public.platform_options") == 5
        with denied(scene.db, "42501"):
            scene.db.execute("delete from public.platform_options")
    with as_worker(scene.db), denied(scene.db, "42501"):
        scene.db.execute("select * from public.platform_options")
