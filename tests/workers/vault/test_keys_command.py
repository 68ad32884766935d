"""`./nexora keys`: what it prints, and that a re-wrap can be stopped and repeated."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

import pytest

from workers.cli import keys
from workers.gateway import KeyUse, SealedRecord
from workers.vault import (
    Keyring,
    KeyState,
    SecretToken,
    TokenContext,
    Vault,
    sealed_from_text,
    sealed_key_id,
    sealed_to_text,
)

pytestmark = pytest.mark.anyio

VARIABLES = {
    "SUPABASE_URL": "https://project.example",
    "SUPABASE_SECRET_KEY": "made-up",
    "NEXORA_PUBLIC_URL": "https://worker.example",
}


@dataclass
class FakeGateway:
    """Sealed records in memory, replaced only if they are still the ones that were read."""

    records: list[SealedRecord] = field(default_factory=list)
    before_swap: Callable[[int], None] | None = None
    swaps: int = 0
    batch_limit: int = 1000

    def fill(self, vault: Vault, count: int) -> None:
        """Adds records under the vault's primary key, with the same secret each."""
        for number in range(count):
            user, connection = uuid4(), uuid4()
            names = ("access", "refresh", "revocation")
            place = TokenContext(user, connection, "x", names[number % 3], number)  # type: ignore[arg-type]
            self.records.append(
                SealedRecord(
                    table_name="token_vault",
                    row_id=connection,
                    user_id=user,
                    connection_id=connection,
                    platform_id="x",
                    generation=number,
                    field=names[number % 3],
                    sealed=sealed_to_text(vault.seal(SecretToken("token-canary"), place)),
                )
            )

    async def tokens_to_rewrap(self, key_id: str, limit: int) -> list[SealedRecord]:
        found = [r for r in self.records if sealed_key_id(sealed_from_text(r.sealed)) == key_id]
        return found[: min(limit, self.batch_limit)]

    async def rewrap_token(self, record: SealedRecord, sealed: str) -> bool:
        self.swaps += 1
        if self.before_swap is not None:
            self.before_swap(self.swaps)
        for position, current in enumerate(self.records):
            if current.row_id == record.row_id and current.sealed == record.sealed:
                self.records[position] = replace(current, sealed=sealed)
                return True
        return False

    async def count_key_use(self) -> list[KeyUse]:
        counts: dict[str, int] = {}
        for record in self.records:
            key_id = sealed_key_id(sealed_from_text(record.sealed))
            counts[key_id] = counts.get(key_id, 0) + 1
        return [KeyUse(key_id=key_id, uses=uses) for key_id, uses in counts.items()]

    async def aclose(self) -> None:
        pass

    def all_open(self, vault: Vault) -> bool:
        """Whether every record opens at its place with the secret that was put in."""
        return all(
            vault.open(sealed_from_text(r.sealed), keys._place(r)).reveal() == "token-canary"
            for r in self.records
        )


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    fake = FakeGateway()
    monkeypatch.setattr(keys.Gateway, "open", lambda settings: fake)
    return fake


@pytest.fixture
def set_keyring(monkeypatch: pytest.MonkeyPatch) -> Callable[[Keyring], None]:
    return lambda keyring: monkeypatch.setenv("NEXORA_TOKEN_KEYRING", keyring.to_json().reveal())


def call(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    keys.add_arguments(parser)
    return keys.run(parser.parse_args(arguments))


def material(keyring: Keyring) -> list[str]:
    entries = json.loads(keyring.to_json().reveal())["keys"]
    return [entry["key"] for entry in entries.values() if "key" in entry]


def test_new_prints_a_keyring_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("new") == 0
    out, err = capsys.readouterr()
    assert Keyring.from_json(out).states == {"k1": KeyState.PRIMARY}
    assert out.count("\n") == 1
    assert "secret store" in err
    assert not any(key in err for key in material(Keyring.from_json(out)))


def test_a_whole_rotation(
    gateway: FakeGateway, set_keyring: Callable[[Keyring], None], capsys: pytest.CaptureFixture[str]
) -> None:
    first = Keyring.generate()
    gateway.fill(Vault(first), 30)
    set_keyring(first)

    assert call("rotate") == 0
    pending = Keyring.from_json(capsys.readouterr().out)
    assert pending.states == {"k1": KeyState.PRIMARY, "k2": KeyState.PENDING}
    set_keyring(pending)

    assert call("rotate") == 0
    promoted = Keyring.from_json(capsys.readouterr().out)
    assert promoted.states == {"k1": KeyState.DECRYPT_ONLY, "k2": KeyState.PRIMARY}
    set_keyring(promoted)

    assert call("rotate") == 1, "30 records still need k1"
    out, err = capsys.readouterr()
    assert out == ""
    assert "k1: 30" in err

    assert call("rotate", "--rewrap") == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "30 records" in err

    assert call("rotate") == 0
    retired = Keyring.from_json(capsys.readouterr().out)
    assert retired.states == {"k1": KeyState.RETIRED, "k2": KeyState.PRIMARY}
    assert gateway.all_open(Vault(retired))


def test_status_shows_ids_states_and_counts_and_no_key(
    gateway: FakeGateway, set_keyring: Callable[[Keyring], None], capsys: pytest.CaptureFixture[str]
) -> None:
    keyring = Keyring.generate().with_pending_key().with_promoted_key()
    gateway.fill(Vault(keyring), 4)
    set_keyring(keyring)
    assert call("status") == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()[1:]]
    assert rows == [["k1", "decrypt_only", "0"], ["k2", "primary", "4"]]
    assert not any(key in out + err for key in material(keyring))


def test_status_notices_records_that_no_key_opens(
    gateway: FakeGateway, set_keyring: Callable[[Keyring], None], capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.fill(Vault(Keyring.generate("old9")), 2)
    set_keyring(Keyring.generate())
    assert call("status") == 1
    out, err = capsys.readouterr()
    assert "old9" in out
    assert "old9" in err


@pytest.mark.parametrize("value", [None, "", "not json", '{"keys": {}}'])
def test_a_bad_keyring_is_an_error_and_not_shown(
    gateway: FakeGateway,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: str | None,
) -> None:
    if value is None:
        monkeypatch.delenv("NEXORA_TOKEN_KEYRING", raising=False)
    else:
        monkeypatch.setenv("NEXORA_TOKEN_KEYRING", value)
    for arguments in (["rotate"], ["rotate", "--rewrap"], ["status"]):
        assert call(*arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "keyring" in err or "primary" in err
    assert value != "not json" or value not in err


async def test_a_rewrap_that_was_killed_goes_on_where_it_was() -> None:
    gateway, first = FakeGateway(), Keyring.generate()
    gateway.fill(Vault(first), 50)
    promoted = first.with_pending_key().with_promoted_key()

    def die(swap: int) -> None:
        if swap == 20:
            raise KeyboardInterrupt

    gateway.before_swap = die
    with pytest.raises(KeyboardInterrupt):
        await keys.rewrap_all(gateway, promoted)
    assert gateway.all_open(Vault(promoted)), "a half-done rewrap loses nothing"
    gateway.before_swap = None
    assert await keys.rewrap_all(gateway, promoted) == (31, 0)
    assert gateway.all_open(Vault(promoted.with_retired_keys({})))
    assert await keys.rewrap_all(gateway, promoted) == (0, 0)


async def test_a_refresh_that_comes_between_wins() -> None:
    gateway, first = FakeGateway(), Keyring.generate()
    gateway.fill(Vault(first), 1)
    promoted = first.with_pending_key().with_promoted_key()
    vault = Vault(promoted)

    def refresh(_: int) -> None:
        record = replace(gateway.records[0], generation=99)
        sealed = sealed_to_text(vault.seal(SecretToken("token-canary"), keys._place(record)))
        gateway.records[0] = replace(record, sealed=sealed)

    gateway.before_swap = refresh
    assert await keys.rewrap_all(gateway, promoted) == (0, 0)
    assert gateway.records[0].generation == 99
    assert gateway.all_open(vault)


async def test_a_record_that_does_not_open_is_counted_and_holds_up_nothing() -> None:
    gateway, first = FakeGateway(batch_limit=5), Keyring.generate()
    gateway.fill(Vault(first), 12)
    for position in (0, 1, 2):
        gateway.records[position] = replace(gateway.records[position], generation=77)
    gateway.records[3] = replace(gateway.records[3], user_id=None)
    promoted = first.with_pending_key().with_promoted_key()
    assert await keys.rewrap_all(gateway, promoted) == (8, 4)


async def test_a_record_keeps_its_place_through_a_rewrap() -> None:
    gateway, first = FakeGateway(), Keyring.generate()
    gateway.fill(Vault(first), 2)
    promoted = first.with_pending_key().with_promoted_key()
    await keys.rewrap_all(gateway, promoted)
    swapped = replace(gateway.records[0], user_id=UUID(int=1))
    with pytest.raises(keys.VaultError):
        Vault(promoted).open(sealed_from_text(swapped.sealed), keys._place(swapped))
