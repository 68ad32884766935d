"""First comments on YouTube: only with the permission to write them, only where the video can have them."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.publishing.test_target_problems import WELL, attach, problems, set_options

COMMENTING = "https://www.googleapis.com/auth/youtube.force-ssl"


@pytest.fixture
def commented(db: psycopg.Connection) -> Scene:
    """A target on YouTube with a first comment, on an account that may write one."""
    scene = make_scene(db, "youtube", "How it was made")
    attach(scene, "video", "video/mp4", size=1_000_000)
    set_options(scene, {**WELL["youtube"], "privacy": "public"})
    db.execute(
        "insert into public.target_follow_ups (user_id, target_id, position, body) values (%s, %s, 1, 'Sources')",
        (scene.person.user_id, scene.target),
    )
    db.execute(
        "update public.connections set scopes = scopes || %s::text where id = %s", (COMMENTING, scene.account)
    )
    return scene


def _rules(scene: Scene) -> list[str]:
    return [rule for rule, _ in problems(scene.db, scene.target)]


def test_with_the_permission_all_is_well(commented: Scene) -> None:
    assert _rules(commented) == []


def test_without_the_permission_it_is_refused(commented: Scene) -> None:
    commented.db.execute(
        "update public.connections set scopes = array_remove(scopes, %s) where id = %s",
        (COMMENTING, commented.account),
    )
    assert _rules(commented) == ["follow_up_scopes"]
    commented.db.execute("delete from public.target_follow_ups where target_id = %s", (commented.target,))
    assert _rules(commented) == []


def test_no_feature_asks_for_that_permission(db: psycopg.Connection) -> None:
    """P6.1: channel analytics, video list, upload, and nothing else."""
    asked = db.execute(
        """select distinct split_part(s, '/auth/', 2) from public.platform_features f, unnest(f.scopes) s
           where f.platform_id = 'youtube' order by 1"""
    ).fetchall()
    assert [scope for (scope,) in asked] == ["youtube.readonly", "youtube.upload", "yt-analytics.readonly"]


@pytest.mark.parametrize(
    "options",
    [
        {"privacy": "private"},
        {"privacy": "private", "publish_at": "2031-01-01T09:00:00Z"},
        {"privacy": "public", "made_for_kids": True},
    ],
)
def test_videos_without_comments(commented: Scene, options: dict[str, object]) -> None:
    set_options(commented, {**WELL["youtube"], **options})
    assert _rules(commented) == ["follow_up_audience"]


def test_a_thumbnail_may_have_50_mb_since_september_2026(db: psycopg.Connection) -> None:
    rows = db.execute(
        """select r.value from unnest(array['2026-09-13', '2026-09-14']::date[]) day,
             private.rules_on('youtube', day) r where r.rule = 'thumbnail_bytes' order by day"""
    ).fetchall()
    assert rows == [(2_097_152,), (52_428_800,)]
