"""Where the time of our queue goes: what one batch costs, phase by phase, and what it writes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from typing import Any

import psycopg

__all__ = ["explain_cost"]

Connection = psycopg.Connection[tuple[Any, ...]]

_BATCH = 1000
_ROUNDS = 5


def explain_cost(connection: Connection) -> list[str]:
    """Claim, mark and report batches on an otherwise idle copy and tell what each phase costs and writes."""
    worker = _rows(connection, "select private.register_worker('bench', null, null)")[0][0]
    seconds = {"claim": 0.0, "mark": 0.0, "report": 0.0}
    written = dict.fromkeys(seconds, 0)
    jobs = 0
    for _ in range(_ROUNDS):
        claims = _timed(connection, "claim", seconds, written, lambda: _claim(connection, worker))
        if not claims:
            break
        jobs += len(claims)
        keys = [{"target_id": str(row[0]), "attempt": row[1]} for row in claims]
        _timed(connection, "mark", seconds, written, lambda k=keys: _mark(connection, worker, k))  # type: ignore[misc]
        _timed(connection, "report", seconds, written, lambda k=keys: _report(connection, worker, k))  # type: ignore[misc]
    if not jobs:
        return []
    lines = [
        f"Where our time goes: one connection, {jobs:,} jobs in batches of {_BATCH:,}, nothing else running"
    ]
    for phase, spent in seconds.items():
        what = (
            f"  {phase:7} {1e6 * spent / jobs:5.1f} µs and {written[phase] / jobs:6.0f} bytes of WAL per job"
        )
        lines.append(what)
    total = 1e6 * sum(seconds.values()) / jobs
    cores = os.cpu_count() or 1
    most = cores * 1e6 / total
    lines += [
        f"  together {total:.1f} µs: the {cores} cores of this machine carry at most {most:,.0f} jobs/s.",
        "  Per job we write two versions of the queue row and delete it, one version of the target, an event and an",
        "  attempt, read account, connection, token and post, and hand over what publishing takes. The peers write one",
        "  version of one row and delete or keep it: a job here is as many row writes as three of theirs.",
    ]
    changed = _rows(
        connection,
        """select relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_tup_del from pg_stat_user_tables
           where n_tup_ins + n_tup_upd + n_tup_del >= %s and relname ~ 'queue|targets|events|attempts'
           order by relname""",
        [jobs // 2],
    )
    lines += [f"  {name}: {ins:,} inserted, {upd:,} updated ({hot:,} in place), {gone:,} deleted"
              for name, ins, upd, hot, gone in changed]  # fmt: skip
    return lines


def _claim(connection: Connection, worker: Any) -> list[Any]:
    return _rows(connection, "select * from worker.claim_targets(%s, %s)", [worker, _BATCH])


def _mark(connection: Connection, worker: Any, keys: list[dict[str, Any]]) -> list[Any]:
    return _rows(connection, "select * from worker.mark_sending(%s, %s)", [worker, json.dumps(keys)])


def _report(connection: Connection, worker: Any, keys: list[dict[str, Any]]) -> list[Any]:
    results = [
        {**key, "outcome": "published", "external_id": key["target_id"], "http_status": 201,
         "external_url": f"https://platform.example/posts/{key['target_id']}"}
        for key in keys
    ]  # fmt: skip
    return _rows(connection, "select * from worker.report_targets(%s, %s)", [worker, json.dumps(results)])


def _timed(
    connection: Connection,
    phase: str,
    seconds: dict[str, float],
    written: dict[str, int],
    call: Callable[[], list[Any]],
) -> list[Any]:
    before = _wal(connection)
    begin = time.perf_counter()
    answer = call()
    seconds[phase] += time.perf_counter() - begin
    written[phase] += _wal(connection) - before
    return answer


def _wal(connection: Connection) -> int:
    return int(_rows(connection, "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")[0][0])


def _rows(connection: Connection, statement: Any, parameters: list[Any] | None = None) -> list[Any]:
    return connection.execute(statement, parameters).fetchall()
