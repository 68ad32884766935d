"""Measuring texts, against the same rules in Python, on texts that nobody would think of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.publishing.making import Scene, make_scene
from tests.sql.publishing.test_target_problems import WELL, attach, set_options
from tests.sql.querying import scalar

_MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
_FEW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
LIKELY = st.text("ab1é語😀#@&/_.,!'\"[]()-\\^`{|}~ \n\t\u00a0\u3000", max_size=40)
_SPACE = " \t\n\r\f\v\u00a0\u2028\u2029\u3000"


def hashtags(text: str) -> int:
    ends = re.escape(_SPACE + "!\"#$%&'()*+,./:;<=>?@[\\]^`{|}~-")
    return len(re.findall(rf"(?<![A-Za-z0-9_&/#@])#[^{ends}]+", text))


@_MANY
@given(text=LIKELY)
def test_hashtags(db: psycopg.Connection, text: str) -> None:
    assert scalar(db, "select private.tag_count(%s, '#')", text) == hashtags(text)


@_MANY
@given(text=TEXT)
def test_units(db: psycopg.Connection, text: str) -> None:
    row = db.execute(
        """select private.measured_text(t, 'characters', null), private.measured_text(t, 'bytes', null),
                  private.measured_text(t, 'UTF-16 units', null) from (values (%s::text)) v (t)""",
        (text,),
    ).fetchone()
    assert row == (len(text), len(text.encode()), len(text.encode("utf-16-le")) // 2)


@_MANY
@given(tags=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), max_size=8))
def test_tags(db: psycopg.Connection, tags: list[str]) -> None:
    expected = len(",".join(f'"{tag}"' if " " in tag else tag for tag in tags))
    assert scalar(db, "select private.tags_length(%s)", json.dumps(tags)) == expected


@pytest.fixture
def video(db: psycopg.Connection) -> Iterator[Scene]:
    scene = make_scene(db, "youtube", "")
    attach(scene, "video", "video/mp4")
    return scene


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.text("ab1 -:TZ.<", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_", max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)
OPTIONS = st.dictionaries(
    st.sampled_from(["title", "privacy", "made_for_kids", "tags", "category_id", "publish_at", "x", "Wé"]),
    VALUE,
)


@_FEW
@given(options=OPTIONS)
def test_options_of_any_shape_are_judged_and_never_break_the_judgement(video: Scene, options: dict) -> None:
    set_options(video, options)
    found = dict(
        video.db.execute("select rule, severity from private.target_problems(%s)", (video.target,)).fetchall()
    )
    assert set(found.values()) <= {"error", "warning"}
    assert ("options.made_for_kids" in found) == (not isinstance(options.get("made_for_kids"), bool))
    if {key for key, value in options.items() if value is not None} & {"x", "Wé"}:
        assert any(rule in found for rule in ("options.x", "options.unknown"))


@_FEW
@given(title=st.text("aé語<", max_size=120), body=st.text("aé語<", max_size=60))
def test_a_shorter_text_never_breaks_more(video: Scene, title: str, body: str) -> None:
    def broken(title: str, body: str) -> set[str]:
        set_options(video, {**WELL["youtube"], "title": title})
        video.db.execute("update public.posts set body = %s where id = %s", (body * 40, video.post))
        rows = video.db.execute("select rule from private.target_problems(%s)", (video.target,)).fetchall()
        return {rule for (rule,) in rows} - {"title_required", "options.title"}

    assert broken(title[: len(title) // 2], body[: len(body) // 2]) <= broken(title, body)
