"""The keyring: the key-encryption keys of the vault, read from one environment variable.

Form of `NEXORA_TOKEN_KEYRING` (JSON)::

    {"keys": {"k1": {"state": "retired"},
              "k2": {"state": "decrypt_only", "key": "<32 bytes in base64>"},
              "k3": {"state": "primary", "key": "<32 bytes in base64>"},
              "k4": {"state": "pending", "key": "<32 bytes in base64>"}}}

A key moves through four states, one stage per deployment, so that no process meets a record that it cannot
open:

- `pending`: known to every process, seals nothing yet;
- `primary`: seals everything new; exactly one;
- `decrypt_only`: opens what it sealed, until a re-wrap has moved every record to the primary key;
- `retired`: the key is destroyed and only its id is kept, so that the id is never used again. Whatever copy
  of the database is older than the re-wrap can then never be opened.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, NoReturn, Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from workers.vault.secret import SecretToken

KEY_BYTES: Final = 32
KEY_ID: Final = re.compile(r"[a-z0-9]{1,16}")
_WRAP_LABEL: Final = b"nexora/kek/wrap/v1"
_ATTESTATION_LABEL: Final = b"nexora/kek/attestation/v1"


class KeyringError(Exception):
    """The keyring is missing or unusable. The message names key ids and the fault, never key material."""


class KeyState(StrEnum):
    """Where a key stands in its life; see the module's description."""

    PENDING = "pending"
    PRIMARY = "primary"
    DECRYPT_ONLY = "decrypt_only"
    RETIRED = "retired"


class _Key:
    """One entry: its state, its raw material (none when retired) and the wrapping key derived from it."""

    __slots__ = ("material", "state", "wrap_key")

    def __init__(self, state: KeyState, material: SecretToken | None) -> None:
        self.state = state
        self.material = material
        self.wrap_key = None if material is None else _derive(material, _WRAP_LABEL)


class Keyring:
    """The keys of one environment, checked. Printing it shows ids and states only; it cannot be pickled.

    Build it with `Keyring.from_json`, or `Keyring.generate` for a new environment. Instances never change:
        the
    methods that move keys return the next keyring.
    """

    __slots__ = ("_keys", "_primary_id")

    def __init__(self, keys: Mapping[str, _Key]) -> None:
        _refuse_unusable(keys)
        self._keys = dict(keys)
        self._primary_id = next(kid for kid, key in keys.items() if key.state is KeyState.PRIMARY)

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Reads and checks a keyring.

        Args:
            text: the content of `NEXORA_TOKEN_KEYRING`; the form is in the module's description.

        Raises:
            KeyringError: when the text is missing, is not JSON of that form, names an id or a state that is
                not allowed, holds a key that is not 32 bytes in strict base64, is constant or repeated, still
                holds the material of a retired key, or does not have exactly one primary key.
        """
        if text is None or not text.strip():
            raise KeyringError(
                "the keyring is missing: set NEXORA_TOKEN_KEYRING (./nexora keys new makes one)"
            )
        return cls({kid: _read_entry(kid, entry) for kid, entry in _read_entries(text).items()})

    @classmethod
    def generate(cls, key_id: str = "k1") -> Self:
        """A keyring with one fresh random key, `key_id`, as primary."""
        return cls({key_id: _Key(KeyState.PRIMARY, _fresh_material())})

    @property
    def primary_id(self) -> str:
        """The id of the key that seals."""
        return self._primary_id

    @property
    def states(self) -> dict[str, KeyState]:
        """Every key id with its state, in the order of the keyring."""
        return {kid: key.state for kid, key in self._keys.items()}

    def wrap_key(self, key_id: str) -> SecretToken | None:
        """The 32-byte wrapping key of `key_id`, or None when the id is unknown or retired."""
        key = self._keys.get(key_id)
        return None if key is None else key.wrap_key

    def attestation_key(self, key_id: str) -> SecretToken | None:
        """The 32-byte key that signs attestations, derived from `key_id`; None when that is unknown or retired."""
        key = self._keys.get(key_id)
        if key is None or key.material is None:
            return None
        return _derive(key.material, _ATTESTATION_LABEL)

    def with_pending_key(self) -> Self:
        """The next keyring with one more fresh key, pending, under an id that was never used before.

        Raises:
            KeyringError: when a pending key is waiting already.
        """
        if KeyState.PENDING in self.states.values():
            raise KeyringError("a pending key is waiting already: promote it first")
        return type(self)({**self._keys, self._next_id(): _Key(KeyState.PENDING, _fresh_material())})

    def with_promoted_key(self) -> Self:
        """The next keyring: the pending key is primary, the primary one only decrypts.

        Raises:
            KeyringError: when no key is pending.
        """
        if KeyState.PENDING not in self.states.values():
            raise KeyringError("no key is pending")
        step = {KeyState.PENDING: KeyState.PRIMARY, KeyState.PRIMARY: KeyState.DECRYPT_ONLY}
        return type(self)(
            {kid: _Key(step.get(key.state, key.state), key.material) for kid, key in self._keys.items()}
        )

    def with_retired_keys(self, use_counts: Mapping[str, int]) -> Self:
        """The next keyring: keys that only decrypt are destroyed, their ids are kept.

        Args:
            use_counts: key id to number of records in the database that are still sealed under it.

        Raises:
            KeyringError: when there is nothing to retire, or a record still needs one of these keys.
        """
        leaving = [kid for kid, state in self.states.items() if state is KeyState.DECRYPT_ONLY]
        if not leaving:
            raise KeyringError("no key is in state decrypt_only")
        if needed := {kid: use_counts[kid] for kid in leaving if use_counts.get(kid, 0) > 0}:
            counts = ", ".join(f"{kid}: {count}" for kid, count in needed.items())
            raise KeyringError(
                f"records still need these keys ({counts}): run ./nexora keys rotate --rewrap first"
            )
        return type(self)(
            {k: _Key(KeyState.RETIRED, None) if k in leaving else v for k, v in self._keys.items()}
        )

    def to_json(self) -> SecretToken:
        """The keyring in the form of `NEXORA_TOKEN_KEYRING`, material included, hence as a secret."""
        return SecretToken(json.dumps({"keys": {kid: _entry_of(key) for kid, key in self._keys.items()}}))

    def _next_id(self) -> str:
        numbers = [int(kid[1:]) for kid in self._keys if re.fullmatch(r"k[0-9]{1,9}", kid)]
        return f"k{max(numbers, default=0) + 1}"

    def __repr__(self) -> str:
        return f"Keyring({', '.join(f'{kid}: {state}' for kid, state in self.states.items())})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring cannot be pickled or copied")


def new_keyring_json() -> str:
    """The text of a keyring for a new environment, for its secret store (`NEXORA_TOKEN_KEYRING`)."""
    return Keyring.generate().to_json().reveal()


def _derive(material: SecretToken, label: bytes) -> SecretToken:
    """HKDF-SHA512 with the label of one use: the key itself never encrypts or signs anything."""
    derivation = HKDF(algorithm=hashes.SHA512(), length=KEY_BYTES, salt=None, info=label)
    return SecretToken(derivation.derive(material.reveal_bytes()))


def _fresh_material() -> SecretToken:
    return SecretToken(os.urandom(KEY_BYTES))


def _entry_of(key: _Key) -> dict[str, str]:
    if key.material is None:
        return {"state": key.state.value}
    return {"state": key.state.value, "key": base64.b64encode(key.material.reveal_bytes()).decode("ascii")}


def _refuse_repeated_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise KeyringError("the keyring names something twice")
    return dict(pairs)


def _read_entries(text: str) -> dict[str, Any]:
    document: Any = None
    try:
        document = json.loads(text, object_pairs_hook=_refuse_repeated_names)
    except (ValueError, RecursionError):  # a JSONDecodeError carries the whole text: drop it, do not chain it
        document = None
    if not isinstance(document, dict) or set(document) != {"keys"} or not isinstance(document["keys"], dict):
        raise KeyringError('the keyring is not JSON of the form {"keys": {"<id>": {"state": …, "key": …}}}')
    return document["keys"]


def _read_entry(kid: str, entry: Any) -> _Key:
    if not KEY_ID.fullmatch(kid):
        raise KeyringError("a key id is not 1 to 16 characters out of a-z and 0-9")
    if not isinstance(entry, dict) or not {"state"} <= set(entry) <= {"state", "key"}:
        raise KeyringError(f"key {kid}: expected a state and, unless it is retired, a key")
    if entry["state"] not in list(KeyState):
        raise KeyringError(f"key {kid}: the state is none of {', '.join(KeyState)}")
    state = KeyState(entry["state"])
    if state is KeyState.RETIRED:
        if "key" in entry:
            raise KeyringError(f"key {kid}: a retired key must be destroyed; keep its id and state only")
        return _Key(state, None)
    return _Key(state, _read_material(kid, entry.get("key")))


def _read_material(kid: str, text: Any) -> SecretToken:
    if not isinstance(text, str) or not text:
        raise KeyringError(f"key {kid}: the key is missing")
    raw = b""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):  # the latter carries the text: drop it, do not chain it
        raw = b""
    if base64.b64encode(raw).decode("ascii") != text:
        raise KeyringError(f"key {kid}: not strict base64")
    if len(raw) != KEY_BYTES:
        raise KeyringError(f"key {kid}: not {KEY_BYTES} bytes")
    if len(set(raw)) == 1:
        raise KeyringError(f"key {kid}: every byte is the same")
    return SecretToken(raw)


def _refuse_unusable(keys: Mapping[str, _Key]) -> None:
    primaries = [kid for kid, key in keys.items() if key.state is KeyState.PRIMARY]
    if len(primaries) != 1:
        raise KeyringError(f"exactly one key must be primary, not {len(primaries)}")
    materials = [(kid, key.material) for kid, key in keys.items() if key.material is not None]
    for position, (kid, material) in enumerate(materials):
        for earlier, other in materials[:position]:
            if material == other:
                raise KeyringError(f"keys {earlier} and {kid} are the same key")
