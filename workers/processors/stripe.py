"""Erases a customer at Stripe (P7.3), or, where invoices have to stay, everything about them but those (P8.3).

Without a finalised invoice the customer is deleted, which ends subscriptions and removes cards. With one, the customer
stays as an empty shell: subscriptions are cancelled, cards and tax ids removed, and name, addresses and metadata
emptied; the invoice keeps the copy of name and address that the law wants on it. Stripe's redaction jobs, which would
take more, would empty the invoices as well.

Over httpx, not with the package `stripe` (16.1 examined): it is 31 MB, 26 MB of which every worker would hold in
memory for half a dozen calls, brings clients without our TLS floor, and puts its own idempotency keys on requests.
Stripe answers a repeated key from what it stored, failures included, for a day; what is asked for here can be repeated
as it is, and has to be carried out each time.

Sources: "Customers", "Invoices", "Subscriptions", "Payment methods", "Customer tax ids", "Errors", "Idempotent
requests" (docs.stripe.com/api, version 2025-09-30.clover), "Handling customer deletion requests"
(docs.stripe.com/privacy); 2026-11.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from workers import http
from workers.errors import (
    ProviderAnswerError,
    ProviderRateLimitedError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from workers.settings import StripeAccount

__all__ = ["StripeEraser"]

_VERSION: Final = "2025-09-30.clover"
_PAGE: Final = 100
# An empty value takes a field away.
_EMPTIED: Final = {
    "name": "",
    "individual_name": "",
    "business_name": "",
    "email": "",
    "phone": "",
    "description": "",
    "address": "",
    "shipping": "",
    "metadata": "",
    "invoice_settings[custom_fields]": "",
    "invoice_settings[footer]": "",
}
_LEFT: Final = ("name", "email", "phone", "description", "address", "shipping", "metadata")

_Document = Mapping[str, Any]


class StripeEraser:
    """See `workers.jobs.erasure.OutsideEraser`; the reference is a customer's id (`cus_…`).

    Args:
        client: from `workers.http`; shared.
        account: key and address of the API.
    """

    def __init__(self, client: http.Client, account: StripeAccount) -> None:
        self._client = client
        self._account = account
        self._host = urlsplit(account.base_url).hostname or "?"

    async def erase(self, reference: str) -> None:
        customer = f"/customers/{quote(reference, safe='')}"
        found = await self._call("GET", customer)
        if found is None or found.get("deleted"):
            return
        if await self._has_invoices(reference):
            await self._empty(customer, reference)
        else:
            await self._call("DELETE", customer)

    async def _has_invoices(self, reference: str) -> bool:
        """A draft is no invoice yet, and goes with its customer."""
        return any([i["status"] != "draft" async for i in self._all("/invoices", customer=reference)])

    async def _empty(self, customer: str, reference: str) -> None:
        async for one in self._all("/subscriptions", customer=reference):
            await self._call("DELETE", f"/subscriptions/{one['id']}")
        async for one in self._all("/invoices", customer=reference, status="draft"):
            await self._call("DELETE", f"/invoices/{one['id']}")
        async for one in self._all(f"{customer}/payment_methods"):
            await self._call("POST", f"/payment_methods/{one['id']}/detach")
        async for one in self._all(f"{customer}/tax_ids"):
            await self._call("DELETE", f"{customer}/tax_ids/{one['id']}")
        left = await self._call("POST", customer, data=_EMPTIED) or {}
        if any(left.get(name) for name in _LEFT):
            raise ProviderAnswerError(self._host, "the customer still names a person")

    async def _all(self, path: str, **query: str) -> AsyncIterator[_Document]:
        """Every object of a list, read whole before the first is given: what follows takes some away."""
        found: list[_Document] = []
        after: dict[str, str] = {}
        while True:
            page = await self._call("GET", path, params={**query, **after, "limit": str(_PAGE)}) or {}
            found += page.get("data", ())
            if not page.get("has_more") or not found:
                break
            after = {"starting_after": found[-1]["id"]}
        for one in found:
            yield one

    async def _call(self, method: str, path: str, **arguments: Any) -> _Document | None:
        """One request. None: there is no such object (any more)."""
        answer = await http.exchange(
            self._client,
            method,
            f"{self._account.base_url}/v1{path}",
            headers={
                "Authorization": f"Bearer {self._account.secret_key.get_secret_value()}",
                "Stripe-Version": _VERSION,
            },
            **arguments,
        )
        code = _error_code(answer)
        if answer.is_success:
            return self._document(answer)
        if answer.status_code == httpx.codes.NOT_FOUND and code == "resource_missing":
            return None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise ProviderRateLimitedError(self._host)
        if answer.is_server_error:
            raise ProviderUnavailableError(self._host, answer.status_code)
        raise ProviderRefusedError(self._host, code, answer.status_code)

    def _document(self, answer: httpx.Response) -> _Document:
        try:
            document = answer.json()
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise ProviderAnswerError(self._host, "no object")
        return document


def _error_code(answer: httpx.Response) -> str:
    """Stripe's word for what was wrong; never its message, which quotes what was sent (P1.11)."""
    try:
        code = answer.json()["error"].get("code")
    except (ValueError, KeyError, TypeError, AttributeError):
        code = None
    return code if isinstance(code, str) and code.isidentifier() and len(code) <= 60 else "refused"
