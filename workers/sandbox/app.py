"""The ASGI application: platforms, control API and pages, with recording and faults around the platforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from workers.sandbox.consent import Consent
from workers.sandbox.control import Control
from workers.sandbox.faults import Dropped, Fault, Faults
from workers.sandbox.instagram import Instagram
from workers.sandbox.limits import Limiter
from workers.sandbox.linkedin import LinkedIn
from workers.sandbox.mails import Mails
from workers.sandbox.oauth import OAuthServer
from workers.sandbox.oauth_table import TABLE
from workers.sandbox.records import Record, Records
from workers.sandbox.resend import Resend
from workers.sandbox.spool import Spool
from workers.sandbox.state import State
from workers.sandbox.stripe import Stripe
from workers.sandbox.tiktok import TikTok
from workers.sandbox.wire import Call, RefusedError, Routes
from workers.sandbox.x import X
from workers.sandbox.youtube import YouTube

MAX_REQUEST = 1_073_741_824  # bytes of one request body; every platform's largest single request is smaller


class Service(Protocol):
    """One platform's API."""

    def register(self, routes: Routes) -> None: ...
    def rate_limited(self, call: Call) -> Response: ...
    def unknown_path(self, call: Call, is_known: bool) -> Response: ...


class SandboxApp:
    """One sandbox. A platform request passes: record, `before` faults, handler, `after` faults, answer."""

    def __init__(self, state: State, on_change: Callable[[], None] = lambda: None) -> None:
        """`on_change` is called after each request that may have changed the state, before it is answered."""
        self.state = state
        self._on_change = on_change
        self.records = Records()
        self.faults = Faults(lambda call: self._services[call.platform].rate_limited(call))
        limiter = Limiter(state)
        consent = Consent(state)
        self._services: dict[str, Service] = {
            "x": X(limiter),
            "linkedin": LinkedIn(limiter),
            "youtube": YouTube(limiter),
            "instagram": Instagram(limiter),
            "tiktok": TikTok(limiter),
            "resend": (resend := Resend(state, limiter)),
            "stripe": (stripe := Stripe(state, limiter)),
        }
        self._routes = {name: Routes() for name in self._services}
        for name, service in self._services.items():
            if name in TABLE:
                self._add_oauth(name, consent)
            service.register(self._routes[name])
        self._control = Routes()
        Control(state, self.records, self.faults, consent, limiter).register(self._control)
        Mails(state, resend).register(self._control)
        stripe.register_control(self._control)

    def _add_oauth(self, name: str, consent: Consent) -> None:
        platform, routes = TABLE[name], self._routes[name]
        server = OAuthServer(platform)
        routes.add("GET", f"/{name}{platform.authorize_path}", consent.authorize)
        routes.add("POST", f"/{name}{platform.token_path}", server.token)
        if platform.revoke_path:
            routes.add("POST", f"/{name}{platform.revoke_path}", server.revoke)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _read_body(receive)
        if body is None:
            return
        call = Call(scope, body, self.state)
        if call.platform in self._services:
            answer = await self._platform_call(call)
        else:
            answer = await self._control_call(call)
        if isinstance(answer, Dropped):
            scope["extensions"]["sandbox.connection"].drop()
            return
        await answer(scope, receive, send)

    async def _control_call(self, call: Call) -> Response:
        handler = self._control.find(call)
        if handler is None:
            return JSONResponse({"error": f"no such path: {call.method} {call.path}"}, 404)
        try:
            response = await handler(call)
        except RefusedError as refusal:
            return refusal.response()
        finally:
            await call.close()
        self._note_change(call)
        return response

    async def _platform_call(self, call: Call) -> Response | Dropped:
        record = self.records.open(call)
        answer = await self._with_faults(call, record)
        record.accepted = call.accepted
        record.status = 0 if isinstance(answer, Dropped) else answer.status_code
        return answer

    async def _with_faults(self, call: Call, record: Record) -> Response | Dropped:
        fault = self.faults.take(call, "before")
        answer = await self._apply(fault, call, record)
        if answer is not None:
            return answer
        response = await self._handle(call)
        record.accepted = call.accepted
        fault = self.faults.take(call, "after") if response.status_code < 400 else None
        return await self._apply(fault, call, record) or response

    async def _apply(self, fault: Fault | None, call: Call, record: Record) -> Response | Dropped | None:
        if fault is None:
            return None
        record.fault = fault.kind
        return await self.faults.apply(fault, call)

    async def _handle(self, call: Call) -> Response:
        routes, service = self._routes[call.platform], self._services[call.platform]
        handler = routes.find(call)
        if handler is None:
            return service.unknown_path(call, routes.is_known(call.path))
        if call.spool.size > MAX_REQUEST:
            return Response(status_code=413)
        try:
            response = await handler(call)
        except RefusedError as refusal:
            response = refusal.response()
        finally:
            await call.close()
        for name, value in call.response_headers.items():
            response.headers[name] = value
        if call.accepted:
            self.state.totals[f"{call.platform} {call.method}"] += 1
        self._note_change(call)
        return response

    def _note_change(self, call: Call) -> None:
        if call.method != "GET" or call.accepted:
            self._on_change()


async def _read_body(receive: Receive) -> Spool | None:
    """The body (what exceeds the limit is not kept), or None if the client went away while sending."""
    body = Spool()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if body.size <= MAX_REQUEST:
            body.write(message.get("body", b""))
        if not message.get("more_body", False):
            return body
