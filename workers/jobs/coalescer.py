"""Many small calls to the database made one: items that come within a few milliseconds share a round trip.

Single calls are bound by commits, batches are not (measured: a hundred rows a call move twenty times as many
rows).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar
from uuid import UUID

from workers.errors import DatabaseBusyError, DatabaseError

__all__ = ["Coalescer"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")

WINDOW_SECONDS: Final = 0.003
MOST_ITEMS: Final = 500
MOST_CALLS: Final = 4
"""Calls under way at once. When they are, items gather: the batches grow with the load by themselves."""


class Coalescer(Generic[_In, _Out]):
    """Gathers items per worker id and hands them on in batches.

    Args:
        call: does the round trip: (worker id, items) to one result per item, in the same order.
        window: how long the first item of a batch waits for others, in seconds.
        is_split_on_refusal: when the database refuses a batch, find out which item it was by halving, so that
            one bad item does not keep the others from being reported. For calls that a second execution does
            not harm.
    """

    def __init__(
        self,
        call: Callable[[UUID, Sequence[_In]], Awaitable[Sequence[_Out]]],
        *,
        window: float = WINDOW_SECONDS,
        is_split_on_refusal: bool = False,
    ) -> None:
        self._call = call
        self._window = window
        self._is_split = is_split_on_refusal
        self._waiting: dict[UUID, list[tuple[_In, asyncio.Future[_Out]]]] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def submit(self, worker_id: UUID, item: _In) -> _Out:
        """Hand over one item and wait for its result.

        Raises: what the round trip raised.
        """
        future: asyncio.Future[_Out] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(worker_id, [])
        waiting.append((item, future))
        if len(waiting) >= MOST_ITEMS:
            self._flush(worker_id)
        elif worker_id not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[worker_id] = loop.call_later(self._window, self._flush, worker_id)
        return await future

    def _flush(self, worker_id: UUID) -> None:
        timer = self._timers.pop(worker_id, None)
        if timer is not None:
            timer.cancel()
        if len(self._calls) >= MOST_CALLS:
            return  # the next call that ends takes them along
        batch = self._waiting.get(worker_id, [])[:MOST_ITEMS]
        if not batch:
            self._waiting.pop(worker_id, None)
            return
        del self._waiting[worker_id][:MOST_ITEMS]
        task = asyncio.create_task(self._deliver(worker_id, batch))
        self._calls.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._calls.discard(task)
        for worker_id in list(self._waiting):
            if worker_id not in self._timers:
                self._flush(worker_id)

    async def _deliver(self, worker_id: UUID, batch: list[tuple[_In, asyncio.Future[_Out]]]) -> None:
        try:
            results = await self._call(worker_id, [item for item, _ in batch])
        except BaseException as error:  # noqa: BLE001  handed to every waiter, which raises it
            is_refusal = isinstance(error, DatabaseError) and not isinstance(error, DatabaseBusyError)
            if self._is_split and is_refusal and len(batch) > 1:
                middle = len(batch) // 2
                await self._deliver(worker_id, batch[:middle])
                await self._deliver(worker_id, batch[middle:])
                return
            for _, future in batch:
                if not future.done():
                    if isinstance(error, asyncio.CancelledError):
                        future.cancel()
                    else:
                        future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
