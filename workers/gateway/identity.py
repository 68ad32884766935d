"""People: guardians' consent, and the countries of log-ins."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from workers.gateway.client import Caller
from workers.gateway.rows import LoginLocation

__all__ = ["IdentityCalls"]


class IdentityCalls(Caller):
    """People: guardians' consent, and the countries of log-ins."""

    async def record_guardian_consent(self, user_id: UUID, method: str, evidence: str) -> None:
        """Record a verified guardian's consent (P9.2). Repeat: NOT after a lost answer; staff look first."""
        await self._call(
            "record_guardian_consent",
            {"p_user_id": str(user_id), "p_method": method, "p_evidence": evidence},
            repeat=False,
        )

    async def revoke_guardian_consent(self, user_id: UUID) -> None:
        """Withdraw it. Repeat: harmless."""
        await self._call("revoke_guardian_consent", {"p_user_id": str(user_id)}, repeat=True)

    async def claim_login_locations(self, limit: int) -> list[LoginLocation]:
        """Log-ins without a country, with their addresses (P1.9). Repeat: harmless, nothing is leased."""
        return await self._rows(LoginLocation, "claim_login_locations", {"p_limit": limit}, repeat=True)

    async def set_login_countries(self, rows: Sequence[tuple[UUID, str | None]]) -> None:
        """Store (login, ISO 3166 country or None when unknown) and drop the addresses. Repeat: harmless."""
        documents = [{"login_id": str(login), "country": country} for login, country in rows]
        await self._call("set_login_countries", {"p_rows": documents}, repeat=True)
