"""A database with the small schema of these tests, served, and people in it."""

from __future__ import annotations

import stat
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from workers.embedded import Stack

DATABASE = "embedded_tests"
PASSWORD = "Correct-horse-1"


@dataclass(frozen=True)
class Caller:
    """Somebody who calls the API: a person with a token, or only a key."""

    api: str
    key: str = field(repr=False)
    token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    id: str = ""
    email: str = ""

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"apikey": self.key, **options.pop("headers", {})}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        return httpx.request(method, self.api + path, headers=headers, timeout=30, **options)

    def rpc(self, function: str, **arguments: Any) -> httpx.Response:
        return self.request("POST", f"/rest/v1/rpc/{function}", json=arguments)


def sign_up(api: str, key: str, *, email: str = "", data: dict[str, Any] | None = None) -> Caller:
    """A new person with a session."""
    email = email or f"{uuid.uuid4().hex}@example.org"
    body = {"email": email, "password": PASSWORD, "data": data or {}}
    answer = httpx.post(f"{api}/auth/v1/signup", headers={"apikey": key}, json=body, timeout=30)
    answer.raise_for_status()
    return session(api, key, answer.json())


def session(api: str, key: str, answer: dict[str, Any]) -> Caller:
    user = answer["user"]
    return Caller(api, key, answer["access_token"], answer["refresh_token"], user["id"], user["email"])


@pytest.fixture(scope="session")
def database(stack: Stack) -> str:
    stack.create_database(DATABASE)
    stack.provision(DATABASE)
    schema = Path(__file__).with_name("schema.sql").read_text()
    with psycopg.connect(stack.url(DATABASE)) as connection:
        connection.execute(schema)
    return DATABASE


@pytest.fixture(scope="session")
def api(stack: Stack, database: str) -> str:
    return stack.serve(database)


@pytest.fixture
def admin(stack: Stack, database: str) -> Iterator[psycopg.Connection[Any]]:
    """The superuser, to look at what the services left behind."""
    with psycopg.connect(stack.url(database, admin=True), autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(stack: Stack, database: str) -> Iterator[psycopg.Connection[Any]]:
    """Role `postgres`, as a migration has it; nothing stays."""
    with psycopg.connect(stack.url(database)) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def new_person(stack: Stack, api: str) -> Callable[..., Caller]:
    def make(**options: Any) -> Caller:
        return sign_up(api, stack.secrets.publishable_key, **options)

    return make


@pytest.fixture
def anonymous(stack: Stack, api: str) -> Caller:
    return Caller(api, stack.secrets.publishable_key)


@pytest.fixture
def service(stack: Stack, api: str) -> Caller:
    return Caller(api, stack.secrets.secret_key)


def reachable_by_all(path: Path) -> bool:
    """Whether a user without rights can get to the file; root's own Python may lie below /root."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def python_for_everybody() -> str:
    """A Python of this version that an unprivileged user can run; without one the test is skipped."""
    for candidate in (Path(sys.executable), Path("/usr/bin/python{}.{}".format(*sys.version_info))):
        if candidate.exists() and reachable_by_all(candidate):
            return str(candidate)
    pytest.skip("no Python that an unprivileged user could run")
