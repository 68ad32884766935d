"""What an MP4 or QuickTime file says about itself: duration, picture size and frame rate (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from workers.sandbox.spool import Spool

_MAX_TABLE = 4_194_304  # bytes of one table that is looked at


@dataclass(frozen=True, slots=True)
class Video:
    """Duration in milliseconds, size in pixels, frames per second; zeros where the file does not say."""

    duration_ms: int = 0
    width: int = 0
    height: int = 0
    fps: float = 0.0


def read(spool: Spool) -> Video | None:
    """The facts of the first video track, or None when this is no such file."""
    found = _find(spool, 0, spool.size, "moov")
    if found is None:
        return None
    header = _find(spool, *found, "mvhd")
    duration = _seconds(spool, header) if header else 0.0
    for kind, start, end in _boxes(spool, *found):
        if kind == "trak" and (track := _track(spool, start, end)) is not None:
            return Video(round(duration * 1000), *track)
    return Video(round(duration * 1000))


def _boxes(spool: Spool, start: int, end: int) -> Iterator[tuple[str, int, int]]:
    """Kind, first and last+1 byte of the content of every box of a range; stops at what is no box."""
    while start + 8 <= end:
        size, name = struct.unpack(">I4s", spool.read(start, 8))
        header = 8
        if size == 1:
            size, header = struct.unpack(">Q", spool.read(start + 8, 8).ljust(8, b"\0"))[0], 16
        size = end - start if size == 0 else size
        if size < header or start + size > end:
            return
        yield name.decode("latin-1"), start + header, start + size
        start += size


def _find(spool: Spool, start: int, end: int, *path: str) -> tuple[int, int] | None:
    for name in path:
        found = next((box for box in _boxes(spool, start, end) if box[0] == name), None)
        if found is None:
            return None
        _, start, end = found
    return start, end


def _seconds(spool: Spool, box: tuple[int, int]) -> float:
    """Duration of a `mvhd` or `mdhd` box."""
    data = spool.read(box[0], 32).ljust(32, b"\0")
    scale, units = struct.unpack(">IQ", data[20:32]) if data[0] == 1 else struct.unpack(">II", data[12:20])
    return units / scale if scale else 0.0


def _track(spool: Spool, start: int, end: int) -> tuple[int, int, float] | None:
    """Width, height and frame rate of a track; None when it shows no picture."""
    handler = _find(spool, start, end, "mdia", "hdlr")
    if handler is None or spool.read(handler[0] + 8, 4) != b"vide":
        return None
    width = height = 0
    if (header := _find(spool, start, end, "tkhd")) is not None:
        width, height = (n >> 16 for n in struct.unpack(">II", spool.read(header[1] - 8, 8)))
    media, times = (
        _find(spool, start, end, "mdia", "mdhd"),
        _find(spool, start, end, "mdia", "minf", "stbl", "stts"),
    )
    seconds = _seconds(spool, media) if media else 0.0
    return width, height, _frames(spool, times) / seconds if seconds and times else 0.0


def _frames(spool: Spool, box: tuple[int, int]) -> int:
    data = spool.read(box[0] + 8, min(box[1] - box[0] - 8, _MAX_TABLE))
    return sum(count for count, _ in struct.iter_unpack(">II", data[: len(data) // 8 * 8]))
