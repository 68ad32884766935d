"""`./nexora db …`: the database's definition, for DBAs. The logic is in `workers/schema`."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from rich.console import Console
from rich.markup import escape

from workers.embedded import ApiError, ClusterError, PlacementError
from workers.schema import (
    advisors,
    baseline,
    check,
    forward,
    generated_types,
    lint,
    retention,
    scratch,
    sources,
    tools,
)
from workers.schema.errors import SchemaError

ROOT = Path(__file__).resolve().parents[2]
_console = Console(soft_wrap=True, highlight=False)
_SKIPPED = 3  # exit status of `db lint` on a machine that cannot run it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `db`."""
    commands = parser.add_subparsers(dest="db_command", required=True, metavar="COMMAND")
    new = _command(commands, "new", _new, "write the next migration from the sources")
    new.add_argument(
        "name", nargs="?", help="what changes, in snake_case (needed once the baseline is frozen)"
    )
    _command(commands, "check", _check, "prove that migrations and sources build the same database")
    push = _command(
        commands,
        "push",
        _push,
        "apply pending migrations to SUPABASE_DB_URL, or try them on an embedded stack",
    )
    push.add_argument("--dry-run", action="store_true", help="only say which migrations are pending")
    _command(commands, "types", _types, "generate supabase/types/database.types.ts")
    _command(commands, "retention", _retention, "write docs/RETENTION.md from the data catalogue")
    _command(
        commands,
        "advise",
        _advise,
        "run Supabase's advisors and our own, against the list of allowed findings",
    )
    _command(commands, "lint", _lint, "run plpgsql_check on Postgres 15 (Debian's packages)")
    _command(commands, "freeze", _freeze, "at a release: from now on the existing migrations never change")


def run(args: argparse.Namespace) -> int:
    """Runs the chosen command; returns the exit status."""
    try:
        status: int = args.db_run(args)
    except (SchemaError, ClusterError, ApiError, PlacementError, psycopg.OperationalError) as error:
        _console.print(f"[bold red]error:[/] {escape(str(error))}")
        return 1
    return status


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(db_run=action)
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    return parser


def _new(args: argparse.Namespace) -> int:
    if not baseline.is_frozen(args.root):
        changed = baseline.write(args.root, sources.load(args.root))
        _console.print(
            "\n".join(f"wrote {baseline.MIGRATIONS}/{name}" for name in changed) or "the baseline is current"
        )
        return 0
    if not args.name:
        raise SchemaError("the baseline is frozen: name the change, as in `./nexora db new add_captions`")
    with scratch.started(_progress) as databases:
        draft = forward.draft(args.root, databases, args.name, datetime.now(UTC))
    if draft is None:
        _console.print("nothing to write: the migrations build what the sources say")
        return 0
    _console.print(
        f"wrote {forward.write(args.root, draft).relative_to(args.root)}; read it, then `./nexora db check`"
    )
    for statement in draft.losses:
        _console.print(f"[yellow]deletes data:[/] {escape(statement)}")
    for fault in draft.open_ends:
        _console.print(f"[yellow]complete it by hand:[/] {escape(fault)}")
    return 1 if draft.open_ends else 0


def _freeze(args: argparse.Namespace) -> int:
    names = baseline.freeze(args.root)
    _console.print("\n".join(f"frozen: {name}" for name in names) or "nothing new to freeze")
    return 0


def _check(args: argparse.Namespace) -> int:
    def report(outcome: check.Outcome) -> None:
        _console.print(f"{'[red]FAIL[/]' if outcome.faults else '[green]ok[/]  '} {outcome.question}")
        for fault in outcome.faults:
            _console.print("     " + escape(fault).replace("\n", "\n     "))

    with scratch.started(_progress) as databases:
        return 0 if check.run(args.root, databases, report) else 1


def _push(args: argparse.Namespace) -> int:
    with ExitStack() as closing:
        url = _configured_url()
        if url is None:
            _console.print("SUPABASE_DB_URL is not set: trying the migrations on an embedded stack")
            url = closing.enter_context(scratch.started(_progress)).bare("schema_push")
        pending = tools.pending(args.root, url)
        if pending and not args.dry_run:
            tools.push(args.root, url)
    verb = "pending" if args.dry_run else "applied"
    _console.print("\n".join(f"{verb}: {name}" for name in pending) or "no migration is pending")
    return 0


def _types(args: argparse.Namespace) -> int:
    with scratch.started(_progress) as databases:
        changed = generated_types.write(args.root, databases.from_migrations(args.root))
    _console.print(f"{'wrote' if changed else 'current:'} {generated_types.PATH}")
    return 0


def _retention(args: argparse.Namespace) -> int:
    with scratch.started(_progress) as databases:
        changed = retention.write(args.root, databases.from_sources(args.root))
    _console.print(f"{'wrote' if changed else 'current:'} {retention.PATH}")
    return 0


def _advise(args: argparse.Namespace) -> int:
    with scratch.started(_progress) as databases:
        advice = advisors.advise(args.root, databases.from_migrations(args.root))
    for allowance, count in Counter(allowance for _, allowance in advice.allowed).items():
        entry = f"{allowance.lint} {allowance.subject}: {allowance.reason}"
        _console.print(f"[dim]allowed {count} × {escape(entry)}[/]")
    for finding in advice.refused:
        _console.print(
            f"[red]{finding.level}[/] {finding.lint} {escape(finding.subject)}: {escape(finding.detail)}"
        )
    for allowance in advice.stale:
        _console.print(
            f"[red]stale[/] {advisors.ALLOW_FILE}: {allowance.lint} {escape(allowance.subject)} is no finding"
        )
    _console.print(f"{len(advice.refused)} to mend, {len(advice.stale)} stale, {len(advice.allowed)} allowed")
    return 0 if advice.passed else 1


def _lint(args: argparse.Namespace) -> int:
    if not lint.is_available():
        _console.print(f"skipped: this needs Debian's {' and '.join(lint.PACKAGES)}")
        return _SKIPPED
    found = lint.issues(args.root)
    for issue in found:
        _console.print(f"[red]{issue.level}[/] {escape(issue.function)}: {escape(issue.message)}")
    _console.print(f"{len(found)} issues")
    return 1 if found else 0


def _configured_url() -> str | None:
    return os.environ.get("SUPABASE_DB_URL") or None


def _progress(step: str) -> None:
    _console.print(f"[dim]· {step}[/]")
