"""Where backups lie: a folder of this machine (a mounted volume), or the private bucket `backups`.

A file is there as a whole or not at all. In a folder it is written under another name, forced to disk, and renamed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from workers.gateway import BACKUPS_BUCKET, ListedFile
from workers.jobs.stored_files import PART_BYTES, FileReader, file_parts

__all__ = ["BUCKET", "Bucket", "BucketPlace", "FolderPlace", "Place", "place_at"]

BUCKET: Final = "bucket"
_PARTIAL: Final = ".partial"
_PARTIAL_SECONDS: Final = 2 * 86_400
_TYPE: Final = "application/octet-stream"


class Place(Protocol):
    """Where backups lie. Names are relative, with `/` between folder and file."""

    @property
    def location(self) -> str:
        """How the list of backups calls it."""
        ...

    async def store(self, name: str, content: AsyncIterator[bytes]) -> None:
        """Write a file; one of that name is replaced. If `content` raises, nothing is there."""
        ...

    async def files(self, folder: str) -> list[ListedFile]:
        """What lies in a folder of it ("" for itself)."""
        ...

    async def remove(self, names: Sequence[str]) -> None:
        """Remove files; one that is not there is no error."""
        ...

    def read(self, name: str, size: int) -> AsyncIterator[bytes]:
        """A file, part by part."""
        ...


class Bucket(FileReader, Protocol):
    """The part of `workers.gateway.Gateway` that a bucket needs."""

    async def upload_file(
        self, bucket_id: str, name: str, content: AsyncIterator[bytes], mime_type: str
    ) -> None: ...

    async def list_bucket(self, bucket_id: str, folder: str) -> list[ListedFile]: ...

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None: ...


class FolderPlace:
    """A folder. What was being written when the power went lies there as `*.partial` and is removed later."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def location(self) -> str:
        """See `Place.location`."""
        return str(self._folder)

    async def store(self, name: str, content: AsyncIterator[bytes]) -> None:
        """See `Place.store`."""
        target = self._folder / name
        partial = target.with_name(f"{target.name}.{secrets.token_hex(4)}{_PARTIAL}")
        await asyncio.to_thread(_tidy, target.parent)
        descriptor = await asyncio.to_thread(os.open, partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            async for block in content:
                await asyncio.to_thread(_write_all, descriptor, block)
            await asyncio.to_thread(os.fsync, descriptor)
        except BaseException:
            os.close(descriptor)
            partial.unlink(missing_ok=True)
            raise
        os.close(descriptor)
        await asyncio.to_thread(_publish, partial, target)

    async def files(self, folder: str) -> list[ListedFile]:
        """See `Place.files`."""
        return await asyncio.to_thread(self._list, folder)

    def _list(self, folder: str) -> list[ListedFile]:
        where = self._folder / folder
        if not where.is_dir():
            return []
        found = [path for path in sorted(where.iterdir()) if path.is_file() and path.suffix != _PARTIAL]
        return [ListedFile(path.name, path.stat().st_size) for path in found]

    async def remove(self, names: Sequence[str]) -> None:
        """See `Place.remove`."""
        for name in names:
            await asyncio.to_thread((self._folder / name).unlink, missing_ok=True)

    async def read(self, name: str, size: int) -> AsyncIterator[bytes]:
        """See `Place.read`."""
        with (self._folder / name).open("rb") as file:
            while block := await asyncio.to_thread(file.read, PART_BYTES):
                yield block


class BucketPlace:
    """Bucket `backups` of the project: storage shows a file when it has all of it."""

    location = BUCKET

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    async def store(self, name: str, content: AsyncIterator[bytes]) -> None:
        """See `Place.store`."""
        await self._bucket.upload_file(BACKUPS_BUCKET, name, content, _TYPE)

    async def files(self, folder: str) -> list[ListedFile]:
        """See `Place.files`."""
        return await self._bucket.list_bucket(BACKUPS_BUCKET, folder)

    async def remove(self, names: Sequence[str]) -> None:
        """See `Place.remove`."""
        if names:
            await self._bucket.remove_files(BACKUPS_BUCKET, names)

    async def read(self, name: str, size: int) -> AsyncIterator[bytes]:
        """See `Place.read`."""
        async for part in file_parts(self._bucket, BACKUPS_BUCKET, name, size):
            yield part


def place_at(where: str, bucket: Bucket) -> Place:
    """The place that NEXORA_BACKUP_TO or `--to` names."""
    return BucketPlace(bucket) if where == BUCKET else FolderPlace(Path(where).resolve())


def _tidy(folder: Path) -> None:
    """Makes the folder, and removes what somebody began to write two days ago and never ended."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in folder.glob(f"*{_PARTIAL}"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - _PARTIAL_SECONDS:
                path.unlink()


def _write_all(descriptor: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(descriptor, view) :]


def _publish(partial: Path, target: Path) -> None:
    """After a power cut either the old state is there or the new one, which is on disk."""
    partial.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
