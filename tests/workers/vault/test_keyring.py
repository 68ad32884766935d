"""The keyring loader refuses everything doubtful, and moves keys one stage at a time."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from workers.vault import Keyring, KeyringError, KeyState, SecretToken, new_keyring_json

K1, K2, K3 = (bytes([number, *range(31)]) for number in (101, 102, 103))


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def entry(state: str, raw: bytes = K1, **more: Any) -> dict[str, Any]:
    return {"state": state, "key": b64(raw), **more}


def load(keys: Any) -> Keyring:
    return Keyring.from_json(json.dumps({"keys": keys}))


def test_reads_keys_of_every_state() -> None:
    keyring = load(
        {
            "k1": {"state": "retired"},
            "k2": entry("decrypt_only", K1),
            "k3": entry("primary", K2),
            "k4": entry("pending", K3),
        }
    )
    assert keyring.primary_id == "k3"
    assert keyring.states == {
        "k1": KeyState.RETIRED,
        "k2": KeyState.DECRYPT_ONLY,
        "k3": KeyState.PRIMARY,
        "k4": KeyState.PENDING,
    }
    assert keyring.wrap_key("k1") is None
    assert keyring.wrap_key("k9") is None
    assert keyring.wrap_key("k2") is not None


@pytest.mark.parametrize("text", [None, "", "  \n"])
def test_a_missing_keyring_is_refused(text: str | None) -> None:
    with pytest.raises(KeyringError, match="missing"):
        Keyring.from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        "not json",
        "[]",
        "null",
        "7",
        "{}",
        '{"keys": []}',
        '{"keys": {}, "more": 1}',
        '{"primary": "k1", "keys": {}}',
        "[" * 100_000,
        json.dumps({"keys": {"k1": "text"}}),
        json.dumps({"keys": {"k1": {"key": b64(K1)}}}),
        json.dumps({"keys": {"k1": entry("primary", more=1)}}),
        json.dumps({"keys": {"k1": entry("active")}}),
        json.dumps({"keys": {"k1": {"state": 1, "key": b64(K1)}}}),
        json.dumps({"keys": {"k1": {"state": [], "key": b64(K1)}}}),
    ],
)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(KeyringError):
        Keyring.from_json(text)


@pytest.mark.parametrize("kid", ["", "K1", "k-1", "k1 ", "k1\n", "ключ", "k" * 17, "k_1"])
def test_a_bad_key_id_is_refused(kid: str) -> None:
    with pytest.raises(KeyringError):
        load({kid: entry("primary")})


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (None, "missing"),
        ("", "missing"),
        (7, "missing"),
        (["x"], "missing"),
        (b64(K1)[:-1], "base64"),
        (b64(K1) + "\n", "base64"),
        (" " + b64(K1), "base64"),
        (b64(K1).replace("=", ""), "base64"),
        (b64(K1)[:-2] + "9=", "base64"),  # bits beyond the last byte: another text for the same key
        (base64.urlsafe_b64encode(bytes([251] * 31 + [1])).decode(), "base64"),
        ("ключ", "base64"),
        (b64(K1[:31]), "32 bytes"),
        (b64(K1 + b"x"), "32 bytes"),
        (b64(K1[:16]), "32 bytes"),
        (b64(bytes(32)), "same"),
        (b64(b"\xff" * 32), "same"),
        (b64(b"a" * 32), "same"),
    ],
)
def test_a_bad_key_is_refused_without_being_shown(key: Any, fault: str) -> None:
    with pytest.raises(KeyringError, match=fault) as caught:
        load({"k1": {"state": "primary", "key": key}})
    report = traceback.TracebackException.from_exception(caught.value)
    if isinstance(key, str) and len(key) > 8:
        assert key not in "".join(report.format_exception_only())
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"k1": {"state": "retired"}},
        {"k1": entry("pending")},
        {"k1": entry("decrypt_only")},
        {"k1": entry("primary", K1), "k2": entry("primary", K2)},
    ],
)
def test_there_must_be_exactly_one_primary_key(keys: Any) -> None:
    with pytest.raises(KeyringError, match="primary"):
        load(keys)


def test_the_same_key_under_two_ids_is_refused() -> None:
    with pytest.raises(KeyringError, match="k1 and k3"):
        load({"k1": entry("primary", K1), "k2": entry("pending", K2), "k3": entry("decrypt_only", K1)})


def test_the_same_id_twice_is_refused() -> None:
    one, other = json.dumps(entry("primary", K1)), json.dumps(entry("pending", K2))
    with pytest.raises(KeyringError, match="twice"):
        Keyring.from_json(f'{{"keys": {{"k1": {one}, "k1": {other}}}}}')


def test_a_retired_key_must_be_destroyed() -> None:
    with pytest.raises(KeyringError, match="destroyed"):
        load({"k1": entry("retired", K1), "k2": entry("primary", K2)})


def test_shows_ids_and_states_but_no_key() -> None:
    keyring = load({"k1": entry("primary", K1)})
    assert repr(keyring) == str(keyring) == "Keyring(k1: primary)"
    assert repr(keyring.to_json()) == "SecretToken(***)"


@pytest.mark.parametrize("copy_out", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps, vars])
def test_cannot_be_copied_out(copy_out: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        copy_out(load({"k1": entry("primary", K1)}))


def test_a_new_keyring_can_be_read_back() -> None:
    first, second = new_keyring_json(), new_keyring_json()
    assert Keyring.from_json(first).states == {"k1": KeyState.PRIMARY}
    assert first != second


def test_a_rotation_goes_through_every_state() -> None:
    first = Keyring.from_json(new_keyring_json())
    added = first.with_pending_key()
    assert added.states == {"k1": KeyState.PRIMARY, "k2": KeyState.PENDING}
    assert added.primary_id == "k1"
    promoted = added.with_promoted_key()
    assert promoted.states == {"k1": KeyState.DECRYPT_ONLY, "k2": KeyState.PRIMARY}
    assert promoted.wrap_key("k1") == first.wrap_key("k1")
    assert promoted.wrap_key("k2") == added.wrap_key("k2")
    retired = promoted.with_retired_keys({"k2": 7})
    assert retired.states == {"k1": KeyState.RETIRED, "k2": KeyState.PRIMARY}
    assert retired.wrap_key("k1") is None
    assert "key" not in json.loads(retired.to_json().reveal())["keys"]["k1"]
    assert Keyring.from_json(retired.to_json().reveal()).states == retired.states
    assert list(retired.with_pending_key().states) == ["k1", "k2", "k3"], "an id is never used twice"


def test_stages_cannot_be_skipped() -> None:
    keyring = Keyring.generate()
    with pytest.raises(KeyringError, match="no key is pending"):
        keyring.with_promoted_key()
    with pytest.raises(KeyringError, match="no key is in state"):
        keyring.with_retired_keys({})
    with pytest.raises(KeyringError, match="waiting"):
        keyring.with_pending_key().with_pending_key()


def test_a_key_that_is_needed_is_not_retired() -> None:
    promoted = Keyring.generate().with_pending_key().with_promoted_key()
    with pytest.raises(KeyringError, match="k1: 3"):
        promoted.with_retired_keys({"k1": 3, "k2": 9})


def test_the_wrapping_key_is_derived_and_never_the_key_itself() -> None:
    wrap_key = load({"k1": entry("primary", K1)}).wrap_key("k1")
    assert wrap_key is not None
    assert wrap_key != SecretToken(K1)
    assert len(wrap_key.reveal_bytes()) == 32
