"""Makes the archives of exports, and removes them when their time has come (P7.4).

The database takes the snapshot; here it is read chunk by chunk, zipped, and streamed into the private bucket,
together with the stored files, part by part. Killed at any point, the next attempt takes a new snapshot and
writes the same file again.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from typing import Final, Protocol
from uuid import UUID

from workers.errors import FileMissingError, GatewayError, NexoraError, RuleError
from workers.gateway import EXPORTS_BUCKET, ClaimedJob, ExportDocument, ExportTask, JobResult
from workers.jobs.archive import ArchiveError, ArchiveWriter
from workers.jobs.stored_files import FileReader, file_parts
from workers.logs import get_logger

__all__ = ["LANE", "ExportGateway", "run_exports"]

LANE: Final = "export"
MOST_ATTEMPTS: Final = 5
_PROGRESS_SECONDS: Final = 2.0
_LEASE_GONE: Final = "NX916"

_log = get_logger(__name__)


class ExportGateway(FileReader, Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]: ...

    async def begin_export(self, worker_id: UUID, export_id: UUID, attempt: int) -> ExportTask: ...

    async def read_export_chunk(
        self, worker_id: UUID, export_id: UUID, attempt: int, area: str, position: int
    ) -> str: ...

    async def note_export(
        self, worker_id: UUID, export_id: UUID, attempt: int, rows: int, files: int
    ) -> bool: ...

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
    ) -> bool: ...

    async def forget_export(self, worker_id: UUID, export_id: UUID, attempt: int) -> None: ...

    async def upload_archive(self, object_name: str, content: AsyncIterator[bytes]) -> None: ...

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None: ...

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None: ...


class _NotWantedError(NexoraError):
    """The person has cancelled meanwhile, or is gone."""

    code = "not_wanted"


async def run_exports(gateway: ExportGateway, worker_id: UUID, limit: int) -> int:
    """Carry out what is due, one export after the other.

    Args:
        gateway: the database and the files.
        worker_id: a live id of this process.
        limit: most exports to take.

    Returns:
        How many were taken.

    Raises:
        GatewayError: when claiming or reporting fails; an export that fails is a result, not an error.
    """
    claims = await gateway.claim_jobs(worker_id, LANE, limit)
    for claim in claims:
        result = await _Export(gateway, worker_id, claim).run()
        await gateway.finish_jobs(worker_id, [result])
    return len(claims)


class _Export:
    """One leased export. It is the source of its own archive."""

    def __init__(self, gateway: ExportGateway, worker_id: UUID, claim: ClaimedJob) -> None:
        self._gateway = gateway
        self._lease = (worker_id, claim.subject_id, claim.attempt)
        self._claim = claim
        self._noted = time.monotonic()

    async def run(self) -> JobResult:
        try:
            task = await self._gateway.begin_export(*self._lease)
            if task.document is not None:
                return await self._build(task.document)
            if task.task == "remove":
                if task.files:
                    await self._gateway.remove_files(EXPORTS_BUCKET, task.files)
                await self._gateway.forget_export(*self._lease)
            return self._result("done", task.task)
        except (GatewayError, ArchiveError) as error:
            return await self._failed(error)

    async def _build(self, document: ExportDocument) -> JobResult:
        archive = ArchiveWriter(document, self)
        try:
            await self._gateway.upload_archive(document.object_name, archive.stream())
            is_wanted = await self._gateway.finish_export(
                *self._lease,
                size_bytes=archive.size_bytes,
                sha256=archive.sha256,
                omissions=len(archive.missing),
            )
        except _NotWantedError:
            is_wanted = False
        except RuleError as error:
            if error.code != _LEASE_GONE:
                raise
            is_wanted = False
        if not is_wanted:  # the person, the lease or the wish is gone: nothing of it may stay
            await self._gateway.remove_files(EXPORTS_BUCKET, [document.object_name])
            return self._result("done", "not_wanted")
        return self._result("done", "built")

    async def _failed(self, error: GatewayError | ArchiveError) -> JobResult:
        _log.warning("export_failed", subject_id=self._claim.subject_id, code=error.code)
        if self._claim.attempt < MOST_ATTEMPTS:
            return self._result("retry", error.code)
        await self._gateway.finish_export(*self._lease, code=error.code)
        return self._result("done", "given_up")

    def _result(self, outcome: str, code: str) -> JobResult:
        return JobResult(LANE, self._claim.subject_id, self._claim.attempt, outcome, code)  # type: ignore[arg-type]

    # --- source of the archive -----------------------------------------------------------------------------

    async def chunk(self, area: str, position: int) -> str:
        """See `ArchiveSource.chunk`."""
        return await self._gateway.read_export_chunk(*self._lease, area, position)

    async def file(self, bucket_id: str, name: str, size: int, part: int) -> AsyncIterator[bytes]:
        """See `ArchiveSource.file`."""
        has_begun = False
        try:
            async for content in file_parts(self._gateway, bucket_id, name, size, part):
                has_begun = True
                yield content
                await self._stay_wanted()
        except GatewayError:
            if has_begun or self._claim.attempt < MOST_ATTEMPTS:
                raise
            # One file that storage cannot give must not keep the person from all the rest.
            raise FileMissingError("read_part") from None

    async def progress(self, rows: int, files: int) -> None:
        """See `ArchiveSource.progress`."""
        self._done = (rows, files)
        await self._stay_wanted()

    _done: tuple[int, int] = (0, 0)

    async def _stay_wanted(self) -> None:
        if time.monotonic() - self._noted < _PROGRESS_SECONDS:
            return
        self._noted = time.monotonic()
        if not await self._gateway.note_export(*self._lease, *self._done):
            raise _NotWantedError
