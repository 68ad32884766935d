"""Backups: the list of them, what goes into one, the bucket, and the copy of erasures."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final, Literal
from urllib.parse import quote
from uuid import UUID

import httpx
from pydantic import Field
from pydantic.dataclasses import dataclass

from workers import http
from workers.errors import NotSentError, StorageError, TransportError
from workers.gateway.answers import scalar, unwrapped
from workers.gateway.client import Caller, patiently
from workers.gateway.shapes import ROW, document

__all__ = ["BACKUPS_BUCKET", "BackupCalls", "BackupFile", "BackupTask", "ListedFile", "Tombstone"]

BACKUPS_BUCKET: Final = "backups"
_STORED_SECONDS: Final = 900.0
"""How long storage may take to put a large upload together after its last byte."""
_LISTED: Final = 1000


@dataclass(frozen=True, slots=True, config=ROW)
class BackupTask:
    """A backup that was begun.

    Attributes:
        taken_at, expires_at: from before its first byte, to when it is purged.
        file_name: what it is called where it lies.
        excluded: tables whose rows are left out, with their schema.
        migrations: versions that the database has; None when it does not say.
    """

    taken_at: datetime
    expires_at: datetime
    file_name: str
    excluded: tuple[str, ...]
    migrations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class BackupFile:
    """A stored file and what the database knows of it; name and owner are personal data."""

    bucket_id: str
    name: str = Field(repr=False)
    size_bytes: int
    mime_type: str | None
    owner_id: str | None = Field(repr=False)
    created_at: datetime | None


@dataclass(frozen=True, slots=True, config=ROW)
class ListedFile:
    """A file where backups lie."""

    name: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class Tombstone:
    """What has to be known outside the database of one erasure (P8.2).

    Attributes:
        state: `gone`: the copy is to be destroyed.
        tag_key, subject_tag: 32 bytes each, in hex; the tag is the HMAC-SHA-256 of the person's id under the key. None:
            a copy has the key already.
    """

    erasure_id: UUID
    state: Literal["requested", "completed", "cancelled", "gone"]
    tag_key: str | None = Field(repr=False)
    subject_tag: str = Field(repr=False)
    requested_at: datetime
    ended_at: datetime | None


class BackupCalls(Caller):
    """Backups."""

    async def begin_backup(
        self, backup_id: UUID, location: str, key_id: str, worker_id: UUID | None = None
    ) -> BackupTask | None:
        """Open a backup. With a worker: None when the day has one under this key, or somebody else is at it.

        Repeat: NOT after a lost answer: a row that may be there is dropped after two days, another id begins anew.
        """
        arguments = {
            "p_id": str(backup_id),
            "p_location": location,
            "p_key_id": key_id,
            "p_worker_id": None if worker_id is None else str(worker_id),
        }
        rows = await self._rows(BackupTask, "begin_backup", arguments, repeat=False)
        return rows[0] if rows else None

    async def list_backup_files(self, after: tuple[str, str], limit: int) -> list[BackupFile]:
        """The next stored files after (bucket, name), in that order. Repeat: reads only."""
        arguments = {"p_after_bucket": after[0], "p_after_name": after[1], "p_limit": limit}
        return await self._rows(BackupFile, "list_backup_files", arguments, repeat=True)

    async def finish_backup(
        self, backup_id: UUID, *, size_bytes: int, sha256: str, key_id: str, files: int, omitted: int
    ) -> bool:
        """Report a backup that is whole where it belongs. False: it was reported before. Repeat: harmless."""
        arguments = {
            "p_id": str(backup_id),
            "p_size_bytes": size_bytes,
            "p_sha256": sha256,
            "p_key_id": key_id,
            "p_file_count": files,
            "p_omitted_count": omitted,
        }
        return scalar("finish_backup", bool, await self._call("finish_backup", arguments, repeat=True))

    async def drop_backup(self, backup_id: UUID) -> None:
        """Forget a backup that was begun and left no file. Repeat: harmless."""
        await self._call("drop_backup", {"p_id": str(backup_id)}, repeat=True)

    async def reconcile_backups(self, location: str, files: Sequence[ListedFile]) -> list[str]:
        """Compare the list with what lies there; answers names of what has to go. Repeat: harmless."""
        arguments = {"p_location": location, "p_files": [document(file) for file in files]}
        data = await self._call("reconcile_backups", arguments, repeat=True)
        return [str(name) for name in unwrapped(data)]

    async def record_drill(
        self, backup_id: UUID, taken_at: datetime, *, rows: int, files: int, erased: int, code: str | None
    ) -> None:
        """Record a trial in which a backup was restored. code: why it failed. Repeat: NOT after a lost answer."""
        arguments = {
            "p_backup_id": str(backup_id),
            "p_taken_at": taken_at.isoformat(),
            "p_row_count": rows,
            "p_file_count": files,
            "p_erased_count": erased,
            "p_code": code,
        }
        await self._call("record_drill", arguments, repeat=False)

    async def pending_tombstones(self, limit: int) -> list[Tombstone]:
        """Erasures whose copy is not as it has to be. Repeat: reads only."""
        return await self._rows(Tombstone, "pending_tombstones", {"p_limit": limit}, repeat=True)

    async def confirm_tombstones(self, done: Sequence[Tombstone]) -> None:
        """Report copies that were written or destroyed. Repeat: harmless."""
        told = [{"erasure_id": str(one.erasure_id), "state": one.state} for one in done]
        await self._call("confirm_tombstones", {"p_done": told}, repeat=True)

    async def reconcile_tombstones(self, copied: Sequence[UUID]) -> int:
        """Compare with the copies that lie there; answers how many are missing for good. Repeat: harmless."""
        data = await self._call(
            "reconcile_tombstones", {"p_copied": [str(one) for one in copied]}, repeat=True
        )
        return scalar("reconcile_tombstones", int, data)

    async def upload_file(
        self, bucket_id: str, name: str, content: AsyncIterator[bytes], mime_type: str
    ) -> None:
        """Stream a file into a bucket; nothing is held whole. It is there as a whole or not at all.

        Raises:
            StorageError: refused.
            TransportError: the outcome is unknown. Not repeated: the content can be read once.
            Exception: whatever `content` raises; then nothing is stored.
        """
        headers = {**self._client.options.headers, "Content-Type": mime_type, "x-upsert": "true"}
        usual = http.DATABASE
        timeout = httpx.Timeout(
            connect=usual.connect, read=_STORED_SECONDS, write=usual.write, pool=usual.pool
        )
        url = f"{self._client.storage_url}object/{bucket_id}/{quote(name, safe='/')}"
        try:
            answer = await self._session.post(url, content=content, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("upload_file", type(error).__name__) from None  # the cause holds the secret key
        _require_ok("upload_file", answer)

    async def list_bucket(self, bucket_id: str, folder: str) -> list[ListedFile]:
        """What lies in a folder of a bucket, by name. Repeat: reads only."""
        found: list[ListedFile] = []
        while True:
            page = await patiently(self._list_once, bucket_id, folder, len(found), repeat=True)
            found += page
            if len(page) < _LISTED:
                return found

    async def _list_once(self, bucket_id: str, folder: str, offset: int) -> list[ListedFile]:
        body = {
            "prefix": folder,
            "limit": _LISTED,
            "offset": offset,
            "sortBy": {"column": "name", "order": "asc"},
        }
        try:
            answer = await self._session.post(
                f"{self._client.storage_url}object/list/{bucket_id}",
                json=body,
                headers=self._client.options.headers,
            )
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("list_bucket", type(error).__name__) from None
        _require_ok("list_bucket", answer)
        rows = answer.json()
        return [
            ListedFile(row["name"], int((row.get("metadata") or {}).get("size", 0)))
            for row in rows
            if row.get("id")  # folders have none
        ]


def _require_ok(function: str, answer: httpx.Response) -> None:
    if answer.status_code >= 500:
        raise TransportError(function, str(answer.status_code))
    if answer.status_code != httpx.codes.OK:
        raise StorageError(function, f"refused with {answer.status_code}")
