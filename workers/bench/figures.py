"""What a run measured, and the statistics over repetitions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Figure", "Figures", "median", "percentile"]


@dataclass(frozen=True)
class Figure:
    """One measured value.

    Attributes:
        system: label of queue and setting.
        scenario: what was done, such as `drain: 20,000 due, 1,000,000 future`.
        metric: such as `jobs per second`; the median where a run was repeated.
        unit: of `value`: jobs/s, ms, bytes/job, ratio.
    """

    system: str
    version: str
    scenario: str
    metric: str
    value: float
    unit: str


class Figures:
    """All figures of a run, in the order in which they came."""

    def __init__(self) -> None:
        self._figures: list[Figure] = []

    def add(self, figure: Figure) -> None:
        self._figures.append(figure)

    def scenarios(self) -> list[str]:
        """Names of the scenarios, first come first."""
        return list(dict.fromkeys(figure.scenario for figure in self._figures))

    def of(self, scenario: str) -> list[Figure]:
        """The figures of one scenario."""
        return [figure for figure in self._figures if figure.scenario == scenario]

    def value(self, scenario: str, metric: str, system: str) -> float | None:
        """One value; `system` is the beginning of a label. None when it was not measured."""
        for figure in self.of(scenario):
            if figure.metric == metric and figure.system.startswith(system):
                return figure.value
        return None

    def best(self, scenario: str, metric: str, systems: Sequence[str]) -> float | None:
        """The highest value among systems whose labels begin like that."""
        values = [
            figure.value
            for figure in self.of(scenario)
            if figure.metric == metric and figure.system.startswith(tuple(systems))
        ]
        return max(values, default=None)

    def documents(self) -> list[dict[str, Any]]:
        """As they go into the JSON file."""
        return [asdict(figure) for figure in self._figures]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` of all values do not exceed; 0 for none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The median; 0 for none."""
    return statistics.median(values) if values else 0.0
