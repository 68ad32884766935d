"""kill -9 at any point of a publish ends with exactly one post and the truth in the database.

The worker is stopped at the point by a gate before the API or by a held request at the platform, then killed. A second
worker finds what the first one left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from nexora_client import Platform, TargetState
from tests.support.api import Api
from tests.support.creators import Creator, new_creator, png
from tests.support.gate import Gate
from tests.support.media import jpeg, mp4
from tests.support.running import running_worker
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox

Stop = Callable[[Gate, Sandbox, Platform], AbstractContextManager[Callable[[], None]]]
SEND = {
    Platform.X: "^/x/2/tweets$",
    Platform.LINKEDIN: "^/linkedin/rest/posts$",
    Platform.INSTAGRAM: "/media_publish$",
    Platform.TIKTOK: "^/tiktok/video/",
}
UPLOAD = {
    Platform.X: "^/x/2/media/upload",
    Platform.LINKEDIN: "^/linkedin/dms-uploads",
    Platform.INSTAGRAM: "/media$",
    Platform.TIKTOK: "/video/init/$",
}
FILES: dict[Platform, dict[str, Any]] = {
    Platform.INSTAGRAM: {"image": jpeg(), "mime_type": "image/jpeg"},
    Platform.TIKTOK: {
        "image": mp4(),
        "mime_type": "video/mp4",
        "options": {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"},
    },
}


def at_gate(path: str, when: Literal["before", "after"], nth: int = 1) -> Stop:
    """Stop the worker's `nth` request to the API."""

    @contextmanager
    def stop(gate: Gate, sandbox: Sandbox, platform: Platform) -> Iterator[Callable[[], None]]:
        hold = gate.hold(path, when, nth=nth)
        yield hold.wait
        hold.released.set()

    return stop


def at_platform(paths: dict[Platform, str], when: Literal["before", "after"], nth: int = 1) -> Stop:
    """Stop the platform's work on the worker's `nth` request; it goes on with it when the worker is dead."""

    @contextmanager
    def stop(gate: Gate, sandbox: Sandbox, platform: Platform) -> Iterator[Callable[[], None]]:
        if nth > 1:  # a rule that changes nothing is spent by the requests before
            sandbox.control.add_fault(
                "delay", platform=platform, path=paths[platform], at=when, times=nth - 1, seconds=0.0
            )
        sandbox.control.add_fault("hold", platform=platform, path=paths[platform], at=when)
        yield lambda: wait_until(lambda: bool(sandbox.control.held())) and None
        sandbox.control.release()
        wait_until(lambda: not sandbox.control.held())

    return stop


@dataclass(frozen=True)
class Point:
    """Where the worker dies."""

    name: str
    stop: Stop


POINTS = [
    Point("before the claim", at_gate("/rpc/claim_targets", "before")),
    Point("claimed, the answer is lost", at_gate("/rpc/claim_targets", "after")),
    Point("while fetching the image", at_gate("/storage/v1/object", "before")),
    Point("while uploading the image", at_platform(UPLOAD, "before")),
    Point("image uploaded, not noted", at_platform(UPLOAD, "after")),
    Point("before it says that it sends", at_gate("/rpc/mark_sending", "before")),
    Point("it said that it sends, and did not", at_gate("/rpc/mark_sending", "after")),
    Point("the platform has it and takes its time", at_platform(SEND, "before")),
    Point("the platform accepted it", at_platform(SEND, "after")),
    Point("before the report", at_gate("/rpc/report_targets", "before")),
    Point("reported, the answer is lost", at_gate("/rpc/report_targets", "after")),
]
# The others differ from X in their uploads and in how they are asked what became of a post; the rest is the same code.
_OWN_WAYS = {
    "image uploaded, not noted",
    "it said that it sends, and did not",
    "the platform has it and takes its time",
    "the platform accepted it",
}
CASES = [(Platform.X, point) for point in POINTS] + [
    (platform, point)
    for platform in (Platform.LINKEDIN, Platform.INSTAGRAM, Platform.TIKTOK)
    for point in POINTS
    if point.name in _OWN_WAYS
]


@pytest.fixture(scope="module")
def creator(quick_api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Creator]:
    """Somebody with all these platforms connected."""
    with running_worker(quick_api, sandbox, tmp_path_factory.mktemp("connect")) as worker:
        somebody = new_creator(quick_api, sandbox, worker.web_url, *SEND)
    with somebody:
        yield somebody


@pytest.mark.parametrize(("platform", "point"), CASES, ids=lambda value: getattr(value, "name", None))
def test_a_killed_worker_neither_loses_nor_repeats_a_post(
    quick_api: Api, sandbox: Sandbox, creator: Creator, tmp_path: Path, platform: Platform, point: Point
) -> None:
    sandbox.control.clear_faults()
    sandbox.control.set_media_delay(
        0
    )  # a post that TikTok still works at is asked for as late again as it is old
    # One account makes more posts here than a person's in a minute.
    sandbox.control.set_limits(**{"tiktok init": 1000, "tiktok posts": 1000})
    text = f"{platform.value}: {point.name}"
    post = creator.draft(text, platform, **FILES.get(platform, {"image": png()}))
    with (
        Gate(quick_api.url) as gate,
        running_worker(quick_api, sandbox, tmp_path, gateway_url=gate.url) as doomed,
        point.stop(gate, sandbox, platform) as until_there,
    ):
        creator.client.publishing.publish_now(post.id)
        until_there()
        doomed.kill()
    let_its_lease_run_out(quick_api)
    with running_worker(quick_api, sandbox, tmp_path):
        (target,) = creator.client.publishing.wait_until_settled(post.id, timeout=120, poll_seconds=0.05)
    copies = [published for published in sandbox.control.posts(platform) if published.text == text]
    assert (len(copies), target.state, target.failure_code) == (1, TargetState.PUBLISHED, None)
    assert target.external_id == copies[0].id


PARTS = ["the second part", "the third part"]
BETWEEN_PARTS = [
    Point("the post is out, not recorded", at_gate("/rpc/record_part", "before")),
    Point("the post is recorded, the answer is lost", at_gate("/rpc/record_part", "after")),
    Point("the platform accepted the second part", at_platform(SEND, "after", nth=2)),
    Point("the second part is out, not recorded", at_gate("/rpc/record_part", "before", nth=2)),
]


@pytest.mark.parametrize("point", BETWEEN_PARTS, ids=lambda point: point.name)
def test_a_killed_worker_leaves_a_thread_that_the_next_one_completes(
    quick_api: Api, sandbox: Sandbox, creator: Creator, tmp_path: Path, point: Point
) -> None:
    sandbox.control.clear_faults()
    post = creator.draft(f"a thread: {point.name}", Platform.X)
    (target,) = creator.client.publishing.targets.of_post(post.id)
    for part in PARTS:
        creator.client.publishing.follow_ups.add(target.id, f"{part}: {point.name}")
    with (
        Gate(quick_api.url) as gate,
        running_worker(quick_api, sandbox, tmp_path, gateway_url=gate.url) as doomed,
        point.stop(gate, sandbox, Platform.X) as until_there,
    ):
        creator.client.publishing.publish_now(post.id)
        until_there()
        doomed.kill()
    let_its_lease_run_out(quick_api)
    with running_worker(quick_api, sandbox, tmp_path):
        (target,) = creator.client.publishing.wait_until_settled(post.id, timeout=120, poll_seconds=0.05)
    assert (target.state, target.failure_code) == (TargetState.PUBLISHED, None)
    shown = [
        published for published in sandbox.control.posts("x") if published.text.endswith(f": {point.name}")
    ]
    thread = sorted(shown, key=lambda published: int(published.id))
    assert [published.text.split(":")[0] for published in thread] == ["a thread", *PARTS]
    assert [published.reply_to for published in thread] == [None, thread[0].id, thread[1].id]
    assert target.external_id == thread[0].id


def let_its_lease_run_out(api: Api) -> None:
    """What minutes without a heartbeat do: everything of the dead worker happened long ago."""
    with psycopg.connect(api.db_url, autocommit=True) as connection:
        connection.execute("update private.workers set heartbeat_at = heartbeat_at - interval '10 minutes'")
        connection.execute("update private.queue set sending_at = sending_at - interval '5 minutes'")
