"""Every request to LinkedIn is one that LinkedIn documents, and a request that is not would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
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
from workers.providers.base import Published
from workers.providers.linkedin import LinkedInPublisher

pytestmark = pytest.mark.anyio

URN = "urn:li:share:7398000000000000000"
COMMENTS = "/rest/socialActions/urn%3Ali%3Ashare%3A7398000000000000000/comments"
UPLOAD = "https://www.linkedin.com/dms-uploads/abc"
READING = ("w_member_social", "r_member_social")


@pytest.fixture
def contract() -> Contract:
    return Contract("linkedin")


def _linkedin() -> Platform:
    parts = [{"uploadUrl": f"{UPLOAD}/0", "firstByte": 0, "lastByte": 4}]
    video = {"video": "urn:li:video:V", "uploadToken": "", "uploadInstructions": parts}
    available = answer(200, {"status": "AVAILABLE"})
    return Platform(
        {
            "POST /rest/posts": answer(201, {}, x_restli_id=URN),
            "POST /rest/images": answer(200, {"value": {"uploadUrl": UPLOAD, "image": "urn:li:image:I"}}),
            "POST /rest/documents": answer(
                200, {"value": {"uploadUrl": UPLOAD, "document": "urn:li:document:D"}}
            ),
            "POST /rest/videos": [answer(200, {"value": video}), answer(200)],
            "PUT /dms-uploads/abc": answer(201),
            "PUT /dms-uploads/abc/0": answer(200, etag="/ambry/0"),
            "GET /rest/images/urn%3Ali%3Aimage%3AI": available,
            "GET /rest/documents/urn%3Ali%3Adocument%3AD": available,
            "GET /rest/videos/urn%3Ali%3Avideo%3AV": available,
            f"POST {COMMENTS}": answer(201, {"commentUrn": "urn:li:comment:(x,1)"}),
            f"GET {COMMENTS}": answer(200, {"elements": []}),
        }
    )


async def every_way(platform: Platform) -> None:
    """Post with every kind of file, comment, and look for everything again."""
    publisher = LinkedInPublisher(platform.client, version="202605", now=lambda: NOW, sleep=no_sleep)
    kinds = [(), ("image/png",), ("image/jpeg", "image/gif"), ("video/mp4",), ("application/pdf",)]
    for mime_types in kinds:
        items = tuple(item for mime_type in mime_types for item in media(mime_type=mime_type))
        item = claim(
            "Words (and) #tags",
            external_account_id="abc",
            media=items,
            scopes=READING,
            options={"visibility": "CONNECTIONS", "is_reshare_disabled": True},
        )
        pictures = files(*(MemoryFile(mime_type, b"bytes", "a dog") for mime_type in mime_types))
        prepared = await publisher.prepare(item, TOKEN, pictures, Saved())
        assert isinstance(await publisher.send(prepared), Published)
    unsure = claim(
        external_account_id="abc", mode="reconcile", scopes=READING, sending_at=NOW - timedelta(seconds=61)
    )
    await publisher.probe(unsure, TOKEN)
    await publisher.send_follow_up(unsure, TOKEN, "Sources", URN, URN)
    await publisher.probe_follow_up(unsure, TOKEN, "Sources", URN, URN)


async def test_every_request_is_documented(contract: Contract) -> None:
    platform = _linkedin()
    await every_way(platform)
    for request in platform.requests:
        contract.check(request)
    assert set(contract.used) == contract.names


async def test_a_video_is_begun_filled_finished_and_awaited() -> None:
    platform = _linkedin()
    publisher = LinkedInPublisher(platform.client, version="202605", now=lambda: NOW, sleep=no_sleep)
    item = claim(external_account_id="abc", media=media(mime_type="video/mp4"))
    await publisher.prepare(item, TOKEN, files(MemoryFile("video/mp4", b"bytes")), Saved())
    steps = [
        f"{r.method} {r.url.params.get('action') or r.url.path.split('/')[1]}" for r in platform.requests
    ]
    assert steps == ["POST initializeUpload", "PUT dms-uploads", "POST finalizeUpload", "GET rest"]


def test_posting_needs_no_more_than_the_scope_that_everybody_gets(contract: Contract) -> None:
    closed = {name for name in contract.names if "w_member_social" not in contract.scopes(name)}
    assert closed == {"images.get", "documents.get", "comments.list"}


def test_sources_have_a_date(contract: Contract) -> None:
    assert len(contract.sources) >= 6
    for source in contract.sources:
        assert source["url"].startswith("https://")
        assert date.fromisoformat(source["read_on"]) >= date(2026, 11, 1)


HEADERS = {
    "authorization": "Bearer x",
    "linkedin-version": "202605",
    "x-restli-protocol-version": "2.0.0",
}
BODY = {
    "author": "urn:li:person:abc",
    "commentary": "Hello",
    "visibility": "PUBLIC",
    "distribution": {"feedDistribution": "MAIN_FEED"},
    "lifecycleState": "PUBLISHED",
}


def _post(**changes: Any) -> httpx.Request:
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://api.linkedin.com/rest/posts",
        "headers": HEADERS,
        "json": BODY,
    }
    return httpx.Request(**fields | changes)


BREACHES: dict[str, Callable[[], httpx.Request]] = {
    "the unversioned API": lambda: _post(url="https://api.linkedin.com/v2/ugcPosts"),
    "no version": lambda: _post(headers={k: v for k, v in HEADERS.items() if k != "linkedin-version"}),
    "a version that is none": lambda: _post(headers=HEADERS | {"linkedin-version": "latest"}),
    "an old protocol": lambda: _post(headers=HEADERS | {"x-restli-protocol-version": "1.0.0"}),
    "a draft": lambda: _post(json=BODY | {"lifecycleState": "DRAFT"}),
    "an unknown field": lambda: _post(json=BODY | {"text": "Hello"}),
    "no author": lambda: _post(json={k: v for k, v in BODY.items() if k != "author"}),
    "one image as several": lambda: _post(
        json=BODY | {"content": {"multiImage": {"images": [{"id": "urn:li:image:1"}]}}}
    ),
    "a part with a token": lambda: httpx.Request(
        "PUT",
        f"{UPLOAD}/0",
        headers={"authorization": "Bearer x", "content-type": "application/octet-stream"},
        content=b"x",
    ),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breaches_are_noticed(breach: str, contract: Contract) -> None:
    contract.check(_post())
    with pytest.raises(BreachError):
        contract.check(BREACHES[breach]())
