"""Short forms for SQL tests."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

Connection = psycopg.Connection[Any]


def scalar(connection: Connection, query: LiteralString, *parameters: object) -> Any:
    """The first column of the first row."""
    row = connection.execute(query, parameters).fetchone()
    assert row is not None, "the query gave no row"
    return row[0]


def rows(connection: Connection, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    return connection.execute(query, parameters).fetchall()
