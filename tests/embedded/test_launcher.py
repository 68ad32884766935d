"""`./nexora` in a checkout of its own, small enough to install within seconds and without a network."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.conftest import python_for_everybody
from workers.cli.main import COMMANDS
from workers.embedded.api import find_node

ROOT = Path(__file__).resolve().parents[2]
EMPTY_LOCK = {"name": "x", "lockfileVersion": 3, "requires": True, "packages": {"": {"name": "x"}}}
MAIN = """
import json, os, shutil, sys
print(json.dumps({"arguments": sys.argv[1:], "root": os.environ["NEXORA_ROOT"], "cwd": os.getcwd(),
                  "node": shutil.which("node"), "prefix": sys.prefix,
                  "compiled": [sys.dont_write_bytecode, sys.pycache_prefix]}))
"""


class Checkout:
    """A miniature of the project: the real launcher, empty lock files, a `workers` that tells of its call."""

    def __init__(self, directory: Path, tools: Path) -> None:
        self.path = directory
        self.tools = tools

    def write(self) -> None:
        directory = self.path
        (directory / "workers").mkdir(parents=True)
        (directory / "workers" / "__init__.py").touch()
        (directory / "workers" / "__main__.py").write_text(MAIN)
        (directory / "supabase" / "local").mkdir(parents=True)
        shutil.copy(ROOT / "nexora", directory / "nexora")
        for name in ("requirements.lock", "requirements-dev.lock"):
            (directory / name).write_text("# nothing\n")
        self.write_npm(EMPTY_LOCK)

    def write_npm(self, lock: dict[str, Any]) -> None:
        local = self.path / "supabase" / "local"
        (local / "package.json").write_text(json.dumps(lock["packages"][""]))
        (local / "package-lock.json").write_text(json.dumps(lock))
        (local / ".npmrc").write_text("offline=true\n")

    def start(self, *arguments: str, cwd: Path | None = None, **options: Any) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("PYTHONPYCACHEPREFIX", None)
        return subprocess.Popen(
            [sys.executable, self.path / "nexora", *arguments],
            cwd=cwd or self.path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(self, *arguments: str, **options: Any) -> tuple[int, str, str]:
        with self.start(*arguments, **options) as process:
            output, errors = process.communicate(timeout=120)
        return process.returncode, output, errors


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with `node` and `npm` as they are where Node was installed in the usual way."""
    node = Path(find_node())
    npm = node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not npm.exists():
        pytest.skip("this Node has no npm beside it")
    directory = tmp_path_factory.mktemp("tools")
    (directory / "node").symlink_to(node)
    (directory / "npm").symlink_to(npm)
    return directory


@pytest.fixture
def checkout(tmp_path: Path, tools: Path) -> Checkout:
    made = Checkout(tmp_path / "my checkout", tools)
    made.write()
    return made


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory, tools: Path) -> Checkout:
    made = Checkout(tmp_path_factory.mktemp("installed") / "my checkout", tools)
    made.write()
    code, _, errors = made.run("worker")
    assert code == 0, errors
    return made


@pytest.fixture
def copied(installed: Checkout, tmp_path: Path) -> Checkout:
    """An installed checkout to be spoiled: quicker copied than made."""
    shutil.copytree(installed.path, tmp_path / "copied", symlinks=True)
    return Checkout(tmp_path / "copied", installed.tools)


def test_help_needs_no_setup(checkout: Checkout) -> None:
    for arguments in ([], ["-h"], ["--help"]):
        code, output, _ = checkout.run(*arguments)
        assert code == 0
        for command in (*COMMANDS, "test", "setup"):
            assert f"\n  {command} " in output
    assert not (checkout.path / ".nexora").exists()


def test_an_unknown_command_is_named_before_anything_is_installed(checkout: Checkout) -> None:
    code, _, errors = checkout.run("dmeo")
    assert code == 1
    assert "no command 'dmeo'" in errors
    assert not (checkout.path / ".nexora").exists()


def test_an_old_python_is_told_so(checkout: Checkout) -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 8, 1, 'final', 0); sys.argv = ['nexora', 'demo'];"
        f"runpy.run_path({str(checkout.path / 'nexora')!r}, run_name='__main__')"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Python 3.11 or newer; this is 3.8" in result.stderr


def test_hands_over_with_the_environment_set(installed: Checkout, tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()  # must not win over the one of the checkout
    (tmp_path / "workers" / "__main__.py").write_text("print('wrong')")
    code, output, _ = installed.run("worker", "--x", "a b", cwd=tmp_path)
    assert code == 0
    assert json.loads(output) == {
        "arguments": ["worker", "--x", "a b"],
        "root": str(installed.path),
        "cwd": str(tmp_path),
        "node": str(installed.tools / "node"),
        "prefix": str(installed.path / ".nexora" / "venv"),
        "compiled": [False, str(installed.path / ".nexora" / "pycache")],
    }


def test_the_second_call_is_quick_and_silent(installed: Checkout) -> None:
    times = []
    for _ in range(5):
        start = os.times()
        _, _, errors = installed.run("worker")
        end = os.times()
        # Of the processor, not of the clock: the machine may have other work.
        times.append(end.children_user + end.children_system - start.children_user - start.children_system)
        assert errors == ""
    assert min(times) < 0.3


def test_works_through_a_link_and_from_another_directory(installed: Checkout, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(installed.path / "nexora")
    result = subprocess.run(
        [tmp_path / "link", "worker"], cwd="/", capture_output=True, text=True, check=True
    )
    assert json.loads(result.stdout)["root"] == str(installed.path)


def test_simultaneous_first_calls_install_once_whatever_the_umask(checkout: Checkout) -> None:
    calls = [checkout.start("worker", umask=0o077) for _ in range(3)]
    outputs = [call.communicate(timeout=120) for call in calls]
    assert [call.returncode for call in calls] == [0, 0, 0]
    assert sum("installing npm packages" in errors for _, errors in outputs) == 1


def test_a_changed_lock_file_is_installed(copied: Checkout) -> None:
    (copied.path / "requirements.lock").write_text("# nothing new\n")
    _, _, errors = copied.run("worker")
    assert "installing Python packages" in errors
    assert "creating the Python environment" not in errors


def test_a_failed_step_says_why_and_the_next_call_resumes(copied: Checkout) -> None:
    missing = {"version": "1.0.0", "integrity": "sha512-" + "A" * 86 + "=="}
    root = {"name": "x", "dependencies": {"not-in-any-cache": "1.0.0"}}
    packages = {"": root, "node_modules/not-in-any-cache": missing}
    copied.write_npm({**EMPTY_LOCK, "packages": packages})
    code, _, errors = copied.run("worker")
    assert code == 1
    assert "installing npm packages failed" in errors
    assert "ENOTCACHED" in errors
    assert "run the same command again" in errors
    copied.write_npm(EMPTY_LOCK)
    code, _, errors = copied.run("worker")
    assert code == 0
    assert "Python" not in errors  # that part was complete


def test_the_next_call_resumes_after_a_kill(checkout: Checkout) -> None:
    with checkout.start("worker") as call:
        while not (checkout.path / ".nexora" / "venv" / "bin").exists():
            time.sleep(0.01)
        call.send_signal(signal.SIGKILL)
    code, output, errors = checkout.run("worker")
    assert code == 0, errors
    assert json.loads(output)["arguments"] == ["worker"]


def test_a_deleted_environment_is_made_again(copied: Checkout) -> None:
    shutil.rmtree(copied.path / ".nexora" / "venv")
    shutil.rmtree(copied.path / "supabase" / "local" / "node_modules")
    code, _, errors = copied.run("worker")
    assert code == 0, errors
    assert "installing Python packages" in errors
    assert "installing npm packages" in errors


def test_test_runs_pytest_in_the_checkout(installed: Checkout, tmp_path: Path) -> None:
    site_packages = next((installed.path / ".nexora" / "venv" / "lib").glob("python*/site-packages"))
    (site_packages / "pytest.py").write_text("import os, sys; print(os.getcwd(), sys.argv[1:])")
    _, output, _ = installed.run("test", "-k", "one", cwd=tmp_path)
    assert output == f"{installed.path} ['-k', 'one']\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_checkout_of_somebody_else(tools: Path) -> None:
    python = python_for_everybody()
    directory = Path("/var/tmp") / f"foreign checkout {os.getpid()}"  # noqa: S108
    Checkout(directory, tools).write()
    try:
        result = subprocess.run(
            [python, directory / "nexora", "worker"],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(directory)
    assert result.returncode == 1
    assert "Run nexora as the owner of the checkout" in result.stderr
