"""Sending through the sandbox of Resend: taken once, whatever the line does; the job reports what happened."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr

from workers import http
from workers.gateway import ClaimedMail, MailResult
from workers.jobs.mail import compose, run_mails
from workers.mail.letters import Places
from workers.mail.resend import Message, ResendSender, Sent
from workers.sandbox import Sandbox
from workers.settings import MailAccount

pytestmark = pytest.mark.anyio

PLACES = Places("https://worker.example", "https://app.example")
SECRET = "sandbox-secret-of-tests"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(secret=SECRET) as running:
        yield running


@pytest.fixture(autouse=True)
def _fresh(sandbox: Sandbox) -> None:
    sandbox.control.reset()
    sandbox.control.set_limits(resend=1000)


@pytest.fixture
async def sender(sandbox: Sandbox) -> AsyncIterator[ResendSender]:
    async with http.build_client(http.PLATFORM) as client:
        yield ResendSender(client, account(sandbox))


def account(sandbox: Sandbox, **changes: object) -> MailAccount:
    return replace(
        MailAccount(
            SecretStr(f"re_{SECRET}"), None, f"{sandbox.url}/resend", "Nexora <hi@nexora.example>", 1000.0
        ),
        **changes,  # type: ignore[arg-type]
    )


def claimed(**changes: object) -> ClaimedMail:
    """A notice that is due."""
    values: dict[str, object] = {
        "mail_id": uuid4(),
        "attempt": 1,
        "category_id": "product",
        "template_id": "notice",
        "params": {"title": "A post failed", "advice": "Open it."},
        "address": "ada@people.example",
        "display_name": "Ada",
        "unsubscribe_token": "c" * 64,
    }
    return ClaimedMail(**(values | changes))  # type: ignore[arg-type]


def message(**changes: object) -> Message:
    return compose(claimed(**changes), PLACES)


async def test_a_message_arrives_with_all_that_a_mail_program_needs(
    sandbox: Sandbox, sender: ResendSender
) -> None:
    sent = message()
    outcome = await sender.send(sent)
    (mail,) = sandbox.control.mails()
    assert outcome == Sent("sent", mail.id)
    assert (mail.to, mail.sender, mail.subject) == (
        ["ada@people.example"],
        "Nexora <hi@nexora.example>",
        "A post failed",
    )
    assert mail.headers == {
        "List-Unsubscribe": f"<https://worker.example/mail/unsubscribe?token={'c' * 64}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert mail.idempotency_key == str(sent.mail_id)
    assert {"name": "mail_id", "value": str(sent.mail_id)} in (mail.tags or [])


async def test_resend_gets_the_address_for_this_message_alone(sandbox: Sandbox, sender: ResendSender) -> None:
    """P4.3: one call per message, to one address, and no list of contacts anywhere."""
    await sender.send(message())
    (record,) = sandbox.control.records("resend")
    assert (record.method, record.path) == ("POST", "/resend/emails")
    assert str(record.body).count("ada@people.example") == 1


async def test_essential_mail_has_no_unsubscribe_header(sandbox: Sandbox, sender: ResendSender) -> None:
    await sender.send(
        message(template_id="password_changed", category_id="security", params={}, unsubscribe_token=None)
    )
    assert sandbox.control.mails()[0].headers is None


@pytest.mark.parametrize("fault", ["reset_after", "malformed"])
async def test_an_answer_that_got_lost_brings_no_second_mail(
    sandbox: Sandbox, sender: ResendSender, fault: str
) -> None:
    sandbox.control.add_fault(fault, platform="resend")  # type: ignore[arg-type]
    sent = message()
    assert (await sender.send(sent)).outcome == "retry"
    assert (await sender.send(sent)).outcome == "sent"
    assert len(sandbox.control.mails()) == 1


async def test_other_words_under_the_same_key_mean_that_it_has_gone(
    sandbox: Sandbox, sender: ResendSender
) -> None:
    first = message()
    await sender.send(first)
    other = replace(message(), mail_id=first.mail_id, to="new@people.example")
    assert await sender.send(other) == Sent("sent", f"earlier:{first.mail_id}", "sent_before")
    assert len(sandbox.control.mails()) == 1


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_trouble_of_the_provider_is_tried_again(
    sandbox: Sandbox, sender: ResendSender, status: int
) -> None:
    sandbox.control.add_fault("status", platform="resend", status=status)
    assert await sender.send(message()) == Sent("retry", code=f"http_{status}")


async def test_no_connection_is_tried_again(sandbox: Sandbox) -> None:
    async with http.build_client(http.PLATFORM) as client:
        nowhere = ResendSender(client, account(sandbox, base_url="http://127.0.0.1:9"))
        assert await nowhere.send(message()) == Sent("retry", code="not_reached")


async def test_the_pace_of_the_account_is_kept(sandbox: Sandbox) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    async with http.build_client(http.PLATFORM) as client:
        sender = ResendSender(
            client, account(sandbox, per_second=2.0), clock=itertools.repeat(5.0).__next__, sleep=sleep
        )
        for _ in range(3):
            await sender.send(message())
    assert waits == [0.5, 1.0]


async def test_too_many_requests_wait_as_long_as_told(sandbox: Sandbox, sender: ResendSender) -> None:
    sandbox.control.set_limits(resend=0)
    assert await sender.send(message()) == Sent("retry", code="rate_limit_exceeded", retry_after=1.0)


def _answering(status: int, name: str, headers: dict[str, str] | None = None) -> http.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            status, json={"statusCode": status, "name": name, "message": "m"}, headers=headers
        )

    return http.build_client(http.PLATFORM, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (422, "validation_error", Sent("refused", code="validation_error")),
        (422, "missing_required_field", Sent("refused", code="missing_required_field")),
        (422, "invalid_from_address", Sent("retry", code="invalid_from_address")),  # ours to mend
        (403, "validation_error", Sent("retry", code="validation_error")),  # the domain is not verified
        (401, "missing_api_key", Sent("retry", code="missing_api_key")),
        (403, "invalid_api_key", Sent("retry", code="invalid_api_key")),
        (429, "daily_quota_exceeded", Sent("retry", code="daily_quota_exceeded", retry_after=3600.0)),
        (
            409,
            "concurrent_idempotent_requests",
            Sent("retry", code="concurrent_idempotent_requests", retry_after=5.0),
        ),
        (500, "ada@people.example", Sent("retry", code="http_500")),  # no content in a code
    ],
)
async def test_what_a_refusal_means(sandbox: Sandbox, status: int, name: str, expected: Sent) -> None:
    async with _answering(status, name) as client:
        assert await ResendSender(client, account(sandbox)).send(message()) == expected


@dataclass
class FakeGateway:
    """An outbox in memory."""

    claims: list[ClaimedMail] = field(default_factory=list)
    results: list[MailResult] = field(default_factory=list)

    async def claim_mails(self, worker_id: UUID, limit: int) -> list[ClaimedMail]:
        claimed, self.claims = self.claims[:limit], self.claims[limit:]
        return claimed

    async def report_mails(self, worker_id: UUID, results: Sequence[MailResult]) -> None:
        self.results += results


async def test_the_job_sends_and_reports(sandbox: Sandbox, sender: ResendSender) -> None:
    good, bad = claimed(), claimed(template_id="gossip")
    gateway = FakeGateway([good, bad])
    assert await run_mails(gateway, sender, PLACES, UUID(int=1), 10) == 2
    (mail,) = sandbox.control.mails()
    assert gateway.results == [
        MailResult(good.mail_id, 1, "sent", mail.id),
        MailResult(bad.mail_id, 1, "refused", code="unwritable"),
    ]
    assert await run_mails(gateway, sender, PLACES, UUID(int=1), 10) == 0


async def test_neither_address_nor_key_shows_in_representations(sandbox: Sandbox) -> None:
    """P1.11."""
    shown = repr(message()) + repr(claimed()) + repr(account(sandbox))
    assert "ada@people" not in shown
    assert SECRET not in shown
