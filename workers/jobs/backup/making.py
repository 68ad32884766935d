"""Makes a backup, reports it, and removes those that have reached their term."""

from __future__ import annotations

import contextlib
import hashlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import UUID

from workers.errors import FileChangedError, FileMissingError, GatewayError, NexoraError
from workers.gateway import BackupFile, BackupTask, ListedFile
from workers.jobs.backup.contents import PartWriter, end_of_contents
from workers.jobs.backup.dump import DumpError, dump
from workers.jobs.backup.places import Bucket, Place
from workers.jobs.backup.tombstones import TombstoneGateway, copy_tombstones
from workers.jobs.stored_files import file_parts
from workers.logs import get_logger
from workers.vault import StreamSealer, Vault

__all__ = [
    "BackupGateway",
    "BackupSource",
    "MadeBackup",
    "keep_tombstones",
    "make_backup",
    "purge_backups",
    "run_backups",
]

_PAGE: Final = 500

_log = get_logger(__name__)


class BackupGateway(TombstoneGateway, Bucket, Protocol):
    """The part of `workers.gateway.Gateway` that backups use."""

    async def begin_backup(
        self, backup_id: UUID, location: str, key_id: str, worker_id: UUID | None = None
    ) -> BackupTask | None: ...

    async def list_backup_files(self, after: tuple[str, str], limit: int) -> list[BackupFile]: ...

    async def finish_backup(
        self, backup_id: UUID, *, size_bytes: int, sha256: str, key_id: str, files: int, omitted: int
    ) -> bool: ...

    async def drop_backup(self, backup_id: UUID) -> None: ...

    async def reconcile_backups(self, location: str, files: Sequence[ListedFile]) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class BackupSource:
    """What is backed up.

    Attributes:
        database_url: of the owner of the database.
        migrations: folder of the migrations that built it.
        commit: the sources that make the backup.
    """

    database_url: str
    migrations: Path
    commit: str = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeBackup:
    """A backup that is whole where it belongs."""

    backup_id: UUID
    file_name: str
    taken_at: datetime
    expires_at: datetime
    size_bytes: int
    files: int
    omitted: int
    seconds: float


class MigrationMissingError(NexoraError):
    """The database has a migration that this checkout does not know: the backup could not be restored from it."""

    code = "migration_missing"


Progress = Callable[[int, int], None]
"""Gets bytes written and files read so far."""


def _nothing(_bytes: int, _files: int) -> None:
    """Reports progress to nobody."""


async def run_backups(
    gateway: BackupGateway, vault: Vault, place: Place, source: BackupSource, worker_id: UUID
) -> bool:
    """What a worker does every few minutes: copy erasures, make the day's backup if nobody did, purge.

    Returns:
        Whether a backup was made. Failures are logged: the attestation sees a day without a backup.
    """
    made = None
    try:
        await copy_tombstones(gateway, vault, place)
        made = await make_backup(gateway, vault, place, source, worker_id=worker_id)
        if made is not None:
            await copy_tombstones(gateway, vault, place)
        await purge_backups(gateway, place)
    except (GatewayError, DumpError, MigrationMissingError) as error:
        _log.error("backup_failed", code=error.code)
    except OSError as error:
        _log.error("backup_failed", code=type(error).__name__)
    return made is not None


async def keep_tombstones(gateway: BackupGateway, vault: Vault, place: Place) -> None:
    """Copy erasures at once; what fails is logged, and made up for by `run_backups`."""
    try:
        await copy_tombstones(gateway, vault, place)
    except (GatewayError, OSError) as error:
        _log.warning("tombstones_not_copied", code=getattr(error, "code", type(error).__name__))


async def make_backup(
    gateway: BackupGateway,
    vault: Vault,
    place: Place,
    source: BackupSource,
    *,
    worker_id: UUID | None = None,
    progress: Progress = _nothing,
) -> MadeBackup | None:
    """Make one backup.

    Args:
        worker_id: of a worker; then only if the day has none yet.

    Returns:
        None when there was nothing to do.

    Raises:
        GatewayError, DumpError, MigrationMissingError, OSError: there is no backup, and no file that looks like one.
    """
    started, backup_id = time.monotonic(), uuid.uuid4()
    task = await gateway.begin_backup(backup_id, place.location, vault.primary_id, worker_id)
    if task is None:
        return None
    backup = _Backup(gateway, vault, source, backup_id, task, progress)
    try:
        await place.store(task.file_name, backup.stream())
    except BaseException:
        with contextlib.suppress(GatewayError):
            await gateway.drop_backup(backup_id)
        raise
    await gateway.finish_backup(
        backup_id,
        size_bytes=backup.size,
        sha256=backup.sha256,
        key_id=vault.primary_id,
        files=backup.files,
        omitted=backup.omitted,
    )
    made = MadeBackup(
        backup_id=backup_id,
        file_name=task.file_name,
        taken_at=task.taken_at,
        expires_at=task.expires_at,
        size_bytes=backup.size,
        files=backup.files,
        omitted=backup.omitted,
        seconds=time.monotonic() - started,
    )
    _log.info("backup_made", subject_id=backup_id, count=made.files, failed=made.omitted)
    return made


async def purge_backups(gateway: BackupGateway, place: Place) -> int:
    """Remove what has reached its term, and look that it is gone (P8.2).

    Returns:
        How many files went.
    """
    expired = await gateway.reconcile_backups(place.location, await place.files(""))
    await place.remove(expired)
    if expired:
        await gateway.reconcile_backups(place.location, await place.files(""))
        _log.info("backups_purged", count=len(expired))
    return len(expired)


class _Backup:
    """One backup in the making. `stream` can be read once."""

    def __init__(
        self,
        gateway: BackupGateway,
        vault: Vault,
        source: BackupSource,
        backup_id: UUID,
        task: BackupTask,
        progress: Progress,
    ) -> None:
        self._gateway = gateway
        self._source = source
        self._task = task
        self._progress = progress
        self._hash = hashlib.sha256()
        self.size = self.files = self.omitted = 0
        self._sealer = StreamSealer(
            vault,
            backup_id,
            {"taken_at": task.taken_at.isoformat(), "expires_at": task.expires_at.isoformat()},
        )

    @property
    def sha256(self) -> str:
        """Of the sealed file, in hex."""
        return self._hash.hexdigest()

    async def stream(self) -> AsyncIterator[bytes]:
        """The sealed file."""
        yield self._count(self._sealer.head)
        async for block in self._contents():
            for chunk in self._sealer.feed(block):
                yield self._count(chunk)
        yield self._count(self._sealer.finish())

    def _count(self, block: bytes) -> bytes:
        self._hash.update(block)
        self.size += len(block)
        self._progress(self.size, self.files)
        return block

    async def _contents(self) -> AsyncIterator[bytes]:
        migrations = self._migrations()
        manifest = PartWriter(
            "manifest",
            format=1,
            commit=self._source.commit,
            migrations=[path.name for path in migrations],
            excluded=list(self._task.excluded),
        )
        yield manifest.begin
        yield manifest.end()
        for path in migrations:
            part = PartWriter("migration", name=path.name)
            yield part.begin
            yield part.data(path.read_bytes())
            yield part.end()
        rows = PartWriter("rows", compression="gzip")
        yield rows.begin
        async for block in dump(self._source.database_url, self._task.excluded):
            yield rows.data(block)
        yield rows.end()
        async for block in self._stored_files():
            yield block
        yield end_of_contents(files=self.files, omitted=self.omitted)

    def _migrations(self) -> list[Path]:
        """Those that the database has, of this checkout; all of them where it does not say."""
        there = {path.name.partition("_")[0]: path for path in sorted(self._source.migrations.glob("*.sql"))}
        if self._task.migrations is None:
            return list(there.values())
        if not there.keys() >= set(self._task.migrations):
            raise MigrationMissingError("the database has a migration that this checkout does not have")
        return [there[version] for version in self._task.migrations]

    async def _stored_files(self) -> AsyncIterator[bytes]:
        after = ("", "")
        while page := await self._gateway.list_backup_files(after, _PAGE):
            for file in page:
                async for block in self._stored_file(file):
                    yield block
            after = (page[-1].bucket_id, page[-1].name)

    async def _stored_file(self, file: BackupFile) -> AsyncIterator[bytes]:
        part = PartWriter("file", **_described(file))
        yield part.begin
        omitted = None
        try:
            async for block in file_parts(self._gateway, file.bucket_id, file.name, file.size_bytes):
                yield part.data(block)
        except (FileMissingError, FileChangedError) as error:  # gone, or replaced, since the rows were read
            omitted = error.code
        self.files += omitted is None
        self.omitted += omitted is not None
        yield part.end(omitted)


def _described(file: BackupFile) -> Mapping[str, object]:
    return {
        "bucket_id": file.bucket_id,
        "name": file.name,
        "mime_type": file.mime_type,
        "owner_id": file.owner_id,
        "created_at": None if file.created_at is None else file.created_at.isoformat(),
    }
