"""Tokens of disconnected accounts are given back, tried again while that can help, and given up otherwise
(P6.7).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.workers.oauth.fake_platform import FakePlatform, client_of
from workers.gateway import ClaimedRevocation, RevocationResult
from workers.jobs.revoke import run_revocations
from workers.settings import PLATFORMS
from workers.vault import Keyring, SecretToken, TokenContext, Vault, sealed_to_text

pytestmark = pytest.mark.anyio

WORKER = UUID(int=7)
TOKEN = "revocation-canary"
PATHS = {"youtube": "/revoke", "x": "/2/oauth2/revoke", "tiktok": "/v2/oauth/revoke/"}


@dataclass
class FakeGateway:
    """An outbox in memory."""

    claims: list[ClaimedRevocation] = field(default_factory=list)
    results: list[RevocationResult] = field(default_factory=list)

    async def claim_revocations(self, worker_id: UUID, limit: int) -> list[ClaimedRevocation]:
        claimed, self.claims = self.claims[:limit], self.claims[limit:]
        return claimed

    async def report_revocations(self, worker_id: UUID, results: Sequence[RevocationResult]) -> None:
        self.results += results


@dataclass
class World:
    """The job with its fakes."""

    gateway: FakeGateway = field(default_factory=FakeGateway)
    platform: FakePlatform = field(default_factory=FakePlatform)
    vault: Vault = field(default_factory=lambda: Vault(Keyring.generate()))

    def claim(self, sealed_for: str, **changes: Any) -> ClaimedRevocation:
        """Something to revoke, sealed for this purpose."""
        user, connection = uuid4(), uuid4()
        place = TokenContext(user, connection, sealed_for, "revocation", 4)
        claim = ClaimedRevocation(
            outbox_id=uuid4(),
            attempt=2,
            user_id=user,
            connection_id=connection,
            platform_id=sealed_for,
            generation=4,
            sealed_token=sealed_to_text(self.vault.seal(SecretToken(TOKEN), place)),
        )
        claim = replace(claim, **changes)
        self.gateway.claims.append(claim)
        return claim

    async def run(self, *platforms: str) -> int:
        clients = {name: client_of(name, self.platform) for name in platforms or PLATFORMS}
        return await run_revocations(self.gateway, self.vault, clients, WORKER, 10)

    def outcome(self) -> tuple[str, str | None]:
        (result,) = self.gateway.results
        return result.outcome, result.code


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("platform_id", "answer", "outcome"),
    [
        ("x", httpx.Response(200, json={"revoked": True}), ("done", None)),
        ("youtube", httpx.Response(200, json={}), ("done", None)),
        ("tiktok", httpx.Response(200), ("done", None)),
        ("youtube", httpx.Response(400, json={"error": "invalid_token"}), ("done", None)),
        ("x", httpx.Response(503), ("retry", "unavailable")),
        ("x", httpx.Response(500), ("retry", "unavailable")),
        ("x", httpx.Response(429), ("retry", "rate_limited")),
        ("x", httpx.ReadTimeout("no"), ("retry", "no_answer")),
        ("x", httpx.ConnectError("no"), ("retry", "not_reached")),
        ("x", httpx.Response(401, json={"error": "invalid_client"}), ("retry", "invalid_client")),
        ("x", httpx.Response(401, json={"error": "unauthorized_client"}), ("retry", "unauthorized_client")),
        ("x", httpx.Response(400, json={"error": "invalid_request"}), ("gone", "invalid_request")),
        ("tiktok", httpx.Response(400, json={"error": "invalid_grant"}), ("gone", "invalid_grant")),
        ("tiktok", httpx.Response(404), ("gone", "http_404")),
    ],
)
async def test_the_outcome_of_each_answer(
    world: World,
    platform_id: str,
    answer: Any,
    outcome: tuple[str, str | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    claim = world.claim(platform_id)
    world.platform.on(PATHS[platform_id], answer)
    assert await world.run() == 1
    assert world.outcome() == outcome
    (result,) = world.gateway.results
    assert (result.outbox_id, result.attempt) == (claim.outbox_id, 2)
    assert world.platform.form()["token"] == TOKEN
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("platform_id", ["linkedin", "instagram"])
async def test_where_nothing_can_be_revoked_it_is_done(world: World, platform_id: str) -> None:
    world.claim(platform_id)
    await world.run()
    assert world.outcome() == ("done", "not_offered")
    assert not world.platform.requests


async def test_a_platform_without_credentials_waits_for_them(world: World) -> None:
    world.claim("x")
    await world.run("linkedin")
    assert world.outcome() == ("retry", "not_configured")


@pytest.mark.parametrize(
    "changes",
    [
        {"generation": 5},
        {"user_id": uuid4()},
        {"user_id": None},
        {"connection_id": uuid4()},
        {"platform_id": "youtube"},
        {"sealed_token": "not base64!"},
    ],
)
async def test_a_record_that_does_not_open_is_given_up(world: World, changes: dict[str, Any]) -> None:
    world.claim("x", **changes)
    await world.run()
    assert world.outcome() == ("gone", "sealed_token_unreadable")
    assert not world.platform.requests


async def test_an_access_token_is_no_revocation_token(world: World) -> None:
    """Sealed for one purpose: the record of another field does not open here."""
    user, connection = uuid4(), uuid4()
    place = TokenContext(user, connection, "x", "access", 4)
    sealed = sealed_to_text(world.vault.seal(SecretToken(TOKEN), place))
    world.claim("x", user_id=user, connection_id=connection, sealed_token=sealed)
    await world.run()
    assert world.outcome() == ("gone", "sealed_token_unreadable")


async def test_many_are_done_at_once_and_one_failure_spoils_nothing(world: World) -> None:
    good, bad = world.claim("x"), world.claim("tiktok")
    world.platform.json(PATHS["x"], {"revoked": True})
    world.platform.on(PATHS["tiktok"], httpx.Response(503))
    assert await world.run() == 2
    outcomes = {result.outbox_id: result.outcome for result in world.gateway.results}
    assert outcomes == {good.outbox_id: "done", bad.outbox_id: "retry"}


async def test_an_empty_outbox_is_no_work(world: World) -> None:
    assert await world.run() == 0
    assert not world.gateway.results
