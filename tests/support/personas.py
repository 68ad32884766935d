"""People for SQL tests: created as Supabase Auth creates them, and acted as the API acts as them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pytest


@dataclass(frozen=True)
class Person:
    """A signed-in person."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    email: str


def create_person(
    connection: psycopg.Connection, *, email: str | None = None, birth_date: str | None = "1990-01-01"
) -> Person:
    """Insert a confirmed user and a session. Without `birth_date` the sign-up looks like one through OAuth."""
    user_id, session_id = uuid.uuid4(), uuid.uuid4()
    email = email or f"{user_id.hex[:12]}@people.example"
    metadata = {} if birth_date is None else {"birth_date": birth_date}
    connection.execute(
        """insert into auth.users (id, aud, role, email, encrypted_password, raw_app_meta_data, raw_user_meta_data,
                                   email_confirmed_at, created_at, updated_at)
           values (%s, 'authenticated', 'authenticated', %s, '$2a$10$not.a.real.hash', %s, %s, now(), now(), now())""",
        (user_id, email, json.dumps({"provider": "email"}), json.dumps(metadata)),
    )
    return sign_in(connection, Person(user_id, session_id, email))


def sign_in(connection: psycopg.Connection, person: Person) -> Person:
    """Insert the session that `person` names."""
    connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at) values (%s, %s, now(), now())",
        (person.session_id, person.user_id),
    )
    return person


@contextmanager
def acting_as(connection: psycopg.Connection, person: Person | None) -> Iterator[None]:
    """Run the block with the role and claims that the API sets for `person`; None is the anonymous visitor."""
    claims = {"role": "anon"}
    if person is not None:
        claims = {"role": "authenticated", "sub": str(person.user_id), "session_id": str(person.session_id)}
    with _role(connection, claims["role"], claims):
        yield


@contextmanager
def as_worker(connection: psycopg.Connection) -> Iterator[None]:
    """Run the block as a holder of the secret key."""
    with _role(connection, "service_role", {"role": "service_role"}):
        yield


@contextmanager
def denied(connection: psycopg.Connection, sqlstate: str) -> Iterator[None]:
    """The block must fail with exactly this SQLSTATE; what it wrote is undone."""
    with pytest.raises(psycopg.Error) as caught, connection.transaction():
        yield
    assert caught.value.sqlstate == sqlstate, f"{caught.value.sqlstate}: {caught.value}"


@contextmanager
def _role(connection: psycopg.Connection, role: str, claims: dict[str, str]) -> Iterator[None]:
    connection.execute(f"set local role {role}")
    _set_claims(connection, claims)
    try:
        yield
    finally:
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.INERROR:
            connection.execute("reset role")
            _set_claims(connection, {})


def _set_claims(connection: psycopg.Connection, claims: dict[str, str]) -> None:
    # Both styles: GoTrue's auth.uid() reads either, the embedded API's only the first.
    for claim in ("sub", "role", "session_id"):
        connection.execute(
            "select set_config(%s, %s, true)", (f"request.jwt.claim.{claim}", claims.get(claim, ""))
        )
    connection.execute(
        "select set_config('request.jwt.claims', %s, true)", (json.dumps(claims) if claims else "",)
    )
