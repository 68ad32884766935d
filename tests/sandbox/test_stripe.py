"""The sandbox refuses what Stripe refuses, and forgets what is deleted there."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client
from workers.sandbox import SandboxControl


@pytest.fixture
def stripe(client: Client, http: httpx.Client) -> Any:
    def call(method: str, path: str, data: Any = None, **headers: str) -> httpx.Response:
        sent = {"authorization": f"Bearer sk_test_{client.sandbox.secret}", **headers}
        return http.request(method, f"/stripe/v1/{path}", data=data, headers=sent)

    return call


def refusal(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    return answer.status_code, error.get("code") or error["type"]


def test_a_customer_from_making_to_deleting(stripe: Any, control: SandboxControl) -> None:
    one = stripe("POST", "customers", {"name": "Canary", "metadata[a]": "1", "metadata[b]": "2"}).json()["id"]
    changed = stripe(
        "POST", f"customers/{one}", {"name": "", "metadata[a]": "", "address[city]": "Bonn"}
    ).json()
    assert (changed["name"], changed["metadata"], changed["address"]) == (None, {"b": "2"}, {"city": "Bonn"})
    assert stripe("POST", f"customers/{one}", {"metadata": "", "address": ""}).json()["metadata"] == {}
    control.give_customer(one, invoices=[{"status": "paid"}, {"status": "draft"}], cards=[{}])
    gone = {"id": one, "object": "customer", "deleted": True}
    assert stripe("DELETE", f"customers/{one}").json() == gone
    assert stripe("GET", f"customers/{one}").json() == gone
    for method, path in (
        ("DELETE", one),
        ("POST", one),
        ("GET", f"{one}/payment_methods"),
        ("GET", "cus_never"),
    ):
        assert refusal(stripe(method, f"customers/{path}")) == (404, "resource_missing")
    assert [i["status"] for i in stripe("GET", f"invoices?customer={one}").json()["data"]] == ["paid"]
    assert "Canary" not in str(control.stripe())


def test_lists_come_in_pages_newest_first(stripe: Any, control: SandboxControl) -> None:
    one = stripe("POST", "customers").json()["id"]
    control.give_customer(one, subscriptions=[{"n": n} for n in range(3)])
    first = stripe("GET", f"subscriptions?customer={one}&limit=2").json()
    assert ([s["n"] for s in first["data"]], first["has_more"]) == ([2, 1], True)
    after = first["data"][-1]["id"]
    rest = stripe("GET", f"subscriptions?customer={one}&limit=2&starting_after={after}").json()
    assert ([s["n"] for s in rest["data"]], rest["has_more"]) == ([0], False)
    stripe("DELETE", f"subscriptions/{after}")
    assert refusal(stripe("GET", f"subscriptions?customer={one}&starting_after={after}")) == (
        404,
        "resource_missing",
    )


def test_what_stripe_refuses(stripe: Any, control: SandboxControl) -> None:
    one = stripe("POST", "customers").json()["id"]
    control.give_customer(one, invoices=[{"status": "paid"}])
    invoice = stripe("GET", f"invoices?customer={one}").json()["data"][0]["id"]
    for method, path, data, expected in (
        ("POST", f"customers/{one}", {"colour": "red"}, (400, "parameter_unknown")),
        ("POST", f"customers/{one}", {"address": "Bonn"}, (400, "invalid_request_error")),
        ("GET", f"invoices?customer={one}&limit=101", None, (400, "invalid_request_error")),
        ("GET", f"invoices?customer={one}&status=lost", None, (400, "invalid_request_error")),
        ("GET", f"invoices?customer={one}&colour=red", None, (400, "parameter_unknown")),
        ("DELETE", f"invoices/{invoice}", None, (400, "invoice_not_editable")),
        ("POST", "payment_methods/pm_never/detach", None, (404, "resource_missing")),
        ("GET", "charges", None, (404, "invalid_request_error")),
    ):
        assert refusal(stripe(method, path, data)) == expected, path
    assert refusal(stripe("GET", f"customers/{one}", authorization="Bearer sk_test_wrong"))[0] == 401
    assert refusal(stripe("GET", f"customers/{one}", authorization=""))[0] == 401


def test_a_repeated_key_is_answered_from_what_was_stored(stripe: Any, control: SandboxControl) -> None:
    first, again = (
        stripe("POST", "customers", {"name": "A"}, **{"idempotency-key": "k"}).json() for _ in range(2)
    )
    assert first == again
    assert refusal(stripe("POST", "customers", {"name": "B"}, **{"idempotency-key": "k"})) == (
        400,
        "idempotency_error",
    )
    control.advance_clock(86_401)
    assert stripe("POST", "customers", {"name": "B"}, **{"idempotency-key": "k"}).json()["name"] == "B"


def test_more_calls_than_the_account_has_are_refused(stripe: Any, control: SandboxControl) -> None:
    control.set_limits(stripe=1)
    assert stripe("GET", "customers/cus_never").status_code == 404
    assert refusal(stripe("GET", "customers/cus_never")) == (429, "rate_limit")
