"""How the bench talks to a driver: JSON lines on standard input and output.

    in   {url, mode: "prepare" | "drain" | "latency" | "idle", connections, …}   the task
    out  {"ready": true}                                                         connected
    in   {"go": true}                                                            the clock runs
    out  {"began": ms}                                                           optional: the clock runs from here
    out  {"count": n, "at": ms}                                                  so many jobs are completed since then
    in   {"stop": true}                                                          all of them are
    out  {"latencies": [ms, …]}                                                  due to claimed, or per idle poll

A driver whose input ends has lost its parent and ends as well. `supabase/local/bench/protocol.mjs` is the
same for Node.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

__all__ = ["Counter", "Work", "main", "now"]

_FLUSH_SECONDS = 0.002


def now() -> float:
    """Milliseconds since 1970."""
    return time.time() * 1000


class Counter:
    """Counts completed jobs and tells the parent, at most every few milliseconds."""

    def __init__(self) -> None:
        self._count = 0
        self._at = 0.0
        self._is_waiting = False

    def add(self, jobs: int) -> None:
        """Note `jobs` more completed ones: their completion has committed just now."""
        self._count += jobs
        self._at = now()
        if not self._is_waiting:
            self._is_waiting = True
            asyncio.get_running_loop().call_later(_FLUSH_SECONDS, self._flush)

    def _flush(self) -> None:
        self._is_waiting = False
        _send({"count": self._count, "at": self._at})


class Work(Protocol):
    """What a driver does with a task."""

    latencies: list[float]

    async def connect(self) -> None:
        """Get ready; the clock does not run yet."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; returning earlier is fine."""


def main(build: Callable[[dict[str, Any], Counter], Work]) -> None:
    """Run a driver to its end."""
    runner: Callable[[Awaitable[None]], None] = asyncio.run  # type: ignore[assignment]
    try:
        import uvloop
    except ImportError:  # pragma: no cover  not on every platform
        pass
    else:
        runner = uvloop.run
    runner(_main(build))


async def _main(build: Callable[[dict[str, Any], Counter], Work]) -> None:
    try:
        await _obey(build)
    except BaseException:  # noqa: BLE001  said on standard error; a thread that reads would keep us alive
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)  # connections are closed by the kernel; nothing of value is left


async def _obey(build: Callable[[dict[str, Any], Counter], Work]) -> None:
    task = await _receive()
    work = build(task, Counter())
    await work.connect()
    _send({"ready": True})
    await _receive()
    stop = asyncio.Event()
    working = asyncio.create_task(work.run(stop))
    stopping = asyncio.create_task(_receive())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        working.result()  # an error ends the driver, and with it the run
        await stopping
    stop.set()
    if work.latencies:
        _send({"latencies": work.latencies})


async def _receive() -> dict[str, Any]:
    line = await asyncio.to_thread(sys.stdin.readline)
    if not line:
        os._exit(1)
    message: dict[str, Any] = json.loads(line)
    return message


def _send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()
