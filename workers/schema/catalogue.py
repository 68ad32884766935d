"""What a database consists of, as one flat mapping: identity of a thing → its definition.

`pgdelta` compares most of a schema, but leaves out policies on the tables of Storage, everything that a
superuser owns, and rows. This is the second opinion, which leaves nothing out: each query of
`sql/catalogue.sql` is about one kind of thing in our schemas, or about what we attached to those of Supabase.
Two databases are equal when the mappings are. Monthly partitions are no part of it: they follow from the
calendar, not from the sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

OWN_SCHEMAS = ("public", "private", "worker", "retained")

_SQL = Path(__file__).with_name("sql")
_KIND = re.compile(r"^-- kind: (.+)$", re.MULTILINE)
# A default that differs from one run to the next: such a column says when or which, not what.
VOLATILE_DEFAULT = r"now\(\)|timestamp|gen_random_uuid|nextval|random|current_date|CURRENT_"


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode on which every name is printed with its schema."""
    return psycopg.connect(url, autocommit=True, options="-c search_path=")


def read(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Everything that the sources define, rows included: identity → definition.

    `connection` is from `connect`. A freshly built database holds no person's data: all its rows are
    reference rows.
    """
    namespaces = _namespaces(connection)
    found: dict[str, str] = {}
    for kind, query in _queries().items():
        rows = connection.execute(query.encode(), {"own": list(OWN_SCHEMAS), "namespaces": namespaces})
        found.update({f"{kind} {identity}": definition or "" for identity, definition in rows})
    for table in reference_tables(connection):
        found.update(table.read(connection))
    return found


@cache
def _queries() -> dict[str, str]:
    prelude, *rest = _KIND.split((_SQL / "catalogue.sql").read_text())
    return {kind: prelude + query for kind, query in zip(rest[::2], rest[1::2], strict=True)}


class ReferenceTable:
    """A table that may hold reference rows: `columns` with a meaning, `key` the primary key among them."""

    def __init__(self, name: str, columns: list[str], key: list[str]) -> None:
        self.name = name
        self.columns = columns
        self.key = key if set(key) <= set(columns) else []

    def rows(self, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, dict[str, str | None]]]:
        """Yields (identity, column → value as a SQL literal or None for NULL)."""
        if not self.columns:
            return
        schema, table = _split(self.name)
        values = sql.SQL(", ").join(
            sql.SQL("quote_nullable({})").format(sql.Identifier(name)) for name in self.columns
        )
        query = sql.SQL("select {} from {}").format(values, sql.Identifier(schema, table))
        for row in connection.execute(query):
            literals = {
                name: None if value == "NULL" else value
                for name, value in zip(self.columns, row, strict=True)
            }
            yield ", ".join(str(literals[name]) for name in self.key or self.columns), literals

    def read(self, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
        for identity, literals in self.rows(connection):
            yield (
                f"row {self.name} ({identity})",
                "\n".join(f"{name} = {value}" for name, value in literals.items()),
            )


def reference_tables(connection: psycopg.Connection[Any]) -> list[ReferenceTable]:
    rows = connection.execute(
        (_SQL / "reference_tables.sql").read_bytes(),
        {"namespaces": _namespaces(connection), "volatile": VOLATILE_DEFAULT},
    ).fetchall()
    return [ReferenceTable(*row) for row in rows]


def drop_dated_partitions(connection: psycopg.Connection[Any]) -> None:
    """Drops the monthly partitions of a scratch database: two builds compare equal across midnight."""
    names = connection.execute(
        """select c.oid::regclass::text from pg_class c
           where c.relispartition and c.relkind = 'r' and c.relnamespace = any(%s::oid[])
             and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'""",
        (_namespaces(connection),),
    ).fetchall()
    for (name,) in names:
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(*_split(name))))


def _namespaces(connection: psycopg.Connection[Any]) -> list[int]:
    query = "select oid from pg_namespace where nspname = any(%s)"
    return [oid for (oid,) in connection.execute(query, (list(OWN_SCHEMAS),))]


def _split(name: str) -> tuple[str, str]:
    """`schema.table` as `regclass` prints it, quoted where needed, into its two names."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)
    schema, table = (part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts)
    return schema, table
