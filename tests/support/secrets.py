"""Looking for secrets where none may be, in every form that they could have got there."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus


def forms_of(secret: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, bytes) of each form: as it is, base64 at each of the three offsets, hex, URL-encoded, reversed."""
    yield "plain", secret
    for offset in range(3):
        yield "base64", _base64_inside(secret, offset, base64.b64encode)
        yield "base64url", _base64_inside(secret, offset, base64.urlsafe_b64encode)
    yield "hex", binascii.hexlify(secret)
    yield "HEX", binascii.hexlify(secret).upper()
    for encode in (quote, quote_plus):
        yield "URL", encode(secret, safe="").encode()
    yield "every byte URL-encoded", b"".join(b"%%%02X" % byte for byte in secret)


def _base64_inside(secret: bytes, offset: int, encode: object) -> bytes:
    """What of the secret's base64 is the same whatever stands before it (`offset` bytes, modulo 3) and behind it."""
    assert callable(encode)
    encoded: bytes = encode(b"\0" * offset + secret)
    start = (offset * 8 + 5) // 6
    whole = (offset + len(secret)) * 8 // 6
    return encoded[start:whole]


def found(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> set[tuple[str, str, str]]:
    """(name of the secret, form, place) of each secret that stands somewhere.

    Args:
        secrets: by a name that may be shown; short ones are refused, since they would be found by chance.
        places: content by the name of the place.
    """
    for name, secret in secrets.items():
        assert len(secret) >= 16, f"{name} is too short to be told from chance"
    return {
        (name, form, place)
        for name, secret in secrets.items()
        for form, content in forms_of(secret)
        for place, text in places.items()
        if content in text
    }
