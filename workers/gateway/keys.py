"""Rotation of the keys that wrap stored values."""

from __future__ import annotations

from workers.gateway.answers import scalar
from workers.gateway.client import Caller
from workers.gateway.rows import KeyUse, SealedRecord

__all__ = ["KeyCalls"]


class KeyCalls(Caller):
    """Rotation of the keys that wrap stored values."""

    async def tokens_to_rewrap(self, key_id: str, limit: int) -> list[SealedRecord]:
        """Sealed values that the key `key_id` wraps, at most 1,000. Repeat: reads only."""
        return await self._rows(
            SealedRecord, "tokens_to_rewrap", {"p_key_id": key_id, "p_limit": limit}, repeat=True
        )

    async def rewrap_token(self, record: SealedRecord, sealed: str) -> bool:
        """Replace a sealed value by its re-wrapped form (base64) if it is still the one that was read.

        Returns:
            False when it has changed since (refreshed, disconnected): nothing to do, it is newer. Also when a
            first execution whose answer was lost had done it.

        Repeat: harmless, compare and swap.
        """
        data = await self._call(
            "rewrap_token",
            {
                "p_table": record.table_name,
                "p_row_id": str(record.row_id),
                "p_field": record.field,
                "p_old": record.sealed,
                "p_new": sealed,
            },
            repeat=True,
        )
        return scalar("rewrap_token", bool, data)

    async def count_key_use(self) -> list[KeyUse]:
        """How many stored values each key wraps. Repeat: reads only."""
        return await self._rows(KeyUse, "count_key_use", repeat=True)
