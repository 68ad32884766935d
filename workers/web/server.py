"""The web server inside the worker process."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from workers.errors import ConfigurationError

__all__ = ["WebServer"]


class WebServer:
    """uvicorn inside this process's event loop, without its signal handlers and without an access log.

    Args:
        app: the ASGI application.
        host, port: where to listen; port 0 takes a free one.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self._socket = socket.create_server((host, port), family=family, backlog=512)
            # For the accepted connections: asyncio leaves it off where a socket does not name its protocol, and an
            # answer in two segments then waits 40 ms for the acknowledgement of the first.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, OverflowError) as error:
            raise ConfigurationError("NEXORA_WEB_PORT", "this address cannot be listened on") from error
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            loop="none",
            proxy_headers=False,
            server_header=False,
            limit_concurrency=500,
            timeout_graceful_shutdown=5,
        )
        self._server = _Server(config)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        port: int = self._socket.getsockname()[1]
        return port

    async def serve(self) -> None:
        """Serve until `stop`."""
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Finish running requests (5 s) and return from `serve`."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are this process's business, not uvicorn's."""
        yield
