"""Signed webhooks of Resend, which come through Svix.

Signed is `id.timestamp.body` with HMAC-SHA256; the header holds one signature per key, while keys are exchanged.
Source: "Verifying webhooks manually" (docs.svix.com) and "Verify Webhooks Requests" (resend.com/docs), 2026-11.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from pydantic import SecretStr

from workers.errors import ConfigurationError, NexoraError
from workers.settings import MailAccount

__all__ = ["Event", "InvalidWebhookError", "sign", "signing_key", "verified", "webhook_key"]

TOLERANCE_SECONDS: Final = 300
_PREFIX: Final = "whsec_"
_ID: Final = re.compile(r"[A-Za-z0-9_.\-]{3,100}")
_KINDS: Final = frozenset(
    {"sent", "delivered", "delivery_delayed", "bounced", "complained", "failed", "suppressed"}
)


class InvalidWebhookError(NexoraError):
    """Not signed by the holder of the secret, too old, or unreadable. The text says which, never a value."""

    code = "invalid_webhook"


@dataclass(frozen=True, slots=True)
class Event:
    """What Resend tells about a message.

    Attributes:
        id: the event's own id; the same when it is told again.
        kind: `delivered`, `bounced`, …; None for what is of no interest here.
        provider_id: Resend's id of the message.
        mail_id: our id of it, from its tags.
        at: when it happened.
        code: type of a bounce.
    """

    id: str
    kind: str | None
    provider_id: str | None
    mail_id: UUID | None
    at: datetime
    code: str | None


def signing_key(secret: SecretStr) -> bytes:
    """The key in a secret (`whsec_…`).

    Raises:
        ValueError: it is none.
    """
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be whsec_ and base64") from None
    if not text.startswith(_PREFIX) or len(key) < 16:
        raise ValueError("must be whsec_ and base64 of at least 16 bytes")
    return key


def webhook_key(account: MailAccount | None) -> bytes | None:
    """The key of an account; None where none is configured.

    Raises:
        ConfigurationError: what is configured is none.
    """
    if account is None or account.webhook_secret is None:
        return None
    try:
        return signing_key(account.webhook_secret)
    except ValueError as error:
        raise ConfigurationError("NEXORA_RESEND_WEBHOOK_SECRET", str(error)) from None


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature as the header holds it: `v1,` and base64."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, content, sha256).digest()).decode("ascii")


def verified(key: bytes, headers: Mapping[str, str], body: bytes, now: datetime) -> Event:
    """The event, if the request is genuine.

    Args:
        key: from `signing_key`.
        headers: with lower-case names.
        body: exactly as it arrived.
        now: current time.

    Raises:
        InvalidWebhookError: it is not.
    """
    message_id, timestamp = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    if not _ID.fullmatch(message_id) or not re.fullmatch(r"[0-9]{1,12}", timestamp):
        raise InvalidWebhookError("headers")
    expected = sign(key, message_id, int(timestamp), body)
    given = headers.get("svix-signature", "").split(" ")
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given):
        raise InvalidWebhookError("signature")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE_SECONDS:
        raise InvalidWebhookError("timestamp")
    try:
        return _event(message_id, json.loads(body))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InvalidWebhookError("body") from None


def _event(message_id: str, document: Any) -> Event:
    kind = str(document["type"]).removeprefix("email.")
    data = document.get("data") or {}
    tags = data.get("tags")
    # An object; older accounts get the list that was sent.
    named = {tag["name"]: tag["value"] for tag in tags} if isinstance(tags, list) else tags or {}
    at = datetime.fromisoformat(str(document["created_at"]))
    if at.tzinfo is None:
        raise ValueError("created_at")
    bounce = data.get("bounce") or {}
    return Event(
        id=message_id,
        kind=kind if kind in _KINDS else None,
        provider_id=data.get("email_id"),
        mail_id=UUID(named["mail_id"]) if "mail_id" in named else None,
        at=at,
        code=bounce.get("type"),
    )
