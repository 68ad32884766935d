"""Making a backup: whole or not there, read back as it was, purged when its time has come (P3.2, P8.2)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import uuid
import warnings
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from workers.cli.restoring import open_backup
from workers.errors import FileMissingError, TransportError
from workers.gateway import BackupFile, BackupTask, ListedFile, Tombstone
from workers.jobs.backup import (
    BackupSource,
    BucketPlace,
    ContentsError,
    DumpError,
    FolderPlace,
    Place,
    TombstoneError,
    connection,
    copy_tombstones,
    make_backup,
    making,
    purge_backups,
    read_frames,
    read_tombstones,
    run_backups,
)
from workers.vault import Keyring, StreamError, Vault

pytestmark = pytest.mark.anyio

VAULT = Vault(Keyring.generate())
AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
NAME = "nexora-20260329T013000Z-00000000-0000-4000-8000-000000000000.nxb"
ROWS = b"rows of the database" * 1000


class Database:
    """The gateway, in memory: files, the list of backups, tombstones, and a bucket."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.stored = files or {}
        self.is_due = True
        self.finished: list[dict[str, Any]] = []
        self.dropped: list[uuid.UUID] = []
        self.to_purge: list[str] = []
        self.tombstones: list[Tombstone] = []
        self.bucket: dict[str, bytes] = {}
        self.copied: list[list[uuid.UUID]] = []
        self.gone: set[str] = set()
        self.excluded: tuple[str, ...] = ("private.token_vault",)
        self.migrations: tuple[str, ...] | None = None

    async def begin_backup(
        self, backup_id: uuid.UUID, location: str, key_id: str, worker_id: uuid.UUID | None = None
    ) -> BackupTask | None:
        task = BackupTask(AT, AT + timedelta(days=35), NAME, self.excluded, self.migrations)
        return task if self.is_due or worker_id is None else None

    async def list_backup_files(self, after: tuple[str, str], limit: int) -> list[BackupFile]:
        return [
            BackupFile(
                bucket_id="media", name=name, size_bytes=len(data), mime_type="image/png", owner_id=None, created_at=AT
            )
            for name, data in sorted(self.stored.items())
            if ("media", name) > after
        ][:limit]  # fmt: skip

    async def finish_backup(self, backup_id: uuid.UUID, **said: Any) -> bool:
        self.finished.append(said)
        return True

    async def drop_backup(self, backup_id: uuid.UUID) -> None:
        self.dropped.append(backup_id)

    async def reconcile_backups(self, location: str, files: Sequence[ListedFile]) -> list[str]:
        listed = {file.name for file in files}
        return [name for name in self.to_purge if name in listed]

    async def pending_tombstones(self, limit: int) -> list[Tombstone]:
        return self.tombstones[:limit]

    async def confirm_tombstones(self, done: Sequence[Tombstone]) -> None:
        self.tombstones = [one for one in self.tombstones if one not in done]

    async def reconcile_tombstones(self, copied: Sequence[uuid.UUID]) -> int:
        self.copied.append(list(copied))
        return 0

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str:
        return object_name

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes:
        if url in self.gone:
            raise FileMissingError("read_part")
        return {**self.stored, **self.bucket}[url][start : start + length]

    async def upload_file(
        self, bucket_id: str, name: str, content: AsyncIterator[bytes], mime_type: str
    ) -> None:
        self.bucket[name] = b"".join([block async for block in content])

    async def list_bucket(self, bucket_id: str, folder: str) -> list[ListedFile]:
        return [
            ListedFile(name.rpartition("/")[2], len(data))
            for name, data in self.bucket.items()
            if name.rpartition("/")[0] == folder
        ]

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None:
        for name in names:
            self.bucket.pop(name, None)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BackupSource:
    """Two migrations, and rows without a database."""

    async def rows(_url: str, excluded: Sequence[str]) -> AsyncIterator[bytes]:
        assert "private.token_vault" in excluded  # P6.7
        yield ROWS

    monkeypatch.setattr(making, "dump", rows)
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    for version in ("1_first", "2_second"):
        (migrations / f"{version}.sql").write_text(f"select '{version}';")
    return BackupSource("postgresql://nobody@127.0.0.1/none", migrations)


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def rows(_url: str, _excluded: Sequence[str]) -> AsyncIterator[bytes]:
        yield ROWS
        raise error

    monkeypatch.setattr(making, "dump", rows)


@pytest.mark.parametrize("where", ["folder", "bucket"])
async def test_a_backup_holds_everything_and_is_reported_with_its_checksum(
    where: str, source: BackupSource, tmp_path: Path
) -> None:
    database = Database({"u/a.png": b"a" * 5_000_000, "u/b.png": b"", "u/c.png": b"c"})
    database.gone = {"u/c.png"}
    place: Place = FolderPlace(tmp_path / "to") if where == "folder" else BucketPlace(database)
    made = await make_backup(database, VAULT, place, source)
    assert made is not None
    assert (made.file_name, made.files, made.omitted) == (NAME, 2, 1)
    (listed,) = await place.files("")
    assert (listed.name, listed.size) == (NAME, made.size_bytes)
    path = tmp_path / "read.nxb"
    path.write_bytes(b"".join([block async for block in place.read(NAME, listed.size)]))
    backup = open_backup(VAULT, path, lambda _step, _count: None)
    assert database.finished == [
        {"size_bytes": made.size_bytes, "sha256": backup.sha256, "key_id": "k1", "files": 2, "omitted": 1}
    ]
    assert backup.taken_at == AT
    assert list(backup.migrations) == ["1_first.sql", "2_second.sql"]
    assert (backup.files, backup.omitted) == (2, 1)
    assert ROWS[:20] not in path.read_bytes()
    with pytest.raises(StreamError):
        open_backup(Vault(Keyring.generate()), path, lambda _step, _count: None)


async def test_what_fails_under_way_leaves_no_file_and_no_entry(
    source: BackupSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, place = Database(), FolderPlace(tmp_path / "to")
    failing(monkeypatch, DumpError("pg_dump", "the connection was lost"))
    with pytest.raises(DumpError):
        await make_backup(database, VAULT, place, source)
    assert not list((tmp_path / "to").iterdir())
    assert len(database.dropped) == 1
    assert not await run_backups(database, VAULT, place, source, uuid.uuid4())
    failing(monkeypatch, TransportError("read_part", "ReadTimeout"))
    assert not await run_backups(database, VAULT, BucketPlace(database), source, uuid.uuid4())
    assert database.finished == []


def test_killed_in_the_middle_nothing_looks_whole(tmp_path: Path) -> None:
    """kill -9 while it writes: what lies there has another name, and its chunk with the mark of the end is missing."""
    ready, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # of forking with threads; the child does next to nothing
        child = os.fork()
    if child == 0:
        os.close(ready)
        asyncio.run(FolderPlace(tmp_path).store(NAME, _endless(writing)))
    os.close(writing)
    assert os.read(ready, 1) == b"x"
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(ready)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(NAME)
    assert left.suffix == ".partial"


async def _endless(pipe: int) -> AsyncIterator[bytes]:
    yield b"x" * 100_000
    os.write(pipe, b"x")
    await asyncio.sleep(60)


async def test_a_worker_makes_one_when_the_day_has_none_and_removes_what_has_to_go(
    source: BackupSource, tmp_path: Path
) -> None:
    database, place = Database(), FolderPlace(tmp_path)
    old = NAME.replace("2026", "2025")
    for name, age in ((old, 0), ("left.partial", 172_900), ("busy.partial", 172_700), ("notes.txt", 172_900)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    database.to_purge = [old]
    assert await run_backups(database, VAULT, place, source, uuid.uuid4())
    assert {file.name for file in await place.files("")} == {NAME, "notes.txt"}
    assert [path.name for path in _partials(tmp_path)] == ["busy.partial"]
    database.is_due = False
    assert not await run_backups(database, VAULT, place, source, uuid.uuid4())
    assert await purge_backups(database, place) == 0


def _partials(folder: Path) -> list[Path]:
    return list(folder.glob("*.partial"))


async def test_a_checkout_that_is_older_than_the_database_makes_no_backup(
    source: BackupSource, tmp_path: Path
) -> None:
    database = Database()
    database.migrations = ("1", "3")
    with pytest.raises(making.MigrationMissingError):
        await make_backup(database, VAULT, FolderPlace(tmp_path / "to"), source)
    database.migrations = ("1",)
    assert await make_backup(database, VAULT, FolderPlace(tmp_path / "to"), source)
    assert list(open_backup(VAULT, tmp_path / "to" / NAME, lambda _step, _count: None).migrations) == [
        "1_first.sql"
    ]


ERASURE = uuid.UUID(int=7)


def _tombstone(state: Any) -> Tombstone:
    return Tombstone(
        erasure_id=ERASURE,
        state=state,
        tag_key="1" * 64,
        subject_tag="2" * 64,
        requested_at=AT,
        ended_at=None,
    )


async def test_erasures_are_copied_sealed_and_destroyed(tmp_path: Path) -> None:
    """P8.2."""
    database, place, folder = Database(), FolderPlace(tmp_path), tmp_path / "erasures"
    for state in ("requested", "completed"):
        database.tombstones = [_tombstone(state)]
        assert await copy_tombstones(database, VAULT, place) == 1
        assert database.tombstones == []
        (one,) = read_tombstones(VAULT, folder, datetime.now(UTC)).erasures
        assert (one["state"], one["tag_key"], one["requested_at"]) == (state, "1" * 64, AT.isoformat())
    await copy_tombstones(database, VAULT, place)
    assert database.copied == [[], [ERASURE], [ERASURE]]
    database.tombstones = [_tombstone("gone")]
    await copy_tombstones(database, VAULT, place)
    assert read_tombstones(VAULT, folder, datetime.now(UTC)).erasures == []


async def test_a_copy_of_erasures_that_is_not_sound_restores_nobody(tmp_path: Path) -> None:
    """P8.2: missing, of another key, with files exchanged, older than the backup."""
    database, folder = Database(), tmp_path / "erasures"

    def refused(vault: Vault = VAULT, taken_at: datetime = AT) -> str:
        with pytest.raises(TombstoneError) as error:
            read_tombstones(vault, folder, taken_at)
        return str(error.value)

    assert "is not at" in refused()
    database.tombstones = [_tombstone("completed")]
    await copy_tombstones(database, VAULT, FolderPlace(tmp_path))
    file = folder / f"{ERASURE}.nxe"
    assert b"1" * 64 not in file.read_bytes()
    assert "does not open" in refused(Vault(Keyring.generate()))
    assert "older than the backup" in refused(taken_at=datetime.now(UTC) + timedelta(minutes=2))
    moved = file.rename(file.with_name(f"{uuid.UUID(int=8)}.nxe"))
    assert "does not open" in refused()
    moved.unlink()
    (folder / f"{uuid.UUID(int=0)}.nxe").unlink()
    assert "is not at" in refused()


def test_passwords_and_plain_connections_stay_away_from_command_lines() -> None:
    """P3.1, P3.5."""
    address, environment = connection(
        f"postgresql://postgres:{'se%40cret'}@db.example:5432/postgres?sslmode=prefer"
    )
    assert address == "postgresql://postgres@db.example:5432/postgres?sslmode=require"
    assert (environment["PGPASSWORD"], environment["PGSSLMINPROTOCOLVERSION"]) == ("se@cret", "TLSv1.3")
    assert "PGSSLMINPROTOCOLVERSION" not in connection("postgresql://postgres@127.0.0.1/postgres")[1]


_BEGIN, _DATA = b"M\0\0\0\2{}", b"D\0\0\0\1x"


@pytest.mark.parametrize(
    "inside",
    [
        b"",
        _DATA,
        b"Q\0\0\0\0",
        _BEGIN + b"Z\0\0\0\2{}",
        _BEGIN + _DATA + b'E\0\0\0\x1b{"size":2,"sha256":"abcde"}',
        b"D\xff\xff\xff\xff",
    ],
    ids=["nothing", "data of nothing", "unknown", "a part without end", "another size", "too long"],
)
def test_an_inside_that_is_not_as_it_says_is_refused(inside: bytes) -> None:
    with pytest.raises(ContentsError):
        list(read_frames([inside]))
