"""Drivers that hang, end early or leave children behind are no danger to a run."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from workers.bench.runs import DriverError, Run, run_drivers
from workers.bench.systems import System

SYSTEM = System(
    key="fake", label="fake", version="1", command=(), fill_sql="", big_tables=(), install=lambda _a, _b: None
)
HEAD = """
import json, os, subprocess, sys, time
def say(**message): print(json.dumps(message), flush=True)
task = json.loads(sys.stdin.readline())
say(ready=True)
sys.stdin.readline()
"""


def run(tmp_path: Path, body: str, *, cap: float = 10.0, processes: int = 1, mode: str = "drain") -> Run:
    """Run `body` as a driver."""
    script = tmp_path / "driver.py"
    script.write_text(HEAD + body)
    system = replace(SYSTEM, command=(sys.executable, str(script)), processes=processes)
    return run_drivers(system, {"mode": mode}, total=100, cap_seconds=cap, log_dir=tmp_path)


def test_counts_of_all_processes_are_added_up_to_the_last_completion(tmp_path: Path) -> None:
    body = "now = time.time() * 1000\nsay(count=50, at=now + 2000)\nsys.stdin.readline()"
    result = run(tmp_path, body, processes=2)
    assert result.jobs == 100
    assert not result.is_capped
    assert 2.0 <= result.seconds < 3.0


def test_the_clock_begins_where_a_driver_says_so(tmp_path: Path) -> None:
    body = (
        "now = time.time() * 1000\nsay(began=now + 4000)\nsay(count=100, at=now + 5000)\nsys.stdin.readline()"
    )
    assert run(tmp_path, body).seconds == pytest.approx(1.0)


def test_latencies_are_asked_for_at_the_end(tmp_path: Path) -> None:
    body = "say(count=100, at=time.time() * 1000)\nsys.stdin.readline()\nsay(latencies=[1.5, 2.5])"
    assert run(tmp_path, body, mode="latency").latencies == [1.5, 2.5]


def test_one_that_hangs_is_ended_by_its_limit_with_its_children(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    body = f"""
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open({str(pids)!r}, "w").write(json.dumps([os.getpid(), child.pid]))
say(count=40, at=time.time() * 1000)
time.sleep(600)
"""
    begin = time.monotonic()
    result = run(tmp_path, body, cap=1.0)
    assert time.monotonic() - begin < 60  # of 600
    assert (result.jobs, result.is_capped) == (40, True)
    assert result.seconds >= 1.0
    both = json.loads(pids.read_text())
    wait_until(lambda: not any(_is_alive(pid) for pid in both))  # a killed process takes a moment to go


def test_one_that_ends_early_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(DriverError, match="no such queue"):
        run(tmp_path, 'raise SystemExit("no such queue")')


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that waits to be collected does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state not in ("Z", "X")
