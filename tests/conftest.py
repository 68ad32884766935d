"""Fixtures shared by every layer: one embedded stack per run, databases cloned from one migrated template."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
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


@pytest.fixture(scope="session", autouse=True)
def _certificates() -> Iterator[None]:
    """One TLS context for every client of this process: reading the machine's certificates takes 20 ms, and no
    test speaks TLS. Ours, with their floor of TLS 1.3 (workers/http.py), come from elsewhere.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "httpx._transports.default.create_ssl_context", functools.cache(httpx.create_ssl_context)
        )
        yield


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


class _Sessions:
    """Database sessions for tests that are rolled back: one is used again and again, since a new one would compile
    every function and read the catalogue anew.
    """

    def __init__(self) -> None:
        self._kept: dict[str, psycopg.Connection] = {}

    def lend(self, url: str) -> Iterator[psycopg.Connection]:
        """A session in which nothing is open; what it did is rolled back afterwards."""
        connection = self._kept.pop(url, None) or psycopg.connect(url)
        yield connection
        if not connection.closed:
            connection.rollback()
            self._kept[url] = connection

    def close(self) -> None:
        for connection in self._kept.values():
            connection.close()


@pytest.fixture(scope="session")
def _sessions() -> Iterator[_Sessions]:
    sessions = _Sessions()
    yield sessions
    sessions.close()


@pytest.fixture
def db(stack: Stack, _rollback_db: str, _sessions: _Sessions) -> Iterator[psycopg.Connection]:
    """A connection as role `postgres`, rolled back after the test."""
    yield from _sessions.lend(stack.url(_rollback_db))


@pytest.fixture
def admin_db(stack: Stack, _rollback_db: str, _sessions: _Sessions) -> Iterator[psycopg.Connection]:
    """A connection as superuser to the same database as `db`, rolled back after the test."""
    yield from _sessions.lend(stack.url(_rollback_db, admin=True))


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
