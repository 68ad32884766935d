"""P7.7: requests that near their deadline show in the metrics and in the log, by count and never by person."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from workers.errors import TransportError
from workers.gateway import RequestCount
from workers.jobs.rights import watch_requests
from workers.metrics import Metrics

pytestmark = pytest.mark.anyio


class FakeGateway:
    def __init__(self, *waiting: int) -> None:
        self.waiting = waiting

    async def count_requests(self) -> list[RequestCount]:
        if not self.waiting:
            raise TransportError("count_requests", "ReadTimeout")
        return [RequestCount(level, n, datetime.now(UTC)) for level, n in enumerate(self.waiting)]


async def test_each_age_is_counted_and_falls_back() -> None:
    metrics = Metrics()
    with capture_logs() as logged:
        await watch_requests(FakeGateway(5, 0, 2, 1), metrics)
    for age, count in (("new", 5), ("day_20", 0), ("day_27", 2), ("overdue", 1)):
        assert metrics.registry.get_sample_value("nexora_rights_requests", {"age": age}) == count
    alarms = [(entry["log_level"], entry["code"], entry["count"]) for entry in logged]
    assert alarms == [("error", "day_27", 2), ("error", "overdue", 1)]
    with capture_logs() as logged:
        await watch_requests(FakeGateway(5, 0, 0, 0), metrics)
    assert metrics.registry.get_sample_value("nexora_rights_requests", {"age": "overdue"}) == 0
    assert logged == []


async def test_a_database_that_does_not_answer_changes_no_count() -> None:
    metrics = Metrics()
    await watch_requests(FakeGateway(1, 0, 0, 3), metrics)
    with capture_logs() as logged:
        await watch_requests(FakeGateway(), metrics)
    assert metrics.registry.get_sample_value("nexora_rights_requests", {"age": "overdue"}) == 3
    assert [entry["event"] for entry in logged] == ["requests_not_counted"]
