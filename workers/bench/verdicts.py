"""What was promised about the queue's speed, whether this run kept it, and if not by how much and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from workers.bench import scenarios as names
from workers.bench.figures import Figures
from workers.bench.plan import Plan
from workers.bench.scenarios import Scenarios

__all__ = ["Verdict", "at_most", "verdicts"]

_OURS = "nexora, SQL"
_CLIENT = "nexora, Supabase client"
_OTHERS = ("pg-boss", "pgmq", "procrastinate")


@dataclass(frozen=True)
class Verdict:
    """One target.

    Attributes:
        what: in words.
        wanted, reached: with units; `reached` is empty when it was not measured.
        is_kept: whether it was reached.
        shortfall: by how much it was missed, in words; empty when kept.
    """

    what: str
    wanted: str
    reached: str
    is_kept: bool
    shortfall: str = ""


def verdicts(run: Scenarios, plan: Plan) -> list[Verdict]:
    """Every target that the figures of this run can tell about."""
    figures = run.figures
    found = [
        *_faster_than_graphile(figures, plan),
        *_faster_than_others(figures, plan),
        *_same_with_backlog(figures, plan),
        *_latency(figures, run),
        *_pinned(figures, run),
        *_idle(figures, plan),
        *_bloat(figures, run),
    ]
    return found


def _faster_than_graphile(figures: Figures, plan: Plan) -> Iterator[Verdict]:
    for future in plan.future:
        for due in plan.due:
            scenario = names.drain_name(due, future)
            ours = figures.value(scenario, names.RATE, _OURS)
            best = figures.best(scenario, names.RATE, ["graphile"])
            if ours and best:
                yield _at_least(f"graphile-worker's best, {scenario}", ours / best, 1.2, "times")


def _faster_than_others(figures: Figures, plan: Plan) -> Iterator[Verdict]:
    for due in plan.due:
        scenario = names.drain_name(due, plan.backlog)
        ours = figures.value(scenario, names.RATE, _OURS)
        for peer in _OTHERS:
            best = figures.best(scenario, names.RATE, [peer])
            if ours and best and plan.backlog:
                yield _at_least(f"{peer}, {scenario}", ours / best, 10, "times")


def _same_with_backlog(figures: Figures, plan: Plan) -> Iterator[Verdict]:
    for due in plan.due:
        without = figures.value(names.drain_name(due, 0), names.RATE, _OURS)
        with_it = figures.value(names.drain_name(due, plan.backlog), names.RATE, _OURS)
        if without and with_it and plan.backlog:
            what = f"own speed with {plan.backlog:,} future rows, {due:,} due"
            yield _at_least(what, 100 * with_it / without, 90, "%")


def _latency(figures: Figures, run: Scenarios) -> Iterator[Verdict]:
    for scenario in figures.scenarios():
        if scenario.startswith(names.LATENCY):
            for system, limit in ((_OURS, 5.0), (_CLIENT, 100.0)):
                p99 = figures.value(scenario, names.P99, system)
                if p99 is not None:
                    yield at_most(f"{system}, p99, {scenario}", p99, limit, "ms")


def _pinned(figures: Figures, run: Scenarios) -> Iterator[Verdict]:
    free = figures.value(run.pinned_name, names.FREE, _OURS)
    pinned = figures.value(run.pinned_name, names.PINNED, _OURS)
    if free and pinned:
        yield _at_least("own speed while a snapshot is pinned", 100 * pinned / free, 80, "%")


def _idle(figures: Figures, plan: Plan) -> Iterator[Verdict]:
    cost = figures.value(names.idle_name(plan.backlog), names.IDLE50, _OURS)
    if cost is not None:
        yield at_most(f"idle claim at {plan.backlog:,} future rows, median", cost, 1.0, "ms")


def _bloat(figures: Figures, run: Scenarios) -> Iterator[Verdict]:
    ratio = figures.value(run.sustained_name, names.BLOAT, _OURS)
    if ratio is not None:
        yield at_most("size of the queue over its live size, under load", ratio, 3.0, "times")


def _at_least(what: str, reached: float, wanted: float, unit: str) -> Verdict:
    is_kept = reached >= wanted
    shortfall = "" if is_kept else f"{100 * (1 - reached / wanted):.0f} % below"
    return Verdict(what, f"≥ {wanted:g} {unit}", f"{reached:.2f} {unit}", is_kept, shortfall)


def at_most(what: str, reached: float, wanted: float, unit: str) -> Verdict:
    """A target with an upper bound."""
    is_kept = reached <= wanted
    shortfall = "" if is_kept else f"{reached / wanted:.1f} times as much" if wanted else "more than none"
    return Verdict(what, f"≤ {wanted:g} {unit}", f"{reached:.2f} {unit}", is_kept, shortfall)
