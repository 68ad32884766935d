"""What publishing needs of the world around it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from workers.gateway import ClaimedTarget, ReportAnswer, TargetResult
from workers.jobs.publishing.files import FileGateway
from workers.vault import SecretToken

__all__ = ["Limits", "PublishGateway", "Tokens"]


class PublishGateway(FileGateway, Protocol):
    """The part of `workers.gateway.Gateway` that publishing uses."""

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None, busy: Sequence[UUID] = ()
    ) -> list[ClaimedTarget]: ...

    async def next_publish_due(self) -> datetime | None: ...

    async def save_progress(
        self, worker_id: UUID, target_id: UUID, attempt: int, progress: Mapping[str, Any]
    ) -> bool: ...

    async def mark_sending(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> frozenset[UUID]: ...

    async def record_part(
        self,
        worker_id: UUID,
        target_id: UUID,
        attempt: int,
        position: int,
        external_id: str,
        external_url: str | None,
        charge: str | None,
    ) -> bool: ...

    async def report_targets(
        self, worker_id: UUID, results: Sequence[TargetResult]
    ) -> list[ReportAnswer]: ...

    async def revoke_connection(
        self, connection_id: UUID, code: str, generation: int | None = None
    ) -> bool: ...


class Tokens(Protocol):
    """Access tokens that work; `workers.jobs.refresh.TokenKeeper` behind `workers.process`."""

    async def open(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        """The claim's access token, renewed where it is about to end, and its generation.

        Raises:
            GrantRevokedError: the grant is over and the database knows it.
            NexoraError, VaultError: no usable token now.
        """
        ...

    async def renew(self, claim: ClaimedTarget, worker_id: UUID, generation: int) -> tuple[SecretToken, int]:
        """A newer token than that of `generation`, which the platform refused. Raises as `open`."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process does at once.

    Attributes:
        concurrency: targets worked on at the same time; twice as many may be in hand.
        poll_seconds: longest sleep, so that what was scheduled earlier than the known next one is seen.
        stop_seconds: how long a graceful stop waits for what is sending.
        media_bytes: most bytes of files in memory.
    """

    concurrency: int = 32
    poll_seconds: float = 1.0
    stop_seconds: float = 50.0
    media_bytes: int = 64 * 1024 * 1024
