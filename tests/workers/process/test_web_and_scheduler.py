"""The web server inside the process, periodic work, and the command line."""

from __future__ import annotations

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from workers.cli import main as cli
from workers.errors import ConfigurationError, TransportError
from workers.gateway import HousekeepingResult
from workers.jobs.housekeeping import run_housekeeping
from workers.scheduler import Scheduler
from workers.vault.keyring import new_keyring_json
from workers.web.server import WebServer

ROOT = pathlib.Path(__file__).resolve().parents[3]


async def _hello(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


def _app() -> Starlette:
    return Starlette(routes=[Route("/", _hello)])


@pytest.mark.anyio
async def test_the_web_server_serves_and_stops() -> None:
    before = signal.getsignal(signal.SIGTERM)
    server = WebServer(_app(), "127.0.0.1", 0)
    task = asyncio.create_task(server.serve())
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://127.0.0.1:{server.port}/")
    assert response.text == "hello"
    assert "server" not in response.headers
    assert signal.getsignal(signal.SIGTERM) is before, "signals are the process's business"
    server.stop()
    await asyncio.wait_for(task, 30)


@pytest.mark.anyio
async def test_a_port_in_use_names_the_variable() -> None:
    first = WebServer(_app(), "127.0.0.1", 0)
    with pytest.raises(ConfigurationError, match="NEXORA_WEB_PORT"):
        WebServer(_app(), "127.0.0.1", first.port)
    first._socket.close()


@pytest.mark.anyio
async def test_periodic_work_runs_at_intervals_and_never_overlaps_itself() -> None:
    scheduler = Scheduler()
    runs, at_once, most = 0, 0, 0

    async def work() -> None:
        nonlocal runs, at_once, most
        runs += 1
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.1)
        at_once -= 1

    scheduler.every(0.03, work, name="work", first_after=0.0)
    scheduler.start()
    await asyncio.sleep(0.45)
    scheduler.stop()
    await asyncio.sleep(0.15)
    seen = runs
    await asyncio.sleep(0.1)
    assert 2 <= seen == runs
    assert most == 1


class _House:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def run_housekeeping(self) -> list[HousekeepingResult]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return [HousekeepingResult(task="forget_workers", affected=3)]


@pytest.mark.anyio
@pytest.mark.parametrize(("answer", "done"), [(None, True), (TransportError("run_housekeeping", "x"), False)])
async def test_housekeeping_survives_a_failure(answer: Any, done: bool) -> None:
    assert await run_housekeeping(_House(answer)) is done


# --- the command line ---------------------------------------------------------------------------------------


def _environment(**extra: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("NEXORA_", "SUPABASE_"))}
    return clean | {"PYTHONPATH": str(ROOT)} | extra


def _complete() -> dict[str, str]:
    return {
        "SUPABASE_URL": "http://127.0.0.1:9",
        "SUPABASE_SECRET_KEY": "sb_secret_canary",
        "NEXORA_TOKEN_KEYRING": new_keyring_json(),
        "NEXORA_PUBLIC_URL": "http://127.0.0.1:8080",
        "NEXORA_WEB_PORT": "0",
    }


def _run(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers", *arguments],
        env=_environment(**extra),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
    )


def test_help_names_every_command() -> None:
    done = _run("--help")
    assert done.returncode == 0
    assert [name for name in cli.COMMANDS if name not in done.stdout] == []


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from workers.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'supabase', 'uvicorn', 'cryptography', 'structlog'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=_environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("command", [["worker"], []])
def test_a_worker_without_its_variables_says_which(command: list[str]) -> None:
    done = _run(*command)
    assert done.returncode == 2
    assert done.stderr == "nexora: SUPABASE_URL: is not set\n"


def test_a_worker_with_a_bad_keyring_does_not_start() -> None:
    done = _run("worker", **_complete() | {"NEXORA_TOKEN_KEYRING": '{"keys": {"canary": {}}}'})
    assert done.returncode == 2
    assert "NEXORA_TOKEN_KEYRING" in done.stderr


def test_variables_come_from_a_file_on_request_and_the_environment_wins(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "env"
    file.write_text("NEXORA_TEST_A=file\nNEXORA_TEST_B='quoted $HOME'\n")
    monkeypatch.setenv("NEXORA_TEST_A", "environment")
    monkeypatch.delenv("NEXORA_TEST_B", raising=False)
    cli._read_env_file(file)
    assert (os.environ["NEXORA_TEST_A"], os.environ["NEXORA_TEST_B"]) == ("environment", "quoted $HOME")
    monkeypatch.delenv("NEXORA_TEST_B")


def test_a_missing_file_is_an_error() -> None:
    done = _run("--env-file", "/nowhere/env", "worker")
    assert (done.returncode, done.stderr) == (2, "nexora: --env-file: there is no such file\n")


def _started(database: str = "http://127.0.0.1:9") -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "workers", "worker"],
        env=_environment(**_complete() | {"SUPABASE_URL": database}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
    )
    assert process.stderr is not None
    for line in process.stderr:  # its first line says that the database is away
        if "register_failed" in line:
            break
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_for_its_database_stops_in_order(number: signal.Signals) -> None:
    process = _started()
    process.send_signal(number)
    started = time.monotonic()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert time.monotonic() - started < 15
    assert "sb_secret_canary" not in errors
    assert "Traceback" not in errors
