"""Telling the database what became of targets, until it has heard."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from uuid import UUID

from workers.errors import DatabaseBusyError, DatabaseError, LeaseLostError, TransportError
from workers.gateway import TargetResult
from workers.jobs import Membership, backoff_seconds
from workers.jobs.coalescer import Coalescer
from workers.jobs.publishing.flight import Flight, Phase
from workers.jobs.publishing.interfaces import PublishGateway
from workers.jobs.publishing.results import outcome_name
from workers.logs import get_logger
from workers.metrics import Metrics
from workers.providers.base import Outcome, Published

__all__ = ["Reporter"]

log = get_logger(__name__)


class Reporter:
    """Reports outcomes and recorded parts; what cannot be told is left to the next worker's probe.

    Args:
        gateway: the database.
        membership: the process around it.
        metrics: counts.
    """

    def __init__(self, gateway: PublishGateway, membership: Membership, metrics: Metrics) -> None:
        self._gateway = gateway
        self._membership = membership
        self._metrics = metrics
        self._reports: Coalescer[TargetResult, bool] = Coalescer(self._report_many, is_split_on_refusal=True)
        self._give_up = asyncio.Event()

    def give_up(self) -> None:
        """The stop's limit is reached: report once more, then leave it."""
        self._give_up.set()

    def observe(self, flight: Flight, outcome: Outcome) -> None:
        claim = flight.claim
        kind = outcome_name(claim, outcome)
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

    async def report(self, flight: Flight, result: TargetResult) -> None:
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

    async def record(self, flight: Flight, position: int, published: Published) -> None:
        """Have the database store the id of a part and clear the mark; 0 is the post itself.

        Raises:
            LeaseLostError: the database will not, or never answered: the mark stays, and whoever claims the
                target next probes for this part.
        """
        flight.phase = Phase.REPORTING
        failures = 0
        while True:
            try:
                is_ours = await self._record_once(flight, position, published)
            except (TransportError, DatabaseBusyError) as error:
                failures += 1
                log.warning(
                    "record_failed", target_id=flight.claim.target_id, code=error.code, count=failures
                )
                if await self._gave_up(backoff_seconds(failures, cap=10.0)):
                    raise LeaseLostError("record_part") from error
            except DatabaseError as error:
                log.exception("record_refused", target_id=flight.claim.target_id)
                self._membership.retire(flight.identity)
                raise LeaseLostError("record_part") from error
            else:
                if not is_ours:
                    self._metrics.lease_losses.labels("record").inc()
                    raise LeaseLostError("record_part")
                flight.recorded(position, published)
                return

    async def _record_once(self, flight: Flight, position: int, published: Published) -> bool:
        claim = flight.claim
        return await self._gateway.record_part(
            flight.identity.worker_id,
            claim.target_id,
            claim.attempt,
            position,
            published.external_id,
            published.url,
            published.charge,
        )

    async def _report_many(self, worker_id: UUID, results: Sequence[TargetResult]) -> Sequence[bool]:
        answers = await self._gateway.report_targets(worker_id, results)
        accepted = {answer.target_id for answer in answers if answer.accepted}
        return [result.target_id in accepted for result in results]
