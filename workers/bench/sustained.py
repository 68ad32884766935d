"""How large the queue's table and indexes grow while as much becomes due as is worked off, for minutes.

What is deleted makes room only when autovacuum comes by, which is once a minute as Postgres is shipped. So the
garbage is what was published in a minute, whatever a table's own settings say; they see to it that the visit
is not skipped and not slow.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from workers.bench.runs import run_drivers
from workers.bench.systems import System

__all__ = ["Size", "measure"]

Connection = psycopg.Connection[tuple[Any, ...]]

JOBS_PER_SECOND = 1_000
_PAUSE_SECONDS = 0.25

# What was published is scheduled again.
_REFILL = """
    with again as (
      update public.post_targets t
      set state = 'scheduled', scheduled_at = now(), attempt_base = t.attempt, published_at = null,
          external_id = null, external_url = null
      where t.id in (select p.id from public.post_targets p where p.state = 'published' limit %(jobs)s)
      returning t.id, t.attempt, t.scheduled_at + t.tolerance as expires_at
    )
    insert into private.queue (lane, subject_id, due_at, expires_at, attempt)
    select 'publish', id, now(), expires_at, attempt from again"""
_SIZE = "select pg_table_size('private.queue') + pg_indexes_size('private.queue')"


@dataclass
class Size:
    """Result.

    Attributes:
        worst_bytes: largest size of table and indexes that was seen.
        live_bytes: their size when the same rows are packed anew, with the same free space per page.
        rate: jobs per second meanwhile.
    """

    worst_bytes: int = 0
    live_bytes: int = 0
    rate: float = 0.0


def measure(
    connection: Connection, system: System, task: Mapping[str, Any], seconds: float, log_dir: Path
) -> Size:
    """Keep the queue of a filled database under load for `seconds` and watch its size."""
    size = Size()
    with ThreadPoolExecutor(1) as pool:
        driving = pool.submit(run_drivers, system, task, total=10**12, cap_seconds=seconds, log_dir=log_dir)
        while not wait([driving], _PAUSE_SECONDS).done:
            with connection.transaction():
                connection.execute("set local session_replication_role = replica")
                connection.execute(_REFILL, {"jobs": round(JOBS_PER_SECOND * _PAUSE_SECONDS)})
            size.worst_bytes = max(size.worst_bytes, _scalar(connection, _SIZE))
    size.rate = driving.result().rate
    connection.execute("vacuum (full) private.queue")
    size.live_bytes = _scalar(connection, _SIZE)
    return size


def _scalar(connection: Connection, statement: Any) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0
