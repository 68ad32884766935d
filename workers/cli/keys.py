"""`./nexora keys`: makes the token keyring, rotates it, and shows what each key is still needed for.

A rotation takes three calls of `rotate` with a deployment after each, so that no running process ever meets a
record that it cannot open: a pending key is added; it becomes primary; after `rotate --rewrap` the old key is
destroyed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar
from uuid import UUID

from workers.errors import NexoraError
from workers.gateway import Gateway, KeyUse, SealedRecord
from workers.settings import Settings, WorkerSettings, load
from workers.vault import (
    Keyring,
    KeyringError,
    KeyState,
    TokenContext,
    TokenField,
    Vault,
    VaultError,
    sealed_from_text,
    sealed_to_text,
)

_T = TypeVar("_T")

_BATCH: Final = 500
_FIELDS: Final[Mapping[str, TokenField]] = {
    "access": "access",
    "refresh": "refresh",
    "revocation": "revocation",
}


class RotationGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def tokens_to_rewrap(self, key_id: str, limit: int) -> list[SealedRecord]:
        """See `Gateway.tokens_to_rewrap`."""
        ...

    async def rewrap_token(self, record: SealedRecord, sealed: str) -> bool:
        """See `Gateway.rewrap_token`."""
        ...

    async def count_key_use(self) -> list[KeyUse]:
        """See `Gateway.count_key_use`."""
        ...


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `keys`."""
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("new", help="print a keyring for a new environment")
    rotate = actions.add_parser("rotate", help="print the next stage of the keyring in NEXORA_TOKEN_KEYRING")
    rotate.add_argument(
        "--rewrap",
        action="store_true",
        help="print nothing; wrap every stored token with the primary key (can be stopped and repeated)",
    )
    actions.add_parser("status", help="show every key with its state and how many records need it")


def run(args: argparse.Namespace) -> int:
    """Runs one action.

    Returns:
        0 when it worked; 1 when it did not, with the reason on standard error; `status` also answers 1 when a
        record needs a key that the keyring does not have.
    """
    try:
        if args.action == "new":
            return _print_keyring(Keyring.generate(), "A new keyring, for a new environment.")
        keyring = _current_keyring()
        if args.action == "status":
            return asyncio.run(_with_gateway(lambda gateway: show_status(gateway, keyring)))
        if args.rewrap:
            return asyncio.run(_with_gateway(lambda gateway: _rewrap_and_say(gateway, keyring)))
        return _rotate(keyring)
    except (KeyringError, VaultError, NexoraError) as error:
        _say(str(error))
        return 1


# --- actions -----------------------------------------------------------------------------------------------


def _rotate(keyring: Keyring) -> int:
    states = keyring.states.values()
    if KeyState.PENDING in states:
        return _print_keyring(
            keyring.with_promoted_key(),
            "The pending key is primary now. Deploy it everywhere, then run ./nexora keys rotate --rewrap.",
        )
    if KeyState.DECRYPT_ONLY in states:
        uses = asyncio.run(_with_gateway(_count_uses))
        return _print_keyring(
            keyring.with_retired_keys(uses),
            "The keys that only decrypted are gone from this keyring: older backups can no longer be opened.",
        )
    return _print_keyring(
        keyring.with_pending_key(),
        "A pending key was added; it seals nothing yet. Deploy it everywhere, then rotate again.",
    )


async def _rewrap_and_say(gateway: RotationGateway, keyring: Keyring) -> int:
    moved, unreadable = await rewrap_all(gateway, keyring)
    _say(f"{moved} records were wrapped with {keyring.primary_id}; {unreadable} could not be opened.")
    return 1 if unreadable else 0


async def rewrap_all(gateway: RotationGateway, keyring: Keyring) -> tuple[int, int]:
    """Wraps every record with the primary key, in batches. Tokens themselves are not touched.

    It can be stopped at any time and started again: each record is replaced on its own, and only if it is
    still the one that was read, so a refresh that comes between wins.

    Args:
        gateway: the database.
        keyring: opens the records with its old keys.

    Returns:
        How many records were moved, and how many do not open with this keyring.
    """
    vault, moved, unreadable = Vault(keyring), 0, set[tuple[str, UUID, str]]()
    leaving = [
        kid for kid, state in keyring.states.items() if state not in (KeyState.PRIMARY, KeyState.RETIRED)
    ]
    for key_id in leaving:
        while True:
            batch = await gateway.tokens_to_rewrap(key_id, _BATCH + len(unreadable))
            todo = [record for record in batch if _name(record) not in unreadable]
            if not todo:
                break
            settled = moved + len(unreadable)
            for record in todo:
                try:
                    wrapped = vault.rewrap(sealed_from_text(record.sealed), _place(record))
                except VaultError:
                    unreadable.add(_name(record))
                    continue
                if wrapped is not None and await gateway.rewrap_token(record, sealed_to_text(wrapped)):
                    moved += 1
            if moved + len(unreadable) == settled:
                break  # every one was replaced meanwhile: the next run finds what is left
    return moved, len(unreadable)


async def show_status(gateway: RotationGateway, keyring: Keyring) -> int:
    """Prints one line per key: id, state, number of records that need it. Never a key.

    Returns:
        0, or 1 when a record needs a key that this keyring cannot open with.
    """
    uses = await _count_uses(gateway)
    print(f"{'key':<18}{'state':<14}records")
    for key_id, state in keyring.states.items():
        print(f"{key_id:<18}{state:<14}{uses.get(key_id, 0)}")
    lost = [
        kid for kid in uses if keyring.states.get(kid, KeyState.RETIRED) is KeyState.RETIRED and uses[kid]
    ]
    for key_id in lost:
        if key_id not in keyring.states:
            print(f"{key_id:<18}{'missing':<14}{uses[key_id]}")
    if lost:
        _say(f"Records need keys that this keyring does not have: {', '.join(lost)}")
    return 1 if lost else 0


async def _count_uses(gateway: RotationGateway) -> dict[str, int]:
    return {row.key_id: row.uses for row in await gateway.count_key_use()}


# --- helpers -----------------------------------------------------------------------------------------------


def _current_keyring() -> Keyring:
    text = load(Settings).token_keyring
    return Keyring.from_json(None if text is None else text.get_secret_value())


async def _with_gateway(use: Callable[[RotationGateway], Awaitable[_T]]) -> _T:
    gateway = Gateway.open(load(WorkerSettings))
    try:
        return await use(gateway)
    finally:
        await gateway.aclose()


def _name(record: SealedRecord) -> tuple[str, UUID, str]:
    return record.table_name, record.row_id, record.field


def _place(record: SealedRecord) -> TokenContext:
    field = _FIELDS.get(record.field)
    if field is None or record.user_id is None:
        raise VaultError
    return TokenContext(record.user_id, record.connection_id, record.platform_id, field, record.generation)


def _print_keyring(keyring: Keyring, what: str) -> int:
    """The keyring goes to standard output alone, so that it can be piped into a secret store unseen."""
    _say(what)
    _say("Put what is on standard output into your secret store as NEXORA_TOKEN_KEYRING, and nowhere else.")
    print(keyring.to_json().reveal())
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr)
