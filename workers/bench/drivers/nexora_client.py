"""Our worker's own publishing loop, through the Supabase client, with a platform that answers at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from workers import logs
from workers.bench.drivers.protocol import Counter, main, now
from workers.gateway import ClaimedTarget, Gateway, ReportAnswer, TargetResult
from workers.jobs.publishing import Limits, PublishJob
from workers.membership import Process
from workers.metrics import Metrics
from workers.providers.base import (
    FollowUpKind,
    Media,
    Outcome,
    Prepared,
    PublishClaim,
    Published,
    SaveProgress,
    Unknown,
)
from workers.settings import WorkerSettings, load
from workers.vault import SecretToken

_TOKEN = SecretToken("not a real token")


class InstantPublisher:
    """A platform that has every post as soon as it is sent."""

    is_probe_sending = False
    follow_up: FollowUpKind = "none"

    def __init__(self, platform_id: str) -> None:
        self.platform_id = platform_id

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        return Prepared(claim, token, {}, media)

    async def send(self, prepared: Prepared) -> Outcome:
        key = str(prepared.claim.target_id)
        return Published(key, f"https://platform.example/posts/{key}", 201)

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing."""

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        return Unknown("bench")

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return Unknown("bench")

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return Unknown("bench")


class _OpenTokens:
    """Tokens that need no vault: opening them is cryptography, which is not measured here."""

    async def open(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        return _TOKEN, claim.generation

    async def renew(self, claim: ClaimedTarget, worker_id: UUID, generation: int) -> tuple[SecretToken, int]:
        return _TOKEN, claim.generation


class _CountingGateway(Gateway):
    """Notes when claims arrive and how many reports were accepted."""

    counter: Counter
    latencies: list[float]

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None, busy: Sequence[UUID] = ()
    ) -> list[ClaimedTarget]:
        claims = await super().claim_targets(worker_id, limit, since, busy)
        at = now()
        self.latencies += [at - claim.scheduled_at.timestamp() * 1000 for claim in claims]
        return claims

    async def report_targets(self, worker_id: UUID, results: Sequence[TargetResult]) -> list[ReportAnswer]:
        answers = await super().report_targets(worker_id, results)
        self.counter.add(sum(answer.accepted for answer in answers))
        return answers


class NexoraClient:
    """Task: api_url, secret_key, mode, concurrency."""

    def __init__(self, task: dict[str, Any], counter: Counter) -> None:
        logs.configure("critical")
        self._is_drain = task["mode"] == "drain"
        self._concurrency: int = task["concurrency"]
        self._settings = load(
            WorkerSettings,
            supabase_url=task["api_url"],
            supabase_secret_key=SecretStr(task["secret_key"]),
            token_keyring=SecretStr("none"),
            public_url="http://127.0.0.1:1",
        )
        gateway = _CountingGateway.open(self._settings)
        assert isinstance(gateway, _CountingGateway)  # noqa: S101  `open` makes its own class
        gateway.counter = counter
        self.latencies: list[float] = []
        gateway.latencies = [] if self._is_drain else self.latencies
        self._gateway = gateway

    async def connect(self) -> None:
        metrics = Metrics()
        self._process = Process(self._gateway, self._settings, metrics)
        await self._process.register()
        self._job = PublishJob(
            self._gateway,
            {name: InstantPublisher(name) for name in ("x", "linkedin")},
            _OpenTokens(),
            self._process,
            limits=Limits(concurrency=self._concurrency),
            metrics=metrics,
        )

    async def run(self, stop: asyncio.Event) -> None:
        beating = asyncio.create_task(self._process.keep_alive())
        working = asyncio.create_task(self._job.run())
        await stop.wait()
        for task in (beating, working):
            task.cancel()


if __name__ == "__main__":
    main(NexoraClient)
