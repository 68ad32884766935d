"""Runs the database's registered cleanups: retention, deadlines, partitions, dead leases."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from workers.errors import GatewayError
from workers.gateway import HousekeepingResult
from workers.logs import get_logger

__all__ = ["HousekeepingGateway", "run_housekeeping"]

log = get_logger(__name__)


class HousekeepingGateway(Protocol):
    """The part of `workers.gateway.Gateway` that housekeeping uses."""

    async def run_housekeeping(self) -> Sequence[HousekeepingResult]: ...


async def run_housekeeping(gateway: HousekeepingGateway) -> bool:
    """Run every cleanup once. Any number of workers may do so at the same time.

    Returns:
        False when it failed; the next run makes up for it, since cleanups look at what is there.
    """
    started = time.monotonic()
    try:
        results = await gateway.run_housekeeping()
    except GatewayError as error:
        log.exception("housekeeping_failed", code=error.code)
        return False
    for result in results:
        if result.affected:
            log.info("housekeeping_done", task=result.task, affected=result.affected)
    log.debug("housekeeping_round", count=len(results), duration_seconds=round(time.monotonic() - started, 3))
    return True
