"""How much is measured: the full run, the quick one, and the tiny one of the tests."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FULL", "QUICK", "TINY", "Plan"]


@dataclass(frozen=True)
class Plan:
    """Sizes of a run.

    Attributes:
        due, future: rows; every combination is drained.
        repetitions: of each drain; the median counts.
        cap_seconds: hard limit of one drain; slower queues are rated by what they completed until then.
        spread_jobs, spread_seconds, burst_jobs: the latency scenarios.
        lead_seconds: from filling to the first due time; drivers connect meanwhile.
    latency_backlogs: future rows at which they are measured.
        pinned_due: rows that are drained with and without an old snapshot.
        client_due: rows that are drained through the Supabase client.
        sustained_seconds, sustained_live: the bloat scenario: how long, and how many rows wait meanwhile.
        peers: keys of the peers that take part in the latency and idle scenarios; all of them drain.
    """

    name: str
    due: tuple[int, ...]
    future: tuple[int, ...]
    repetitions: int
    cap_seconds: float
    spread_jobs: int
    spread_seconds: float
    burst_jobs: int
    lead_seconds: float
    latency_backlogs: tuple[int, ...]
    pinned_due: int
    client_due: int
    sustained_seconds: float
    sustained_live: int
    peers: tuple[str, ...]
    minutes: float

    @property
    def backlog(self) -> int:
        """The largest number of future rows."""
        return max(self.future)


_PEERS = ("graphile", "pgboss", "pgmq", "procrastinate")

FULL = Plan(
    name="full",
    due=(20_000, 200_000),
    future=(0, 1_000_000),
    repetitions=3,
    cap_seconds=20,
    spread_jobs=2_000,
    spread_seconds=20,
    burst_jobs=2_000,
    lead_seconds=2,
    latency_backlogs=(0, 1_000_000),
    pinned_due=100_000,
    client_due=5_000,
    sustained_seconds=180,
    sustained_live=100_000,
    peers=_PEERS,
    minutes=20,
)

QUICK = Plan(
    name="quick",
    due=(20_000,),
    future=(0, 100_000),
    repetitions=3,
    cap_seconds=2,
    spread_jobs=400,
    spread_seconds=4,
    burst_jobs=400,
    lead_seconds=2,
    latency_backlogs=(0,),
    pinned_due=20_000,
    client_due=1_000,
    sustained_seconds=8,
    sustained_live=20_000,
    peers=("graphile", "pgmq"),
    minutes=2,
)

TINY = Plan(
    name="tiny",
    due=(200,),
    future=(0,),
    repetitions=1,
    cap_seconds=3,
    spread_jobs=20,
    spread_seconds=0.5,
    burst_jobs=20,
    lead_seconds=0.5,
    latency_backlogs=(0,),
    pinned_due=200,
    client_due=50,
    sustained_seconds=0.5,
    sustained_live=200,
    peers=_PEERS,
    minutes=0.3,
)
