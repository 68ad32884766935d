"""The OAuth client speaks to each platform in its own way, and lets no secret out."""

from __future__ import annotations

import base64
import copy
import hashlib
import logging
import pickle
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from tests.workers.oauth.fake_platform import (
    CLIENT_SECRET,
    PROFILE_PATHS,
    PROFILES,
    TOKEN_PATHS,
    FakePlatform,
    client_of,
    query_of,
)
from workers.errors import (
    GrantRevokedError,
    ProviderAnswerError,
    ProviderError,
    ProviderNotSentError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderTransportError,
    ProviderUnavailableError,
)
from workers.providers import oauth as module
from workers.providers.oauth import PlatformOAuth, TokenGrant, oauth_clients, redirect_uri
from workers.settings import PLATFORMS, Settings
from workers.vault import SecretToken

pytestmark = pytest.mark.anyio

CODE, STATE = SecretToken("code-canary-1"), SecretToken("state-canary-2")
VERIFIER = SecretToken("verifier-canary-3-" + "v" * 40)
ACCESS, REFRESH = SecretToken("access-canary-4"), SecretToken("refresh-canary-5")
BACK = "https://worker.example/oauth/x/callback"


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSES_AFTER_401", (0, 0))


def exchange(client: PlatformOAuth) -> Awaitable[TokenGrant]:
    return client.exchange_code(code=CODE, verifier=VERIFIER, redirect_uri=BACK)


# --- leaving


@pytest.mark.parametrize("platform_id", PLATFORMS)
def test_the_authorization_request_of(platform_id: str, platform: FakePlatform) -> None:
    url = client_of(platform_id, platform).authorization_url(
        state=STATE, verifier=VERIFIER, scopes=["b", "a"], redirect_uri=BACK
    )
    query = query_of(url)
    digest = hashlib.sha256(VERIFIER.reveal_bytes()).digest()
    expected = {"response_type": "code", "redirect_uri": BACK, "state": STATE.reveal()}
    expected |= {
        "youtube": {
            "client_id": "id-youtube",
            "scope": "https://www.googleapis.com/auth/b https://www.googleapis.com/auth/a",
            "access_type": "offline",
            "prompt": "consent",
        },
        "x": {"client_id": "id-x", "scope": "b a"},
        "linkedin": {"client_id": "id-linkedin", "scope": "b a"},
        "instagram": {"client_id": "id-instagram", "scope": "b,a"},
        "tiktok": {"client_key": "id-tiktok", "scope": "b,a"},
    }[platform_id]
    if platform_id in ("youtube", "x"):
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        expected |= {"code_challenge": challenge, "code_challenge_method": "S256"}
    if platform_id == "tiktok":
        expected |= {"code_challenge": digest.hex(), "code_challenge_method": "S256"}
    assert query == expected
    assert VERIFIER.reveal() not in url
    assert CLIENT_SECRET not in url


def test_the_redirect_address_is_the_platforms_own() -> None:
    assert redirect_uri("https://w.example/", "x") == "https://w.example/oauth/x/callback"
    assert len({redirect_uri("https://w.example", name) for name in PLATFORMS}) == len(PLATFORMS)


def test_only_configured_platforms_have_a_client(platform: FakePlatform) -> None:
    bare = Settings(x_client_id="a", x_client_secret=SecretStr("b"))
    assert set(oauth_clients(bare, platform.http())) == {"x"}
    sandboxed = Settings(sandbox_url="http://127.0.0.1:9", sandbox_secret=SecretStr("s"))
    clients = oauth_clients(sandboxed, platform.http())
    assert set(clients) == set(PLATFORMS)
    url = clients["x"].authorization_url(state=STATE, verifier=VERIFIER, scopes=["a"], redirect_uri=BACK)
    assert url.startswith("http://127.0.0.1:9/x/i/oauth2/authorize?")
    assert query_of(url)["client_id"] == "sandbox-x"


# --- codes and tokens


@pytest.mark.parametrize("platform_id", ["youtube", "x", "linkedin", "tiktok"])
async def test_the_token_request_of(platform_id: str, platform: FakePlatform) -> None:
    platform.json(
        TOKEN_PATHS[platform_id],
        {
            "access_token": "a",
            "refresh_token": "r",
            "expires_in": 7200,
            "token_type": "bearer",
            "scope": "b a",
        },
    )
    grant = await exchange(client_of(platform_id, platform))
    assert grant.access.reveal() == "a"
    assert grant.refresh is not None
    assert grant.refresh.reveal() == "r"
    assert (grant.access_expires_in, grant.scopes) == (7200, ("b", "a"))
    expected = {"grant_type": "authorization_code", "code": CODE.reveal(), "redirect_uri": BACK}
    if platform_id != "linkedin":  # it answers 401 to any code_verifier
        expected["code_verifier"] = VERIFIER.reveal()
    if platform_id == "tiktok":
        expected |= {"client_key": "id-tiktok", "client_secret": CLIENT_SECRET}
    elif platform_id != "x":
        expected |= {"client_id": f"id-{platform_id}", "client_secret": CLIENT_SECRET}
    assert platform.form() == expected
    request = platform.requests[-1]
    assert request.method == "POST"
    assert request.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
    assert request.headers["Accept"] == "application/json"
    basic = base64.b64encode(f"id-x:{CLIENT_SECRET}".encode()).decode()
    assert request.headers.get("Authorization") == (f"Basic {basic}" if platform_id == "x" else None)
    assert not request.url.query


@pytest.mark.parametrize(
    "answer",
    [
        {"access_token": "short", "user_id": 178, "permissions": ["p1", "p2"]},
        {"data": [{"access_token": "short", "user_id": "178", "permissions": "p1,p2"}]},
    ],
)
async def test_instagram_takes_a_second_step_to_a_token_that_lives_long(
    platform: FakePlatform, answer: Any
) -> None:
    platform.json("/oauth/access_token", answer)
    platform.json("/access_token", {"access_token": "long", "token_type": "bearer", "expires_in": 5183944})
    grant = await exchange(client_of("instagram", platform))
    assert grant.access.reveal() == "long"
    assert grant.refresh == grant.access, "it renews itself"
    assert grant.access_expires_in == grant.refresh_expires_in == 5183944
    assert grant.scopes == ("p1", "p2")
    assert dict(platform.requests[1].url.params) == {
        "grant_type": "ig_exchange_token",
        "client_secret": CLIENT_SECRET,
        "access_token": "short",
    }
    assert platform.requests[1].url.host == "graph.instagram.com"
    assert "code_verifier" not in platform.form(0)


async def test_instagram_renews_with_the_token_itself(platform: FakePlatform) -> None:
    platform.json("/refresh_access_token", {"access_token": "newer", "expires_in": 100})
    grant = await client_of("instagram", platform).refresh(REFRESH)
    assert grant.access == grant.refresh == SecretToken("newer")
    query = dict(platform.requests[0].url.params)
    assert query == {"grant_type": "ig_refresh_token", "access_token": REFRESH.reveal()}


@pytest.mark.parametrize("platform_id", ["youtube", "x", "linkedin", "tiktok"])
async def test_the_refresh_request_of(platform_id: str, platform: FakePlatform) -> None:
    platform.json(TOKEN_PATHS[platform_id], {"access_token": "a2", "expires_in": "3599"})
    grant = await client_of(platform_id, platform).refresh(REFRESH)
    assert grant.refresh is None, "an answer without a refresh token says nothing about it"
    assert grant.access_expires_in == 3599
    form = platform.form()
    assert (form["grant_type"], form["refresh_token"]) == ("refresh_token", REFRESH.reveal())
    assert "scope" not in form


@pytest.mark.parametrize(
    ("fields", "refresh_life"),
    [
        ({"refresh_expires_in": 15552000}, 15552000),
        ({"refresh_token_expires_in": 31536000}, 31536000),
        ({}, None),
    ],
)
async def test_life_spans_come_from_the_answer(
    platform: FakePlatform, fields: dict[str, int], refresh_life: int | None
) -> None:
    platform.json(TOKEN_PATHS["tiktok"], {"access_token": "a", "expires_in": 7200, **fields})
    assert (await exchange(client_of("tiktok", platform))).refresh_expires_in == refresh_life


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (7200, 7200),
        ("7200", 7200),
        (7199.9, 7199),
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        ("soon", None),
        ("-5", None),
        ([7200], None),
        (10**15, None),
        ("9" * 5000, None),
    ],
)
async def test_a_strange_life_span_counts_as_unknown(
    platform: FakePlatform, value: Any, seconds: int | None
) -> None:
    platform.json(TOKEN_PATHS["x"], {"access_token": "a", "expires_in": value})
    assert (await exchange(client_of("x", platform))).access_expires_in == seconds


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("a b", ("a", "b")),
        ("a,b", ("a", "b")),
        ("a, b  a", ("a", "b")),
        (["a", "b", "a", 7], ("a", "b")),
        ("", ()),
        (None, None),
        (7, None),
    ],
)
async def test_granted_scopes_are_read_in_every_form(
    platform: FakePlatform, scope: Any, scopes: tuple[str, ...] | None
) -> None:
    platform.json(TOKEN_PATHS["linkedin"], {"access_token": "a", "scope": scope})
    assert (await exchange(client_of("linkedin", platform))).scopes == scopes


def test_granted_scopes_take_the_form_of_the_database(platform: FakePlatform) -> None:
    youtube = client_of("youtube", platform)
    prefix = "https://www.googleapis.com/auth/"
    grant = TokenGrant(ACCESS, scopes=(prefix + "youtube.upload", prefix + "youtube.readonly", "openid"))
    asked = ["youtube.upload", prefix + "youtube.readonly"]
    assert youtube.kept_scopes(grant, asked) == (*asked, "openid")
    assert youtube.kept_scopes(TokenGrant(ACCESS), asked) == tuple(asked), "no word means: as asked"
    assert youtube.kept_scopes(TokenGrant(ACCESS, scopes=()), asked) == ()


# --- answers that are not what they should be


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(500, json={"error": "invalid_grant"}), ProviderUnavailableError),
        (httpx.Response(503, text="<html>down</html>"), ProviderUnavailableError),
        (httpx.Response(429, headers={"Retry-After": "7"}), ProviderRateLimitedError),
        (httpx.Response(400, json={"error": "invalid_grant"}), GrantRevokedError),
        (httpx.Response(200, json={"error": "invalid_grant"}), GrantRevokedError),
        (httpx.Response(401, json={"error": "invalid_client"}), ProviderRefusedError),
        (httpx.Response(400, text="no"), ProviderRefusedError),
        (httpx.Response(302, headers={"Location": "https://evil.example/"}), ProviderRefusedError),
        (httpx.Response(200, text="hello"), ProviderAnswerError),
        (httpx.Response(200, json=[]), ProviderAnswerError),
        (httpx.Response(200, json={}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": ""}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": 7}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": "a\r\nX: y"}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": "ключ"}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": "a" * 20_000}), ProviderAnswerError),
        (httpx.Response(200, json={"access_token": "a", "token_type": "mac"}), ProviderAnswerError),
        (httpx.ConnectError("no"), ProviderNotSentError),
        (httpx.ReadTimeout("no"), ProviderTransportError),
        (httpx.RemoteProtocolError("no"), ProviderTransportError),
    ],
)
async def test_every_bad_answer_is_one_of_our_errors(
    platform: FakePlatform, answer: Any, error: type[ProviderError]
) -> None:
    platform.on(TOKEN_PATHS["x"], answer)
    with pytest.raises(error) as caught:
        await client_of("x", platform).refresh(REFRESH)
    assert type(caught.value) is error
    if error is ProviderRateLimitedError:
        assert caught.value.retry_after == 7  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("platform_id", "status", "body", "code"),
    [
        ("instagram", 400, {"error": {"message": "x", "type": "OAuthException", "code": 4}}, "4"),
        (
            "instagram",
            400,
            {"error_type": "OAuthException", "code": 400, "error_message": "x"},
            "OAuthException",
        ),
        ("tiktok", 200, {"error": {"code": "scope_not_authorized", "message": "x"}}, "scope_not_authorized"),
        ("x", 400, {"error": "a value from\noutside"}, "unknown"),
        ("x", 400, {"error": {"nothing": 1}}, "unknown"),
        ("x", 403, {}, "http_403"),
    ],
)
async def test_error_codes_are_read_in_every_form_and_texts_never(
    platform: FakePlatform, platform_id: str, status: int, body: Any, code: str
) -> None:
    platform.json(TOKEN_PATHS[platform_id], body, status)
    with pytest.raises(ProviderRefusedError) as caught:
        await exchange(client_of(platform_id, platform))
    assert caught.value.code == code
    assert "outside" not in str(caught.value)


# --- whose account


@pytest.mark.parametrize("platform_id", PLATFORMS)
async def test_the_profile_of(platform_id: str, platform: FakePlatform) -> None:
    platform.json(PROFILE_PATHS[platform_id], PROFILES[platform_id])
    profile = await client_of(platform_id, platform).fetch_profile(ACCESS)
    assert profile is not None
    subject = {"youtube": "UC-1", "x": "42", "linkedin": "abc", "instagram": "178", "tiktok": "o-1"}
    handle = {"youtube": "@ada", "x": "ada", "instagram": "ada"}
    assert profile.subject == subject[platform_id]
    assert profile.handle == handle.get(platform_id)
    assert (profile.name, profile.avatar_url) == ("Ada", "https://img.example/a.jpg")
    request = platform.requests[0]
    assert request.headers["Authorization"] == f"Bearer {ACCESS.reveal()}"
    assert ACCESS.reveal() not in str(request.url)


async def test_a_google_user_without_a_channel_has_no_account(platform: FakePlatform) -> None:
    platform.json(PROFILE_PATHS["youtube"], {"kind": "youtube#channelListResponse", "items": []})
    assert await client_of("youtube", platform).fetch_profile(ACCESS) is None


async def test_a_token_that_has_not_spread_yet_is_tried_again(platform: FakePlatform) -> None:
    refusal = httpx.Response(401, json={"status": 401, "code": "REVOKED_ACCESS_TOKEN"})
    platform.on(PROFILE_PATHS["linkedin"], refusal, refusal, httpx.Response(200, json=PROFILES["linkedin"]))
    profile = await client_of("linkedin", platform).fetch_profile(ACCESS)
    assert profile is not None
    assert len(platform.requests) == 3


async def test_a_token_that_is_refused_again_and_again_is_refused(platform: FakePlatform) -> None:
    platform.json(PROFILE_PATHS["linkedin"], {}, 401)
    with pytest.raises(ProviderRefusedError):
        await client_of("linkedin", platform).fetch_profile(ACCESS)
    assert len(platform.requests) == 3


@pytest.mark.parametrize("subject", ["", "x" * 256, [], {}, 1.5])
async def test_a_strange_account_id_is_refused(platform: FakePlatform, subject: Any) -> None:
    platform.json(PROFILE_PATHS["linkedin"], {"sub": subject})
    with pytest.raises(ProviderAnswerError):
        await client_of("linkedin", platform).fetch_profile(ACCESS)


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("name", "  Ada\n Lovelace\u202e ", "Ada Lovelace"),
        ("name", "x" * 1000, "x" * 255),
        ("name", "", None),
        ("name", 7, None),
        ("picture", "http://img.example/a.jpg", None),
        ("picture", "javascript:alert(1)", None),
        ("picture", "https://[broken", None),
        ("picture", "https://img.example/" + "x" * 2000, None),
        ("picture", None, None),
    ],
)
async def test_what_a_profile_says_is_cleaned(
    platform: FakePlatform, field: str, value: Any, kept: str | None
) -> None:
    platform.json(PROFILE_PATHS["linkedin"], {"sub": "a", field: value})
    profile = await client_of("linkedin", platform).fetch_profile(ACCESS)
    assert profile is not None
    assert (profile.name if field == "name" else profile.avatar_url) == kept


# --- giving back


@pytest.mark.parametrize(
    ("platform_id", "path", "form"),
    [
        ("youtube", "/revoke", {}),
        ("x", "/2/oauth2/revoke", {}),
        ("tiktok", "/v2/oauth/revoke/", {"client_key": "id-tiktok", "client_secret": CLIENT_SECRET}),
    ],
)
async def test_the_revocation_request_of(
    platform: FakePlatform, platform_id: str, path: str, form: dict[str, str]
) -> None:
    platform.json(path, {})
    await client_of(platform_id, platform).revoke(REFRESH)
    assert platform.form() == {"token": REFRESH.reveal(), **form}
    assert not platform.requests[0].url.query
    assert ("Authorization" in platform.requests[0].headers) is (platform_id == "x")


@pytest.mark.parametrize("platform_id", ["linkedin", "instagram"])
async def test_where_nothing_can_be_revoked_nothing_is_asked(
    platform: FakePlatform, platform_id: str
) -> None:
    client = client_of(platform_id, platform)
    await client.revoke(REFRESH)
    assert platform.requests == []
    assert client.revocation_token(ACCESS, REFRESH) is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200),
        httpx.Response(200, json={"revoked": True}),
        httpx.Response(200, text="ok"),
        httpx.Response(204),
        httpx.Response(400, json={"error": "invalid_token"}),
    ],
)
async def test_revoked_is_revoked(platform: FakePlatform, answer: httpx.Response) -> None:
    platform.on("/revoke", answer)
    await client_of("youtube", platform).revoke(REFRESH)


async def test_503_means_that_the_token_lives(platform: FakePlatform) -> None:
    platform.json("/revoke", {}, 503)
    with pytest.raises(ProviderUnavailableError):
        await client_of("youtube", platform).revoke(REFRESH)


def test_the_token_that_is_kept_for_revocation(platform: FakePlatform) -> None:
    assert client_of("x", platform).revocation_token(ACCESS, REFRESH) == REFRESH
    assert client_of("x", platform).revocation_token(ACCESS, None) == ACCESS
    assert client_of("tiktok", platform).revocation_token(ACCESS, REFRESH) == ACCESS


# --- nothing leaks

SECRETS = [
    CODE.reveal(),
    VERIFIER.reveal(),
    ACCESS.reveal(),
    REFRESH.reveal(),
    CLIENT_SECRET,
    base64.b64encode(f"id-x:{CLIENT_SECRET}".encode()).decode(),
]
CALLS: dict[str, Callable[[PlatformOAuth], Awaitable[object]]] = {
    "exchange": exchange,
    "refresh": lambda client: client.refresh(REFRESH),
    "profile": lambda client: client.fetch_profile(ACCESS),
    "revoke": lambda client: client.revoke(REFRESH),
}
FAILURES: dict[str, Any] = {
    "timeout": httpx.ReadTimeout("no"),
    "server error": httpx.Response(500, text="access-canary-4 refresh-canary-5"),
    "refusal": httpx.Response(
        400, json={"error": "refresh-canary-5", "error_description": "refresh-canary-5 access-canary-4"}
    ),
    "nonsense": httpx.Response(200, text="refresh-canary-5"),
    "bad token": httpx.Response(200, json={"access_token": "access-canary-4\n"}),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("platform_id", ["x", "instagram", "tiktok"])
async def test_a_failure_shows_no_secret(
    platform: FakePlatform, platform_id: str, call: str, failure: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not in its message, not in its attributes, not in what a crash reporter would collect along its frames,
    and not in any log at the finest level.
    """
    caplog.set_level(logging.DEBUG)
    platform.handle = lambda request: _fail(FAILURES[failure])  # type: ignore[method-assign]
    error = await _failure_of(CALLS[call](client_of(platform_id, platform)))
    seen = caplog.text + "".join(repr(vars(record)) for record in caplog.records)
    if error is not None:
        report = traceback.TracebackException.from_exception(error, capture_locals=True)
        seen += "".join(report.format()) + repr(vars(error)) + repr(error)
        assert (error.__cause__, error.__context__) == (None, None)
    for secret in SECRETS:
        if secret == REFRESH.reveal() and failure == "refusal":
            continue  # here the platform used a secret as its error code, whose form is all that is checked
        assert secret not in seen


async def _failure_of(call: Awaitable[object]) -> ProviderError | None:
    try:
        await call
    except ProviderError as error:
        return error
    return None


def _fail(answer: Any) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)


async def test_no_log_of_a_success_shows_a_secret(
    platform: FakePlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """httpx logs every URL, and Instagram's protocol puts tokens there."""
    caplog.set_level(logging.DEBUG)
    platform.json("/oauth/access_token", {"access_token": ACCESS.reveal(), "permissions": "p"})
    platform.json("/access_token", {"access_token": REFRESH.reveal(), "expires_in": 5})
    await exchange(client_of("instagram", platform))
    assert "graph.instagram.com/access_token" in caplog.text, (
        "the log must be seen for this test to mean anything"
    )
    for secret in SECRETS:
        assert secret not in caplog.text


@pytest.mark.parametrize("copy_out", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_client_cannot_be_copied_out(copy_out: Callable[[Any], object], platform: FakePlatform) -> None:
    with pytest.raises(TypeError):
        copy_out(client_of("x", platform))


def test_a_grant_shows_no_token() -> None:
    text = repr(TokenGrant(ACCESS, REFRESH, 1, 2, ("a",)))
    assert ACCESS.reveal() not in text
    assert REFRESH.reveal() not in text
