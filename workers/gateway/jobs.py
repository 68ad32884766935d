"""Jobs of the other lanes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from workers.gateway.answers import optional_scalar
from workers.gateway.client import Caller
from workers.gateway.rows import ClaimedJob, JobResult
from workers.gateway.shapes import document

__all__ = ["JobCalls"]


class JobCalls(Caller):
    """Jobs of the other lanes."""

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        """Lease due jobs of a lane. Repeat: NOT after a lost answer (see the module's text)."""
        return await self._rows(
            ClaimedJob,
            "claim_jobs",
            {"p_worker_id": str(worker_id), "p_lane": lane, "p_limit": limit},
            repeat=False,
        )

    async def next_job_due(self, lane: str) -> datetime | None:
        """When the lane's earliest unleased job is due; None when there is none. Repeat: reads only."""
        data = await self._call("next_job_due", {"p_lane": lane}, repeat=True)
        return optional_scalar("next_job_due", datetime, data)

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        """Report outcomes of jobs; those whose lease is gone change nothing. Repeat: harmless, fenced."""
        await self._call(
            "finish_jobs",
            {"p_worker_id": str(worker_id), "p_results": [document(result) for result in results]},
            repeat=True,
        )
