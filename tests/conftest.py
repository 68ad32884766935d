"""Fixtures shared by every layer: one embedded stack per run, databases cloned from one migrated template."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.api import Api
from workers.embedded import Stack
from workers.schema import sources

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "nexora_template"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the worker does."""
    return "asyncio"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded Supabase: Postgres 17, auth, REST and storage."""
    with Stack.start(tmp_path_factory.mktemp("stack"), durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def template_db(stack: Stack) -> str:
    """Name of a database with the whole schema and no people; clone it, never write to it."""
    stack.create_database(TEMPLATE)
    stack.provision(TEMPLATE)
    with psycopg.connect(stack.url(TEMPLATE)) as connection:
        sources.apply(ROOT, connection)
    return TEMPLATE


def _clone(stack: Stack, template: str, label: str) -> Iterator[str]:
    name = f"{label}_{uuid.uuid4().hex[:12]}"
    stack.create_database(name, template=template)
    yield name
    stack.unserve(name)
    stack.drop_database(name)


@pytest.fixture(scope="session")
def _rollback_db(stack: Stack, template_db: str) -> Iterator[str]:
    yield from _clone(stack, template_db, "sql")


@pytest.fixture
def db(stack: Stack, _rollback_db: str) -> Iterator[psycopg.Connection]:
    """A connection as role `postgres`, rolled back after the test."""
    with psycopg.connect(stack.url(_rollback_db)) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def admin_db(stack: Stack, _rollback_db: str) -> Iterator[psycopg.Connection]:
    """A connection as superuser to the same database as `db`, rolled back after the test."""
    with psycopg.connect(stack.url(_rollback_db, admin=True)) as connection:
        yield connection
        connection.rollback()


@pytest.fixture(scope="module")
def database(stack: Stack, template_db: str) -> Iterator[str]:
    """Name of a database of this test module's own, for tests that commit."""
    yield from _clone(stack, template_db, "own")


@pytest.fixture(scope="module")
def db_url(stack: Stack, database: str) -> str:
    """URL (role `postgres`) of this module's own database, for tests with several connections."""
    return stack.url(database)


@pytest.fixture(scope="module")
def api(stack: Stack, database: str) -> Api:
    """The HTTP API over this module's own database, as front ends and workers see it."""
    return Api(
        url=stack.serve(database),
        publishable_key=stack.secrets.publishable_key,
        secret_key=stack.secrets.secret_key,
        db_url=stack.url(database),
        admin_url=stack.url(database, admin=True),
    )
