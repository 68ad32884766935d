"""The databases of a run: one base per queue, one template per scenario, one copy of it per measurement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, LiteralString, cast

import psycopg
from psycopg import sql

from workers.bench.systems import System
from workers.embedded import Stack
from workers.embedded import database as hosted

__all__ = ["Databases"]

_SQL = Path(__file__).with_name("sql")
_RUN = "bench_run"

Connection = psycopg.Connection[tuple[Any, ...]]


class Databases:
    """Makes, fills and copies databases of one embedded cluster, as its superuser."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._admin: Connection = psycopg.connect(stack.admin_url, autocommit=True)

    def close(self) -> None:
        self._admin.close()

    def url(self, name: str) -> str:
        """Superuser URL: the queues are measured without a proxy between."""
        return self.stack.url(name, admin=True)

    @contextmanager
    def connect(self, name: str) -> Iterator[Connection]:
        """A superuser connection in autocommit mode."""
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            yield connection

    def make_base(self, system: System, future: int) -> str:
        """The schema of a queue with `future` pending rows that are due in 1 to 31 days; made once per run."""
        name = f"bench_{system.key}_{future}"
        if self._exists(name):
            return name
        self._copy("postgres" if system.is_ours else "template1", name)
        system.install(self.stack.url(name), self.url(name))
        with self.connect(name) as connection:
            if system.is_ours:
                connection.execute(_load("nexora_people.sql", people=sql.Literal(2000)))
            if future:
                first, last = _now(connection, "1 day"), _now(connection, "31 days")
                self._fill_without_indexes(connection, system, future, first, last)
            connection.execute("vacuum (analyze)")
        return name

    def template(self, system: System, due: int, future: int) -> str:
        """A base with `due` rows more, that became due during the last ten minutes; made when missing."""
        name = f"bench_{system.key}_{future}_{due}"
        if self._exists(name):
            return name
        self._copy(self.make_base(system, future), name)
        with self.connect(name) as connection:
            self.fill(connection, system, due, _now(connection, "-10 minutes"), _now(connection, "0 s"))
            connection.execute("vacuum (analyze)")
        return name

    def fill(
        self, connection: Connection, system: System, rows: int, first: datetime, last: datetime
    ) -> None:
        """Insert `rows` pending rows with due times from `first` to `last`, evenly."""
        values = {"rows": sql.Literal(rows), "first": sql.Literal(first), "last": sql.Literal(last)}
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            connection.execute(_load(system.fill_sql, **values))

    def _fill_without_indexes(
        self, connection: Connection, system: System, rows: int, first: datetime, last: datetime
    ) -> None:
        tables = list(system.big_tables)
        connection.execute(_load("indexes_off.sql", tables=sql.Literal([t.split(".")[1] for t in tables])))
        self.fill(connection, system, rows, first, last)
        for table in tables:
            connection.execute(sql.SQL("reindex table {}").format(sql.Identifier(*table.split("."))))

    def drop_template(self, system: System, due: int, future: int) -> None:
        """Free the disk of a template that is not needed any more."""
        self.drop(f"bench_{system.key}_{future}_{due}")

    def clock(self, connection: Connection) -> datetime:
        """The server's time."""
        return _now(connection, "0 s")

    def renew_run(self, system: System, template: str) -> str:
        """A fresh copy of a template, written to disk, with its indexes in memory as in a server that has been
        running; the copy before it is dropped."""
        self.stack.unserve(_RUN)
        self.drop(_RUN)
        self._copy(template, _RUN)
        with self.connect(_RUN) as connection:
            connection.execute("create extension pg_prewarm")
            connection.execute(
                "select pg_prewarm(i.indexrelid) from pg_index i where i.indexrelid::regclass::text = any (%s)"
                " or %s and i.indrelid::regclass::text = any (%s)",
                [
                    list(system.warm),
                    not system.warm,
                    [name.removeprefix("public.") for name in system.big_tables],
                ],
            )
        self._admin.execute("checkpoint")
        return _RUN

    def drop(self, name: str) -> None:
        hosted.drop(self._admin, name)

    def wal_position(self) -> int:
        """Bytes of write-ahead log since the cluster was made."""
        return self._scalar("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")

    def server_version(self) -> str:
        return str(self._admin.execute("show server_version").fetchone()[0])  # type: ignore[index]

    def _copy(self, template: str, name: str) -> None:
        hosted.create(self._admin, name, template, "file_copy")

    def _exists(self, name: str) -> bool:
        return self._admin.execute("select from pg_database where datname = %s", [name]).rowcount > 0

    def _scalar(self, statement: LiteralString) -> int:
        row = self._admin.execute(statement).fetchone()
        return int(row[0]) if row else 0


def _load(name: str, **values: sql.Composable) -> sql.Composed:
    text = (_SQL / name).read_text()
    return sql.SQL(text).format(**values)


def _now(connection: Connection, offset: str) -> datetime:
    row = connection.execute("select now() + %s::interval", [offset]).fetchone()
    assert row is not None  # noqa: S101  a query without FROM has one row
    return cast(datetime, row[0])
