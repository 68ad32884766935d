"""Small files that are what they say: JPEG, WebP and MP4 of any size, as far as their headers go."""

from __future__ import annotations

import struct


def jpeg(width: int = 1080, height: int = 1080, size: int = 0, *, is_multi_picture: bool = False) -> bytes:
    """A JPEG header of these pixels, filled up to `size` bytes. No decoder would show a picture."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"
    parts = [b"\xff\xd8", _segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")]
    if is_multi_picture:
        parts.append(_segment(0xE2, b"MPF\0" + bytes(8)))
    parts += [_segment(0xC0, frame), _segment(0xDA, b"\1\1\0\0\x3f\0")]
    body = b"".join(parts)
    return body + bytes(max(0, size - len(body) - 2)) + b"\xff\xd9"


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def webp(width: int = 1080, height: int = 1080) -> bytes:
    """The header of a lossy WebP."""
    frame = bytes(3) + b"\x9d\x01\x2a" + struct.pack("<HH", width, height)
    chunk = b"VP8 " + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def mp4(
    seconds: float = 10,
    width: int = 1080,
    height: int = 1920,
    fps: float = 30,
    size: int = 0,
    brand: bytes = b"isom",
) -> bytes:
    """An MP4 with one video track, its `moov` at the front, filled up to `size` bytes (at least a few hundred)."""
    scale = 1000
    units, frames = round(seconds * scale), round(seconds * fps)
    movie = _box("mvhd", bytes(12) + struct.pack(">II", scale, units) + bytes(80))
    track_header = _box("tkhd", bytes(76) + struct.pack(">II", width << 16, height << 16))
    media_header = _box("mdhd", bytes(12) + struct.pack(">II", scale, units) + bytes(4))
    handler = _box("hdlr", bytes(8) + b"vide" + bytes(13))
    times = _box("stts", bytes(4) + struct.pack(">III", 1, frames, round(scale / fps)))
    media = _box("mdia", media_header + handler + _box("minf", _box("stbl", times)))
    body = _box("ftyp", brand + bytes(4)) + _box("moov", movie + _box("trak", track_header + media))
    return body + _box("mdat", bytes(max(0, size - len(body) - 8)))


def _box(kind: str, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind.encode() + data
