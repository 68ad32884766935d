"""Every request to Instagram is one that Meta documents, and a request that is not would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import TOKEN, Platform, Saved, answer, files, media
from tests.workers.providers.contract import BreachError, Contract
from tests.workers.providers.instagram_script import (
    COMMENT,
    COMMENTS,
    LATER,
    SCOPES,
    a_claim,
    picture,
    publisher,
    script,
    unknown,
    video,
)
from workers.providers.base import Media

pytestmark = pytest.mark.anyio

WAYS: list[tuple[Media, dict[str, Any]]] = [
    (files(picture()), {}),
    (files(picture(None)), {"collaborators": ["@jonas", "priya"]}),
    (files(video()), {"share_to_feed": True, "cover_ms": 1500}),
    (files(video(), thumbnail=picture()), {"collaborators": ["jonas"]}),
    (files(picture(), video()), {"collaborators": ["jonas"]}),
    (files(picture()), {"kind": "story"}),
    (files(video()), {"kind": "story"}),
]


@pytest.fixture
def contract() -> Contract:
    return Contract("instagram")


async def every_way(platform: Platform) -> None:
    """Publish every kind of post with every option, comment on it, and look for everything again."""
    for given, options in WAYS:
        files_of = media(len(given.files), mime_type=given.files[0].mime_type)
        claim = a_claim("Words & more — 🎬 #dawn @jonas", options=options, media=files_of)
        await publisher(platform).send(await publisher(platform).prepare(claim, TOKEN, given, Saved()))
    later = publisher(platform, LATER)
    await later.probe(unknown(), TOKEN)
    await later.send_follow_up(a_claim(), TOKEN, "First!", "M1", "M1")
    await later.probe_follow_up(unknown(), TOKEN, "First!", "M1", "M1")


def instagram() -> Platform:
    return script(comment=answer(200, {"id": "K1"}), comments=answer(200, {"data": []}))


async def test_every_request_is_documented(contract: Contract) -> None:
    platform = instagram()
    await every_way(platform)
    platform.answers["GET /v25.0/C1"] = answer(200, {"status_code": "PUBLISHED"})
    await publisher(platform, LATER).probe(unknown(), TOKEN)
    for request in platform.requests:
        contract.check(request)
    assert set(contract.used) == contract.names
    assert {COMMENT, COMMENTS} <= set(platform.answers)


async def test_the_scopes_that_are_asked_for_open_the_requests(contract: Contract) -> None:
    """`profile` and `publish` open everything but comments, which are a feature of their own."""
    closed = {name for name in contract.names if not contract.scopes(name) & set(SCOPES[:2])}
    assert closed == {"comments: write", "comments: list"}
    assert all(contract.scopes(name) == {SCOPES[2]} for name in closed)


def test_sources_have_a_date(contract: Contract) -> None:
    assert len(contract.sources) >= 6
    for source in contract.sources:
        assert source["url"].startswith("https://developers.facebook.com/")
        assert date.fromisoformat(source["read_on"]) >= date(2026, 11, 1)


def _container(url: str = "https://graph.instagram.com/v25.0/17841/media", **body: Any) -> httpx.Request:
    headers = {"authorization": "Bearer x"}
    return httpx.Request("POST", url, headers=headers, json=body or {"image_url": "https://a.example/1.jpg"})


BREACHES: dict[str, Callable[[], httpx.Request]] = {
    "another host": lambda: _container("https://graph.facebook.com/v25.0/17841/media"),
    "no TLS": lambda: _container("http://graph.instagram.com/v25.0/17841/media"),
    "another version": lambda: _container("https://graph.instagram.com/v12.0/17841/media"),
    "the token in the address": lambda: _container(
        "https://graph.instagram.com/v25.0/17841/media?access_token=x"
    ),
    "no source": lambda: _container(caption="x"),
    "an unknown field": lambda: _container(image_url="https://a.example/1.jpg", colour="red"),
    "an address with blanks": lambda: _container(image_url="https://a.example/a b.jpg"),
    "a caption that is too long": lambda: _container(image_url="https://a.example/1", caption="x" * 2201),
    "a text on an item": lambda: _container(
        image_url="https://a.example/1", is_carousel_item=True, caption="x"
    ),
    "an old kind": lambda: _container(video_url="https://a.example/1", media_type="VIDEO"),
    "eleven items": lambda: _container(media_type="CAROUSEL", children=",".join("123456789AB")),
    "four collaborators": lambda: _container(image_url="https://a.example/1", collaborators=list("abcd")),
    "an at sign": lambda: _container(image_url="https://a.example/1", collaborators=["@jonas"]),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breaches_are_noticed(breach: str, contract: Contract) -> None:
    assert contract.check(_container()) == "container: image"
    with pytest.raises(BreachError):
        contract.check(BREACHES[breach]())
