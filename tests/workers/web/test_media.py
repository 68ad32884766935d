"""Files of posts under our own domain: the storage decides, and nothing else of it can be reached."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from workers import http
from workers.providers.media_links import own_address
from workers.web.media import MediaRelay

pytestmark = pytest.mark.anyio

SIGNED = "https://project.supabase.co/storage/v1/object/sign/media/person/a.jpg?token=aa.bb.cc"
ADDRESS = "/media/media/person/a.jpg?token=aa.bb.cc"
BYTES = b"picture" * 1000


class Storage:
    """Stands for the storage; `answer` is what it says, `asked` what it was asked."""

    def __init__(self) -> None:
        self.asked: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response] = lambda _: httpx.Response(
            200, content=BYTES, headers={"content-type": "image/jpeg", "set-cookie": "a=b", "server": "x"}
        )

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return self.answer(request)


@pytest.fixture
def storage() -> Storage:
    return Storage()


@pytest.fixture
async def browser(storage: Storage) -> AsyncIterator[httpx.AsyncClient]:
    async with http.build_client(http.PLATFORM, transport=httpx.MockTransport(storage.handle)) as client:
        relay = MediaRelay(client, "https://project.supabase.co")
        app = Starlette(routes=[Route("/media/{name:path}", relay.serve, methods=["GET"])])
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="https://worker.example") as browser:
            yield browser


def test_an_address_is_the_signed_url_on_another_host() -> None:
    address = own_address(SIGNED, "https://worker.example")
    assert address == f"https://worker.example{ADDRESS}"


@pytest.mark.parametrize(
    "url",
    [
        "https://project.supabase.co/storage/v1/object/public/media/a.jpg",
        "https://project.supabase.co/storage/v1/object/sign/media/a.jpg",
        "https://project.supabase.co/storage/v1/object/sign/?token=a",
        "nothing",
    ],
)
def test_other_urls_are_none(url: str) -> None:
    with pytest.raises(ValueError, match="not a signed URL"):
        own_address(url, "https://worker.example")


async def test_a_file_is_handed_on(browser: httpx.AsyncClient, storage: Storage) -> None:
    response = await browser.get(ADDRESS)
    assert (response.status_code, response.content) == (200, BYTES)
    assert response.headers["content-type"] == "image/jpeg"
    assert response.headers["content-length"] == str(len(BYTES))
    assert not {"set-cookie", "server"} & set(response.headers)
    (asked,) = storage.asked
    assert str(asked.url) == SIGNED
    assert not {"authorization", "apikey"} & set(asked.headers)


async def test_names_are_handed_on_encoded(browser: httpx.AsyncClient, storage: Storage) -> None:
    name = "/media/media/person/%C3%A4%20photo%3F%20100%25.jpg"
    assert (await browser.get(f"{name}?token=aa.bb.cc")).status_code == 200
    (asked,) = storage.asked
    assert asked.url.raw_path.decode() == (
        "/storage/v1/object/sign/media/person/%C3%A4%20photo%3F%20100%25.jpg?token=aa.bb.cc"
    )


async def test_heads_and_ranges(browser: httpx.AsyncClient, storage: Storage) -> None:
    head = await browser.head(ADDRESS)
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", str(len(BYTES)))
    part = {"content-type": "video/mp4", "content-range": "bytes 0-3/9"}
    storage.answer = lambda _: httpx.Response(206, content=b"pict", headers=part)
    response = await browser.get(ADDRESS, headers={"range": "bytes=0-3"})
    assert (response.status_code, response.content) == (206, b"pict")
    assert response.headers["content-range"] == "bytes 0-3/9"
    assert storage.asked[-1].headers["range"] == "bytes=0-3"
    await browser.get(ADDRESS, headers={"range": "lines=1"})
    assert "range" not in storage.asked[-1].headers


@pytest.mark.parametrize(
    "path",
    [
        "/media/media/person/a.jpg",
        "/media/media/person/a.jpg?token=",
        "/media/media/person/a.jpg?token=aa.bb",
        "/media/media/person/a.jpg?token=aa.bb.cc&download=1",
        "/media/media/person/a.jpg?token=aa.bb.cc%26x%3D1",
        "/media/avatars/person/a.jpg?token=aa.bb.cc",
        "/media/media/?token=aa.bb.cc",
        "/media/media/..%2Favatars/a.jpg?token=aa.bb.cc",
        "/media/media/../../../rest/v1/posts?token=aa.bb.cc",
        "/media/media//a.jpg?token=aa.bb.cc",
        "/media/media/person/%2e%2e/a.jpg?token=aa.bb.cc",
        "/media/media/person/a%255cb.jpg?token=aa.bb.cc",
        "/media/media/person/a%252f..%252fb.jpg?token=aa.bb.cc",
        "/media/media/person/a%00.jpg?token=aa.bb.cc",
        "/media/media/person/a%5Cb.jpg?token=aa.bb.cc",
        "/media/media/person/?token=aa.bb.cc",
    ],
)
async def test_other_addresses_never_reach_the_storage(
    browser: httpx.AsyncClient, storage: Storage, path: str
) -> None:
    response = await browser.get(path)
    assert response.status_code == 404
    assert storage.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"statusCode": "400", "error": "InvalidJWT"}),
        httpx.Response(404, json={"error": "not_found"}),
        httpx.Response(302, headers={"location": "https://elsewhere.example"}),
        httpx.Response(200, content=b"<script>", headers={"content-type": "text/html"}),
        httpx.Response(200, content=b"?"),
    ],
)
async def test_what_is_no_file_looks_missing(
    browser: httpx.AsyncClient, storage: Storage, answer: httpx.Response
) -> None:
    storage.answer = lambda _: httpx.Response(
        answer.status_code, headers=answer.headers, content=answer.content
    )
    response = await browser.get(ADDRESS)
    assert response.status_code == 404
    assert "script" not in response.text


async def test_a_storage_that_is_away(browser: httpx.AsyncClient, storage: Storage) -> None:
    def fail(request: httpx.Request) -> Any:
        raise httpx.ConnectError("down")

    storage.answer = fail
    response = await browser.get(ADDRESS)
    assert response.status_code == 502
    assert "token" not in response.text
