"""A gate before an HTTP service: lets a test stop one request at a chosen instant, then kill who sent it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.waiting import wait_until

_HOP_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "content-encoding"}
NOTHING = (b"", b"[]", b"null")  # an answer to a claim that found no work: not what a test waits for
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]


@dataclass
class Hold:
    """One request is stopped where its path contains `path`, after `to_pass` others: before it reaches the service, or
    after it was done."""

    path: str
    when: Literal["before", "after"]
    to_pass: int = 0
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float = 30) -> None:
        """Return once a request stands at the gate."""
        assert self.reached.wait(timeout), f"no request for {self.path} came to the gate"


class Gate:
    """Forwards everything to `target`; `hold` stops the next matching request."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._holds: list[Hold] = []
        app = Starlette(
            routes=[Route("/{path:path}", self._forward, methods=METHODS)], lifespan=self._lifespan
        )
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, log_config=None, timeout_graceful_shutdown=2, lifespan="on"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._client: httpx.AsyncClient

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with httpx.AsyncClient(base_url=self._target, timeout=60) as self._client:
            yield

    def __enter__(self) -> Gate:
        self._thread.start()
        wait_until(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        for hold in self._holds:
            hold.released.set()
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def url(self) -> str:
        """Base URL to give to the process under test instead of the service's own."""
        return f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"

    def hold(self, path: str, when: Literal["before", "after"], *, nth: int = 1) -> Hold:
        """Stop the next request whose path contains `path`, or the `nth` from now on."""
        hold = Hold(path, when, nth - 1)
        self._holds.append(hold)
        return hold

    async def _forward(self, request: Request) -> Response:
        hold = self._take_hold(request.url.path)
        body = await request.body()
        if hold and hold.when == "before":
            await self._stop_at(hold)
            return Response(status_code=503)  # the sender is dead: what it sent never arrived
        answer = await self._send(request, body)
        if hold and answer.content not in NOTHING:
            await self._stop_at(hold)
        headers = {name: value for name, value in answer.headers.items() if name not in _HOP_HEADERS}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    async def _send(self, request: Request, body: bytes) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name not in _HOP_HEADERS}
        target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return await self._client.request(request.method, target, content=body, headers=headers)

    def _take_hold(self, path: str) -> Hold | None:
        for hold in self._holds:
            if hold.path in path and not hold.reached.is_set():
                if hold.to_pass == 0:
                    return hold
                hold.to_pass -= 1
        return None

    @staticmethod
    async def _stop_at(hold: Hold) -> None:
        hold.reached.set()
        while not hold.released.is_set():  # noqa: ASYNC110  another thread sets it
            await asyncio.sleep(0.01)
