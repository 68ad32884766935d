"""The sandbox refuses what Resend refuses, keeps idempotency keys for a day, and signs its events."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import httpx
import pytest

from workers.sandbox import Sandbox

SECRET = "sandbox-secret-of-tests"
BODY = {"from": "A <a@nexora.example>", "to": ["b@people.example"], "subject": "S", "text": "T"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(secret=SECRET) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(sandbox: Sandbox) -> None:
    sandbox.control.reset()
    sandbox.control.set_limits(resend=1000)


def post(sandbox: Sandbox, body: Any = None, key: str | None = None, **headers: str) -> httpx.Response:
    sent = {"authorization": f"Bearer re_{SECRET}", **headers}
    if key is not None:
        sent["idempotency-key"] = key
    return httpx.post(f"{sandbox.url}/resend/emails", json=BODY if body is None else body, headers=sent)


def name(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["name"]


def test_a_message_is_taken_and_can_be_asked_for(sandbox: Sandbox) -> None:
    mail_id = post(sandbox).json()["id"]
    answer = httpx.get(
        f"{sandbox.url}/resend/emails/{mail_id}", headers={"authorization": f"Bearer re_{SECRET}"}
    )
    assert (answer.json()["to"], answer.json()["last_event"]) == (["b@people.example"], "email.delivered")
    assert sandbox.control.mails("b@people.example")[0].id == mail_id
    assert sandbox.control.mails("c@people.example") == []


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", (401, "missing_api_key")),
        ("Bearer re_wrong", (401, "validation_error")),
        (SECRET, (401, "missing_api_key")),
    ],
)
def test_a_key_is_needed(sandbox: Sandbox, header: str, expected: tuple[int, str]) -> None:
    assert name(post(sandbox, authorization=header)) == expected


def test_a_request_without_user_agent_is_blocked(sandbox: Sandbox) -> None:
    answer = post(sandbox, **{"user-agent": ""})
    assert (answer.status_code, answer.json()) == (403, "error code: 1010")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"from": None}, (422, "missing_required_field")),
        ({"to": []}, (422, "missing_required_field")),
        ({"subject": ""}, (422, "missing_required_field")),
        ({"text": None}, (422, "missing_required_field")),
        ({"from": "nobody"}, (422, "invalid_from_address")),
        ({"from": "a@other.example"}, (403, "validation_error")),
        ({"to": ["not an address"]}, (422, "validation_error")),
        ({"to": [f"a{n}@people.example" for n in range(51)]}, (422, "validation_error")),
        ({"tags": [{"name": "a b", "value": "c"}]}, (422, "validation_error")),
        ({"headers": {"X": 1}}, (422, "validation_error")),
        ({"recipients": []}, (422, "validation_error")),
    ],
)
def test_a_malformed_message_is_refused(
    sandbox: Sandbox, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert name(post(sandbox, BODY | change)) == expected
    assert sandbox.control.mails() == []


def test_a_key_stands_for_one_message_for_a_day(sandbox: Sandbox) -> None:
    first = post(sandbox, key="k").json()
    assert post(sandbox, key="k").json() == first
    assert name(post(sandbox, BODY | {"subject": "other"}, key="k")) == (409, "invalid_idempotent_request")
    assert len(sandbox.control.mails()) == 1
    sandbox.control.advance_clock(86_401)
    assert post(sandbox, key="k").json() != first


@pytest.mark.parametrize("key", ["", "k" * 257])
def test_a_key_has_1_to_256_characters(sandbox: Sandbox, key: str) -> None:
    assert name(post(sandbox, key=key)) == (400, "invalid_idempotency_key")


def test_two_requests_a_second(sandbox: Sandbox) -> None:
    sandbox.control.set_limits(resend=2)
    answers = [post(sandbox) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert name(answers[2]) == (429, "rate_limit_exceeded")
    assert (answers[0].headers["ratelimit-remaining"], answers[2].headers["retry-after"]) == ("1", "1")


def test_other_paths_and_methods(sandbox: Sandbox) -> None:
    headers = {"authorization": f"Bearer re_{SECRET}"}
    assert name(httpx.get(f"{sandbox.url}/resend/contacts", headers=headers)) == (404, "not_found")
    assert name(httpx.delete(f"{sandbox.url}/resend/emails", headers=headers)) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("address", "events"),
    [
        ("b@people.example", ["email.sent", "email.delivered"]),
        ("bounced+1@resend.dev", ["email.sent", "email.bounced"]),
        ("complained@resend.dev", ["email.sent", "email.delivered", "email.complained"]),
    ],
)
def test_what_becomes_of_a_message(sandbox: Sandbox, address: str, events: list[str]) -> None:
    post(sandbox, BODY | {"to": address})
    assert sandbox.control.mails()[0].events == events


def test_events_are_signed_and_come_again_until_they_are_taken(sandbox: Sandbox) -> None:
    seen: list[dict[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(500 if len(seen) == 1 else 204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    sandbox.control.set_mail_webhook(f"http://127.0.0.1:{server.server_port}/")
    try:
        post(sandbox)
        give_up = time.monotonic() + 10
        while len(seen) < 3 and time.monotonic() < give_up:
            threading.Event().wait(0.02)
    finally:
        sandbox.control.set_mail_webhook("")
        server.shutdown()
        server.server_close()
    ids = [headers["svix-id"] for headers in seen]
    assert (len(ids), len(set(ids))) == (3, 2)
    assert all(headers["svix-signature"].startswith("v1,") for headers in seen)


def test_the_page_shows_messages_without_letting_them_do_anything(sandbox: Sandbox) -> None:
    post(sandbox, BODY | {"html": "<script>alert(1)</script><p>hello</p>", "subject": "<b>S</b>"})
    page = httpx.get(f"{sandbox.url}/mails")
    assert "&lt;b&gt;S&lt;/b&gt;" in page.text
    message = httpx.get(f"{sandbox.url}/mails/{sandbox.control.mails()[0].id}")
    assert "hello" in message.text
    assert "sandbox" in message.headers["content-security-policy"]
    assert "default-src 'none'" in message.headers["content-security-policy"]
