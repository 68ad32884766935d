"""Only what Resend signed within five minutes counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from workers.mail.webhooks import Event, InvalidWebhookError, sign, signing_key, verified

# The published example of Svix' "Verifying webhooks manually".
EXAMPLE_SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EXAMPLE_BODY = b'{"test": 2432232314}'
KEY = signing_key(SecretStr(EXAMPLE_SECRET))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAIL = UUID(int=5)


def _body(kind: str = "email.bounced", **data: Any) -> bytes:
    values = {"email_id": "re-1", "tags": {"mail_id": str(MAIL)}, "bounce": {"type": "Permanent"}} | data
    return json.dumps({"type": kind, "created_at": "2026-03-01T11:59:58.000Z", "data": values}).encode()


def _headers(body: bytes, at: datetime = NOW, key: bytes = KEY) -> dict[str, str]:
    timestamp = int(at.timestamp())
    return {
        "svix-id": "msg_1",
        "svix-timestamp": str(timestamp),
        "svix-signature": sign(key, "msg_1", timestamp, body),
    }


def test_the_published_example_has_the_published_signature() -> None:
    signature = sign(KEY, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, EXAMPLE_BODY)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_genuine_event_is_read() -> None:
    body = _body()
    assert verified(KEY, _headers(body), body, NOW) == Event(
        "msg_1", "bounced", "re-1", MAIL, datetime(2026, 3, 1, 11, 59, 58, tzinfo=UTC), "Permanent"
    )


def test_tags_may_come_as_a_list() -> None:
    body = _body(tags=[{"name": "mail_id", "value": str(MAIL)}])
    assert verified(KEY, _headers(body), body, NOW).mail_id == MAIL


@pytest.mark.parametrize("kind", ["email.opened", "email.clicked", "contact.created"])
def test_nobody_s_reading_is_followed(kind: str) -> None:
    """P5.1: what tells of opening and clicking is let go."""
    body = _body(kind)
    assert verified(KEY, _headers(body), body, NOW).kind is None


def test_one_signature_of_several_is_enough_while_keys_change() -> None:
    body = _body()
    headers = _headers(body)
    headers["svix-signature"] = "v1,AAAA v2,BBBB " + headers["svix-signature"]
    assert verified(KEY, headers, body, NOW).id == "msg_1"


@pytest.mark.parametrize("seconds", [-301, 301])
def test_old_and_future_events_are_refused(seconds: int) -> None:
    body = _body()
    with pytest.raises(InvalidWebhookError):
        verified(KEY, _headers(body, NOW + timedelta(seconds=seconds)), body, NOW)


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_clock_may_differ_by_five_minutes(seconds: int) -> None:
    body = _body()
    assert verified(KEY, _headers(body, NOW + timedelta(seconds=seconds)), body, NOW)


@pytest.mark.parametrize("header", ["svix-id", "svix-timestamp", "svix-signature"])
@pytest.mark.parametrize("value", ["", "x", "1614265330", "v1,", "msg_2"])
def test_a_changed_header_is_refused(header: str, value: str) -> None:
    body = _body()
    with pytest.raises(InvalidWebhookError):
        verified(KEY, _headers(body) | {header: value}, body, NOW)


def test_a_changed_body_or_another_key_is_refused() -> None:
    body = _body()
    with pytest.raises(InvalidWebhookError):
        verified(KEY, _headers(body), body + b" ", NOW)
    with pytest.raises(InvalidWebhookError):
        verified(KEY, _headers(body, key=b"another key of some length"), body, NOW)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"type": "x", "created_at": "2026-03-01"}', b'"canary"']
)
def test_what_is_signed_but_unreadable_is_refused_without_quoting(body: bytes) -> None:
    with pytest.raises(InvalidWebhookError) as caught:
        verified(KEY, _headers(body), body, NOW)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_###", "whsec_QUJD", "QUJDQUJDQUJDQUJDQUJDQUJD"])
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        signing_key(SecretStr(secret))
