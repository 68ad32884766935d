"""A secret held in memory that neither prints, formats, compares unsafely, pickles nor turns into JSON."""

from __future__ import annotations

from typing import Final, NoReturn, final

from cryptography.hazmat.primitives import constant_time

MASK: Final = "SecretToken(***)"


@final
class SecretToken:
    """One secret: an OAuth token, an authorization code, a PKCE verifier or the bytes of a key.

    Nothing but `reveal` and `reveal_bytes` gives the value away: `repr`, `str`, `format`, f-strings, logging,
    pickling, copying, JSON encoders, `vars` and tracebacks that show local variables see a mask or raise
    `TypeError`. Python cannot promise to erase memory: the value stays in the process until it is garbage
    collected and overwritten.

    Args:
        value: the secret, as text (kept as UTF-8) or bytes; at least one byte.

    Raises:
        TypeError: for anything but `str` or `bytes`. The message does not show the value.
        ValueError: when the value is empty or is text that has no UTF-8 form. The message does not show the
            value.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes) -> None:
        raw = _as_bytes(value)
        if not raw:
            raise ValueError("a secret cannot be empty")
        self.__value = raw

    def reveal(self) -> str:
        """The secret as text. Call it only where the secret leaves for its destination, and do not keep the
        result.

        Raises:
            ValueError: when the secret is not UTF-8 text. The message does not show the value.
        """
        text: str | None
        try:
            text = self.__value.decode("utf-8")
        except UnicodeDecodeError:  # it carries the bytes: drop it, do not chain it
            text = None
        if text is None:
            raise ValueError("this secret is not text")
        return text

    def reveal_bytes(self) -> bytes:
        """The secret as bytes; the same duties as with `reveal`."""
        return self.__value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK

    def __format__(self, format_spec: str) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        """Equality in constant time, and only with another secret."""
        if not isinstance(other, SecretToken):
            return NotImplemented
        return constant_time.bytes_eq(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dictionary, which would compare it carelessly

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def _as_bytes(value: str | bytes) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError("a secret is made of text or bytes")
    raw: bytes | None
    try:
        raw = value.encode("utf-8")
    except UnicodeEncodeError:  # it carries the text: drop it, do not chain it
        raw = None
    if raw is None:
        raise ValueError("a secret cannot hold text without a UTF-8 form")
    return raw
