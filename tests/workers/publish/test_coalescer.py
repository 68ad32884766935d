"""Many small calls become few large ones, and each caller gets its own answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from workers.errors import DatabaseBusyError, DatabaseError, TransportError
from workers.jobs.coalescer import MOST_CALLS, MOST_ITEMS, Coalescer

pytestmark = pytest.mark.anyio

WORKER = uuid4()


async def test_items_that_come_together_share_a_call() -> None:
    calls: list[tuple[UUID, int]] = []

    async def call(worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        calls.append((worker_id, len(items)))
        return [item * 10 for item in items]

    coalescer: Coalescer[int, int] = Coalescer(call)
    other = uuid4()
    jobs = [coalescer.submit(WORKER, n) for n in range(50)] + [coalescer.submit(other, n) for n in range(5)]
    assert await asyncio.gather(*jobs) == [n * 10 for n in range(50)] + [n * 10 for n in range(5)]
    assert sorted(calls, key=lambda item: item[1]) == [(other, 5), (WORKER, 50)]


async def test_a_large_number_is_split_and_calls_are_bounded() -> None:
    at_once, most, sizes = 0, 0, []

    async def call(_worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        sizes.append(len(items))
        await asyncio.sleep(0.005)
        at_once -= 1
        return list(items)

    coalescer: Coalescer[int, int] = Coalescer(call)
    count = MOST_ITEMS * 7 + 3
    assert await asyncio.gather(*(coalescer.submit(WORKER, n) for n in range(count))) == list(range(count))
    assert max(sizes) <= MOST_ITEMS
    assert most <= MOST_CALLS


async def test_a_lone_item_waits_only_for_the_window() -> None:
    async def call(_worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        return list(items)

    coalescer: Coalescer[int, int] = Coalescer(call, window=0.001)
    async with asyncio.timeout(0.5):
        assert await coalescer.submit(WORKER, 1) == 1


@pytest.mark.parametrize("error", [TransportError("f", "x"), DatabaseBusyError("f", "40001")])
async def test_a_failed_call_fails_each_of_its_items(error: Exception) -> None:
    async def call(_worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        raise error

    coalescer: Coalescer[int, int] = Coalescer(call, is_split_on_refusal=True)
    results = await asyncio.gather(*(coalescer.submit(WORKER, n) for n in range(3)), return_exceptions=True)
    assert results == [error] * 3


async def test_a_refused_item_is_found_by_halving() -> None:
    calls = 0

    async def call(_worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        if 13 in items:
            raise DatabaseError("f", "23514")
        return list(items)

    coalescer: Coalescer[int, int] = Coalescer(call, is_split_on_refusal=True)
    results = await asyncio.gather(*(coalescer.submit(WORKER, n) for n in range(64)), return_exceptions=True)
    assert [n for n, result in enumerate(results) if isinstance(result, DatabaseError)] == [13]
    assert calls <= 13


async def test_a_caller_that_left_does_not_disturb_the_others() -> None:
    async def call(_worker_id: UUID, items: Sequence[int]) -> Sequence[int]:
        await asyncio.sleep(0.01)
        return list(items)

    coalescer: Coalescer[int, int] = Coalescer(call)
    leaving = asyncio.create_task(coalescer.submit(WORKER, 1))
    staying = asyncio.create_task(coalescer.submit(WORKER, 2))
    await asyncio.sleep(0.005)
    leaving.cancel()
    assert await staying == 2
