"""`./nexora restore`: brings a backup back into an empty project, without those who were erased since (P3.2, P8.2)."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from workers.cli.backup import FAULTS, gateway_settings, vault_of
from workers.cli.restoring import Restored, Target, open_backup, restore
from workers.gateway import Gateway
from workers.jobs.backup import FOLDER, read_tombstones
from workers.schema import tools
from workers.schema.errors import SchemaError

_console = Console(soft_wrap=True, highlight=False)
_MIB = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `restore`."""
    parser.description = (
        "Restores a backup into an empty project: the database of --into, the files with SUPABASE_URL and "
        "SUPABASE_SECRET_KEY of that project, NEXORA_TOKEN_KEYRING of the one that made it. All of it comes back, or "
        "nothing."
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the backup (./nexora backup fetch gets one)")
    parser.add_argument(
        "--into", required=True, metavar="URL", help="Postgres URL of role postgres of the empty project"
    )
    parser.add_argument(
        "--erasures",
        type=Path,
        metavar="FOLDER",
        help="the copy of erasures; beside the backup unless it is given",
    )
    parser.add_argument("--without-files", action="store_true", help="leave out the stored files")


def run(args: argparse.Namespace) -> int:
    """Restore; returns 1 when nothing was restored, with the reason."""
    try:
        return asyncio.run(_run(args))
    except (*FAULTS, SchemaError) as error:
        _console.print(f"[bold red]nothing was restored:[/] {escape(str(error))}")
        return 1


async def _run(args: argparse.Namespace) -> int:
    settings = gateway_settings()
    vault = vault_of(settings)
    erasures = args.erasures or args.file.resolve().parent / FOLDER
    gateway = Gateway.open(settings)
    try:
        with _console.status("opening the backup") as status:
            progress = _Progress(status)
            backup = open_backup(vault, args.file, progress)
            status.update("the backup is whole")
            tombstones = read_tombstones(vault, erasures, backup.taken_at)
            target = Target(args.into, None if args.without_files else gateway, tools.push)
            done = await restore(vault, backup, target, tombstones.erasures, progress)
    finally:
        await gateway.aclose()
    _console.print(f"restored to {backup.taken_at:%Y-%m-%d %H:%M:%S} UTC")
    _console.print(f"erasures are known up to {tombstones.copied_at:%Y-%m-%d %H:%M:%S} UTC")
    for line in _lines(done):
        _console.print(line)
    _console.print("[green]the project is open[/]: start a worker, and point the front end to it")
    return 0


class _Progress:
    """Shows the step and how far it is."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def __call__(self, step: str, count: int) -> None:
        amount = f"{count / _MIB:.0f} MiB" if step == "checking" else f"{count:,}"
        self._status.update(f"{step}: {amount}" if count else step)


def _lines(done: Restored) -> list[str]:
    return [
        f"{done.rows:,} rows, {done.files:,} files; {done.left_out:,} files left out",
        f"{done.erased} people were erased again; {done.reopened} requests stand again, {done.cancelled} do not",
        f"{done.unconfirmed} posts were due since: their people are asked whether they are out",
        "everybody signs in again, and connects their accounts again",
    ]
