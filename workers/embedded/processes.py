"""Starts child processes that cannot outlive this one, not even when it is killed with SIGKILL.

The kernel sends the death signal of a child when the *thread* that started it ends. Children are therefore
started
by one thread of ours that lives as long as the process, and not by whichever thread happens to call.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

_GUARD = Path(__file__).with_name("guard.py")


@dataclass(frozen=True)
class User:
    """The operating system user that a child runs as; `None` in its place means the caller's own."""

    name: str
    uid: int
    gid: int


@cache
def _spawner() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="nexora-spawner")


def spawn(
    command: Sequence[str | Path],
    *,
    user: User | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    env: Mapping[str, str] | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = subprocess.DEVNULL,
    stderr: int | IO[bytes] | None = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Starts `command` (absolute path first) in its own session and returns at once.

    Ctrl-C on the terminal does not reach the child: it is for the parent to stop it. `death_signal` is what
    the child
    gets when the parent is gone.
    """
    guarded = guarded_command(command, user=user, death_signal=death_signal)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            guarded, env=env, stdin=stdin, stdout=stdout, stderr=stderr, cwd="/", start_new_session=True
        )

    return _spawner().submit(start).result()


def run(
    command: Sequence[str | Path], *, user: User | None = None, env: Mapping[str, str] | None = None
) -> None:
    """Runs `command` to its end.

    Raises:
        subprocess.CalledProcessError: it failed; `stderr` holds what it said.
    """
    guarded = guarded_command(command, user=user, death_signal=signal.SIGKILL)

    def start() -> None:
        subprocess.run(
            guarded, env=env, cwd="/", check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    _spawner().submit(start).result()


def guarded_command(
    command: Sequence[str | Path], *, user: User | None, death_signal: signal.Signals
) -> list[str]:
    uid, gid = (user.uid, user.gid) if user else (-1, -1)
    numbers = [str(os.getpid()), str(int(death_signal)), str(uid), str(gid)]
    return [sys.executable, "-ISE", str(_GUARD), *numbers, *(str(part) for part in command)]


def stop(process: subprocess.Popen[bytes], *, signal_number: signal.Signals, grace_seconds: float) -> None:
    """Asks a child to stop and kills it when it does not within `grace_seconds`. Does nothing when it has
    ended.
    """
    if process.poll() is not None:
        return
    process.send_signal(signal_number)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
