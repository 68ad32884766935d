"""Bytes in memory and on disk are the same bytes."""

from __future__ import annotations

import gc
import hashlib
import os
from pathlib import Path

import pytest

from workers.sandbox.spool import MEMORY, Spool


@pytest.mark.parametrize("size", [0, 1, MEMORY, MEMORY + 1, 3 * 1_048_576 + 7])
def test_what_is_written_is_read(size: int) -> None:
    data = os.urandom(size)
    spool = Spool()
    for start in range(0, size, 100_000):
        spool.write(data[start : start + 100_000])
    assert (spool.size, spool.sha256) == (size, hashlib.sha256(data).hexdigest())
    assert spool.read() == b"".join(spool.chunks()) == data
    assert spool.read(size // 2, 10) == data[size // 2 : size // 2 + 10]
    assert b"".join(spool.chunks(size // 3, size // 2)) == data[size // 3 : size // 2]
    joined = Spool(b"first")
    joined.extend(spool)
    assert joined.read() == b"first" + data


def _open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_nothing_is_left_on_the_disk() -> None:
    gc.collect()  # what earlier tests left
    before = _open()
    spool = Spool(bytes(MEMORY + 1))
    assert _open() == before + 1
    del spool
    gc.collect()
    assert _open() == before
