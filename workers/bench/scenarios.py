"""The scenarios: what is prepared, what is run, and which figures come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from workers.bench.databases import Databases
from workers.bench.figures import Figure, Figures, median, percentile
from workers.bench.plan import Plan
from workers.bench.runs import DriverError, Run, run_drivers
from workers.bench.sustained import JOBS_PER_SECOND, measure
from workers.bench.systems import System, every_system, nexora, nexora_client

__all__ = ["Scenarios"]

RATE, WAL, P50, P99 = "jobs per second", "WAL per job", "due to claimed, p50", "due to claimed, p99"
LATENCY = "due to claimed, from idle"
IDLE50, IDLE99 = "idle claim, p50", "idle claim, p99"
FREE, PINNED = "jobs per second, free", "jobs per second, snapshot pinned"
SIZE, LIVE, BLOAT = "queue with indexes", "the same rebuilt", "size over live size"

_PATIENCE = 20.0  # for jobs that are due already and were not claimed

Progress = Callable[[str], None]


class Scenarios:
    """Runs scenarios one after the other and collects their figures."""

    def __init__(self, databases: Databases, plan: Plan, log_dir: Path, progress: Progress) -> None:
        self._databases = databases
        self._plan = plan
        self._log_dir = log_dir
        self._progress = progress
        self.systems = every_system()
        self.figures = Figures()
        self.remarks: list[str] = []

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """All scenarios of the plan with what they are called."""
        plan = self._plan
        steps: list[tuple[str, Callable[[], None]]] = []
        for future in plan.future:
            for due in plan.due:
                steps.append((drain_name(due, future), lambda d=due, f=future: self._drain(d, f)))  # type: ignore[misc]
        for future in plan.latency_backlogs:
            for is_burst in (False, True):
                name = self._latency_name(is_burst, future)
                steps.append((name, lambda b=is_burst, f=future: self._latency(b, f)))  # type: ignore[misc]
        steps.append((self.pinned_name, self._pinned))
        steps.append((idle_name(plan.backlog), lambda: self._idle(plan.backlog)))
        steps.append((self.client_name, self._client))
        steps.append((self.sustained_name, self._sustained))
        return steps

    # --- drains ---------------------------------------------------------------------------------------------

    def _drain(self, due: int, future: int) -> None:
        scenario = drain_name(due, future)
        runs: dict[System, list[tuple[Run, int]]] = {system: [] for system in self.systems}
        for repetition in range(self._plan.repetitions):
            for system in self.systems:
                self._progress(f"{scenario}: {system.label} ({repetition + 1} of {self._plan.repetitions})")
                runs[system].append(self._drain_once(system, due, future))
        for system, results in runs.items():
            done = [(run, wal) for run, wal in results if run.jobs]
            self._note(system, scenario, RATE, median([run.rate for run, _ in done]), "jobs/s")
            self._note(system, scenario, WAL, median([wal / run.jobs for run, wal in done]), "bytes/job")
            if any(run.is_capped for run, _ in results):
                self.remarks.append(
                    f"{scenario}: {system.label} was stopped after {self._plan.cap_seconds:g} s."
                )
        self._drop_templates(due, future)

    def _drain_once(
        self, system: System, due: int, future: int, *, is_pinned: bool = False
    ) -> tuple[Run, int]:
        """One drain of a fresh copy, and the write-ahead log that it wrote in bytes."""
        name = self._databases.renew_run(system, self._template(system, due, future))
        task = self._task(system, name, "drain", system.drain)
        with self._old_snapshot(name) if is_pinned else nullcontext():
            before = self._databases.wal_position()
            run = self._run(system, task, due, self._plan.cap_seconds)
            return run, self._databases.wal_position() - before

    def _template(self, system: System, due: int, future: int) -> str:
        return self._databases.template(system, due, future)

    def _drop_templates(self, due: int, future: int) -> None:
        for system in self.systems:
            self._databases.drop_template(system, due, future)

    def _run(self, system: System, task: Mapping[str, Any], total: int, cap: float) -> Run:
        try:
            return run_drivers(system, task, total=total, cap_seconds=cap, log_dir=self._log_dir)
        except DriverError as error:
            self.remarks.append(f"{system.label}: {error}")
            return Run()

    def _task(
        self, system: System, database: str, mode: str, settings: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        task = {**(settings or {}), "mode": mode, "url": self._databases.url(database)}
        if system.is_ours:
            with self._databases.connect(database) as connection:
                task["worker_id"] = str(
                    _one(connection, "select private.register_worker('bench', null, null)")
                )
        if system.key == "nexora" and system.needs_api:
            task["api_url"] = self._databases.stack.serve(database)
            task["secret_key"] = self._databases.stack.secrets.secret_key
        return task

    # --- old snapshot ---------------------------------------------------------------------------------------

    @property
    def pinned_name(self) -> str:
        return f"drain with an idle REPEATABLE READ transaction: {self._plan.pinned_due:,} due"

    def _pinned(self) -> None:
        systems = [system for system in self.systems if system.key in ("nexora", *self._plan.peers)]
        if self._plan.name != "tiny":  # a queue that does hundreds a second shows nothing here
            systems = [system for system in systems if system.key != "procrastinate"]
        runs: dict[tuple[System, bool], list[Run]] = {}
        for _ in range(self._plan.repetitions):
            for system in systems:
                for is_pinned in (False, True):
                    self._progress(f"{self.pinned_name}: {system.label}")
                    run, _wal = self._drain_once(system, self._plan.pinned_due, 0, is_pinned=is_pinned)
                    runs.setdefault((system, is_pinned), []).append(run)
        for (system, is_pinned), results in runs.items():
            rate = median([run.rate for run in results if run.jobs])
            self._note(system, self.pinned_name, PINNED if is_pinned else FREE, rate, "jobs/s")
        self._drop_templates(self._plan.pinned_due, 0)

    @contextmanager
    def _old_snapshot(self, name: str) -> Iterator[None]:
        with psycopg.connect(self._databases.url(name)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.execute("select count(*) from pg_class")  # takes the snapshot and keeps it
            yield
            connection.rollback()

    # --- latency --------------------------------------------------------------------------------------------

    def _latency_name(self, is_burst: bool, future: int) -> str:
        plan = self._plan
        what = (
            f"{plan.burst_jobs:,} due at one instant"
            if is_burst
            else f"{plan.spread_jobs:,} due over {plan.spread_seconds:g} s"
        )
        return f"{LATENCY}: {what}, {future:,} future"

    def _latency(self, is_burst: bool, future: int) -> None:
        scenario = self._latency_name(is_burst, future)
        peers = [system for system in self.systems if system.key in self._plan.peers and system.latency]
        for system in (nexora(), nexora_client(), *peers):
            self._progress(f"{scenario}: {system.label}")
            run = self._latency_once(system, is_burst, future)
            self._note(system, scenario, P50, percentile(run.latencies, 0.50), "ms")
            self._note(system, scenario, P99, percentile(run.latencies, 0.99), "ms")
            if run.is_capped:
                self.remarks.append(
                    f"{scenario}: {system.label} claimed {run.jobs:,} in time; the others count more."
                )

    def _latency_once(self, system: System, is_burst: bool, future: int) -> Run:
        plan = self._plan
        name = self._databases.renew_run(system, self._databases.make_base(system, future))
        jobs, seconds = (plan.burst_jobs, 0.0) if is_burst else (plan.spread_jobs, plan.spread_seconds)
        lead = plan.lead_seconds + jobs / 5000
        task = self._task(system, name, "latency", system.latency)
        with self._databases.connect(name) as connection:
            first = self._databases.clock(connection) + timedelta(seconds=lead)
            self._databases.fill(connection, system, jobs, first, first + timedelta(seconds=seconds))
            connection.execute("analyze")
        cap = lead + seconds + _PATIENCE
        return self._run(system, task, jobs, cap)

    # --- idle claims ----------------------------------------------------------------------------------------

    def _idle(self, future: int) -> None:
        scenario = idle_name(future)
        peers = [system for system in self.systems if system.key in self._plan.peers and system.idle]
        for system in (nexora(), *peers):
            self._progress(f"{scenario}: {system.label}")
            name = self._databases.renew_run(system, self._databases.make_base(system, future))
            task = self._task(system, name, "idle", system.idle)
            run = self._run(system, task, task["polls"], self._plan.cap_seconds * 2)
            self._note(system, scenario, IDLE50, percentile(run.latencies, 0.50), "ms")
            self._note(system, scenario, IDLE99, percentile(run.latencies, 0.99), "ms")

    # --- through the client ---------------------------------------------------------------------------------

    @property
    def client_name(self) -> str:
        return f"drain through the Supabase client: {self._plan.client_due:,} due"

    def _client(self) -> None:
        system, due = nexora_client(), self._plan.client_due
        runs = []
        for repetition in range(self._plan.repetitions):
            self._progress(f"{self.client_name} ({repetition + 1} of {self._plan.repetitions})")
            run, _ = self._drain_once(system, due, 0)
            runs.append(run)
        self._note(system, self.client_name, RATE, median([run.rate for run in runs if run.jobs]), "jobs/s")
        self._databases.drop_template(system, due, 0)

    # --- sustained load -------------------------------------------------------------------------------------

    @property
    def sustained_name(self) -> str:
        plan = self._plan
        what = f"{JOBS_PER_SECOND:,} jobs a second, {plan.sustained_live:,} waiting, {plan.sustained_seconds:g} s"
        return f"size of the queue under load: {what}"

    def _sustained(self) -> None:
        self._progress(self.sustained_name)
        system = nexora()
        due, future = 2 * JOBS_PER_SECOND, self._plan.sustained_live
        name = self._databases.renew_run(system, self._template(system, due, future))
        task = self._task(system, name, "drain", {"connections": 2, "batch": 100})
        with self._databases.connect(name) as connection:
            size = measure(connection, system, task, self._plan.sustained_seconds, self._log_dir)
        self._note(system, self.sustained_name, RATE, size.rate, "jobs/s")
        self._note(system, self.sustained_name, SIZE, size.worst_bytes, "bytes")
        self._note(system, self.sustained_name, LIVE, size.live_bytes, "bytes")
        self._note(system, self.sustained_name, BLOAT, size.worst_bytes / max(1, size.live_bytes), "ratio")
        self._databases.drop_template(system, due, future)

    def _note(self, system: System, scenario: str, metric: str, value: float, unit: str) -> None:
        if value <= 0:  # not measured; a remark says why
            return
        figure = Figure(system.label, system.version, scenario, metric, round(value, 3), unit)
        self.figures.add(figure)


def drain_name(due: int, future: int) -> str:
    """Name of a drain scenario."""
    return f"drain: {due:,} due, {future:,} future"


def idle_name(future: int) -> str:
    """Name of the scenario of polls that find nothing."""
    return f"nothing due, {future:,} future"


def _one(
    connection: psycopg.Connection[tuple[Any, ...]], statement: Any, parameters: Sequence[Any] = ()
) -> Any:
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None
