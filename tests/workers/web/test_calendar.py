"""Calendar feeds through the web application: what programs read, and what whoever guesses sees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar
from pydantic import SecretStr

from tests.client.people import connect_account, new_person
from tests.support.api import Api
from tests.workers.oauth.fake_platform import FakePlatform, client_of
from tests.workers.web.fake_gateway import FakeGateway
from workers.errors import DatabaseBusyError, TransportError
from workers.gateway import CalendarEvent, CalendarFeed, Gateway
from workers.settings import WorkerSettings
from workers.vault import Keyring, Vault
from workers.web import WebContext, create_app
from workers.web.calendar import RateLimit, render

pytestmark = pytest.mark.anyio

TOKEN = "A" * 42 + "-"
START = datetime(2027, 1, 1, 9, tzinfo=UTC)


def event(**more: Any) -> CalendarEvent:
    given = {
        "target_id": str(uuid4()), "title": "Dawn", "platform": "X", "handle": "mira", "state": "scheduled",
        "starts_at": START, "sequence": 2, "changed_at": START - timedelta(days=1), "external_url": None,
    }  # fmt: skip
    return CalendarEvent(**(given | more))


@dataclass
class Feeds(FakeGateway):
    """A gateway with feeds by the hash of their token."""

    feeds: dict[str, CalendarFeed] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)

    async def read_calendar_feed(self, token_hash: str) -> CalendarFeed | None:
        if self.failure is not None:
            raise self.failure
        self.looked_up.append(token_hash)
        return self.feeds.get(token_hash)


def feeds(*events: CalendarEvent) -> Feeds:
    return Feeds(
        feeds={hashlib.sha256(TOKEN.encode()).hexdigest(): CalendarFeed(name="My plan", events=events)}
    )


def browser(gateway: Any, now: Sequence[datetime] = (START,)) -> httpx.AsyncClient:
    context = WebContext(
        gateway=gateway,
        vault=Vault(Keyring.generate()),
        clients={"x": client_of("x", FakePlatform())},
        public_url="https://worker.example",
        is_healthy=lambda: True,
        render_metrics=lambda: (b"", "text/plain"),
        clock=lambda: now[-1],
    )
    transport = httpx.ASGITransport(app=create_app(context), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="https://worker.example")


def events_of(body: bytes) -> list[Any]:
    calendar = Calendar.from_ical(body)
    return list(calendar.walk("VEVENT"))


async def test_a_calendar_program_reads_what_is_planned() -> None:
    gateway = feeds(
        event(title='Dawn, dusk; "noon"\nand \\ more', external_url="https://x.example/1", state="published"),
        event(title="", handle=None, state="cancelled", sequence=5),
        event(state="missed"),
    )
    async with browser(gateway) as client:
        response = await client.get(f"/calendar/{TOKEN}.ics")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert response.headers["Cache-Control"] == "private, max-age=1800"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    first, second, third = events_of(response.content)
    assert str(first["SUMMARY"]) == 'Dawn, dusk; "noon"\nand \\ more · X @mira'
    assert str(first["UID"]) == f"{next(iter(gateway.feeds.values())).events[0].target_id}@nexora"
    assert (first["DTSTART"].dt, first["DTEND"].dt) == (START, START + timedelta(minutes=15))
    assert (str(first["STATUS"]), str(first["URL"]), first["SEQUENCE"]) == (
        "CONFIRMED",
        "https://x.example/1",
        2,
    )
    assert (str(second["SUMMARY"]), str(second["STATUS"]), second["SEQUENCE"]) == ("Post · X", "CANCELLED", 5)
    assert str(third["STATUS"]) == "TENTATIVE"
    lines = response.content.split(b"\r\n")
    assert lines[0] == b"BEGIN:VCALENDAR"
    assert all(len(line) <= 75 for line in lines)


async def test_an_unchanged_calendar_is_not_sent_again() -> None:
    gateway = feeds(event())
    async with browser(gateway) as client:
        first = await client.get(f"/calendar/{TOKEN}.ics")
        tag = first.headers["ETag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.get(f"/calendar/{TOKEN}.ics", headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
        other = await client.get(f"/calendar/{TOKEN}.ics", headers={"If-None-Match": '"other"'})
        assert other.content == first.content
        head = await client.head(f"/calendar/{TOKEN}.ics")
        assert (head.status_code, head.content, head.headers["ETag"]) == (200, b"", tag)
        (token_hash,) = gateway.feeds
        gateway.feeds[token_hash] = CalendarFeed(name="My plan", events=(event(),))
        assert (await client.get(f"/calendar/{TOKEN}.ics")).headers["ETag"] != tag


async def test_every_wrong_address_looks_like_nothing() -> None:
    gateway = feeds()
    wrong = [
        f"/calendar/{'B' * 43}.ics", f"/calendar/{TOKEN}", f"/calendar/{TOKEN[:-1]}.ics", f"/calendar/{TOKEN}A.ics",
        f"/calendar/{TOKEN}.ics.ics", "/calendar/.ics", "/calendar/x", "/calendar/", f"/calendar/{'A' * 5000}.ics",
        f"/calendar/{'A' * 42}%00.ics", f"/calendar/{'A' * 42}é.ics", f"/calendar/x/{TOKEN}.ics", "/nowhere",
    ]  # fmt: skip
    async with browser(gateway) as client:
        answers = [await client.get(path) for path in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert len(gateway.looked_up) == 1  # only what could be a token reaches the database


@pytest.mark.parametrize("token", [TOKEN, "B" * 43])
async def test_reading_is_limited_alike_for_every_token(token: str) -> None:
    now = [START]
    gateway = feeds(event())
    async with browser(gateway, now) as client:
        expected = 200 if token == TOKEN else 404
        for _ in range(60):
            assert (await client.get(f"/calendar/{token}.ics")).status_code == expected
        now.append(START + timedelta(minutes=59, seconds=59))
        late = await client.get(f"/calendar/{token}.ics")
        assert (late.status_code, late.headers["Retry-After"]) == (429, "1")
        now.append(START + timedelta(hours=1))
        assert (await client.get(f"/calendar/{token}.ics")).status_code == expected
    assert len(gateway.looked_up) == 61


@pytest.mark.parametrize(
    "failure",
    [TransportError("read_calendar_feed", "x"), DatabaseBusyError("read_calendar_feed", "57014", "x")],
)
async def test_a_database_that_does_not_answer(failure: Exception) -> None:
    async with browser(Feeds(failure=failure)) as client:
        response = await client.get(f"/calendar/{TOKEN}.ics")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "60")
    assert response.headers["Cache-Control"] == "no-store"


def test_the_limit_remembers_a_bounded_number_of_addresses() -> None:
    limit = RateLimit(limit=1, capacity=2)
    assert [limit.wait(key, START) is None for key in "aabcba"] == [True, False, True, True, False, True]


@given(title=st.text(max_size=80), handle=st.none() | st.text(max_size=20))
def test_any_title_can_be_carried(title: str, handle: str | None) -> None:
    body = render(
        CalendarFeed(name="My plan", events=(event(title=title, handle=handle), event(title="last")))
    )
    found = events_of(body)
    assert len(found) == 2
    assert str(found[1]["SUMMARY"]) == "last · X @mira"
    assert render(CalendarFeed(name="My plan", events=())) == render(CalendarFeed(name="My plan", events=()))


async def test_from_creating_to_revoking_on_real_parts(api: Api, db_url: str) -> None:
    """The address that the client gets, read through the gateway from the real database."""
    settings = WorkerSettings(
        supabase_url=api.url, supabase_secret_key=SecretStr(api.secret_key), token_keyring=SecretStr("unused"),
        public_url="https://worker.example",
    )  # fmt: skip
    gateway = Gateway.open(settings)
    await gateway.register_worker(
        "calendar-test", "https://worker.example", ["https://app.example/connected"]
    )
    with new_person(api) as ada:
        account = connect_account(db_url, ada.user_id)
        post = ada.client.content.posts.create("Not part of it.", title="Dawn")
        target = ada.client.publishing.targets.add(post.id, account)
        at = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
        ada.client.publishing.schedule(post.id, at)
        feed = ada.client.scheduling.calendar_feeds.create("My plan")
        async with browser(gateway) as client:
            response = await client.get(feed.url)
            [entry] = events_of(response.content)
            assert (str(entry["UID"]), entry["DTSTART"].dt) == (f"{target.id}@nexora", at)
            assert b"Not part of it" not in response.content
            assert ada.email.encode() not in response.content
            assert ada.client.scheduling.calendar_feeds.revoke(feed.feed_id)
            assert (await client.get(feed.url)).status_code == 404
    await gateway.aclose()
