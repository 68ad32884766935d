"""Resend's API: `POST /emails`, `GET /emails/{id}`, the suppression list, idempotency, rate limit, and signed webhooks.

"Send Email", "Retrieve Email", "Idempotency Keys", "Errors", "Usage Limits", "Suppressions", "Webhooks"
(resend.com/docs, 2026-11) and Svix' "Verifying webhooks manually". Nothing leaves this machine: a message is kept,
shown at `/mails`, and its events go to the webhook that the control API has registered, if any. The addresses that
Resend has for tests do what they do there: `bounced@resend.dev`, `complained@resend.dev`, with a label
(`bounced+x@…`) as well; for any other address the message is delivered, unless it bounced or complained before.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
import secrets
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from starlette.responses import JSONResponse, Response

from workers.sandbox.limits import Limiter
from workers.sandbox.state import State
from workers.sandbox.wire import Call, RefusedError, Routes, parse_json, words

LIMIT_PER_SECOND: Final = 2  # "Usage Limits": default of an account
KEY_SECONDS: Final = 86_400  # "Idempotency Keys": kept for 24 hours
MAX_MAILS: Final = 10_000
MAX_RECIPIENTS: Final = 50
RETRY_SECONDS: Final = (
    0.2,
    1.0,
    5.0,
)  # of webhooks; Resend's own begin with five seconds and end after ten hours

_FIELDS: Final = words(
    "from to subject bcc cc reply_to scheduled_at html text headers attachments tags template topic_id"
)
_ADDRESS: Final = re.compile(r"[^\s<>@,;\"]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_NAMED: Final = re.compile(r"[^<>\r\n@,\"]+ <([^\s<>]+)>")
_TAG: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_TEST_ADDRESS: Final = re.compile(r"(bounced|complained|suppressed)(\+[^@]*)?@resend\.dev")


@dataclass(slots=True)
class Mail:
    """One message that was taken."""

    id: str
    at: float
    body: dict[str, Any]
    idempotency_key: str
    request_hash: str
    events: list[str] = field(default_factory=list)

    @property
    def to(self) -> list[str]:
        to = self.body["to"]
        return [to] if isinstance(to, str) else list(to)

    def as_json(self) -> dict[str, Any]:
        """As the control API shows it."""
        shown = {name: self.body.get(name) for name in ("from", "subject", "html", "text", "headers", "tags")}
        return {
            "id": self.id,
            "at": self.at,
            "to": self.to,
            "idempotency_key": self.idempotency_key,
            "events": self.events,
            **shown,
        }


class Resend:
    """Handlers of the API at the root `/resend`."""

    def __init__(self, state: State, limiter: Limiter) -> None:
        self._state = state
        self._limiter = limiter
        self._tasks: set[asyncio.Task[None]] = set()

    def register(self, routes: Routes) -> None:
        routes.add("POST", "/resend/emails", self.send)
        routes.add("GET", "/resend/emails/{id}", self.retrieve)
        routes.add("GET", "/resend/suppressions/{address}", self.suppression)
        routes.add("DELETE", "/resend/suppressions/{address}", self.remove_suppression)

    def rate_limited(self, call: Call) -> Response:
        return _too_many().response()

    def unknown_path(self, call: Call, is_known: bool) -> Response:
        if is_known:
            return JSONResponse(
                _error(405, "method_not_allowed", "Method is not allowed for this endpoint"), 405
            )
        return JSONResponse(_error(404, "not_found", "The requested endpoint does not exist"), 404)

    async def send(self, call: Call) -> Response:
        """Checks in the order that the answers of the API suggest: key, pace, idempotency, fields."""
        self._authorize(call)
        self._spend(call)
        key = call.headers.get("idempotency-key")
        if key is not None and not 1 <= len(key) <= 256:
            raise _refused(
                400, "invalid_idempotency_key", "Idempotency keys must have between 1 and 256 characters."
            )
        if call.content_type != "application/json":
            raise _refused(422, "validation_error", "The content type must be application/json.")
        try:
            body = parse_json(call.body)
        except ValueError:
            raise _refused(400, "validation_error", "The request body is not valid JSON.") from None
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        known = self._known(key)
        if known is not None and known.request_hash == digest:
            return JSONResponse({"id": known.id})
        if known is not None:
            message = "This idempotency key has already been used on a request with a different payload."
            raise _refused(409, "invalid_idempotent_request", message)
        _check(body)
        mail = Mail(str(uuid.uuid4()), self._state.now(), body, key or "", digest)
        self._keep(mail)
        call.accepted = mail.id
        self._follow(mail)
        return JSONResponse({"id": mail.id})

    async def retrieve(self, call: Call) -> Response:
        self._authorize(call)
        self._spend(call)
        self._state.forget_old_mails()
        mail: Mail | None = self._state.mails.get(call.params["id"])
        if mail is None:
            raise _refused(404, "not_found", "Email not found")
        shown = {name: mail.body.get(name) for name in ("from", "subject", "html", "text", "tags")}
        at = datetime.fromtimestamp(mail.at, UTC).isoformat(sep=" ")
        last = mail.events[-1] if mail.events else "sent"
        return JSONResponse(
            {"object": "email", "id": mail.id, "to": mail.to, "created_at": at, "last_event": last, **shown}
        )

    async def suppression(self, call: Call) -> Response:
        return JSONResponse({"object": "suppression", **self._suppressed(call)})

    async def remove_suppression(self, call: Call) -> Response:
        entry = self._suppressed(call)
        del self._state.suppressions[entry["email"]]
        call.accepted = entry["id"]
        return JSONResponse({"object": "suppression", "id": entry["id"], "deleted": True})

    def _suppressed(self, call: Call) -> dict[str, Any]:
        """By address or by id."""
        self._authorize(call)
        self._spend(call)
        wanted = call.params["address"]
        for entry in self._state.suppressions.values():
            if wanted.strip().lower() == entry["email"] or wanted == entry["id"]:
                found: dict[str, Any] = entry
                return found
        raise _refused(404, "not_found", "Suppression not found")

    def _suppress(self, mail: Mail, origin: str) -> None:
        at = datetime.fromtimestamp(self._state.now(), UTC).isoformat(sep=" ")
        address = mail.to[0].lower()
        entry = {
            "id": str(uuid.uuid4()),
            "email": address,
            "origin": origin,
            "source_id": mail.id,
            "created_at": at,
        }
        self._state.suppressions.setdefault(address, entry)

    def tell(self, mail_id: str, kind: str, bounce: str | None = None) -> None:
        """Sends an event about a message to the registered webhook. Raises KeyError: no such message."""
        mail: Mail = self._state.mails[mail_id]
        mail.events.append(kind)
        if kind == "email.complained" or (kind == "email.bounced" and bounce == "Permanent"):
            self._suppress(mail, "complaint" if kind == "email.complained" else "bounce")
        if self._state.mail_webhook:
            task = asyncio.create_task(self._deliver(mail, kind, bounce))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _authorize(self, call: Call) -> None:
        if not call.headers.get("user-agent"):
            raise RefusedError(403, "error code: 1010")
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        if not key:
            raise _refused(401, "missing_api_key", "Missing API Key")
        if scheme != "Bearer" or not secrets.compare_digest(key, f"re_{self._state.secret}"):
            raise _refused(401, "validation_error", "API key is invalid")

    def _spend(self, call: Call) -> None:
        window, is_within = self._limiter.spend("resend", "team", LIMIT_PER_SECOND, 1)
        if not is_within:
            raise _too_many()
        call.response_headers |= {
            "ratelimit-limit": str(window.limit),
            "ratelimit-remaining": str(window.remaining),
            "ratelimit-reset": "1",
        }

    def _known(self, key: str | None) -> Mail | None:
        mail: Mail | None = self._state.mail_keys.get(key or "")
        return mail if mail is not None and mail.at > self._state.now() - KEY_SECONDS else None

    def _keep(self, mail: Mail) -> None:
        self._state.forget_old_mails()
        mails, keys = self._state.mails, self._state.mail_keys
        mails[mail.id] = mail
        if mail.idempotency_key:
            keys[mail.idempotency_key] = mail
        if len(mails) > MAX_MAILS:
            oldest = mails.pop(next(iter(mails)))
            keys.pop(oldest.idempotency_key, None)

    def _follow(self, mail: Mail) -> None:
        test = _TEST_ADDRESS.fullmatch(mail.to[0])
        self.tell(mail.id, "email.sent")
        if (test and test[1] == "suppressed") or mail.to[0].lower() in self._state.suppressions:
            self.tell(mail.id, "email.suppressed")
        elif test and test[1] == "bounced":
            self.tell(mail.id, "email.bounced", "Permanent")
        else:
            self.tell(mail.id, "email.delivered")
            if test:
                self.tell(mail.id, "email.complained")

    async def _deliver(self, mail: Mail, kind: str, bounce: str | None) -> None:
        """At least once: the same event again, with the same id, until the receiver answers 2xx."""
        body, event_id = self._event(mail, kind, bounce), f"msg_{secrets.token_hex(14)}"
        for pause in (0.0, *RETRY_SECONDS):
            await asyncio.sleep(pause)
            try:
                async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
                    answer = await client.post(
                        self._state.mail_webhook, content=body, headers=self._signed(event_id, body)
                    )
            except httpx.HTTPError:
                continue
            if answer.is_success:
                return

    def _event(self, mail: Mail, kind: str, bounce: str | None) -> bytes:
        at = datetime.fromtimestamp(self._state.now(), UTC).isoformat().replace("+00:00", "Z")
        data: dict[str, Any] = {
            "email_id": mail.id,
            "created_at": at,
            "from": mail.body["from"],
            "to": mail.to,
            "subject": mail.body["subject"],
            "tags": {tag["name"]: tag["value"] for tag in mail.body.get("tags") or []},
        }
        if bounce:
            data["bounce"] = {"type": bounce, "subType": "General", "message": "The mailbox does not exist."}
        return json.dumps({"type": kind, "created_at": at, "data": data}).encode()

    def _signed(self, event_id: str, body: bytes) -> dict[str, str]:
        """Signed on its own, not with the code that verifies: two mistakes would cancel out."""
        timestamp = str(int(self._state.now()))
        digest = hmac.digest(
            self._state.secret.encode(), f"{event_id}.{timestamp}.".encode() + body, "sha256"
        )
        return {
            "content-type": "application/json",
            "svix-id": event_id,
            "svix-timestamp": timestamp,
            "svix-signature": "v1," + base64.b64encode(digest).decode(),
        }


def _error(status: int, name: str, message: str) -> dict[str, Any]:
    return {"statusCode": status, "name": name, "message": message}


def _refused(status: int, name: str, message: str) -> RefusedError:
    return RefusedError(status, _error(status, name, message))


def _too_many() -> RefusedError:
    headers = {
        "ratelimit-limit": str(LIMIT_PER_SECOND),
        "ratelimit-remaining": "0",
        "ratelimit-reset": "1",
        "retry-after": "1",
    }
    message = "Too many requests. You can only make 2 requests per second. See rate limit response headers."
    return RefusedError(429, _error(429, "rate_limit_exceeded", message), headers)


def _check(body: Any) -> None:
    if not isinstance(body, dict):
        raise _refused(422, "validation_error", "The body must be an object.")
    if unknown := sorted(set(body) - _FIELDS):
        raise _refused(422, "validation_error", f"Unknown fields: {', '.join(unknown)}.")
    for name in ("from", "to", "subject"):
        if not body.get(name):
            raise _refused(422, "missing_required_field", f"Missing `{name}` field.")
    if not any(body.get(name) for name in ("html", "text", "template")):
        raise _refused(422, "missing_required_field", "Missing `html` or `text` field.")
    _check_sender(body["from"])
    for name in ("to", "cc", "bcc", "reply_to"):
        _check_recipients(name, body.get(name, []))
    if not isinstance(body["subject"], str) or "\n" in body["subject"]:
        raise _refused(422, "validation_error", "Invalid `subject` field.")
    headers = body.get("headers") or {}
    if not isinstance(headers, dict) or not all(
        isinstance(v, str) and "\n" not in v for v in headers.values()
    ):
        raise _refused(422, "validation_error", "Invalid `headers` field.")
    _check_tags(body.get("tags") or [])


def _check_sender(value: Any) -> None:
    named = _NAMED.fullmatch(value) if isinstance(value, str) else None
    address = named[1] if named else value
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        raise _refused(422, "invalid_from_address", "Invalid `from` field.")
    domain = address.rpartition("@")[2]
    if domain != "nexora.example":
        raise _refused(403, "validation_error", f"The {domain} domain is not verified.")


def _check_recipients(name: str, value: Any) -> None:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list) or len(values) > MAX_RECIPIENTS:
        raise _refused(
            422, "validation_error", f"Invalid `{name}` field: at most {MAX_RECIPIENTS} addresses."
        )
    for one in values:
        named = _NAMED.fullmatch(one) if isinstance(one, str) else None
        if not isinstance(one, str) or not _ADDRESS.fullmatch(named[1] if named else one):
            raise _refused(422, "validation_error", f"Invalid `{name}` field.")


def _check_tags(tags: Any) -> None:
    is_valid = isinstance(tags, list) and all(
        isinstance(tag, dict)
        and set(tag) == {"name", "value"}
        and all(isinstance(part, str) and _TAG.fullmatch(part) for part in tag.values())
        for tag in tags
    )
    if not is_valid:
        raise _refused(422, "validation_error", "Tags should only contain ASCII letters, numbers, _ and -.")
