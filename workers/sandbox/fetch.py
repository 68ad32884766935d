"""How a platform downloads a file from an address that it was given: once, whole, without following redirects."""

from __future__ import annotations

import asyncio
from typing import Final, Literal

import httpx

from workers.sandbox.spool import Spool

SECONDS: Final = 60.0
Reason = Literal["unreachable", "timeout", "too_large"]


class FetchError(Exception):
    """The file did not arrive; `reason` says why, `status` what the server answered (0 for nothing)."""

    def __init__(self, reason: Reason, status: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


async def fetch(url: str, limit: int, seconds: float = SECONDS) -> Spool:
    """Downloads a file.

    Args:
        url: absolute; anything but a plain 200 is a failure, redirects included.
        limit: most bytes that are taken.
        seconds: for the whole download.

    Raises:
        FetchError: it did not arrive.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _download(url, limit)
    except TimeoutError as error:
        raise FetchError("timeout") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise FetchError("unreachable") from error


async def _download(url: str, limit: int) -> Spool:
    spool = Spool()
    async with httpx.AsyncClient(trust_env=False) as client, client.stream("GET", url) as response:
        if response.status_code != httpx.codes.OK:
            raise FetchError("unreachable", response.status_code)
        async for chunk in response.aiter_bytes():
            spool.write(chunk)
            if spool.size > limit:
                raise FetchError("too_large")
    return spool
