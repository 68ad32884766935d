"""Connecting accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from workers.gateway.answers import instant, scalar
from workers.gateway.client import Caller
from workers.gateway.rows import FlowTicket, OAuthFlow, ResolvedConnection

__all__ = ["ConnectionCalls"]


class ConnectionCalls(Caller):
    """Connecting accounts."""

    async def redeem_ticket(
        self, ticket_hash: str, state_hash: str, browser_hash: str, sealed_verifier: str
    ) -> FlowTicket:
        """Exchange the one-time ticket of `begin_connection` for its flow.

        Raises:
            ConnectionRuleError: unknown, used or expired ticket.

        Repeat: NOT after a lost answer (a ticket works once); the person starts again.
        """
        return await self._row(
            FlowTicket,
            "redeem_ticket",
            {
                "p_ticket_hash": ticket_hash,
                "p_state_hash": state_hash,
                "p_browser_hash": browser_hash,
                "p_sealed_verifier": sealed_verifier,
            },
            repeat=False,
        )

    async def consume_oauth_state(self, state_hash: str, browser_hash: str) -> OAuthFlow:
        """Take the flow of a callback, once.

        Raises:
            ConnectionRuleError: NX210 unknown, used or expired; NX211 another browser.

        Repeat: NOT after a lost answer (a state works once); the person starts again.
        """
        return await self._row(
            OAuthFlow,
            "consume_oauth_state",
            {"p_state_hash": state_hash, "p_browser_hash": browser_hash},
            repeat=False,
        )

    async def resolve_connection(self, flow_id: UUID, external_account_id: str) -> ResolvedConnection:
        """The row that this flow's tokens belong to; needed before sealing, since its id is bound into them.

        Raises:
            ConnectionRuleError: NX212 linked to another person; NX213 reconnect with a different account.

        Repeat: harmless, answers the same row.
        """
        return await self._row(
            ResolvedConnection,
            "resolve_connection",
            {"p_flow_id": str(flow_id), "p_external_account_id": external_account_id},
            repeat=True,
        )

    async def hold_connection(
        self,
        *,
        flow_id: UUID,
        connection_id: UUID,
        external_account_id: str,
        handle: str | None,
        display_name: str | None,
        avatar_url: str | None,
        scopes: Sequence[str],
        generation: int,
        sealed_access: str,
        sealed_refresh: str | None,
        sealed_revocation: str,
        key_ids: Sequence[str],
        access_expires_at: datetime | None,
        refresh_expires_at: datetime | None,
        code_hash: str,
    ) -> datetime:
        """Hold an account with its sealed tokens until the person confirms it; answers until when.

        Args:
            scopes: granted by the platform, as it answered.
            generation: as `resolve_connection` answered; the sealed values are bound to it.
            key_ids: ids of the keys that wrap the sealed values.
            code_hash: SHA-256 in hex of the code that the browser takes to the front end.

        Raises:
            ConnectionRuleError: NX214 a needed scope was not granted, or scopes were widened.

        Repeat: NOT after a lost answer (the flow is gone then); the person starts again.
        """
        data = await self._call(
            "hold_connection",
            {
                "p_flow_id": str(flow_id),
                "p_connection_id": str(connection_id),
                "p_external_account_id": external_account_id,
                "p_handle": handle,
                "p_display_name": display_name,
                "p_avatar_url": avatar_url,
                "p_scopes": list(scopes),
                "p_generation": generation,
                "p_sealed_access": sealed_access,
                "p_sealed_refresh": sealed_refresh,
                "p_sealed_revocation": sealed_revocation,
                "p_key_ids": list(key_ids),
                "p_access_expires_at": instant(access_expires_at),
                "p_refresh_expires_at": instant(refresh_expires_at),
                "p_code_hash": code_hash,
            },
            repeat=False,
        )
        return scalar("hold_connection", datetime, data)
