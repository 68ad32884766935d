"""`./nexora bench privacy` measures what it says, on a database that is small and here already."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from workers.bench import privacy
from workers.bench.report import write_json
from workers.embedded import Stack


def test_attestation_and_erasure_are_measured(stack: Stack, database: str, tmp_path: Path) -> None:
    told = io.StringIO()
    run = privacy.PrivacyRun(stack, privacy.TINY, Console(file=told, width=200))
    run.fill(database)
    write_json(tmp_path / "figures.json", run.measure(database))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(
        set(figure) == {"system", "version", "scenario", "metric", "value", "unit"} for figure in figures
    )
    values = {(figure["scenario"].split(":")[0], figure["metric"]): figure["value"] for figure in figures}
    assert values["attestation", "failed checks"] == 0
    assert values["attestation", "seconds"] > 0
    assert values["erasure", "steps"] > 100
    assert values["erasure", "reads of others meanwhile, longest"] > 0
    assert told.getvalue().count("kept") == 4
