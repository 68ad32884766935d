"""HTTP clients: timeouts, no redirects, TLS 1.3, and errors that hold neither URL nor token (P1.11, P3.1)."""

from __future__ import annotations

import pathlib
import re
import ssl
import sys
import traceback

import httpx
import pytest

from workers import http
from workers.errors import ProviderNotSentError, ProviderTransportError

TOKEN = "canary-token"
URL = "https://api.example/path?state=canary-state"


def _client(error: Exception) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error

    return http.build_client(http.PLATFORM, transport=httpx.MockTransport(answer))


@pytest.mark.parametrize("profile", [http.DATABASE, http.PLATFORM, http.OAUTH])
def test_every_client_has_every_limit(profile: http.Profile) -> None:
    client = http.build_client(profile)
    limits = client.timeout.as_dict()
    assert all(isinstance(seconds, int | float) and 0 < seconds <= 60 for seconds in limits.values())
    assert client.follow_redirects is False
    assert client.headers["user-agent"].startswith("nexora-os/")
    assert http.client_options(profile)["verify"].minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError(TOKEN),
        httpx.ConnectTimeout(TOKEN),
        httpx.PoolTimeout(TOKEN),
        httpx.ProxyError(TOKEN),
        httpx.UnsupportedProtocol(TOKEN),
    ],
)
async def test_without_a_connection_nothing_was_sent(error: Exception) -> None:
    async with _client(error) as client:
        with pytest.raises(ProviderNotSentError):
            await http.exchange(client, "POST", URL)


@pytest.mark.anyio
@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout(TOKEN),
        httpx.WriteTimeout(TOKEN),
        httpx.ReadError(TOKEN),
        httpx.WriteError(TOKEN),
        httpx.RemoteProtocolError(TOKEN),
        httpx.CloseError(TOKEN),
        httpx.DecodingError(TOKEN),
        httpx.TooManyRedirects(TOKEN),
    ],
)
async def test_after_a_connection_the_outcome_is_unknown(error: Exception) -> None:
    async with _client(error) as client:
        with pytest.raises(ProviderTransportError) as caught:
            await http.exchange(client, "POST", URL, headers={"Authorization": f"Bearer {TOKEN}"})
    assert not isinstance(caught.value, ProviderNotSentError)
    assert caught.value.cause == type(error).__name__
    shown = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown
    assert "canary-state" not in shown


@pytest.mark.anyio
async def test_a_broken_stream_is_translated_as_well() -> None:
    async with _client(httpx.ReadError(TOKEN)) as client:
        with pytest.raises(ProviderTransportError):
            async with http.streaming(client, "GET", URL):
                pass


@pytest.mark.anyio
async def test_redirects_are_answers_and_not_followed() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(302, headers={"location": "https://elsewhere.example/"})

    async with http.build_client(http.PLATFORM, transport=httpx.MockTransport(answer)) as client:
        response = await http.exchange(client, "GET", URL)
    assert (response.status_code, len(seen)) == (302, 1)


def test_only_http_py_builds_clients() -> None:
    root = pathlib.Path(http.__file__).parent
    pattern = re.compile(
        r"httpx\.(Async)?Client\(|AsyncOAuth2Client\(|urllib\.request|import (aiohttp|requests)"
    )
    # The stand-ins for the outside world, and commands of the terminal.
    apart = {"sandbox", "embedded", "cli"}
    users = [
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if path.relative_to(root).parts[0] not in apart and pattern.search(path.read_text())
    ]
    assert users == ["http.py"]


@pytest.mark.anyio
async def test_a_large_body_goes_in_pieces_with_its_length_and_is_let_go_of() -> None:
    sizes: list[int] = []

    class Transport(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            assert isinstance(request.stream, httpx.AsyncByteStream)
            sizes.extend([len(piece) async for piece in request.stream])
            return httpx.Response(200)

    content = bytes(1_000_000)
    held = sys.getrefcount(content)
    async with http.build_client(http.PLATFORM, transport=Transport()) as client:
        response = await http.exchange(client, "PUT", URL, content=content, headers={"X-Part": "1"})
    assert (sum(sizes), max(sizes)) == (1_000_000, 131_072)
    assert response.request.headers["content-length"] == "1000000"
    assert response.request.headers["x-part"] == "1"
    assert "transfer-encoding" not in response.request.headers
    assert sys.getrefcount(content) == held  # while the answer, and with it the request, is still there
