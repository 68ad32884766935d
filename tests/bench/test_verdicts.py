"""Targets are judged by the figures, and a missed one says by how much."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from workers.bench import plan, scenarios
from workers.bench.figures import Figure, Figures, percentile
from workers.bench.verdicts import verdicts


def _run(**rates: float) -> Any:
    figures = Figures()
    scenario = scenarios.drain_name(plan.QUICK.due[0], 0)
    for system, rate in rates.items():
        label = {"nexora": "nexora, SQL functions", "graphile": "graphile-worker"}[system]
        figures.add(Figure(label, "1", scenario, scenarios.RATE, rate, "jobs/s"))
    return SimpleNamespace(figures=figures, pinned_name="pinned", sustained_name="sustained")


def test_a_kept_target() -> None:
    (verdict,) = verdicts(cast(Any, _run(nexora=130.0, graphile=100.0)), plan.QUICK)
    assert verdict.is_kept
    assert verdict.reached == "1.30 times"


def test_a_missed_target_says_by_how_much() -> None:
    (verdict,) = verdicts(cast(Any, _run(nexora=90.0, graphile=100.0)), plan.QUICK)
    assert (verdict.is_kept, verdict.shortfall) == (False, "25 % below")


def test_every_scenario_of_the_plans_has_a_name_of_its_own(tmp_path: Path) -> None:
    for chosen in (plan.FULL, plan.QUICK, plan.TINY):
        run = scenarios.Scenarios.__new__(scenarios.Scenarios)
        run._plan = chosen
        names = [name for name, _ in run.steps()]
        assert len(names) == len(set(names))


def test_percentiles() -> None:
    values = [float(n) for n in range(1, 101)]
    assert percentile(values, 0.50) == 50
    assert percentile(values, 0.99) == 99
    assert percentile([], 0.99) == 0
