"""How large the queue's table and indexes grow while it is worked off and filled again without a pause."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from workers.bench.runs import run_drivers
from workers.bench.systems import System

__all__ = ["Size", "measure"]

Connection = psycopg.Connection[tuple[Any, ...]]

_PAUSE_SECONDS = 0.1

# What was published is scheduled again, as often as rows are missing: the number of waiting rows stays as it is.
_REFILL = """
    with missing as (
      select greatest(0, %(live)s - (select count(*) from private.queue)) as rows
    ), again as (
      update public.post_targets t
      set state = 'scheduled', scheduled_at = now(), published_at = null, external_id = null, external_url = null
      where t.id in (select p.id from public.post_targets p where p.state = 'published'
                     limit (select rows from missing))
      returning t.id, t.attempt
    )
    insert into private.queue (lane, subject_id, due_at, attempt) select 'publish', id, now(), attempt from again"""
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
    live = _scalar(connection, "select count(*) from private.queue")
    over = threading.Event()

    def work() -> None:
        run = run_drivers(system, task, total=10**12, cap_seconds=seconds, log_dir=log_dir)
        size.rate = run.rate
        over.set()

    worker = threading.Thread(target=work)
    worker.start()
    give_up = time.monotonic() + seconds + 60
    while not over.wait(_PAUSE_SECONDS) and worker.is_alive() and time.monotonic() < give_up:
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            connection.execute(_REFILL, {"live": live})
        size.worst_bytes = max(size.worst_bytes, _scalar(connection, _SIZE))
    worker.join(60)
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute(_REFILL, {"live": live})
    connection.execute("vacuum (full) private.queue")
    size.live_bytes = _scalar(connection, _SIZE)
    return size


def _scalar(connection: Connection, statement: Any) -> int:
    row = connection.execute(statement).fetchone()
    return int(row[0]) if row else 0
