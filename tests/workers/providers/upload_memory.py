"""A process that uploads one large video to the sandbox and prints its greatest memory: `SANDBOX_URL CHANNEL BYTES`.

The token comes on standard input. The file is made up part by part, as the worker reads it from the bucket.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.workers.providers.claims import MemoryFile, Saved
from tests.workers.providers.youtube_cases import item, vault, youtube_claim
from workers import http
from workers.providers.base import Media
from workers.providers.youtube import YouTubePublisher
from workers.vault import SecretToken


class MadeUpFile(MemoryFile):
    """A video of any size; its bytes depend on their position alone."""

    def __init__(self, size: int) -> None:
        super().__init__("video/mp4", b"")
        self._size = size
        self._block = b"\0\0\0\x18ftypmp42" + hashlib.sha256(b"video").digest() * 32_768

    @property
    def size_bytes(self) -> int:
        return self._size

    @asynccontextmanager
    async def part(self, start: int, length: int) -> AsyncIterator[bytes]:
        first = start % len(self._block)
        repeated = self._block * ((first + length) // len(self._block) + 1)
        yield repeated[first : first + length]


async def upload(sandbox_url: str, channel: str, size: int, token: SecretToken) -> str:
    """Publish; answers the video's id."""
    claim = youtube_claim(external_account_id=channel, media=(item(size),))
    media = Media((MadeUpFile(size),))
    async with http.build_client(http.PLATFORM) as client:
        publisher = YouTubePublisher(client, vault(), sandbox_url=f"{sandbox_url}/youtube")
        prepared = await publisher.prepare(claim, token, media, Saved())
        outcome = await publisher.send(prepared)
    return str(getattr(outcome, "external_id", outcome))


def main() -> None:
    sandbox_url, channel, size = sys.argv[1:4]
    token = SecretToken(sys.stdin.readline().strip())
    video_id = asyncio.run(upload(sandbox_url, channel, int(size), token))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"video_id": video_id, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
