"""The web application, put together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workers.jobs.refresh import utc_now
from workers.providers.oauth import PlatformOAuth
from workers.vault import Vault
from workers.web.calendar import CalendarGateway, CalendarPages
from workers.web.connect import ConnectGateway, Connector
from workers.web.exports import ExportLinks, ExportLinksGateway
from workers.web.guardian import GuardianGateway, GuardianPages
from workers.web.mail import MailPages, MailWebGateway
from workers.web.media import MediaRelay
from workers.web.pages import CONTENT_SECURITY_POLICY, problem_page

__all__ = ["WebContext", "WebGateway", "create_app"]

_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",  # answers belong to one person and one moment
    "Referrer-Policy": "no-referrer",  # addresses here carry one-time values
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
}


class WebGateway(
    ConnectGateway, CalendarGateway, MailWebGateway, GuardianGateway, ExportLinksGateway, Protocol
):
    """The part of `workers.gateway.Gateway` that the application uses."""


@dataclass(frozen=True, slots=True)
class WebContext:
    """What the application works with.

    Attributes:
        gateway: the database.
        vault: seals verifiers and tokens.
        clients: OAuth clients by platform id.
        public_url: address under which browsers reach this server, without a trailing slash.
        is_healthy: whether this process is at work; answers at once.
        render_metrics: body of `/metrics` and its content type.
        clock: current time; tests set it.
        media: serves files of posts under this domain; None where no platform fetches them from here.
        webhook_key: what events about mails are signed with; None: they are refused.
    """

    gateway: WebGateway
    vault: Vault
    clients: Mapping[str, PlatformOAuth]
    public_url: str
    is_healthy: Callable[[], bool]
    render_metrics: Callable[[], tuple[bytes, str]]
    clock: Callable[[], datetime] = utc_now
    media: MediaRelay | None = None
    webhook_key: bytes | None = None


def create_app(context: WebContext) -> Starlette:
    """The ASGI application. Serve it without an access log: addresses here carry one-time values."""
    calendars = CalendarPages(context.gateway, context.clock)
    mails = MailPages(context.gateway, context.webhook_key, context.clock)
    guardians = GuardianPages(context.gateway)
    connector = Connector(context.gateway, context.vault, context.clients, context.public_url, context.clock)

    async def health(request: Request) -> Response:
        if context.is_healthy():
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable"}, status_code=503)

    async def metrics(request: Request) -> Response:
        body, media_type = context.render_metrics()
        return Response(body, media_type=media_type)

    relay = (
        [] if context.media is None else [Route("/media/{name:path}", context.media.serve, methods=["GET"])]
    )
    return Starlette(
        routes=[
            *relay,
            Route("/oauth/{platform}/start", connector.start, methods=["GET"]),
            Route("/oauth/{platform}/callback", connector.callback, methods=["GET"]),
            Route("/calendar/{file}", calendars.feed, methods=["GET"]),
            Route("/export/{ticket}", ExportLinks(context.gateway).open, methods=["GET"]),
            Route("/mail/unsubscribe", mails.ask, methods=["GET"]),
            Route("/mail/unsubscribe", mails.unsubscribe, methods=["POST"]),
            Route("/webhooks/resend", mails.receive, methods=["POST"]),
            Route("/guardian/confirm", guardians.ask, methods=["GET"]),
            Route("/guardian/confirm", guardians.confirm, methods=["POST"]),
            Route("/guardian/revoke", guardians.ask_back, methods=["GET"]),
            Route("/guardian/revoke", guardians.withdraw, methods=["POST"]),
            Route("/health", health, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
        ],
        middleware=[Middleware(_SecurityHeaders)],
        exception_handlers={HTTPException: _on_http_exception, Exception: _on_unexpected},
    )


class _SecurityHeaders:
    """Puts the same headers on every answer, whoever made it; an answer that has its own keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    page = problem_page(
        title="There is nothing here",
        message=HTTPStatus(status).phrase,
        hint="Go back to Nexora OS.",
        code=str(status),
        status=status,
    )
    page.headers.update(headers or {})
    return page


async def _on_unexpected(request: Request, error: Exception) -> Response:
    page = problem_page(
        title="Something went wrong here",
        message="This is a mistake of ours",
        hint="Try again in a few minutes.",
        code="NX000",
        status=500,
    )
    page.headers.update(_HEADERS)  # made outside the middleware
    return page
