"""The only module that talks to the database: one method per function of schema `worker`, and the private
files.

It uses the Supabase client with the secret key (role `service_role`, the only one with USAGE on `worker`).
Rows come back as frozen, checked data classes. Nothing here logs, and no exception carries a body (P1.11).

What may be repeated
--------------------
A call whose answer was lost may or may not have taken effect. `_call(repeat=True)` repeats it, with full
jitter, only where a second execution is harmless; each method says why. Errors that prove that nothing
happened (`NotSentError`, `DatabaseBusyError`) are repeated for every call.

The one kind of call that must not be repeated blindly is a claim (`claim_targets`, `claim_jobs`,
`claim_revocations`): a lost answer leaves rows leased to a worker id that is alive but does not know about
them, and since a lease lives as long as its worker's heartbeat, they would wait for ever. The caller
therefore reacts to a `TransportError` of a claim by *retiring the worker id*: it registers a new id for
further claims, lets the old id finish what it holds, and then calls `stop_worker(old)`, which frees every
lease of that id that is not sending. `workers.process.Identity` does this.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeVar
from uuid import UUID

import httpx
from postgrest.exceptions import APIError
from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from storage3.exceptions import StorageApiError
from supabase import AsyncClient, AsyncClientOptions
from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from workers import http
from workers.errors import (
    ContractMismatchError,
    DatabaseBusyError,
    FileChangedError,
    FileMissingError,
    GatewayError,
    NotSentError,
    StorageError,
    TransportError,
    database_error,
)
from workers.metrics import Metrics
from workers.settings import WorkerSettings

__all__ = [
    "UNREADABLE_ANSWER",
    "ClaimedJob",
    "ClaimedRevocation",
    "ClaimedTarget",
    "FlowTicket",
    "FollowUpItem",
    "Gateway",
    "HousekeepingResult",
    "JobResult",
    "KeyUse",
    "LoginLocation",
    "MediaItem",
    "OAuthFlow",
    "OutcomeName",
    "ReportAnswer",
    "ResolvedConnection",
    "RevocationResult",
    "SealedRecord",
    "TargetResult",
    "TokenLease",
]

Json = Any
_T = TypeVar("_T")

UNREADABLE_ANSWER: Final = "answer_shape"
"""Code of a `ContractMismatchError` for an answer that came but has another shape than expected: the call
took effect."""

OutcomeName = Literal["published", "retry", "rejected", "unknown", "unconfirmed", "released", "reconnect"]

_ATTEMPTS: Final = 4
"""Most executions of one call, the first included."""

_ROW = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


# --- rows that come back ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class MediaItem:
    """One file of a post, in order of its position.

    Attributes:
        bucket_id, object_name: where it is in the private storage.
        mime_type: as registered, e.g. `image/jpeg`.
        size_bytes: as registered.
        alt_text: description for people who cannot see it. Personal content: never log it.
        kind: `image`, `video` or `document`.
        width, height: pixels; None when unknown.
        duration_ms: of a video; None when unknown.
    """

    bucket_id: str
    object_name: str = Field(repr=False)
    mime_type: str
    size_bytes: int
    kind: str = "image"
    alt_text: str | None = Field(default=None, repr=False)
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class FollowUpItem:
    """A further part of a thread, or the first comment.

    Attributes:
        position: 1, 2, … in the order in which they go out.
        text: personal content: never log it.
        external_id: at the platform, when it is already out.
    """

    position: int
    text: str = Field(repr=False)
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class ClaimedTarget:
    """A target (one post on one account) that is leased to this worker, with all that publishing it needs.

    Attributes:
        attempt: fencing token; every later call about this target carries it.
        mode: `publish`, or `reconcile` when an earlier attempt was marked as sending and its outcome is
            unknown.
        text: what is to be posted. Personal content: never log it.
        sealed_access: sealed access token, base64; only the vault opens it. Empty: the account has none
            any more.
        generation: of the token; part of its additional data.
        access_expires_at: when the access token dies; None when the platform did not say.
        sending_at: start of the irreversible call of an earlier attempt (reconcile), else None.
        progress: what an earlier attempt saved with `save_progress`, e.g. ids of uploads.
        external_id: of the post itself, when an earlier attempt has published it.
        follow_ups: what is to be published after it, in order.
        thumbnail: preview picture of the video, where there is one.
    """

    target_id: UUID
    attempt: int
    mode: Literal["publish", "reconcile"]
    user_id: UUID
    connection_id: UUID
    platform_id: str
    external_account_id: str = Field(repr=False)
    text: str = Field(repr=False)
    scheduled_at: datetime
    sealed_access: Annotated[str, BeforeValidator(lambda value: value or "")] = Field(default="", repr=False)
    generation: Annotated[int, BeforeValidator(lambda value: value or 0)] = 0
    options: dict[str, Json] = Field(default_factory=dict, repr=False)
    media: tuple[MediaItem, ...] = ()
    thumbnail: MediaItem | None = None
    follow_ups: tuple[FollowUpItem, ...] = ()
    external_id: str | None = None
    scopes: tuple[str, ...] = ()
    access_expires_at: datetime | None = None
    sending_at: datetime | None = None
    progress: dict[str, Json] | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class ReportAnswer:
    """What became of one reported result.

    Attributes:
        accepted: False when the lease was no longer ours (someone else decides about the target now).
        state: state of the target afterwards; None when it no longer exists.
    """

    target_id: UUID
    accepted: bool
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
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


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class HousekeepingResult:
    """One cleanup task and the number of rows it touched."""

    task: str
    affected: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class LoginLocation:
    """A log-in whose country is still to be derived. The address is for that purpose only (P1.9)."""

    login_id: UUID
    ip: str = Field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class FlowTicket:
    """An OAuth flow whose one-time ticket was just redeemed."""

    flow_id: UUID
    platform_id: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class OAuthFlow:
    """An OAuth flow whose state was just consumed; `sealed_verifier` is base64."""

    flow_id: UUID
    user_id: UUID
    platform_id: str
    scopes: tuple[str, ...]
    redirect_to: str = Field(repr=False)
    sealed_verifier: str = Field(repr=False)
    features: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class ResolvedConnection:
    """Row that a flow's tokens belong to, and the generation to seal them with."""

    connection_id: UUID
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class TokenLease:
    """Sealed tokens of a connection, and whether the caller now holds its refresh lock (60 s).

    Attributes:
        leased: True: refresh and store. False: someone else refreshes, or the tokens are already newer than
            the generation the caller had seen: use what came back, or wait.
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


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class ClaimedRevocation:
    """A sealed token that is to be revoked at the platform, leased to this worker."""

    outbox_id: UUID
    attempt: int
    connection_id: UUID
    platform_id: str
    generation: int
    sealed_token: str = Field(repr=False)
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
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


@dataclass(frozen=True, slots=True, kw_only=True, config=_ROW)
class KeyUse:
    """How many stored values are wrapped by a key."""

    key_id: str
    uses: int


# --- results that go out ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, config=_ROW)
class TargetResult:
    """Outcome of one attempt, as `worker.report_targets` takes it.

    Attributes:
        outcome: `published`; `retry` (known not accepted); `rejected` (for good, `message` in plain words);
            `unknown` (probe again later); `unconfirmed` (the platform cannot say); `released` (handed back
            untouched); `reconnect` (the account must be connected again).
        platform_key: the platform's own key of the attempt, where it has one.
        retry_after_seconds: earliest time of the next try, where the platform said so.
    """

    target_id: UUID
    attempt: int
    outcome: OutcomeName
    code: str | None = None
    message: str | None = Field(default=None, repr=False)
    external_id: str | None = None
    external_url: str | None = Field(default=None, repr=False)
    http_status: int | None = None
    platform_key: str | None = Field(default=None, repr=False)
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, config=_ROW)
class JobResult:
    """Outcome of one job, as `worker.finish_jobs` takes it."""

    lane: str
    subject_id: UUID
    attempt: int
    outcome: Literal["done", "retry", "dead"]
    code: str | None = None
    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, config=_ROW)
class RevocationResult:
    """Outcome of one revocation, as `worker.report_revocations` takes it.

    Attributes:
        outcome: `done` (the platform confirmed), `retry`, or `gone` (nothing left to revoke).
    """

    outbox_id: UUID
    attempt: int
    outcome: Literal["done", "retry", "gone"]
    code: str | None = None


def _document(value: object) -> dict[str, Json]:
    """A data class as JSON object without its empty fields."""
    fields: dict[str, Json] = {}
    for name in type(value).__dataclass_fields__:  # type: ignore[attr-defined]
        item = getattr(value, name)
        if item is not None:
            fields[name] = str(item) if isinstance(item, UUID) else item
    return fields


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, NotSentError | DatabaseBusyError)


def _is_passing_or_unknown(error: BaseException) -> bool:
    return isinstance(error, TransportError | DatabaseBusyError)


class Gateway:
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
        self._metrics = metrics or Metrics()
        self._client = client
        self._session = session
        self._worker = client.schema("worker")

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

    # --- transport ------------------------------------------------------------------------------------------

    async def _once(self, function: str, arguments: Mapping[str, Json]) -> Json:
        try:
            answer = await self._worker.rpc(function, dict(arguments)).execute()
        except APIError as error:
            detail = error.details if isinstance(error.details, str) else None
            raise database_error(
                function, error.code, error.message, error.hint, detail
            ) from None  # its text may quote rows
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind(function, type(error).__name__) from None  # the cause holds the secret key
        data: Json = answer.data
        return data

    async def _call(
        self, function: str, arguments: Mapping[str, Json] | None = None, *, repeat: bool
    ) -> Json:
        """Call `worker.<function>`; see the module's text for `repeat`."""
        retrying = AsyncRetrying(
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.1, max=3),  # full jitter
            retry=retry_if_exception(_is_passing_or_unknown if repeat else _is_passing),
            reraise=True,
        )
        return await retrying(self._once, function, arguments or {})

    async def _rows(
        self,
        kind: type[_T],
        function: str,
        arguments: Mapping[str, Json] | None = None,
        *,
        repeat: bool,
    ) -> list[_T]:
        data = await self._call(function, arguments, repeat=repeat)
        return _checked(function, list[kind], [] if data is None else data)  # type: ignore[valid-type]

    async def _row(self, kind: type[_T], function: str, arguments: Mapping[str, Json], *, repeat: bool) -> _T:
        rows = await self._rows(kind, function, arguments, repeat=repeat)
        if len(rows) != 1:
            raise ContractMismatchError(function, UNREADABLE_ANSWER, "rows")
        return rows[0]

    # --- the process ----------------------------------------------------------------------------------------

    async def register_worker(self, name: str, public_url: str, redirect_urls: Sequence[str]) -> UUID:
        """Announce this process and its URLs; the answer is its worker id.

        Repeat: harmless; an id that nobody uses is swept when its heartbeat stops.
        """
        data = await self._call(
            "register_worker",
            {"p_name": name, "p_public_url": public_url, "p_redirect_urls": list(redirect_urls)},
            repeat=True,
        )
        return _scalar("register_worker", UUID, data)

    async def heartbeat(self, worker_id: UUID) -> bool:
        """Keep this id's leases alive. False: unknown or declared dead; drop the work and register again.

        Repeat: harmless.
        """
        return _scalar(
            "heartbeat", bool, await self._call("heartbeat", {"p_worker_id": str(worker_id)}, repeat=True)
        )

    async def stop_worker(self, worker_id: UUID) -> None:
        """End this id and free its leases that are not sending. Repeat: harmless."""
        await self._call("stop_worker", {"p_worker_id": str(worker_id)}, repeat=True)

    async def run_housekeeping(self) -> list[HousekeepingResult]:
        """Run every registered cleanup once. Repeat: harmless, each task is idempotent."""
        return await self._rows(HousekeepingResult, "run_housekeeping", repeat=True)

    # --- publishing -----------------------------------------------------------------------------------------

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None
    ) -> list[ClaimedTarget]:
        """Lease due targets, earliest first.

        Args:
            worker_id: a live id.
            limit: most rows to lease.
            since: skip rows due before this instant (keeps a long drain fast); None looks at all of them.

        Repeat: NOT after a lost answer (see the module's text).
        """
        arguments: dict[str, Json] = {"p_worker_id": str(worker_id), "p_limit": limit}
        if since is not None:
            arguments["p_since"] = since.isoformat()
        return await self._rows(ClaimedTarget, "claim_targets", arguments, repeat=False)

    async def next_publish_due(self) -> datetime | None:
        """When the earliest unleased target is due; None when there is none. Repeat: reads only."""
        data = await self._call("next_publish_due", repeat=True)
        return _optional_scalar("next_publish_due", datetime, data)

    async def save_progress(
        self, worker_id: UUID, target_id: UUID, attempt: int, progress: Mapping[str, Json]
    ) -> bool:
        """Remember ids of the platform (uploads) for later attempts. False: the lease is no longer ours.

        Repeat: harmless, same value, fenced.
        """
        data = await self._call(
            "save_progress",
            {
                "p_worker_id": str(worker_id),
                "p_target_id": str(target_id),
                "p_attempt": attempt,
                "p_progress": dict(progress),
            },
            repeat=True,
        )
        return _scalar("save_progress", bool, data)

    async def mark_sending(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> frozenset[UUID]:
        """Record that the irreversible call of these attempts starts now.

        Args:
            worker_id: the id that claimed them.
            targets: (target, attempt, platform key or None).

        Returns:
            Those that may be sent. The others were cancelled, disconnected or taken over: they must not be.

        Repeat: harmless; a second marking of the same attempt answers the same.
        """
        documents = [
            {"target_id": str(target), "attempt": attempt, "platform_key": key}
            for target, attempt, key in targets
        ]
        data = await self._call(
            "mark_sending", {"p_worker_id": str(worker_id), "p_targets": documents}, repeat=True
        )
        marked = _checked("mark_sending", list[UUID], _unwrapped(data))
        return frozenset(marked)

    async def report_targets(self, worker_id: UUID, results: Sequence[TargetResult]) -> list[ReportAnswer]:
        """Report outcomes in one round trip. Repeat: harmless, fenced by (target, attempt, worker)."""
        return await self._rows(
            ReportAnswer,
            "report_targets",
            {"p_worker_id": str(worker_id), "p_results": [_document(result) for result in results]},
            repeat=True,
        )

    # --- other lanes ----------------------------------------------------------------------------------------

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        """Lease due jobs of a lane. Repeat: NOT after a lost answer (see the module's text)."""
        return await self._rows(
            ClaimedJob,
            "claim_jobs",
            {"p_worker_id": str(worker_id), "p_lane": lane, "p_limit": limit},
            repeat=False,
        )

    async def next_job_due(self, lane: str) -> datetime | None:
        """When the lane's earliest unleased job is due; None when there is none. Repeat: reads only."""
        data = await self._call("next_job_due", {"p_lane": lane}, repeat=True)
        return _optional_scalar("next_job_due", datetime, data)

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        """Report outcomes of jobs; those whose lease is gone change nothing. Repeat: harmless, fenced."""
        await self._call(
            "finish_jobs",
            {"p_worker_id": str(worker_id), "p_results": [_document(result) for result in results]},
            repeat=True,
        )

    # --- identity -------------------------------------------------------------------------------------------

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

    # --- connecting accounts --------------------------------------------------------------------------------

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
                "p_access_expires_at": _instant(access_expires_at),
                "p_refresh_expires_at": _instant(refresh_expires_at),
                "p_code_hash": code_hash,
            },
            repeat=False,
        )
        return _scalar("hold_connection", datetime, data)

    # --- tokens ---------------------------------------------------------------------------------------------

    async def lease_token(
        self, connection_id: UUID, worker_id: UUID, generation_seen: int | None = None
    ) -> TokenLease | None:
        """Ask for the refresh lock of a connection; None when it has no tokens any more (disconnected).

        Args:
            generation_seen: generation the caller found too old; nothing is leased when a newer one exists.

        Repeat: harmless, the same worker gets its own lock again.
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
                "p_access_expires_at": _instant(access_expires_at),
                "p_refresh_expires_at": _instant(refresh_expires_at),
            },
            repeat=True,
        )
        is_stored = _scalar("store_refreshed_token", bool, data)
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
        is_ended = _scalar("revoke_connection", bool, data)
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
            {"p_worker_id": str(worker_id), "p_results": [_document(result) for result in results]},
            repeat=True,
        )

    # --- key rotation ---------------------------------------------------------------------------------------

    async def tokens_to_rewrap(self, key_id: str, limit: int) -> list[SealedRecord]:
        """Sealed values that the key `key_id` wraps, at most 1,000. Repeat: reads only."""
        return await self._rows(
            SealedRecord, "tokens_to_rewrap", {"p_key_id": key_id, "p_limit": limit}, repeat=True
        )

    async def rewrap_token(self, record: SealedRecord, sealed: str) -> bool:
        """Replace a sealed value by its re-wrapped form (base64) if it is still the one that was read.

        Returns:
            False when it has changed since (refreshed, disconnected): nothing to do, it is newer. Also when a
            first execution whose answer was lost had done it.

        Repeat: harmless, compare and swap.
        """
        data = await self._call(
            "rewrap_token",
            {
                "p_table": record.table_name,
                "p_row_id": str(record.row_id),
                "p_field": record.field,
                "p_old": record.sealed,
                "p_new": sealed,
            },
            repeat=True,
        )
        return _scalar("rewrap_token", bool, data)

    async def count_key_use(self) -> list[KeyUse]:
        """How many stored values each key wraps. Repeat: reads only."""
        return await self._rows(KeyUse, "count_key_use", repeat=True)

    # --- private files --------------------------------------------------------------------------------------

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str:
        """A URL under which a private file can be read for `seconds` (P3.3). A capability: never log it.

        Raises:
            FileMissingError: no such object.
            StorageError: refused.
            TransportError: no answer, after repeats (signing is harmless to repeat).
        """
        signed: str = await _patiently(self._sign_once, bucket_id, object_name, seconds)
        return signed

    async def _sign_once(self, bucket_id: str, object_name: str, seconds: int) -> str:
        try:
            answer = await self._client.storage.from_(bucket_id).create_signed_url(object_name, seconds)
        except StorageApiError as error:
            raise _storage_error("sign_file", str(error.status)) from None  # its text names the file
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("sign_file", type(error).__name__) from None  # the cause holds the secret key
        except ValidationError:
            raise ContractMismatchError("sign_file", UNREADABLE_ANSWER, "signedURL") from None
        return str(answer["signedURL"])

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes:
        """Read a part of a private file by its signed URL (HTTP Range).

        Args:
            url: from `sign_file`.
            start, length: which bytes, at least one.
            size: of the whole file, as registered.

        Raises:
            FileMissingError: no such object (any more).
            FileChangedError: the file has another size now.
            StorageError: refused, e.g. because the URL has expired.
            TransportError: no complete answer, after repeats (reading is harmless to repeat).
        """
        part: bytes = await _patiently(self._read_once, url, start, length, size)
        return part

    async def _read_once(self, url: str, start: int, length: int, size: int) -> bytes:
        body = bytearray()
        wanted = {"Range": f"bytes={start}-{start + length - 1}"}
        try:
            async with self._session.stream("GET", url, headers=wanted) as response:
                if response.status_code in (400, 404):
                    await response.aread()
                _require_part(response, start, length, size)
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > length:  # an answer without end must not fill the memory
                        raise FileChangedError("read_part")
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = NotSentError if http.is_not_sent(error) else TransportError
            raise kind("read_part", type(error).__name__) from None  # the cause holds the URL
        if len(body) != length:
            raise TransportError("read_part", "incomplete")
        return bytes(body)


async def _patiently(call: Callable[..., Awaitable[_T]], *arguments: Any) -> _T:
    """Call something that is harmless to repeat, several times if need be."""
    retrying = AsyncRetrying(
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random_exponential(multiplier=0.1, max=3),
        retry=retry_if_exception(_is_passing_or_unknown),
        reraise=True,
    )
    return await retrying(call, *arguments)


# --- reading answers ----------------------------------------------------------------------------------------


def _require_part(response: httpx.Response, start: int, length: int, size: int) -> None:
    """Check that an answer is the part that was asked for, of the file that was registered."""
    status = response.status_code
    if status == 206:
        if response.headers.get("content-range") != f"bytes {start}-{start + length - 1}/{size}":
            raise FileChangedError("read_part")
    elif status == 200:  # the whole file: fine if that was asked for
        if start != 0 or response.headers.get("content-length") not in (None, str(length)):
            raise FileChangedError("read_part")
    elif status == 416:
        raise FileChangedError("read_part")
    elif status in (400, 404):
        raise _storage_error("read_part", _inner_status(response))
    else:
        raise _storage_error("read_part", str(status))


def _inner_status(response: httpx.Response) -> str:
    """Storage answers a missing object with 404, or with 400 and a body whose `statusCode` is "404"."""
    try:
        body = json.loads(response.content)
    except ValueError:
        body = None
    inner = body.get("statusCode") if isinstance(body, dict) else None
    return str(response.status_code if inner is None or response.status_code == 404 else inner)


def _storage_error(function: str, status: str) -> GatewayError:
    if status == "404":
        return FileMissingError(function)
    if status.isdigit() and int(status) >= 500:
        return TransportError(function, status)
    return StorageError(function, f"refused with {status}")


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Built at first use, so that a process does not start with all of them."""
    return TypeAdapter(kind)


def _checked(function: str, kind: type[_T], data: Json) -> _T:
    try:
        checked: _T = _adapter(kind).validate_python(data)  # type: ignore[arg-type]
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)
        names = {str(item["loc"][-1]) for item in found if item["loc"]}
        # Field names only: the values are tokens and texts (P1.11).
        raise ContractMismatchError(function, UNREADABLE_ANSWER, ", ".join(sorted(names))) from None
    return checked


def _unwrapped(data: Json) -> Json:
    """`returns setof uuid` comes as a list of strings, or of objects with one field where the API wraps
    scalars."""
    if data is None:
        return []
    if isinstance(data, list):
        return [next(iter(x.values())) if isinstance(x, dict) and len(x) == 1 else x for x in data]
    return [data]


def _bare(data: Json) -> Json:
    """A scalar answer; some APIs wrap it in a list or in an object with one field."""
    if isinstance(data, list):
        data = data[0] if data else None
    if isinstance(data, dict) and len(data) == 1:
        data = next(iter(data.values()))
    return data


def _scalar(function: str, kind: type[_T], data: Json) -> _T:
    return _checked(function, kind, _bare(data))


def _optional_scalar(function: str, kind: type[_T], data: Json) -> _T | None:
    bare = _bare(data)
    return None if bare is None or bare == "" else _checked(function, kind, bare)
