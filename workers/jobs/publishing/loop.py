"""The loop of one process: claims what is due, and carries every claimed target to its report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from workers.errors import GatewayError, LeaseLostError, NotSentError, TransportError
from workers.gateway import UNREADABLE_ANSWER, ClaimedTarget, TargetResult
from workers.jobs import Identity, Membership, backoff_seconds, pause
from workers.jobs.publishing.accounts import Accounts
from workers.jobs.publishing.attempt import Attempts, RefusedError, not_now
from workers.jobs.publishing.flight import Flight, Phase
from workers.jobs.publishing.interfaces import Limits, PublishGateway, Tokens
from workers.jobs.publishing.memory import MemoryBudget
from workers.jobs.publishing.reporting import Reporter
from workers.jobs.publishing.results import target_result
from workers.logs import get_logger
from workers.metrics import Metrics
from workers.providers.base import NotAccepted, Publisher, Unknown, now_utc

__all__ = ["PublishJob"]

_BATCH: Final = 250
_WATERMARK_SLACK: Final = timedelta(seconds=1)
_SWEEP_SECONDS: Final = 3.0
_LAST_REPORTS_SECONDS: Final = 5.0

log = get_logger(__name__)


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
        self._membership = membership
        self._limits = limits
        self._metrics = metrics
        self._now = now
        self._flights: set[Flight] = set()
        self._room_changed = asyncio.Event()
        self._slots = asyncio.Semaphore(limits.concurrency)
        self._accounts = Accounts()
        self._reporter = Reporter(gateway, membership, metrics)
        self._attempts = Attempts(
            gateway,
            publishers,
            tokens,
            self._reporter,
            self._accounts,
            memory=MemoryBudget(limits.media_bytes),
            now=now,
        )
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
                claims = await self._gateway.claim_targets(identity.worker_id, limit, since, self._busy())
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

    def _busy(self) -> list[UUID]:
        """Accounts that fill a quarter of the hands already: one person's thousands must leave room for others."""
        share = max(1, 2 * self._limits.concurrency // 4)
        held = Counter(flight.claim.connection_id for flight in self._flights)
        return [account for account, count in held.items() if count >= share]

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
        flight = Flight(claim, identity)
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
        self._reporter.give_up()
        for flight in late:
            log.warning("stop_limit_reached", target_id=flight.claim.target_id, phase=str(flight.phase))
            if flight.phase is Phase.SENDING and flight.task is not None:
                flight.task.cancel()  # its outcome is unknown from here on
        tasks = {flight.task for flight in late if flight.task is not None}
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_REPORTS_SECONDS)
        for flight in list(self._flights):
            if flight.task is not None:
                flight.task.cancel()

    # --- one target -----------------------------------------------------------------------------------------

    async def _fly(self, flight: Flight) -> None:
        claim = flight.claim
        try:
            with flight.identity.holding():
                result = await self._conclude(flight)
                flight.phase = Phase.REPORTING
                if result is not None:
                    await self._reporter.report(flight, result)
        except asyncio.CancelledError:
            log.warning("target_abandoned", target_id=claim.target_id, attempt=claim.attempt)
        except Exception:
            log.exception("target_failed", target_id=claim.target_id, attempt=claim.attempt)

    def _landed(self, flight: Flight) -> None:
        self._flights.discard(flight)
        self._metrics.in_flight.set(len(self._flights))
        self._room_changed.set()

    async def _conclude(self, flight: Flight) -> TargetResult | None:
        """Work on a target until its outcome is clear; None when there is nothing of ours to report."""
        claim = flight.claim
        try:
            async with self._accounts.turn(claim.connection_id), self._slots:
                outcome = await self._attempts.outcome(flight)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            if flight.phase in (Phase.SENDING, Phase.REPORTING):  # reporting: a part that is out
                outcome = Unknown("interrupted")
            elif flight.identity.is_lost:
                return None
            elif flight.is_marked:  # a renewal of the token after a refused send was interrupted
                outcome = NotAccepted("stopped", retry_after=0.0)
            else:
                self._metrics.outcomes.labels(claim.platform_id, "released", "").inc()
                return TargetResult(claim.target_id, claim.attempt, "released")
        except RefusedError:
            # Cancelled, disconnected or taken over; the database has settled it. Where the lease is still
            # ours after all, this report gives it back.
            flight.is_settled = True
            return target_result(flight.claim, NotAccepted("not_to_be_sent"))
        except LeaseLostError:
            return None
        except GatewayError as error:  # before the mark: later ones are dealt with where they happen
            log.warning(
                "database_failed", target_id=claim.target_id, code=error.code, phase=str(flight.phase)
            )
            outcome = not_now(flight.claim, error.code, None)
        except Exception:
            log.exception("publish_fault", target_id=claim.target_id, phase=str(flight.phase))
            is_sent = flight.phase in (Phase.SENDING, Phase.REPORTING) or flight.claim.mode == "reconcile"
            outcome = Unknown("worker_fault") if is_sent else NotAccepted("worker_fault")
        self._reporter.observe(flight, outcome)
        return target_result(flight.claim, outcome)


def _next_watermark(claims: Sequence[ClaimedTarget]) -> datetime:
    """A time that no row still to be claimed in this drain is due before, were it not for retries.

    Rows come in the order of their due time, which is never before `scheduled_at`.
    """
    return max(claim.scheduled_at for claim in claims) - _WATERMARK_SLACK
