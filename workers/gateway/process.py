"""The process: its worker ids and their leases, housekeeping."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from workers.gateway.answers import scalar
from workers.gateway.client import Caller
from workers.gateway.rows import HousekeepingResult

__all__ = ["ProcessCalls"]


class ProcessCalls(Caller):
    """The process: its worker ids and their leases, housekeeping."""

    async def register_worker(self, name: str, public_url: str, redirect_urls: Sequence[str]) -> UUID:
        """Announce this process and its URLs; the answer is its worker id.

        Repeat: harmless; an id that nobody uses is swept when its heartbeat stops.
        """
        data = await self._call(
            "register_worker",
            {"p_name": name, "p_public_url": public_url, "p_redirect_urls": list(redirect_urls)},
            repeat=True,
        )
        return scalar("register_worker", UUID, data)

    async def heartbeat(self, worker_id: UUID) -> bool:
        """Keep this id's leases alive. False: unknown or declared dead; drop the work and register again.

        Repeat: harmless.
        """
        return scalar(
            "heartbeat", bool, await self._call("heartbeat", {"p_worker_id": str(worker_id)}, repeat=True)
        )

    async def stop_worker(self, worker_id: UUID) -> None:
        """End this id and free its leases that are not sending. Repeat: harmless."""
        await self._call("stop_worker", {"p_worker_id": str(worker_id)}, repeat=True)

    async def run_housekeeping(self) -> list[HousekeepingResult]:
        """Run every registered cleanup once. Repeat: harmless, each task is idempotent."""
        return await self._rows(HousekeepingResult, "run_housekeeping", repeat=True)
