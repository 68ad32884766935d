"""The only module that talks to the database: one method per function of schema `worker`, and the private
files.

It uses the Supabase client with the secret key (role `service_role`, the only one with USAGE on `worker`).
Rows come back as frozen, checked data classes. Nothing here logs, and no exception carries a body (P1.11).

What may be repeated
--------------------
A call whose answer was lost may or may not have taken effect. `_call(repeat=True)` repeats it, with full
jitter, only where a second execution is harmless; each method says why. Errors that prove that nothing
happened (`NotSentError`, `DatabaseBusyError`) are repeated for every call.

The one kind of call that must not be repeated blindly is a claim (`claim_targets`, `claim_jobs`, `claim_mails`,
`claim_revocations`): a lost answer leaves rows leased to a worker id that is alive but does not know about
them, and since a lease lives as long as its worker's heartbeat, they would wait for ever. The caller
therefore reacts to a `TransportError` of a claim by *retiring the worker id*: it registers a new id for
further claims, lets the old id finish what it holds, and then calls `stop_worker(old)`, which frees every
lease of that id that is not sending. `workers.process.Identity` does this.
"""

from __future__ import annotations

import httpx
from supabase import AsyncClient, AsyncClientOptions

from workers import http
from workers.gateway.answers import UNREADABLE_ANSWER
from workers.gateway.attestation import (
    AttestationCalls,
    AttestationHead,
    AttestedCheck,
    PromiseText,
    StoredAttestation,
)
from workers.gateway.backups import BACKUPS_BUCKET, BackupCalls, BackupFile, BackupTask, ListedFile, Tombstone
from workers.gateway.calendar import CalendarCalls, CalendarEvent, CalendarFeed
from workers.gateway.connections import ConnectionCalls
from workers.gateway.duties import DutyCalls, IncidentEvent
from workers.gateway.erasure import ErasureCalls, ErasureErrands, ErasureStep, OutsideAccount, StoredFile
from workers.gateway.exports import (
    EXPORTS_BUCKET,
    ExportArea,
    ExportCalls,
    ExportDocument,
    ExportTask,
    Omission,
)
from workers.gateway.files import FileCalls
from workers.gateway.identity import GuardianRequest, IdentityCalls
from workers.gateway.jobs import JobCalls
from workers.gateway.keys import KeyCalls
from workers.gateway.mail import ClaimedMail, MailCalls, MailLink, MailResult
from workers.gateway.process import ProcessCalls
from workers.gateway.publishing import PublishingCalls
from workers.gateway.rights import OpenRequest, RequestCount, RightsCalls
from workers.gateway.rows import (
    ClaimedJob,
    ClaimedRevocation,
    FlowTicket,
    HousekeepingResult,
    JobResult,
    KeyUse,
    LoginLocation,
    OAuthFlow,
    ResolvedConnection,
    RevocationResult,
    SealedRecord,
    TokenLease,
)
from workers.gateway.targets import (
    ClaimedTarget,
    FollowUpItem,
    MediaItem,
    OutcomeName,
    ReportAnswer,
    TargetResult,
)
from workers.gateway.tokens import TokenCalls
from workers.metrics import Metrics
from workers.settings import WorkerSettings

__all__ = [
    "BACKUPS_BUCKET",
    "EXPORTS_BUCKET",
    "UNREADABLE_ANSWER",
    "AttestationHead",
    "AttestedCheck",
    "BackupFile",
    "BackupTask",
    "CalendarEvent",
    "CalendarFeed",
    "ClaimedJob",
    "ClaimedMail",
    "ClaimedRevocation",
    "ClaimedTarget",
    "ErasureErrands",
    "ErasureStep",
    "ExportArea",
    "ExportDocument",
    "ExportTask",
    "FlowTicket",
    "FollowUpItem",
    "Gateway",
    "GuardianRequest",
    "HousekeepingResult",
    "IncidentEvent",
    "JobResult",
    "KeyUse",
    "ListedFile",
    "LoginLocation",
    "MailLink",
    "MailResult",
    "MediaItem",
    "OAuthFlow",
    "Omission",
    "OpenRequest",
    "OutcomeName",
    "OutsideAccount",
    "PromiseText",
    "ReportAnswer",
    "RequestCount",
    "ResolvedConnection",
    "RevocationResult",
    "SealedRecord",
    "StoredAttestation",
    "StoredFile",
    "TargetResult",
    "TokenLease",
    "Tombstone",
]


class Gateway(
    ProcessCalls,
    PublishingCalls,
    JobCalls,
    MailCalls,
    IdentityCalls,
    ConnectionCalls,
    TokenCalls,
    KeyCalls,
    FileCalls,
    CalendarCalls,
    ErasureCalls,
    DutyCalls,
    RightsCalls,
    AttestationCalls,
    ExportCalls,
    BackupCalls,
):
    """The worker's view of the database.

    Every method raises: `RuleError` and the other `DatabaseError`s when the database refused,
    `TransportError` when the outcome is unknown (after the repeats that are safe), `ContractMismatchError`
    when an answer has another shape. Sealed values are base64 text, hashes are hex text, times are aware
    datetimes.
    """

    def __init__(
        self, client: AsyncClient, session: httpx.AsyncClient, metrics: Metrics | None = None
    ) -> None:
        """Use `Gateway.open`; tests hand in a client over a mock transport."""
        super().__init__(client, session, metrics or Metrics())

    @classmethod
    def open(
        cls,
        settings: WorkerSettings,
        *,
        metrics: Metrics | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> Gateway:
        """Build the client; connects with the first call. Close with `aclose`.

        Args:
            settings: where the database is, and the secret key.
            metrics: counts refreshes of tokens.
            transport: replaces the network; tests.
        """
        session = http.build_client(http.DATABASE, transport=transport)
        options = AsyncClientOptions(
            httpx_client=session,
            auto_refresh_token=False,
            persist_session=False,
            postgrest_client_retry=False,  # what may be repeated is decided here
        )
        client = AsyncClient(settings.supabase_url, settings.supabase_secret_key.get_secret_value(), options)
        return cls(client, session, metrics)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()
