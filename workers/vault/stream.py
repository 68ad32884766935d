"""Long contents, sealed and opened in chunks: backups (P3.2). Nothing is held whole.

One stream (lengths in bytes)::

    "NXB" | format (1) | length of header (4) | header | chunk | chunk | …

The header is JSON: what the stream is about, in plain; the prefix of the nonces; and the key of the stream, random
and used for it alone, sealed like a token (`workers.vault.sealing`) under the primary key of the keyring. A chunk is
1 MiB of the content with its tag (16); the last one may be shorter, or empty. After the STREAM construction of Hoang,
Reyhanitabar, Rogaway and Vizár, the nonce of a chunk is prefix (7) | counter (4) | last (1), and its additional data
the SHA-256 of everything before the first chunk. So a stream that is cut off, goes on after its end, or has a chunk
moved, left out, repeated, changed or taken from another stream does not open, nor does one with another header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.vault.keyring import KEY_BYTES
from workers.vault.sealing import Vault, VaultError, sealed_key_id
from workers.vault.secret import SecretToken

__all__ = ["CHUNK_BYTES", "StreamContext", "StreamError", "StreamOpener", "StreamSealer"]

CHUNK_BYTES: Final = 1 << 20
_MAGIC: Final = b"NXB\x01"
_TAG_BYTES: Final = 16
_PREFIX_BYTES: Final = 7
_HEADER_LIMIT: Final = 1 << 16
_LAST_COUNTER: Final = (1 << 32) - 1
_OWN: Final = frozenset({"id", "prefix", "key"})


class StreamError(Exception):
    """A stream cannot be opened; the message says how that shows, and never holds any of the content."""


@dataclass(frozen=True, slots=True)
class StreamContext:
    """The place of the key of a stream: the stream with this id."""

    stream_id: UUID

    def parts(self) -> tuple[bytes, ...]:
        """See `Sealable.parts`."""
        return (b"nexora.stream", self.stream_id.bytes)


class _Cipher:
    """Both directions: one key, nonces that count."""

    def __init__(self, key: SecretToken, prefix: bytes, head: bytes) -> None:
        raw = key.reveal_bytes()
        if len(raw) != KEY_BYTES or len(prefix) != _PREFIX_BYTES:
            raise StreamError("the header is damaged")
        self._aead = AESGCM(raw)
        self._prefix = prefix
        self._associated = hashlib.sha256(head).digest()
        self._counter = 0

    def encrypt(self, chunk: bytes, *, is_last: bool) -> bytes:
        sealed = self._aead.encrypt(self._nonce(is_last), chunk, self._associated)
        self._counter += 1
        return sealed

    def decrypt(self, chunk: bytes, *, is_last: bool) -> bytes:
        """Raises InvalidTag."""
        opened = self._aead.decrypt(self._nonce(is_last), chunk, self._associated)
        self._counter += 1
        return opened

    def _nonce(self, is_last: bool) -> bytes:
        if self._counter > _LAST_COUNTER:
            raise StreamError("the stream is too long")
        return self._prefix + struct.pack(">IB", self._counter, is_last)


class StreamSealer:
    """Seals one stream. First `head`, then what `feed` gives, then what `finish` gives.

    Args:
        vault: wraps the key of the stream.
        stream_id: a fresh id.
        details: goes into the header, readable and authenticated; no secrets.
    """

    def __init__(self, vault: Vault, stream_id: UUID, details: Mapping[str, Any]) -> None:
        key, prefix = SecretToken(os.urandom(KEY_BYTES)), os.urandom(_PREFIX_BYTES)
        header = {
            **details,
            "id": str(stream_id),
            "prefix": base64.b64encode(prefix).decode("ascii"),
            "key": base64.b64encode(vault.seal(key, StreamContext(stream_id))).decode("ascii"),
        }
        text = json.dumps(header, sort_keys=True).encode()
        if len(text) > _HEADER_LIMIT:
            raise ValueError("the header of a stream is too long")
        self.head: Final = _MAGIC + struct.pack(">I", len(text)) + text
        self._cipher = _Cipher(key, prefix, self.head)
        self._buffer = bytearray()

    def feed(self, content: bytes) -> Iterator[bytes]:
        """Take more of the content; gives the chunks that are full."""
        self._buffer += content
        while len(self._buffer) > CHUNK_BYTES:  # one that is exactly full may be the last
            chunk = bytes(self._buffer[:CHUNK_BYTES])
            del self._buffer[:CHUNK_BYTES]
            yield self._cipher.encrypt(chunk, is_last=False)

    def finish(self) -> bytes:
        """The last chunk. Without it the stream does not open."""
        return self._cipher.encrypt(bytes(self._buffer), is_last=True)


class StreamOpener:
    """Opens one stream: the header at once, the content with `chunks`, once.

    Args:
        vault: has the key that the stream's is wrapped with.
        read: gives up to so many bytes, fewer only at the end of the stream.

    Raises:
        StreamError: not a stream, a damaged header, or a key that the keyring does not have.
    """

    def __init__(self, vault: Vault, read: Callable[[int], bytes]) -> None:
        self._read = read
        self.details, self._cipher = self._open_header(vault)

    def _open_header(self, vault: Vault) -> tuple[dict[str, Any], _Cipher]:
        start = self._read(len(_MAGIC) + 4)
        if start[: len(_MAGIC)] != _MAGIC or len(start) < len(_MAGIC) + 4:
            raise StreamError("this is not a backup of Nexora OS, or of another version")
        (length,) = struct.unpack(">I", start[len(_MAGIC) :])
        text = self._read(length) if length <= _HEADER_LIMIT else b""
        try:
            header = json.loads(text)
            stream_id = UUID(header["id"])
            prefix, record = (base64.b64decode(header[name], validate=True) for name in ("prefix", "key"))
            key_id = sealed_key_id(record)
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error, VaultError):
            raise StreamError("the header is cut off or damaged") from None
        try:
            key = vault.open(record, StreamContext(stream_id))
        except VaultError:
            raise StreamError(
                f"it does not open: it was sealed under key {key_id}, and this keyring has another one, or the header "
                "was altered"
            ) from None
        details = {name: value for name, value in header.items() if name not in _OWN}
        return {**details, "id": str(stream_id), "key_id": key_id}, _Cipher(key, prefix, start + text)

    def chunks(self) -> Iterator[bytes]:
        """The content, chunk by chunk. What it has given counts only once it has ended without an error.

        Raises:
            StreamError: it was cut off or altered.
        """
        sealed = self._read(CHUNK_BYTES + _TAG_BYTES)
        while True:
            following = (
                self._read(CHUNK_BYTES + _TAG_BYTES) if len(sealed) == CHUNK_BYTES + _TAG_BYTES else b""
            )
            try:
                opened = self._cipher.decrypt(sealed, is_last=not following)
            except InvalidTag:
                raise StreamError(self._fault(sealed, is_end=not following)) from None
            yield opened
            if not following:
                return
            sealed = following

    def _fault(self, sealed: bytes, *, is_end: bool) -> str:
        if is_end and len(sealed) >= _TAG_BYTES:
            try:
                self._cipher.decrypt(sealed, is_last=False)
            except InvalidTag:
                return "it was altered, or cut off"
        return "it was cut off" if is_end else "it was altered"
