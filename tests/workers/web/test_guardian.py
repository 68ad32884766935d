"""The pages that a guardian sees: they work without scripts, and opening one changes nothing (P9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from tests.workers.oauth.fake_platform import FakePlatform, client_of
from tests.workers.web.fake_gateway import FakeGateway, digest
from workers.errors import PrivacyRuleError
from workers.gateway import GuardianRequest
from workers.vault import Keyring, Vault
from workers.web import WebContext, create_app

pytestmark = pytest.mark.anyio

CONFIRM, REVOKE = "a" * 64, "b" * 64


@dataclass
class GuardianGateway(FakeGateway):
    """One request with its two links."""

    state: str = "open"

    def _check(self, token_hash: str, *tokens: str) -> None:
        if token_hash not in {digest(token) for token in tokens}:
            raise PrivacyRuleError("guardian", "NX942")

    async def find_guardian_request(self, token_hash: str) -> GuardianRequest:
        self._check(token_hash, CONFIRM, REVOKE)
        return GuardianRequest(child_name="<b>Kim</b>", guardian_name="Alex", state=self.state)  # type: ignore[arg-type]

    async def confirm_guardian_request(self, token_hash: str) -> str:
        self._check(token_hash, CONFIRM)
        self.state = "given"
        return "given"

    async def withdraw_guardian_consent(self, token_hash: str) -> str:
        self._check(token_hash, REVOKE)
        self.state = "withdrawn"
        return "withdrawn"


@pytest.fixture
def gateway() -> GuardianGateway:
    return GuardianGateway()


@pytest.fixture
async def web(gateway: GuardianGateway) -> AsyncIterator[httpx.AsyncClient]:
    context = WebContext(
        gateway=gateway,  # type: ignore[arg-type]
        vault=Vault(Keyring.generate()),
        clients={"x": client_of("x", FakePlatform())},
        public_url="https://worker.example",
        is_healthy=lambda: True,
        render_metrics=lambda: (b"", "text/plain"),
    )
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://worker.example") as client:
        yield client


async def test_the_whole_way(web: httpx.AsyncClient, gateway: GuardianGateway) -> None:
    page = await web.get("/guardian/confirm", params={"token": CONFIRM})
    assert (page.status_code, gateway.state) == (200, "open")
    assert "&lt;b&gt;Kim&lt;/b&gt;" in page.text
    assert "<script" not in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    answer = await web.post("/guardian/confirm", data={"token": CONFIRM})
    assert ("Thank you" in answer.text, gateway.state) == (True, "given")
    assert "Thank you" in (await web.get("/guardian/confirm", params={"token": CONFIRM})).text
    page = await web.get("/guardian/revoke", params={"token": REVOKE})
    assert ("Take your consent back?" in page.text, gateway.state) == (True, "given")
    answer = await web.post("/guardian/revoke", data={"token": REVOKE})
    assert ("taken back" in answer.text, gateway.state) == (True, "withdrawn")
    assert (await web.get("/guardian/confirm", params={"token": CONFIRM})).status_code == 404
    assert "taken back" in (await web.get("/guardian/revoke", params={"token": REVOKE})).text


@pytest.mark.parametrize("path", ["/guardian/confirm", "/guardian/revoke"])
@pytest.mark.parametrize("token", ["", "x", "c" * 64, "<b>"])
async def test_an_unknown_link(
    web: httpx.AsyncClient, gateway: GuardianGateway, path: str, token: str
) -> None:
    for answer in (await web.get(path, params={"token": token}), await web.post(path, data={"token": token})):
        assert (answer.status_code, "NX942" in answer.text) == (404, True)
    assert gateway.state == "open"
