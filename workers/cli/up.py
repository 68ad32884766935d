"""`./nexora up`: the whole service on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from rich.console import Console
from rich.table import Table

from workers.cli.local import APP_REDIRECT, ROOT, LocalService


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `up`."""
    parser.add_argument(
        "--state",
        type=Path,
        default=ROOT / ".nexora" / "up",
        help="directory that keeps the data (default: .nexora/up)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; returns 0."""
    console = Console()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    args.state.mkdir(parents=True, exist_ok=True)
    with LocalService(
        args.state, durable=True, progress=lambda step: console.print(f"[dim]· {step}[/dim]")
    ) as service:
        console.print(_overview(service))
        console.print("Ctrl-C stops everything; the data stays in [bold]" + str(args.state) + "[/bold].")
        ended.wait()
        console.print("stopping …")
    return 0


def _overview(service: LocalService) -> Table:
    table = Table(
        title="Nexora OS is up", title_justify="left", show_header=False, box=None, padding=(0, 2, 0, 0)
    )
    rows = {
        "SUPABASE_URL": service.api_url,
        "SUPABASE_PUBLISHABLE_KEY": service.stack.secrets.publishable_key,
        "SUPABASE_SECRET_KEY": service.stack.secrets.secret_key,
        "SUPABASE_DB_URL": service.stack.database_url,
        "Worker": service.web_url,
        "Sandbox (posts as the platforms show them)": service.sandbox.url,
        "Mail catcher": service.stack.mail.url,
        "OAuth may return to": APP_REDIRECT,
        "Worker's log": str(service.worker_log),
    }
    for name, value in rows.items():
        table.add_row(f"[bold]{name}[/bold]", value)
    return table
