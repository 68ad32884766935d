"""Every request to TikTok is one that TikTok documents, and a request that is not would be noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import TOKEN, Saved, answer, files
from tests.workers.providers.contract import BreachError, Contract
from tests.workers.providers.tiktok_script import (
    CHUNK,
    DIRECT,
    UPLOAD_URL,
    a_claim,
    big,
    photo,
    publisher,
    script,
    unknown,
    video,
)
from workers.providers.base import Published

pytestmark = pytest.mark.anyio

INBOX = {"mode": "inbox"}
EVERYTHING = DIRECT | {
    "disable_comment": True, "disable_duet": True, "disable_stitch": True, "is_aigc": True,
    "brand_content_toggle": True, "brand_organic_toggle": True, "cover_ms": 1500, "title": "Three",
}  # fmt: skip


@pytest.fixture
def contract() -> Contract:
    return Contract("tiktok")


async def test_every_request_is_documented(contract: Contract) -> None:
    platform = script(put=[answer(201), answer(201), answer(201), answer(206), answer(206), answer(201)])
    for options in (DIRECT, EVERYTHING, INBOX):
        for given in (files(video()), files(photo(), photo())):
            claim = a_claim("Words & more — 🎬 #dawn", options=options)
            ready = await publisher(platform).prepare(claim, TOKEN, given, Saved())
            assert isinstance(await publisher(platform).send(ready), Published)
    ready = await publisher(platform).prepare(a_claim(), TOKEN, files(big(3)), Saved())
    assert isinstance(await publisher(platform).send(ready), Published)
    await publisher(platform).probe(unknown(), TOKEN)
    for request in platform.requests:
        contract.check(request)
    assert set(contract.used) == contract.names


async def test_the_scopes_that_are_asked_for_open_the_requests(contract: Contract) -> None:
    granted = {"user.info.basic", "video.publish", "video.upload"}
    needing = {name for name in contract.names if contract.scopes(name)}
    assert all(contract.scopes(name) & granted for name in needing)
    assert contract.names - needing == {"upload: chunk"}


def test_sources_have_a_date(contract: Contract) -> None:
    assert len(contract.sources) >= 6
    for source in contract.sources:
        assert source["url"].startswith("https://developers.tiktok.com/")
        assert date.fromisoformat(source["read_on"]) >= date(2026, 11, 1)


ROOT = "https://open.tiktokapis.com/v2/post/publish/"
JSON = {"authorization": "Bearer x", "content-type": "application/json; charset=UTF-8"}


def _init(path: str = "video/init/", root: str = ROOT, **changes: Any) -> httpx.Request:
    source = {"source": "FILE_UPLOAD", "video_size": 5, "chunk_size": 5, "total_chunk_count": 1}
    body = {"post_info": {"privacy_level": "SELF_ONLY"}, "source_info": source, **changes}
    return httpx.Request("POST", root + path, headers=JSON, json=body)


def _chunk(span: str = "bytes 0-4/5", size: int = 5, url: str = UPLOAD_URL, **more: str) -> httpx.Request:
    headers = {"content-type": "video/mp4", "content-range": span, **more}
    return httpx.Request("PUT", url, headers=headers, content=b"v" * size)


def _photos(url: str, **info: Any) -> httpx.Request:
    info = {
        "privacy_level": "SELF_ONLY", "brand_content_toggle": False, "brand_organic_toggle": False, **info,
    }  # fmt: skip
    source = {"source": "PULL_FROM_URL", "photo_images": [url], "photo_cover_index": 0}
    return _init(
        "content/init/", media_type="PHOTO", post_mode="DIRECT_POST", post_info=info, source_info=source
    )


BREACHES: dict[str, Callable[[], httpx.Request]] = {
    "another host": lambda: _init(root="https://open-api.tiktok.com/v2/post/publish/"),
    "no TLS": lambda: _init(root=ROOT.replace("https", "http")),
    "another path": lambda: _init("share/video/upload/"),
    "no audience": lambda: _init(post_info={}),
    "an unknown audience": lambda: _init(post_info={"privacy_level": "NOBODY"}),
    "an unknown field": lambda: _init(post_info={"privacy_level": "SELF_ONLY", "colour": "red"}),
    "too many chunks": lambda: _init(
        source_info={"source": "FILE_UPLOAD", "video_size": 5, "chunk_size": 5, "total_chunk_count": 1001}
    ),
    "no count of chunks": lambda: _init(source_info={"source": "FILE_UPLOAD", "video_size": 5}),
    "post_info for the inbox": lambda: _init("inbox/video/init/"),
    "a photo without TLS": lambda: _photos("http://worker.example/media/media/1.jpg"),
    "a photo at a number": lambda: _photos("https://127.0.0.1/media/1.jpg"),
    "a title that is too long": lambda: _photos("https://worker.example/1.jpg", title="x" * 91),
    "a token for the upload host": lambda: _chunk(authorization="Bearer x"),
    "another range": lambda: _chunk("bytes 0-3/5"),
    "no range": lambda: _chunk(""),
    "another type": lambda: _chunk(**{"content-type": "application/octet-stream"}),
    "no upload token": lambda: _chunk(url=UPLOAD_URL.split("&")[0]),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_breaches_are_noticed(breach: str, contract: Contract) -> None:
    assert contract.check(_init()) == "video: direct"
    assert contract.check(_chunk()) == "upload: chunk"
    assert contract.check(_photos("https://worker.example/media/1.jpg")) == "photos: direct"
    assert contract.check(_chunk(f"bytes 0-{CHUNK - 1}/{CHUNK}", CHUNK)) == "upload: chunk"
    with pytest.raises(BreachError):
        contract.check(BREACHES[breach]())
