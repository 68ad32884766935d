"""Tokens for publishing, as `TokenKeeper` keeps them."""

from __future__ import annotations

from uuid import UUID

from workers.gateway import ClaimedTarget
from workers.jobs.refresh import TokenKeeper
from workers.vault import SecretToken

__all__ = ["KeptTokens"]


class KeptTokens:
    """Adapts `TokenKeeper` to what publishing asks for."""

    def __init__(self, keeper: TokenKeeper) -> None:
        self._keeper = keeper

    async def open(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        fresh = await self._keeper.fresh_claim(claim, worker_id)
        return self._keeper.open_access(fresh), fresh.generation

    async def renew(self, claim: ClaimedTarget, worker_id: UUID, generation: int) -> tuple[SecretToken, int]:
        newer = await self._keeper.renew(claim.connection_id, worker_id, generation)
        return self._keeper.open_access(newer), newer.generation
