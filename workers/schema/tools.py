"""Runs the official tools `supabase` and `pgdelta` on a plain database URL: no Docker, no telemetry."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from workers.embedded.api import ApiError, find_node, local_program, node_environment
from workers.schema.errors import ToolError

REPOSITORY = Path(__file__).resolve().parents[2]
_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_SECONDS = 600  # a push to a far database of many migrations; everything else ends within seconds


def push(root: Path, url: str) -> str:
    """`supabase db push`: applies the migrations of `root` that are pending; returns what it said."""
    return _supabase(url, "db", "push", "--yes", "--skip-vault", root=root)


def pending(root: Path, url: str) -> list[str]:
    """File names of the migrations that `push` would apply."""
    said = _supabase(url, "db", "push", "--dry-run", "--skip-vault", "--output-format=json", root=root)
    answer = json.loads(said)
    return [Path(str(name)).name for name in answer["migrations"]]


def generated_types(url: str) -> str:
    """`supabase gen types` for schema `public`."""
    return _supabase(url, "gen", "types", "--schema=public", root=REPOSITORY)


def advisor_findings(url: str) -> list[dict[str, Any]]:
    """`supabase db advisors`, every level. Silent about exposed schemas unless `pgrst.db_schemas` is set."""
    levels = ("--level=info", "--fail-on=none", "--output-format=json")
    answer = _supabase(url, "db", "advisors", *levels, root=REPOSITORY)
    results: list[dict[str, Any]] = json.loads(answer)["results"]
    return results


def lint_findings(url: str, schemas: tuple[str, ...]) -> list[dict[str, Any]]:
    """`supabase db lint`: plpgsql_check over every function. The extension must be there already."""
    levels = ("--level=warning", "--fail-on=none", "--output-format=json")
    answer = _supabase(url, "db", "lint", f"--schema={','.join(schemas)}", *levels, root=REPOSITORY)
    results: list[dict[str, Any]] = json.loads(answer)["results"]
    return results


def schema_difference(source: str, desired: str) -> str:
    """`pgdelta diff`: what changes from database `source` to `desired`; empty when nothing does."""
    said = _run("pgdelta", source, "diff", *_ends(source, desired)).strip()
    return "" if said == "No differences found." else said


def schema_migration(source: str, desired: str, folder: Path) -> str:
    """`pgdelta plan` and `render`: statements that turn `source` into `desired`; empty when none.

    Raises:
        ToolError: the plan cannot run in one transaction, as a migration does.
    """
    plan = folder / "plan.json"
    _run("pgdelta", source, "plan", *_ends(source, desired), "--out", str(plan))
    if not json.loads(plan.read_text())["actions"]:
        return ""
    _run(
        "pgdelta", source, "render", "--plan", str(plan), "--out", str(folder / "migration"), "--allow-drops"
    )
    files = sorted(folder.glob("migration*.sql"))
    if len(files) != 1 or files[0].read_text().startswith("-- pg-delta: transaction=false"):
        raise ToolError(
            "pgdelta needs more than one transaction for this change (as for a new enum value that is used "
            "at once); split the change of the sources in two and run `./nexora db new` for each"
        )
    return files[0].read_text()


def _ends(source: str, desired: str) -> tuple[str, ...]:
    """Two databases of one server."""
    ends = ("--source", _without_password(source), "--desired", _without_password(desired))
    return (*ends, "--profile", "supabase")


def _supabase(url: str, *arguments: str, root: Path) -> str:
    rest = (f"--remote={_without_password(url)}", "--workdir", str(root), "--agent=no")
    return _run("supabase", url, *arguments, *rest)


def _run(tool: str, url: str, *arguments: str) -> str:
    """Runs a tool on the server of `url`; the arguments name databases without the password."""
    try:
        done = subprocess.run(  # noqa: S603  our own list of arguments, no shell
            [find_node(), str(local_program(tool)), *arguments],
            env=_environment(url),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_SECONDS,
        )
    except ApiError as error:
        raise ToolError(str(error)) from error
    except subprocess.CalledProcessError as error:
        said = f"{error.stderr}\n{error.stdout}".strip()
        raise ToolError(f"{tool} {' '.join(arguments[:2])} failed:\n{said}") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{tool} {' '.join(arguments[:2])} did not end within {_SECONDS} s") from None
    return done.stdout


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    login, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login.split(':', 1)[0]}{at}{host}"))


def _environment(url: str) -> dict[str, str]:
    """What the tools need, and nothing else of ours.

    The password goes here, not into the arguments, which every user of the machine can list. Left alone, the
    CLI falls back to a plain connection where TLS fails: to another machine it must not (P3.1).
    """
    parts = urlsplit(url)
    tls = ("SSL_CERT_FILE", "PGSSLMODE", "PGSSLROOTCERT")
    environment = {**node_environment(), "NO_COLOR": "1"}
    environment |= {name: os.environ[name] for name in tls if name in os.environ}
    if parts.password:
        environment["PGPASSWORD"] = unquote(parts.password)
    if parts.hostname not in _THIS_MACHINE and "sslmode=" not in parts.query:
        environment.setdefault("PGSSLMODE", "require")
    return environment
