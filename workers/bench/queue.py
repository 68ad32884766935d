"""`./nexora bench queue`: starts the cluster, runs every scenario and tells what came of it."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from workers.bench import report
from workers.bench.databases import Databases
from workers.bench.evidence import explain_cost
from workers.bench.figures import Figures
from workers.bench.plan import Plan
from workers.bench.scenarios import Scenarios
from workers.bench.systems import nexora
from workers.bench.verdicts import verdicts
from workers.embedded import Stack

__all__ = ["run_queue_bench"]


def run_queue_bench(plan: Plan, state_dir: Path, console: Console, json_path: Path | None) -> Figures:
    """Measure everything of a plan.

    Args:
        plan: sizes.
        state_dir: takes cluster and logs; a new directory in it is made and removed again.
        console: progress and tables.
        json_path: where the figures go, written after every scenario.

    Returns:
        The figures.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix="run-", dir=state_dir))
    work_dir.chmod(0o755)
    console.print(f"about {plan.minutes:g} minutes; the machine should have nothing else to do meanwhile")
    if os.getloadavg()[0] > 0.5:
        console.print(f"it has: load average {os.getloadavg()[0]:.1f}", style="yellow")
    try:
        with _progress(console) as progress, Stack.start(work_dir, durable=True) as stack:
            return _measure(stack, plan, work_dir, console, progress, json_path)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)


def _measure(
    stack: Stack, plan: Plan, work_dir: Path, console: Console, progress: Progress, json_path: Path | None
) -> Figures:
    databases = Databases(stack)
    begin = time.monotonic()
    try:
        console.print(f"PostgreSQL {databases.server_version()}, settings as shipped, synchronous commits")
        bar = progress.add_task("", total=None)
        tell: Callable[[str], None] = lambda text: progress.update(bar, description=text)  # noqa: E731
        run = Scenarios(databases, plan, work_dir, tell)
        steps = run.steps()
        progress.update(bar, total=len(steps))
        for scenario, step in steps:
            step()
            progress.advance(bar)
            report.show_scenario(console, run.figures, scenario)
            if json_path:
                report.write_json(json_path, run.figures)
        progress.update(bar, visible=False)
        found = verdicts(run, plan)
        report.show_verdicts(console, found)
        evidence = [] if all(verdict.is_kept for verdict in found) else _evidence(databases, plan)
        report.show_evidence(console, run.remarks, evidence)
        console.print(f"{time.monotonic() - begin:.0f} s in all")
        return run.figures
    finally:
        databases.close()


def _evidence(databases: Databases, plan: Plan) -> list[str]:
    name = databases.renew_run(nexora(), databases.template(nexora(), min(plan.due[0], 10_000), 0))
    with databases.connect(name) as connection:
        return explain_cost(connection)


def _progress(console: Console) -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)
