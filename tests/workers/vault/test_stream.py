"""A sealed stream opens whole or not at all (P3.2)."""

from __future__ import annotations

import io
import uuid

import pytest

from workers.vault import (
    CHUNK_BYTES,
    Keyring,
    SecretToken,
    StreamError,
    StreamOpener,
    StreamSealer,
    TokenContext,
    Vault,
)
from workers.vault import stream as streams

VAULT = Vault(Keyring.generate())
SMALL = 64
TAG = 16


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 64 bytes, so that every byte of a stream of several chunks can be tried."""
    monkeypatch.setattr(streams, "CHUNK_BYTES", SMALL)


def seal(content: bytes, vault: Vault = VAULT) -> tuple[bytes, list[bytes]]:
    """Head and chunks."""
    sealer = StreamSealer(vault, uuid.uuid4(), {"taken_at": "then"})
    return sealer.head, [*sealer.feed(content), sealer.finish()]


def opened(sealed: bytes, vault: Vault = VAULT) -> bytes:
    return b"".join(StreamOpener(vault, io.BytesIO(sealed).read).chunks())


def refusal(sealed: bytes, vault: Vault = VAULT) -> str:
    with pytest.raises(StreamError) as refused:
        opened(sealed, vault)
    return str(refused.value)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, 3 * SMALL, 3 * SMALL + 7])
def test_what_goes_in_comes_out_however_it_was_fed(size: int) -> None:
    content = bytes(range(256))[:size]
    head, chunks = seal(content)
    assert opened(head + b"".join(chunks)) == content
    assert all(len(chunk) == SMALL + TAG for chunk in chunks[:-1])
    sealer = StreamSealer(VAULT, uuid.uuid4(), {})
    by_bytes = [chunk for byte in content for chunk in sealer.feed(bytes([byte]))]
    assert opened(sealer.head + b"".join([*by_bytes, sealer.finish()])) == content


def test_the_header_is_readable_and_names_the_key() -> None:
    head, chunks = seal(b"x")
    details = StreamOpener(VAULT, io.BytesIO(head + b"".join(chunks)).read).details
    assert {"taken_at": "then", "key_id": "k1"}.items() <= details.items()
    assert CHUNK_BYTES == 1 << 20


@pytest.mark.usefixtures("small")
def test_cut_off_anywhere_it_does_not_open() -> None:
    head, chunks = seal(b"a" * (3 * SMALL + 5))
    whole = head + b"".join(chunks)
    for length in range(len(whole)):
        refusal(whole[:length])
    for count in range(len(chunks)):  # between two chunks each one that is left is genuine
        assert "cut off" in refusal(head + b"".join(chunks[:count]))


@pytest.mark.usefixtures("small")
def test_with_any_bit_flipped_it_does_not_open() -> None:
    head, chunks = seal(b"a" * (2 * SMALL + 5))
    whole = bytearray(head + b"".join(chunks))
    for position in range(len(whole)):
        for bit in range(0, 8, 1 if position < 16 else 3):
            whole[position] ^= 1 << bit
            refusal(bytes(whole))
            whole[position] ^= 1 << bit
    assert opened(bytes(whole))


@pytest.mark.usefixtures("small")
def test_chunks_that_are_not_in_their_place_do_not_open() -> None:
    head, (first, second, last) = seal(b"a" * (2 * SMALL + 5))
    other_head, (other, *_) = seal(b"a" * (2 * SMALL + 5))
    for chunks in (
        [second, first, last],
        [first, last],
        [first, first, second, last],
        [first, second, last, last],
        [other, second, last],
        [last],
    ):
        refusal(head + b"".join(chunks))
    refusal(other_head + first + second + last)


def test_another_key_is_refused_with_its_name() -> None:
    head, chunks = seal(b"x", Vault(Keyring.generate("k7")))
    assert "k7" in refusal(head + b"".join(chunks))
    assert "not a backup" in refusal(b"PGDMP and so on")


def test_a_key_that_only_decrypts_still_opens_and_a_retired_one_shreds() -> None:
    keyring = Keyring.generate()
    head, chunks = seal(b"x", Vault(keyring))
    rotated = keyring.with_pending_key().with_promoted_key()
    assert opened(head + b"".join(chunks), Vault(rotated)) == b"x"
    refusal(head + b"".join(chunks), Vault(rotated.with_retired_keys({})))


def test_no_two_streams_are_alike() -> None:
    one, two = seal(b"x" * 100), seal(b"x" * 100)
    assert one[1] != two[1]


def test_the_key_of_a_stream_is_no_token() -> None:
    """A record opens in its own place alone."""
    place = TokenContext(uuid.uuid4(), uuid.uuid4(), "x", "access", 1)
    record = VAULT.seal(SecretToken("t"), place)
    with pytest.raises(Exception, match="cannot be opened"):
        VAULT.open(record, streams.StreamContext(uuid.uuid4()))
