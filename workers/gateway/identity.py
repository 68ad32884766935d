"""People: guardians' consent, and the countries of log-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.dataclasses import dataclass

from workers.gateway.answers import scalar
from workers.gateway.client import Caller
from workers.gateway.rows import LoginLocation
from workers.gateway.shapes import ROW

__all__ = ["GuardianRequest", "IdentityCalls"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class GuardianRequest:
    """What the link in a guardian's mail is about."""

    state: Literal["open", "given", "withdrawn"]
    child_name: str | None = Field(default=None, repr=False)
    guardian_name: str | None = Field(default=None, repr=False)


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

    async def find_guardian_request(self, token_hash: str) -> GuardianRequest:
        """What a guardian's link is about. Repeat: reads only.

        Raises:
            PrivacyRuleError: NX942 there is no such link.
        """
        return await self._row(
            GuardianRequest, "find_guardian_request", {"p_token_hash": token_hash}, repeat=True
        )

    async def confirm_guardian_request(self, token_hash: str) -> str:
        """The guardian consents: `given`, or `not_needed`. Repeat: harmless.

        Raises:
            PrivacyRuleError: NX942 there is no such link.
        """
        data = await self._call("confirm_guardian_request", {"p_token_hash": token_hash}, repeat=True)
        return scalar("confirm_guardian_request", str, data)

    async def withdraw_guardian_consent(self, token_hash: str) -> str:
        """The guardian declines or takes it back: `declined` or `withdrawn`. Repeat: harmless.

        Raises:
            PrivacyRuleError: NX942 there is no such link.
        """
        data = await self._call("withdraw_guardian_consent", {"p_token_hash": token_hash}, repeat=True)
        return scalar("withdraw_guardian_consent", str, data)

    async def claim_login_locations(self, limit: int) -> list[LoginLocation]:
        """Log-ins without a country, with their addresses (P1.9). Repeat: harmless, nothing is leased."""
        return await self._rows(LoginLocation, "claim_login_locations", {"p_limit": limit}, repeat=True)

    async def set_login_countries(self, rows: Sequence[tuple[UUID, str | None]]) -> None:
        """Store (login, ISO 3166 country or None when unknown) and drop the addresses. Repeat: harmless."""
        documents = [{"login_id": str(login), "country": country} for login, country in rows]
        await self._call("set_login_countries", {"p_rows": documents}, repeat=True)
