"""Connected accounts for SQL tests, made the way the worker makes them."""

from __future__ import annotations

import base64
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from typing import Any

import psycopg

from tests.support.personas import Person, acting_as, as_worker

REDIRECT = "https://app.nexora.example/connected"
PUBLIC_URL = "https://worker.nexora.example"
X_SCOPES = ["media.write", "offline.access", "tweet.read", "tweet.write", "users.read"]
YOUTUBE = "https://www.googleapis.com/auth/youtube."
SCOPES = {
    "x": X_SCOPES,
    "linkedin": ["openid", "profile", "w_member_social"],
    "youtube": [YOUTUBE + "readonly", YOUTUBE + "upload"],
    "instagram": ["instagram_business_basic", "instagram_business_content_publish"],
    "tiktok": ["user.info.basic", "video.publish", "video.upload"],
}


def digest(text: str) -> str:
    """SHA-256 in hex, as hashes cross the API."""
    return hashlib.sha256(text.encode()).hexdigest()


def sealed(key_id: str = "k1", *, content: int = 20) -> str:
    """Base64 of something with the outside of a sealed record."""
    kid = key_id.encode()
    record = b"NXT\x01" + bytes([len(kid)]) + kid + secrets.token_bytes(12 + 48 + 32 + 32 + 12 + content + 16)
    return base64.b64encode(record).decode()


def register_worker(connection: psycopg.Connection, name: str = "w") -> uuid.UUID:
    """A live worker that has announced its addresses."""
    row = connection.execute(
        "select worker.register_worker(%s, %s, %s)", (name, PUBLIC_URL, [REDIRECT])
    ).fetchone()
    assert row is not None
    return row[0]


def ticket_of(url: str) -> str:
    """The one-time ticket in a start link."""
    return url.split("ticket=", 1)[1]


def begin(
    connection: psycopg.Connection,
    person: Person,
    platform: str = "x",
    features: tuple[str, ...] = ("publish",),
    *,
    reconnect: uuid.UUID | None = None,
) -> str:
    """The start link that begin_connection() gives to `person`."""
    with acting_as(connection, person):
        row = connection.execute(
            "select public.begin_connection(%s, %s, %s, %s)", (platform, list(features), REDIRECT, reconnect)
        ).fetchone()
    assert row is not None
    return row[0]


@dataclass(frozen=True)
class Flow:
    """A flow whose state was consumed: the platform has sent the person back."""

    flow_id: uuid.UUID
    platform: str
    person: Person


def consumed_flow(
    connection: psycopg.Connection,
    person: Person,
    platform: str = "x",
    features: tuple[str, ...] = ("publish",),
    *,
    reconnect: uuid.UUID | None = None,
) -> Flow:
    """Go through begin, redeem and consume."""
    ticket = ticket_of(begin(connection, person, platform, features, reconnect=reconnect))
    state, browser = secrets.token_hex(16), secrets.token_hex(16)
    with as_worker(connection):
        connection.execute(
            "select * from worker.redeem_ticket(%s, %s, %s, %s)",
            (digest(ticket), digest(state), digest(browser), sealed()),
        )
        row = connection.execute(
            "select flow_id from worker.consume_oauth_state(%s, %s)", (digest(state), digest(browser))
        ).fetchone()
    assert row is not None
    return Flow(row[0], platform, person)


def hold(
    connection: psycopg.Connection,
    flow: Flow,
    external_id: str,
    *,
    scopes: list[str] | None = None,
    refresh: bool = True,
    access_seconds: int = 7200,
    connection_id: uuid.UUID | None = None,
    generation: int | None = None,
    access: str | None = None,
) -> str:
    """Resolve and hold, as the worker's callback does; answers the code with which the person confirms."""
    code = secrets.token_hex(32)
    with as_worker(connection):
        resolved = connection.execute(
            "select connection_id, generation from worker.resolve_connection(%s, %s)",
            (flow.flow_id, external_id),
        ).fetchone()
        assert resolved is not None
        connection.execute(
            """select worker.hold_connection(%s, %s, %s, 'mira', 'Mira', 'https://img.example/m.png', %s, %s, %s, %s,
                                             %s, array['k1'], now() + make_interval(secs => %s), null, %s)""",
            (
                flow.flow_id,
                connection_id or resolved[0],
                external_id,
                SCOPES[flow.platform] if scopes is None else scopes,
                generation or resolved[1],
                access or sealed(),
                sealed() if refresh else None,
                sealed(),
                access_seconds,
                digest(code),
            ),
        )
    return code


def confirm(connection: psycopg.Connection, person: Person, code: str) -> uuid.UUID | None:
    """The connection that `person` completes with `code`; None when there is nothing to complete."""
    with acting_as(connection, person):
        row = connection.execute("select id from public.confirm_connection(%s)", (code,)).fetchone()
    return None if row is None else row[0]


def store(connection: psycopg.Connection, flow: Flow, external_id: str, **details: Any) -> uuid.UUID:
    """Hold and confirm; `details` as `hold` takes them."""
    connection_id = confirm(connection, flow.person, hold(connection, flow, external_id, **details))
    assert connection_id is not None
    return connection_id


def connect_account(
    connection: psycopg.Connection,
    person: Person,
    platform: str = "x",
    *,
    external_id: str | None = None,
    features: tuple[str, ...] = ("publish",),
    scopes: list[str] | None = None,
    refresh: bool = True,
) -> uuid.UUID:
    """A connected account with publishing granted; needs a worker that has announced its addresses."""
    flow = consumed_flow(connection, person, platform, features)
    return store(connection, flow, external_id or uuid.uuid4().hex, scopes=scopes, refresh=refresh)
