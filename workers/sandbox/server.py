"""uvicorn as the sandbox runs it: in a thread, on loopback, with a handle on each connection for faults."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import Any

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from workers.sandbox.app import SandboxApp

START_SECONDS = 10.0
STOP_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection that the application can drop or watch (`extensions["sandbox.connection"]`)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lost = asyncio.Event()
        inner = self.app

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {"sandbox.connection": self}
            await inner(scope, receive, send)

        self.app = app

    def drop(self) -> None:
        """Closes the socket at once, with a reset instead of an orderly end."""
        raw = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
        if self.cycle is not None:
            self.cycle.disconnected = True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        super().connection_lost(exc)


def config(app: SandboxApp, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        http=Connection,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )


class ThreadServer:
    """Runs the application in a daemon thread. The socket is bound before `start` returns."""

    def __init__(self, app: SandboxApp, host: str, port: int) -> None:
        self._app = app
        self._socket = socket.create_server((host, port), backlog=2048)
        # Accepted connections inherit it. asyncio sets it only where the protocol is named, which create_server does
        # not do; without it an answer in two segments waits 40 ms for the acknowledgement of the first.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port: int = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config(app, host, self.port))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    def start(self) -> None:
        self._thread.start()
        deadline = START_SECONDS / 0.005
        while not self._server.started and self._thread.is_alive() and deadline > 0:
            threading.Event().wait(0.005)
            deadline -= 1
        if not self._server.started:
            raise RuntimeError("the sandbox did not start")

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Ends held requests and open connections; safe to call twice."""
        if self._loop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._app.faults.stop)
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._socket.close()
