"""Connecting an account through the real web application: the way of an honest person, and every known
attack.

The numbers in comments are the sections of RFC 9700 (OAuth 2.0 security best current practice) that describe
the attack.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.workers.oauth.fake_platform import (
    PROFILE_PATHS,
    PROFILES,
    TOKEN_PATHS,
    FakePlatform,
    client_of,
    query_of,
)
from tests.workers.web.fake_gateway import FakeGateway, digest
from workers.errors import DatabaseBusyError, TransportError
from workers.settings import PLATFORMS
from workers.vault import (
    Keyring,
    SecretToken,
    TokenContext,
    Vault,
    VerifierContext,
    sealed_from_text,
    sealed_to_text,
)
from workers.web import WebContext, create_app, pages

pytestmark = pytest.mark.anyio

PUBLIC = "https://worker.example"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SCOPES = {"youtube": ("https://www.googleapis.com/auth/a", "https://www.googleapis.com/auth/b")}
ACCESS, REFRESH, CODE = "access-canary-1", "refresh-canary-2", "code-canary-3"


def scopes_of(platform_id: str) -> tuple[str, ...]:
    return SCOPES.get(platform_id, ("a", "b"))


@dataclass
class World:
    """The application with its fakes, and one person's browser."""

    gateway: FakeGateway
    platform: FakePlatform
    vault: Vault
    browser: httpx.AsyncClient

    def grants(self, platform_id: str, **fields: Any) -> None:
        """Have the platform answer codes with tokens."""
        token = {
            "access_token": ACCESS,
            "refresh_token": REFRESH,
            "expires_in": 7200,
            "token_type": "bearer",
            "scope": " ".join(scopes_of(platform_id)),
            "permissions": list(scopes_of(platform_id)),
        }
        self.platform.json(TOKEN_PATHS[platform_id], token | fields)
        self.platform.json("/access_token", {"access_token": ACCESS, "expires_in": 7200})
        self.platform.json(PROFILE_PATHS[platform_id], PROFILES[platform_id])

    async def leave(self, platform_id: str, **begin: Any) -> dict[str, str]:
        """Begin and go to the platform; answers the query of its authorization page."""
        ticket = self.gateway.begin(platform_id, scopes_of(platform_id), **begin)
        response = await self.browser.get(f"/oauth/{platform_id}/start", params={"ticket": ticket})
        assert response.status_code == 303, response.text
        return query_of(response.headers["Location"])

    async def come_back(self, platform_id: str, **answer: str) -> httpx.Response:
        return await self.browser.get(f"/oauth/{platform_id}/callback", params=answer)

    async def connect(self, platform_id: str, **begin: Any) -> httpx.Response:
        """The whole way of an honest person."""
        left = await self.leave(platform_id, **begin)
        return await self.come_back(platform_id, code=CODE, state=left["state"])

    def another_browser(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.browser._transport, base_url=PUBLIC)


def build(public_url: str = PUBLIC) -> World:
    gateway, platform, vault = FakeGateway(), FakePlatform(), Vault(Keyring.generate())
    context = WebContext(
        gateway=gateway,
        vault=vault,
        clients={platform_id: client_of(platform_id, platform) for platform_id in PLATFORMS},
        public_url=public_url,
        is_healthy=lambda: True,
        render_metrics=lambda: (b"metric 1\n", "text/plain"),
        clock=lambda: NOW,
    )
    transport = httpx.ASGITransport(app=create_app(context))
    browser = httpx.AsyncClient(transport=transport, base_url=public_url)
    return World(gateway, platform, vault, browser)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    built = build()
    async with built.browser:
        yield built


@pytest.fixture(autouse=True)
def nothing_secret_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """In every test of this module, whatever happens: no token, no code, no verifier in any log (P1.11)."""
    caplog.set_level(logging.DEBUG)
    yield
    ours = "".join(record.getMessage() for record in caplog.records if record.name != "httpx")
    platforms = "".join(
        record.getMessage()
        for record in caplog.records
        if record.name == "httpx" and PUBLIC not in str(record.args)
    )
    for secret in (ACCESS, REFRESH, CODE):
        assert secret not in ours + platforms


def error_of(response: httpx.Response) -> str:
    """The error code that goes back to the front end, after checking where it goes."""
    assert response.status_code == 303, response.text
    location = response.headers["Location"]
    assert location.startswith("https://app.example/connected?error=")
    return query_of(location)["error"]


def assert_page(response: httpx.Response, code: str, status: int) -> None:
    """A plain page instead of a redirect: there is nowhere to return to."""
    assert response.status_code == status
    assert "Location" not in response.headers
    assert code in response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


def assert_unspent(world: World) -> None:
    """No code was exchanged and nothing was stored."""
    assert not world.platform.requests
    assert not world.gateway.stored


# --- the honest way


@pytest.mark.parametrize("platform_id", PLATFORMS)
async def test_an_account_is_connected(world: World, platform_id: str) -> None:
    world.grants(platform_id)
    response = await world.connect(platform_id)
    stored = world.gateway.stored[0]
    assert stored["code_hash"] == digest(query_of(response.headers["Location"])["connection_code"])
    assert response.headers["Location"].startswith("https://app.example/connected?connection_code=")
    assert response.status_code == 303
    subject = {"youtube": "UC-1", "x": "42", "linkedin": "abc", "instagram": "178", "tiktok": "o-1"}
    assert stored["external_account_id"] == subject[platform_id]
    assert stored["display_name"] == "Ada"
    assert set(stored["scopes"]) == set(scopes_of(platform_id))
    assert stored["access_expires_at"] == NOW + timedelta(seconds=7200)
    assert stored["key_ids"] == ("k1",)


@pytest.mark.parametrize(
    ("platform_id", "revocation"),
    [("x", REFRESH), ("youtube", REFRESH), ("tiktok", ACCESS), ("linkedin", "none"), ("instagram", "none")],
)
async def test_tokens_are_sealed_for_their_place(world: World, platform_id: str, revocation: str) -> None:
    """P3.4: what reaches the database opens for this person, account, platform, field and generation."""
    world.grants(platform_id)
    world.gateway.generation = 5
    await world.connect(platform_id)
    stored = world.gateway.stored[0]
    for field, value in (("access", ACCESS), ("revocation", revocation)):
        place = TokenContext(
            stored["flow"].user_id,
            stored["connection_id"],
            platform_id,
            field,
            5,  # type: ignore[arg-type]
        )
        assert world.vault.open(sealed_from_text(stored[f"sealed_{field}"]), place).reveal() == value
    text = repr({name: value for name, value in stored.items() if name != "self"})
    assert ACCESS not in text
    assert REFRESH not in text


async def test_without_a_refresh_token_none_is_stored(world: World) -> None:
    world.grants("linkedin", refresh_token=None)
    await world.connect("linkedin")
    assert world.gateway.stored[0]["sealed_refresh"] is None


async def test_state_verifier_and_cookie_are_fresh_and_strong(world: World) -> None:
    seen: set[str] = set()
    for _ in range(3):
        left = await world.leave("x")
        seen |= {left["state"], left["code_challenge"]}
    seen |= {cookie.value or "" for cookie in world.browser.cookies.jar}
    assert len(seen) == 9
    assert all(len(value) >= 43 for value in seen), "256 bits in base64url"
    stored = {flow.state_hash for flow in world.gateway.flows} | {
        flow.browser_hash for flow in world.gateway.flows
    }
    assert stored <= {digest(value) for value in seen}, "the database knows hashes only"


async def test_the_verifier_waits_sealed_to_its_state(world: World) -> None:
    left = await world.leave("x")
    flow = world.gateway.flows[0]
    assert flow.sealed_verifier is not None
    place = VerifierContext(bytes.fromhex(digest(left["state"])))
    verifier = world.vault.open(sealed_from_text(flow.sealed_verifier), place).reveal()
    assert 43 <= len(verifier) <= 128
    world.grants("x")
    await world.come_back("x", code=CODE, state=left["state"])
    assert world.platform.form(0)["code_verifier"] == verifier


@pytest.mark.parametrize(
    ("public_url", "prefix", "is_secure"),
    [("https://worker.example", "__Host-", True), ("http://127.0.0.1:8080", "", False)],
)
async def test_the_cookie_binds_the_browser(public_url: str, prefix: str, is_secure: bool) -> None:
    world = build(public_url)
    async with world.browser:
        ticket = world.gateway.begin("x")
        response = await world.browser.get("/oauth/x/start", params={"ticket": ticket})
        cookie = response.headers["Set-Cookie"]
        state = query_of(response.headers["Location"])["state"]
        name, _, attributes = cookie.partition("=")
        assert name == f"{prefix}nexora-connect-{digest(state)[:16]}"
        flags = {part.strip().lower() for part in attributes.split(";")[1:]}
        assert flags == {"httponly", "max-age=600", "path=/", "samesite=lax"} | (
            {"secure"} if is_secure else set()
        )
        world.grants("x")
        done = await world.come_back("x", code=CODE, state=state)
        assert "max-age=0" in done.headers["Set-Cookie"].lower(), "it is gone after use"
        assert world.gateway.stored


async def test_two_open_tabs_do_not_disturb_each_other(world: World) -> None:
    world.grants("x")
    first, second = await world.leave("x"), await world.leave("x")
    for left in (first, second):
        await world.come_back("x", code=CODE, state=left["state"])
    assert len(world.gateway.stored) == 2


async def test_the_person_returns_to_the_exact_address(world: World) -> None:
    world.grants("x")
    address = "https://app.example/a%2Fb/?x=1&y=%26#part"
    response = await world.connect("x", redirect_to=address)
    code = query_of(response.headers["Location"])["connection_code"]
    assert response.headers["Location"] == f"https://app.example/a%2Fb/?x=1&y=%26&connection_code={code}#part"


async def test_every_answer_forbids_caching_and_referrers(world: World) -> None:
    left = await world.leave("x")
    for response in (
        await world.browser.get("/oauth/x/start", params={"ticket": world.gateway.begin("x")}),
        await world.come_back("x", error="access_denied", state=left["state"]),
        await world.come_back("x", code=CODE, state="s" * 43),
        await world.browser.get("/oauth/nowhere/start"),
        await world.browser.get("/nothing"),
        await world.browser.get("/health"),
    ):
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]


async def test_the_way_back_carries_no_token_and_no_code(world: World) -> None:
    world.grants("x")
    response = await world.connect("x")
    seen = response.headers["Location"] + response.text + repr(response.headers)
    for secret in (ACCESS, REFRESH, CODE):
        assert secret not in seen


# --- attacks on the start


@pytest.mark.parametrize(
    "query",
    [
        "",
        "ticket=",
        "ticket=short",
        "ticket=" + "a" * 129,
        "ticket=" + "a" * 63 + "%0a",
        "ticket=a%20b",
        "other=1",
    ],
)
async def test_a_start_without_a_proper_ticket_is_refused(world: World, query: str) -> None:
    assert_page(await world.browser.get(f"/oauth/x/start?{query}"), "NX210", 410)


async def test_two_tickets_are_none(world: World) -> None:
    ticket = world.gateway.begin("x")
    assert_page(await world.browser.get(f"/oauth/x/start?ticket={ticket}&ticket={ticket}"), "NX210", 410)
    assert world.gateway.flows[0].state_hash is None


async def test_a_ticket_works_once(world: World) -> None:
    ticket = world.gateway.begin("x")
    assert (await world.browser.get("/oauth/x/start", params={"ticket": ticket})).status_code == 303
    again = await world.browser.get("/oauth/x/start", params={"ticket": ticket})
    assert_page(again, "NX210", 410)
    assert "Set-Cookie" not in again.headers


async def test_a_ticket_of_one_platform_is_worth_nothing_at_another(world: World) -> None:
    response = await world.browser.get("/oauth/linkedin/start", params={"ticket": world.gateway.begin("x")})
    assert_page(response, "NX210", 410)


@pytest.mark.parametrize("path", ["start", "callback"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
async def test_other_methods_change_nothing(world: World, path: str, method: str) -> None:
    """A link scanner that asks with HEAD must not spend the ticket or the state."""
    ticket = world.gateway.begin("x")
    left = await world.leave("x")
    response = await world.browser.request(
        method, f"/oauth/x/{path}", params={"ticket": ticket, "state": left["state"], "code": CODE}
    )
    assert response.status_code == 405
    assert world.gateway.flows[0].state_hash is None
    assert not world.gateway.flows[1].is_consumed


async def test_a_platform_that_is_not_offered_is_refused(world: World) -> None:
    assert_page(await world.browser.get("/oauth/myspace/start", params={"ticket": "a" * 64}), "NX205", 503)
    assert_page(await world.come_back("myspace", code=CODE, state="s" * 43), "NX210", 410)


async def test_a_forged_host_header_changes_no_address(world: World) -> None:
    ticket = world.gateway.begin("x")
    response = await world.browser.get(
        "/oauth/x/start",
        params={"ticket": ticket},
        headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"},
    )
    assert query_of(response.headers["Location"])["redirect_uri"] == f"{PUBLIC}/oauth/x/callback"


# --- attacks on the way back


async def test_a_state_works_once(world: World) -> None:
    world.grants("x")
    left = await world.leave("x")
    assert (
        "connection_code=" in (await world.come_back("x", code=CODE, state=left["state"])).headers["Location"]
    )
    world.platform.requests.clear()
    world.gateway.stored.clear()
    assert_page(await world.come_back("x", code=CODE, state=left["state"]), "NX210", 410)
    assert_unspent(world)


@pytest.mark.parametrize("state", ["", "s" * 31, "s" * 129, "s" * 43, "s" * 42 + "!", "s" * 42 + "\n"])
async def test_a_made_up_state_is_refused(world: World, state: str) -> None:
    await world.leave("x")
    assert_page(await world.come_back("x", code=CODE, state=state), "NX210", 410)
    assert_unspent(world)


async def test_a_callback_without_state_or_with_two_is_refused(world: World) -> None:
    left = await world.leave("x")
    assert_page(await world.come_back("x", code=CODE), "NX210", 410)
    twice = urlencode([("code", CODE), ("state", left["state"]), ("state", left["state"])])
    assert_page(await world.browser.get(f"/oauth/x/callback?{twice}"), "NX210", 410)
    assert_unspent(world)


async def test_a_flow_cannot_be_finished_in_another_browser(world: World) -> None:
    """4.7, session fixation: the attacker sends the victim a link to finish what the attacker began, or
    catches the victim's redirect and finishes it in his own browser.
    """
    left = await world.leave("x")
    async with world.another_browser() as other:
        response = await other.get("/oauth/x/callback", params={"code": CODE, "state": left["state"]})
        assert_page(response, "NX211", 403)
    async with world.another_browser() as other:
        name = f"__Host-nexora-connect-{digest(left['state'])[:16]}"
        response = await other.get(
            "/oauth/x/callback",
            params={"code": CODE, "state": left["state"]},
            headers={"Cookie": f"{name}={'b' * 43}"},
        )
        assert_page(response, "NX211", 403)
    assert_unspent(world)


async def test_the_cookie_of_another_flow_does_not_help(world: World) -> None:
    first = await world.leave("x")
    async with world.another_browser() as other:
        ticket = world.gateway.begin("x")
        started = await other.get("/oauth/x/start", params={"ticket": ticket})
        own = started.cookies.get(next(iter(started.cookies)))
        name = f"__Host-nexora-connect-{digest(first['state'])[:16]}"
        response = await other.get(
            "/oauth/x/callback",
            params={"code": CODE, "state": first["state"]},
            headers={"Cookie": f"{name}={own}"},
        )
    assert_page(response, "NX211", 403)
    assert_unspent(world)


@pytest.mark.parametrize("other", [name for name in PLATFORMS if name != "x"])
async def test_a_code_from_another_platform_is_not_exchanged(world: World, other: str) -> None:
    """4.4, mix-up: an answer of one platform arrives at the address of another, which gets no code."""
    world.grants("x")
    world.grants(other)
    left = await world.leave("x")
    response = await world.come_back(other, code=CODE, state=left["state"])
    assert error_of(response) == "NX210"
    assert_unspent(world)
    assert_page(await world.come_back("x", code=CODE, state=left["state"]), "NX210", 410)


@pytest.mark.parametrize(
    ("issuers", "outcome"),
    [
        ([], "connection_code"),
        (["https://accounts.google.com"], "connection_code"),
        (["https://evil.example"], "NX210"),
        (["https://accounts.google.com", "https://evil.example"], "NX210"),
        ([""], "NX210"),
    ],
)
async def test_an_answer_that_names_another_issuer_is_refused(
    world: World, issuers: list[str], outcome: str
) -> None:
    """RFC 9207."""
    world.grants("youtube")
    left = await world.leave("youtube")
    query = urlencode([("code", CODE), ("state", left["state"]), *(("iss", iss) for iss in issuers)])
    response = await world.browser.get(f"/oauth/youtube/callback?{query}")
    if outcome == "connection_code":
        assert "connection_code=" in response.headers["Location"]
    else:
        assert error_of(response) == outcome
        assert_unspent(world)


@pytest.mark.parametrize("name", ["redirect_to", "redirect_uri", "next", "return_to", "url"])
async def test_nothing_in_the_request_moves_the_way_back(world: World, name: str) -> None:
    """4.11, open redirection."""
    world.grants("x")
    left = await world.leave("x")
    response = await world.come_back(
        "x", **{"code": CODE, "state": left["state"], name: "https://evil.example"}
    )
    assert urlsplit(response.headers["Location"]).netloc == "app.example"
    refused = await world.come_back("x", **{"code": CODE, "state": "s" * 43, name: "https://evil.example"})
    assert "Location" not in refused.headers
    started = await world.browser.get(
        "/oauth/x/start", params={"ticket": world.gateway.begin("x"), name: "https://evil.example"}
    )
    assert "evil.example" not in started.headers["Location"]


@pytest.mark.parametrize("scope", ["a b c", "a b dm.write", "a b A"])
async def test_widened_scopes_are_refused(world: World, scope: str) -> None:
    """P6.1 to P6.4: a token that can do more than was asked for is not even tried out."""
    world.grants("x", scope=scope)
    assert error_of(await world.connect("x")) == "NX214"
    assert not world.platform.to(PROFILE_PATHS["x"])
    assert not world.gateway.stored


async def test_narrowed_scopes_are_stored_as_they_are(world: World) -> None:
    """P6.5: what was not granted is not claimed; features that need it refuse later."""
    world.grants("x", scope="a")
    assert "connection_code=" in (await world.connect("x")).headers["Location"]
    assert world.gateway.stored[0]["scopes"] == ("a",)


async def test_without_the_needed_scopes_nothing_is_stored(world: World) -> None:
    world.grants("x", scope="b")
    assert error_of(await world.connect("x")) == "NX214"
    assert not world.gateway.stored


@pytest.mark.parametrize("code", ["NX212", "NX213"])
async def test_an_account_of_somebody_else_is_refused_and_not_revoked(world: World, code: str) -> None:
    """P6.6. Revoking here would end the grant of its rightful owner at platforms that know one grant per
    account.
    """
    world.grants("youtube")
    subjects = world.gateway.taken_subjects if code == "NX212" else world.gateway.wrong_subjects
    subjects.add("UC-1")
    assert error_of(await world.connect("youtube")) == code
    assert not world.gateway.stored
    assert not world.platform.to("/revoke")


# --- when the person or the platform says no


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("access_denied", "NX218"),
        ("user_cancelled_login", "NX218"),
        ("user_cancelled_authorize", "NX218"),
        ("server_error", "NX219"),
        ("invalid_scope", "NX219"),
        ("<script>alert(1)</script>", "NX219"),
        ("", "NX219"),
    ],
)
async def test_a_refusal_of_the_platform_brings_the_person_back(world: World, error: str, code: str) -> None:
    left = await world.leave("x")
    response = await world.come_back("x", error=error, error_description="secret text", state=left["state"])
    assert error_of(response) == code
    assert "secret" not in repr(response.headers)
    assert_unspent(world)
    assert_page(await world.come_back("x", code=CODE, state=left["state"]), "NX210", 410)


@pytest.mark.parametrize(
    "answer", [{}, {"code": ""}, {"code": "a b"}, {"code": "ключ"}, {"code": "c" * 5000}]
)
async def test_an_answer_without_a_proper_code_is_refused(world: World, answer: dict[str, str]) -> None:
    left = await world.leave("x")
    assert error_of(await world.come_back("x", state=left["state"], **answer)) == "NX219"
    assert_unspent(world)


async def test_two_codes_are_none(world: World) -> None:
    left = await world.leave("x")
    query = urlencode([("code", CODE), ("code", "another"), ("state", left["state"])])
    assert error_of(await world.browser.get(f"/oauth/x/callback?{query}")) == "NX219"
    assert_unspent(world)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "invalid_grant"}),
        httpx.Response(401, json={"error": "invalid_client"}),
        httpx.Response(500),
        httpx.Response(429),
        httpx.Response(200, text="?"),
        httpx.ReadTimeout("no"),
    ],
)
@pytest.mark.parametrize("step", ["token", "profile"])
async def test_a_platform_that_fails_brings_the_person_back(world: World, step: str, answer: Any) -> None:
    world.grants("x")
    world.platform.on(TOKEN_PATHS["x"] if step == "token" else PROFILE_PATHS["x"], answer)
    assert error_of(await world.connect("x")) == "NX219"
    assert not world.gateway.stored


async def test_a_google_user_without_a_channel_is_told_so(world: World) -> None:
    world.grants("youtube")
    world.platform.json(PROFILE_PATHS["youtube"], {"items": []})
    assert error_of(await world.connect("youtube")) == "NX207"


@pytest.mark.parametrize(
    "failure", [TransportError("redeem_ticket", "x"), DatabaseBusyError("redeem_ticket", "40001")]
)
async def test_a_database_that_cannot_be_asked_gives_a_page(world: World, failure: Exception) -> None:
    world.gateway.failure = failure
    response = await world.browser.get("/oauth/x/start", params={"ticket": world.gateway.begin("x")})
    assert_page(response, "NX205", 503)


async def test_a_verifier_that_does_not_open_brings_the_person_back(world: World) -> None:
    left = await world.leave("x")
    stranger = Vault(Keyring.generate())
    place = VerifierContext(bytes.fromhex(digest(left["state"])))
    world.gateway.flows[0].sealed_verifier = sealed_to_text(stranger.seal(SecretToken("v" * 43), place))
    assert error_of(await world.come_back("x", code=CODE, state=left["state"])) == "NX205"
    assert_unspent(world)


# --- the page


async def test_the_page_escapes_what_it_shows(world: World) -> None:
    response = await world.come_back("x", code=CODE, state="s" * 43)
    assert "Hint of NX210 &lt;b&gt;" in response.text
    assert "<b>" not in response.text
    assert "<script" not in response.text


async def test_the_page_never_shows_what_came_with_the_request(world: World) -> None:
    canary = "canary-in-the-query"
    for path in (
        f"/oauth/x/callback?state={canary}{'s' * 30}&error={canary}",
        f"/{canary}",
        f"/oauth/{canary}/start",
    ):
        response = await world.browser.get(path)
        assert canary not in response.text


async def test_the_page_loads_nothing_but_its_own_style(world: World) -> None:
    response = await world.browser.get("/nothing")
    style = response.text.split("<style>")[1].split("</style>")[0]
    assert f"'sha256-{pages._STYLE_HASH}'" in response.headers["Content-Security-Policy"]
    assert style == pages._STYLE
    for word in ("src=", "href=", "url(", "@import", "http"):
        assert word not in response.text.replace('http-equiv="', "")
