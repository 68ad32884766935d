"""Runs a command as another user and ties its life to the process that started it.

    python -ISE guard.py PARENT_PID SIGNAL UID GID COMMAND...

A separate small program, because a `preexec_fn` is not safe in a process with threads, and because the kernel
forgets the death signal when a process changes its user: it has to be set after that, by the process itself.
UID and GID are -1 to stay who we are. Linux only; elsewhere the command simply runs.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    parent, signal_number, uid, gid = (int(value) for value in sys.argv[1:5])
    command = sys.argv[5:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above took effect
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606  there is no shell on purpose


if __name__ == "__main__":
    main()
