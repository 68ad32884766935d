"""Publishing: claim, keep progress, mark, record, report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from workers.gateway.answers import checked, optional_scalar, scalar, unwrapped
from workers.gateway.client import Caller
from workers.gateway.shapes import Json, document
from workers.gateway.targets import ClaimedTarget, ReportAnswer, TargetResult

__all__ = ["PublishingCalls"]


class PublishingCalls(Caller):
    """Publishing: claim, keep progress, mark, record, report."""

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None, busy: Sequence[UUID] = ()
    ) -> list[ClaimedTarget]:
        """Lease due targets, earliest first.

        Args:
            worker_id: a live id.
            limit: most rows to lease.
            since: skip rows due before this instant (keeps a long drain fast); None looks at all of them.
            busy: accounts of which this worker has enough in hand; while others wait, it gets no more of them.

        Repeat: NOT after a lost answer (see the module's text).
        """
        arguments: dict[str, Json] = {"p_worker_id": str(worker_id), "p_limit": limit}
        if since is not None:
            arguments["p_since"] = since.isoformat()
        if busy:
            arguments["p_busy"] = [str(account) for account in busy]
        data = await self._call("claim_targets", arguments, repeat=False)
        return checked("claim_targets", list[ClaimedTarget], [_with_thumbnail(row) for row in data or []])

    async def next_publish_due(self) -> datetime | None:
        """When the earliest unleased target is due; None when there is none. Repeat: reads only."""
        data = await self._call("next_publish_due", repeat=True)
        return optional_scalar("next_publish_due", datetime, data)

    async def save_progress(
        self, worker_id: UUID, target_id: UUID, attempt: int, progress: Mapping[str, Json]
    ) -> bool:
        """Remember ids of the platform (uploads) for later attempts. False: the lease is no longer ours.

        Repeat: harmless, same value, fenced.
        """
        data = await self._call(
            "save_progress",
            {
                "p_worker_id": str(worker_id),
                "p_target_id": str(target_id),
                "p_attempt": attempt,
                "p_progress": dict(progress),
            },
            repeat=True,
        )
        return scalar("save_progress", bool, data)

    async def mark_sending(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> frozenset[UUID]:
        """Record that the irreversible call of these attempts starts now.

        Args:
            worker_id: the id that claimed them.
            targets: (target, attempt, platform key or None).

        Returns:
            Those that may be sent. The others were cancelled, disconnected or taken over: they must not be.

        Repeat: harmless; a second marking of the same attempt answers the same.
        """
        documents = [
            {"target_id": str(target), "attempt": attempt, "platform_key": key}
            for target, attempt, key in targets
        ]
        data = await self._call(
            "mark_sending", {"p_worker_id": str(worker_id), "p_targets": documents}, repeat=True
        )
        marked = checked("mark_sending", list[UUID], unwrapped(data))
        return frozenset(marked)

    async def record_part(
        self,
        worker_id: UUID,
        target_id: UUID,
        attempt: int,
        position: int,
        external_id: str,
        external_url: str | None,
        charge: str | None,
    ) -> bool:
        """Store the id of a part of a target that is out, and clear the mark of its sending.

        Args:
            position: 0 for the post itself, else that of the follow-up.
            charge: as in `TargetResult`.

        Returns:
            False when the lease is no longer ours; whoever has it probes for this part.

        Repeat: harmless, fenced; the same part again answers the same.
        """
        data = await self._call(
            "record_part",
            {
                "p_worker_id": str(worker_id),
                "p_target_id": str(target_id),
                "p_attempt": attempt,
                "p_position": position,
                "p_external_id": external_id,
                "p_external_url": external_url,
                "p_charge": charge,
            },
            repeat=True,
        )
        return scalar("record_part", bool, data)

    async def report_targets(self, worker_id: UUID, results: Sequence[TargetResult]) -> list[ReportAnswer]:
        """Report outcomes in one round trip. Repeat: harmless, fenced by (target, attempt, worker)."""
        return await self._rows(
            ReportAnswer,
            "report_targets",
            {"p_worker_id": str(worker_id), "p_results": [document(result) for result in results]},
            repeat=True,
        )


def _with_thumbnail(row: Json) -> Json:
    """The preview picture comes among the files of a post, by its role; here it goes by itself."""
    media = row.get("media") if isinstance(row, dict) else None
    if not isinstance(media, list) or not any(_is_thumbnail(item) for item in media):
        return row
    files = [item for item in media if not _is_thumbnail(item)]
    return {**row, "media": files, "thumbnail": next(item for item in media if _is_thumbnail(item))}


def _is_thumbnail(item: Json) -> bool:
    return isinstance(item, dict) and item.get("role") == "thumbnail"
