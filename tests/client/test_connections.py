"""`client.connections` against the real API."""

from __future__ import annotations

import base64
import json
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from nexora_client import ConnectionState, Feature, Platform, errors
from tests.client.people import Person, access_token, connect_account, worker_fact
from tests.sql.connections.making import consumed_flow, hold, register_worker
from tests.support.personas import Person as SqlPerson

REDIRECT = "https://front.example/connected"


def session_id_of(person: Person) -> UUID:
    """The session that the person's token belongs to."""
    payload = access_token(person).split(".")[1]
    return UUID(json.loads(base64.urlsafe_b64decode(payload + "=="))["session_id"])


@pytest.fixture
def worker(db_url: str) -> None:
    """A worker has announced where it can be reached."""
    worker_fact(db_url, "select worker.register_worker('test', 'https://worker.example', %s)", [REDIRECT])


def test_what_can_be_connected(ada: Person) -> None:
    connections = ada.client.connections
    assert {one.id for one in connections.platforms()} == set(Platform)
    x = {one.feature: one.scopes for one in connections.features() if one.platform_id is Platform.X}
    assert "tweet.write" in x[Feature.PUBLISH]
    assert not any(scope.startswith("dm.") for scopes in x.values() for scope in scopes)  # P6.2


def test_begin_needs_a_worker(ada: Person, db_url: str) -> None:
    worker_fact(db_url, "select worker.register_worker('test', null, %s)", [REDIRECT])
    worker_fact(db_url, "delete from private.settings where key = 'public_url'")
    with pytest.raises(errors.NoWorker):
        ada.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT)


@pytest.mark.usefixtures("worker")
def test_begin_gives_a_link_to_the_worker(ada: Person) -> None:
    link = urlsplit(ada.client.connections.begin(Platform.X, [Feature.PROFILE, Feature.PUBLISH], REDIRECT))
    assert (link.netloc, link.path) == ("worker.example", "/oauth/x/start")
    assert len(link.query.removeprefix("ticket=")) == 64


@pytest.mark.usefixtures("worker")
def test_begin_refuses_what_is_not_offered(ada: Person) -> None:
    with pytest.raises(errors.ValidationFailed):
        ada.client.connections.begin(Platform.X, [Feature.INBOX], REDIRECT)
    with pytest.raises(errors.ValidationFailed):
        ada.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT + "/")


@pytest.mark.usefixtures("worker")
def test_too_many_attempts(ada: Person, bob: Person) -> None:
    for _ in range(10):
        ada.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT)
    with pytest.raises(errors.RateLimited):
        ada.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT)
    assert bob.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT)


def test_connections_are_seen_by_their_owner(ada: Person, bob: Person, db_url: str) -> None:
    connection_id = connect_account(db_url, ada.user_id)
    (connection,) = ada.client.connections.list()
    assert (connection.id, connection.platform_id, connection.state) == (
        connection_id,
        Platform.X,
        ConnectionState.ACTIVE,
    )
    assert ada.client.connections.get(connection_id) == connection
    assert bob.client.connections.list() == ()
    with pytest.raises(errors.NotFound):
        bob.client.connections.get(connection_id)


@pytest.mark.usefixtures("worker")
def test_nobody_reconnects_or_disconnects_for_somebody_else(ada: Person, bob: Person, db_url: str) -> None:
    connection_id = connect_account(db_url, ada.user_id)
    with pytest.raises(errors.NotFound):
        bob.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT, reconnect=connection_id)
    with pytest.raises(errors.NotFound):
        bob.client.connections.disconnect(connection_id)
    assert ada.client.connections.get(connection_id).state is ConnectionState.ACTIVE
    assert ada.client.connections.begin(Platform.X, [Feature.PUBLISH], REDIRECT, reconnect=connection_id)


def test_an_unknown_code_connects_nothing(ada: Person) -> None:
    with pytest.raises(errors.WrongState) as caught:
        ada.client.connections.confirm("never issued")
    assert caught.value.code == "NX210"
    assert ada.client.connections.list() == ()


def test_only_the_person_who_began_confirms(ada: Person, bob: Person, db_url: str) -> None:
    """What the worker holds for one person is worth nothing to another, and to the first one afterwards."""
    with psycopg.connect(db_url) as connection:
        register_worker(connection)
        account = SqlPerson(ada.user_id, session_id_of(ada), ada.email)
        mine, trap = (hold(connection, consumed_flow(connection, account), str(uuid4())) for _ in range(2))
    for person in (bob, ada):
        with pytest.raises(errors.WrongState):
            person.client.connections.confirm(trap)
    connection_id = ada.client.connections.confirm(mine).id
    assert ada.client.connections.get(connection_id).state is ConnectionState.ACTIVE
    assert bob.client.connections.list() == ()


def test_disconnect(ada: Person, db_url: str) -> None:
    """P6.7: the tokens are gone at once."""
    connection_id = connect_account(db_url, ada.user_id)
    disconnected = ada.client.connections.disconnect(connection_id)
    assert disconnected.state is ConnectionState.DISCONNECTED
    assert disconnected.disconnected_at is not None
    assert ada.client.connections.disconnect(connection_id) == disconnected
    assert (
        worker_fact(db_url, "select 1 from private.token_vault where connection_id = %s", connection_id) == []
    )
    with pytest.raises(errors.NotFound):
        ada.client.connections.disconnect(uuid4())
