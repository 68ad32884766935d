"""Carries erasures out (P7.3, P8.2): asks the database for step after step, and does what it cannot do itself.

Rows, sign-in and the search for what may be left are steps in the database. Files go through the Storage API,
and processors that keep something about the person are told by their adapter. Nothing is remembered here:
killed at any point, the next worker goes on from what the database has committed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from uuid import UUID

from workers.errors import DatabaseError, ProviderError, StorageError
from workers.gateway import ClaimedJob, ErasureErrands, ErasureStep, JobResult, OutsideAccount
from workers.logs import get_logger

__all__ = ["LANE", "ErasureGateway", "OutsideEraser", "run_erasures"]

LANE: Final = "erasure"
_FINISHED: Final = frozenset({"completed", "cancelled", "held"})

_log = get_logger(__name__)


class OutsideEraser(Protocol):
    """Adapter of one processor: has it delete, or make anonymous, what it keeps about a person."""

    async def erase(self, reference: str) -> None:
        """Erase what `reference` (the processor's own id) stands for. One that is gone already is no error.

        Raises:
            ProviderError: it did not happen, or nobody knows.
        """
        ...


class ErasureGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        """See `Gateway.claim_jobs`."""
        ...

    async def advance_erasure(
        self, worker_id: UUID, erasure_id: UUID, attempt: int, done: Sequence[OutsideAccount] = ()
    ) -> ErasureStep:
        """See `Gateway.advance_erasure`."""
        ...

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None:
        """See `Gateway.remove_files`."""
        ...

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        """See `Gateway.finish_jobs`."""
        ...


async def run_erasures(
    gateway: ErasureGateway, erasers: Mapping[str, OutsideEraser], worker_id: UUID, limit: int
) -> int:
    """Carry out what is due, one erasure after the other.

    Args:
        gateway: the database.
        erasers: adapters by processor id.
        worker_id: a live id of this process.
        limit: most erasures to take.

    Returns:
        How many were taken.

    Raises:
        GatewayError: when claiming or reporting fails, or the outcome of a step is unknown; what a step
            refuses is a result, not an error.
    """
    claims = await gateway.claim_jobs(worker_id, LANE, limit)
    for claim in claims:
        result = await _erase(gateway, erasers, worker_id, claim)
        await gateway.finish_jobs(worker_id, [result])
    return len(claims)


async def _erase(
    gateway: ErasureGateway, erasers: Mapping[str, OutsideEraser], worker_id: UUID, claim: ClaimedJob
) -> JobResult:
    """Step until nothing goes on any more."""
    done: list[OutsideAccount] = []
    before: ErasureErrands | None = None
    try:
        while True:
            step = await gateway.advance_erasure(worker_id, claim.subject_id, claim.attempt, done)
            if step.state != "erasing":
                return _result(claim, step.state)
            if step.errands is None:
                done = []
                continue
            if step.errands == before:  # neither file nor processor moved: not at once again
                return _result(claim, "outside_remains")
            before = step.errands
            await _remove(gateway, step.errands)
            done = await _tell(erasers, step.errands.outside)
    except (DatabaseError, StorageError) as error:
        _log.warning("erasure_interrupted", subject_id=claim.subject_id, code=error.code)
        return _result(claim, error.code)


def _result(claim: ClaimedJob, code: str) -> JobResult:
    if code in _FINISHED:
        _log.info("erasure_ended", subject_id=claim.subject_id, outcome=code)
        return JobResult(LANE, claim.subject_id, claim.attempt, "done", code)
    return JobResult(LANE, claim.subject_id, claim.attempt, "retry", code)


async def _remove(gateway: ErasureGateway, errands: ErasureErrands) -> None:
    names = defaultdict(list)
    for file in errands.files:
        names[file.bucket_id].append(file.name)
    for bucket_id, of_bucket in names.items():
        await gateway.remove_files(bucket_id, of_bucket)


async def _tell(
    erasers: Mapping[str, OutsideEraser], accounts: Sequence[OutsideAccount]
) -> list[OutsideAccount]:
    """The accounts whose processor has confirmed; one that fails does not hold up the others."""
    done = []
    for account in accounts:
        eraser = erasers.get(account.processor_id)
        if eraser is None:
            _log.warning("eraser_missing", code=account.processor_id)
            continue
        try:
            await eraser.erase(account.reference)
        except ProviderError as error:
            _log.warning("eraser_failed", code=error.code)
            continue
        done.append(account)
    return done
