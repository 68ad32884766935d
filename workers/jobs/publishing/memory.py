"""How many bytes of files are in memory at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator

__all__ = ["MemoryBudget"]


class MemoryBudget:
    """Bytes of files in memory: whoever does not fit waits, first come first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = limit
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextlib.asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes, at most `limit`, while the body runs."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, future)
        self._queue.append(entry)
        self._serve()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._free += size
            elif entry in self._queue:
                self._queue.remove(entry)
            self._serve()
            raise
        try:
            yield
        finally:
            self._free += size
            self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            size, future = self._queue.popleft()
            if not future.done():
                self._free -= size
                future.set_result(None)
