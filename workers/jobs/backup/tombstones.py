"""The copy of erasures outside the database: who must not come back when a backup is restored (P8.2).

One small sealed file per erasure, in folder `erasures` beside the backups. It names nobody: it tells whether somebody
whom a backup brings back is the person. It is destroyed when no backup is left that may hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from workers.gateway import Tombstone
from workers.jobs.backup.places import Place
from workers.logs import get_logger
from workers.vault import SecretToken, TombstoneContext, Vault, VaultError

__all__ = ["FOLDER", "TombstoneError", "TombstoneGateway", "Tombstones", "copy_tombstones", "read_tombstones"]

FOLDER: Final = "erasures"
_SUFFIX: Final = ".nxe"
_BATCH: Final = 200
_REGISTER: Final = UUID(int=0)
"""No erasure: says until when the copy is complete."""

_SKEW: Final = timedelta(minutes=1)
"""By which the clocks of a worker and the database may differ."""

_log = get_logger(__name__)


class TombstoneError(Exception):
    """The copy of erasures cannot be read; the message names files by their number only."""


class TombstoneGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def pending_tombstones(self, limit: int) -> list[Tombstone]: ...

    async def confirm_tombstones(self, done: Sequence[Tombstone]) -> None: ...

    async def reconcile_tombstones(self, copied: Sequence[UUID]) -> int: ...


async def copy_tombstones(gateway: TombstoneGateway, vault: Vault, place: Place) -> int:
    """Bring the copy up to date: write what is new, destroy what has to go. Safe to repeat and to do at once.

    Only at the one place where the copy is kept (NEXORA_BACKUP_TO): what it has, the database forgets.

    Returns:
        How many files changed.

    Raises:
        GatewayError: the database or the bucket.
        OSError: the folder.
    """
    asked_at = datetime.now(UTC)
    there = {
        UUID(file.name.removesuffix(_SUFFIX)) for file in await place.files(FOLDER) if _is_copy(file.name)
    }
    missing = await gateway.reconcile_tombstones(sorted(there - {_REGISTER}))
    if missing:
        _log.error("tombstones_missing", count=missing)
    changed = 0
    while pending := await gateway.pending_tombstones(_BATCH):
        for one in pending:
            if one.state == "gone":
                await place.remove([_name(one.erasure_id)])
            else:
                await place.store(_name(one.erasure_id), _sealed(vault, one.erasure_id, _said(one)))
        await gateway.confirm_tombstones(pending)
        changed += len(pending)
        if len(pending) < _BATCH:
            break
    # From this instant on nothing is missing here of what had happened before it.
    register = {"state": "register", "copied_at": asked_at.isoformat()}
    await place.store(_name(_REGISTER), _sealed(vault, _REGISTER, register))
    return changed


def _name(erasure_id: UUID) -> str:
    return f"{FOLDER}/{erasure_id}{_SUFFIX}"


def _is_copy(name: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.nxe", name) is not None


def _said(one: Tombstone) -> dict[str, Any]:
    return {
        "erasure_id": str(one.erasure_id),
        "state": one.state,
        "tag_key": one.tag_key,
        "subject_tag": one.subject_tag,
        "requested_at": one.requested_at.isoformat(),
        "ended_at": None if one.ended_at is None else one.ended_at.isoformat(),
    }


async def _sealed(vault: Vault, erasure_id: UUID, said: dict[str, Any]) -> AsyncIterator[bytes]:
    yield vault.seal(SecretToken(json.dumps(said)), TombstoneContext(erasure_id))


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The copy of erasures, read.

    Attributes:
        copied_at: it has everything that had happened by then.
        erasures: as `private.settle_restore` takes them.
    """

    copied_at: datetime
    erasures: list[dict[str, Any]]


def read_tombstones(vault: Vault, folder: Path, taken_at: datetime) -> Tombstones:
    """Open the copy that lies in a folder, for restoring a backup that was taken at `taken_at`.

    Raises:
        TombstoneError: it is not there, older than the backup, or does not open: a restore could bring somebody back.
    """
    copied_at, erasures = None, []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        try:
            opened = vault.open(path.read_bytes(), TombstoneContext(UUID(path.name.removesuffix(_SUFFIX))))
            said = json.loads(opened.reveal())
        except (VaultError, ValueError):
            raise TombstoneError(
                f"{path.name} of the copy of erasures does not open with this keyring"
            ) from None
        if said["state"] == "register":
            copied_at = datetime.fromisoformat(said["copied_at"])
        else:
            erasures.append(said)
    if copied_at is None:
        raise TombstoneError(
            f"the copy of erasures is not at {folder}: without it, people who were erased since would come back"
        )
    if copied_at < taken_at - _SKEW:
        raise TombstoneError(
            "the copy of erasures is older than the backup: people who were erased since would come back"
        )
    return Tombstones(copied_at, erasures)
