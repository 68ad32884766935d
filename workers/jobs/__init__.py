"""What a worker process does, one module per kind of work.

`publish` and the loops of the other lanes are started by `workers.process`, which gives each of them a
`Membership`: the way to the worker id that claims are made with, and the signal to stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol
from uuid import UUID

__all__ = ["Identity", "Membership", "backoff_seconds", "pause"]

FRESH_SECONDS: Final = 25.0
"""Age of the last confirmed heartbeat up to which a worker may begin something irreversible. The database
declares a worker dead after 45 s (setting `lease_seconds`); what is left covers a slow start of the call."""


class Identity:
    """One worker id of this process, as the database knows it.

    A process normally has one. It gets a new one, while the old one finishes what it holds, when the answer
    of a claim was lost (see `workers.gateway`), and when the database declared the old one dead.

    Attributes:
        worker_id: what every call about leased work carries.
        is_lost: the database has given its leases to others.
    """

    def __init__(self, worker_id: UUID, clock: Callable[[], float] = time.monotonic) -> None:
        self.worker_id = worker_id
        self.is_lost = False
        self.is_retired = False
        self._clock = clock
        self._confirmed = clock()
        self._held = 0
        self._callbacks: list[Callable[[Identity], None]] = []

    @property
    def held(self) -> int:
        """How many pieces of work are in hand under this id."""
        return self._held

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Keep this id alive (heartbeats go on after it was retired) while the body runs."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1

    def confirm(self, asked_at: float) -> None:
        """The database has confirmed this id. `asked_at`: monotonic time at which the heartbeat was
        *sent*."""
        self._confirmed = max(self._confirmed, asked_at)

    @property
    def age(self) -> float:
        """Seconds since the last confirmed heartbeat was sent."""
        return self._clock() - self._confirmed

    @property
    def is_fresh(self) -> bool:
        """Whether the leases surely still belong to this id."""
        return not self.is_lost and self.age <= FRESH_SECONDS

    def on_lost(self, callback: Callable[[Identity], None]) -> None:
        """Have `callback` called once if the database declares this id dead."""
        if callback not in self._callbacks:
            self._callbacks.append(callback)

    def lose(self) -> None:
        """Declare it dead on this side: everything in hand that is not irreversible is to be dropped."""
        if not self.is_lost:
            self.is_lost = True
            for callback in self._callbacks:
                callback(self)


class Membership(Protocol):
    """What a loop knows of the process around it; `workers.membership.Process` is one."""

    @property
    def stopping(self) -> asyncio.Event:
        """Set once: claim nothing any more, finish, return."""
        ...

    async def identity(self) -> Identity | None:
        """The id to claim with now; waits until the process is registered. None when it is stopping."""
        ...

    def retire(self, identity: Identity) -> None:
        """The answer of a claim made with `identity` was lost: claim with a new id from now on."""
        ...


async def pause(membership: Membership, seconds: float) -> bool:
    """Sleep, but not beyond the signal to stop.

    Returns:
        True when the loop should go on, False when the process is stopping.
    """
    if membership.stopping.is_set():
        return False
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(membership.stopping.wait(), max(0.0, seconds))
    return not membership.stopping.is_set()


def backoff_seconds(failures: int, base: float = 0.5, cap: float = 30.0) -> float:
    """Full jitter: uniform between 0 and `base` · 2^(failures-1), capped; all in seconds."""
    return random.uniform(0.0, min(cap, base * 2.0 ** min(max(failures - 1, 0), 16)))  # noqa: S311  no secret
