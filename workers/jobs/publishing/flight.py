"""One claimed target on its way through this process."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from enum import StrEnum
from typing import Any

from workers.gateway import ClaimedTarget, FollowUpItem
from workers.jobs import Identity
from workers.providers.base import SEND_ENDED, Published

__all__ = ["Flight", "Phase", "own_progress"]


class Phase(StrEnum):
    """How far a target has come; see the package's text."""

    PREPARING = "preparing"
    MARKING = "marking"
    SENDING = "sending"
    REPORTING = "reporting"


class Flight:
    """One claimed target and what this process knows of it.

    Attributes:
        claim: as the database handed it over, kept up to date with what has been recorded since.
        phase: see there.
        is_marked: the database holds our mark.
        is_released: it was told to stop.
        is_settled: the database has ended it by itself.
    """

    __slots__ = ("claim", "claimed_at", "identity", "is_marked", "is_released", "is_settled", "phase", "task")

    def __init__(self, claim: ClaimedTarget, identity: Identity) -> None:
        self.claim = claim
        self.identity = identity
        self.phase = Phase.PREPARING
        self.is_marked = False
        self.is_released = False
        self.is_settled = False
        self.claimed_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Stop it, unless it has gone too far for that."""
        if self.phase is Phase.PREPARING and self.task is not None and not self.is_released:
            self.is_released = True
            self.task.cancel()

    @property
    def missing_part(self) -> FollowUpItem | None:
        """The part that goes out next: None for the post itself, or when all are out."""
        if self.claim.external_id is None:
            return None
        return next((part for part in self.claim.follow_ups if part.external_id is None), None)

    def keep(self, progress: dict[str, Any]) -> None:
        """The database holds this progress now."""
        self.claim = dataclasses.replace(self.claim, progress=progress)

    def recorded(self, position: int, published: Published) -> None:
        """The database knows this part and holds no mark any more: whatever comes next begins anew."""
        claim, external_id = self.claim, published.external_id
        self.phase = Phase.PREPARING
        self.is_marked = False
        self.claim = dataclasses.replace(
            claim,
            mode="publish",
            sending_at=None,
            progress={name: value for name, value in own_progress(claim).items() if name != SEND_ENDED},
            external_id=external_id if position == 0 else claim.external_id,
            follow_ups=tuple(
                dataclasses.replace(part, external_id=external_id) if part.position == position else part
                for part in claim.follow_ups
            ),
        )


def own_progress(claim: ClaimedTarget) -> dict[str, Any]:
    """The claim's progress without the key, which the database itself keeps with the mark."""
    return {name: value for name, value in (claim.progress or {}).items() if name != "platform_key"}
