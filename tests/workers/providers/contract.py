"""Contracts: what a platform documents about the requests that we send it, as data, and the check of a request.

A contract is `contracts/<platform>.json`:

    hosts     where the API is
    sources   documents that it was taken from, each with the day on which it was read
    requests  each with name, method, path (`{name}` stands for one segment), `query` and `headers`
              (per name: required, pattern, enum, list_of), `body` (none, json, bytes or form) with `schema`,
              `multiple_of` and `max_bytes`

A request that no entry describes, a parameter, header or field that the entry does not list, a value outside
what it allows: each is a breach.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx

from workers.sandbox.schema import check as check_schema

_FOLDER = Path(__file__).parent / "contracts"
# What every HTTP client sends; nothing that a platform would have to document.
_COMMON = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)


class BreachError(AssertionError):
    """A request that the platform does not document."""


class Contract:
    """The contract of one platform; `used` counts checked requests by the name of their entry."""

    def __init__(self, platform: str) -> None:
        text = (_FOLDER / f"{platform}.json").read_text(encoding="utf-8")
        self._data: dict[str, Any] = json.loads(text)
        self.used: Counter[str] = Counter()

    @property
    def names(self) -> set[str]:
        return {entry["name"] for entry in self._data["requests"]}

    @property
    def sources(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self._data["sources"]
        return found

    def scopes(self, name: str) -> set[str]:
        """Scopes of which the request needs one."""
        return set(next(e["scopes"] for e in self._data["requests"] if e["name"] == name))

    def check(self, request: httpx.Request) -> str:
        """The name of the entry that describes the request. Raises BreachError."""
        if request.url.scheme != "https" or request.url.host not in self._data["hosts"]:
            raise BreachError(f"unknown host {request.url.host}")
        candidates = [entry for entry in self._data["requests"] if _is_at(request, entry)]
        breaches = []
        for entry in candidates:
            found = [*_query(request, entry), *_headers(request, entry), *_body(request, entry)]
            if not found:
                self.used[entry["name"]] += 1
                return str(entry["name"])
            breaches.append(f"{entry['name']}: {'; '.join(found)}")
        raise BreachError(" | ".join(breaches) or f"no such request: {request.method} {request.url.path}")


def _is_at(request: httpx.Request, entry: dict[str, Any]) -> bool:
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(entry["path"]))
    return request.method == entry["method"] and bool(re.fullmatch(pattern, request.url.path))


def _query(request: httpx.Request, entry: dict[str, Any]) -> list[str]:
    given = dict(request.url.params.multi_items())
    found = [f"parameter {name}" for name in given if name not in entry["query"]]
    if len(given) != len(request.url.params.multi_items()):
        found.append("a parameter twice")
    return found + _values("parameter", given, entry["query"])


def _headers(request: httpx.Request, entry: dict[str, Any]) -> list[str]:
    given = {name.lower(): value for name, value in request.headers.items()}
    found = [f"header {name}" for name in given if name not in entry["headers"] and name not in _COMMON]
    return found + _values("header", given, entry["headers"])


def _values(kind: str, given: dict[str, str], rules: dict[str, dict[str, Any]]) -> list[str]:
    found = []
    for name, rule in rules.items():
        if name not in given:
            found += [f"{kind} {name} is missing"] if rule.get("required") else []
        elif not _is_allowed(given[name], rule):
            found.append(f"{kind} {name} has another form")
    return found


def _is_allowed(value: str, rule: dict[str, Any]) -> bool:
    if "list_of" in rule:
        return set(value.split(",")) <= set(rule["list_of"])
    return ("enum" not in rule or value in rule["enum"]) and (
        "pattern" not in rule or re.search(rule["pattern"], value) is not None
    )


def _body(request: httpx.Request, entry: dict[str, Any]) -> list[str]:
    content = request.content
    if entry["body"] == "json":
        return [f"body {finding}" for finding in check_schema(json.loads(content), entry["schema"])]
    if bool(content) != (entry["body"] != "none"):
        return ["a body" if content else "no body"]
    found = []
    unit, most = entry.get("multiple_of"), entry.get("max_bytes")
    span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers.get("content-range", ""))
    if unit and span and int(span[2]) + 1 != int(span[3]) and len(content) % unit:
        found.append(f"a part that is not a multiple of {unit}")
    if span and int(span[2]) - int(span[1]) + 1 != len(content):
        found.append("a range that is not the body's")
    if most and len(content) > most:
        found.append(f"more than {most} bytes")
    return found
