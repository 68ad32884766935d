"""Tables for people and the JSON file for programs. A `×` compares with the best peer in the same scenario."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from workers.bench.figures import Figure, Figures
from workers.bench.scenarios import RATE
from workers.bench.verdicts import Verdict

__all__ = ["show_evidence", "show_scenario", "show_verdicts", "write_json"]


def show_scenario(console: Console, figures: Figures, scenario: str) -> None:
    """One table: a row per system, a column per metric, each with how it compares with the best peer."""
    rows = figures.of(scenario)
    metrics = list(dict.fromkeys(figure.metric for figure in rows))
    table = Table(title=scenario, title_justify="left", title_style="bold")
    table.add_column("system")
    for metric in metrics:
        table.add_column(metric, justify="right")
    for system in dict.fromkeys(figure.system for figure in rows):
        found = {figure.metric: figure for figure in rows if figure.system == system}
        cells = [_cell(found[metric], rows) if metric in found else "" for metric in metrics]
        table.add_row(system, *cells, style="green" if _is_ours(system) else None)
    console.print(table)


def show_verdicts(console: Console, found: Sequence[Verdict]) -> None:
    """The targets, kept or missed."""
    table = Table(title="targets", title_justify="left", title_style="bold")
    table.add_column("target")
    table.add_column("wanted", justify="right")
    table.add_column("reached", justify="right")
    table.add_column("")
    for verdict in found:
        said = "kept" if verdict.is_kept else f"missed: {verdict.shortfall}"
        style = "green" if verdict.is_kept else "yellow"
        table.add_row(verdict.what, verdict.wanted, verdict.reached, said, style=style)
    console.print(table)


def show_evidence(console: Console, remarks: Sequence[str], evidence: Sequence[str]) -> None:
    """What is to be known about the figures, and where the time goes."""
    for text in remarks:
        console.print(f"note: {text}", style="dim", markup=False, highlight=False)
    for text in evidence:
        console.print(text, markup=False, highlight=False)


def write_json(path: Path, figures: Figures) -> None:
    """All figures as a list of objects {system, version, scenario, metric, value, unit}."""
    path.write_text(json.dumps(figures.documents(), indent=2) + "\n")


def _cell(figure: Figure, rows: Sequence[Figure]) -> str:
    return f"{_text(figure)}{_ratio(figure, rows)}"


def _text(figure: Figure) -> str:
    if figure.unit == "jobs/s":
        return f"{figure.value:,.0f}"
    if figure.unit == "bytes":
        return f"{figure.value / 1e6:,.1f} MB"
    if figure.unit == "bytes/job":
        return f"{figure.value:,.0f} B"
    return f"{figure.value:,.2f} {'ms' if figure.unit == 'ms' else ''}".strip()


def _ratio(figure: Figure, rows: Sequence[Figure]) -> str:
    peers = [f.value for f in rows if f.metric == figure.metric and not _is_ours(f.system) and f.value > 0]
    if not peers:
        return ""
    best = max(peers) if figure.metric.startswith(RATE) else min(peers)
    return f"  ×{figure.value / best:5.2f}" if best else ""


def _is_ours(system: str) -> bool:
    return system.startswith("nexora")
