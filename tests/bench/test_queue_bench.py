"""`./nexora bench queue` from end to end on tiny sizes, with every peer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
ROOT = Path(__file__).resolve().parents[2]
FIELDS = {"system", "version", "scenario", "metric", "value", "unit"}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, Any]]]:
    """What the command printed, and what it wrote."""
    path = tmp_path_factory.mktemp("bench") / "figures.json"
    command = [sys.executable, ROOT / "nexora", "bench", "queue", "--tiny", "--json", path]
    result = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout, json.loads(path.read_text())


def test_the_file_is_a_list_of_figures(bench: tuple[str, list[dict[str, Any]]]) -> None:
    _, figures = bench
    assert all(set(figure) == FIELDS for figure in figures)
    assert all(isinstance(figure["value"], float | int) for figure in figures)
    assert {figure["unit"] for figure in figures} <= {"jobs/s", "ms", "bytes/job", "bytes", "ratio"}


@pytest.mark.parametrize("peer", ["nexora, SQL", "graphile-worker", "pg-boss", "pgmq", "procrastinate"])
def test_every_system_is_measured_in_every_common_scenario(
    bench: tuple[str, list[dict[str, Any]]], peer: str
) -> None:
    _, figures = bench
    measured = {
        (figure["scenario"].split(":")[0], figure["metric"])
        for figure in figures
        if figure["system"].startswith(peer) and figure["value"] > 0
    }
    assert {
        ("drain", "jobs per second"),
        ("drain", "WAL per job"),
        ("due to claimed, from idle", "due to claimed, p99"),
        ("drain with an idle REPEATABLE READ transaction", "jobs per second, snapshot pinned"),
        ("nothing due, 0 future", "idle claim, p50"),
    } <= measured


def test_ours_is_measured_through_the_client_and_under_load(bench: tuple[str, list[dict[str, Any]]]) -> None:
    _, figures = bench
    ours = {figure["scenario"].split(":")[0] for figure in figures if figure["value"] > 0}
    assert {"drain through the Supabase client", "size of the queue under load"} <= ours


def test_targets_are_told(bench: tuple[str, list[dict[str, Any]]]) -> None:
    output, _ = bench
    assert "wanted" in output
    assert "graphile-worker's best" in output.replace("\n", " ")
