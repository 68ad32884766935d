"""What whoever operates the service does by duty: legal holds, incidents, changes of the policy, children found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pydantic.dataclasses import dataclass

from workers.gateway.answers import instant, scalar
from workers.gateway.client import Caller
from workers.gateway.shapes import ROW

__all__ = ["DutyCalls", "IncidentEvent"]


@dataclass(frozen=True, slots=True, config=ROW)
class IncidentEvent:
    """One line of an incident's timeline for the authority; `people` is how many it concerned."""

    at: datetime
    event: str
    people: int | None


class DutyCalls(Caller):
    """What whoever operates the service does by duty: legal holds, incidents, changes of the policy, children found."""

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

    async def open_incident(
        self, aware_at: datetime, title: str, happened: str, affected: str, doing: str, advice: str
    ) -> UUID:
        """Put a breach on record, with the words for those affected; the 72 hours run from `aware_at` (P3.10).

        Repeat: NOT after a lost answer, a second incident would be opened; look first.
        """
        arguments = {
            "p_aware_at": instant(aware_at),
            "p_title": title,
            "p_happened": happened,
            "p_affected": affected,
            "p_doing": doing,
            "p_advice": advice,
        }
        return scalar("open_incident", UUID, await self._call("open_incident", arguments, repeat=False))

    async def record_authority_notice(self, incident: UUID, reference: str) -> None:
        """Note that the authority was told, and its reference. Repeat: harmless, but it stands there twice."""
        arguments = {"p_incident": str(incident), "p_reference": reference}
        await self._call("record_authority_notice", arguments, repeat=False)

    async def report_incident(self, incident: UUID) -> list[IncidentEvent]:
        """The timeline for the authority: what was done when. Names nobody. Repeat: harmless, nothing changes."""
        return await self._rows(IncidentEvent, "report_incident", {"p_incident": str(incident)}, repeat=True)

    async def announce_policy(self, url: str, summary: str, effective_at: datetime) -> int:
        """Announce a new version of the policy and begin to mail it to everybody (P11.1).

        Args:
            effective_at: at least 14 days after the last mail; the database refuses an earlier date.

        Repeat: NOT after a lost answer, a second version would be announced; look first.
        """
        arguments = {"p_url": url, "p_summary": summary, "p_effective_at": instant(effective_at)}
        return scalar("announce_policy", int, await self._call("announce_policy", arguments, repeat=False))

    async def report_under_13(self, user_id: UUID, evidence: str) -> UUID:
        """An account was found to belong to a child: it is locked at once and erased without grace (P9.1).

        Args:
            evidence: names the case, not the child.

        Repeat: harmless.
        """
        arguments = {"p_user_id": str(user_id), "p_evidence": evidence}
        return scalar("report_under_13", UUID, await self._call("report_under_13", arguments, repeat=True))
