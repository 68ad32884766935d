"""Everything the platforms' endpoints received, as tests and the demo read it back.

Credentials are masked when a record is read: a secret becomes `sha256:` and eight hex digits, enough to see
that two requests carried the same token and useless otherwise.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import deque
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from workers.sandbox.spool import Spool
from workers.sandbox.wire import Call, words

MAX_RECORDS = 20_000
MAX_BODY = 65_536  # bytes of a body kept for reading; longer ones keep size and hash

_HEADERS = (
    "content-type",
    "user-agent",
    "linkedin-version",
    "x-restli-protocol-version",
    "content-length",
    "idempotency-key",
)
_SECRET_NAMES = words(
    "access_token client_secret code code_challenge code_verifier refresh_token token state upload_id"
)


@dataclass(slots=True)
class Record:
    """One request. `status` is what was answered: None while it runs, 0 when the connection was dropped."""

    number: int
    at: float
    platform: str
    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes
    accepted: str = ""
    status: int | None = None
    fault: str = ""

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at,
            "platform": self.platform,
            "method": self.method,
            "path": self.path,
            "query": _masked_pairs(self.query.decode("latin-1")),
            "headers": self.headers,
            "body": _readable(self.body, self.headers.get("content-type", "")),
            "accepted": bool(self.accepted),
            "accepted_id": self.accepted or None,
            "status": self.status,
            "fault": self.fault or None,
        }


class Records:
    """The newest `MAX_RECORDS` requests in order of arrival."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._records: deque[Record] = deque(maxlen=MAX_RECORDS)
        self._numbers = itertools.count(1)

    def open(self, call: Call) -> Record:
        headers = {name: call.headers[name] for name in _HEADERS if name in call.headers}
        if "authorization" in call.headers:
            headers["authorization"] = _masked_authorization(call.headers["authorization"])
        record = Record(
            next(self._numbers),
            call.state.now(),
            call.platform,
            call.method,
            call.path,
            call.scope["query_string"],
            headers,
            call.body if call.spool.size <= MAX_BODY else _digest(call.spool),
        )
        self._records.append(record)
        return record

    def select(
        self, platform: str = "", method: str = "", path: str = "", since: int = 0
    ) -> list[dict[str, Any]]:
        """Records with a number above `since`; `path` is a regular expression searched in the path."""
        return [
            r.as_json()
            for r in self._records
            if r.number > since
            and platform in ("", r.platform)
            and method in ("", r.method)
            and (not path or re.search(path, r.path))
        ]


def mask(secret: str) -> str:
    return "sha256:" + hashlib.sha256(secret.encode()).hexdigest()[:8]


def _masked_authorization(value: str) -> str:
    scheme, _, credentials = value.partition(" ")
    return f"{scheme} {mask(credentials)}" if credentials else mask(value)


def _masked_pairs(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    return {name: mask(value) if name in _SECRET_NAMES else value for name, value in pairs}


def _digest(body: Spool) -> bytes:
    return json.dumps({"bytes": body.size, "sha256": body.sha256}).encode()


def _readable(body: bytes, content_type: str) -> Any:
    """JSON and forms as objects, other bodies as size and hash; a long body is its digest already."""
    if not body:
        return None
    kind = content_type.split(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _masked_pairs(body.decode("latin-1"))
    try:
        return json.loads(body)
    except ValueError:
        return json.loads(_digest(Spool(body)))
