"""Sealing and opening of single secrets.

One record, as kept in the database (lengths in bytes)::

    "NXT" | suite (1) | len(kid) (1) | kid | n1 (12) | wrapped DEK (48) | salt (32) | commit (32)
          | n2 (12) | ct || tag (16)

    wrapKey = HKDF-SHA512(KEK[kid], info = "nexora/kek/wrap/v1")
    DEK     = 32 random bytes, one per record
    wrapped = AES-256-GCM(wrapKey).encrypt(n1, DEK, AAD("wrap", kid))
    encKey  = HKDF-SHA512(DEK, salt, "nexora/dek/enc/v1")
    commit  = HKDF-SHA512(DEK, salt, "nexora/dek/commit/v1")
    ct      = AES-256-GCM(encKey).encrypt(n2, secret, AAD("data", salt, commit))

`AAD(…)` joins what the record belongs to (purpose, suite, person, account, platform, field, generation) and
the parts named above, each after its length in four bytes, so that no two contexts give the same bytes. A
record that is moved to another person, account, platform, field or generation therefore does not open. The
commitment is compared before anything is decrypted: AES-GCM alone lets one ciphertext open under several
keys.
"""

from __future__ import annotations

import base64
import binascii
import os
import struct
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import constant_time, hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workers.vault.keyring import KEY_BYTES, KEY_ID, Keyring
from workers.vault.secret import SecretToken

TokenField = Literal["access", "refresh", "revocation"]

_MAGIC: Final = b"NXT"
_SUITE: Final = 1  # AES-256-GCM, HKDF-SHA512, key commitment
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_WRAPPED_BYTES: Final = KEY_BYTES + _TAG_BYTES
_SALT_BYTES: Final = 32
_COMMIT_BYTES: Final = 32
_ENC_LABEL: Final = b"nexora/dek/enc/v1"
_COMMIT_LABEL: Final = b"nexora/dek/commit/v1"


class VaultError(Exception):
    """A sealed record does not open. One message for every cause, so that a failure teaches nothing."""

    def __init__(self) -> None:
        super().__init__("a sealed record cannot be opened")


class Sealable(Protocol):
    """What a record belongs to: the purpose first, then what identifies its place."""

    def parts(self) -> tuple[bytes, ...]:
        """The parts of the additional data, in their fixed order; the suite is added after the first."""
        ...


@dataclass(frozen=True, slots=True)
class TokenContext:
    """The place of an OAuth token: whose, of which account, which of its tokens, and of which generation.

    `generation` counts refreshes (0 to 2**63-1), so that an older record put back into its own row does not
    open.
    """

    user_id: UUID
    connection_id: UUID
    platform: str
    field: TokenField
    generation: int

    def parts(self) -> tuple[bytes, ...]:
        """See `Sealable.parts`."""
        return (
            b"nexora.oauth_token",
            self.user_id.bytes,
            self.connection_id.bytes,
            self.platform.encode("utf-8"),
            self.field.encode("ascii"),
            struct.pack(">q", self.generation),
        )


@dataclass(frozen=True, slots=True)
class UploadContext:
    """The place of the URL of an upload session: whoever has the URL can write into that upload. It belongs to
    one target of one person, and is kept only until that is published.
    """

    user_id: UUID
    connection_id: UUID
    target_id: UUID
    platform: str

    def parts(self) -> tuple[bytes, ...]:
        """See `Sealable.parts`."""
        return (
            b"nexora.upload",
            self.user_id.bytes,
            self.connection_id.bytes,
            self.target_id.bytes,
            self.platform.encode("utf-8"),
        )


@dataclass(frozen=True, slots=True)
class TombstoneContext:
    """The place of what is known outside the database of one erasure."""

    erasure_id: UUID

    def parts(self) -> tuple[bytes, ...]:
        """See `Sealable.parts`."""
        return (b"nexora.tombstone", self.erasure_id.bytes)


@dataclass(frozen=True, slots=True)
class VerifierContext:
    """The place of a PKCE verifier: the authorization request that it belongs to (SHA-256 of its state, 32
    bytes).
    """

    state_hash: bytes

    def parts(self) -> tuple[bytes, ...]:
        """See `Sealable.parts`."""
        return (b"nexora.oauth_verifier", self.state_hash)


class _Record(NamedTuple):
    kid: str
    wrap_nonce: bytes
    wrapped: bytes
    salt: bytes
    commit: bytes
    data_nonce: bytes
    ciphertext: bytes

    def encode(self) -> bytes:
        kid = self.kid.encode("ascii")
        return b"".join((_MAGIC, bytes((_SUITE, len(kid))), kid, *self[1:]))


class Vault:
    """Seals and opens secrets with the keys of one keyring. Has no state; safe to share between tasks."""

    __slots__ = ("_keyring",)

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    @property
    def primary_id(self) -> str:
        """The id of the key under which new records are sealed."""
        return self._keyring.primary_id

    def seal(self, secret: SecretToken, place: Sealable) -> bytes:
        """Seals a secret for one place, under the primary key, with a random data key of its own.

        Args:
            secret: 1 byte or more.
            place: what the record will belong to; the same value opens it.

        Returns:
            The record: 157 bytes plus the lengths of the key id and the secret.
        """
        dek, salt, data_nonce = _fresh_key(), os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
        commit = _derive(dek, salt, _COMMIT_LABEL).reveal_bytes()
        cipher = _aead(_derive(dek, salt, _ENC_LABEL))
        associated = _associated(place, b"data", salt, commit)
        ciphertext = cipher.encrypt(data_nonce, secret.reveal_bytes(), associated)
        return self._wrap(dek, place, salt, commit, data_nonce, ciphertext).encode()

    def open(self, record: bytes, place: Sealable) -> SecretToken:
        """Opens a record at its place.

        Raises:
            VaultError: whatever the reason: damaged, shortened, moved to another place, an older generation,
                sealed under a key that is unknown or retired, or not a record at all.
        """
        found = _parse(record)
        dek = None if found is None else self._unwrap(found, place)
        # A record whose data key cannot be had still goes through every step, with a key that fits nothing,
        # so that the time taken does not say which check failed.
        opened = None if found is None else _decrypt(found, dek or _fresh_key(), place)
        if opened is None or dek is None:
            raise VaultError
        return opened

    def rewrap(self, record: bytes, place: Sealable) -> bytes | None:
        """Moves a record to the primary key: its data key is wrapped anew, the secret is not touched.

        Returns:
            The new record, or None when it is under the primary key already.

        Raises:
            VaultError: as `open`. The data key is checked against the record's commitment before it is
                wrapped.
        """
        found = _parse(record)
        if found is not None and found.kid == self._keyring.primary_id:
            return None
        dek = None if found is None else self._unwrap(found, place)
        if found is None or dek is None or not _commits(found, dek):
            raise VaultError
        return self._wrap(dek, place, found.salt, found.commit, found.data_nonce, found.ciphertext).encode()

    def _wrap(
        self,
        dek: SecretToken,
        place: Sealable,
        salt: bytes,
        commit: bytes,
        data_nonce: bytes,
        ciphertext: bytes,
    ) -> _Record:
        kid = self._keyring.primary_id
        wrap_key = self._keyring.wrap_key(kid)
        assert wrap_key is not None  # noqa: S101 - a keyring has its primary key
        nonce = os.urandom(_NONCE_BYTES)
        associated = _associated(place, b"wrap", kid.encode("ascii"))
        wrapped = _aead(wrap_key).encrypt(nonce, dek.reveal_bytes(), associated)
        return _Record(kid, nonce, wrapped, salt, commit, data_nonce, ciphertext)

    def _unwrap(self, record: _Record, place: Sealable) -> SecretToken | None:
        wrap_key = self._keyring.wrap_key(record.kid)
        associated = _associated(place, b"wrap", record.kid.encode("ascii"))
        try:
            cipher = _aead(wrap_key or _fresh_key())
            return SecretToken(cipher.decrypt(record.wrap_nonce, record.wrapped, associated))
        except InvalidTag:
            return None


def sealed_key_id(record: bytes) -> str:
    """The id of the key under which a record is sealed (it is no secret; the database counts the use of each
    key).

    Raises:
        VaultError: when the bytes are not a record.
    """
    found = _parse(record)
    if found is None:
        raise VaultError
    return found.kid


def sealed_to_text(record: bytes) -> str:
    """A record as base64 text, the form in which it crosses the API."""
    return base64.b64encode(record).decode("ascii")


def sealed_from_text(text: str) -> bytes:
    """The record in base64 text as it came over the API.

    Raises:
        VaultError: when the text is not strict base64.
    """
    record: bytes | None
    try:
        record = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        record = None
    if record is None:
        raise VaultError
    return record


def _parse(record: bytes) -> _Record | None:
    """The fields of a record; None when the bytes are not one. Looks at nothing that is secret."""
    if len(record) < len(_MAGIC) + 2 or record[:3] != _MAGIC or record[3] != _SUITE:
        return None
    position, fields = len(_MAGIC) + 2, []
    for length in (record[4], _NONCE_BYTES, _WRAPPED_BYTES, _SALT_BYTES, _COMMIT_BYTES, _NONCE_BYTES):
        fields.append(record[position : position + length])
        position += length
    kid, wrap_nonce, wrapped, salt, commit, data_nonce = fields
    key_id, ciphertext = kid.decode("ascii", errors="replace"), record[position:]
    if len(ciphertext) <= _TAG_BYTES or not KEY_ID.fullmatch(key_id):
        return None
    return _Record(key_id, wrap_nonce, wrapped, salt, commit, data_nonce, ciphertext)


def _commits(record: _Record, dek: SecretToken) -> bool:
    expected = _derive(dek, record.salt, _COMMIT_LABEL)
    return constant_time.bytes_eq(expected.reveal_bytes(), record.commit)


def _decrypt(record: _Record, dek: SecretToken, place: Sealable) -> SecretToken | None:
    if not _commits(record, dek):
        # Decrypting goes on with a key that fits nothing, never with one that was not committed to.
        dek = _fresh_key()
    cipher = _aead(_derive(dek, record.salt, _ENC_LABEL))
    associated = _associated(place, b"data", record.salt, record.commit)
    try:
        return SecretToken(cipher.decrypt(record.data_nonce, record.ciphertext, associated))
    except InvalidTag:
        return None


def _fresh_key() -> SecretToken:
    return SecretToken(os.urandom(KEY_BYTES))


def _derive(dek: SecretToken, salt: bytes, label: bytes) -> SecretToken:
    derivation = HKDF(algorithm=hashes.SHA512(), length=KEY_BYTES, salt=salt, info=label)
    return SecretToken(derivation.derive(dek.reveal_bytes()))


def _aead(key: SecretToken) -> AESGCM:
    """AES-256-GCM. `AESGCM` itself would take keys of 16 and 24 bytes too."""
    raw = key.reveal_bytes()
    if len(raw) != KEY_BYTES:
        del raw
        raise ValueError(f"a key must have {KEY_BYTES} bytes")
    return AESGCM(raw)


def _associated(place: Sealable, *tail: bytes) -> bytes:
    """The additional data: purpose, suite, place, then `tail`, each after its length in four bytes
    (big-endian).
    """
    purpose, *identity = place.parts()
    parts = (purpose, bytes((_SUITE,)), *identity, *tail)
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)
