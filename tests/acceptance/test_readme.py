"""Every command of the README runs as it stands there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHELL = re.compile(r"```sh\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
COMMANDS = [line for block in SHELL.findall(README) for line in block.splitlines() if line.strip()]
THIS_ONE = "./nexora test"
UNTIL_CTRL_C = "./nexora up"


def _environment() -> dict[str, str]:
    """Nothing is configured, as on a fresh machine."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("NEXORA_", "SUPABASE_"))
    }


def _arguments(command: str, *more: str) -> list[str]:
    return [sys.executable, *command.split(), *more]


def test_there_are_commands() -> None:
    assert {THIS_ONE, UNTIL_CTRL_C, "./nexora demo"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c not in (THIS_ONE, UNTIL_CTRL_C)])
def test_the_command_succeeds(command: str, tmp_path: Path) -> None:
    more = ["--report", str(tmp_path / "demo.html")] if command.endswith("demo") else []
    command = command.replace("attestation.html", str(tmp_path / "attestation.html"))
    answer = subprocess.run(
        _arguments(command, *more), cwd=ROOT, env=_environment(), capture_output=True, text=True, check=False
    )
    skipped = command.endswith("lint") and answer.returncode == 3  # Debian's plpgsql_check is not there
    assert answer.returncode == 0 or skipped, answer.stdout + answer.stderr


def test_up_serves_until_ctrl_c(tmp_path: Path) -> None:
    with subprocess.Popen(
        _arguments(UNTIL_CTRL_C, "--state", str(tmp_path / "up")),
        cwd=ROOT,
        env={**_environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        said = ""
        while "Ctrl-C" not in said:
            line = up.stdout.readline()
            assert line, said
            said += line
        up.send_signal(signal.SIGINT)
        rest, _ = up.communicate(timeout=60)
    assert up.returncode == 0, said + rest
    assert "SUPABASE_PUBLISHABLE_KEY" in said


def test_the_example_uses_what_exists() -> None:
    types = (ROOT / "supabase" / "types" / "database.types.ts").read_text()
    for name in re.findall(r"\.(?:from|rpc)\(\"(\w+)\"", README):
        assert f'"{name}": {{' in types
    for parameter in re.findall(r"\b(p_\w+):", README):
        assert parameter in types


@pytest.mark.parametrize("page", ["README.md", "ARCHITECTURE.md", "CONVENTIONS.md", "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    for target in LINK.findall((ROOT / page).read_text()):
        assert (ROOT / target).exists(), target
