"""People who use the client, and what a worker would do for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import psycopg

from nexora_client import NexoraClient
from tests.support.api import PASSWORD, Api

GRANTED = ["offline.access", "tweet.read", "tweet.write", "users.read", "media.write"]


@dataclass(frozen=True)
class Person:
    """Somebody with a client that is signed in."""

    client: NexoraClient
    email: str
    user_id: UUID


@contextmanager
def new_person(api: Api, *, birth_date: date = date(1990, 5, 17)) -> Iterator[Person]:
    """Sign somebody up."""
    email = f"{uuid.uuid4().hex[:12]}@people.example"
    with NexoraClient(api.url, api.publishable_key) as client:
        signed_up = client.account.sign_up(email, PASSWORD, birth_date)
        assert signed_up.is_signed_in
        yield Person(client, email, signed_up.user_id)


def access_token(person: Person) -> str:
    """The token that the person's client sends."""
    session = person.client._transport.supabase.auth.get_session()
    assert session is not None
    return session.access_token


def worker_fact(db_url: str, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Commit what a worker would have brought about."""
    with psycopg.connect(db_url) as connection:
        cursor = connection.execute(sql, parameters)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def connect_account(db_url: str, user_id: UUID, *, scopes: list[str] | None = None) -> UUID:
    """An account on X, as the worker stores it after the person has agreed there."""
    rows = worker_fact(
        db_url,
        """insert into public.connections (user_id, platform_id, external_account_id, handle, scopes, state,
                                           connected_at, token_generation)
           values (%s, 'x', %s, 'mayaokafor', %s, 'active', now(), 1) returning id""",
        user_id,
        str(uuid.uuid4().int % 10**18),
        GRANTED if scopes is None else scopes,
    )
    connection_id: UUID = rows[0][0]
    return connection_id


def move_target(db_url: str, target_id: UUID, *states: str) -> None:
    """Take a target through states that only a worker brings about."""
    for state in states:
        worker_fact(db_url, "update public.post_targets set state = %s where id = %s", state, target_id)
