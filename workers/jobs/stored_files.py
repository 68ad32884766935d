"""Reading a stored file part by part, so that nothing is held whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

__all__ = ["PART_BYTES", "FileReader", "file_parts"]

PART_BYTES: Final = 4 << 20
_SIGNED_SECONDS: Final = 900
_PARTS_PER_SIGNATURE: Final = 32


class FileReader(Protocol):
    """The part of `workers.gateway.Gateway` that reads files."""

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str: ...

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes: ...


async def file_parts(
    reader: FileReader, bucket_id: str, name: str, size: int, part: int = PART_BYTES
) -> AsyncIterator[bytes]:
    """The bytes of a file, `part` at a time. Its URL is signed anew before it can run out.

    Args:
        size: of the file, as registered; nothing is read of an empty one.

    Raises:
        GatewayError: see `Gateway.sign_file` and `Gateway.read_part`.
    """
    url = ""
    for number, start in enumerate(range(0, size, part)):
        if number % _PARTS_PER_SIGNATURE == 0:
            url = await reader.sign_file(bucket_id, name, _SIGNED_SECONDS)
        yield await reader.read_part(url, start, min(part, size - start), size)
