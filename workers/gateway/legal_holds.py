"""Legal holds: placed and released by two people (P8.5)."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from workers.gateway.answers import scalar
from workers.gateway.client import Caller

__all__ = ["LegalHoldCalls"]


class LegalHoldCalls(Caller):
    """Legal holds: placed and released by two people (P8.5)."""

    async def place_legal_hold(
        self, subject_id: UUID, categories: Sequence[str], matter: str, by: str
    ) -> UUID:
        """Keep what the categories cover of a person from being deleted; lapses after 72 hours unless approved.

        Args:
            subject_id: the person.
            categories: of the data catalogue.
            matter: file number or the like, no personal content.
            by: who places it.

        Repeat: NOT after a lost answer, a second hold would be placed; look first.
        """
        arguments = {
            "p_subject_id": str(subject_id),
            "p_categories": list(categories),
            "p_matter": matter,
            "p_by": by,
        }
        data = await self._call("place_legal_hold", arguments, repeat=False)
        return scalar("place_legal_hold", UUID, data)

    async def approve_legal_hold(self, hold_id: UUID, by: str) -> bool:
        """A second person approves. False: it was approved or released already. Repeat: harmless."""
        arguments = {"p_hold_id": str(hold_id), "p_by": by}
        return scalar(
            "approve_legal_hold", bool, await self._call("approve_legal_hold", arguments, repeat=True)
        )

    async def release_legal_hold(self, hold_id: UUID, by: str) -> bool:
        """The first person asks (False), a second one lifts it (True). Repeat: harmless by the same person."""
        arguments = {"p_hold_id": str(hold_id), "p_by": by}
        return scalar(
            "release_legal_hold", bool, await self._call("release_legal_hold", arguments, repeat=True)
        )
