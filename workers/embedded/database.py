"""What makes a plain database look like a fresh hosted project: roles, schemas, owners, privileges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import psycopg
from psycopg import sql

from workers.embedded.keys import StackSecrets

_SQL = Path(__file__).with_name("sql")
Connection = psycopg.Connection[Any]
Strategy = Literal["wal_log", "file_copy"]

# PostgREST's own setting. The linters of the CLI read it to learn which schemas are exposed.
EXPOSED_SCHEMAS = ("public", "worker")
BEFORE_USER_CREATED = "private.before_user_created"  # as auth.hook in supabase/config.toml

_TEMPLATE_TRIES = 5


def create_roles(connection: Connection, secrets: StackSecrets) -> None:
    """Creates the roles of a hosted project, once per cluster."""
    # Hashed with the server's own `scram_iterations`, and never in a log: log_statement is off.
    text = _load("cluster.sql").format(
        postgres_password=sql.Literal(secrets.postgres_password),
        api_password=sql.Literal(secrets.api_password),
    )
    connection.execute(text)


def prepare(connection: Connection, name: str) -> None:
    """Gives a database what belongs to the database and is not copied from a template: its settings."""
    database = sql.Identifier(name)
    exposed = sql.Literal(",".join(EXPOSED_SCHEMAS))
    connection.execute(sql.SQL("alter database {} set pgrst.db_schemas = {}").format(database, exposed))
    connection.execute(sql.SQL("alter database {} owner to postgres").format(database))
    connection.execute(sql.SQL("grant all on database {} to dashboard_user").format(database))


def provision(connection: Connection, create_service_tables: Callable[[], None]) -> None:
    """Makes schemas, lets the services create their tables, and sets owners and privileges as on hosted."""
    with connection.transaction():
        connection.execute(_load("database.sql"))
    create_service_tables()
    with connection.transaction():
        connection.execute(_load("services.sql"))


def create(connection: Connection, name: str, template: str | None, strategy: Strategy) -> None:
    """Creates a database. A template may have no sessions meanwhile: they are ended, if need be again."""
    statement = sql.SQL("create database {} owner postgres template {} strategy {}").format(
        sql.Identifier(name), sql.Identifier(template or "template1"), sql.SQL(strategy)
    )
    for attempt in range(_TEMPLATE_TRIES):
        if template:
            _disconnect_all(connection, template)
        try:
            connection.execute(statement)
            break
        except psycopg.errors.ObjectInUse:
            if attempt == _TEMPLATE_TRIES - 1:
                raise
    prepare(connection, name)


def drop(connection: Connection, name: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _disconnect_all(connection: Connection, name: str) -> None:
    """Tells every session of a database to end; `create database` itself waits until they have."""
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = %s and pid <> pg_backend_pid()",
        [name],
    )


def _load(name: str) -> sql.SQL:
    return sql.SQL((_SQL / name).read_text())
