"""A video's way: uploaded here, published on YouTube with thumbnail, in parts that never fill the memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nexora_client import MediaRole, Platform, Target, TargetState
from tests.support.api import Api
from tests.support.creators import Creator, new_creator, png
from tests.support.running import RunningWorker, running_worker
from workers.sandbox import Sandbox
from workers.sandbox.client import PublishedPost

UPLOAD = "/upload/youtube/v3/videos$"
MOST = 200_000_000
VIDEO = b"\0\0\0\x18ftypmp42" + os.urandom(1_000_000) * 40 + b"the end"


@pytest.fixture(scope="module")
def worker(
    quick_api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    with running_worker(quick_api, sandbox, tmp_path_factory.mktemp("logs")) as running:
        yield running
        assert running.stop() == 0


@pytest.fixture
def maya(quick_api: Api, sandbox: Sandbox, worker: RunningWorker) -> Iterator[Creator]:
    sandbox.control.clear_faults()
    with new_creator(quick_api, sandbox, worker.web_url, Platform.YOUTUBE) as creator:
        yield creator


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "first-light.mp4"
    path.write_bytes(VIDEO)
    return path


def _publish(maya: Creator, video: Path, **options: object) -> Target:
    """Upload, plan and publish; the settled target."""
    content, publishing = maya.client.content, maya.client.publishing
    post = content.posts.create("How it was made")
    film = content.media.upload(video, "video/mp4")
    picture = content.media.upload(png(1280, 720), "image/png")
    content.posts.attach(post.id, film.id)
    content.posts.attach(post.id, picture.id, role=MediaRole.THUMBNAIL)
    wanted = {"made_for_kids": False, "privacy": "public", "title": "First light", **options}
    publishing.targets.add(post.id, maya.connections[Platform.YOUTUBE].id, options=wanted)
    publishing.schedule(post.id, datetime.now(UTC) + timedelta(seconds=1))
    [target] = publishing.wait_until_settled(post.id, timeout=120, poll_seconds=0.2)
    return target


def _shown(sandbox: Sandbox, maya: Creator) -> list[PublishedPost]:
    return [post for post in sandbox.control.posts("youtube") if post.person == maya.key]


def _peak(pid: int) -> int:
    """Greatest memory of a process so far, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def test_a_video_is_published_with_its_thumbnail(
    maya: Creator, sandbox: Sandbox, worker: RunningWorker, video: Path
) -> None:
    target = _publish(maya, video, tags=["film"], notify_subscribers=False)
    assert target.state is TargetState.PUBLISHED
    [post] = _shown(sandbox, maya)
    assert (post.id, post.url) == (target.external_id, target.external_url)
    assert post.media[0].sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert (post.text, post.details["title"]) == ("How it was made", "First light")
    assert post.details["thumbnail"] == hashlib.sha256(png(1280, 720)).hexdigest()
    assert (post.details["tags"], post.details["notify"]) == (["film"], False)
    assert _peak(worker.pid) < MOST
    assert list(maya.client.notifications.list()) == []
    log = worker.log_text()
    for secret in ("upload_id", "First light", "How it was made", sandbox.secret):
        assert secret not in log


def test_a_break_makes_no_second_video(maya: Creator, sandbox: Sandbox, video: Path) -> None:
    for _ in range(2):  # a part, and the question after it
        sandbox.control.add_fault("reset_after", platform="youtube", method="PUT", path=UPLOAD)
    assert _publish(maya, video).state is TargetState.PUBLISHED
    assert len(_shown(sandbox, maya)) == 1


def test_a_video_that_is_held_private_is_told(maya: Creator, sandbox: Sandbox, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    short.write_bytes(VIDEO[:1000])
    sandbox.control.set_youtube(forced_private=True)
    target = _publish(maya, short)
    sandbox.control.set_youtube(forced_private=False)
    assert target.state is TargetState.PUBLISHED
    [notice] = maya.client.notifications.list()
    assert (notice.kind, notice.subject_id, notice.code) == (
        "target_published",
        target.id,
        "published_privately",
    )


def test_a_thumbnail_that_is_refused_is_told(maya: Creator, sandbox: Sandbox, tmp_path: Path) -> None:
    short = tmp_path / "short.mp4"
    short.write_bytes(VIDEO[:1000])
    sandbox.control.set_limits(**{"youtube channel thumbnails": 0})
    target = _publish(maya, short)
    assert target.state is TargetState.PUBLISHED
    [notice] = maya.client.notifications.list()
    assert (notice.kind, notice.code) == ("target_published", "preview_missing")
