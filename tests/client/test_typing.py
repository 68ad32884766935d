"""The client's types reach its users."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_consumer_passes_strict_checks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--no-error-summary"]
    command += ["--config-file=", f"--cache-dir={tmp_path}", "tests/client/typed_consumer.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_package_says_that_it_is_typed() -> None:
    assert files("nexora_client").joinpath("py.typed").is_file()
