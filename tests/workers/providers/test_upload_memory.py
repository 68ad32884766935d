"""A large upload keeps the worker's memory under 200 MB, and the sandbox's too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client
from workers.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[3]
MOST = 200_000_000


@pytest.fixture
def people() -> Iterator[Client]:
    with Sandbox.start(redirect_uris=[REDIRECT]) as running, httpx.Client(base_url=running.url) as opened:
        yield Client(running, opened)


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(96_000_001, id="96 MB"),
        pytest.param(2_000_000_001, id="2 GB", marks=[pytest.mark.slow, pytest.mark.timeout(480)]),
    ],
)
@pytest.mark.parametrize("platform", ["youtube", "tiktok"])
def test_the_peak_does_not_grow_with_the_file(people: Client, platform: str, size: int) -> None:
    token = people.tokens(platform)["access_token"]
    arguments = [platform, people.sandbox.url, people.account(platform), str(size)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.workers.providers.upload_memory", *arguments],
        input=token + "\n",
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=450,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    [post] = people.sandbox.control.posts(platform)
    assert told["video_id"] == post.id
    assert post.media[0].bytes == size
    assert told["peak_bytes"] < MOST
