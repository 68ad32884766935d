"""Erasures in SQL tests: asked for as a person, carried out step by step as a worker does."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person

GRACE = timedelta(days=7)


def now(db: Connection) -> datetime:
    """The clock of the transaction."""
    instant: datetime = scalar(db, "select now()")
    return instant


def request(db: Connection, person: Person, at: datetime | None = None) -> uuid.UUID:
    """Open an erasure as `private.request_erasure` does; returns its id."""
    erasure: uuid.UUID = scalar(
        db,
        "select (private.begin_erasure(%s, private.setting_interval('erasure_grace'), %s)).id",
        person.user_id,
        at or now(db),
    )
    return erasure


def step(db: Connection, erasure: uuid.UUID, at: datetime) -> tuple[str, dict[str, Any] | None]:
    """One step, and the errands that it asks for."""
    ((state, errands),) = rows(db, "select state, errands from private.advance_erasure(%s, %s)", erasure, at)
    return state, errands


def do_errands(db: Connection, erasure: uuid.UUID, errands: dict[str, Any]) -> None:
    """What the worker does outside: remove files, tell processors."""
    db.execute("select set_config('storage.allow_delete_query', 'true', true)")
    for file in errands["files"]:
        db.execute(
            "delete from storage.objects where bucket_id = %s and name = %s",
            (file["bucket_id"], file["name"]),
        )
    db.execute(
        """update private.erasure_outbox o set done_at = now()
           from jsonb_to_recordset(%s::jsonb) as d (processor_id text, reference text)
           where o.erasure_id = %s and o.reference = d.reference""",
        (json.dumps(errands["outside"]), erasure),
    )


def run(db: Connection, erasure: uuid.UUID, at: datetime) -> str:
    """Step until nothing goes on any more; returns the last state."""
    for _ in range(500):
        state, errands = step(db, erasure, at)
        if state != "erasing":
            return state
        if errands is not None:
            do_errands(db, erasure, errands)
    raise AssertionError("an erasure without end")


def erase(db: Connection, person: Person) -> uuid.UUID:
    """From the request to the end."""
    erasure = request(db, person)
    assert run(db, erasure, now(db) + GRACE) == "completed"
    return erasure
