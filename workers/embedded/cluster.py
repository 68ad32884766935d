"""The Postgres cluster of an embedded stack: create, start, stop, restart, recover after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from workers.embedded import processes
from workers.embedded.keys import StackSecrets, write_private
from workers.embedded.placement import Placement
from workers.embedded.ports import free_port

ADMIN = "supabase_admin"  # the name of the superuser on hosted, too

# What differs from Postgres' defaults, and why.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # only TCP with a password: no path-length limit, no login by user name
    "password_encryption": "scram-sha-256",
    # Our passwords are 256 random bits: stretching adds nothing and costs 3 ms a connection.
    "scram_iterations": "1",
    "max_connections": "200",
    "wal_level": "logical",  # as on hosted
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    # A server log must never carry what people wrote: no statements, no parameters, no row contents.
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_messages": "log",  # above error: even the message of an error may quote a value
    "log_statement": "none",
}

_EPHEMERAL = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum_naptime": "1min",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "1h",
}

_ZONES = Path("/usr/share/zoneinfo/UTC")  # the wheel has none of its own
_START_SECONDS = 60.0  # after a crash the write-ahead log is replayed first
_STOP_SECONDS = 30.0
_PORT_TRIES = 5  # between choosing a free port and using it, another program may take it


class ClusterError(Exception):
    """Postgres could not be created, started or reached; the message says where its log is."""


class Cluster:
    """One cluster. Not thread-safe: a stack owns it."""

    def __init__(self, placement: Placement, secrets: StackSecrets, log: Path, *, durable: bool) -> None:
        self._placement = placement
        self._secrets = secrets
        self._log = log
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def exists(self) -> bool:
        return (self._placement.data / "PG_VERSION").exists()

    def create(self) -> None:
        """Runs initdb. What is there from an earlier run is thrown away.

        Raises:
            ClusterError: initdb failed, or the machine has no time zones.
        """
        if not _ZONES.exists():
            raise ClusterError(f"{_ZONES.parent} is missing; install the system's tzdata package")
        self._recover()
        data = self._placement.data
        if data.exists():
            _empty(data)
        password_file = data.parent / "initdb.password"
        write_private(password_file, self._secrets.admin_password)
        if self._placement.user:
            os.chown(password_file, self._placement.user.uid, self._placement.user.gid)
        try:
            self._initdb(password_file)
        finally:
            password_file.unlink()

    def _initdb(self, password_file: Path) -> None:
        options = [
            f"--username={ADMIN}",
            f"--pwfile={password_file}",
            "--set=scram_iterations=1",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        # The wheel has no ICU and a slim machine has no locales: the built-in provider is the same
        # everywhere.
        options += [
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--no-instructions",
            "--no-sync",  # the stack does it once, when everything is there
        ]
        try:
            processes.run(
                [self._tool("initdb"), *options, "-D", self._placement.data],
                user=self._placement.user,
                env=_clean_environment(),
            )
        except subprocess.CalledProcessError as error:
            raise ClusterError(f"initdb failed: {error.stderr.strip()}") from error
        hosts = "# Written by workers/embedded. Only TCP from this machine, only with a password.\n"
        hosts += "host all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 scram-sha-256\n"
        (self._placement.data / "pg_hba.conf").write_text(hosts)

    def start(self) -> None:
        """Starts the server and waits until it answers.

        Raises:
            ClusterError: it did not come up.
        """
        self._recover()
        for _ in range(_PORT_TRIES):
            self.port = free_port()
            if self._start_on_port():
                return
        raise ClusterError(f"Postgres did not start; see {self._log}")

    def restart(self) -> None:
        """Stops the server as a machine that is switched off would, and starts it on the same port."""
        self.stop(signal.SIGQUIT)
        if not self._start_on_port():
            raise ClusterError(f"Postgres did not start again on port {self.port}; see {self._log}")

    def stop(self, signal_number: signal.Signals = signal.SIGINT) -> None:
        """Stops the server: SIGINT ends sessions and writes a checkpoint, SIGQUIT does neither."""
        if self._process:
            processes.stop(self._process, signal_number=signal_number, grace_seconds=_STOP_SECONDS)
            self._process = None

    def _start_on_port(self) -> bool:
        settings = {**_SETTINGS, **({} if self._durable else _EPHEMERAL), "port": str(self.port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = processes.spawn(
                [self._tool("postgres"), "-D", self._placement.data, *options],
                user=self._placement.user,
                death_signal=signal.SIGQUIT,  # the postmaster takes its children with it
                env=_clean_environment(),
                stdout=log,
                stderr=log,
            )
        return self._wait_until_ready(self._process)

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        status = self._placement.data / "postmaster.pid"
        while process.poll() is None:
            # The last line of this file says "ready" once connections are taken; asking by connecting would
            # be slower.
            if _is_ready(status, process.pid):
                return True
            if time.monotonic() > deadline:
                self.stop(signal.SIGQUIT)
                raise ClusterError(
                    f"Postgres did not get ready within {_START_SECONDS:.0f} s; see {self._log}"
                )
            time.sleep(0.01)
        return False

    def _recover(self) -> None:
        """Makes way after a run that was killed: ends a server that is left over and removes its pid file."""
        pid_file = self._placement.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return
        deadline = time.monotonic() + _STOP_SECONDS
        while _runs_in(pid, self._placement.data):
            os.kill(pid, signal.SIGQUIT if time.monotonic() < deadline else signal.SIGKILL)
            time.sleep(0.05)
        pid_file.unlink(missing_ok=True)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """A superuser connection in autocommit mode."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=ADMIN,
            password=self._secrets.admin_password,
            dbname=database,
            autocommit=True,
            connect_timeout=10,
        )

    def remove(self) -> None:
        """Deletes the data of a stopped cluster."""
        shutil.rmtree(self._placement.data, ignore_errors=True)
        for directory in self._placement.outside:
            shutil.rmtree(directory, ignore_errors=True)

    def _tool(self, name: str) -> Path:
        return self._placement.binaries / name


def _is_ready(status: Path, pid: int) -> bool:
    try:
        lines = status.read_text().splitlines()
    except OSError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _runs_in(pid: int, data: Path) -> bool:
    """Whether process `pid` is a Postgres of this data directory, and not a stranger who got the number
    later.
    """
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return os.fsencode(data) in command


def _empty(directory: Path) -> None:
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _clean_environment() -> dict[str, str]:
    """Neither PG* settings of the caller nor its secrets reach the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
