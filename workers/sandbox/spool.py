"""Bytes that came in: in memory while they are few, in an unnamed file on disk when they are many.

A sandbox takes uploads of gigabytes in a process of a few dozen megabytes, and still knows size and hash.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import weakref
from collections.abc import Iterator

MEMORY = 262_144  # bytes kept in memory; more goes to disk
CHUNK = 1_048_576


class Spool:
    """Bytes in order of arrival. The file has no name and is gone with the object.

    Attributes:
        size: bytes so far.
    """

    __slots__ = ("__weakref__", "_fd", "_hash", "_memory", "size")

    def __init__(self, data: bytes = b"") -> None:
        self.size = 0
        self._memory = bytearray()
        self._fd = -1
        self._hash = hashlib.sha256()
        self.write(data)

    def write(self, data: bytes) -> None:
        """Adds bytes at the end."""
        self._hash.update(data)
        if self._fd < 0 and self.size + len(data) <= MEMORY:
            self._memory += data
        else:
            if self._fd < 0:
                self._to_disk()
            _write_at(self._fd, data, self.size)
        self.size += len(data)

    def _to_disk(self) -> None:
        handle, name = tempfile.mkstemp(prefix="nexora-sandbox-")
        os.unlink(name)  # noqa: PTH108 -- the descriptor stays; nothing is left behind when the process dies
        weakref.finalize(self, os.close, handle)
        _write_at(handle, bytes(self._memory), 0)
        self._memory.clear()
        self._fd = handle

    def extend(self, other: Spool) -> None:
        """Adds another spool's bytes at the end."""
        for chunk in other.chunks():
            self.write(chunk)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start` on, at most `length` of them."""
        end = self.size if length is None else min(self.size, start + length)
        if self._fd < 0:
            return bytes(self._memory[start:end])
        parts: list[bytes] = []
        while start < end:
            part = os.pread(self._fd, end - start, start)
            if not part:
                break
            parts.append(part)
            start += len(part)
        return b"".join(parts)

    def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """All bytes, or those from `start` up to, but not including, `end`; a megabyte at a time."""
        end = self.size if end is None else min(end, self.size)
        for position in range(start, end, CHUNK):
            yield self.read(position, min(CHUNK, end - position))

    @property
    def sha256(self) -> str:
        """Hash of all bytes so far, in hex."""
        return self._hash.hexdigest()


def _write_at(handle: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(handle, view, offset)
        view, offset = view[written:], offset + written
