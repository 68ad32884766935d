"""What is inside a backup: parts of unknown length, one after the other, so that everything can be streamed.

A frame is its kind (1 byte), its length (4 bytes) and its body. `M` begins a part and says in JSON what it is; `D` is
data of it; `E` ends it, with size and SHA-256 of its data, or with the reason why it is not whole; `Z` ends the
contents with totals. The first part is the manifest.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["ContentsError", "Frame", "PartWriter", "end_of_contents", "read_frames"]

_HEAD: Final = struct.Struct(">cI")
_LIMIT: Final = 16 << 20


class ContentsError(Exception):
    """The contents of a backup are not as they say. Never shows any of it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, read.

    Attributes:
        kind: `M`, `D`, `E` or `Z`.
        data: the body of a `D`.
        says: the JSON of the others.
    """

    kind: str
    data: bytes = b""
    says: Mapping[str, Any] = field(default_factory=dict)


class PartWriter:
    """Writes the frames of one part."""

    def __init__(self, kind: str, **says: Any) -> None:
        self.begin: Final = _frame(b"M", {"kind": kind, **says})
        self._hash = hashlib.sha256()
        self.size = 0

    def data(self, block: bytes) -> bytes:
        """A frame of data, at most 16 MiB."""
        self._hash.update(block)
        self.size += len(block)
        return _HEAD.pack(b"D", len(block)) + block

    def end(self, omitted: str | None = None) -> bytes:
        """The end of the part. omitted: why it is not whole; then it does not count."""
        if omitted is not None:
            return _frame(b"E", {"omitted": omitted})
        return _frame(b"E", {"size": self.size, "sha256": self._hash.hexdigest()})


def end_of_contents(**totals: Any) -> bytes:
    """The last frame."""
    return _frame(b"Z", totals)


def _frame(kind: bytes, says: Mapping[str, Any]) -> bytes:
    body = json.dumps(says, ensure_ascii=False).encode()
    return _HEAD.pack(kind, len(body)) + body


def read_frames(chunks: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of a backup, checked: each part is as long as it says and has the SHA-256 that it says.

    Raises:
        ContentsError: it is not so, or the end is missing.
    """
    hasher, size, is_open = hashlib.sha256(), 0, False
    for kind, body in _split(chunks):
        if kind == b"D":
            if not is_open:
                raise ContentsError("data that belongs to no part")
            hasher.update(body)
            size += len(body)
            yield Frame("D", body)
            continue
        says = json.loads(body)
        if kind == b"M" and not is_open:
            hasher, size, is_open = hashlib.sha256(), 0, True
        elif kind == b"E" and is_open:
            is_open = False
            if "omitted" not in says and (says["size"], says["sha256"]) != (size, hasher.hexdigest()):
                raise ContentsError("a part is not what it was when it was read")
        elif kind != b"Z" or is_open:
            raise ContentsError("the parts are not in order")
        yield Frame(kind.decode("ascii"), says=says)
        if kind == b"Z":
            return
    raise ContentsError("the end is missing")


def _split(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    buffer = bytearray()
    for chunk in chunks:
        buffer += chunk
        position = 0
        while len(buffer) - position >= _HEAD.size:
            kind, length = _HEAD.unpack_from(buffer, position)
            if length > _LIMIT or kind not in (b"M", b"D", b"E", b"Z"):
                raise ContentsError("this is not the inside of a backup")
            if len(buffer) - position < _HEAD.size + length:
                break
            start = position + _HEAD.size
            yield kind, bytes(buffer[start : start + length])
            position = start + length
        del buffer[:position]
    if buffer:
        raise ContentsError("the end is missing")
