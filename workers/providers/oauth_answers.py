"""Reading what a platform's OAuth endpoints answer: nothing from outside is trusted to have a shape (P1.11)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from workers.errors import ProviderAnswerError
from workers.vault.secret import SecretToken

__all__ = [
    "TEXT_LENGTH",
    "error_of",
    "json_of",
    "picture_of",
    "retry_after_of",
    "scopes_of",
    "seconds_of",
    "text_of",
    "token_of",
    "value_at",
]

_TOKEN_LENGTH: Final = 16_384  # characters; Google names 2,048 for its tokens, nobody documents more
TEXT_LENGTH: Final = 255  # characters kept of an id, a handle or a display name; the database takes no more
_URL_LENGTH: Final = 2_000  # characters of a picture's URL
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.\-]{1,60}")


def json_of(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None


def error_of(document: Any) -> tuple[str | None, str]:
    """Error code and description of a JSON answer; the code is None when the answer tells of no error.

    Known forms: RFC 6749 (`error` is a text), the Graph API (`error` is an object with a number), TikTok's
        user API
    (`error` is an object, also on success, then with code `ok`), Instagram's code exchange (`error_type`).
    """
    if not isinstance(document, dict):
        return None, ""
    error: Any = document.get("error")
    description: Any = document.get("error_description")
    if isinstance(error, dict):
        description = error.get("message")
        error = error.get("code", "unknown")
    elif error is None and "error_type" in document:
        description = document.get("error_message")
        error = document["error_type"]
    if error is None or error in ("ok", ""):
        return None, ""
    code = str(error) if isinstance(error, str | int) and _ERROR_CODE.fullmatch(str(error)) else "unknown"
    return code, description if isinstance(description, str) else ""


def value_at(document: Any, path: str | None) -> Any:
    """The value at a dotted path; None when it is not there."""
    if path is None:
        return None
    for key in path.split("."):
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdigit() and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def token_of(value: Any, host: str) -> SecretToken | None:
    if value is None or value == "":
        return None
    is_text = isinstance(value, str) and value.isascii() and value.isprintable()
    if not is_text or len(value) > _TOKEN_LENGTH:
        raise ProviderAnswerError(host, "a token that is no visible text")
    return SecretToken(value)


def seconds_of(value: Any) -> int | None:
    """A life span of at least one second and at most a hundred years; None for anything else."""
    if isinstance(value, str) and value.isdecimal() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= 3_200_000_000:
        return None
    return int(value)


def scopes_of(value: Any) -> tuple[str, ...] | None:
    """Scopes in a text, separated by blanks or commas whatever the documents say, or in a list; each one
    once.
    """
    if isinstance(value, str):
        found: Iterable[Any] = re.split(r"[\s,]+", value)
    elif isinstance(value, list):
        found = value
    else:
        return None
    return tuple(dict.fromkeys(scope for scope in found if isinstance(scope, str) and scope))


def text_of(value: Any) -> str | None:
    """A name from outside: one line of visible text, cut to length; None when nothing is left."""
    if not isinstance(value, str):
        return None
    line = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return line[:TEXT_LENGTH] or None


def picture_of(value: Any) -> str | None:
    if not isinstance(value, str) or len(value) > _URL_LENGTH or not value.isprintable():
        return None
    parts = _split(value)
    return value if parts is not None and parts.scheme == "https" and parts.hostname else None


def _split(url: str) -> Any:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def retry_after_of(response: httpx.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() and len(value) <= 6 else None
