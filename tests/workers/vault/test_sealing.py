"""Sealed records open at their place, with their key, unchanged, and not otherwise."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import statistics
import time
import traceback
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from workers.vault import (
    Keyring,
    SecretToken,
    TokenContext,
    UploadContext,
    Vault,
    VaultError,
    VerifierContext,
    sealed_from_text,
    sealed_key_id,
    sealed_to_text,
)
from workers.vault import sealing as module

USER, OTHER_USER = UUID(int=0x1111), UUID(int=0x2222)
CONNECTION, OTHER_CONNECTION = UUID(int=0x3333), UUID(int=0x4444)
PLACE = TokenContext(USER, CONNECTION, "x", "access", 7)
CANARY = "token-canary-51c2"
RAW_KEY = bytes(range(1, 33))
OTHER_RAW_KEY = bytes(range(2, 34))


def keyring(**keys: tuple[str, bytes | None]) -> Keyring:
    entries = {
        kid: {"state": state} | ({} if raw is None else {"key": base64.b64encode(raw).decode()})
        for kid, (state, raw) in keys.items()
    }
    return Keyring.from_json(json.dumps({"keys": entries}))


@pytest.fixture
def vault() -> Vault:
    return Vault(keyring(k1=("primary", RAW_KEY)))


@pytest.fixture
def record(vault: Vault) -> bytes:
    return vault.seal(SecretToken(CANARY), PLACE)


def refused(
    vault: Vault, record: bytes, place: TokenContext | UploadContext | VerifierContext = PLACE
) -> None:
    """Every refusal is the same: one class, one message, no cause that says more."""
    with pytest.raises(VaultError) as caught:
        vault.open(record, place)
    assert type(caught.value) is VaultError
    assert str(caught.value) == "a sealed record cannot be opened"
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def replaced(record: bytes, start: int, piece: bytes) -> bytes:
    return record[:start] + piece + record[start + len(piece) :]


# Offsets in a record whose key id has two characters.
WRAP_NONCE, WRAPPED, SALT, COMMIT, DATA_NONCE, CIPHERTEXT = 7, 19, 67, 99, 131, 143


def test_opens_what_it_sealed(vault: Vault, record: bytes) -> None:
    assert vault.open(record, PLACE).reveal() == CANARY


def test_has_the_documented_form(record: bytes) -> None:
    assert record[:5] == b"NXT\x01\x02"
    assert record[5:7] == b"k1"
    assert len(record) == 157 + 2 + len(CANARY)
    assert sealed_key_id(record) == "k1"
    assert CANARY.encode() not in record


def hkdf_sha512(key: bytes, salt: bytes, info: bytes) -> bytes:
    """RFC 5869 in three lines, independent of the library that the vault uses; 32 bytes."""
    extracted = hmac.new(salt or bytes(64), key, hashlib.sha512).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha512).digest()[:32]


def associated(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_can_be_opened_from_the_documented_format_alone(record: bytes) -> None:
    """Written from the description of the format, not from the code: what the database keeps can be read for
    years.
    """
    place = (
        b"nexora.oauth_token",
        b"\x01",
        USER.bytes,
        CONNECTION.bytes,
        b"x",
        b"access",
        (7).to_bytes(8, "big"),
    )
    wrap_key = hkdf_sha512(RAW_KEY, b"", b"nexora/kek/wrap/v1")
    dek = AESGCM(wrap_key).decrypt(
        record[WRAP_NONCE:WRAPPED], record[WRAPPED:SALT], associated(*place, b"wrap", b"k1")
    )
    salt, commit = record[SALT:COMMIT], record[COMMIT:DATA_NONCE]
    assert commit == hkdf_sha512(dek, salt, b"nexora/dek/commit/v1")
    opened = AESGCM(hkdf_sha512(dek, salt, b"nexora/dek/enc/v1")).decrypt(
        record[DATA_NONCE:CIPHERTEXT], record[CIPHERTEXT:], associated(*place, b"data", salt, commit)
    )
    assert opened.decode() == CANARY


def test_every_flipped_bit_is_noticed(vault: Vault, record: bytes) -> None:
    for position in range(len(record)):
        for bit in range(8):
            refused(vault, replaced(record, position, bytes([record[position] ^ 1 << bit])))


def test_every_truncation_and_extension_is_noticed(vault: Vault, record: bytes) -> None:
    for length in range(len(record)):
        refused(vault, record[:length])
        refused(vault, record[length + 1 :])
    refused(vault, record + b"\0")
    refused(vault, b"\0" + record)
    refused(vault, record + record)


@pytest.mark.parametrize(
    "place",
    [
        dataclasses.replace(PLACE, user_id=OTHER_USER),
        dataclasses.replace(PLACE, connection_id=OTHER_CONNECTION),
        dataclasses.replace(PLACE, user_id=CONNECTION, connection_id=USER),
        dataclasses.replace(PLACE, platform="linkedin"),
        dataclasses.replace(PLACE, platform=""),
        dataclasses.replace(PLACE, field="refresh"),
        dataclasses.replace(PLACE, field="revocation"),
        dataclasses.replace(PLACE, generation=6),
        dataclasses.replace(PLACE, generation=8),
        dataclasses.replace(PLACE, generation=-1),
        VerifierContext(bytes(32)),
        UploadContext(USER, CONNECTION, CONNECTION, "x"),
    ],
)
def test_does_not_open_anywhere_else(
    vault: Vault, record: bytes, place: TokenContext | UploadContext | VerifierContext
) -> None:
    refused(vault, record, place)


def test_two_records_cannot_be_swapped(vault: Vault) -> None:
    places = [
        dataclasses.replace(PLACE, field="refresh"),
        dataclasses.replace(PLACE, generation=8),
        dataclasses.replace(PLACE, user_id=OTHER_USER, connection_id=OTHER_CONNECTION),
    ]
    for place in places:
        other = vault.seal(SecretToken(CANARY), place)
        refused(vault, other)
        assert vault.open(other, place).reveal() == CANARY


def test_parts_are_told_apart_by_their_lengths() -> None:
    """("ab", "c") and ("a", "bc") would be the same bytes if the parts were just put after one another."""
    one = dataclasses.replace(PLACE, platform="xa")
    assert module._associated(one, b"b") != module._associated(PLACE, b"ab")
    assert module._associated(PLACE, b"ab", b"c") != module._associated(PLACE, b"a", b"bc")
    assert module._associated(PLACE, b"") != module._associated(PLACE)
    assert module._associated(PLACE, b"data") != module._associated(PLACE, b"wrap")


def test_an_unknown_key_is_refused(record: bytes) -> None:
    refused(Vault(keyring(k2=("primary", RAW_KEY))), record)


def test_another_key_under_the_same_id_is_refused(record: bytes) -> None:
    refused(Vault(keyring(k1=("primary", OTHER_RAW_KEY))), record)


def test_a_retired_key_is_refused(record: bytes) -> None:
    refused(Vault(keyring(k1=("retired", None), k2=("primary", OTHER_RAW_KEY))), record)


@pytest.mark.parametrize("state", ["decrypt_only", "pending"])
def test_keys_that_do_not_seal_still_open(record: bytes, state: str) -> None:
    vault = Vault(keyring(k1=(state, RAW_KEY), k2=("primary", OTHER_RAW_KEY)))
    assert vault.open(record, PLACE).reveal() == CANARY
    assert sealed_key_id(vault.seal(SecretToken("a"), PLACE)) == "k2"


def test_the_key_id_in_the_header_cannot_be_swapped(record: bytes) -> None:
    vault = Vault(keyring(k1=("primary", RAW_KEY), k2=("decrypt_only", OTHER_RAW_KEY)))
    refused(vault, replaced(record, 5, b"k2"))


@pytest.mark.parametrize("suite", [0, 2, 255])
def test_another_suite_is_refused(vault: Vault, record: bytes, suite: int) -> None:
    refused(vault, replaced(record, 3, bytes([suite])))


@pytest.mark.parametrize("length", [0, 1, 3, 16, 17, 255])
def test_another_length_of_the_key_id_is_refused(vault: Vault, record: bytes, length: int) -> None:
    refused(vault, replaced(record, 4, bytes([length])))


def test_the_commitment_is_checked_before_anything_is_decrypted(
    vault: Vault, record: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[bytes] = []
    original = module._aead

    def spy(key: SecretToken) -> AESGCM:
        used.append(key.reveal_bytes())
        return original(key)

    monkeypatch.setattr(module, "_aead", spy)
    vault.open(record, PLACE)
    real_key = used[1]
    used.clear()
    refused(vault, replaced(record, COMMIT, bytes(32)))
    assert len(used) == 2
    assert real_key not in used, "the real key must not touch a ciphertext that was not committed to"


def forge(record: bytes, dek: bytes, ciphertext: bytes) -> bytes:
    """A record with another data key of the forger's choice, properly wrapped by one who has the keyring."""
    vault = Vault(keyring(k1=("primary", RAW_KEY)))
    salt, commit, nonce = record[SALT:COMMIT], record[COMMIT:DATA_NONCE], record[DATA_NONCE:CIPHERTEXT]
    return vault._wrap(SecretToken(dek), PLACE, salt, commit, nonce, ciphertext).encode()


def test_a_ciphertext_does_not_open_under_a_second_key(vault: Vault, record: bytes) -> None:
    """The partitioning oracle: AES-GCM lets a forger build one ciphertext that opens under two keys. Here the
    forger even has the keyring, and re-encrypts under a second data key while keeping salt and commitment.
    """
    salt, commit = record[SALT:COMMIT], record[COMMIT:DATA_NONCE]
    second = bytes(range(40, 72))
    key = hkdf_sha512(second, salt, b"nexora/dek/enc/v1")
    ciphertext = AESGCM(key).encrypt(
        record[DATA_NONCE:CIPHERTEXT], b"planted", module._associated(PLACE, b"data", salt, commit)
    )
    refused(vault, forge(record, second, ciphertext))
    with pytest.raises(VaultError):
        Vault(keyring(k1=("decrypt_only", RAW_KEY), k2=("primary", OTHER_RAW_KEY))).rewrap(
            forge(record, second, ciphertext), PLACE
        )


@pytest.mark.parametrize("size", [0, 15, 16, 24, 31, 33, 64])
def test_keys_of_other_sizes_are_refused(size: int) -> None:
    if size:
        with pytest.raises(ValueError, match="32 bytes"):
            module._aead(SecretToken(bytes(size)))


@given(st.binary(min_size=1, max_size=300), st.uuids(), st.uuids(), st.integers(0, 2**31 - 1))
def test_any_secret_comes_back(secret: bytes, user: UUID, connection: UUID, generation: int) -> None:
    vault = Vault(keyring(k1=("primary", RAW_KEY)))
    place = TokenContext(user, connection, "tiktok", "refresh", generation)
    record = vault.seal(SecretToken(secret), place)
    assert vault.open(record, place).reveal_bytes() == secret
    assert vault.open(sealed_from_text(sealed_to_text(record)), place).reveal_bytes() == secret


@given(st.binary(max_size=400))
def test_any_other_bytes_are_refused(noise: bytes) -> None:
    vault = Vault(keyring(k1=("primary", RAW_KEY)))
    refused(vault, noise)
    refused(vault, b"NXT\x01\x02k1" + noise)


def test_a_large_secret_comes_back(vault: Vault) -> None:
    secret = SecretToken(b"\xf0" * 1_000_000)
    assert vault.open(vault.seal(secret, PLACE), PLACE) == secret


def seal_many(vault: Vault, count: int) -> None:
    records = {vault.seal(SecretToken(CANARY), PLACE) for _ in range(count)}
    assert len(records) == count
    for start, end in ((WRAP_NONCE, WRAPPED), (WRAPPED, SALT), (SALT, COMMIT), (COMMIT, DATA_NONCE)):
        assert len({record[start:end] for record in records}) == count
    assert len({record[DATA_NONCE:] for record in records}) == count


def test_nothing_random_repeats(vault: Vault) -> None:
    seal_many(vault, 5_000)


@pytest.mark.slow
def test_nothing_random_repeats_in_many(vault: Vault) -> None:
    seal_many(vault, 100_000)


def test_a_failure_shows_no_secret_in_the_variables_of_its_frames(vault: Vault, record: bytes) -> None:
    """What a crash reporter that captures local variables would send."""
    dek = bytes.fromhex("aa" * 32)
    damaged = [
        replaced(record, CIPHERTEXT, bytes(4)),
        replaced(record, COMMIT, bytes(32)),
        forge(record, dek, record[CIPHERTEXT:]),
    ]
    for broken in damaged:
        with pytest.raises(VaultError) as caught:
            vault.open(broken, PLACE)
        inside = caught.tb.tb_next  # without this test's own frame, which knows the secrets
        report = traceback.TracebackException(VaultError, caught.value, inside, capture_locals=True)
        text = "".join(report.format())
        for secret in (CANARY.encode(), RAW_KEY, dek):
            assert repr(secret)[2:-1] not in text
            assert secret.hex() not in text
        assert "SecretToken(***)" in text or "dek = None" in text


def test_refusals_take_about_the_same_time(vault: Vault, record: bytes) -> None:
    """Which check failed must not show in the time: an unknown key, a wrong place, a broken tag, a broken
    commitment all go through the same steps. The bound is wide, since other processes share this machine.
    """
    cases: dict[str, Callable[[], object]] = {
        "unknown key": lambda: refused(vault, replaced(record, 5, b"k9")),
        "place": lambda: refused(vault, record, dataclasses.replace(PLACE, generation=8)),
        "commitment": lambda: refused(vault, replaced(record, COMMIT, bytes(32))),
        "tag": lambda: refused(vault, replaced(record, len(record) - 1, bytes([record[-1] ^ 1]))),
    }
    medians = {}
    for name, attempt in cases.items():
        taken = []
        for _ in range(300):
            start = time.perf_counter()
            attempt()
            taken.append(time.perf_counter() - start)
        medians[name] = statistics.median(taken)
    assert max(medians.values()) < 2.5 * min(medians.values()), medians


# --- re-wrapping
# ------------------------------------------------------------------------------------------------


def test_a_rewrap_changes_the_wrapping_and_nothing_else(record: bytes) -> None:
    vault = Vault(keyring(k1=("decrypt_only", RAW_KEY), k2=("primary", OTHER_RAW_KEY)))
    wrapped = vault.rewrap(record, PLACE)
    assert wrapped is not None
    assert sealed_key_id(wrapped) == "k2"
    assert wrapped[SALT:] == record[SALT:]
    assert wrapped[WRAPPED:SALT] != record[WRAPPED:SALT]
    only_new = Vault(keyring(k1=("retired", None), k2=("primary", OTHER_RAW_KEY)))
    assert only_new.open(wrapped, PLACE).reveal() == CANARY
    refused(only_new, record)


def test_a_rewrap_never_decrypts_the_secret(record: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_decrypt", lambda *_: pytest.fail("the secret was decrypted"))
    vault = Vault(keyring(k1=("decrypt_only", RAW_KEY), k2=("primary", OTHER_RAW_KEY)))
    assert vault.rewrap(record, PLACE) is not None


def test_a_rewrap_under_the_primary_key_has_nothing_to_do(vault: Vault, record: bytes) -> None:
    assert vault.rewrap(record, PLACE) is None


def test_a_rewrap_keeps_the_place(record: bytes) -> None:
    vault = Vault(keyring(k1=("decrypt_only", RAW_KEY), k2=("primary", OTHER_RAW_KEY)))
    with pytest.raises(VaultError):
        vault.rewrap(record, dataclasses.replace(PLACE, user_id=OTHER_USER))
    wrapped = vault.rewrap(record, PLACE)
    assert wrapped is not None
    refused(vault, wrapped, dataclasses.replace(PLACE, generation=8))


def test_a_damaged_record_is_not_rewrapped(record: bytes) -> None:
    vault = Vault(keyring(k1=("decrypt_only", RAW_KEY), k2=("primary", OTHER_RAW_KEY)))
    for start in (0, 4, WRAP_NONCE, WRAPPED, SALT, COMMIT):
        with pytest.raises(VaultError):
            vault.rewrap(replaced(record, start, bytes([record[start] ^ 1])), PLACE)
    with pytest.raises(VaultError):
        vault.rewrap(b"", PLACE)


# --- text form and verifiers -------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "TlhU\n", "TlhU ", "TlhU=", "Tlh", "-_-_", "ключ"])
def test_other_texts_are_no_record(vault: Vault, text: str) -> None:
    with pytest.raises(VaultError) as caught:
        vault.open(sealed_from_text(text), PLACE)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("record", [b"", b"NXT", b"x" * 200])
def test_only_records_have_a_key_id(record: bytes) -> None:
    with pytest.raises(VaultError):
        sealed_key_id(record)


def test_a_verifier_opens_for_its_own_state_only(vault: Vault) -> None:
    place = VerifierContext(hashlib.sha256(b"state").digest())
    record = vault.seal(SecretToken("verifier"), place)
    assert vault.open(record, place).reveal() == "verifier"
    refused(vault, record, VerifierContext(hashlib.sha256(b"another").digest()))
    refused(vault, record, TokenContext(uuid4(), uuid4(), "x", "access", 1))


def test_the_url_of_an_upload_opens_for_its_own_target_only(vault: Vault) -> None:
    target = uuid4()
    place = UploadContext(USER, CONNECTION, target, "youtube")
    record = vault.seal(SecretToken("https://upload.example/session"), place)
    assert vault.open(record, place).reveal() == "https://upload.example/session"
    for other in (
        UploadContext(OTHER_USER, CONNECTION, target, "youtube"),
        UploadContext(USER, OTHER_CONNECTION, target, "youtube"),
        UploadContext(USER, CONNECTION, uuid4(), "youtube"),
        UploadContext(USER, CONNECTION, target, "tiktok"),
    ):
        refused(vault, record, other)
