"""Mails as tests and people see them: the control API's part of it, and the page `/mails`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from workers.sandbox import pages
from workers.sandbox.control import json_action
from workers.sandbox.resend import Mail, Resend
from workers.sandbox.state import State
from workers.sandbox.wire import Call, Routes

SHOWN = 200
_HEADERS = {
    **pages.SECURITY_HEADERS,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'",
}
# A message is drawn as a mail program draws it: nothing is fetched, nothing runs.
_MESSAGE_HEADERS = {
    **pages.SECURITY_HEADERS,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups",
    "x-frame-options": "SAMEORIGIN",
}
_CARD = """<article class="card"><header><div class="who"><b>{subject}</b>
<span>to {to} · {at} · {events}</span></div></header>
<iframe title="{subject}" src="/mails/{id}" style="display:block;width:100%;height:34rem;border:0"></iframe>
</article>"""


class Mails:
    """Handlers of `/mails` and of the control API's `mails`, `mail_webhook` and `mail_events`."""

    def __init__(self, state: State, resend: Resend) -> None:
        self._state = state
        self._resend = resend

    def register(self, routes: Routes) -> None:
        routes.add("GET", "/mails", self.page)
        routes.add("GET", "/mails/{id}", self.message)
        routes.add("GET", "/_sandbox/mails", self.records)
        routes.add("GET", "/_sandbox/suppressions", self.suppressions)
        routes.add("POST", "/_sandbox/mail_webhook", json_action(self.set_webhook))
        routes.add("POST", "/_sandbox/mail_events", json_action(self.tell))

    async def page(self, call: Call) -> Response:
        return HTMLResponse(pages.mails([_card(mail) for mail in self._newest()[:SHOWN]]), headers=_HEADERS)

    async def message(self, call: Call) -> Response:
        mail = self._state.mails.get(call.params["id"])
        if mail is None:
            return JSONResponse({"error": "no such mail"}, 404)
        return HTMLResponse(str(mail.body.get("html") or ""), headers=_MESSAGE_HEADERS)

    async def records(self, call: Call) -> Response:
        to = call.query.get("to", "")
        return JSONResponse({"mails": [m.as_json() for m in self._newest() if not to or to in m.to]})

    async def suppressions(self, call: Call) -> Response:
        return JSONResponse({"suppressions": list(self._state.suppressions.values())})

    async def set_webhook(self, body: dict[str, Any]) -> Any:
        """Where events go; empty: nowhere."""
        self._state.mail_webhook = str(body["url"])
        return {}

    async def tell(self, body: dict[str, Any]) -> Any:
        """Sends another event about a message."""
        bounce = body.get("bounce")
        self._resend.tell(str(body["id"]), str(body["event"]), None if bounce is None else str(bounce))
        return {}

    def _newest(self) -> list[Mail]:
        self._state.forget_old_mails()
        return list(reversed(self._state.mails.values()))


def _card(mail: Mail) -> pages.Html:
    return pages.fill(
        _CARD,
        id=mail.id,
        subject=str(mail.body["subject"]),
        to=", ".join(mail.to),
        at=f"{datetime.fromtimestamp(mail.at, UTC):%Y-%m-%d %H:%M} UTC",
        events=", ".join(event.removeprefix("email.") for event in mail.events),
    )
