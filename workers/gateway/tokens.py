"""Tokens: refresh under lock, the end of a grant, revocation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from workers.gateway.answers import instant, scalar
from workers.gateway.client import Caller
from workers.gateway.rows import ClaimedRevocation, RevocationResult, TokenLease
from workers.gateway.shapes import document

__all__ = ["TokenCalls"]


class TokenCalls(Caller):
    """Tokens: refresh under lock, the end of a grant, revocation."""

    async def lease_token(
        self, connection_id: UUID, worker_id: UUID, generation_seen: int | None = None
    ) -> TokenLease | None:
        """Ask for the refresh lock of a connection; None when it has no tokens any more (disconnected).

        Args:
            generation_seen: generation the caller found too old; nothing is leased when a newer one exists.

        Repeat: safe. Whoever asks while the lock runs, its holder included, gets `leased=False`; a lock that was
        taken by a call whose answer was lost comes free after its 60 seconds.
        """
        rows = await self._rows(
            TokenLease,
            "lease_token",
            {
                "p_connection_id": str(connection_id),
                "p_worker_id": str(worker_id),
                "p_generation_seen": generation_seen,
            },
            repeat=True,
        )
        return rows[0] if rows else None

    async def store_refreshed_token(
        self,
        *,
        connection_id: UUID,
        worker_id: UUID,
        generation: int,
        sealed_access: str,
        sealed_refresh: str | None,
        sealed_revocation: str,
        key_ids: Sequence[str],
        access_expires_at: datetime | None,
        refresh_expires_at: datetime | None,
    ) -> bool:
        """Store the next generation of tokens and release the lock.

        Returns:
            False when another generation or nobody's lock was found: these tokens were not stored.

        Repeat: the first execution may have stored them, and a second one then answers False although it is
        done. Since losing a rotated refresh token disconnects a person, it is repeated; a caller that
        gets False reads back with `lease_token(generation_seen=…)`.
        """
        data = await self._call(
            "store_refreshed_token",
            {
                "p_connection_id": str(connection_id),
                "p_worker_id": str(worker_id),
                "p_generation": generation,
                "p_sealed_access": sealed_access,
                "p_sealed_refresh": sealed_refresh,
                "p_sealed_revocation": sealed_revocation,
                "p_key_ids": list(key_ids),
                "p_access_expires_at": instant(access_expires_at),
                "p_refresh_expires_at": instant(refresh_expires_at),
            },
            repeat=True,
        )
        is_stored = scalar("store_refreshed_token", bool, data)
        self._metrics.token_refreshes.labels("stored" if is_stored else "outdated").inc()
        return is_stored

    async def fail_refresh(self, connection_id: UUID, worker_id: UUID, code: str) -> None:
        """A passing failure: release the lock, keep the connection (it is never disconnected by one). Repeat:
        harmless."""
        await self._call(
            "fail_refresh",
            {"p_connection_id": str(connection_id), "p_worker_id": str(worker_id), "p_code": code},
            repeat=True,
        )
        self._metrics.token_refreshes.labels("failed").inc()

    async def revoke_connection(self, connection_id: UUID, code: str, generation: int | None = None) -> bool:
        """The platform ended the grant: tokens are deleted, the person is asked to connect again (P6.8).

        Args:
            generation: set of tokens that the platform spoke about; when newer ones are stored, nothing is
                done.

        Returns:
            False when there was nothing to do.

        Repeat: harmless.
        """
        data = await self._call(
            "revoke_connection",
            {"p_connection_id": str(connection_id), "p_code": code, "p_generation": generation},
            repeat=True,
        )
        is_ended = scalar("revoke_connection", bool, data)
        if is_ended:
            self._metrics.token_refreshes.labels("ended").inc()
        return is_ended

    async def claim_revocations(self, worker_id: UUID, limit: int) -> list[ClaimedRevocation]:
        """Lease sealed tokens that are to be revoked. Repeat: NOT after a lost answer (see the module's
        text)."""
        return await self._rows(
            ClaimedRevocation,
            "claim_revocations",
            {"p_worker_id": str(worker_id), "p_limit": limit},
            repeat=False,
        )

    async def report_revocations(self, worker_id: UUID, results: Sequence[RevocationResult]) -> None:
        """Report outcomes of revocations. Repeat: harmless, fenced."""
        await self._call(
            "report_revocations",
            {"p_worker_id": str(worker_id), "p_results": [document(result) for result in results]},
            repeat=True,
        )
