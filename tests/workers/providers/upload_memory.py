"""A process that uploads one large video to the sandbox and prints its greatest memory.

Arguments: `PLATFORM SANDBOX_URL ACCOUNT BYTES`, of youtube or tiktok.

The token comes on standard input. The file is made up part by part, as the worker reads it from the bucket.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.support.media import mp4
from tests.workers.providers.claims import MemoryFile, Saved
from tests.workers.providers.tiktok_script import a_claim as tiktok_claim
from tests.workers.providers.youtube_cases import item, vault, youtube_claim
from workers import http
from workers.providers.base import Media, Publisher
from workers.providers.tiktok import TikTokPublisher
from workers.providers.youtube import YouTubePublisher
from workers.vault import SecretToken


class MadeUpFile(MemoryFile):
    """A video of any size: a head, and bytes that depend on their position alone."""

    def __init__(self, size: int) -> None:
        super().__init__("video/mp4", b"")
        self._size = size
        self._block = (mp4() + hashlib.sha256(b"video").digest() * 32_768)[:1_048_576]

    @property
    def size_bytes(self) -> int:
        return self._size

    @asynccontextmanager
    async def part(self, start: int, length: int) -> AsyncIterator[bytes]:
        first = start % len(self._block)
        repeated = self._block * ((first + length) // len(self._block) + 1)
        yield repeated[first : first + length]


def _claim(platform: str, account: str, size: int) -> Any:
    if platform == "tiktok":
        return tiktok_claim(external_account_id=account, media=(item(size),))
    return youtube_claim(external_account_id=account, media=(item(size),))


def _publisher(platform: str, client: http.Client, sandbox_url: str) -> Publisher:
    url = f"{sandbox_url}/{platform}"
    if platform == "tiktok":
        return TikTokPublisher(client, public_url=sandbox_url, sandbox_url=url)
    return YouTubePublisher(client, vault(), sandbox_url=url)


async def upload(platform: str, sandbox_url: str, account: str, size: int, token: SecretToken) -> str:
    """Publish; answers the video's id."""
    media = Media((MadeUpFile(size),))
    async with http.build_client(http.PLATFORM) as client:
        publisher = _publisher(platform, client, sandbox_url)
        prepared = await publisher.prepare(_claim(platform, account, size), token, media, Saved())
        outcome = await publisher.send(prepared)
    return str(getattr(outcome, "external_id", outcome))


def _peak() -> int:
    """Greatest memory of this process in bytes; unlike `ru_maxrss` it begins anew with the program."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


def main() -> None:
    platform, sandbox_url, account, size = sys.argv[1:5]
    token = SecretToken(sys.stdin.readline().strip())
    video_id = asyncio.run(upload(platform, sandbox_url, account, int(size), token))
    peak = _peak()
    print(json.dumps({"video_id": video_id, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
