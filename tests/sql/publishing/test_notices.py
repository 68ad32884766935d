"""What a person is told although the post is out: a video held private, one that waits in an inbox."""

from __future__ import annotations

import pytest

from tests.sql.publishing.making import Scene

TOLD = ("target_published", "published_privately")


@pytest.fixture
def sent(scene: Scene) -> Scene:
    """The target is being sent."""
    scene.schedule()
    scene.claim()
    assert scene.mark(1)
    return scene


def test_a_success_with_a_notice_is_told_once(sent: Scene) -> None:
    for _ in range(2):
        assert sent.report(1, "published", external_id="vid-1", notice="published_privately")
    assert sent.notices() == [TOLD]


def test_a_plain_success_is_not_told(sent: Scene) -> None:
    assert sent.report(1, "published", external_id="vid-1")
    assert sent.notices() == []


def test_a_late_success_is_told_as_well(sent: Scene) -> None:
    sent.kill()
    assert sent.report(1, "published", "10 minutes", external_id="vid-1", notice="published_privately")
    assert TOLD in sent.notices()


def test_nothing_is_told_without_a_success(sent: Scene) -> None:
    sent.report(1, "rejected", notice="published_privately")
    assert [kind for kind, _ in sent.notices()] == ["target_failed"]


def test_a_notice_is_a_code_and_no_text(sent: Scene) -> None:
    assert sent.report(1, "published", external_id="vid-1", notice="said by a platform: <b>")
    assert sent.notices() == [("target_published", "said_by_a_platform:_b_")]
