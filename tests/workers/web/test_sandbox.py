"""The same way once more, against the sandbox: an independent, strict implementation of each platform's OAuth
2.0.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
from pydantic import SecretStr

from tests.workers.oauth.fake_platform import query_of
from tests.workers.web.fake_gateway import FakeGateway
from workers.errors import GrantRevokedError, ProviderRefusedError
from workers.http import OAUTH, build_client
from workers.providers.oauth import PlatformOAuth, oauth_clients
from workers.sandbox import Sandbox
from workers.settings import PLATFORMS, Settings
from workers.vault import Keyring, SecretToken, TokenContext, Vault, sealed_from_text
from workers.web import WebContext, create_app

pytestmark = pytest.mark.anyio

PUBLIC = "http://127.0.0.1:8099"
GOOGLE = "https://www.googleapis.com/auth/"
SCOPES = {
    "youtube": (f"{GOOGLE}youtube.readonly", f"{GOOGLE}youtube.upload"),
    "x": ("users.read", "tweet.read", "offline.access", "tweet.write", "media.write"),
    "linkedin": ("openid", "profile", "w_member_social"),
    "instagram": ("instagram_business_basic", "instagram_business_content_publish"),
    "tiktok": ("user.info.basic", "video.publish", "video.upload"),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    addresses = [f"{PUBLIC}/oauth/{platform_id}/callback" for platform_id in PLATFORMS]
    with Sandbox.start(secret="made-up-secret", redirect_uris=addresses) as running:
        yield running


@dataclass
class World:
    """The application, with the sandbox as its platforms."""

    gateway: FakeGateway
    vault: Vault
    clients: dict[str, PlatformOAuth]
    http: httpx.AsyncClient
    browser: httpx.AsyncClient

    async def connect(self, platform_id: str, decision: str) -> dict[str, str]:
        """The whole way; answers the query with which the person returns to the front end."""
        ticket = self.gateway.begin(platform_id, SCOPES[platform_id])
        left = await self.browser.get(f"/oauth/{platform_id}/start", params={"ticket": ticket})
        consent = await self.http.get(f"{left.headers['Location']}&{decision}")
        assert consent.status_code == 302, consent.text
        back = urlsplit(consent.headers["Location"])
        done = await self.browser.get(f"{back.path}?{back.query}")
        assert done.status_code == 303, done.text
        return query_of(done.headers["Location"])

    def stored(self, platform_id: str, name: str) -> SecretToken:
        stored = self.gateway.stored[0]
        place = TokenContext(stored["flow"].user_id, stored["connection_id"], platform_id, name, 1)  # type: ignore[arg-type]
        return self.vault.open(sealed_from_text(stored[f"sealed_{name}"]), place)


@pytest.fixture
async def world(sandbox: Sandbox) -> AsyncIterator[World]:
    settings = Settings(sandbox_url=sandbox.url, sandbox_secret=SecretStr(sandbox.secret))
    gateway, vault = FakeGateway(), Vault(Keyring.generate())
    async with build_client(OAUTH) as http:
        clients = oauth_clients(settings, http)
        context = WebContext(
            gateway=gateway,
            vault=vault,
            clients=clients,
            public_url=PUBLIC,
            is_healthy=lambda: True,
            render_metrics=lambda: (b"", "text/plain"),
        )
        transport = httpx.ASGITransport(app=create_app(context))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as browser:
            yield World(gateway, vault, clients, http, browser)


@pytest.mark.parametrize("platform_id", PLATFORMS)
async def test_an_account_is_connected(world: World, platform_id: str) -> None:
    assert set(await world.connect(platform_id, "_sandbox_person=maya")) == {"connection_code"}
    stored = world.gateway.stored[0]
    assert stored["display_name"] == "Maya Okafor"
    assert set(stored["scopes"]) == set(SCOPES[platform_id])
    assert stored["access_expires_at"] is not None
    assert (stored["sealed_refresh"] is None) is (platform_id == "linkedin")


@pytest.mark.parametrize("platform_id", PLATFORMS)
async def test_a_person_who_says_no_comes_back(world: World, platform_id: str) -> None:
    assert await world.connect(platform_id, "_sandbox_deny=1") == {"error": "NX218"}
    assert not world.gateway.stored


@pytest.mark.parametrize("platform_id", ["youtube", "instagram", "tiktok"])
async def test_a_person_who_grants_less_is_taken_at_their_word(world: World, platform_id: str) -> None:
    granted = SCOPES[platform_id][0]
    await world.connect(platform_id, f"_sandbox_person=maya&_sandbox_scopes={granted}")
    assert world.gateway.stored[0]["scopes"] == (granted,)


@pytest.mark.parametrize("platform_id", ["youtube", "x", "tiktok"])
async def test_tokens_are_renewed_and_given_back(world: World, platform_id: str) -> None:
    await world.connect(platform_id, "_sandbox_person=maya")
    client, refresh = world.clients[platform_id], world.stored(platform_id, "refresh")
    grant = await client.refresh(refresh)
    assert (grant.refresh is None) is (platform_id == "youtube"), "the others rotate"
    newest = grant.refresh or refresh
    token = client.revocation_token(grant.access, newest)
    assert token is not None
    await client.revoke(token)
    with pytest.raises(GrantRevokedError):
        await client.refresh(newest)


@pytest.mark.parametrize("platform_id", ["x", "tiktok"])
async def test_a_refresh_token_that_is_used_twice_ends_the_grant(world: World, platform_id: str) -> None:
    """Why renewals take place under a lock."""
    await world.connect(platform_id, "_sandbox_person=maya")
    client, refresh = world.clients[platform_id], world.stored(platform_id, "refresh")
    newer = (await client.refresh(refresh)).refresh
    assert newer is not None
    for token in (refresh, newer):
        with pytest.raises(GrantRevokedError):
            await client.refresh(token)


async def test_instagram_does_not_renew_a_young_token_and_that_ends_nothing(world: World) -> None:
    await world.connect("instagram", "_sandbox_person=maya")
    with pytest.raises(ProviderRefusedError) as caught:
        await world.clients["instagram"].refresh(world.stored("instagram", "refresh"))
    assert not isinstance(caught.value, GrantRevokedError)
