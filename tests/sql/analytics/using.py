"""Use of the product in SQL tests: people whose pseudonym draws a wanted kind, and days filled with rows."""

from __future__ import annotations

import json
from typing import Final

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import Person, acting_as

MONDAY: Final = "2026-03-02"
NOON: Final = f"{MONDAY} 12:00Z"


def draw(db: Connection, person: Person, kind: str, day: str = MONDAY) -> None:
    """Make the key of a day one under which this kind is kept of the person."""
    db.execute("delete from private.usage_keys")
    db.execute(
        """insert into private.usage_keys (day, key)
           select %s, sha256(n::text::bytea) from generate_series(1, 1000) n
           where private.usage_kind(private.usage_pseudonym(sha256(n::text::bytea), %s)) = %s limit 1""",
        (day, person.user_id, kind),
    )


def track(db: Connection, person: Person, events: object, screen: str | None = None, at: str = NOON) -> bool:
    with acting_as(db, person):
        return bool(
            scalar(db, "select private.track_usage(%s::jsonb, %s, %s)", json.dumps(events), screen, at)
        )


def pages(*names: str) -> list[dict[str, str]]:
    return [{"kind": "page", "name": name} for name in names]


def kept(db: Connection) -> list[tuple[str, str, str]]:
    return rows(db, "select day::text, kind, name from private.usage_events order by 1, 2, 3")


def fill(db: Connection, day: str, kind: str, name: str, people: int) -> None:
    """So many pseudonyms did this on a day."""
    db.execute(
        """insert into private.usage_events (day, pseudonym, kind, name)
           select %s::date, substr(sha256(concat(%s::text, %s::text, n)::bytea), 1, 16), %s, %s
           from generate_series(1, %s) n""",
        (day, day, kind + name, kind, name, people),
    )
