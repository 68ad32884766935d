"""kill -9 at any point of an upload ends with exactly one video: the session is taken up, or tells what it made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from nexora_client import Platform, Post, TargetState
from tests.acceptance.test_crash import Point, Stop, at_gate, let_its_lease_run_out
from tests.support.api import Api
from tests.support.creators import Creator, new_creator
from tests.support.gate import Gate
from tests.support.running import running_worker
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox

ONE_PART = b"\0\0\0\x18ftypmp42" + bytes(100_000)  # which is the last one, and makes the video
TWO_PARTS = b"\0\0\0\x18ftypmp42" + bytes(300_000)
PATH = "^/youtube/upload/youtube/v3/videos$"


def at_youtube(method: Literal["POST", "PUT"], when: Literal["before", "after"]) -> Stop:
    """Stop YouTube's work on the next announcement (POST) or part (PUT); it goes on when the worker is dead."""

    @contextmanager
    def stop(gate: Gate, sandbox: Sandbox, platform: Platform) -> Iterator[object]:
        sandbox.control.add_fault("hold", platform="youtube", method=method, path=PATH, at=when)
        yield lambda: wait_until(lambda: bool(sandbox.control.held())) and None
        sandbox.control.release()
        wait_until(lambda: not sandbox.control.held())

    return stop  # type: ignore[return-value]


# What is the same code for every platform is tested in test_crash.py.
CASES = [
    (Point("the session is open, and not noted", at_youtube("POST", "after")), TWO_PARTS),
    (Point("a part is stored, the answer is lost", at_youtube("PUT", "after")), TWO_PARTS),
    (Point("it said that it sends, and did not", at_gate("/rpc/mark_sending", "after")), TWO_PARTS),
    (Point("the last part takes its time", at_youtube("PUT", "before")), ONE_PART),
    (Point("the video exists, the answer is lost", at_youtube("PUT", "after")), ONE_PART),
]


@pytest.fixture(scope="module")
def creator(quick_api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Creator]:
    """Somebody with a channel connected."""
    with running_worker(quick_api, sandbox, tmp_path_factory.mktemp("connect")) as worker:
        somebody = new_creator(quick_api, sandbox, worker.web_url, Platform.YOUTUBE)
    with somebody:
        yield somebody


def _draft(creator: Creator, title: str, video: bytes) -> Post:
    content = creator.client.content
    post = content.posts.create("How it was made")
    content.posts.attach(post.id, content.media.upload(video, "video/mp4").id)
    options = {"title": title, "made_for_kids": False, "privacy": "unlisted"}
    creator.client.publishing.targets.add(post.id, creator.connections[Platform.YOUTUBE].id, options=options)
    return post


@pytest.mark.parametrize(("point", "video"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_a_killed_worker_neither_loses_nor_repeats_a_video(
    quick_api: Api, sandbox: Sandbox, creator: Creator, tmp_path: Path, point: Point, video: bytes
) -> None:
    sandbox.control.clear_faults()
    post = _draft(creator, point.name, video)
    with (
        Gate(quick_api.url) as gate,
        running_worker(quick_api, sandbox, tmp_path, gateway_url=gate.url) as doomed,
        point.stop(gate, sandbox, Platform.YOUTUBE) as until_there,
    ):
        creator.client.publishing.publish_now(post.id)
        until_there()
        doomed.kill()
    let_its_lease_run_out(quick_api)
    with running_worker(quick_api, sandbox, tmp_path):
        (target,) = creator.client.publishing.wait_until_settled(post.id, timeout=60, poll_seconds=0.05)
    copies = [video for video in sandbox.control.posts("youtube") if video.details["title"] == point.name]
    assert (len(copies), target.state, target.failure_code) == (1, TargetState.PUBLISHED, None)
    assert target.external_id == copies[0].id
