"""The way to the service: one HTTP client, one Supabase client, every failure as a `NexoraError`."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import httpx
from postgrest import APIError, SyncRequestBuilder, SyncSelectRequestBuilder
from pydantic import TypeAdapter, ValidationError
from storage3.exceptions import StorageApiError
from supabase import Client, ClientOptions, StorageException, SupabaseException
from supabase_auth.errors import (
    AuthApiError,
    AuthError,
    AuthRetryableError,
    AuthSessionMissingError,
    AuthUnknownError,
    AuthWeakPasswordError,
)

from nexora_client import errors
from nexora_client.error_codes import class_for
from nexora_client.rows import Problem, Row

__all__ = ["Transport"]

RowT = TypeVar("RowT", bound=Row)
Match = Mapping[str, UUID | str]
ValueT = TypeVar("ValueT")

PAGE_SIZE = 100
"""Rows that an iterator fetches at a time."""

_REPEATS = 2
"""How often a call that carries an idempotency key is sent again when no answer came."""


@dataclass(frozen=True)
class Order:
    """How an iterator goes through rows: by a column of time with an index, and by `id` at equal instants.

    Attributes:
        instant: the column.
        ascending: oldest first; otherwise newest first.
        since: leave out what is earlier.
        before: leave out what is not.
    """

    instant: str
    ascending: bool = False
    since: datetime | None = None
    before: datetime | None = None

    def range(self, query: SyncSelectRequestBuilder) -> SyncSelectRequestBuilder:
        """Add the limits of time."""
        if self.since is not None:
            query = query.gte(self.instant, str(_plain(self.since)))
        if self.before is not None:
            query = query.lt(self.instant, str(_plain(self.before)))
        return query

    def after(self, query: SyncSelectRequestBuilder, last: Row) -> SyncSelectRequestBuilder:
        """Add "behind this row", in a way that lets an index on the column start there."""
        at, last_id = (str(_plain(getattr(last, column))) for column in (self.instant, "id"))
        if self.ascending:
            return query.gte(self.instant, at).or_(f'{self.instant}.gt."{at}",id.gt.{last_id}')
        return query.lte(self.instant, at).or_(f'{self.instant}.lt."{at}",id.gt.{last_id}')

    def sort(self, query: SyncSelectRequestBuilder) -> SyncSelectRequestBuilder:
        """Add the order."""
        return query.order(self.instant, desc=not self.ascending).order("id")


NEWEST_FIRST = Order("created_at")
LAST_CHANGED_FIRST = Order("updated_at")


class Transport:
    """Sends table operations and function calls as one person.

    Args:
        url: base URL of the Supabase project.
        publishable_key: its publishable key. A secret key is refused: it would bypass row-level security.
        http_timeout: seconds, or an `httpx.Timeout`.
    """

    def __init__(self, url: str, publishable_key: str, http_timeout: float | httpx.Timeout) -> None:
        if publishable_key.startswith("sb_secret_"):
            raise errors.Misconfigured("The secret key belongs to workers; use the publishable key.")
        self._http = httpx.Client(timeout=http_timeout)
        # Tokens are renewed by `user_id`, in the calling thread: no timer thread outlives its owner.
        options = ClientOptions(
            httpx_client=self._http, auto_refresh_token=False, postgrest_client_retry=False
        )
        try:
            self.supabase = Client(url, publishable_key, options)
        except SupabaseException as error:
            self._http.close()
            raise errors.Misconfigured(error.message) from error
        self._renewing = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def user_id(self) -> UUID:
        """Id of the signed-in person.

        Raises:
            NotSignedIn: there is no session.
        """
        with translated(), self._renewing:
            session = self.supabase.auth.get_session()  # renews a token that is about to expire
        if session is None:
            raise errors.NotSignedIn("Nobody is signed in.", hint="Call account.sign_in first.")
        return UUID(session.user.id)

    def forget_session(self) -> None:
        """Drop the session here; the service has ended it or is about to."""
        with translated():
            self.supabase.auth.sign_out({"scope": "local"})

    # --- functions ------------------------------------------------------------------------------------------

    def call(self, function: str, **arguments: object) -> object:
        """Call one SQL function; keyword `x` becomes its parameter `p_x`."""
        self.user_id()
        named = {f"p_{name}": _plain(value) for name, value in arguments.items()}
        with translated():
            return self.supabase.rpc(function, named).execute().data

    def call_once(self, function: str, idempotency_key: UUID | None, **arguments: object) -> object:
        """Call a function that takes an idempotency key; where no answer comes, repeat with the same key."""
        key = idempotency_key or uuid4()
        for _ in range(_REPEATS):
            try:
                return self.call(function, idempotency_key=key, **arguments)
            except errors.TransportError:
                continue
        return self.call(function, idempotency_key=key, **arguments)

    # --- tables ---------------------------------------------------------------------------------------------

    def select(
        self, model: type[RowT], table: str, match: Match, *, order: str | None = None
    ) -> tuple[RowT, ...]:
        """Every row that matches; for tables that hold few rows of one person."""
        query = _matching(self._table(table).select("*"), match)
        if order is not None:
            query = query.order(order)
        return self._rows(model, query)

    def select_one(self, model: type[RowT], table: str, match: Match) -> RowT:
        """The one row that matches.

        Raises:
            NotFound: none does, or it belongs to somebody else.
        """
        return _only(table, self.select(model, table, match))

    def iterate(
        self, model: type[RowT], table: str, match: Match, by: Order, *, page_size: int = PAGE_SIZE
    ) -> Iterator[RowT]:
        """Rows that match, fetched page by page behind the last row seen (keyset pagination)."""
        last: RowT | None = None
        while True:
            query = by.range(_matching(self._table(table).select("*"), match))
            if last is not None:
                query = by.after(query, last)
            page = self._rows(model, by.sort(query).limit(page_size))
            yield from page
            if len(page) < page_size:
                return
            last = page[-1]

    def insert(self, model: type[RowT], table: str, row: Mapping[str, object]) -> RowT:
        """Insert one row and return it as stored."""
        return _only(table, self._rows(model, self._table(table).insert(_plain_row(row))))

    def update(self, model: type[RowT], table: str, columns: Mapping[str, object], match: Match) -> RowT:
        """Change the one row that matches and return it; without columns, return it unchanged.

        Raises:
            NotFound: no row matches, or it belongs to somebody else.
        """
        if not columns:
            return self.select_one(model, table, match)
        return _only(
            table, self._rows(model, _matching(self._table(table).update(_plain_row(columns)), match))
        )

    def delete(self, table: str, match: Match) -> None:
        """Delete the one row that matches.

        Raises:
            NotFound: no row matches, or it belongs to somebody else.
        """
        with translated():
            deleted = _matching(self._table(table).delete(), match).execute().data
        if not deleted:
            raise errors.NotFound(f"There is no such row in {table}.")

    def _table(self, table: str) -> SyncRequestBuilder:
        self.user_id()
        return self.supabase.table(table)

    @staticmethod
    def _rows(model: type[RowT], query: SyncSelectRequestBuilder) -> tuple[RowT, ...]:
        with translated():
            return parse_rows(model, query.execute().data)


def _matching(query: SyncSelectRequestBuilder, match: Match) -> SyncSelectRequestBuilder:
    for column, value in match.items():
        query = query.eq(column, str(value))
    return query


def parse_rows(model: type[RowT], data: object) -> tuple[RowT, ...]:
    """Rows of an answer that holds a list of objects, or one object."""
    rows = data if isinstance(data, list) else [data]
    with translated():
        return tuple(model.model_validate(row) for row in rows)


def parse_row(model: type[RowT], data: object) -> RowT:
    """The row of an answer that holds one object, bare or in a list.

    Raises:
        NotFound: there is none.
    """
    return _only(model.__name__, parse_rows(model, [] if data is None else data))


def parse_value(kind: type[ValueT], data: object) -> ValueT:
    """The value of a function that returns a scalar."""
    with translated():
        return TypeAdapter(kind).validate_python(data)


def _only(what: str, rows: Sequence[RowT]) -> RowT:
    if not rows:
        raise errors.NotFound(f"There is no such row in {what}.")
    return rows[0]


def _plain(value: object) -> object:
    """Values as JSON has them."""
    match value:
        case UUID():
            return str(value)
        case datetime():
            if value.tzinfo is None:
                raise errors.ValidationFailed("An instant needs a time zone; this datetime has none.")
            return value.isoformat()
        case date():
            return value.isoformat()
        case timedelta():
            return f"{value.total_seconds()} seconds"
        case Mapping():
            return {str(name): _plain(item) for name, item in value.items()}
        case str():
            return str(value)
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case _:
            return value


def _plain_row(row: Mapping[str, object]) -> dict[str, object]:
    return {column: _plain(value) for column, value in row.items()}


# --- errors -----------------------------------------------------------------------------------------------

_NX_IN_TEXT = re.compile(r" \[(NX\d{3})\]$")


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the libraries raise into the client's own errors, `from` their cause."""
    try:
        yield
    except APIError as error:
        raise _from_api(error) from error
    except AuthError as error:
        raise _from_auth(error) from error
    except StorageApiError as error:
        raise _from_storage(error) from error
    except StorageException as error:
        raise errors.UnexpectedAnswer("The storage service gave an answer that does not fit.") from error
    except httpx.HTTPError as error:
        raise _from_http(error) from error
    except ValidationError as error:
        raise errors.UnexpectedAnswer(
            f"The answer does not fit {error.title}; client and service may be of different versions."
        ) from error


def _from_api(error: APIError) -> errors.NexoraError:
    details = error.details if error.details is None or isinstance(error.details, str) else str(error.details)
    kind = class_for(error.code)
    return kind(
        error.message or "The service refused the call.", code=error.code, hint=error.hint, details=details
    )


def _from_auth(error: AuthError) -> errors.NexoraError:
    if isinstance(error, AuthSessionMissingError):
        return errors.NotSignedIn("Nobody is signed in.", hint="Call account.sign_in first.")
    if isinstance(error, AuthRetryableError):
        if error.status == 0:
            return _from_http(error.__cause__)
        return errors.ServiceUnavailable(error.message, code=str(error.status))
    if isinstance(error, AuthWeakPasswordError):
        problems = tuple(
            Problem(rule=f"password_{reason}", severity="error", message=error.message)
            for reason in error.reasons
        )
        return errors.ValidationFailed(error.message, code=error.code, problems=problems)
    if isinstance(error, AuthUnknownError):
        return errors.UnexpectedAnswer(error.message)
    # A hook of Auth has no place for a code but the end of its message.
    named = _NX_IN_TEXT.search(error.message or "")
    code: str | None = named.group(1) if named else error.code
    status = error.status if isinstance(error, AuthApiError) else None
    message = _NX_IN_TEXT.sub("", error.message or "The sign-in service refused the call.")
    return class_for(code, status)(message, code=code)


def _from_storage(error: StorageApiError) -> errors.NexoraError:
    status = int(error.status) if str(error.status).isdigit() else None
    kind = class_for(error.code, status)
    if kind is errors.NexoraError:
        kind = class_for(None, status)
    return kind(error.message, code=error.code)


def _from_http(error: BaseException | None) -> errors.NexoraError:
    if isinstance(error, httpx.TimeoutException):
        return errors.TimedOut("The service did not answer in time.")
    return errors.TransportError("The service gave no answer.")
