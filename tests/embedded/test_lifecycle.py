"""The stack starts anywhere, as anybody, and never outlives its parent."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.embedded.conftest import Caller, python_for_everybody, reachable_by_all
from workers.embedded import PlacementError, Stack, placement
from workers.embedded.api import find_node

ROOT = Path(__file__).resolve().parents[2]

# Starts a stack, says where it is, and waits to be killed.
PARENT = """
import sys, time
from pathlib import Path
from workers.embedded import Stack
stack = Stack.start(Path(sys.argv[1]), durable=sys.argv[2] == "durable")
import psycopg
with psycopg.connect(stack.database_url, autocommit=True) as connection:
    connection.execute("create table if not exists public.kept (id int)")
    connection.execute("insert into public.kept values (1)")
    print(connection.execute("select count(*) from public.kept").fetchone()[0], flush=True)
stack.serve()
time.sleep(600)
"""


def processes_of(state: Path) -> list[int]:
    """Processes that have the directory in their command line, or the Node that was started for it."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
            log = str((entry / "fd" / "2").readlink()) if b"main.mjs" in command else ""
        except OSError:
            continue
        if os.fsencode(state) in command or log.startswith(str(state)):
            found.append(int(entry.name))
    return found


def wait_until_gone(state: Path, parent: int) -> list[int]:
    deadline = time.monotonic() + 10
    left = processes_of(state)
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [pid for pid in processes_of(state) if pid != parent]
    return left


@pytest.fixture
def open_directory(tmp_path: Path) -> Iterator[Path]:
    """A directory that every user can reach, with a space in its name."""
    directory = Path("/var/tmp") / f"open {tmp_path.name} {os.getpid()}"  # noqa: S108
    directory.mkdir(mode=0o755)
    yield directory
    shutil.rmtree(directory)


def start_parent(state: Path, kind: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", PARENT, str(state), kind]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def rows_when_ready(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout is not None
    return int(parent.stdout.readline())


def kill(parent: subprocess.Popen[str]) -> None:
    time.sleep(0.3)  # past serve()
    parent.kill()
    with parent:
        pass


def test_killing_the_parent_ends_everything_and_the_next_start_recovers(open_directory: Path) -> None:
    parent = start_parent(open_directory, "durable")
    assert rows_when_ready(parent) == 1
    assert len(processes_of(open_directory)) >= 3  # the parent, Postgres and Node
    kill(parent)
    assert wait_until_gone(open_directory, parent.pid) == []
    parent = start_parent(open_directory, "durable")
    assert rows_when_ready(parent) == 2
    kill(parent)
    # No waiting this time: the next one comes while Postgres is still on its way out.
    parent = start_parent(open_directory, "durable")
    assert rows_when_ready(parent) == 3
    parent.send_signal(signal.SIGTERM)
    with parent:
        pass
    assert wait_until_gone(open_directory, parent.pid) == []


def test_children_outlive_the_thread_that_started_the_stack(open_directory: Path) -> None:
    """The kernel's death signal is tied to a thread; ours never ends while the process lives."""
    code = """
import sys, threading, time
from pathlib import Path
from workers.embedded import Stack
stacks = []
thread = threading.Thread(target=lambda: stacks.append(Stack.start(Path(sys.argv[1]), durable=False)))
thread.start(); thread.join(); time.sleep(0.5)
import psycopg
with stacks[0] as stack, psycopg.connect(stack.database_url) as connection:
    print(connection.execute("select 1").fetchone()[0])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(open_directory)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.returncode) == ("1\n", 0), result.stderr


def test_a_directory_serves_one_stack_at_a_time(tmp_path: Path) -> None:
    with Stack.start(tmp_path / "one", durable=False), pytest.raises(PlacementError, match="another"):
        Stack.start(tmp_path / "one", durable=False)


def test_two_stacks_side_by_side_and_nothing_left_behind(tmp_path: Path) -> None:
    with (
        Stack.start(tmp_path / "one", durable=False) as one,
        Stack.start(tmp_path / "two", durable=False) as two,
    ):
        assert one.secrets != two.secrets
        assert one.database_url != two.database_url
        one.stop()
        one.stop()
        with psycopg.connect(two.database_url) as connection:
            connection.execute("select 1")
    assert processes_of(tmp_path) == []


def test_an_ephemeral_stack_starts_empty_after_a_kill(open_directory: Path) -> None:
    parent = start_parent(open_directory, "ephemeral")
    assert rows_when_ready(parent) == 1
    kill(parent)
    parent = start_parent(open_directory, "ephemeral")
    assert rows_when_ready(parent) == 1
    kill(parent)
    assert wait_until_gone(open_directory, parent.pid) == []
    placement.remove_orphans()
    origins = Path("/dev/shm").glob("nexora-*/origin")  # noqa: S108
    assert str(open_directory) not in [origin.read_text() for origin in origins]


def test_secrets_are_private_and_survive(open_directory: Path) -> None:
    with Stack.start(open_directory) as stack:
        secrets = stack.secrets
        assert secrets.secret_key not in repr(secrets)
        mode = stat.S_IMODE((open_directory / "secrets.json").stat().st_mode)
        assert mode == 0o600
    with Stack.start(open_directory) as stack:
        assert stack.secrets == secrets
    with pytest.raises(PlacementError, match="durable"):
        Stack.start(open_directory, durable=False)


def test_the_api_goes_on_after_a_restart_of_postgres(tmp_path: Path) -> None:
    with Stack.start(tmp_path / "state", durable=False) as stack:
        caller = Caller(stack.serve(), stack.secrets.publishable_key)
        url = stack.database_url
        assert caller.request("GET", "/rest/v1/missing").status_code == 404
        stack.restart_postgres()
        assert stack.database_url == url
        with psycopg.connect(url) as connection:
            connection.execute("select 1")
        statuses = [caller.request("GET", "/rest/v1/missing").status_code for _ in range(3)]
        assert statuses[-1] == 404


def test_logs_carry_no_content(tmp_path: Path) -> None:
    with Stack.start(tmp_path / "state", durable=False) as stack:
        caller = Caller(stack.serve(), stack.secrets.publishable_key)
        with psycopg.connect(stack.database_url, autocommit=True) as connection:
            with pytest.raises(psycopg.Error):
                connection.execute("select %s::int", ["my-private-text"])
            with pytest.raises(psycopg.Error):
                connection.execute("do $$ begin raise exception 'my-private-text'; end $$")
            connection.execute(
                "create function public.f(t text) returns int language sql return t::int;"
                "grant execute on function public.f(text) to anon"
            )
        caller.rpc("f", t="my-private-text")
        caller.request("POST", "/auth/v1/signup", json={"email": "my-private-text", "password": "x"})
        logs = (tmp_path / "state" / "postgres.log", tmp_path / "state" / "api.log")
        text = "".join(log.read_text() for log in logs)
    assert "database system is ready" in text
    assert "my-private-text" not in text
    assert stack.secrets.postgres_password not in text


def test_an_api_for_a_copied_database_is_there_at_once(stack: Stack, database: str) -> None:
    stack.create_database("timed", template=database)
    try:
        start = time.monotonic()
        api = stack.serve("timed")
        assert httpx.get(
            f"{api}/auth/v1/health", headers={"apikey": stack.secrets.publishable_key}
        ).is_success
        assert time.monotonic() - start < 10
        stack.unserve("timed")
        with pytest.raises(httpx.ConnectError):
            httpx.get(api)
    finally:
        stack.drop_database("timed")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_a_user_without_rights(open_directory: Path) -> None:
    """In a copy of the checkout that belongs to `nobody`, with an environment that everybody may read."""
    python = python_for_everybody()
    if not reachable_by_all(Path(psycopg.__file__)):
        pytest.skip("an unprivileged user cannot reach the Python packages")
    for part in ("workers", "supabase"):
        shutil.copytree(
            ROOT / part, open_directory / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    state = open_directory / "state"
    state.mkdir()
    shutil.chown(state, "nobody", "nogroup")
    code = """
import os, sys
from pathlib import Path
from workers.embedded import Stack
with Stack.start(Path(sys.argv[1]), durable=False) as stack:
    print(os.geteuid(), stack.serve()[:16])
"""
    result = subprocess.run(
        [python, "-c", code, str(state)],
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd="/",
        env={
            "PATH": f"{Path(find_node()).parent}:/usr/bin:/bin",
            "PYTHONPATH": f"{open_directory}{os.pathsep}{Path(psycopg.__file__).parents[1]}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == f"{pwd.getpwnam('nobody').pw_uid} http://127.0.0.1\n", result.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has this problem")
def test_as_root_with_a_checkout_that_others_cannot_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placement, "_MEMORY_BYTES", 2**60)  # else it would lie in memory
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with Stack.start(closed / "state", durable=False) as stack:
        with psycopg.connect(stack.admin_url) as connection:
            row = connection.execute("select current_setting('data_directory')").fetchone()
        assert row is not None
        outside = Path(row[0]).parent
        assert outside.parent == Path("/var/tmp")  # noqa: S108
        assert outside.stat().st_uid == 0
        assert (outside / "postgres").stat().st_uid != 0
        assert stat.S_IMODE((outside / "postgres").stat().st_mode) == 0o700
    assert not outside.exists()
