"""The queues that are measured, each at its best documented setting."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import metadata, resources
from pathlib import Path
from typing import Any

import psycopg

from workers.embedded.api import find_node, node_environment
from workers.schema import sources

__all__ = ["System", "every_system", "nexora", "nexora_client"]

ROOT = Path(__file__).resolve().parents[2]
NODE_DRIVERS = ROOT / "supabase" / "local" / "bench"
_INSTALL_SECONDS = 60

Task = Mapping[str, Any]


@dataclass(frozen=True)
class System:
    """One queue in one setting.

    Attributes:
        key: short name, part of database names; settings of one queue share their databases.
        label: name and setting for tables.
        version: of the queue.
        command: the driver.
        fill_sql: file in `sql/` that inserts rows.
        big_tables: where a backlog lies, with schema.
        warm: indexes that are read into memory before each run; none: all of `big_tables`.
        install: creates the schema: (URL of role postgres, URL of the superuser).
        drain, latency, idle: what the driver is told besides the URL, per mode; None: not measured.
        processes: how many drivers run side by side.
    """

    key: str
    label: str
    version: str
    command: tuple[str, ...]
    fill_sql: str
    big_tables: tuple[str, ...]
    install: Callable[[str, str], None]
    warm: tuple[str, ...] = ()
    drain: Task | None = None
    latency: Task | None = None
    idle: Task | None = None
    processes: int = 1
    is_ours: bool = False
    needs_api: bool = False

    def __hash__(self) -> int:
        return hash(self.label)


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-P", "-m", f"workers.bench.drivers.{module}")


def _node(script: str) -> tuple[str, ...]:
    return (find_node(), str(NODE_DRIVERS / script))


def node_version(package: str) -> str:
    """Version of an installed npm package of the bench."""
    about = json.loads((NODE_DRIVERS / "node_modules" / package / "package.json").read_text())
    return str(about["version"])


def _install_nexora(url: str, _: str) -> None:
    with psycopg.connect(url) as connection:
        sources.apply(ROOT, connection)


def _install_with_node(script: str) -> Callable[[str, str], None]:
    def install(_: str, admin_url: str) -> None:
        subprocess.run(  # noqa: S603  our own driver
            _node(script),
            input=json.dumps({"mode": "prepare", "url": admin_url, "connections": 2}) + "\n",
            text=True,
            check=True,
            timeout=_INSTALL_SECONDS,
            stdout=subprocess.DEVNULL,
            env=node_environment(),
        )

    return install


def _install_pgmq(_: str, admin_url: str) -> None:
    script = resources.files("pgmq").joinpath("sql", "pgmq.sql").read_text()
    with psycopg.connect(admin_url) as connection:
        connection.execute(script.encode())
        connection.execute("select pgmq.create('bench')")


def _install_procrastinate(_: str, admin_url: str) -> None:
    script = resources.files("procrastinate").joinpath("sql", "schema.sql").read_text()
    with psycopg.connect(admin_url) as connection:
        connection.execute(script.encode())


def nexora() -> System:
    """Ours, SQL level: the functions of schema `worker`."""
    return System(
        key="nexora",
        label="nexora, SQL functions",
        version=metadata.version("nexora-os") if _is_installed("nexora-os") else "0.1.0",
        command=_python("nexora_sql"),
        fill_sql="nexora_targets.sql",
        big_tables=("public.posts", "public.post_targets", "private.queue"),
        warm=("posts_pkey", "post_targets_pkey", "private.queue_pkey"),
        install=_install_nexora,
        drain={"connections": 3, "batch": 1000},
        latency={"connections": 3, "batch": 100},
        idle={"connections": 1, "batch": 100, "polls": 300},
        is_ours=True,
    )


def nexora_client() -> System:
    """Ours as the worker runs it: through the Supabase client, with a platform that answers at once."""
    return replace(
        nexora(),
        label="nexora, Supabase client",
        command=_python("nexora_client"),
        drain={"concurrency": 500},
        latency={"concurrency": 500},
        idle=None,
        needs_api=True,
    )


def _is_installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def graphile(processes: int) -> System:
    """graphile-worker: local queue of 500, completions in batches, 24 jobs at once per process."""
    return System(
        key="graphile",
        label=f"graphile-worker, batches of 500, {processes} x 24",
        version=node_version("graphile-worker"),
        command=_node("graphile.mjs"),
        fill_sql="graphile_jobs.sql",
        big_tables=("graphile_worker._private_jobs",),
        install=_install_with_node("graphile.mjs"),
        drain={"connections": 10, "concurrency": 24, "batch": 500, "poll_ms": 100},
        latency={"connections": 10, "concurrency": 24, "batch": 500, "poll_ms": 100}
        if processes == 1
        else None,
        idle={"connections": 2, "concurrency": 1, "batch": 500, "poll_ms": 20, "polls": 30}
        if processes == 1
        else None,
        processes=processes,
    )


def pgboss() -> System:
    """pg-boss: fetch and complete, 100 at a time, four loops; `work()` for latency, polling as often as it may."""
    return System(
        key="pgboss",
        label="pg-boss, batches of 100 x 4",
        version=node_version("pg-boss"),
        command=_node("pgboss.mjs"),
        fill_sql="pgboss_jobs.sql",
        big_tables=("pgboss.job_common",),
        install=_install_with_node("pgboss.mjs"),
        drain={"connections": 4, "batch": 100},
        latency={"connections": 4, "batch": 100},
        idle={"connections": 1, "batch": 100, "polls": 30},
    )


def pgmq() -> System:
    """pgmq: read and delete, 100 at a time, four connections."""
    return System(
        key="pgmq",
        label="pgmq, batches of 100 x 4",
        version=f"{metadata.version('pgmq')} (SQL of the wheel)",
        command=_python("pgmq"),
        fill_sql="pgmq_jobs.sql",
        big_tables=("pgmq.q_bench",),
        install=_install_pgmq,
        drain={"connections": 4, "batch": 100},
        latency={"connections": 4, "batch": 100},
        idle={"connections": 1, "batch": 100, "polls": 30},
    )


def procrastinate() -> System:
    """procrastinate: its async worker, 20 jobs at once."""
    return System(
        key="procrastinate",
        label="procrastinate, 20 at once",
        version=metadata.version("procrastinate"),
        command=_python("procrastinate_worker"),
        fill_sql="procrastinate_jobs.sql",
        big_tables=("public.procrastinate_jobs",),
        install=_install_procrastinate,
        drain={"connections": 20, "concurrency": 20, "poll_ms": 100},
        latency={"connections": 20, "concurrency": 20, "poll_ms": 100},
        idle={"connections": 2, "concurrency": 1, "poll_ms": 100, "polls": 30},
    )


def every_system() -> tuple[System, ...]:
    """Ours first, then the peers."""
    return (nexora(), graphile(1), graphile(2), pgboss(), pgmq(), procrastinate())
