"""The small HTTP layer of the sandbox: one `Call` per request, exact routes, refusals as exceptions.

Starlette's responses and parsers are used; its router is not, because each platform words 404 and 405 its own
way and because a hash lookup keeps the server light.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.datastructures import FormData, Headers, QueryParams, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Scope

from workers.sandbox.spool import Spool
from workers.sandbox.state import Person, State, Token

Handler = Callable[["Call"], Awaitable[Response]]


class RefusedError(Exception):
    """The platform refuses the request: its status, its error body, its headers."""

    def __init__(self, status: int, body: object, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})

    def response(self) -> Response:
        if self.body is None:
            return Response(status_code=self.status, headers=self.headers)
        return JSONResponse(self.body, self.status, self.headers)


class Call:
    """One request, read completely, and what its handling found out about it."""

    __slots__ = (
        "_form",
        "_query",
        "accepted",
        "headers",
        "method",
        "params",
        "path",
        "platform",
        "response_headers",
        "scope",
        "spool",
        "state",
        "token",
    )

    def __init__(self, scope: Scope, spool: Spool, state: State) -> None:
        self.scope = scope
        self.state = state
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = Headers(scope=scope)
        self.spool = spool
        self.params: dict[str, str] = {}
        self.platform = self.path.split("/", 2)[1]
        self.accepted = ""  # id of the post, upload or grant that this request made
        self.token: Token | None = None
        self.response_headers: dict[str, str] = {}
        self._query: QueryParams | None = None
        self._form: FormData | None = None

    @property
    def body(self) -> bytes:
        """The whole body; large uploads are better taken as the `spool` that they are."""
        return self.spool.read()

    @property
    def query(self) -> QueryParams:
        if self._query is None:
            self._query = QueryParams(self.scope["query_string"])
        return self._query

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def base_url(self) -> str:
        return f"{self.scope['scheme']}://{self.headers.get('host', '127.0.0.1')}"

    def avatar_url(self, person: Person) -> str:
        """A picture served by the sandbox: no page of a demo may ask the real networks for one."""
        return f"{self.base_url}/_sandbox/avatars/{person.key}"

    async def form(self) -> FormData:
        """A urlencoded or multipart body; empty for any other content type. Raises ValueError."""
        if self._form is None:
            try:
                self._form = await Request(self.scope, self._replay).form()
            except (MultiPartException, HTTPException) as error:
                raise ValueError("malformed body") from error
        return self._form

    async def close(self) -> None:
        """Closes the temporary files of a multipart body."""
        if self._form is not None:
            await self._form.close()

    async def _replay(self) -> Message:
        return {"type": "http.request", "body": self.body, "more_body": False}


class Routes:
    """Handlers by method and path. `{name}` stands for one path segment."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], Handler] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Handler]] = []
        self.known_paths: set[str] = set()

    def add(self, method: str, path: str, handler: Handler) -> None:
        if "{" not in path:
            self._exact[method, path] = handler
            self.known_paths.add(path)
            return
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(path))
        self._patterns.append((method, re.compile(pattern), handler))

    def find(self, call: Call) -> Handler | None:
        handler = self._exact.get((call.method, call.path))
        if handler is not None:
            return handler
        for method, pattern, candidate in self._patterns:
            match = pattern.fullmatch(call.path) if method == call.method else None
            if match:
                call.params = match.groupdict()
                return candidate
        return None

    def is_known(self, path: str) -> bool:
        return path in self.known_paths or any(p.fullmatch(path) for _, p, _ in self._patterns)


def parse_json(body: bytes) -> Any:
    """Strict JSON: UTF-8, no NaN, no repeated names. Raises ValueError otherwise."""
    return json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("repeated name")
    return found


async def single_fields(call: Call) -> dict[str, str]:
    """The text fields of a form; a repeated field raises ValueError (RFC 6749 section 3.2)."""
    form = await call.form()
    items = [(k, v) for k, v in form.multi_items() if not isinstance(v, UploadFile)]
    if len(dict(items)) != len(items):
        raise ValueError("repeated parameter")
    return {k: str(v) for k, v in items}


def words(text: str) -> frozenset[str]:
    """The words of a text as a set: long enumerations stay readable."""
    return frozenset(text.split())
