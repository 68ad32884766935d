"""Watches over requests of people about their data, so that none misses its 30 days (P7.7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from workers.errors import GatewayError
from workers.gateway import RequestCount
from workers.logs import get_logger
from workers.metrics import Metrics

__all__ = ["RightsGateway", "watch_requests"]

log = get_logger(__name__)

_AGES: Final = ("new", "day_20", "day_27", "overdue")


class RightsGateway(Protocol):
    """The part of `workers.gateway.Gateway` that is used here."""

    async def count_requests(self) -> Sequence[RequestCount]: ...


async def watch_requests(gateway: RightsGateway, metrics: Metrics) -> None:
    """Count what waits, for metrics, and log an error for what nears its deadline. Never raises."""
    try:
        counts = await gateway.count_requests()
    except GatewayError as error:
        log.exception("requests_not_counted", code=error.code)
        return
    for count in counts:
        age = _AGES[count.level]
        metrics.requests.labels(age).set(count.waiting)
        if count.level and count.waiting:
            log.error("request_deadline_near", code=age, count=count.waiting)
