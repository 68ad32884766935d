"""Files of a post as the publishers see them: read part by part from the private bucket."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol

from workers.errors import FileChangedError, FileMissingError, GatewayError, StorageError
from workers.gateway import ClaimedTarget, MediaItem
from workers.jobs.publishing.memory import MemoryBudget
from workers.providers.base import Media, NotAccepted, PublishStopped, Rejected

__all__ = ["FileGateway", "StoredFile", "media_of"]

_SIGNED_SECONDS: Final = 3600
_RENEW_BEFORE: Final = 600.0


class FileGateway(Protocol):
    """The part of `workers.gateway.Gateway` that reading files uses."""

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str: ...

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes: ...


class StoredFile:
    """One file of a post; see `providers.base.MediaFile`. For one task: parts are read one after the other.

    Args:
        gateway: the storage.
        item: the file as the database describes it.
        memory: accounts for the parts in use.
    """

    def __init__(self, gateway: FileGateway, item: MediaItem, memory: MemoryBudget) -> None:
        self._gateway = gateway
        self._item = item
        self._memory = memory
        self._url = ""
        self._url_until = 0.0

    @property
    def kind(self) -> str:
        return self._item.kind

    @property
    def mime_type(self) -> str:
        return self._item.mime_type

    @property
    def size_bytes(self) -> int:
        return self._item.size_bytes

    @property
    def alt_text(self) -> str | None:
        return self._item.alt_text

    @property
    def width(self) -> int | None:
        return self._item.width

    @property
    def height(self) -> int | None:
        return self._item.height

    @property
    def duration_ms(self) -> int | None:
        return self._item.duration_ms

    @contextlib.asynccontextmanager
    async def part(self, start: int, length: int) -> AsyncIterator[bytes]:
        if length > self._memory.limit:
            raise PublishStopped(
                Rejected("media_too_large", "The files of this post are too large to be published.")
            )
        async with self._memory.taken(length):
            content = await self._read(start, length)
            yield content

    async def _read(self, start: int, length: int) -> bytes:
        with _stopping():
            if time.monotonic() > self._url_until - _RENEW_BEFORE:
                asked_at = time.monotonic()
                self._url = await self._sign(_SIGNED_SECONDS)
                self._url_until = asked_at + _SIGNED_SECONDS
            return await self._gateway.read_part(self._url, start, length, self._item.size_bytes)

    async def url(self, seconds: int) -> str:
        with _stopping():
            return await self._sign(seconds)

    async def _sign(self, seconds: int) -> str:
        return await self._gateway.sign_file(self._item.bucket_id, self._item.object_name, seconds)


def media_of(claim: ClaimedTarget, gateway: FileGateway, memory: MemoryBudget) -> Media:
    """The files of a claimed target; nothing is read yet."""
    thumbnail = claim.thumbnail
    return Media(
        files=tuple(StoredFile(gateway, item, memory) for item in claim.media),
        thumbnail=None if thumbnail is None else StoredFile(gateway, thumbnail, memory),
    )


@contextlib.contextmanager
def _stopping() -> Iterator[None]:
    """Turn the storage's errors into outcomes."""
    try:
        yield
    except FileMissingError as error:
        raise PublishStopped(
            Rejected("media_missing", "A file of this post no longer exists. Add it again.")
        ) from error
    except FileChangedError as error:
        raise PublishStopped(
            Rejected("media_changed", "A file of this post has changed since it was added. Add it again.")
        ) from error
    except StorageError as error:
        raise PublishStopped(NotAccepted(error.code, retry_after=60.0)) from error
    except GatewayError as error:
        raise PublishStopped(NotAccepted(error.code)) from error
