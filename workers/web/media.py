"""Files of posts under our own domain, for platforms that fetch only from a domain that the operator has verified.

`/media/<bucket>/<name>?token=<signature>` is a signed URL of the storage with its host exchanged (see
`workers.providers.media_links`). The signature goes through to the storage, which checks it and its end; no key of ours
is used, so this route can do nothing that the bearer of such an address could not do at the storage itself. Bytes are
handed on as they come: a file is never held whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from workers import http
from workers.errors import ProviderTransportError
from workers.logs import get_logger
from workers.providers.media_links import SIGNED_PATH
from workers.web.pages import problem_page

__all__ = ["MediaRelay"]

_BUCKET: Final = "media"
# As the database takes them (private.object_name_is_safe): nothing that could lead out of the bucket.
_UNSAFE: Final = re.compile(r"\.\.|//|\\|[\x00-\x1f\x7f]|/\.?/|/\.?$|%(?:2e|2f|5c|00)", re.IGNORECASE)
_LONGEST: Final = 600
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,2000}(?:\.[A-Za-z0-9_-]{1,2000}){2}")
_RANGE: Final = re.compile(r"bytes=(?:\d{1,15}-\d{0,15}|-\d{1,15})")
_TYPES: Final = ("image/", "video/")
_HANDED_ON: Final = (
    "content-type",
    "content-length",
    "content-range",
    "accept-ranges",
    "etag",
    "last-modified",
)

log = get_logger(__name__)


class MediaRelay:
    """Serves files of the bucket `media`.

    Args:
        client: from `workers.http`; shared.
        supabase_url: address of the project.
    """

    def __init__(self, client: http.Client, supabase_url: str) -> None:
        self._client = client
        self._base = f"{supabase_url}{SIGNED_PATH}"

    async def serve(self, request: Request) -> Response:
        """Answer GET and HEAD. Everything but a valid signature for this very file looks like a missing file."""
        name, query = request.path_params["name"], request.query_params
        token, wanted = query.get("token", ""), request.headers.get("range", "")
        is_plausible = (
            name.startswith(f"{_BUCKET}/")
            and len(name) <= _LONGEST
            and _UNSAFE.search(name) is None
            and query.keys() == {"token"}
            and _TOKEN.fullmatch(token) is not None
        )
        if not is_plausible:
            return _missing()
        headers = {"Accept-Encoding": "identity"}
        if _RANGE.fullmatch(wanted):
            headers["Range"] = wanted
        return _Relayed(self._client, f"{self._base}{quote(name, safe='/')}?token={token}", headers)


class _Relayed(Response):
    """An answer whose body comes from somewhere else, and ends with this one."""

    def __init__(self, client: http.Client, url: str, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._client = client
        self._url = url
        self._asked = dict(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_begun = False
        try:
            async with http.streaming(self._client, "GET", self._url, headers=self._asked) as found:
                kind = found.headers.get("content-type", "")
                is_file = kind.startswith(_TYPES) and "content-encoding" not in found.headers
                if found.status_code not in (200, 206) or not is_file:
                    await _missing()(scope, receive, send)
                    return
                kept = [(n.encode(), found.headers[n].encode()) for n in _HANDED_ON if n in found.headers]
                await send({"type": "http.response.start", "status": found.status_code, "headers": kept})
                is_begun = True
                if scope["method"] != "HEAD":
                    async for chunk in found.aiter_bytes():
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ProviderTransportError as error:
            log.warning("media_relay_failed", code=error.code)
            if is_begun:  # a length was promised: only a broken connection tells that this is not all
                raise
            await _unreachable()(scope, receive, send)


def _missing() -> Response:
    return problem_page(
        title="There is nothing here",
        message="This file does not exist, or its address has expired",
        hint="Go back to Nexora OS.",
        code="404",
        status=404,
    )


def _unreachable() -> Response:
    return problem_page(
        title="This file cannot be read now",
        message="The storage did not answer",
        hint="Try again in a few minutes.",
        code="502",
        status=502,
    )
