"""What a worker process counts, in the exposition format of Prometheus.

One instance per process, with a registry of its own: nothing of it is global, and tests make their own.
Labels are platforms, lanes and codes, never ids and never content (P1.11).
"""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

__all__ = ["Metrics"]

_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_LAG: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800)


class Metrics:
    """All metrics of one process; `render` is the body of `/metrics`."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.claims = Counter("nexora_claims", "Rows leased by claims.", ["lane"], registry=self.registry)
        self.claim_calls = Counter(
            "nexora_claim_calls", "Claim calls.", ["lane", "result"], registry=self.registry
        )
        self.published = Counter(
            "nexora_published", "Posts that a platform confirmed.", ["platform_id"], registry=self.registry
        )
        self.outcomes = Counter(
            "nexora_outcomes",
            "Outcomes of publishing attempts.",
            ["platform_id", "outcome", "code"],
            registry=self.registry,
        )
        self.duration = Histogram(
            "nexora_attempt_seconds",
            "Duration of a publishing attempt, from claim to outcome.",
            ["platform_id", "mode"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.lag = Histogram(
            "nexora_queue_lag_seconds",
            "Time from when a post was due until it was claimed for the first time.",
            buckets=_LAG,
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "nexora_in_flight", "Claimed targets whose outcome is not reported yet.", registry=self.registry
        )
        self.lease_losses = Counter(
            "nexora_lease_losses",
            "Times that the database took work back: a whole worker id, or one late report.",
            ["kind"],
            registry=self.registry,
        )
        self.token_refreshes = Counter(
            "nexora_token_refreshes",
            "Refreshes of access tokens: stored, outdated (newer ones were there), failed, ended.",
            ["result"],
            registry=self.registry,
        )
        self.jobs = Counter(
            "nexora_jobs", "Finished jobs of the other lanes.", ["lane", "outcome"], registry=self.registry
        )
        self.heartbeat = Gauge(
            "nexora_heartbeat_timestamp_seconds",
            "When the database last confirmed this process, in seconds since 1970.",
            registry=self.registry,
        )

        self.attestation_failures = Gauge(
            "nexora_attestation_failures",
            "Promises that the last attestation could not prove, and faults of the chain of results.",
            registry=self.registry,
        )
        self.requests = Gauge(
            "nexora_rights_requests",
            "Requests of people about their data that wait for an answer, by age: new, day_20, day_27, overdue.",
            ["age"],
            registry=self.registry,
        )
        self.backed_up = Gauge(
            "nexora_backup_timestamp_seconds",
            "When this process last made a backup, in seconds since 1970.",
            registry=self.registry,
        )
        self.attested = Gauge(
            "nexora_attestation_timestamp_seconds",
            "When this process last attested, in seconds since 1970.",
            registry=self.registry,
        )

    def render(self) -> tuple[bytes, str]:
        """The current values, and the content type to send them with."""
        return generate_latest(self.registry), CONTENT_TYPE_LATEST
