"""The way to the database: one call of a function of schema `worker`, repeated where that is harmless."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

import httpx
from postgrest.exceptions import APIError
from supabase import AsyncClient
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from workers import http
from workers.errors import (
    ContractMismatchError,
    DatabaseBusyError,
    NotSentError,
    TransportError,
    database_error,
)
from workers.gateway.answers import UNREADABLE_ANSWER, checked
from workers.gateway.shapes import Json
from workers.metrics import Metrics

__all__ = ["Caller", "patiently"]

_T = TypeVar("_T")

_ATTEMPTS: Final = 4
"""Most executions of one call, the first included."""


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, NotSentError | DatabaseBusyError)


def _is_passing_or_unknown(error: BaseException) -> bool:
    return isinstance(error, TransportError | DatabaseBusyError)


async def patiently(call: Callable[..., Awaitable[_T]], *arguments: Any, repeat: bool) -> _T:
    """Call something, several times if need be.

    Args:
        repeat: also when the outcome is unknown: a second execution is harmless.
    """
    retrying = AsyncRetrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=3),  # full jitter
        retry=retry_if_exception(_is_passing_or_unknown if repeat else _is_passing),
        reraise=True,
    )
    return await retrying(call, *arguments)


class Caller:
    """Calls functions of schema `worker`. The parts of the gateway are built on it.

    Args:
        client: the Supabase client with the secret key.
        session: the HTTP client that it uses.
        metrics: counts refreshes of tokens.
    """

    def __init__(self, client: AsyncClient, session: httpx.AsyncClient, metrics: Metrics) -> None:
        self._metrics = metrics
        self._client = client
        self._session = session
        self._worker = client.schema("worker")

    async def _once(self, function: str, arguments: Mapping[str, Json]) -> Json:
        try:
            answer = await self._worker.rpc(function, dict(arguments)).execute()
        except APIError as error:
            detail = error.details if isinstance(error.details, str) else None
            raise database_error(
                function, error.code, error.message, error.hint, detail
            ) from None  # its text may quote rows
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind(function, type(error).__name__) from None  # the cause holds the secret key
        data: Json = answer.data
        return data

    async def _call(
        self, function: str, arguments: Mapping[str, Json] | None = None, *, repeat: bool
    ) -> Json:
        """Call `worker.<function>`; see the package's text for `repeat`."""
        return await patiently(self._once, function, arguments or {}, repeat=repeat)

    async def _rows(
        self,
        kind: type[_T],
        function: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        repeat: bool,
    ) -> list[_T]:
        data = await self._call(function, arguments, repeat=repeat)
        return checked(function, list[kind], [] if data is None else data)  # type: ignore[valid-type]

    async def _row(self, kind: type[_T], function: str, arguments: Mapping[str, Json], *, repeat: bool) -> _T:
        rows = await self._rows(kind, function, arguments, repeat=repeat)
        if len(rows) != 1:
            raise ContractMismatchError(function, UNREADABLE_ANSWER, "rows")
        return rows[0]
