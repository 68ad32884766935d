"""`./nexora up`: the whole service on this machine until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from workers.cli.local import APP_REDIRECT, ROOT, LocalService
from workers.embedded.inbox import Inbox


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
        inbox = Inbox(service.stack.mail)
        _print_overview(console, service, inbox)
        console.print(
            f"Ctrl-C stops everything; the data stays in {escape(str(args.state))}.", soft_wrap=True
        )
        ended.wait()
        console.print("stopping …")
        inbox.close()
    return 0


def _print_overview(console: Console, service: LocalService, inbox: Inbox) -> None:
    """One line each, never cut or wrapped: keys are there to be copied."""
    rows = {
        "SUPABASE_URL": service.api_url,
        "SUPABASE_PUBLISHABLE_KEY": service.stack.secrets.publishable_key,
        "SUPABASE_SECRET_KEY": service.stack.secrets.secret_key,
        "SUPABASE_DB_URL": service.stack.database_url,
        "Worker": service.web_url,
        "Posts as the platforms show them": service.sandbox.url,
        "Mails of the service": f"{service.sandbox.url}/mails",
        "Inbox of caught mails of Auth": inbox.url,
        "Mail server": service.stack.mail.url,
        "OAuth may return to": APP_REDIRECT,
        "Worker's log": str(service.worker_log),
    }
    width = max(map(len, rows))
    console.print("\n[bold]Nexora OS is up[/bold]")
    for name, value in rows.items():
        console.print(f"[bold]{name:<{width}}[/bold]  {escape(value)}", soft_wrap=True)
