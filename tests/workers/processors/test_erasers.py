"""P7.3, P8.3: what Stripe and Resend keep of a person goes, as far as it may, and whatever the network does to it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from workers import http
from workers.errors import (
    ProviderAnswerError,
    ProviderError,
    ProviderNotSentError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderTransportError,
    ProviderUnavailableError,
)
from workers.processors.resend import ResendEraser
from workers.processors.stripe import StripeEraser
from workers.sandbox import Sandbox
from workers.settings import MailAccount, StripeAccount

pytestmark = pytest.mark.anyio

SECRET = "sandbox-secret-of-tests"
MARKER = "canary-of-erasers"
WITH_ADDRESS = {
    "name": MARKER,
    "email": f"{MARKER}@people.example",
    "phone": MARKER,
    "description": MARKER,
    "address[line1]": MARKER,
    "shipping[name]": MARKER,
    "metadata[person]": MARKER,
    "invoice_settings[footer]": MARKER,
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(secret=SECRET) as running:
        running.control.set_limits(resend=1000, stripe=1000)
        yield running


@pytest.fixture
async def client() -> AsyncIterator[http.Client]:
    async with http.build_client(http.PLATFORM) as client:
        yield client


def stripe_at(url: str, client: http.Client, secret: str = SECRET) -> StripeEraser:
    return StripeEraser(client, StripeAccount(SecretStr(f"sk_test_{secret}"), f"{url}/stripe"))


def resend_at(url: str, client: http.Client, secret: str = SECRET) -> ResendEraser:
    return ResendEraser(client, MailAccount(SecretStr(f"re_{secret}"), None, f"{url}/resend", "", 2.0))


def customer(sandbox: Sandbox, **belongings: list[dict[str, Any]]) -> str:
    """A customer of whom everything holds the marker."""
    answer = httpx.post(
        f"{sandbox.url}/stripe/v1/customers",
        data=WITH_ADDRESS,
        headers={"authorization": f"Bearer sk_test_{SECRET}"},
    )
    customer_id = str(answer.json()["id"])
    sandbox.control.give_customer(customer_id, **belongings)
    return customer_id


def send(sandbox: Sandbox, to: str) -> None:
    httpx.post(
        f"{sandbox.url}/resend/emails",
        json={"from": "a@nexora.example", "to": [to], "subject": "S", "text": "T"},
        headers={"authorization": f"Bearer re_{SECRET}"},
    )


def kept(sandbox: Sandbox, customer_id: str) -> dict[str, Any]:
    (found,) = [one for one in sandbox.control.stripe()["customers"] if one["id"] == customer_id]
    return found


async def test_without_an_invoice_the_customer_is_deleted(sandbox: Sandbox, client: http.Client) -> None:
    one = customer(sandbox, invoices=[{"status": "draft"}], subscriptions=[{}], cards=[{"last4": "4242"}])
    for _ in range(2):  # an answer was lost: once more does no harm
        await stripe_at(sandbox.url, client).erase(one)
    left = kept(sandbox, one)
    assert (left["is_deleted"], left["fields"], left["belongings"]) == (True, {}, [])


async def test_with_an_invoice_all_but_the_invoice_is_emptied(sandbox: Sandbox, client: http.Client) -> None:
    """More subscriptions than a page of Stripe's holds, and a draft behind the invoice."""
    one = customer(
        sandbox,
        invoices=[{"status": "paid", "customer_name": MARKER}, {"status": "draft"}],
        subscriptions=[{"status": "active"}] * 101,
        cards=[{"billing_name": MARKER}],
        tax_ids=[{"value": MARKER}],
    )
    for _ in range(2):
        await stripe_at(sandbox.url, client).erase(one)
    left = kept(sandbox, one)
    assert not left["is_deleted"]
    assert [(b["object"], b["status"]) for b in left["belongings"]] == [("invoice", "paid")]
    assert MARKER not in json.dumps(left["fields"])


async def test_a_customer_that_never_was_is_erased(sandbox: Sandbox, client: http.Client) -> None:
    await stripe_at(sandbox.url, client).erase("cus_unknown")


async def test_an_address_leaves_the_suppression_list(sandbox: Sandbox, client: http.Client) -> None:
    address = "bounced+Canary@resend.dev"
    for to in (address, "complained@resend.dev"):
        send(sandbox, to)
    assert set(sandbox.control.suppressions()) == {address.lower(), "complained@resend.dev"}
    for _ in range(2):
        await resend_at(sandbox.url, client).erase(address)
    assert sandbox.control.suppressions() == ["complained@resend.dev"]


@pytest.mark.parametrize("processor", ["stripe", "resend"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "rate_limit"}, ProviderRateLimitedError),
        ({"kind": "status", "status": 503}, ProviderUnavailableError),
        ({"kind": "reset_before"}, ProviderTransportError),
        ({"kind": "reset_after"}, ProviderTransportError),
    ],
)
async def test_a_failure_is_never_taken_for_done(
    sandbox: Sandbox, client: http.Client, processor: str, fault: dict[str, Any], expected: type[Exception]
) -> None:
    """And the next attempt, which the outbox makes, finds whatever state the failed one left."""
    sandbox.control.clear_faults()
    one = customer(sandbox, invoices=[{"status": "paid"}]) if processor == "stripe" else "bounced@resend.dev"
    if processor == "resend":
        send(sandbox, one)
    eraser = (stripe_at if processor == "stripe" else resend_at)(sandbox.url, client)
    sandbox.control.add_fault(
        platform=processor, method="POST" if processor == "stripe" else "DELETE", **fault
    )
    with pytest.raises(expected) as raised:
        await eraser.erase(one)
    assert isinstance(raised.value, ProviderError)
    assert MARKER not in str(raised.value)
    await eraser.erase(one)
    if processor == "stripe":
        assert kept(sandbox, one)["fields"].get("email") is None
    else:
        assert one not in sandbox.control.suppressions()


async def test_a_wrong_key_is_refused_and_not_taken_for_done(sandbox: Sandbox, client: http.Client) -> None:
    for eraser in (stripe_at(sandbox.url, client, "wrong"), resend_at(sandbox.url, client, "wrong")):
        with pytest.raises(ProviderRefusedError) as raised:
            await eraser.erase("cus_1")
        assert raised.value.http_status == 401
    with pytest.raises(ProviderNotSentError):
        await stripe_at("http://127.0.0.1:9", client).erase("cus_1")


@pytest.mark.parametrize("answer", ["not JSON", "[]", '{"id": "cus_1", "email": "still@there.example"}'])
async def test_an_answer_that_proves_nothing_proves_nothing(answer: str) -> None:
    def reply(request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and request.url.path.endswith("/customers/cus_1"):
            return httpx.Response(200, text=answer)
        lists = (
            '{"data": [{"id": "in_1", "status": "paid"}]}'
            if "invoices" in request.url.path
            else '{"data": []}'
        )
        return httpx.Response(200, text=answer if request.method == "POST" else lists)

    async with http.build_client(http.PLATFORM, transport=httpx.MockTransport(reply)) as client:
        with pytest.raises(ProviderAnswerError):
            await asyncio.wait_for(stripe_at("http://127.0.0.1:9", client).erase("cus_1"), 5)
