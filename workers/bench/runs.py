"""Runs drivers: starts them together, counts what they complete, and never waits for one that hangs."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workers.bench.systems import ROOT, System
from workers.embedded import processes
from workers.embedded.api import node_environment

__all__ = ["DriverError", "Run", "run_drivers"]

_CONNECT_SECONDS = 30.0
_ANSWER_SECONDS = 5.0


class DriverError(Exception):
    """A driver ended or fell silent before its time; the message has the end of what it said."""


@dataclass
class Run:
    """What came of one run.

    Attributes:
        jobs: completed ones.
        seconds: from the start to the last completion that committed.
        latencies: due to claimed, or per idle poll; milliseconds.
        is_capped: it was ended by its time limit.
    """

    jobs: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    is_capped: bool = False

    @property
    def rate(self) -> float:
        """Jobs per second."""
        return self.jobs / self.seconds if self.seconds > 0 else 0.0


_Inbox = queue.SimpleQueue[tuple[int, dict[str, Any]]]


class _Driver:
    """One driver process in a process group of its own."""

    def __init__(
        self, system: System, number: int, task: Mapping[str, Any], inbox: _Inbox, log: Path
    ) -> None:
        self._log = log
        environment = {**node_environment(), "PYTHONPATH": str(ROOT)}
        with log.open("wb") as errors:
            self._process = processes.spawn(
                system.command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        self._number = number
        self._reader = threading.Thread(target=self._read, args=(inbox,), daemon=True)
        self._reader.start()
        self.tell(task)

    def tell(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101  opened as a pipe above
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise DriverError(self.complaint()) from error

    def _read(self, inbox: _Inbox) -> None:
        assert self._process.stdout is not None  # noqa: S101  opened as a pipe above
        for line in self._process.stdout:
            inbox.put((self._number, json.loads(line)))
        inbox.put((self._number, {"ended": True}))

    def complaint(self) -> str:
        return f"a driver ended early: {self._log.read_text(errors='replace')[-800:] or 'it said nothing'}"

    def kill(self) -> None:
        """End the driver and whatever it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join(_ANSWER_SECONDS)
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(OSError):
                    stream.close()


def run_drivers(
    system: System, task: Mapping[str, Any], *, total: int, cap_seconds: float, log_dir: Path
) -> Run:
    """Run the drivers of a system until they completed `total` jobs or the time is over.

    Args:
        task: what each driver is told; see `drivers/protocol.py`.
        total: jobs that there are, or idle polls that are asked for.
        cap_seconds: hard limit from the start of the clock.
        log_dir: takes what the drivers write to standard error.

    Raises:
        DriverError: one ended early, or did not connect.
    """
    inbox: _Inbox = queue.SimpleQueue()
    drivers: list[_Driver] = []
    try:
        for number in range(system.processes):
            log = log_dir / f"{system.key}-{number}.log"
            drivers.append(_Driver(system, number, task, inbox, log))
        for _ in drivers:
            _expect("ready", inbox, drivers, time.monotonic() + _CONNECT_SECONDS)
        start = time.time() * 1000
        for driver in drivers:
            driver.tell({"go": True})
        run = _count(inbox, drivers, total, start, time.monotonic() + cap_seconds)
        for driver in drivers:
            driver.tell({"stop": True})
        if task["mode"] in ("latency", "idle") and run.jobs:
            for _ in drivers:
                _, message = _expect("latencies", inbox, drivers, time.monotonic() + _ANSWER_SECONDS)
                run.latencies += message["latencies"]
        return run
    finally:
        for driver in drivers:
            driver.kill()


def _count(inbox: _Inbox, drivers: list[_Driver], total: int, start: float, give_up: float) -> Run:
    counts = [0] * len(drivers)
    begun: list[float] = []
    last = start
    run = Run()
    while run.jobs < total and not run.is_capped:
        try:
            number, message = inbox.get(timeout=max(0.0, give_up - time.monotonic()))
        except queue.Empty:
            run.is_capped = True
            last = time.time() * 1000
            continue
        if message.get("ended"):
            raise DriverError(drivers[number].complaint())
        if "began" in message:
            begun.append(message["began"])
        if "count" in message:
            counts[number] = message["count"]
            run.jobs = sum(counts)
            last = max(last, message["at"])
    run.seconds = (last - min(begun, default=start)) / 1000
    return run


def _expect(key: str, inbox: _Inbox, drivers: list[_Driver], give_up: float) -> tuple[int, dict[str, Any]]:
    while True:
        try:
            number, message = inbox.get(timeout=max(0.0, give_up - time.monotonic()))
        except queue.Empty as error:
            raise DriverError(f"a driver did not answer with {key!r} in time") from error
        if key in message:
            return number, message
        if message.get("ended"):
            raise DriverError(drivers[number].complaint())
