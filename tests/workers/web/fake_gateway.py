"""The database's part of connecting an account, in memory, with the rules that its functions keep."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from workers.errors import ConnectionRuleError
from workers.gateway import FlowTicket, OAuthFlow, ResolvedConnection


def digest(value: str) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(value.encode()).hexdigest()


def refusal(function: str, code: str) -> ConnectionRuleError:
    """A refusal as the database answers it."""
    return ConnectionRuleError(function, code, f"Message of {code}", f"Hint of {code} <b>")


@dataclass
class Flow:
    """One attempt to connect an account."""

    user_id: UUID
    platform_id: str
    scopes: tuple[str, ...]
    redirect_to: str
    ticket_hash: str
    flow_id: UUID = field(default_factory=uuid4)
    state_hash: str | None = None
    browser_hash: str | None = None
    sealed_verifier: str | None = None
    is_consumed: bool = False


@dataclass
class FakeGateway:
    """Flows by ticket and state; what was stored; accounts that belong to somebody else."""

    flows: list[Flow] = field(default_factory=list)
    stored: list[dict[str, Any]] = field(default_factory=list)
    taken_subjects: set[str] = field(default_factory=set)
    wrong_subjects: set[str] = field(default_factory=set)
    failure: Exception | None = None
    generation: int = 1

    def begin(
        self,
        platform_id: str,
        scopes: Sequence[str] = ("a", "b"),
        redirect_to: str = "https://app.example/connected",
    ) -> str:
        """What `begin_connection` does; answers the ticket."""
        ticket = secrets.token_hex(32)
        self.flows.append(Flow(uuid4(), platform_id, tuple(scopes), redirect_to, digest(ticket)))
        return ticket

    async def redeem_ticket(
        self, ticket_hash: str, state_hash: str, browser_hash: str, sealed_verifier: str
    ) -> FlowTicket:
        if self.failure is not None:
            raise self.failure
        for flow in self.flows:
            if flow.ticket_hash == ticket_hash and flow.state_hash is None:
                flow.state_hash, flow.browser_hash = state_hash, browser_hash
                flow.sealed_verifier = sealed_verifier
                return FlowTicket(flow_id=flow.flow_id, platform_id=flow.platform_id, scopes=flow.scopes)
        raise refusal("redeem_ticket", "NX210")

    async def consume_oauth_state(self, state_hash: str, browser_hash: str) -> OAuthFlow:
        for flow in self.flows:
            if flow.state_hash == state_hash and not flow.is_consumed:
                if flow.browser_hash != browser_hash:
                    raise refusal("consume_oauth_state", "NX211")
                sealed, flow.sealed_verifier, flow.is_consumed = flow.sealed_verifier, None, True
                assert sealed is not None
                return OAuthFlow(
                    flow_id=flow.flow_id,
                    user_id=flow.user_id,
                    platform_id=flow.platform_id,
                    scopes=flow.scopes,
                    redirect_to=flow.redirect_to,
                    sealed_verifier=sealed,
                )
        raise refusal("consume_oauth_state", "NX210")

    async def resolve_connection(self, flow_id: UUID, external_account_id: str) -> ResolvedConnection:
        if external_account_id in self.taken_subjects:
            raise refusal("resolve_connection", "NX212")
        if external_account_id in self.wrong_subjects:
            raise refusal("resolve_connection", "NX213")
        return ResolvedConnection(connection_id=uuid4(), generation=self.generation)

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
        flow = next(flow for flow in self.flows if flow.flow_id == flow_id)
        if flow.scopes[0] not in scopes:
            raise refusal("hold_connection", "NX214")
        self.stored.append({**locals(), "flow": flow})
        return datetime.now(UTC) + timedelta(minutes=10)
