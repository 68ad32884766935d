"""The unsubscribe link and the provider's events, as browsers, mail programs and Resend reach them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.workers.oauth.fake_platform import FakePlatform, client_of
from tests.workers.web.fake_gateway import FakeGateway, digest
from workers.errors import RuleError, TransportError
from workers.gateway import MailLink
from workers.mail.webhooks import sign
from workers.vault import Keyring, Vault
from workers.web import WebContext, create_app

pytestmark = pytest.mark.anyio

TOKEN = "d" * 64
KEY = b"a key of sixteen bytes or more"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class MailGateway(FakeGateway):
    """Knows one link; keeps events."""

    wanted: bool = True
    events: list[tuple[Any, ...]] = field(default_factory=list)
    is_down: bool = False

    def _check(self, token_hash: str) -> None:
        if token_hash != digest(TOKEN):
            raise RuleError("unsubscribe", "NX804")

    async def find_unsubscribe(self, token_hash: str) -> MailLink:
        self._check(token_hash)
        return MailLink(category_id="product", description="What <b>needs</b> you.", is_wanted=self.wanted)

    async def unsubscribe(self, token_hash: str) -> str:
        self._check(token_hash)
        self.wanted = False
        return "product"

    async def record_mail_event(
        self,
        event_id: str,
        kind: str,
        provider_id: str | None,
        mail_id: UUID | None,
        at: datetime,
        code: str | None,
    ) -> bool:
        if self.is_down:
            raise TransportError("record_mail_event", "ConnectError")
        self.events.append((event_id, kind, provider_id, mail_id, at, code))
        return True


@pytest.fixture
def gateway() -> MailGateway:
    return MailGateway()


@pytest.fixture
async def web(gateway: MailGateway) -> AsyncIterator[httpx.AsyncClient]:
    async with _browser(gateway, KEY) as client:
        yield client


def _browser(gateway: MailGateway, key: bytes | None) -> httpx.AsyncClient:
    context = WebContext(
        gateway=gateway,
        vault=Vault(Keyring.generate()),
        clients={"x": client_of("x", FakePlatform())},
        public_url="https://worker.example",
        is_healthy=lambda: True,
        render_metrics=lambda: (b"", "text/plain"),
        clock=lambda: NOW,
        webhook_key=key,
    )
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://worker.example")


async def test_opening_the_link_changes_nothing(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    for method in ("GET", "HEAD"):
        await web.request(method, f"/mail/unsubscribe?token={TOKEN}")
    page = await web.get(f"/mail/unsubscribe?token={TOKEN}")
    assert (page.status_code, gateway.wanted) == (200, True)
    assert "What &lt;b&gt;needs&lt;/b&gt; you." in page.text
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]
    assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")


async def test_one_click_of_a_mail_program(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    """RFC 8058: the token in the address, one field in the body, no cookie, no redirect."""
    for _ in range(2):
        answer = await web.post(f"/mail/unsubscribe?token={TOKEN}", data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, gateway.wanted) == (200, False)


async def test_the_button_of_the_page(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    answer = await web.post("/mail/unsubscribe", data={"token": TOKEN})
    assert (answer.status_code, gateway.wanted) == (200, False)
    assert "have stopped" in (await web.get(f"/mail/unsubscribe?token={TOKEN}")).text


@pytest.mark.parametrize("token", ["", "x", "e" * 64, "D" * 64, "<b>", "d" * 65])
async def test_an_unknown_link(web: httpx.AsyncClient, gateway: MailGateway, token: str) -> None:
    for answer in (
        await web.get("/mail/unsubscribe", params={"token": token}),
        await web.post("/mail/unsubscribe", data={"token": token}),
    ):
        assert (answer.status_code, gateway.wanted) == (404, True)
        assert "NX804" in answer.text
        assert "<b>" not in answer.text


def _event(**changes: Any) -> tuple[bytes, dict[str, str]]:
    mail_id = uuid4()
    body = json.dumps(
        {
            "type": "email.delivered",
            "created_at": "2026-03-01T11:59:59Z",
            "data": {"email_id": "re-1", "tags": {"mail_id": str(mail_id)}},
        }
        | changes
    ).encode()
    timestamp = int(NOW.timestamp())
    headers = {
        "svix-id": "msg_1",
        "svix-timestamp": str(timestamp),
        "svix-signature": sign(KEY, "msg_1", timestamp, body),
    }
    return body, headers


async def test_a_signed_event_is_recorded(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    body, headers = _event()
    answer = await web.post("/webhooks/resend", content=body, headers=headers)
    assert answer.status_code == 204
    assert [event[:3] for event in gateway.events] == [("msg_1", "delivered", "re-1")]


async def test_an_event_that_is_not_signed_is_refused(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    body, headers = _event()
    for sent, given in ((body + b" ", headers), (body, {}), (body, headers | {"svix-timestamp": "1"})):
        assert (await web.post("/webhooks/resend", content=sent, headers=given)).status_code == 400
    assert gateway.events == []


async def test_without_a_secret_no_event_is_taken(gateway: MailGateway) -> None:
    body, headers = _event()
    async with _browser(gateway, None) as web:
        assert (await web.post("/webhooks/resend", content=body, headers=headers)).status_code == 404


async def test_what_is_too_long_is_not_read(web: httpx.AsyncClient) -> None:
    assert (await web.post("/webhooks/resend", content=b"x" * 300_000)).status_code == 413


async def test_what_cannot_be_recorded_comes_again(web: httpx.AsyncClient, gateway: MailGateway) -> None:
    body, headers = _event()
    gateway.is_down = True
    assert (await web.post("/webhooks/resend", content=body, headers=headers)).status_code == 503


async def test_what_is_of_no_interest_is_taken_and_let_go(
    web: httpx.AsyncClient, gateway: MailGateway
) -> None:
    body, headers = _event(type="email.opened")
    assert (await web.post("/webhooks/resend", content=body, headers=headers)).status_code == 204
    assert gateway.events == []
