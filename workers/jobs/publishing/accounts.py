"""The order in which the targets of one account go out."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator
from uuid import UUID

__all__ = ["Accounts"]


class Accounts:
    """One target at a time per account, first come first served; and accounts that a platform told to
    wait."""

    def __init__(self) -> None:
        self._queues: dict[UUID, deque[asyncio.Future[None]]] = {}
        self._until: dict[UUID, float] = {}

    @contextlib.asynccontextmanager
    async def turn(self, connection_id: UUID) -> AsyncIterator[None]:
        """Wait for the account's turn and hold it while the body runs."""
        queue = self._queues.setdefault(connection_id, deque())
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            if queue[0] is not mine:
                await mine
            yield
        finally:
            was_first = queue[0] is mine
            queue.remove(mine)
            if not queue:
                del self._queues[connection_id]
            elif was_first and not queue[0].done():
                queue[0].set_result(None)

    def hold_back(self, connection_id: UUID, seconds: float) -> None:
        """The platform wants this account to wait."""
        now = time.monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[connection_id] = now + seconds

    def held_back(self, connection_id: UUID) -> float:
        """Seconds that this account still has to wait; 0 when it may go on."""
        return max(0.0, self._until.get(connection_id, 0.0) - time.monotonic())
