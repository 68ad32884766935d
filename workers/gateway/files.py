"""Private files, read through signed URLs."""

from __future__ import annotations

import json
from urllib.parse import quote

import httpx
from pydantic import ValidationError
from storage3.exceptions import StorageApiError

from workers import http
from workers.errors import (
    ContractMismatchError,
    FileChangedError,
    FileMissingError,
    GatewayError,
    NotSentError,
    StorageError,
    TransportError,
)
from workers.gateway.answers import UNREADABLE_ANSWER
from workers.gateway.client import Caller, patiently

__all__ = ["FileCalls"]


class FileCalls(Caller):
    """Private files, read through signed URLs."""

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str:
        """A URL under which a private file can be read for `seconds` (P3.3). A capability: never log it.

        Raises:
            FileMissingError: no such object.
            StorageError: refused.
            TransportError: no answer, after repeats (signing is harmless to repeat).
        """
        return await patiently(self._sign_once, bucket_id, object_name, seconds, repeat=True)

    async def _sign_once(self, bucket_id: str, object_name: str, seconds: int) -> str:
        try:
            answer = await self._client.storage.from_(bucket_id).create_signed_url(object_name, seconds)
        except StorageApiError as error:
            raise _storage_error("sign_file", str(error.status)) from None  # its text names the file
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("sign_file", type(error).__name__) from None  # the cause holds the secret key
        except ValidationError:
            raise ContractMismatchError("sign_file", UNREADABLE_ANSWER, "signedURL") from None
        return _address(str(answer["signedURL"]), bucket_id, object_name)

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes:
        """Read a part of a private file by its signed URL (HTTP Range).

        Args:
            url: from `sign_file`.
            start, length: which bytes, at least one.
            size: of the whole file, as registered.

        Raises:
            FileMissingError: no such object (any more).
            FileChangedError: the file has another size now.
            StorageError: refused, e.g. because the URL has expired.
            TransportError: no complete answer, after repeats (reading is harmless to repeat).
        """
        return await patiently(self._read_once, url, start, length, size, repeat=True)

    async def _read_once(self, url: str, start: int, length: int, size: int) -> bytes:
        body = bytearray()
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            async with self._session.stream("GET", url, headers=wanted) as response:
                if response.status_code in (400, 404):
                    await response.aread()
                _require_part(response, start, length, size)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > length:  # an answer without end must not fill the memory
                        raise FileChangedError("read_part")
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("read_part", type(error).__name__) from None  # the cause holds the URL
        if len(body) != length:
            raise TransportError("read_part", "incomplete")
        return bytes(body)


def _address(signed: str, bucket_id: str, object_name: str) -> str:
    """A signed URL with its path encoded. The storage and its client hand names through as they are, so that one with a
    blank, a letter beyond ASCII or a question mark made an address that platforms refuse or that leads elsewhere."""
    base, found, _ = signed.partition("/object/sign/")
    _, has_token, token = signed.rpartition("token=")
    if not found or not has_token:
        raise ContractMismatchError("sign_file", UNREADABLE_ANSWER, "signedURL")
    return f"{base}{found}{quote(f'{bucket_id}/{object_name}', safe='/')}?token={token}"


def _require_part(response: httpx.Response, start: int, length: int, size: int) -> None:
    """Check that an answer is the part that was asked for, of the file that was registered."""
    status = response.status_code
    if status == 206:
        if response.headers.get("content-range") != f"bytes {start}-{start + length - 1}/{size}":
            raise FileChangedError("read_part")
    elif status == 200:  # the whole file: fine if that was asked for
        if start != 0 or response.headers.get("content-length") not in (None, str(length)):
            raise FileChangedError("read_part")
    elif status == 416:
        raise FileChangedError("read_part")
    elif status in (400, 404):
        raise _storage_error("read_part", _inner_status(response))
    else:
        raise _storage_error("read_part", str(status))


def _inner_status(response: httpx.Response) -> str:
    """Storage answers a missing object with 404, or with 400 and a body whose `statusCode` is "404"."""
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    inner = body.get("statusCode") if isinstance(body, dict) else None
    return str(response.status_code if inner is None or response.status_code == 404 else inner)


def _storage_error(function: str, status: str) -> GatewayError:
    if status == "404":
        return FileMissingError(function)
    if status.isdigit() and int(status) >= 500:
        return TransportError(function, status)
    return StorageError(function, f"refused with {status}")
