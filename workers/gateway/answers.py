"""Reading answers: everything that comes from the database is checked before anybody uses it."""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from workers.errors import ContractMismatchError
from workers.gateway.shapes import Json

__all__ = ["UNREADABLE_ANSWER", "checked", "instant", "optional_scalar", "scalar", "unwrapped"]

_T = TypeVar("_T")

UNREADABLE_ANSWER: Final = "answer_shape"
"""Code of a `ContractMismatchError` for an answer that came but has another shape than expected: the call
took effect."""


def instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Built at first use, so that a process does not start with all of them."""
    return TypeAdapter(kind)


def checked(function: str, kind: type[_T], data: Json) -> _T:
    try:
        checked: _T = _adapter(kind).validate_python(data)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        names = {str(item["loc"][-1]) for item in found if item["loc"]}
        # Field names only: the values are tokens and texts (P1.11).
        raise ContractMismatchError(function, UNREADABLE_ANSWER, ", ".join(sorted(names))) from None
    return checked


def unwrapped(data: Json) -> Json:
    """`returns setof uuid` comes as a list of strings, or of objects with one field where the API wraps
    scalars."""
    if data is None:
        return []
    if isinstance(data, list):
        return [next(iter(x.values())) if isinstance(x, dict) and len(x) == 1 else x for x in data]
    return [data]


def _bare(data: Json) -> Json:
    """A scalar answer; some APIs wrap it in a list or in an object with one field."""
    if isinstance(data, list):
        data = data[0] if data else None
    if isinstance(data, dict) and len(data) == 1:
        data = next(iter(data.values()))
    return data


def scalar(function: str, kind: type[_T], data: Json) -> _T:
    return checked(function, kind, _bare(data))


def optional_scalar(function: str, kind: type[_T], data: Json) -> _T | None:
    bare = _bare(data)
    return None if bare is None or bare == "" else checked(function, kind, bare)
