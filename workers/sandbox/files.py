"""What the bytes of an upload are, judged by their first bytes alone."""

from __future__ import annotations

import struct


def sniff(data: bytes) -> str:
    """Media type of JPEG, PNG, GIF, WebP, MP4/QuickTime, WebM, or an empty string."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm"
    if data[4:8] == b"ftyp":
        return "video/quicktime" if data[8:10] == b"qt" else "video/mp4"
    return ""


def image_size(data: bytes) -> tuple[int, int]:
    """Width and height in pixels of a PNG, GIF, WebP or JPEG; zeros when unknown."""
    kind = sniff(data)
    if kind == "image/png" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if kind == "image/gif" and len(data) >= 10:
        width, height = struct.unpack("<HH", data[6:10])
        return width, height
    if kind == "image/webp":
        return _webp_size(data)
    return _jpeg_size(data) if kind == "image/jpeg" else (0, 0)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position = 2
    while position + 9 <= len(data) and data[position] == 0xFF:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[position + 5 : position + 9])
            return width, height
        position += 2 + length
    return 0, 0


def is_multi_picture(data: bytes) -> bool:
    """Whether a JPEG is of the extended kinds (MPO, JPS): an APP2 segment `MPF` or an APP3 segment `_JPSJPS_`."""
    position = 2
    while position + 12 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xDA:
        if data[position + 4 : position + 8] in (b"MPF\0", b"_JPS"):
            return True
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: the canvas of `VP8X`, else the frame of `VP8 ` or `VP8L`."""
    kind = data[12:16]
    if kind == b"VP8X" and len(data) >= 30:
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8 " and len(data) >= 30:
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and len(data) >= 25:
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return 0, 0
