"""Publishing: claim what is due, publish it, report what became of it. Never twice, never silently lost.

The life of a target in this process::

    claimed ── preparing ──────────────── marking ── sending ── reporting
               token, files, uploads      database   platform   database
               (may be dropped)           (from here on it is carried through)

- *Claim.* In batches, as many as there is room for; several batches are worked on at once. Between claims the
loop
  sleeps until the time at which the database says the next target is due, at most `poll_seconds`.
- *Preparing* can be undone by forgetting it. When the process stops or its lease is lost, these are dropped.
- *Marking.* Before the irreversible call the database records that it begins (`mark_sending`), and refuses
when the
  target was cancelled, disconnected or taken over. A call that could not begin within `START_SECONDS` after
  its
  marking, or under a lease whose last heartbeat is old, is not made: somebody else may already be looking for
  its traces.
- *Sending* is never interrupted, except by its own deadline `SEND_SECONDS`, and at the end of a graceful
stop. Then its
  outcome is unknown and the target is reconciled: the next claim comes in mode `reconcile` and probes the
      platform.
- *Reporting* is repeated until the database answers; it is fenced by (target, attempt, worker), so repeating
is safe.

Targets of one account go out one after the other in the order in which they were claimed. A rate limit of an
account holds its other targets back as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol
from uuid import UUID

from workers.errors import (
    DatabaseBusyError,
    DatabaseError,
    GatewayError,
    GrantRevokedError,
    LeaseLostError,
    NexoraError,
    NotSentError,
    ProviderRefusedError,
    TransportError,
)
from workers.gateway import (
    UNREADABLE_ANSWER,
    ClaimedTarget,
    OutcomeName,
    ReportAnswer,
    TargetResult,
)
from workers.jobs import Identity, Membership, backoff_seconds, pause
from workers.jobs.coalescer import Coalescer
from workers.jobs.publishing.files import media_of
from workers.jobs.publishing.memory import MemoryBudget
from workers.logs import get_logger
from workers.metrics import Metrics
from workers.providers.base import (
    SETTLE_AFTER_END,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    Publisher,
    PublishStopped,
    Rejected,
    Unknown,
    now_utc,
    send_ended,
)
from workers.vault import SecretToken, VaultError

__all__ = ["Limits", "PublishGateway", "PublishJob", "Tokens"]

START_SECONDS: Final = 10.0
SEND_SECONDS: Final = 40.0
_BATCH: Final = 250
_WATERMARK_SLACK: Final = timedelta(seconds=1)
_SWEEP_SECONDS: Final = 3.0
_LAST_REPORTS_SECONDS: Final = 5.0
_AFTER_SECONDS: Final = 120.0
_MARKS: Final = frozenset({"platform_key", "sending_attempt"})

log = get_logger(__name__)


class PublishGateway(Protocol):
    """The part of `workers.gateway.Gateway` that publishing uses."""

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None
    ) -> list[ClaimedTarget]: ...

    async def next_publish_due(self) -> datetime | None: ...

    async def save_progress(
        self, worker_id: UUID, target_id: UUID, attempt: int, progress: Mapping[str, Any]
    ) -> bool: ...

    async def mark_sending(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> frozenset[UUID]: ...

    async def report_targets(
        self, worker_id: UUID, results: Sequence[TargetResult]
    ) -> list[ReportAnswer]: ...

    async def revoke_connection(
        self, connection_id: UUID, code: str, generation: int | None = None
    ) -> bool: ...

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str: ...

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes: ...


class Tokens(Protocol):
    """Access tokens that work; `workers.jobs.refresh.TokenKeeper` behind `workers.process`."""

    async def open(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        """The claim's access token, renewed where it is about to end, and its generation.

        Raises:
            GrantRevokedError: the grant is over and the database knows it.
            NexoraError, VaultError: no usable token now.
        """
        ...

    async def renew(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        """A newer token than the claim's, which the platform refused. Raises as `open`."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one process does at once.

    Attributes:
        concurrency: targets worked on at the same time; twice as many may be in hand.
        poll_seconds: longest sleep, so that what was scheduled earlier than the known next one is seen.
        stop_seconds: how long a graceful stop waits for what is sending.
        media_bytes: most bytes of files in memory.
    """

    concurrency: int = 32
    poll_seconds: float = 1.0
    stop_seconds: float = 50.0
    media_bytes: int = 256 * 1024 * 1024


class _Phase(StrEnum):
    PREPARING = "preparing"
    MARKING = "marking"
    SENDING = "sending"
    REPORTING = "reporting"


class _Flight:
    """One claimed target on its way."""

    __slots__ = ("claim", "claimed_at", "identity", "is_marked", "is_released", "is_settled", "phase", "task")

    def __init__(self, claim: ClaimedTarget, identity: Identity) -> None:
        self.claim = claim
        self.identity = identity
        self.phase = _Phase.PREPARING
        self.is_marked = False
        self.is_released = False
        self.is_settled = False
        self.claimed_at = time.monotonic()
        self.task: asyncio.Task[None] | None = None

    def drop(self) -> None:
        """Stop it, unless it has gone too far for that."""
        if self.phase is _Phase.PREPARING and self.task is not None and not self.is_released:
            self.is_released = True
            self.task.cancel()


class _Refused(Exception):  # noqa: N818  a way out of nested steps, not an error
    """The database does not let this attempt go on."""


class PublishJob:
    """The publishing loop of one process. `run` returns when the process stops and everything is reported.

    Args:
        gateway: the database.
        publishers: by platform id.
        tokens: gives out access tokens.
        membership: the process around it.
        limits: see there.
        metrics: counts.
        now: wall clock, for due times.
    """

    def __init__(
        self,
        gateway: PublishGateway,
        publishers: Mapping[str, Publisher],
        tokens: Tokens,
        membership: Membership,
        *,
        limits: Limits,
        metrics: Metrics,
        now: Callable[[], datetime] = now_utc,
    ) -> None:
        self._gateway = gateway
        self._publishers = publishers
        self._tokens = tokens
        self._membership = membership
        self._limits = limits
        self._metrics = metrics
        self._now = now
        self._flights: set[_Flight] = set()
        self._room_changed = asyncio.Event()
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._accounts = _Accounts()
        self._memory = MemoryBudget(limits.media_bytes)
        self._marks: Coalescer[tuple[UUID, int, str | None], bool] = Coalescer(self._mark_many)
        self._reports: Coalescer[TargetResult, bool] = Coalescer(self._report_many, is_split_on_refusal=True)
        self._give_up = asyncio.Event()
        self._overdue = 0

    # --- the loop -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Claim and publish until the process stops; then finish and return."""
        try:
            await self._claim_until_stopped()
        finally:
            await self._finish()

    async def _claim_until_stopped(self) -> None:
        membership = self._membership
        failures = 0
        watermark: datetime | None = None
        swept_at = 0.0
        while not membership.stopping.is_set():
            room = await self._wait_for_room()
            if room == 0:
                continue
            if time.monotonic() - swept_at > _SWEEP_SECONDS:
                watermark = None  # look at everything: retries and freed leases are due before the watermark
            if watermark is None:
                swept_at = time.monotonic()
            limit = min(room, _BATCH)
            identity = await membership.identity()
            if identity is None:
                return
            try:
                claims = await self._claim(identity, limit, watermark)
            except GatewayError as error:
                failures += 1
                wait = backoff_seconds(failures)
                log.warning("claim_failed", code=error.code, wait_seconds=round(wait, 3), exc_info=error)
                await pause(membership, wait)
                continue
            failures = 0
            for claim in claims:
                self._start(claim, identity)
                self._overdue = 0
            is_full = len(claims) >= limit
            if is_full or watermark is not None:
                watermark = _next_watermark(claims) if is_full else None
                continue
            await self._sleep_until_due()

    async def _claim(self, identity: Identity, limit: int, since: datetime | None) -> list[ClaimedTarget]:
        try:
            with identity.holding():
                claims = await self._gateway.claim_targets(identity.worker_id, limit, since)
        except NotSentError:  # surely not executed
            self._metrics.claim_calls.labels("publish", "failed").inc()
            raise
        except GatewayError as error:
            self._metrics.claim_calls.labels("publish", "failed").inc()
            if isinstance(error, TransportError) or error.code == UNREADABLE_ANSWER:
                # Rows may now be leased to an id that does not know of them.
                self._membership.retire(identity)
            raise
        self._metrics.claim_calls.labels("publish", "ok").inc()
        self._metrics.claims.labels("publish").inc(len(claims))
        return claims

    async def _wait_for_room(self) -> int:
        """How many more targets may be taken in hand; waits a moment for some room rather than claim one by
        one."""
        most = 2 * self._limits.concurrency
        while not self._membership.stopping.is_set():
            room = most - len(self._flights)
            if room >= max(1, most // 8):
                return room
            self._room_changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room_changed.wait(), 0.25)
        return 0

    async def _sleep_until_due(self) -> None:
        """Sleep until the database's next due time, at most `poll_seconds`.

        When the next target is due by our clock but the claim just now did not get it (the database's clock
        is behind ours, or another worker holds it for a moment), the pauses double from 2 ms instead of
        asking without a pause.
        """
        wait = self._limits.poll_seconds
        try:
            due = await self._gateway.next_publish_due()
        except GatewayError as error:
            log.warning("next_due_failed", code=error.code)
        else:
            left = wait if due is None else (due - self._now()).total_seconds()
            self._overdue = self._overdue + 1 if left <= 0 else 0
            wait = min(wait, left if left > 0 else 0.001 * 2.0 ** min(self._overdue, 16))
        await pause(self._membership, wait)

    def _start(self, claim: ClaimedTarget, identity: Identity) -> None:
        if claim.mode == "publish" and claim.attempt == 1:
            self._metrics.lag.observe(max(0.0, (self._now() - claim.scheduled_at).total_seconds()))
        flight = _Flight(claim, identity)
        identity.on_lost(self._on_lost)
        self._flights.add(flight)
        self._metrics.in_flight.set(len(self._flights))
        flight.task = asyncio.create_task(self._fly(flight))
        flight.task.add_done_callback(lambda _task: self._landed(flight))  # also when it never began

    def _on_lost(self, identity: Identity) -> None:
        for flight in list(self._flights):
            if flight.identity is identity:
                flight.drop()

    async def _finish(self) -> None:
        """Graceful stop: hand back what is preparing, wait for what is sending, report everything."""
        for flight in list(self._flights):
            flight.drop()
        tasks = {flight.task for flight in self._flights if flight.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=self._limits.stop_seconds)
        late = [flight for flight in self._flights if flight.task is not None]
        self._give_up.set()
        for flight in late:
            log.warning("stop_limit_reached", target_id=flight.claim.target_id, phase=str(flight.phase))
            if flight.phase is _Phase.SENDING and flight.task is not None:
                flight.task.cancel()  # its outcome is unknown from here on
        tasks = {flight.task for flight in late if flight.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_REPORTS_SECONDS)
        for flight in list(self._flights):
            if flight.task is not None:
                flight.task.cancel()

    # --- one target -----------------------------------------------------------------------------------------

    async def _fly(self, flight: _Flight) -> None:
        claim = flight.claim
        try:
            with flight.identity.holding():
                result = await self._conclude(flight)
                flight.phase = _Phase.REPORTING
                if result is not None:
                    await self._report(flight, result)
        except asyncio.CancelledError:
            log.warning("target_abandoned", target_id=claim.target_id, attempt=claim.attempt)
        except Exception:
            log.exception("target_failed", target_id=claim.target_id, attempt=claim.attempt)

    def _landed(self, flight: _Flight) -> None:
        self._flights.discard(flight)
        self._metrics.in_flight.set(len(self._flights))
        self._room_changed.set()

    async def _conclude(self, flight: _Flight) -> TargetResult | None:
        """Work on a target until its outcome is clear; None when there is nothing of ours to report."""
        claim = flight.claim
        try:
            async with self._accounts.turn(claim.connection_id), self._slots:
                outcome = await self._outcome(flight)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            if flight.phase is _Phase.SENDING:
                outcome = Unknown("interrupted")
            elif flight.identity.is_lost:
                return None
            elif flight.is_marked:  # a renewal of the token after a refused send was interrupted
                outcome = NotAccepted("stopped", retry_after=0.0)
            else:
                self._metrics.outcomes.labels(claim.platform_id, "released", "").inc()
                return TargetResult(claim.target_id, claim.attempt, "released")
        except _Refused:
            # Cancelled, disconnected or taken over; the database has settled it. Where the lease is still
            # ours after all, this report gives it back.
            flight.is_settled = True
            return _result(claim, NotAccepted("not_to_be_sent"))
        except LeaseLostError:
            return None
        except GatewayError as error:  # before the mark: later ones are dealt with where they happen
            log.warning(
                "database_failed", target_id=claim.target_id, code=error.code, phase=str(flight.phase)
            )
            outcome = self._not_now(claim, error.code, None)
        except Exception:
            log.exception("publish_fault", target_id=claim.target_id, phase=str(flight.phase))
            is_sent = flight.phase is _Phase.SENDING or claim.mode == "reconcile"
            outcome = Unknown("worker_fault") if is_sent else NotAccepted("worker_fault")
        self._observe(flight, outcome)
        return _result(claim, outcome)

    async def _outcome(self, flight: _Flight) -> Outcome:
        claim = flight.claim
        publisher = self._publishers.get(claim.platform_id)
        if publisher is None:
            return self._not_now(claim, "platform_unavailable", 300.0)
        held_back = self._accounts.held_back(claim.connection_id)
        if held_back > 0:
            return self._not_now(claim, "rate_limited", held_back)
        outcome = await self._try(flight, publisher)
        if isinstance(outcome, NotAccepted | Unknown) and outcome.code == "rate_limited":
            self._accounts.hold_back(claim.connection_id, outcome.retry_after or 60.0)
        return outcome

    async def _try(self, flight: _Flight, publisher: Publisher) -> Outcome:
        """Publish or probe with the token at hand, and once more with a newer one if the platform refuses it.

        A refused token means that nothing was accepted by that call.
        """
        work = self._probe if flight.claim.mode == "reconcile" else self._publish
        refused = NeedsReconnect("token_refused")
        generation: int | None = None
        for give in (self._tokens.open, self._tokens.renew):
            given = await self._token(flight, give)
            if not isinstance(given, tuple):
                return given
            token, generation = given
            try:
                outcome: Outcome = await work(flight, publisher, token)
            except PublishStopped as stopped:
                outcome = stopped.outcome
            if not isinstance(outcome, NeedsReconnect):
                return outcome
            refused = outcome
            flight.phase = _Phase.PREPARING
        return await self._end_connection(flight.claim, refused, generation)

    async def _end_connection(
        self, claim: ClaimedTarget, outcome: NeedsReconnect, generation: int | None
    ) -> Outcome:
        """The platform refuses even a renewed token: the person has to connect the account again (P6.8)."""
        try:
            await self._gateway.revoke_connection(claim.connection_id, outcome.code, generation)
        except GatewayError as error:
            log.warning("revoke_failed", connection_id=claim.connection_id, code=error.code)
            return self._not_now(claim, outcome.code, 30.0)
        return outcome

    async def _token(
        self, flight: _Flight, give: Callable[[ClaimedTarget, UUID], Awaitable[tuple[SecretToken, int]]]
    ) -> tuple[SecretToken, int] | Outcome:
        """An access token and its generation, or the outcome that follows from having none: nothing was
        sent."""
        claim = flight.claim
        if not claim.sealed_access:
            return NeedsReconnect("disconnected")
        try:
            return await give(claim, flight.identity.worker_id)
        except GrantRevokedError as error:  # the database knows it already
            return NeedsReconnect(error.code)
        except VaultError:
            log.exception("token_unreadable", target_id=claim.target_id)
            return self._not_now(claim, "token_unreadable", 300.0)
        except NexoraError as error:  # also LeaseLostError: others were renewing it all the time
            wait = error.retry_after if isinstance(error, ProviderRefusedError) else None
            log.warning("token_unavailable", target_id=claim.target_id, code=error.code)
            return self._not_now(claim, f"token_{error.code}"[:64], wait)

    def _not_now(self, claim: ClaimedTarget, code: str, wait: float | None) -> NotAccepted | Unknown:
        """Nothing was done now. For a target whose earlier attempt is unknown, that stays so."""
        return Unknown(code, wait) if claim.mode == "reconcile" else NotAccepted(code, wait)

    async def _publish(self, flight: _Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        claim = flight.claim
        media = media_of(claim, self._gateway, self._memory)

        async def save(progress: Mapping[str, Any]) -> None:
            await self._save_progress(flight, progress)

        prepared = await publisher.prepare(claim, token, media, save)
        if not await self._begin(flight, prepared.platform_key):
            return NotAccepted("not_begun_in_time", retry_after=1.0)
        outcome = await self._deadline(publisher.send(prepared))
        if isinstance(outcome, Unknown):
            await self._note_end(flight)
        if isinstance(outcome, Published):
            await self._complete(flight, publisher, token, outcome)
        return outcome

    async def _complete(
        self, flight: _Flight, publisher: Publisher, token: SecretToken, published: Published
    ) -> None:
        """What the published post still needs. Whatever goes wrong here, the post is out."""
        claim = flight.claim
        try:
            async with asyncio.timeout(_AFTER_SECONDS):
                await publisher.after_send(
                    claim, token, media_of(claim, self._gateway, self._memory), published
                )
        except asyncio.CancelledError:  # the stop's limit: the post is out all the same
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
        except Exception as error:  # noqa: BLE001  best effort by contract
            code = error.outcome.code if isinstance(error, PublishStopped) else type(error).__name__
            log.warning("after_send_failed", target_id=claim.target_id, code=code)

    async def _probe(self, flight: _Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        """Ask the platform about an earlier attempt. Nothing is marked: the database still holds that
        attempt's mark, and leaves the target to whoever has leased it for probing."""
        claim = flight.claim
        if not flight.identity.is_fresh:  # somebody else may be at it
            return Unknown("not_begun_in_time", 1.0)
        flight.phase = _Phase.SENDING
        outcome = await self._deadline(publisher.probe(claim, token))
        if isinstance(outcome, Unknown) and publisher.is_probe_sending and outcome.code != "too_early":
            await self._note_end(flight)
            wait = max(outcome.retry_after or 0.0, SETTLE_AFTER_END)
            return dataclasses.replace(outcome, retry_after=wait)
        if isinstance(outcome, Published):
            await self._complete(flight, publisher, token, outcome)
        return outcome

    async def _begin(self, flight: _Flight, platform_key: str | None) -> bool:
        """Mark the attempt as sending.

        Returns:
            False when too much time has passed for the call still to be made; it was not made.

        Raises:
            _Refused: the database says no.
        """
        claim = flight.claim
        flight.phase = _Phase.MARKING
        asked_at = time.monotonic()
        try:
            is_ours = await self._marks.submit(
                flight.identity.worker_id, (claim.target_id, claim.attempt, platform_key)
            )
        except GatewayError as error:
            # Marked or not, the call is not made: known not to have been accepted.
            log.warning("mark_failed", target_id=claim.target_id, code=error.code)
            flight.is_marked = True
            return False
        if not is_ours:
            raise _Refused
        flight.is_marked = True
        if time.monotonic() - asked_at > START_SECONDS or not flight.identity.is_fresh:
            log.warning(
                "begin_too_late", target_id=claim.target_id, age_seconds=round(flight.identity.age, 3)
            )
            return False
        flight.phase = _Phase.SENDING
        return True

    async def _deadline(self, call: Awaitable[Outcome]) -> Outcome:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await call
        except TimeoutError:
            return Unknown("no_answer")

    async def _note_end(self, flight: _Flight) -> None:
        """Remember that our irreversible call is over, so that it is probed for sooner. Best effort."""
        claim = flight.claim
        with contextlib.suppress(GatewayError):
            await self._gateway.save_progress(
                flight.identity.worker_id,
                claim.target_id,
                claim.attempt,
                send_ended(_own(claim.progress), self._now()),
            )

    async def _save_progress(self, flight: _Flight, progress: Mapping[str, Any]) -> None:
        claim = flight.claim
        merged = {**(claim.progress or {}), **progress}
        kept = {name: value for name, value in merged.items() if value is not None and name not in _MARKS}
        if kept == _own(claim.progress):
            return
        is_ours = await self._gateway.save_progress(
            flight.identity.worker_id, claim.target_id, claim.attempt, kept
        )
        if not is_ours:
            raise LeaseLostError("save_progress")
        flight.claim = dataclasses.replace(claim, progress=kept)

    # --- reporting ------------------------------------------------------------------------------------------

    def _observe(self, flight: _Flight, outcome: Outcome) -> None:
        claim = flight.claim
        kind = _outcome_name(claim, outcome)
        code = "" if isinstance(outcome, Published) else outcome.code
        seconds = time.monotonic() - flight.claimed_at
        self._metrics.outcomes.labels(claim.platform_id, kind, code).inc()
        self._metrics.duration.labels(claim.platform_id, claim.mode).observe(seconds)
        if isinstance(outcome, Published):
            self._metrics.published.labels(claim.platform_id).inc()
        log.info(
            "target_concluded",
            target_id=claim.target_id,
            attempt=claim.attempt,
            mode=claim.mode,
            platform_id=claim.platform_id,
            outcome=kind,
            code=code or None,
            http_status=outcome.http_status,
            duration_seconds=round(seconds, 3),
        )

    async def _report(self, flight: _Flight, result: TargetResult) -> None:
        """Report until the database answers. If it never does, the lease runs out and the target is
        reconciled."""
        failures = 0
        while True:
            try:
                is_accepted = await self._reports.submit(flight.identity.worker_id, result)
            except (TransportError, DatabaseBusyError) as error:
                failures += 1
                log.warning("report_failed", target_id=result.target_id, code=error.code, count=failures)
                if await self._gave_up(backoff_seconds(failures, cap=10.0)):
                    return
            except DatabaseError:
                # The database will never take this report. The id is retired, so that the lease comes free.
                log.exception("report_refused", target_id=result.target_id, outcome=result.outcome)
                self._membership.retire(flight.identity)
                return
            else:
                if not is_accepted and not flight.is_settled:
                    self._metrics.lease_losses.labels("report").inc()
                    log.warning("report_not_accepted", target_id=result.target_id, attempt=result.attempt)
                return

    async def _gave_up(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._give_up.wait(), seconds)
        return self._give_up.is_set()

    async def _mark_many(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> Sequence[bool]:
        allowed = await self._gateway.mark_sending(worker_id, targets)
        return [target_id in allowed for target_id, _, _ in targets]

    async def _report_many(self, worker_id: UUID, results: Sequence[TargetResult]) -> Sequence[bool]:
        answers = await self._gateway.report_targets(worker_id, results)
        accepted = {answer.target_id for answer in answers if answer.accepted}
        return [result.target_id in accepted for result in results]


# --- words of the database ----------------------------------------------------------------------------------


def _next_watermark(claims: Sequence[ClaimedTarget]) -> datetime:
    """A time that no row still to be claimed in this drain is due before, were it not for retries.

    Rows come in the order of their due time, which is never before `scheduled_at`.
    """
    return max(claim.scheduled_at for claim in claims) - _WATERMARK_SLACK


def _own(progress: Mapping[str, Any] | None) -> dict[str, Any]:
    """Progress without what the database itself keeps with the mark."""
    return {name: value for name, value in (progress or {}).items() if name not in _MARKS}


def _outcome_name(claim: ClaimedTarget, outcome: Outcome) -> OutcomeName:
    match outcome:
        case Published():
            return "published"
        case NotAccepted():
            return "retry"
        case Rejected():
            return "rejected"
        case Unknown():
            return "unknown"
        case NeedsReconnect():
            # Whether the earlier attempt got through can no longer be asked.
            return "unconfirmed" if claim.mode == "reconcile" else "reconnect"


def _result(claim: ClaimedTarget, outcome: Outcome) -> TargetResult:
    """An outcome as `worker.report_targets` takes it."""
    name = _outcome_name(claim, outcome)
    if isinstance(outcome, Published):
        return TargetResult(
            claim.target_id,
            claim.attempt,
            name,
            external_id=outcome.external_id,
            external_url=outcome.url,
            http_status=outcome.http_status,
        )
    return TargetResult(
        claim.target_id,
        claim.attempt,
        name,
        code=outcome.code,
        message=outcome.message if isinstance(outcome, Rejected | NotAccepted) else None,
        http_status=outcome.http_status,
        retry_after_seconds=outcome.retry_after if isinstance(outcome, NotAccepted | Unknown) else None,
    )


# --- order --------------------------------------------------------------------------------------------------


class _Accounts:
    """One target at a time per account, first come first served; and accounts that a platform told to
    wait."""

    def __init__(self) -> None:
        self._queues: dict[UUID, deque[asyncio.Future[None]]] = {}
        self._until: dict[UUID, float] = {}

    @contextlib.asynccontextmanager
    async def turn(self, connection_id: UUID) -> AsyncIterator[None]:
        """Wait for the account's turn and hold it while the body runs."""
        queue = self._queues.setdefault(connection_id, deque())
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            if queue[0] is not mine:
                await mine
            yield
        finally:
            was_first = queue[0] is mine
            queue.remove(mine)
            if not queue:
                del self._queues[connection_id]
            elif was_first and not queue[0].done():
                queue[0].set_result(None)

    def hold_back(self, connection_id: UUID, seconds: float) -> None:
        """The platform wants this account to wait."""
        now = time.monotonic()
        self._until = {key: until for key, until in self._until.items() if until > now}
        self._until[connection_id] = now + seconds

    def held_back(self, connection_id: UUID) -> float:
        """Seconds that this account still has to wait; 0 when it may go on."""
        return max(0.0, self._until.get(connection_id, 0.0) - time.monotonic())
