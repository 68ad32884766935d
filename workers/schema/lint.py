"""`./nexora db lint`: plpgsql_check over every function, by `supabase db lint`, on Debian's Postgres 15.

The wheels of the embedded stack lack that extension; Debian packages it (`postgresql-15-plpgsql-check`). The
scratch cluster also shows that the migrations run on Postgres 15, the oldest that self-hosted Supabase uses.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from workers.embedded import database, processes
from workers.embedded.api import ApiServer
from workers.embedded.cluster import ADMIN
from workers.embedded.keys import StackSecrets, write_private
from workers.embedded.placement import place
from workers.schema import tools
from workers.schema.catalogue import OWN_SCHEMAS
from workers.schema.errors import ToolError

POSTGRES = Path("/usr/lib/postgresql/15/bin")
_EXTENSION = Path("/usr/share/postgresql/15/extension/plpgsql_check.control")
PACKAGES = ("postgresql-15", "postgresql-15-plpgsql-check")
_START_SECONDS = 30.0
# Since Postgres 16 a membership says whether it inherits; before, the role does.
_MEMBERSHIP_OPTIONS = re.compile(r" with (?:(?:admin|inherit|set) (?:true|false)(?:, )?)+")

# What the checker cannot follow, as (function, beginning of the message): statements that are put together at run time.
ALLOWED = {
    ("private.export_lines", "OUT variable"),  # its rows come from `return query execute`
    ("private.run_check", "cannot determinate a result of dynamic SQL"),  # one function per check, by name
}


@dataclass(frozen=True)
class Issue:
    """One remark of plpgsql_check."""

    function: str
    level: str
    message: str


def is_available() -> bool:
    """Whether this machine has Postgres 15 and plpgsql_check."""
    return (POSTGRES / "postgres").exists() and _EXTENSION.exists()


def issues(root: Path) -> list[Issue]:
    """Builds the migrations of `root` on a scratch Postgres 15 and checks every function.

    Raises:
        ToolError: the cluster did not start, or a migration fails on Postgres 15.
    """
    with _cluster() as server:
        tools.push(root, server.url("postgres", "postgres"))
        with psycopg.connect(server.url(ADMIN, "postgres")) as connection:
            connection.execute(
                "create extension plpgsql_check"
            )  # the CLI would try it as a role that may not
        results = tools.lint_findings(server.url("postgres", "postgres"), OWN_SCHEMAS)
    found = (issue for result in results for issue in _issues_of(result))
    return [issue for issue in found if not _is_allowed(issue)]


def _issues_of(result: dict[str, Any]) -> Iterator[Issue]:
    for issue in result["issues"]:
        line = issue.get("statement", {}).get("lineNumber")
        where = f" (line {line} of the body)" if line else ""
        yield Issue(result["function"], issue["level"], f"{issue['message']}{where}")


def _is_allowed(issue: Issue) -> bool:
    return any(issue.function == name and issue.message.startswith(text) for name, text in ALLOWED)


class _Server:
    def __init__(self, port: int, passwords: dict[str, str]) -> None:
        self._port = port
        self._passwords = passwords

    def url(self, role: str, name: str) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self._port}/{name}?sslmode=disable"


@contextlib.contextmanager
def _cluster() -> Iterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="nexora-lint-") as folder, contextlib.ExitStack() as closing:
        folder_path = Path(folder)
        folder_path.chmod(0o755)  # Postgres runs as another user where we are root
        place_ = place(folder_path)
        user, data = place_.user, place_.data
        own_secrets, port = StackSecrets(), _free_port()
        server = _Server(port, {ADMIN: own_secrets.admin_password, "postgres": own_secrets.postgres_password})
        _initdb(data, user, own_secrets.admin_password)
        process = processes.spawn(
            [POSTGRES / "postgres", "-D", data, *_settings(port)],
            user=user,
            death_signal=signal.SIGQUIT,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        )
        closing.callback(processes.stop, process, signal_number=signal.SIGQUIT, grace_seconds=10)
        _wait(server, process)
        api = ApiServer({}, folder_path / "api.log")
        closing.callback(api.close)
        _provision(server, own_secrets, api)
        yield server


def _settings(port: int) -> list[str]:
    values = {
        "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off",
        "password_encryption": "scram-sha-256", "timezone": "UTC", "log_min_messages": "panic",
    }  # fmt: skip
    return [part for name, value in values.items() for part in ("-c", f"{name}={value}")]


def _initdb(data: Path, user: processes.User | None, password: str) -> None:
    password_file = data.parent / f"{secrets.token_hex(8)}.password"
    write_private(password_file, password)
    if user:
        os.chown(password_file, user.uid, user.gid)
    options = [f"--username={ADMIN}", f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
    try:
        processes.run(
            [POSTGRES / "initdb", *options, "--locale=C", "--no-sync", "-D", data],
            user=user,
            env={"PATH": os.defpath},
        )
    except subprocess.CalledProcessError as error:
        raise ToolError(f"initdb of Postgres 15 failed: {error.stderr.strip()}") from error
    finally:
        password_file.unlink()


def _wait(server: _Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(server.url(ADMIN, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise ToolError("Postgres 15 did not start") from error
            time.sleep(0.05)
        else:
            return


def _provision(server: _Server, own_secrets: StackSecrets, api: ApiServer) -> None:
    text = Path(database.__file__).with_name("sql").joinpath("cluster.sql").read_text()
    roles = sql.SQL(_for_postgres_15(text)).format(
        postgres_password=sql.Literal(own_secrets.postgres_password),
        api_password=sql.Literal(own_secrets.api_password),
    )
    with psycopg.connect(server.url(ADMIN, "postgres"), autocommit=True) as connection:
        connection.execute(roles)
        database.prepare(connection, "postgres")
        database.provision(connection, lambda: api.provision(server.url(ADMIN, "postgres")))


def _for_postgres_15(text: str) -> str:
    def membership(options: re.Match[str]) -> str:
        return " with admin option" if "admin true" in options.group() else ""

    return _MEMBERSHIP_OPTIONS.sub(membership, text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
