"""`./nexora backup`: makes a backup, lists and purges them, and proves that one can be restored (P3.2, P8.2)."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import psycopg
from rich.console import Console
from rich.markup import escape

from workers.attestation import commit_of
from workers.cli.restoring import Opened, Restored, RestoreError, Target, open_backup, restore
from workers.embedded import Stack
from workers.errors import ConfigurationError, GatewayError
from workers.gateway import Gateway, ListedFile
from workers.jobs.backup import (
    FOLDER,
    BackupSource,
    ContentsError,
    DumpError,
    FolderPlace,
    Place,
    TombstoneError,
    copy_tombstones,
    make_backup,
    place_at,
    purge_backups,
    read_tombstones,
)
from workers.schema import scratch, tools
from workers.settings import WorkerSettings, load
from workers.vault import Keyring, KeyringError, StreamError, Vault

ROOT = Path(__file__).resolve().parents[2]
MIGRATIONS = ROOT / "supabase" / "migrations"
_console = Console(soft_wrap=True, highlight=False)
_MIB = 1 << 20

FAULTS = (RestoreError, StreamError, ContentsError, TombstoneError, DumpError, GatewayError, OSError)
"""What ends a command with a reason and exit code 1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `backup`."""
    parser.description = (
        "Without an action: makes a backup of SUPABASE_DB_URL and of the stored files, encrypted with "
        "NEXORA_TOKEN_KEYRING. drill: restores the newest one into an embedded stack, and records what came of it."
    )
    parser.add_argument(
        "action", nargs="?", choices=["make", "drill", "list", "purge", "fetch"], default="make"
    )
    parser.add_argument(
        "folder", nargs="?", type=Path, help="for fetch: where the newest backup is copied to"
    )
    parser.add_argument(
        "--to",
        metavar="FOLDER|bucket",
        help="where backups lie; NEXORA_BACKUP_TO unless it is given. The copy of erasures is always at the latter",
    )


def run(args: argparse.Namespace) -> int:
    """Run one action; returns 1 when it did not work."""
    try:
        return asyncio.run(_run(args))
    except FAULTS as error:
        _console.print(f"[bold red]error:[/] {escape(str(error))}")
        return 1


async def _run(args: argparse.Namespace) -> int:
    settings = gateway_settings()
    gateway = Gateway.open(settings)
    try:
        home = None if settings.backup_to is None else place_at(settings.backup_to, gateway)
        place = home if args.to is None else place_at(args.to, gateway)
        if place is None:
            raise ConfigurationError("NEXORA_BACKUP_TO", "is not set; or say where with --to")
        return await _Command(gateway, vault_of(settings), place, home, settings).run(args)
    finally:
        await gateway.aclose()


def gateway_settings() -> WorkerSettings:
    """The settings of a worker, without the address that only its web server needs."""
    return load(WorkerSettings, public_url="http://127.0.0.1")


def vault_of(settings: WorkerSettings) -> Vault:
    """The vault of this deployment.

    Raises:
        ConfigurationError: the keyring cannot be used.
    """
    try:
        return Vault(Keyring.from_json(settings.token_keyring.get_secret_value()))
    except KeyringError as error:
        raise ConfigurationError("NEXORA_TOKEN_KEYRING", str(error)) from error


class _Command:
    """One call of `backup`. home: where the copy of erasures is kept."""

    def __init__(
        self, gateway: Gateway, vault: Vault, place: Place, home: Place | None, settings: WorkerSettings
    ) -> None:
        self._gateway = gateway
        self._vault = vault
        self._place = place
        self._home = home
        self._settings = settings

    async def run(self, args: argparse.Namespace) -> int:
        """Run the action; answers the exit code."""
        if args.action == "make":
            return await self._make()
        if args.action == "purge":
            await self._copy_erasures()
            _console.print(f"{await purge_backups(self._gateway, self._place)} files were removed")
            return 0
        if args.action == "list":
            for file in await backups_at(self._place):
                _console.print(f"{file.name}  {file.size / _MIB:.1f} MiB")
            return 0
        if args.action == "fetch":
            if args.folder is None:
                raise ConfigurationError("folder", "say where to: ./nexora backup fetch FOLDER")
            _console.print(f"{await self._fetch(args.folder)}, with the copy of erasures beside it")
            return 0
        return await self._drill()

    async def _copy_erasures(self) -> None:
        if self._home is not None:
            await copy_tombstones(self._gateway, self._vault, self._home)

    async def _make(self) -> int:
        if self._settings.supabase_db_url is None:
            raise ConfigurationError("SUPABASE_DB_URL", "is not set")
        url = self._settings.supabase_db_url.get_secret_value()
        with _console.status("dumping rows") as status:
            made = await make_backup(
                self._gateway,
                self._vault,
                self._place,
                BackupSource(url, MIGRATIONS, commit_of(ROOT)),
                progress=lambda size, files: status.update(f"{size / _MIB:.0f} MiB, {files} files"),
            )
        if made is None:
            return 0
        await self._copy_erasures()
        await purge_backups(self._gateway, self._place)
        gone = f", {made.omitted} were gone before they were read" if made.omitted else ""
        _console.print(
            f"{made.file_name}: {made.size_bytes / _MIB:.1f} MiB, {made.files} files{gone}, {made.seconds:.1f} s; "
            f"gone on {made.expires_at:%Y-%m-%d}"
        )
        if self._home is None:
            _console.print(
                "[yellow]erasures are not copied[/]: NEXORA_BACKUP_TO says where, and a restore needs them"
            )
        return 0

    async def _fetch(self, folder: Path) -> Path:
        if self._home is None:
            raise ConfigurationError("NEXORA_BACKUP_TO", "is not set: it says where the copy of erasures is")
        found = await backups_at(self._place)
        if not found:
            raise RestoreError("there is no backup")
        try:
            await self._copy_erasures()
        except GatewayError:  # the database may be what has to be restored
            _console.print("[yellow]the copy of erasures could not be brought up to date[/]")
        return await fetched(self._place, self._home, found[-1], folder)

    async def _drill(self) -> int:
        with tempfile.TemporaryDirectory(prefix="nexora-drill-") as folder:
            path = await self._fetch(Path(folder))
            backup = open_backup(self._vault, path, lambda _step, _count: None)
            async with _project() as target:
                code = await drill(self._gateway, self._vault, backup, Path(folder) / FOLDER, target)
        said = "the backup can be restored" if code is None else f"[bold red]the drill failed:[/] {code}"
        _console.print(said)
        return 0 if code is None else 1


async def backups_at(place: Place) -> list[ListedFile]:
    """The backups of a place, oldest first."""
    return [file for file in await place.files("") if file.name.endswith(".nxb")]


async def fetched(place: Place, home: Place, newest: ListedFile, folder: Path) -> Path:
    """Copy a backup and the copy of erasures into a folder; answers the path of the backup."""
    target = FolderPlace(folder)
    for file in await home.files(FOLDER):
        name = f"{FOLDER}/{file.name}"
        await target.store(name, home.read(name, file.size))
    await target.store(newest.name, place.read(newest.name, newest.size))
    return folder / newest.name


async def back_up_and_drill(
    databases: scratch.Scratch, *, api_url: str, database_url: str, keyring: str
) -> str | None:
    """Make a backup of a database of an embedded stack, and drill it beside it. Answers what `drill` answers."""
    settings = _embedded_settings(databases.stack, api_url, keyring)
    gateway, vault = Gateway.open(settings), vault_of(settings)
    try:
        with tempfile.TemporaryDirectory(prefix="nexora-backup-") as folder:
            place = FolderPlace(Path(folder))
            made = await make_backup(
                gateway, vault, place, BackupSource(database_url, MIGRATIONS, commit_of(ROOT))
            )
            assert made is not None  # noqa: S101  asked for by hand
            await copy_tombstones(gateway, vault, place)
            backup = open_backup(vault, Path(folder, made.file_name), lambda _step, _count: None)
            async with empty_project(databases, "drill") as target:
                return await drill(gateway, vault, backup, Path(folder, FOLDER), target)
    finally:
        await gateway.aclose()


def _embedded_settings(stack: Stack, api_url: str, keyring: str) -> WorkerSettings:
    """Of one database of an embedded stack, whatever the environment says of another."""
    return load(
        WorkerSettings,
        supabase_url=api_url,
        supabase_secret_key=stack.secrets.secret_key,
        token_keyring=keyring,
        public_url="http://127.0.0.1",
        backup_to=None,
    )


class DrillRecorder(Protocol):
    """The part of `workers.gateway.Gateway` that a drill uses."""

    async def record_drill(
        self, backup_id: UUID, taken_at: datetime, *, rows: int, files: int, erased: int, code: str | None
    ) -> None: ...


@asynccontextmanager
async def _project() -> AsyncIterator[Target]:
    """An empty project on an embedded stack."""
    with scratch.started(lambda step: _console.print(f"[dim]· {step}[/]")) as databases:
        async with empty_project(databases, "drill") as target:
            yield target


@asynccontextmanager
async def empty_project(databases: scratch.Scratch, name: str) -> AsyncIterator[Target]:
    """An empty project of its own on a running embedded stack."""
    url = databases.bare(name)
    gateway = Gateway.open(_embedded_settings(databases.stack, databases.stack.serve(name), "unused"))
    try:
        yield Target(url, gateway, tools.push)
    finally:
        await gateway.aclose()
        databases.stack.drop_database(name)


async def drill(
    gateway: DrillRecorder, vault: Vault, backup: Opened, erasures: Path, target: Target
) -> str | None:
    """Restore an opened backup into an empty project, look at what came out, and record it.

    Returns:
        None when it can be restored; else a code that says why not.
    """
    done, code = Restored(0, 0, 0, 0, 0, 0, 0), None
    try:
        tombstones = read_tombstones(vault, erasures, backup.taken_at)
        done = await restore(vault, backup, target, tombstones.erasures, lambda _step, _count: None)
        code = _fault(backup, done, target.database_url)
    except FAULTS as error:
        code = str(getattr(error, "code", type(error).__name__))
    await gateway.record_drill(
        backup.backup_id, backup.taken_at, rows=done.rows, files=done.files, erased=done.erased, code=code
    )
    return code


def _fault(backup: Opened, done: Restored, url: str) -> str | None:
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(
            """select (select count(*) from storage.objects), (select count(*) from private.catalogue_gaps()),
                      (select count(*) from private.ledger_faults()), (select count(*) from private.restores)"""
        ).fetchone()
    assert found is not None  # noqa: S101  aggregates without a group have one row
    files, gaps, ledger, restores = found
    faults = {
        "no_rows": done.rows == 0 or restores == 0,
        "files_differ": files != done.files or done.files + done.left_out != backup.files + backup.omitted,
        "catalogue_gaps": gaps > 0,
        "ledger_broken": ledger > 0,
    }
    return next((code for code, is_so in faults.items() if is_so), None)
