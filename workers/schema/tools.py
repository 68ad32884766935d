"""Runs the official tools `supabase` and `pgdelta` on a plain database URL: no Docker, no telemetry."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

from workers.embedded.api import ApiError, find_node, local_program, node_environment
from workers.schema.errors import ToolError

REPOSITORY = Path(__file__).resolve().parents[2]
_SECONDS = 600  # a push to a far database of many migrations; everything else ends within seconds


def push(root: Path, url: str) -> str:
    """`supabase db push`: applies the migrations of `root` that are pending; returns what it said."""
    return _supabase("db", "push", "--yes", "--skip-vault", f"--remote={url}", root=root)


def pending(root: Path, url: str) -> list[str]:
    """File names of the migrations that `push` would apply."""
    answer = json.loads(
        _supabase(
            "db", "push", "--dry-run", "--skip-vault", f"--remote={url}", "--output-format=json", root=root
        )
    )
    return [Path(str(name)).name for name in answer["migrations"]]


def generated_types(url: str) -> str:
    """`supabase gen types` for schema `public`."""
    return _supabase("gen", "types", f"--remote={url}", "--schema=public", root=REPOSITORY)


def advisor_findings(url: str) -> list[dict[str, Any]]:
    """`supabase db advisors`, every level. Silent about exposed schemas unless `pgrst.db_schemas` is set."""
    answer = _supabase(
        "db",
        "advisors",
        f"--remote={url}",
        "--level=info",
        "--fail-on=none",
        "--output-format=json",
        root=REPOSITORY,
    )
    results: list[dict[str, Any]] = json.loads(answer)["results"]
    return results


def lint_findings(url: str, schemas: tuple[str, ...]) -> list[dict[str, Any]]:
    """`supabase db lint`: plpgsql_check over every function. The extension must be there already."""
    answer = _supabase(
        "db", "lint", f"--remote={url}", f"--schema={','.join(schemas)}", "--level=warning", "--fail-on=none",
        "--output-format=json", root=REPOSITORY,
    )  # fmt: skip
    results: list[dict[str, Any]] = json.loads(answer)["results"]
    return results


def schema_difference(source: str, desired: str) -> str:
    """`pgdelta diff`: what changes from database `source` to `desired`; empty when nothing does."""
    said = _run("pgdelta", "diff", "--source", source, "--desired", desired, "--profile", "supabase").strip()
    return "" if said == "No differences found." else said


def schema_migration(source: str, desired: str, folder: Path) -> str:
    """`pgdelta plan` and `render`: statements that turn `source` into `desired`; empty when none.

    Raises:
        ToolError: the plan cannot run in one transaction, as a migration does.
    """
    plan = folder / "plan.json"
    ends = ("--source", source, "--desired", desired)
    _run("pgdelta", "plan", *ends, "--profile", "supabase", "--out", str(plan))
    if not json.loads(plan.read_text())["actions"]:
        return ""
    _run("pgdelta", "render", "--plan", str(plan), "--out", str(folder / "migration"), "--allow-drops")
    files = sorted(folder.glob("migration*.sql"))
    if len(files) != 1 or files[0].read_text().startswith("-- pg-delta: transaction=false"):
        raise ToolError(
            "pgdelta needs more than one transaction for this change (as for a new enum value that is used "
            "at once); split the change of the sources in two and run `./nexora db new` for each"
        )
    return files[0].read_text()


def _supabase(*arguments: str, root: Path) -> str:
    return _run("supabase", *arguments, "--workdir", str(root), "--agent=no")


def _run(tool: str, *arguments: str) -> str:
    try:
        command = [find_node(), str(local_program(tool)), *arguments]
        done = subprocess.run(  # noqa: S603  our own list of arguments, no shell
            command, env=_environment(), capture_output=True, text=True, check=True, timeout=_SECONDS,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except ApiError as error:
        raise ToolError(str(error)) from error
    except subprocess.CalledProcessError as error:
        said = without_passwords(f"{error.stderr}\n{error.stdout}").strip()
        raise ToolError(f"{tool} {' '.join(arguments[:2])} failed:\n{said}") from None
    except subprocess.TimeoutExpired:
        raise ToolError(f"{tool} {' '.join(arguments[:2])} did not end within {_SECONDS} s") from None
    return done.stdout


def _environment() -> dict[str, str]:
    """What the tools need. Credentials of the deployment stay out, apart from the URL in the arguments."""
    passed = {
        name: os.environ[name]
        for name in ("SSL_CERT_FILE", "PGSSLMODE", "PGSSLROOTCERT")
        if name in os.environ
    }
    return {**node_environment(), **passed, "NO_COLOR": "1"}


def without_passwords(text: str) -> str:
    """Blots out the passwords of URLs, for messages."""
    return re.sub(r"(?<=://)([^\s:/@]+):[^\s@]+@", r"\1:***@", text)
