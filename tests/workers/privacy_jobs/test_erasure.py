"""P7.3: the worker's part of an erasure: files, processors outside, and asking for the next step until the end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from workers.errors import NotSentError, ProviderUnavailableError, RuleError, StorageError
from workers.gateway import ClaimedJob, ErasureErrands, ErasureStep, JobResult, OutsideAccount, StoredFile
from workers.jobs.erasure import OutsideEraser, run_erasures

pytestmark = pytest.mark.anyio

WORKER = UUID(int=7)
FILE = StoredFile("media", "person/canary-name.png")
STRIPE = OutsideAccount("stripe", "cus_canary")


@dataclass
class FakeGateway:
    """An erasure that takes the given steps."""

    steps: list[ErasureStep | Exception]
    claims: list[ClaimedJob] = field(default_factory=lambda: [ClaimedJob(subject_id=uuid4(), attempt=3)])
    told: list[OutsideAccount] = field(default_factory=list)
    removed: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    results: list[JobResult] = field(default_factory=list)
    refuses_files: bool = False

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        assert (worker_id, lane) == (WORKER, "erasure")
        return self.claims[:limit]

    async def advance_erasure(
        self, worker_id: UUID, erasure_id: UUID, attempt: int, done: Sequence[OutsideAccount] = ()
    ) -> ErasureStep:
        assert (erasure_id, attempt) == (self.claims[0].subject_id, 3)
        self.told += done
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    async def remove_files(self, bucket_id: str, names: Sequence[str]) -> None:
        if self.refuses_files:
            raise StorageError("remove_files", "refused with 403")
        self.removed.append((bucket_id, tuple(names)))

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        self.results += results


@dataclass
class FakeEraser:
    """A processor."""

    error: Exception | None = None
    erased: list[str] = field(default_factory=list)

    async def erase(self, reference: str) -> None:
        if self.error is not None:
            raise self.error
        self.erased.append(reference)


def erasing(*files: StoredFile, outside: tuple[OutsideAccount, ...] = ()) -> ErasureStep:
    errands = ErasureErrands(files=files, outside=outside) if files or outside else None
    return ErasureStep(state="erasing", errands=errands)


async def outcome(gateway: FakeGateway, **erasers: OutsideEraser) -> tuple[str, str | None]:
    assert await run_erasures(gateway, erasers, WORKER, 1) == 1
    (result,) = gateway.results
    return result.outcome, result.code


async def test_it_steps_to_the_end_and_does_its_errands(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    other = StoredFile("avatars", "person/face.png")
    gateway = FakeGateway(
        [erasing(), erasing(FILE, other, outside=(STRIPE,)), erasing(), ErasureStep(state="completed")]
    )
    stripe = FakeEraser()
    assert await outcome(gateway, stripe=stripe) == ("done", "completed")
    assert gateway.removed == [("media", (FILE.name,)), ("avatars", (other.name,))]
    assert stripe.erased == [STRIPE.reference]
    assert gateway.told == [STRIPE]
    assert "canary" not in caplog.text
    assert "canary" not in repr((FILE, STRIPE))


@pytest.mark.parametrize("state", ["completed", "cancelled", "held"])
async def test_what_is_over_or_held_leaves_the_queue(state: str) -> None:
    assert await outcome(FakeGateway([ErasureStep(state=state)])) == ("done", state)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["requested", "failed"])
async def test_what_cannot_go_on_now_is_tried_again(state: str) -> None:
    assert await outcome(FakeGateway([ErasureStep(state=state)])) == ("retry", state)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "erasers",
    [{}, {"stripe": FakeEraser(ProviderUnavailableError("api.stripe.com", 503))}],
    ids=["none", "down"],
)
async def test_a_processor_that_does_not_confirm_is_asked_again_later(erasers: dict[str, FakeEraser]) -> None:
    """No endless loop: when nothing has moved, the job goes back to the queue."""
    gateway = FakeGateway(
        [erasing(FILE, outside=(STRIPE,)), erasing(outside=(STRIPE,)), erasing(outside=(STRIPE,))]
    )
    assert await outcome(gateway, **erasers) == ("retry", "outside_remains")
    assert gateway.told == []


async def test_files_that_cannot_be_removed_are_tried_again_later() -> None:
    gateway = FakeGateway([erasing(FILE)], refuses_files=True)
    assert (await outcome(gateway))[0] == "retry"


async def test_a_lost_lease_ends_the_work() -> None:
    gateway = FakeGateway([erasing(), RuleError("advance_erasure", "NX916", "gone")])
    assert await outcome(gateway) == ("retry", "NX916")


async def test_an_unknown_outcome_is_not_reported() -> None:
    """The worker id is retired by the loop; the lease runs out, and the next one looks at what is there."""
    gateway = FakeGateway([NotSentError("advance_erasure", "ConnectError")])
    with pytest.raises(NotSentError):
        await run_erasures(gateway, {}, WORKER, 1)
    assert gateway.results == []
