"""The import contracts of pyproject.toml, and that they notice what breaks them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLANTED = {
    "cli → process": ("workers/vault/planted.py", "import workers.jobs\n"),
    "production never imports": ("workers/jobs/planted.py", "import workers.sandbox\n"),
    "only the gateway": ("workers/providers/planted.py", "import supabase\n"),
    "never by SQL": ("workers/jobs/planted_sql.py", "import psycopg\n"),
    "nexora_client stands alone": ("nexora_client/planted.py", "import workers.errors\n"),
}


def lint(tree: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    tree = tmp_path_factory.mktemp("broken")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in ("workers", "nexora_client"):
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, text in PLANTED.values():
        (tree / path).write_text(text)
    answer = lint(tree)
    assert answer.returncode == 1, answer.stdout
    return answer.stdout


def test_the_contracts_are_kept() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("contract", PLANTED)
def test_a_planted_import_breaks_its_contract(broken: str, contract: str) -> None:
    assert any(contract in line and "BROKEN" in line for line in broken.splitlines()), broken
