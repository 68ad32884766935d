"""The copy of erasures outside the database: who must not come back when a backup is restored (P8.2).

One small sealed file per erasure, in folder `erasures` beside the backups. It names nobody: it tells whether somebody
whom a backup brings back is the person. It is destroyed when no backup is left that may hold them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from workers.gateway import Tombstone
from workers.jobs.backup.places import Place
from workers.vault import SecretToken, TombstoneContext, Vault, VaultError

__all__ = ["FOLDER", "TombstoneError", "TombstoneGateway", "copy_tombstones", "read_tombstones"]

FOLDER: Final = "erasures"
_SUFFIX: Final = ".nxe"
_BATCH: Final = 200


class TombstoneError(Exception):
    """The copy of erasures cannot be read; the message names files by their number only."""


class TombstoneGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def pending_tombstones(self, limit: int) -> list[Tombstone]: ...

    async def confirm_tombstones(self, done: Sequence[Tombstone]) -> None: ...


async def copy_tombstones(gateway: TombstoneGateway, vault: Vault, place: Place) -> int:
    """Bring the copy up to date: write what is new, destroy what has to go. Safe to repeat and to do at once.

    Returns:
        How many files changed.

    Raises:
        GatewayError: the database or the bucket.
        OSError: the folder.
    """
    changed = 0
    while pending := await gateway.pending_tombstones(_BATCH):
        for one in pending:
            name = f"{FOLDER}/{one.erasure_id}{_SUFFIX}"
            if one.state == "gone":
                await place.remove([name])
            else:
                await place.store(name, _content(vault, one))
        await gateway.confirm_tombstones(pending)
        changed += len(pending)
        if len(pending) < _BATCH:
            break
    return changed


async def _content(vault: Vault, one: Tombstone) -> AsyncIterator[bytes]:
    said = {
        "erasure_id": str(one.erasure_id),
        "state": one.state,
        "tag_key": one.tag_key,
        "subject_tag": one.subject_tag,
        "requested_at": one.requested_at.isoformat(),
        "ended_at": None if one.ended_at is None else one.ended_at.isoformat(),
    }
    yield vault.seal(SecretToken(json.dumps(said)), TombstoneContext(one.erasure_id))


def read_tombstones(vault: Vault, folder: Path) -> Iterator[dict[str, Any]]:
    """Open the copy that lies in a folder.

    Raises:
        TombstoneError: a file does not open; without all of them a restore could bring somebody back.
    """
    for number, path in enumerate(sorted(folder.glob(f"*{_SUFFIX}")), start=1):
        try:
            opened = vault.open(path.read_bytes(), TombstoneContext(UUID(path.name.removesuffix(_SUFFIX))))
            yield json.loads(opened.reveal())
        except (VaultError, ValueError):
            raise TombstoneError(
                f"file {number} of the copy of erasures does not open with this keyring"
            ) from None
