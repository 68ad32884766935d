"""Exports: the snapshot of a person's data, read chunk by chunk, and the archive that is made of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import field
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import httpx
from pydantic import Field
from pydantic.dataclasses import dataclass

from workers import http
from workers.errors import NotSentError, StorageError, TransportError
from workers.gateway.answers import optional_scalar, scalar
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW

__all__ = ["EXPORTS_BUCKET", "ExportArea", "ExportCalls", "ExportDocument", "ExportTask", "Omission"]

EXPORTS_BUCKET: Final = "exports"
_STORED_SECONDS: Final = 300.0
"""How long storage may take to put a large upload together after its last byte."""


@dataclass(frozen=True, slots=True, config=ROW)
class ExportArea:
    """One area of a snapshot.

    Attributes:
        area: its name in the archive.
        place: schema and table that it comes from.
        columns, types: in the order of the table.
        rows, chunks: how many of each.
    """

    area: str
    place: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: int
    chunks: int


@dataclass(frozen=True, slots=True, config=ROW)
class Omission:
    """Something that is not in an archive, and why."""

    what: str = field(repr=False)
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ExportDocument:
    """A snapshot, as the manifest of the archive describes it."""

    export_id: UUID
    user_id: UUID
    requested_at: datetime
    snapshot_at: datetime
    catalogue_hash: str
    object_name: str = Field(repr=False)
    areas: tuple[ExportArea, ...]
    omissions: tuple[Omission, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ExportTask:
    """What a leased export needs.

    Attributes:
        task: `build` an archive of `document`; `remove` the files from bucket exports; `nothing`.
    """

    task: Literal["build", "remove", "nothing"]
    files: tuple[str, ...] | None = Field(default=None, repr=False)
    document: ExportDocument | None = None


class ExportCalls(Caller):
    """Exports."""

    async def begin_export(self, worker_id: UUID, export_id: UUID, attempt: int) -> ExportTask:
        """Take the snapshot of a leased export, or learn what else is to be done.

        Raises:
            RuleError: NX916, the lease is gone.

        Repeat: harmless, a snapshot replaces the one before.
        """
        return await self._row(
            ExportTask,
            "begin_export",
            {
                "p_worker_id": str(worker_id),
                "p_export_id": str(export_id),
                "p_attempt": attempt,
            },
            repeat=True,
        )

    async def read_export_chunk(
        self, worker_id: UUID, export_id: UUID, attempt: int, area: str, position: int
    ) -> str:
        """Lines of JSON, one row each, without a newline at the end.

        Raises:
            RuleError: NX916, the lease or the export is gone.

        Repeat: reads only.
        """
        arguments = {
            "p_worker_id": str(worker_id),
            "p_export_id": str(export_id),
            "p_attempt": attempt,
            "p_area": area,
            "p_position": position,
        }
        return scalar("read_export_chunk", str, await self._call("read_export_chunk", arguments, repeat=True))

    async def note_export(
        self, worker_id: UUID, export_id: UUID, attempt: int, rows: int, files: int
    ) -> bool:
        """Note progress. False: the export is not wanted any more. Repeat: harmless.

        Raises:
            RuleError: NX916, the lease is gone.
        """
        arguments = {
            "p_worker_id": str(worker_id),
            "p_export_id": str(export_id),
            "p_attempt": attempt,
            "p_rows": rows,
            "p_files": files,
        }
        return scalar("note_export", bool, await self._call("note_export", arguments, repeat=True))

    async def finish_export(
        self,
        worker_id: UUID,
        export_id: UUID,
        attempt: int,
        *,
        size_bytes: int = 0,
        sha256: str = "",
        omissions: int = 0,
        code: str | None = None,
    ) -> bool:
        """Report the archive that was uploaded, or, with `code`, that there will be none.

        Returns:
            False when it is not wanted any more: the file is to be removed.

        Raises:
            RuleError: NX916, the lease is gone; NX923, the file is not there with this size.

        Repeat: NOT after a lost answer; the next attempt sees what became of it.
        """
        arguments = {
            "p_worker_id": str(worker_id),
            "p_export_id": str(export_id),
            "p_attempt": attempt,
            "p_size_bytes": size_bytes,
            "p_sha256": sha256,
            "p_omissions": omissions,
            "p_code": code,
        }
        return scalar("finish_export", bool, await self._call("finish_export", arguments, repeat=False))

    async def forget_export(self, worker_id: UUID, export_id: UUID, attempt: int) -> None:
        """Report that the files are removed. Repeat: harmless."""
        await self._call(
            "forget_export",
            {
                "p_worker_id": str(worker_id),
                "p_export_id": str(export_id),
                "p_attempt": attempt,
            },
            repeat=True,
        )

    async def redeem_export(self, ticket_hash: str) -> str | None:
        """The name of the archive that a ticket of `open_export` is for; None: unknown, used or too late.

        Repeat: NOT after a lost answer (a ticket works once); the person clicks again.
        """
        data = await self._call("redeem_export", {"p_ticket_hash": ticket_hash}, repeat=False)
        return optional_scalar("redeem_export", str, data)

    async def upload_archive(self, object_name: str, content: AsyncIterator[bytes]) -> None:
        """Stream an archive into its bucket; nothing is held whole. One that is there is replaced.

        Raises:
            StorageError: refused.
            TransportError: the outcome is unknown. Not repeated: the content can be read once.
            Exception: whatever `content` raises; then nothing is stored.
        """
        url = f"{self._client.storage_url}object/{EXPORTS_BUCKET}/{object_name}"
        headers = {
            **self._client.options.headers,
            "Content-Type": "application/zip",
            "Cache-Control": "no-store",
            "x-upsert": "true",
        }
        usual = http.DATABASE
        timeout = httpx.Timeout(
            connect=usual.connect, read=_STORED_SECONDS, write=usual.write, pool=usual.pool
        )
        try:
            answer = await self._session.post(url, content=content, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("upload_archive", type(error).__name__) from None  # the cause holds the secret key
        if answer.status_code >= 500:
            raise TransportError("upload_archive", str(answer.status_code))
        if answer.status_code != httpx.codes.OK:
            raise StorageError("upload_archive", f"refused with {answer.status_code}")
