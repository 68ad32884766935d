"""Real processes for tests: the worker as operators run it."""

from __future__ import annotations

import base64
import json
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import httpx

from tests.support.api import Api
from workers.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent.parent
REDIRECT = "http://127.0.0.1:3000/connected"


def free_port() -> int:
    """A TCP port of the loopback address that nobody uses at this moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def new_keyring() -> str:
    """A keyring with one fresh key, as `./nexora keys new` prints it."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return json.dumps({"keys": {"k1": {"state": "primary", "key": key}}})


KEYRING = new_keyring()
# Every worker is a process of its own, forked from one that has imported everything: importing takes a second.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.support.preloaded", "pytest"])


@dataclass
class RunningWorker:
    """A worker process; killed at the end of its context whatever happened."""

    process: BaseProcess
    web_url: str
    log_path: Path

    @property
    def pid(self) -> int:
        """Process id."""
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        """`kill -9`: nothing of the worker's own runs any more."""
        self.process.kill()
        self.process.join(timeout=60)

    def stop(self, timeout: float = 60) -> int:
        """SIGTERM, as container hosts send it; returns the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        self.process.join(timeout=timeout)
        assert self.process.exitcode is not None, "the worker did not stop"
        return self.process.exitcode

    def log_text(self) -> str:
        """Everything the process wrote to stdout and stderr so far."""
        return self.log_path.read_text()


def worker_environment(
    api: Api, sandbox: Sandbox, *, port: int, gateway_url: str | None = None, **extra: str
) -> dict[str, str]:
    """The environment of a worker of `api` and `sandbox`; `gateway_url` puts a proxy before the API."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("NEXORA_", "SUPABASE_"))
    }
    environment.update(
        SUPABASE_URL=gateway_url or api.url,
        SUPABASE_SECRET_KEY=api.secret_key,
        SUPABASE_PUBLISHABLE_KEY=api.publishable_key,
        NEXORA_TOKEN_KEYRING=KEYRING,
        NEXORA_SANDBOX_URL=sandbox.url,
        NEXORA_SANDBOX_SECRET=sandbox.secret,
        NEXORA_PUBLIC_URL=f"http://127.0.0.1:{port}",
        NEXORA_WEB_HOST="127.0.0.1",
        NEXORA_WEB_PORT=str(port),
        NEXORA_REDIRECT_URLS=REDIRECT,
    )
    return environment | extra


@contextmanager
def running_worker(
    api: Api, sandbox: Sandbox, log_dir: Path, *, gateway_url: str | None = None, **extra: str
) -> Iterator[RunningWorker]:
    """Start what `./nexora worker` runs and wait until its health endpoint answers."""
    port = free_port()
    environment: Mapping[str, str] = worker_environment(
        api, sandbox, port=port, gateway_url=gateway_url, **extra
    )
    log_path = log_dir / f"worker-{port}.log"
    process = _FORKS.Process(target=_run_worker, args=(dict(environment), log_path), daemon=True)
    process.start()
    worker = RunningWorker(process, f"http://127.0.0.1:{port}", log_path)
    try:
        _wait_until_healthy(worker)
        yield worker
    finally:
        if process.is_alive():
            worker.kill()


def _run_worker(environment: dict[str, str], log_path: Path) -> None:
    """What the forked process does: become the command line's worker."""
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    from workers.cli.main import main

    sys.exit(main(["worker"]))


def _wait_until_healthy(worker: RunningWorker, timeout: float = 60) -> None:
    give_up = time.monotonic() + timeout
    while time.monotonic() < give_up:
        if not worker.process.is_alive():
            break
        try:
            if httpx.get(f"{worker.web_url}/health", timeout=1).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the worker did not become healthy:\n{worker.log_text()[-4000:]}")
