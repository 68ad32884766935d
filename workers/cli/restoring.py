"""Brings a backup back into an empty project: all of it, or nothing (P3.2, P8.2).

First the whole file is opened and checked. Then the migrations that it holds are applied, and one transaction loads the
rows, has every erasure of the copy outside the database happen again through the engine's own steps (which end with the
search for what may be left), and stays open while the stored files go into their buckets. Until it commits nobody sees
anything, and a failure leaves an empty project.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import psycopg

from workers.cli.psql import Psql
from workers.jobs.backup import Frame, read_frames
from workers.vault import StreamError, StreamOpener, Vault

__all__ = ["FileStore", "Opened", "RestoreError", "Restored", "Target", "open_backup", "restore"]

_BATCH: Final = 100
_UNPACKED: Final = 1 << 20  # rows that repeat themselves come out many times as long
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OURS: Final = ["public", "private", "worker", "retained"]


class RestoreError(Exception):
    """Nothing was restored; the message says why, for the operator."""


class FileStore(Protocol):
    """Where the stored files go; `workers.gateway.Gateway` is one."""

    async def upload_file(
        self, bucket_id: str, name: str, content: AsyncIterator[bytes], mime_type: str
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Opened:
    """A backup that was opened to its end and is whole.

    Attributes:
        details: of its header: id, taken_at, expires_at, key_id.
        manifest: what it says of itself.
        migrations: name to text.
        files, omitted: stored files in it, and those that were gone when they were to be read.
    """

    path: Path
    details: dict[str, Any]
    manifest: dict[str, Any]
    migrations: dict[str, bytes]
    files: int
    omitted: int
    size_bytes: int
    sha256: str

    @property
    def backup_id(self) -> uuid.UUID:
        """Id of the backup."""
        return uuid.UUID(self.details["id"])

    @property
    def taken_at(self) -> datetime:
        """From before its first row was read."""
        return datetime.fromisoformat(self.details["taken_at"])


@dataclass(frozen=True, slots=True)
class Target:
    """The empty project.

    Attributes:
        database_url: of role `postgres`.
        files: its storage; None: stored files are left out.
        apply_migrations: gets a folder with `supabase/migrations` in it and the URL.
    """

    database_url: str
    files: FileStore | None
    apply_migrations: Callable[[Path, str], object]


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did."""

    rows: int
    files: int
    left_out: int
    erased: int
    reopened: int
    cancelled: int
    unconfirmed: int


Progress = Callable[[str, int], None]
"""Gets the name of the step and a count: bytes, rows or files so far."""


def _frames(vault: Vault, path: Path, count: Callable[[int], None] = lambda _: None) -> Iterator[Frame]:
    with path.open("rb") as file:
        opener = StreamOpener(vault, file.read)

        def counted() -> Iterator[bytes]:
            for chunk in opener.chunks():
                count(len(chunk))
                yield chunk

        yield from read_frames(counted())


def open_backup(vault: Vault, path: Path, progress: Progress) -> Opened:
    """Open a backup to its end, and check all of it.

    Raises:
        StreamError, ContentsError: it is cut off, altered, or sealed under another key.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        details = StreamOpener(vault, file.read).details
    manifest: dict[str, Any] = {}
    migrations: dict[str, bytes] = {}
    totals: dict[str, Any] = {}
    name, done = "", 0

    def count(size: int) -> None:
        nonlocal done
        done += size
        progress("checking", done)

    for frame in _frames(vault, path, count):
        if frame.kind == "M":
            name = frame.says.get("name", "") if frame.says["kind"] == "migration" else ""
            manifest = dict(frame.says) if frame.says["kind"] == "manifest" else manifest
        elif frame.kind == "D" and name:
            migrations[name] = migrations.get(name, b"") + frame.data
        elif frame.kind == "Z":
            totals = dict(frame.says)
    if manifest.get("format") != 1:
        raise StreamError("this backup was made by a newer version; use that to restore it")
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Opened(
        path, details, manifest, migrations, totals["files"], totals["omitted"], path.stat().st_size, sha256
    )


async def restore(
    vault: Vault, backup: Opened, target: Target, tombstones: list[dict[str, Any]], progress: Progress
) -> Restored:
    """Restore an opened backup.

    Args:
        tombstones: the copy of erasures, all of it.

    Raises:
        RestoreError: the target is not empty, or the database refused; nothing was restored.
        StreamError, ContentsError: the file changed since it was opened.
        GatewayError: a stored file could not be written.
    """
    _require_empty(target.database_url, backup)
    progress("migrations", 0)
    with tempfile.TemporaryDirectory(prefix="nexora-restore-") as folder:
        _unpack(backup, Path(folder, "supabase", "migrations"))
        target.apply_migrations(Path(folder), target.database_url)
    async with Psql(target.database_url) as psql:
        loading = _Loading(vault, backup, target, psql, progress)
        settled = await loading.load(tombstones)
        files, left_out = await loading.store_files()
        await psql.run("commit;")
    return Restored(
        rows=psql.copied,
        files=files,
        left_out=left_out,
        erased=settled["erased_count"],
        reopened=settled["reopened_count"],
        cancelled=settled["cancelled_count"],
        unconfirmed=settled["unconfirmed_count"],
    )


def _unpack(backup: Opened, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, text in backup.migrations.items():
        (folder / Path(name).name).write_bytes(text)


def _require_empty(url: str, backup: Opened) -> None:
    """Nobody and nothing is there; at most the backup's own migrations, as an attempt before may have left them."""
    with psycopg.connect(url, autocommit=True) as connection:
        versions = _versions(connection)
        may_have = versions and versions <= {name.partition("_")[0] for name in backup.migrations}
        found = connection.execute(
            """select (select count(*) from auth.users), (select count(*) from storage.objects),
                      (select count(*) from pg_class c where c.relkind in ('r', 'p', 'v')
                         and c.relnamespace::regnamespace::text = any (%s))""",
            [[] if may_have else _OURS],
        ).fetchone()
    assert found is not None  # noqa: S101  aggregates without a group have one row
    people, files, tables = found
    if people or files or tables:
        raise RestoreError(
            f"the target is not empty: {people} people, {files} files, {tables} tables. Restore into a fresh project."
        )


def _versions(connection: psycopg.Connection[Any]) -> set[str]:
    """The migrations that it has."""
    there = connection.execute("select to_regclass('supabase_migrations.schema_migrations')").fetchone()
    if there is None or there[0] is None:
        return set()
    rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    return {str(version) for (version,) in rows}


class _Loading:
    """The transaction of one restore."""

    def __init__(self, vault: Vault, backup: Opened, target: Target, psql: Psql, progress: Progress) -> None:
        self._vault = vault
        self._backup = backup
        self._target = target
        self._psql = psql
        self._progress = progress
        self._known: dict[str, bool] = {}

    async def load(self, tombstones: list[dict[str, Any]]) -> dict[str, Any]:
        """Rows, then erasures; answers the counts."""
        psql = self._psql
        await psql.run(
            "begin; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0;\n"
            "set local session_replication_role = replica; select private.empty_for_restore();"
        )
        for text in self._rows():
            await psql.feed(text)
            self._progress("rows", psql.copied)
        self._progress("erasures", len(tombstones))
        told = {
            **self._backup.details,
            "size_bytes": self._backup.size_bytes,
            "sha256": self._backup.sha256,
            "file_count": self._backup.files,
            "omitted_count": self._backup.omitted,
        }
        await psql.run(
            "set local session_replication_role = origin; set local row_security = on; set local statement_timeout = 0;"
        )
        answer = await psql.ask(
            f"select row_to_json(s) from private.settle_restore({_json(told)}, {_json(tombstones)}) s"  # noqa: S608  quoted
        )
        settled: dict[str, Any] = json.loads(answer)
        return settled

    def _rows(self) -> Iterator[bytes]:
        unpacking = zlib.decompressobj(wbits=31)
        is_rows = False
        for frame in _frames(self._vault, self._backup.path):
            if frame.kind == "M":
                is_rows = frame.says["kind"] == "rows"
            elif frame.kind == "D" and is_rows:
                text = unpacking.decompress(frame.data, _UNPACKED)
                while text:
                    yield text
                    text = unpacking.decompress(unpacking.unconsumed_tail, _UNPACKED)
            elif frame.kind == "E" and is_rows:
                yield unpacking.flush()
                return

    async def store_files(self) -> tuple[int, int]:
        """The stored files of everybody who is there; answers how many were stored and left out."""
        if self._target.files is None:
            return 0, self._backup.files
        stored, left_out, rows = 0, 0, list[dict[str, Any]]()
        frames = _frames(self._vault, self._backup.path)
        for frame in frames:
            if frame.kind != "M" or frame.says["kind"] != "file":
                continue
            if not await self._is_anybodys(frame.says["name"]):
                left_out += 1
                continue
            content = _Content(frames)
            try:
                await self._target.files.upload_file(
                    frame.says["bucket_id"],
                    frame.says["name"],
                    content.blocks(),
                    frame.says["mime_type"] or "application/octet-stream",
                )
            except _OmittedError:
                left_out += 1
                continue
            rows.append(dict(frame.says))
            stored += 1
            self._progress("files", stored)
            if len(rows) == _BATCH:
                await self._give_back(rows)
                rows.clear()
        await self._give_back(rows)
        return stored, left_out

    async def _is_anybodys(self, name: str) -> bool:
        """Whether the person in whose folder it lies is there; somebody who was erased again is not (P8.2)."""
        folder = name.partition("/")[0]
        if not _UUID.fullmatch(folder):
            return True
        if folder not in self._known:
            query = f"select exists (select from auth.users where id = '{folder}')"  # noqa: S608  a UUID
            self._known = {folder: await self._psql.ask(query) == "t"}
        return self._known[folder]

    async def _give_back(self, rows: list[dict[str, Any]]) -> None:
        """What uploading does not know: owner, instant, what the person said of it."""
        if rows:
            await self._psql.run(f"select private.give_back_files({_json(rows)});")


class _OmittedError(Exception):
    """The backup says that it does not have this file whole."""


class _Content:
    """The data of the part whose beginning was just read."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames

    async def blocks(self) -> AsyncIterator[bytes]:
        for frame in self._frames:
            if frame.kind == "D":
                yield frame.data
            elif "omitted" in frame.says:
                raise _OmittedError
            else:
                return


def _json(value: object) -> str:
    """A literal of SQL."""
    return "'" + json.dumps(value).replace("'", "''") + "'::jsonb"
