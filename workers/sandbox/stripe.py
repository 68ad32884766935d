"""Stripe's API as far as an erasure needs it: customers, and what hangs on them.

"Customers", "Invoices", "Subscriptions", "Payment methods", "Customer tax ids", "Pagination", "Errors", "Idempotent
requests" (docs.stripe.com/api, 2026-11). What is not modelled is refused. Customers are made as any client makes them;
what Stripe's own pages and time bring about (cards, invoices, subscriptions) comes through the control API.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from starlette.responses import JSONResponse, Response

from workers.sandbox.control import json_action
from workers.sandbox.limits import Limiter
from workers.sandbox.state import State
from workers.sandbox.wire import Call, RefusedError, Routes, single_fields, words

LIMIT_PER_SECOND: Final = 25  # "Rate limits": of a test account
KEY_SECONDS: Final = 86_400  # "Idempotent requests": at least 24 hours
MAX_CUSTOMERS: Final = 10_000

_TEXTS: Final = words("name individual_name business_name email phone description")
_HASH: Final = re.compile(r"(address|shipping|metadata|invoice_settings)(\[[A-Za-z0-9_]{1,40}\])*")
_STATUSES: Final = words("draft open paid uncollectible void")
_KINDS: Final = {
    "invoices": "invoice",
    "subscriptions": "subscription",
    "cards": "payment_method",
    "tax_ids": "tax_id",
}
_PREFIXES: Final = {"invoice": "in_", "subscription": "sub_", "payment_method": "pm_", "tax_id": "txi_"}


@dataclass(slots=True)
class Belonging:
    """An invoice, subscription, card or tax id of a customer."""

    id: str
    object: str
    status: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Customer:
    """A customer; once deleted, nothing but the id is left of it."""

    id: str
    created: int
    fields: dict[str, Any] = field(default_factory=dict)
    belongings: list[Belonging] = field(default_factory=list)
    is_deleted: bool = False

    def as_json(self) -> dict[str, Any]:
        if self.is_deleted:
            return {"id": self.id, "object": "customer", "deleted": True}
        empty: dict[str, Any] = {
            **dict.fromkeys(_TEXTS | {"address", "shipping"}),
            "metadata": {},
            "invoice_settings": {},
        }
        return {"id": self.id, "object": "customer", "created": self.created, **empty, **self.fields}


@dataclass(slots=True)
class Answered:
    """What a repeated idempotency key is answered with."""

    at: float
    request: tuple[str, str, str]
    body: Any


class Stripe:
    """Handlers of the API at the root `/stripe/v1`, and of the control API's `stripe`."""

    def __init__(self, state: State, limiter: Limiter) -> None:
        self._state = state
        self._limiter = limiter

    def register(self, routes: Routes) -> None:
        one = "/stripe/v1/customers/{id}"
        for method, path, handler in (
            ("POST", "/stripe/v1/customers", self.create),
            ("GET", one, self.retrieve),
            ("POST", one, self.update),
            ("DELETE", one, self.delete),
            ("GET", f"{one}/payment_methods", self.list_cards),
            ("POST", "/stripe/v1/payment_methods/{id}/detach", self.detach),
            ("GET", f"{one}/tax_ids", self.list_tax_ids),
            ("DELETE", f"{one}/tax_ids/{{tax_id}}", self.delete_tax_id),
            ("GET", "/stripe/v1/invoices", self.list_invoices),
            ("DELETE", "/stripe/v1/invoices/{id}", self.delete_invoice),
            ("GET", "/stripe/v1/subscriptions", self.list_subscriptions),
            ("DELETE", "/stripe/v1/subscriptions/{id}", self.cancel_subscription),
        ):
            routes.add(method, path, self._guarded(handler))

    def register_control(self, routes: Routes) -> None:
        routes.add("GET", "/_sandbox/stripe", self.shown)
        routes.add("POST", "/_sandbox/stripe", json_action(self.arrange))

    def rate_limited(self, call: Call) -> Response:
        return _too_many().response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        return _refused(404, f"Unrecognized request URL ({call.method}: {call.path}).").response()

    def _guarded(self, handler: Any) -> Any:
        async def guarded(call: Call) -> Response:
            self._authorize(call)
            if not self._limiter.spend("stripe", "account", LIMIT_PER_SECOND, 1)[1]:
                raise _too_many()
            if call.headers.get("content-type") and call.content_type != "application/x-www-form-urlencoded":
                raise _refused(400, "Invalid request: the body must be form-encoded.")
            key = call.headers.get("idempotency-key", "") if call.method == "POST" else ""
            return await self._once(key, call, handler) if key else JSONResponse(await handler(call))

        return guarded

    async def _once(self, key: str, call: Call, handler: Any) -> Response:
        request = (call.method, call.path, call.body.decode("utf-8", "replace"))
        known: Answered | None = self._state.stripe_keys.get(key)
        if known is None or known.at <= self._state.now() - KEY_SECONDS:
            # What fails validation is not stored.
            known = self._state.stripe_keys[key] = Answered(self._state.now(), request, await handler(call))
        elif known.request != request:
            message = (
                "Keys for idempotent requests can only be used with the parameters they were first used with."
            )
            raise _refused(400, message, kind="idempotency_error")
        return JSONResponse(known.body)

    def _authorize(self, call: Call) -> None:
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if not key:
            raise _refused(401, "You did not provide an API key.")
        if scheme != "Bearer" or not secrets.compare_digest(key, f"sk_test_{self._state.secret}"):
            raise _refused(401, "Invalid API Key provided.")

    async def create(self, call: Call) -> Any:
        customer = Customer(_new_id("cus_"), int(self._state.now()))
        self._write(customer, await _fields(call))
        self._state.stripe[customer.id] = customer
        if len(self._state.stripe) > MAX_CUSTOMERS:
            del self._state.stripe[next(iter(self._state.stripe))]
        call.accepted = customer.id
        return customer.as_json()

    async def retrieve(self, call: Call) -> Any:
        return self._customer(call.params["id"], also_deleted=True).as_json()

    async def update(self, call: Call) -> Any:
        customer = self._customer(call.params["id"])
        self._write(customer, await _fields(call))
        call.accepted = customer.id
        return customer.as_json()

    async def delete(self, call: Call) -> Any:
        """Ends subscriptions and removes cards; invoices that were finalised stay."""
        customer = self._customer(call.params["id"])
        customer.fields.clear()
        customer.is_deleted = True
        customer.belongings = [
            b for b in customer.belongings if b.object == "invoice" and b.status != "draft"
        ]
        call.accepted = customer.id
        return customer.as_json()

    async def list_cards(self, call: Call) -> Any:
        return self._list(call, self._customer(call.params["id"]), "payment_method")

    async def detach(self, call: Call) -> Any:
        customer, card = self._belonging(call.params["id"], "payment_method")
        return self._taken_away(call, customer, card)

    async def list_tax_ids(self, call: Call) -> Any:
        return self._list(call, self._customer(call.params["id"]), "tax_id")

    async def delete_tax_id(self, call: Call) -> Any:
        customer, tax_id = self._belonging(call.params["tax_id"], "tax_id", self._customer(call.params["id"]))
        return {**self._taken_away(call, customer, tax_id), "deleted": True}

    async def list_invoices(self, call: Call) -> Any:
        return self._list_by_query(call, "invoice", _STATUSES)

    async def delete_invoice(self, call: Call) -> Any:
        customer, invoice = self._belonging(call.params["id"], "invoice")
        if invoice.status != "draft":
            raise _refused(400, "You can only delete draft invoices.", code="invoice_not_editable")
        return {**self._taken_away(call, customer, invoice), "deleted": True}

    async def list_subscriptions(self, call: Call) -> Any:
        """Without a status: all that were not cancelled."""
        return self._list_by_query(call, "subscription", frozenset())

    async def cancel_subscription(self, call: Call) -> Any:
        customer, subscription = self._belonging(call.params["id"], "subscription")
        return {**self._taken_away(call, customer, subscription), "status": "canceled"}

    async def shown(self, call: Call) -> Response:
        """Everything that is kept, stored answers among it."""
        kept = [asdict(customer) for customer in self._state.stripe.values()]
        return JSONResponse(
            {"customers": kept, "answers": [asdict(a) for a in self._state.stripe_keys.values()]}
        )

    async def arrange(self, body: dict[str, Any]) -> Any:
        """Gives a customer invoices (`[{"status": "paid", …}]`), subscriptions, cards or tax ids."""
        customer = self._customer(str(body["customer"]))
        for name, kind in _KINDS.items():
            for details in body.get(name) or ():
                rest = dict(details)
                status = str(rest.pop("status", ""))
                customer.belongings.append(Belonging(_new_id(_PREFIXES[kind]), kind, status, rest))
        return {"ids": [b.id for b in customer.belongings]}

    def _customer(self, customer_id: str, *, also_deleted: bool = False) -> Customer:
        customer: Customer | None = self._state.stripe.get(customer_id)
        if customer is None or (customer.is_deleted and not also_deleted):
            raise _missing("customer", customer_id, "id")
        return customer

    def _belonging(self, wanted: str, kind: str, of: Customer | None = None) -> tuple[Customer, Belonging]:
        for customer in [of] if of else self._state.stripe.values():
            for one in customer.belongings:
                if (one.id, one.object) == (wanted, kind):
                    return customer, one
        raise _missing(kind, wanted, "id")

    def _taken_away(self, call: Call, customer: Customer, one: Belonging) -> dict[str, Any]:
        customer.belongings.remove(one)
        call.accepted = one.id
        return {"id": one.id, "object": one.object, "customer": None}

    def _list_by_query(self, call: Call, kind: str, statuses: frozenset[str]) -> Any:
        customer, status = call.query.get("customer"), call.query.get("status")
        if customer is None:
            raise _refused(400, "The sandbox lists by customer only.", param="customer")
        if status is not None and status not in statuses:
            raise _refused(
                400, f"Invalid status: must be one of {', '.join(sorted(statuses))}", param="status"
            )
        return self._list(
            call, self._customer(customer, also_deleted=True), kind, status, {"customer", "status"}
        )

    def _list(
        self, call: Call, customer: Customer, kind: str, status: str | None = None, also: Iterable[str] = ()
    ) -> Any:
        """A page, newest first."""
        _check_known(call.query, {"limit", "starting_after", *also})
        limit = call.query.get("limit", "10")
        if not re.fullmatch(r"[1-9][0-9]?|100", limit):
            raise _refused(400, "Invalid integer: limit must be between 1 and 100.", param="limit")
        found = [b for b in reversed(customer.belongings) if b.object == kind and status in (None, b.status)]
        after = call.query.get("starting_after")
        if after is not None:
            ids = [b.id for b in found]
            if after not in ids:
                raise _missing(kind, after, "starting_after")
            found = found[ids.index(after) + 1 :]
        page = [
            {"id": b.id, "object": b.object, "status": b.status, "customer": customer.id, **b.details}
            for b in found[: int(limit)]
        ]
        return {"object": "list", "url": call.path.removeprefix("/stripe"), "data": page,
                "has_more": len(found) > len(page)}  # fmt: skip

    def _write(self, customer: Customer, given: dict[str, str]) -> None:
        """Sets what is given; an empty value takes a field, a key of metadata, or all of them away."""
        for name, value in given.items():
            top, *inner = re.findall(r"[A-Za-z0-9_]+", name)
            if name not in _TEXTS and not _HASH.fullmatch(name):
                raise _unknown_parameter(name)
            if not inner and top not in _TEXTS and value:
                raise _refused(400, f"Invalid {top}: must be an object.", param=top)
        for name, value in given.items():
            *path, last = re.findall(r"[A-Za-z0-9_]+", name)
            place = customer.fields
            for part in path:
                place = place.setdefault(part, {})
            if value:
                place[last] = value
            else:
                place.pop(last, None)


async def _fields(call: Call) -> dict[str, str]:
    try:
        return await single_fields(call)
    except ValueError as error:
        raise _refused(400, "Invalid request: the body could not be read.") from error


def _new_id(prefix: str) -> str:
    return prefix + re.sub("[^A-Za-z0-9]", "x", secrets.token_urlsafe(11))[:14]


def _check_known(given: Iterable[str], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise _unknown_parameter(name)


def _unknown_parameter(name: str) -> RefusedError:
    return _refused(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)


def _missing(kind: str, wanted: str, param: str) -> RefusedError:
    return _refused(404, f"No such {kind}: '{wanted}'", code="resource_missing", param=param)


def _too_many() -> RefusedError:
    return _refused(429, "Request rate limit exceeded.", code="rate_limit")


def _refused(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
) -> RefusedError:
    error = {"type": kind, "code": code, "message": message, "param": param}
    return RefusedError(status, {"error": {name: value for name, value in error.items() if value}})
