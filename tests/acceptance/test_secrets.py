"""No plaintext token, password or keyring byte in a dump of the database, in any log, or in an exception's text.

The secrets are known here because sandbox, browser and people are of this process. The one thing that is left out is
the refresh token of a sign-in: Supabase Auth itself keeps it in auth.refresh_tokens (P3.7 ends it with its session).
"""

from __future__ import annotations

import base64
import json
import subprocess
import traceback
import uuid
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import psycopg
import pytest
from pydantic import SecretStr

from nexora_client import Feature, NexoraClient, Platform, TargetState, errors
from tests.client.people import Person, access_token
from tests.support.api import Api
from tests.support.creators import png
from tests.support.running import KEYRING, REDIRECT, RunningWorker, running_worker
from tests.support.secrets import forms_of, found
from tests.support.waiting import wait_until
from workers.cli.local import redirect_uris
from workers.embedded import Stack
from workers.errors import NexoraError
from workers.gateway import Gateway
from workers.http import OAUTH, build_client
from workers.jobs.backup import client_tool
from workers.providers.oauth import oauth_clients
from workers.sandbox import Sandbox
from workers.sandbox import state as sandbox_state
from workers.settings import Settings
from workers.vault import Keyring, SecretToken, TokenContext, Vault, VaultError

PLATFORMS = (Platform.X, Platform.LINKEDIN)
TOKEN_PATH = "^/x/2/oauth2/token$"
PASSWORD, SECOND_PASSWORD = "a lantern above the quiet water 7", "another boat on the same water 8"


@dataclass
class Known:
    """Every secret that the journey met, by name."""

    secrets: dict[str, bytes] = field(default_factory=dict)

    def add(self, name: str, secret: str | bytes) -> None:
        value = secret.encode() if isinstance(secret, str) else secret
        if value not in self.secrets.values():
            self.secrets[f"{name} {len(self.secrets)}"] = value


@pytest.fixture(scope="module")
def known() -> Known:
    return Known()


@pytest.fixture(scope="module")
def sandbox(known: Known) -> Iterator[Sandbox]:
    """Platforms whose every token, code and upload address is noted as it is made."""
    real = sandbox_state.secrets

    def token_urlsafe(size: int) -> str:
        token: str = real.token_urlsafe(size)
        known.add("issued by a platform", token)
        return token

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox_state, "secrets", SimpleNamespace(token_urlsafe=token_urlsafe))
        with Sandbox.start() as running:
            known.add("client secret", running.secret)
            yield running


@dataclass(frozen=True)
class Journey:
    """What a life with the service left behind."""

    places: Mapping[str, bytes]
    known: Known


@pytest.fixture(scope="module")
def journey(
    stack: Stack, quick_api: Api, sandbox: Sandbox, known: Known, tmp_path_factory: pytest.TempPathFactory
) -> Journey:
    """Sign-up, connect, publish, refresh, failing refresh, lost grant, disconnect; then everything that was written."""
    for name in ("secret_key", "jwt_secret", "admin_password", "postgres_password", "api_password"):
        known.add(name, getattr(stack.secrets, name))
    for entry in json.loads(KEYRING)["keys"].values():
        known.add("key of the keyring", base64.b64decode(entry["key"]))
    logs = tmp_path_factory.mktemp("secrets")
    debug = {"NEXORA_LOG_LEVEL": "debug", "NEXORA_POLL_SECONDS": "0.1"}
    with running_worker(quick_api, sandbox, logs, **debug) as worker, _signed_up(quick_api, known) as person:
        sandbox.control.add_redirect_uris(*redirect_uris(worker.web_url))
        _live(quick_api, sandbox, known, worker, person)
        assert worker.stop() == 0
    _note_what_the_platforms_got(sandbox, known)
    places = {
        "the dump": _dump(quick_api),
        "the worker's log": worker.log_path.read_bytes(),
        "the API's log": (stack._state_dir / "api.log").read_bytes(),
        "the log of Postgres": (stack._state_dir / "postgres.log").read_bytes(),
    }
    return Journey(places, known)


@contextmanager
def _signed_up(api: Api, known: Known) -> Iterator[Person]:
    known.add("password", PASSWORD)
    email = f"{uuid.uuid4().hex[:12]}@people.example"
    with NexoraClient(api.url, api.publishable_key) as client:
        user_id = client.account.sign_up(email, PASSWORD, date(1990, 5, 17)).user_id
        person = Person(client, email, user_id)
        known.add("signature of an access token", access_token(person).rsplit(".", 1)[1])
        yield person


def _live(api: Api, sandbox: Sandbox, known: Known, worker: RunningWorker, person: Person) -> None:
    client = person.client
    connections = {platform: _connect(sandbox, known, client, platform) for platform in PLATFORMS}
    post = client.content.posts.create("First light over the lake.")
    media = client.content.media.upload(png(), "image/png", alt_text="A lake")
    client.content.posts.attach(post.id, media.id, position=1)
    for connection_id in connections.values():
        client.publishing.targets.add(post.id, connection_id)
    client.publishing.publish_now(post.id)
    settled = client.publishing.wait_until_settled(post.id, timeout=60, poll_seconds=0.1)
    assert {target.state for target in settled} == {TargetState.PUBLISHED}
    x = connections[Platform.X]
    _make_refresh_due(api, x)
    wait_until(lambda: _value(api, "select token_generation from public.connections where id = %s", x) == 2)
    sandbox.control.add_fault("status", platform="x", method="POST", path=TOKEN_PATH, status=500, times=50)
    _make_refresh_due(api, x)
    wait_until(lambda: _value(api, "select last_error_code from public.connections where id = %s", x))
    sandbox.control.clear_faults()
    sandbox.control.revoke(Platform.X, "maya")
    _make_refresh_due(api, x)
    wait_until(lambda: client.connections.get(x).state == "needs_reconnect")
    _connect(sandbox, known, client, Platform.X)
    sandbox.control.add_fault("status", platform="x", method="POST", path="^/x/2/oauth2/revoke$", status=500)
    client.connections.disconnect(x)
    wait_until(
        lambda: _value(api, "select count(*) from private.queue where lane = 'revoke' and due_at > now()")
    )
    _change(api, "update private.queue set due_at = now() where lane = 'revoke'")
    wait_until(lambda: _value(api, "select count(*) from private.revocation_outbox") == 0)
    client.account.change_password(SECOND_PASSWORD)
    known.add("second password", SECOND_PASSWORD)
    with pytest.raises(errors.WrongCredentials):
        client.account.sign_in(person.email, PASSWORD)


def _connect(sandbox: Sandbox, known: Known, client: NexoraClient, platform: Platform) -> uuid.UUID:
    """As a browser does it; the first time the person says no. Everything secret in an address is noted."""
    for is_denied in (True, False):
        sandbox.control.auto_approve(platform, "maya", deny=is_denied)
        url = client.connections.begin(platform, [Feature.PROFILE, Feature.PUBLISH], REDIRECT)
        with httpx.Client(timeout=30) as browser:
            _note_address(known, url)
            while not url.startswith(REDIRECT):
                answer = browser.get(url)
                assert answer.next_request is not None, answer.text
                url = str(answer.next_request.url)
                _note_address(known, url)
                for cookie in browser.cookies.jar:
                    known.add("cookie", cookie.value or "")
    return client.connections.confirm(parse_qs(urlsplit(url).query)["connection_code"][0]).id


def _note_address(known: Known, url: str) -> None:
    for name, value in parse_qsl(urlsplit(url).query):
        if name in {"ticket", "state", "code", "connection_code"}:
            known.add(name, value)


def _make_refresh_due(api: Api, connection_id: uuid.UUID) -> None:
    """As if the token's time, and that of whoever tried before, were over."""
    _change(
        api,
        """update private.token_vault set access_expires_at = now() + interval '1 minute', refresh_worker = null,
                  refresh_leased_until = null where connection_id = %s""",
        connection_id,
    )
    due = "update private.queue set due_at = now(), worker_id = null, leased_at = null where subject_id = %s"
    _change(api, due, connection_id)


def _change(api: Api, statement: str, *parameters: object) -> None:
    with psycopg.connect(api.db_url) as connection:
        connection.execute(statement, parameters)  # type: ignore[call-overload]


def _value(api: Api, query: str, *parameters: object) -> object:
    with psycopg.connect(api.db_url) as connection:
        row = connection.execute(query, parameters).fetchone()  # type: ignore[call-overload]
    return row[0] if row else None


def _note_what_the_platforms_got(sandbox: Sandbox, known: Known) -> None:
    """PKCE verifiers, and whatever else came in a form: the sandbox keeps bodies as they were sent."""
    for record in sandbox._server._app.records._records:
        for name, value in parse_qsl(record.body.decode("latin-1")):
            if (
                name in {"code_verifier", "code", "refresh_token", "token", "client_secret"}
                and len(value) >= 16
            ):
                known.add(name, value)


def _dump(api: Api) -> bytes:
    """Everything, with schemas auth and storage; less the one table that the docstring names."""
    program = client_tool("pg_dump")
    left_out = "--exclude-table-data=auth.refresh_tokens"
    return subprocess.run([program, left_out, api.admin_url], check=True, capture_output=True).stdout


def test_the_journey_met_every_kind_of_secret(journey: Journey) -> None:
    kinds = {name.rsplit(" ", 1)[0] for name in journey.known.secrets}
    assert {
        "issued by a platform",
        "code_verifier",
        "ticket",
        "state",
        "connection_code",
        "cookie",
        "password",
    } <= kinds
    assert {"client secret", "secret_key", "key of the keyring", "signature of an access token"} <= kinds
    assert len(journey.known.secrets) > 30


def test_the_places_hold_what_they_should(journey: Journey) -> None:
    """An empty place would hold no secret either."""
    dump, log = journey.places["the dump"], journey.places["the worker's log"]
    assert b"COPY auth.users" in dump
    assert b"COPY private.token_vault" in dump
    assert b"\\\\x4e5854" in dump, "sealed records are there"
    for event in (
        b"account_awaits_confirmation",
        b"account_not_connected",
        b"target_concluded",
        b"grant_ended",
    ):
        assert event in log


@pytest.mark.parametrize("place", ["the dump", "the worker's log", "the API's log", "the log of Postgres"])
def test_no_secret_is_in(journey: Journey, place: str) -> None:
    assert found(journey.known.secrets, {place: journey.places[place]}) == set()


def test_a_planted_leak_is_found_in_every_form(journey: Journey, quick_api: Api) -> None:
    """In the database and in a log alike, whatever stands before and behind it."""
    name, secret = next(item for item in journey.known.secrets.items() if item[0].startswith("issued"))
    written = [f"x{content.decode()}y" for _, content in forms_of(secret)]
    written += [base64.b64encode(b"+" * before + secret + b"behind").decode() for before in range(4)]
    _change(quick_api, "create table private.planted (content text)")
    try:
        _change(quick_api, "insert into private.planted select unnest(%s::text[])", written)
        places = {"the dump": _dump(quick_api), "a log": json.dumps({"event": written}).encode()}
    finally:
        _change(quick_api, "drop table private.planted")
    expected = {(name, form, place) for form, _ in forms_of(secret) for place in places}
    assert found({name: secret}, places) == expected
    for text in written:
        assert found({name: secret}, {"a log": text.encode()}), text
    assert not found({name: secret}, {"a log": json.dumps({"event": "x" * 4000}).encode()})


# --- exceptions


def _text_of(error: BaseException) -> bytes:
    """All that a careless handler could print: message, repr, fields and traceback, of its causes as well."""
    chain: BaseException | None = error
    parts = ["".join(traceback.format_exception(error))]
    while chain is not None:
        parts += [str(chain), repr(chain), repr(vars(chain)), repr(chain.args)]
        chain = chain.__cause__ or chain.__context__
    return "\n".join(parts).encode()


async def _error_of(call: Awaitable[object]) -> NexoraError | None:
    try:
        await call
    except NexoraError as error:
        return error
    return None


ACCESS, REFRESH, CODE = ("canary of an access token", "canary of a refresh token", "canary of a code")


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["refused", "status", "malformed", "reset_before", "reset_after"])
async def test_a_failing_platform_does_not_bring_its_tokens_into_an_exception(
    sandbox: Sandbox, kind: str
) -> None:
    settings = Settings(sandbox_url=sandbox.url, sandbox_secret=SecretStr(sandbox.secret))
    canaries = {name: name.encode() for name in (ACCESS, REFRESH, CODE)} | {"secret": sandbox.secret.encode()}
    raised: list[bytes] = []
    async with build_client(OAUTH) as http:
        client = oauth_clients(settings, http)["x"]
        calls = [
            lambda: client.refresh(SecretToken(REFRESH)),
            lambda: client.revoke(SecretToken(REFRESH)),
            lambda: client.fetch_profile(SecretToken(ACCESS)),
            lambda: client.exchange_code(
                code=SecretToken(CODE),
                verifier=SecretToken("v" * 43),
                redirect_uri="http://127.0.0.1:1/callback",
            ),
        ]
        for call in calls:
            if kind != "refused":
                sandbox.control.add_fault(kind, platform="x", times=20, status=500)  # type: ignore[arg-type]
            error = await _error_of(call())
            sandbox.control.clear_faults()
            if error is not None:
                raised.append(_text_of(error))
    assert len(raised) >= 3, "revoking alone may succeed: RFC 7009 does not mind an unknown token"
    assert found(canaries, {"the exceptions": b"\n".join(raised)}) == set()


def test_a_vault_that_cannot_open_tells_nothing() -> None:
    place = TokenContext(uuid.uuid4(), uuid.uuid4(), "x", "access", 1)
    sealed = Vault(Keyring.generate()).seal(SecretToken(ACCESS), place)
    stranger = Keyring.from_json(KEYRING)
    key = base64.b64decode(json.loads(KEYRING)["keys"]["k1"]["key"])
    with pytest.raises(VaultError) as caught:
        Vault(stranger).open(sealed, place)
    assert found({"token": ACCESS.encode(), "key": key}, {"the exception": _text_of(caught.value)}) == set()


@pytest.mark.anyio
async def test_a_refused_database_call_does_not_bring_the_key_into_an_exception(api: Api) -> None:
    key = "sb_secret_" + "canary-of-the-secret-key-0000000000"
    settings = Settings(
        supabase_url=api.url, supabase_secret_key=SecretStr(key), supabase_publishable_key=api.publishable_key
    )
    gateway = Gateway.open(settings)
    try:
        with pytest.raises(NexoraError) as caught:
            await gateway.redeem_ticket("0" * 64, "1" * 64, "2" * 64, "3" * 64)
    finally:
        await gateway.aclose()
    assert found({"key": key.encode()}, {"the exception": _text_of(caught.value)}) == set()


def test_a_refused_sign_in_does_not_bring_the_password_into_an_exception(api: Api) -> None:
    with NexoraClient(api.url, api.publishable_key) as client:
        for attempt in (
            lambda: client.account.sign_in("nobody@people.example", PASSWORD),
            lambda: client.account.sign_up("nobody", PASSWORD, date(1990, 1, 1)),
            lambda: client.account.sign_up("kid@people.example", PASSWORD, date(2020, 1, 1)),
        ):
            with pytest.raises(errors.NexoraError) as caught:
                attempt()
            assert found({"password": PASSWORD.encode()}, {"the exception": _text_of(caught.value)}) == set()
