"""`./nexora bench privacy`: the attestation of many people, and the erasure of one who has much while others read."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from rich.console import Console

from workers.bench.figures import Figure, Figures, percentile
from workers.bench.report import show_scenario, show_verdicts, write_json
from workers.bench.verdicts import Verdict, at_most
from workers.embedded import Stack
from workers.schema import sources

__all__ = ["FULL", "QUICK", "TINY", "PrivacyPlan", "PrivacyRun", "run_privacy_bench"]

ROOT: Final = Path(__file__).resolve().parents[2]
_SQL: Final = Path(__file__).with_name("sql")
_SYSTEM: Final = "nexora"
_SLOWEST: Final = 5
_MOST_STEPS: Final = 10_000
_PAUSE: Final = 0.02  # seconds between two reads

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class PrivacyPlan:
    """Sizes of a run.

    Attributes:
        people: with a row or two in every area, of whom the attestation proves what was promised.
        rows: of the one who is erased, in all areas together.
        repetitions: of attestation and erasure; the quickest counts, since other programs only ever make it slower.
    """

    name: str
    people: int
    rows: int
    repetitions: int


FULL: Final = PrivacyPlan("full", 1_000_000, 100_000, 3)
QUICK: Final = PrivacyPlan("quick", 50_000, 20_000, 2)
TINY: Final = PrivacyPlan("tiny", 200, 400, 1)


def run_privacy_bench(
    plan: PrivacyPlan, state_dir: Path, console: Console, json_path: Path | None
) -> Figures:
    """Measure everything of a plan.

    Args:
        plan: sizes.
        state_dir: takes the cluster; a new directory in it is made and removed again.
        console: tables.
        json_path: where the figures go, as those of `bench queue`.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix="run-", dir=state_dir))
    work_dir.chmod(0o755)
    if os.getloadavg()[0] > 0.5:
        console.print(f"the machine has other work: load average {os.getloadavg()[0]:.1f}", style="yellow")
    try:
        with Stack.start(work_dir, durable=True) as stack:
            run = PrivacyRun(stack, plan, console)
            figures = run.measure(run.build())
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    if json_path:
        write_json(json_path, figures)
    return figures


@dataclass
class _Reads:
    """How long somebody else's reads took, in milliseconds."""

    took: list[float] = field(default_factory=list)


class PrivacyRun:
    """Measures on one database of a stack."""

    def __init__(self, stack: Stack, plan: PrivacyPlan, console: Console) -> None:
        self._stack = stack
        self._plan = plan
        self._console = console
        self._figures = Figures()
        self._version = ""

    def measure(self, name: str) -> Figures:
        """All scenarios on a database that is filled, with a table of each."""
        with psycopg.connect(self._stack.url(name), autocommit=True) as db:
            self._version = str(_row(db.execute("show server_version"))[0])
            attested = f"attestation: {self._plan.people:,} people"
            self._attest(db, attested)
            erased = f"erasure: {self._plan.rows:,} rows, {self._plan.people:,} people"
            self._erase(db, name, erased)
        for scenario in (attested, erased):
            show_scenario(self._console, self._figures, scenario)
        show_verdicts(self._console, self._verdicts(attested, erased))
        return self._figures

    def build(self) -> str:
        """A database with the schema and the people; its name."""
        name = "bench_privacy"
        self._stack.create_database(name)
        self._stack.provision(name)
        with psycopg.connect(self._stack.url(name)) as db:
            sources.apply(ROOT, db)
        self.fill(name)
        return name

    def fill(self, name: str) -> None:
        """The people of the plan, into a database that has the schema."""
        begin = time.monotonic()
        with psycopg.connect(self._stack.url(name, admin=True), autocommit=True) as admin:
            _load(admin, "privacy_people.sql", people=sql.Literal(self._plan.people))
            admin.execute("vacuum (analyze)")
        self._console.print(f"{self._plan.people:,} people made in {time.monotonic() - begin:.0f} s")

    def _attest(self, db: Connection, scenario: str) -> None:
        took = []
        for _ in range(self._plan.repetitions):
            begin = time.monotonic()
            failed = db.execute(
                "select check_id, evidence from private.attest() where status = 'fail'"
            ).fetchall()
            took.append(time.monotonic() - begin)
        self._add(scenario, "seconds", min(took), "s")
        self._add(scenario, "failed checks", len(failed), "checks")
        for check, evidence in failed:
            self._console.print(f"failed: {check} {json.dumps(evidence)}", style="red", markup=False)
        for check, seconds in self._slowest(db):
            self._add(f"{scenario}, slowest checks", check, seconds * 1000, "ms")

    def _slowest(self, db: Connection) -> list[tuple[str, float]]:
        checks = db.execute("select id from private.promise_checks where runs_in = 'database'").fetchall()
        took = {}
        for (check,) in checks:
            begin = time.monotonic()
            db.execute("select private.run_check(%s)", (check,))
            took[check] = time.monotonic() - begin
        return sorted(took.items(), key=lambda pair: -pair[1])[:_SLOWEST]

    def _erase(self, db: Connection, name: str, scenario: str) -> None:
        best, steps = float("inf"), 0
        reads: list[float] = []
        for _ in range(self._plan.repetitions):
            person = uuid.uuid4()
            with psycopg.connect(self._stack.url(name, admin=True), autocommit=True) as admin:
                _load(
                    admin,
                    "privacy_heavy.sql",
                    person=sql.Literal(str(person)),
                    rows=sql.Literal(self._plan.rows),
                )
            with _reading(self._stack.url(name), person) as others:
                begin = time.monotonic()
                steps = _carry_out(db, person)
                best = min(best, time.monotonic() - begin)
            reads += others.took
        self._add(scenario, "seconds", best, "s")
        self._add(scenario, "steps", steps, "steps")
        self._add(scenario, "reads of others meanwhile, p99", percentile(reads, 0.99), "ms")
        self._add(scenario, "reads of others meanwhile, longest", max(reads, default=0.0), "ms")

    def _verdicts(self, attested: str, erased: str) -> list[Verdict]:
        wanted = (
            (attested, "seconds", 10.0, "s"),
            (attested, "failed checks", 0.0, "checks"),
            (erased, "seconds", 30.0, "s"),
            (erased, "reads of others meanwhile, longest", 1000.0, "ms"),
        )
        found = []
        for scenario, metric, limit, unit in wanted:
            reached = self._figures.value(scenario, metric, _SYSTEM)
            if reached is not None:
                found.append(at_most(f"{scenario}: {metric}", reached, limit, unit))
        return found

    def _add(self, scenario: str, metric: str, value: float, unit: str) -> None:
        self._figures.add(Figure(_SYSTEM, self._version, scenario, metric, float(value), unit))


def _load(admin: Connection, name: str, **values: sql.Composable) -> None:
    with admin.transaction():
        admin.execute("set local session_replication_role = replica")
        admin.execute("set local synchronous_commit = off")
        admin.execute(sql.SQL((_SQL / name).read_text()).format(**values))


def _carry_out(db: Connection, person: uuid.UUID) -> int:
    """As a worker does, a transaction per step; the files' rows stand for the files. Answers the number of steps."""
    (erasure,) = _row(db.execute("select (private.begin_erasure(%s, '0')).id", (person,)))
    state, steps = "erasing", 0
    while state == "erasing" and steps < _MOST_STEPS:
        state, errands = _row(
            db.execute("select state, errands from private.advance_erasure(%s)", (erasure,))
        )
        steps += 1
        if errands is not None:
            with db.transaction():
                db.execute("select set_config('storage.allow_delete_query', 'true', true)")
                db.execute("delete from storage.objects o where o.name like %s", (f"{person}/%",))
    if state != "completed":
        raise RuntimeError(f"the erasure ended as {state}")
    return steps


def _row(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError
    return row


@contextmanager
def _reading(url: str, erased: uuid.UUID) -> Iterator[_Reads]:
    """Somebody else reads their own posts and notices through row-level security, again and again."""
    reads, stop = _Reads(), threading.Event()
    with psycopg.connect(url, autocommit=True) as db:
        user, session = _row(
            db.execute("select user_id, id from auth.sessions where user_id <> %s limit 1", (erased,))
        )
        claims = json.dumps({"role": "authenticated", "sub": str(user), "session_id": str(session)})
        db.execute("select set_config('request.jwt.claims', %s, false)", (claims,))
        db.execute("set role authenticated")
        thread = threading.Thread(target=_read, args=(db, reads, stop), name="reads")
        thread.start()
        try:
            yield reads
        finally:
            stop.set()
            thread.join()


def _read(db: Connection, reads: _Reads, stop: threading.Event) -> None:
    while not stop.wait(_PAUSE):
        begin = time.monotonic()
        db.execute("select count(*) from public.posts").fetchone()
        db.execute("select count(*) from public.notices").fetchone()
        reads.took.append(1000 * (time.monotonic() - begin))
