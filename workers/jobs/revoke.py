"""Gives the tokens of disconnected accounts back to their platforms (P6.7, RFC 7009).

Disconnecting has already deleted the tokens; what is sealed in the outbox serves this one purpose and is gone
within 24 hours whatever happens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from workers.errors import ProviderError, ProviderRateLimitedError, ProviderRefusedError
from workers.gateway import ClaimedRevocation, RevocationResult
from workers.logs import get_logger
from workers.providers.oauth import PlatformOAuth
from workers.vault import TokenContext, Vault, VaultError, sealed_from_text

__all__ = ["run_revocations"]

# Our own credentials are wrong: an operator can mend that within the day, so the token is kept for another
# try.
_OUR_FAULT: Final = frozenset({"invalid_client", "unauthorized_client"})

_log = get_logger(__name__)


class RevocationGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def claim_revocations(self, worker_id: UUID, limit: int) -> list[ClaimedRevocation]:
        """See `Gateway.claim_revocations`."""
        ...

    async def report_revocations(self, worker_id: UUID, results: Sequence[RevocationResult]) -> None:
        """See `Gateway.report_revocations`."""
        ...


async def run_revocations(
    gateway: RevocationGateway,
    vault: Vault,
    clients: Mapping[str, PlatformOAuth],
    worker_id: UUID,
    limit: int,
) -> int:
    """Revokes what is due, all at once.

    Args:
        gateway: the database.
        vault: opens the sealed tokens.
        clients: OAuth clients by platform id.
        worker_id: a live id of this process.
        limit: most revocations to take.

    Returns:
        How many were taken.

    Raises:
        GatewayError: when claiming or reporting fails; a failed revocation is a result, not an error.
    """
    claims = await gateway.claim_revocations(worker_id, limit)
    if not claims:
        return 0
    results = await asyncio.gather(*(_revoke(vault, clients, claim) for claim in claims))
    await gateway.report_revocations(worker_id, results)
    return len(claims)


async def _revoke(
    vault: Vault, clients: Mapping[str, PlatformOAuth], claim: ClaimedRevocation
) -> RevocationResult:
    """`done`: the platform has ended it. `retry`: it may still live. `gone`: nothing more can be done."""
    client = clients.get(claim.platform_id)
    if client is None:
        return RevocationResult(claim.outbox_id, claim.attempt, "retry", "not_configured")
    if client.definition.revocation is None:
        return RevocationResult(claim.outbox_id, claim.attempt, "done", "not_offered")
    try:
        token = vault.open(sealed_from_text(claim.sealed_token), _place(claim))
    except VaultError:
        _log.error("revocation_unreadable", connection_id=claim.connection_id, platform_id=claim.platform_id)
        return RevocationResult(claim.outbox_id, claim.attempt, "gone", "sealed_token_unreadable")
    try:
        await client.revoke(token)
    except ProviderError as error:
        _log.warning("revocation_failed", connection_id=claim.connection_id, code=error.code)
        if _is_final(error):
            return RevocationResult(claim.outbox_id, claim.attempt, "gone", error.code)
        return RevocationResult(claim.outbox_id, claim.attempt, "retry", error.code)
    return RevocationResult(claim.outbox_id, claim.attempt, "done")


def _place(claim: ClaimedRevocation) -> TokenContext:
    if claim.user_id is None:
        raise VaultError
    return TokenContext(claim.user_id, claim.connection_id, claim.platform_id, "revocation", claim.generation)


def _is_final(error: ProviderError) -> bool:
    """Whether the platform's "no" will not change. 503 and silence mean that the token still lives."""
    if isinstance(error, ProviderRateLimitedError) or not isinstance(error, ProviderRefusedError):
        return False
    return error.code not in _OUR_FAULT
