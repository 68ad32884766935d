"""Faults on request: rules that make the next matching calls fail the way real services and networks fail.

A rule acts `before` the platform looks at the request, or `after` it accepted it (an `after` rule waits for
a request that the platform did not refuse). The kinds:

    status        answers `status` (503) with `body` and `headers`
    rate_limit    answers 429 exactly as the platform words it
    hang          never answers; ends when the client gives up
    delay         waits `seconds`, then goes on
    hold          waits until released by the control API, then goes on or, if dropped, closes the connection
    reset_before  closes the connection; nothing was accepted
    reset_after   closes the connection; the request was accepted and its effect stays
    revoke_token  the person revokes the application at this instant
    malformed     answers 200 with half a JSON document
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import JSONResponse, Response

from workers.sandbox.wire import Call, words

At = Literal["before", "after"]
KINDS = words("status rate_limit hang delay hold reset_before reset_after revoke_token malformed")
_AFTER_BY_NATURE = frozenset({"reset_after", "malformed"})
MAX_FAULTS = 1_000


class FaultError(ValueError):
    """A fault rule that makes no sense; the text says why."""


class Dropped:
    """The answer that is no answer: the connection is closed."""


DROPPED = Dropped()
Outcome = Response | Dropped | None


@dataclass(slots=True)
class Fault:
    """One rule; it is spent after `times` matches."""

    id: int
    kind: str
    at: At
    platform: str = ""
    method: str = ""
    path: re.Pattern[str] | None = None
    times: int = 1
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 1.0

    def matches(self, call: Call, at: At) -> bool:
        return (
            self.at == at
            and self.platform in ("", call.platform)
            and self.method in ("", call.method)
            and (self.path is None or self.path.search(call.path) is not None)
        )


@dataclass(slots=True)
class Held:
    """A request that waits for `POST /_sandbox/release`."""

    id: int
    at: At
    call: Call
    event: asyncio.Event
    dropped: bool = False


class Faults:
    """The open rules and the held requests. `rate_limited` words a 429 for a platform."""

    def __init__(self, rate_limited: Callable[[Call], Response]) -> None:
        self._rate_limited = rate_limited
        self._rules: list[Fault] = []
        self._ids = itertools.count(1)
        self._held: dict[int, Held] = {}
        self._stopping = asyncio.Event()
        self._actions: dict[str, Callable[[Fault, Call], Awaitable[Outcome]]] = {
            "status": self._status,
            "rate_limit": self._rate_limit,
            "hang": self._hang,
            "delay": self._delay,
            "hold": self._hold,
            "reset_before": self._reset,
            "reset_after": self._reset,
            "revoke_token": self._revoke,
            "malformed": self._malformed,
        }

    def add(self, spec: dict[str, Any]) -> Fault:
        """Registers a rule from the control API. Raises FaultError."""
        if len(self._rules) >= MAX_FAULTS:
            raise FaultError("too many open faults")
        fault = _parse(next(self._ids), spec)
        self._rules.append(fault)
        return fault

    def clear(self) -> None:
        self._rules.clear()
        self.release(drop=True)

    def open(self) -> list[dict[str, Any]]:
        return [{"id": f.id, "kind": f.kind, "at": f.at, "times": f.times} for f in self._rules]

    def held(self) -> list[dict[str, Any]]:
        return [
            {
                "id": h.id,
                "at": h.at,
                "platform": h.call.platform,
                "method": h.call.method,
                "path": h.call.path,
            }
            for h in self._held.values()
        ]

    def release(self, held_id: int | None = None, drop: bool = False) -> int:
        """Lets held requests go on (all, or one); returns how many. Dropped ones lose their connection."""
        chosen = [h for h in self._held.values() if held_id in (None, h.id)]
        for held in chosen:
            held.dropped = drop
            held.event.set()
        return len(chosen)

    def stop(self) -> None:
        """Ends every hang and hold so that the server can stop."""
        self.clear()
        self._stopping.set()

    def take(self, call: Call, at: At) -> Fault | None:
        """The first open rule for this call, one use of it spent."""
        for fault in self._rules:
            if fault.matches(call, at):
                fault.times -= 1
                if fault.times <= 0:
                    self._rules.remove(fault)
                return fault
        return None

    async def apply(self, fault: Fault, call: Call) -> Outcome:
        """What happens instead; None means the request goes on as if nothing had been."""
        return await self._actions[fault.kind](fault, call)

    async def _status(self, fault: Fault, call: Call) -> Outcome:
        if isinstance(fault.body, str):
            return Response(fault.body, fault.status, fault.headers)
        if fault.body is None:
            return Response(status_code=fault.status, headers=fault.headers)
        return JSONResponse(fault.body, fault.status, fault.headers)

    async def _rate_limit(self, fault: Fault, call: Call) -> Outcome:
        response = self._rate_limited(call)
        response.headers.update(fault.headers)
        return response

    async def _hang(self, fault: Fault, call: Call) -> Outcome:
        connection = call.scope["extensions"]["sandbox.connection"]
        waits = [asyncio.create_task(connection.lost.wait()), asyncio.create_task(self._stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
        return DROPPED

    async def _delay(self, fault: Fault, call: Call) -> Outcome:
        await asyncio.sleep(fault.seconds)
        return None

    async def _hold(self, fault: Fault, call: Call) -> Outcome:
        """Goes on after release even if the client is gone, as a real server that has the request would."""
        held = Held(next(self._ids), fault.at, call, asyncio.Event())
        self._held[held.id] = held
        await held.event.wait()
        del self._held[held.id]
        return DROPPED if held.dropped else None

    async def _reset(self, fault: Fault, call: Call) -> Outcome:
        return DROPPED

    async def _revoke(self, fault: Fault, call: Call) -> Outcome:
        token = call.state.bearer(call.headers.get("authorization", "").partition(" ")[2])
        if token is not None:
            call.state.tokens.end(token.grant.platform, token.grant.person, "revoked")
        return None

    async def _malformed(self, fault: Fault, call: Call) -> Outcome:
        return Response(b'{"data": {"id": "', fault.status, media_type="application/json")


def _parse(fault_id: int, spec: dict[str, Any]) -> Fault:
    allowed = {"kind", "at", "platform", "method", "path", "times", "status", "body", "headers", "seconds"}
    if unknown := set(spec) - allowed:
        raise FaultError(f"unknown fields: {', '.join(sorted(unknown))}")
    kind = spec.get("kind")
    if kind not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(sorted(KINDS))}")
    at: At = spec.get("at") or ("after" if kind in _AFTER_BY_NATURE else "before")
    if (
        at not in ("before", "after")
        or (kind == "reset_before" and at == "after")
        or (kind == "reset_after" and at == "before")
    ):
        raise FaultError("at must be before or after, and fit the kind")
    names = {"platform", "method", "times", "body", "headers", "seconds"}
    rest = {name: value for name, value in spec.items() if name in names}
    status = spec.get("status") or (200 if kind == "malformed" else 503)
    if not all(isinstance(n, int | float) for n in (status, rest.get("times", 1), rest.get("seconds", 1))):
        raise FaultError("status, times and seconds must be numbers")
    try:
        path = re.compile(spec["path"]) if spec.get("path") else None
    except re.error as error:
        raise FaultError(f"path is not a regular expression: {error}") from error
    return Fault(fault_id, kind, at, path=path, status=status, **rest)
