"""Every request to X is one that X documents, and a request that is not would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    NOW,
    TOKEN,
    MemoryFile,
    Platform,
    Saved,
    answer,
    claim,
    files,
    media,
    no_sleep,
)
from tests.workers.providers.contract import BreachError, Contract
from workers.providers.base import Media, Published
from workers.providers.x import XPublisher

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "reply_settings": "mentionedUsers",
    "made_with_ai": True,
    "paid_partnership": True,
    "in_reply_to": "12",
    "community_id": "34",
}


@pytest.fixture
def contract() -> Contract:
    return Contract("x")


def _x() -> Platform:
    pending = {"processing_info": {"state": "pending", "check_after_secs": 1}}
    done = {"processing_info": {"state": "succeeded"}}
    page = {"data": [], "meta": {"result_count": 0, "next_token": "7140w1234567890123456"}}
    return Platform(
        {
            "POST /2/tweets": answer(201, {"data": {"id": "7", "text": "Hello"}}),
            "POST /2/media/upload/initialize": answer(200, {"data": {"id": "55"}}),
            "POST /2/media/upload/55/append": answer(200, {"data": {}}),
            "POST /2/media/upload/55/finalize": answer(200, {"data": {"id": "55", **pending}}),
            "GET /2/media/upload": answer(200, {"data": {"id": "55", **done}}),
            "POST /2/media/metadata": answer(200, {"data": {}}),
            "GET /2/users/42/tweets": [answer(200, page), answer(200, {"meta": {"result_count": 0}})],
        }
    )


async def every_way(platform: Platform) -> None:
    """Post with every option and kind of file, a thread, and look for everything again."""
    publisher = XPublisher(platform.client, now=lambda: NOW, sleep=no_sleep)
    for options in ({}, EVERYTHING):
        prepared = await publisher.prepare(claim(options=options), TOKEN, Media(), Saved())
        assert isinstance(await publisher.send(prepared), Published)
    for mime_type in ("image/png", "image/gif", "video/mp4"):
        item = claim(media=media(mime_type=mime_type))
        file = MemoryFile(mime_type, b"x" * (4 * 1024 * 1024 + 1), "a dog")
        await publisher.send(await publisher.prepare(item, TOKEN, files(file), Saved()))
    await publisher.send_follow_up(claim(options=EVERYTHING), TOKEN, "two", "7", "7")
    unsure = claim(mode="reconcile", sending_at=NOW)
    await publisher.probe(unsure, TOKEN)
    await publisher.probe_follow_up(unsure, TOKEN, "two", "7", "7")


async def test_every_request_is_documented(contract: Contract) -> None:
    platform = _x()
    await every_way(platform)
    for request in platform.requests:
        contract.check(request)
    assert set(contract.used) == contract.names


async def test_an_upload_is_begun_filled_in_order_finished_and_awaited() -> None:
    platform = _x()
    publisher = XPublisher(platform.client, now=lambda: NOW, sleep=no_sleep)
    item = claim(media=media(mime_type="video/mp4"))
    video = MemoryFile("video/mp4", b"x" * (4 * 1024 * 1024 + 1), "a dog")
    await publisher.prepare(item, TOKEN, files(video), Saved())
    steps = [f"{request.method} {request.url.path.rpartition('/')[2]}" for request in platform.requests]
    assert steps == [
        "POST initialize",
        "POST append",
        "POST append",
        "POST finalize",
        "GET upload",
        "POST metadata",
    ]


def test_the_scopes_that_are_asked_for_open_the_requests(contract: Contract) -> None:
    granted = {"tweet.read", "tweet.write", "users.read", "media.write", "offline.access"}
    assert all(contract.scopes(name) & granted for name in contract.names)


def test_sources_have_a_date(contract: Contract) -> None:
    assert len(contract.sources) >= 4
    for source in contract.sources:
        assert source["url"].startswith("https://")
        assert date.fromisoformat(source["read_on"]) >= date(2026, 11, 1)


def _post(**changes: Any) -> httpx.Request:
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://api.x.com/2/tweets",
        "headers": {"authorization": "Bearer x"},
        "json": {"text": "Hello"},
    }
    return httpx.Request(**fields | changes)


BREACHES: dict[str, Callable[[], httpx.Request]] = {
    "another host": lambda: _post(url="https://api.twitter.com/2/tweets"),
    "no token": lambda: _post(headers={}),
    "an unknown field": lambda: _post(json={"text": "a", "sensitive": True}),
    "an unknown audience": lambda: _post(json={"text": "a", "reply_settings": "everyone"}),
    "five pictures": lambda: _post(json={"media": {"media_ids": ["1", "2", "3", "4", "5"]}}),
    "a reply to nothing": lambda: _post(json={"text": "a", "reply": {}}),
    "an idempotency key, which X has not": lambda: _post(
        headers={"authorization": "Bearer x", "idempotency-key": "1"}
    ),
    "another part of a post": lambda: httpx.Request(
        "GET",
        "https://api.x.com/2/users/42/tweets?tweet.fields=money",
        headers={"authorization": "Bearer x"},
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breaches_are_noticed(breach: str, contract: Contract) -> None:
    contract.check(_post())
    with pytest.raises(BreachError):
        contract.check(BREACHES[breach]())
