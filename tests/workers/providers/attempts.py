"""What the worker does with a publisher, one attempt after the other, until the outcome is settled."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.workers.providers.claims import Saved
from workers.providers.base import (
    Media,
    NotAccepted,
    Outcome,
    Published,
    Publisher,
    PublishStopped,
    Unknown,
    send_ended,
)
from workers.vault import SecretToken

MOST = 12


async def settle(
    publisher_at: Callable[[Callable[[], datetime]], Publisher],
    make_claim: Callable[..., Any],
    token: SecretToken,
    media: Media,
) -> Outcome:
    """Publish as `workers.jobs.publishing` does: retry what was not accepted, probe what is unknown.

    Args:
        publisher_at: a publisher with a clock.
        make_claim: a claim with `mode`, `attempt`, `sending_at` and `progress`.
    """
    saved, sending_at, outcome = Saved(), None, Outcome
    for attempt in range(1, MOST + 1):
        mode = "publish" if sending_at is None else "reconcile"
        late = timedelta(seconds=0 if sending_at is None else 61 * attempt)
        publisher = publisher_at(lambda late=late: datetime.now(UTC) + late)
        claim = make_claim(
            mode=mode, attempt=attempt, sending_at=sending_at, progress=dict(saved.progress) or None
        )
        try:
            if mode == "reconcile":
                outcome = await publisher.probe(claim, token)
            else:
                prepared = await publisher.prepare(claim, token, media, saved)
                sending_at = datetime.now(UTC)
                outcome = await publisher.send(prepared)
        except PublishStopped as stopped:
            outcome = stopped.outcome
        if isinstance(outcome, Unknown):
            saved.progress = send_ended(saved.progress, datetime.now(UTC))
        elif isinstance(outcome, NotAccepted):
            sending_at = None
        else:
            return outcome
    raise AssertionError(f"not settled: {outcome}")


def is_out(outcome: Outcome) -> bool:
    """Whether it is published."""
    return isinstance(outcome, Published)
