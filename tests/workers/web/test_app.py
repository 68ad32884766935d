"""The rest of the web application: health, metrics, and what happens when something breaks."""

from __future__ import annotations

import httpx
import pytest

from tests.workers.oauth.fake_platform import FakePlatform, client_of
from tests.workers.web.fake_gateway import FakeGateway
from workers.vault import Keyring, Vault
from workers.web import WebContext, create_app

pytestmark = pytest.mark.anyio


def browser(gateway: FakeGateway | None = None, *, is_healthy: bool = True) -> httpx.AsyncClient:
    context = WebContext(
        gateway=gateway or FakeGateway(),
        vault=Vault(Keyring.generate()),
        clients={"x": client_of("x", FakePlatform())},
        public_url="https://worker.example",
        is_healthy=lambda: is_healthy,
        render_metrics=lambda: (b"nexora_claims 1\n", "text/plain; version=1.0.0"),
    )
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://worker.example")


async def test_health_says_whether_the_process_is_at_work() -> None:
    async with browser() as well:
        response = await well.get("/health")
        assert (response.status_code, response.json()) == (200, {"status": "ok"})
    async with browser(is_healthy=False) as ill:
        response = await ill.get("/health")
        assert (response.status_code, response.json()) == (503, {"status": "unavailable"})


async def test_metrics_are_served_as_they_are() -> None:
    async with browser() as client:
        response = await client.get("/metrics")
    assert response.text == "nexora_claims 1\n"
    assert response.headers["Content-Type"].startswith("text/plain; version=1.0.0")


@pytest.mark.parametrize(
    "path", ["/", "/oauth", "/oauth/x", "/oauth/x/start/", "/oauth/x/other", "/health/x"]
)
async def test_there_is_nothing_elsewhere(path: str) -> None:
    async with browser() as client:
        response = await client.get(path)
    assert response.status_code in (307, 404)
    assert "evil" not in response.headers.get("Location", "")


async def test_a_mistake_of_ours_gives_a_page_without_details() -> None:
    gateway = FakeGateway(failure=RuntimeError("canary-detail"))
    async with browser(gateway) as client:
        response = await client.get("/oauth/x/start", params={"ticket": gateway.begin("x")})
    assert response.status_code == 500
    assert "canary-detail" not in response.text
    assert "NX000" in response.text
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
