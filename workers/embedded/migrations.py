"""Applies migrations with the official `supabase` CLI."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from workers.embedded.api import find_node, local_program, node_environment


class MigrationError(Exception):
    """`supabase db push` failed; the message carries its output."""


def push(url: str, migrations_root: Path, home: Path) -> None:
    """Runs `supabase db push` for the directory that holds `supabase/`.

    `home` is where the CLI may keep its own files.

    Raises:
        MigrationError: the CLI reported a failure.
    """
    address = urlsplit(url)
    # The password goes through the environment: everybody on the machine may read a command line.
    public = address._replace(netloc=f"{address.username}@{address.hostname}:{address.port}").geturl()
    command = [find_node(), str(local_program("supabase")), "db", "push", "--yes", f"--remote={public}"]
    result = subprocess.run(
        [*command, "--workdir", str(migrations_root)],
        env={**node_environment(), "HOME": str(home), "NO_COLOR": "1", "PGPASSWORD": address.password or ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise MigrationError(f"supabase db push failed:\n{result.stdout}{result.stderr}")
