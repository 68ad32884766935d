"""Large files stream: neither the worker nor the sandbox holds them, whatever the platform and the size."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from nexora_client import Media, Platform, TargetState
from tests.support.api import Api
from tests.support.creators import Creator, new_creator
from tests.support.media import mp4
from tests.support.running import running_worker
from workers.embedded import Stack
from workers.sandbox import Sandbox

MOST = 200_000_000
OPTIONS = {
    Platform.YOUTUBE: {"made_for_kids": False, "privacy": "public", "title": "Long"},
    Platform.TIKTOK: {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"},
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("platform", "size"),
    [
        (Platform.LINKEDIN, 120_000_000),
        pytest.param(Platform.X, 500_000_000, marks=pytest.mark.slow),
        pytest.param(Platform.YOUTUBE, 2_147_483_648, marks=pytest.mark.slow),
        pytest.param(Platform.TIKTOK, 2_147_483_648, marks=pytest.mark.slow),
    ],
)
def test_a_large_video_is_published_in_little_memory(
    quick_api: Api, stack: Stack, sandbox: Sandbox, tmp_path: Path, platform: Platform, size: int
) -> None:
    with (
        running_worker(quick_api, sandbox, tmp_path) as worker,
        new_creator(quick_api, sandbox, worker.web_url, platform) as creator,
    ):
        media = _large_video(quick_api, stack, creator, size)
        post = creator.client.content.posts.create("A long film")
        creator.client.content.posts.attach(post.id, media.id)
        creator.client.publishing.targets.add(
            post.id, creator.connections[platform].id, options=OPTIONS.get(platform, {})
        )
        before = _memory(os.getpid(), "VmRSS")
        creator.client.publishing.publish_now(post.id)
        (target,) = creator.client.publishing.wait_until_settled(post.id, timeout=480, poll_seconds=0.2)
        assert (target.state, target.failure_code) == (TargetState.PUBLISHED, None)
        assert _memory(worker.pid, "VmHWM") < MOST
        assert _memory(os.getpid(), "VmRSS") - before < MOST, "the sandbox runs in this process"
    (shown,) = [item for item in sandbox.control.posts(platform.value) if item.person == creator.key]
    assert [file.bytes for file in shown.media] == [size]


def _large_video(api: Api, stack: Stack, creator: Creator, size: int) -> Media:
    """An uploaded video that is mostly a hole: the storage reads zeros, the disk holds almost nothing."""
    media = creator.client.content.media.upload(mp4(size=100_000), "video/mp4")
    name = hashlib.sha256(f"media/{media.object_name}".encode()).hexdigest()
    database = re.sub(r".*/([^/?]+)(\?.*)?$", r"\1", api.db_url)
    folder = Path(str(stack.api_config()["filesDirectory"])) / quote(database, safe="")
    os.truncate(folder / name[:2] / name, size)
    with psycopg.connect(api.admin_url, autocommit=True) as connection:
        connection.execute("update public.media set size_bytes = %s where id = %s", (size, media.id))
        connection.execute(
            "update storage.objects set metadata = metadata || jsonb_build_object('size', %s::bigint) "
            "where name = %s",
            (size, media.object_name),
        )
    return media


def _memory(pid: int, what: str) -> int:
    """`VmRSS` (now) or `VmHWM` (greatest so far) of a process, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith(what)]
    return int(line.split()[1]) * 1024
