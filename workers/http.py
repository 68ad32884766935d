"""The only place that builds HTTP clients, and the only place that turns httpx's exceptions into ours.

Every client has all four timeouts, bounded pools, TLS 1.3 (P3.1), no redirects (a redirect would carry a
bearer token to a place nobody checked) and our user agent. httpx exceptions hold the request with its
headers, and thus tokens: `exchange` never lets one out (P1.11).
"""

from __future__ import annotations

import contextlib
import functools
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Final, TypedDict
from urllib.parse import urlsplit

import httpx

from workers.errors import ProviderNotSentError, ProviderTransportError

__all__ = [
    "DATABASE",
    "OAUTH",
    "PLATFORM",
    "Client",
    "ClientOptions",
    "Profile",
    "build_client",
    "client_options",
    "exchange",
    "is_not_sent",
    "streaming",
    "user_agent",
]


@dataclass(frozen=True, slots=True)
class Profile:
    """Timeouts and pool of one kind of peer; all durations in seconds.

    Attributes:
        connect, read, write: limits of one network step (httpx semantics: per chunk, not for the whole call).
        pool: how long a call may wait for a free connection.
        connections: most connections at once.
        keepalive: how long an idle connection is kept. Short, because a connection that the other side closes
            while a request is on its way makes an outcome unknown.
    """

    connect: float
    read: float
    write: float
    pool: float
    connections: int
    keepalive: float = 5.0


DATABASE: Final = Profile(connect=5, read=30, write=30, pool=30, connections=64, keepalive=30)
PLATFORM: Final = Profile(connect=10, read=30, write=30, pool=30, connections=512)
OAUTH: Final = Profile(connect=10, read=20, write=20, pool=10, connections=64)


Client = httpx.AsyncClient
"""What `build_client` gives, by a name of ours."""


class ClientOptions(TypedDict):
    """Keyword arguments for `httpx.AsyncClient` and its subclasses (Authlib's `AsyncOAuth2Client` is one)."""

    timeout: httpx.Timeout
    limits: httpx.Limits
    follow_redirects: bool
    headers: dict[str, str]
    verify: ssl.SSLContext
    transport: httpx.AsyncBaseTransport | None


@functools.cache
def _tls() -> ssl.SSLContext:
    """Certificates as httpx finds them, and nothing older than TLS 1.3 (P3.1)."""
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def user_agent() -> str:
    """`nexora-os/<version>`; the version is 0 when the package runs from a plain checkout."""
    try:
        version = metadata.version("nexora-os")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"nexora-os/{version}"


def client_options(
    profile: Profile,
    *,
    headers: Mapping[str, str] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> ClientOptions:
    """Options that every client of this package is built with.

    Args:
        profile: timeouts and pool sizes.
        headers: sent with every request, besides the user agent.
        transport: replaces the network; tests pass an `httpx.MockTransport`.
    """
    return {
        "timeout": httpx.Timeout(
            connect=profile.connect, read=profile.read, write=profile.write, pool=profile.pool
        ),
        "limits": httpx.Limits(
            max_connections=profile.connections,
            max_keepalive_connections=profile.connections,
            keepalive_expiry=profile.keepalive,
        ),
        "follow_redirects": False,
        "headers": {"User-Agent": user_agent(), **(headers or {})},
        "verify": _tls(),
        "transport": transport,
    }


def build_client(
    profile: Profile,
    *,
    headers: Mapping[str, str] | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    """Build a client; the caller closes it. Arguments as in `client_options`."""
    return httpx.AsyncClient(**client_options(profile, headers=headers, transport=transport))


def is_not_sent(error: BaseException) -> bool:
    """Whether this httpx exception proves that no byte of the request reached the other side.

    No connection (refused, timed out, TLS not agreed), none free in the pool, or a URL httpx does not speak.
    A write that failed half-way proves nothing.
    """
    return isinstance(
        error,
        httpx.ConnectError
        | httpx.ConnectTimeout
        | httpx.PoolTimeout
        | httpx.UnsupportedProtocol
        | httpx.ProxyError
        | httpx.InvalidURL,
    )


def _translated(error: Exception, url: str) -> ProviderTransportError:
    host = urlsplit(url).hostname or "?"
    kind = ProviderNotSentError if is_not_sent(error) else ProviderTransportError
    return kind(host, type(error).__name__)


_PIECE: Final = 131_072


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    """A body piece by piece. An answer and its request hold each other (httpx), and with them a body that was
    given whole, until the garbage collector comes by: uploads would pile up in memory."""
    view = memoryview(content)
    for start in range(0, len(view), _PIECE):
        yield bytes(view[start : start + _PIECE])


async def exchange(client: httpx.AsyncClient, method: str, url: str, **arguments: Any) -> httpx.Response:
    """One request to a platform; the whole answer is read.

    Args:
        client: from `build_client`.
        method, url, arguments: as for `httpx.AsyncClient.request`; the URL is absolute. Large `content` is
            sent in pieces, so that it is let go of with the call.

    Returns:
        The answer, whatever its status.

    Raises:
        ProviderNotSentError: it certainly never arrived.
        ProviderTransportError: no complete answer; it may have arrived.
    """
    content = arguments.get("content")
    if isinstance(content, bytes) and len(content) > _PIECE:
        headers = {**(arguments.get("headers") or {}), "Content-Length": str(len(content))}
        arguments |= {"content": _pieces(content), "headers": headers}
    try:
        return await client.request(method, url, **arguments)
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _translated(error, url) from None  # the cause holds the request with its token


@contextlib.asynccontextmanager
async def streaming(
    client: httpx.AsyncClient, method: str, url: str, **arguments: Any
) -> AsyncIterator[httpx.Response]:
    """Like `exchange`, but the body is left to the caller, who reads it inside the `async with`."""
    try:
        async with client.stream(method, url, **arguments) as response:
            yield response
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise _translated(error, url) from None
