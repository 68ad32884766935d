"""Rows of everything but publishing: jobs, flows, tokens, keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field
from pydantic.dataclasses import dataclass

from workers.gateway.shapes import ROW

__all__ = [
    "ClaimedJob",
    "ClaimedRevocation",
    "FlowTicket",
    "HousekeepingResult",
    "JobResult",
    "KeyUse",
    "LoginLocation",
    "OAuthFlow",
    "ResolvedConnection",
    "RevocationResult",
    "SealedRecord",
    "TokenLease",
]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ClaimedJob:
    """A job of a lane other than publishing, leased to this worker.

    Attributes:
        subject_id: what the job is about; for lane `refresh` the connection.
        attempt: fencing token.
        next_due: when the lane's next job is due; None when there is none.
    """

    subject_id: UUID
    attempt: int
    next_due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class HousekeepingResult:
    """One cleanup task and the number of rows it touched."""

    task: str
    affected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class LoginLocation:
    """A log-in whose country is still to be derived. The address is for that purpose only (P1.9)."""

    login_id: UUID
    ip: str = Field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class FlowTicket:
    """An OAuth flow whose one-time ticket was just redeemed."""

    flow_id: UUID
    platform_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class OAuthFlow:
    """An OAuth flow whose state was just consumed; `sealed_verifier` is base64."""

    flow_id: UUID
    user_id: UUID
    platform_id: str
    scopes: tuple[str, ...]
    redirect_to: str = Field(repr=False)
    sealed_verifier: str = Field(repr=False)
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ResolvedConnection:
    """Row that a flow's tokens belong to, and the generation to seal them with."""

    connection_id: UUID
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class TokenLease:
    """Sealed tokens of a connection, and whether the caller now holds its refresh lock (60 s).

    Attributes:
        leased: True: refresh and store. False: someone else refreshes (or the caller itself, since an earlier
            call), the tokens are already newer than the generation the caller had seen, or there is no refresh
            token: use what came back, or wait.
    """

    connection_id: UUID
    user_id: UUID
    platform_id: str
    generation: int
    sealed_access: str = Field(repr=False)
    leased: bool
    external_account_id: str | None = Field(default=None, repr=False)
    sealed_refresh: str | None = Field(default=None, repr=False)
    access_expires_at: datetime | None = None
    refresh_expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ClaimedRevocation:
    """A sealed token that is to be revoked at the platform, leased to this worker."""

    outbox_id: UUID
    attempt: int
    connection_id: UUID
    platform_id: str
    generation: int
    sealed_token: str = Field(repr=False)
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class SealedRecord:
    """A sealed value that a certain key wraps, with the place it is bound to.

    Attributes:
        table_name, row_id, field: where it is; handed back to `rewrap_token`.
        sealed: base64.
    """

    table_name: str
    row_id: UUID
    connection_id: UUID
    platform_id: str
    generation: int
    field: str
    sealed: str = Field(repr=False)
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class KeyUse:
    """How many stored values are wrapped by a key."""

    key_id: str
    uses: int


@dataclass(frozen=True, slots=True, config=ROW)
class JobResult:
    """Outcome of one job, as `worker.finish_jobs` takes it."""

    lane: str
    subject_id: UUID
    attempt: int
    outcome: Literal["done", "retry", "dead"]
    code: str | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, config=ROW)
class RevocationResult:
    """Outcome of one revocation, as `worker.report_revocations` takes it.

    Attributes:
        outcome: `done` (the platform confirmed), `retry`, or `gone` (nothing left to revoke).
    """

    outbox_id: UUID
    attempt: int
    outcome: Literal["done", "retry", "gone"]
    code: str | None = None
