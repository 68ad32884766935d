"""A database of publishing in memory, with the fences of the real one, and a process around the job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from workers.errors import FileChangedError, FileMissingError
from workers.gateway import ClaimedTarget, FollowUpItem, ReportAnswer, TargetResult
from workers.jobs import Identity
from workers.vault import SecretToken

USER = UUID("00000000-0000-4000-8000-00000000000a")


def now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


@dataclass
class Row:
    """One target with its queue row."""

    id: UUID
    connection_id: UUID
    text: str
    due_at: datetime
    platform_id: str = "x"
    media: list[dict[str, Any]] = field(default_factory=list)
    scheduled_at: datetime = field(default_factory=now)
    attempt: int = 0
    worker_id: UUID | None = None
    sending_at: datetime | None = None
    sending_attempt: int | None = None
    progress: dict[str, Any] | None = None
    state: str = "scheduled"
    is_active: bool = True
    sealed_access: str = "sealed"
    generation: int = 1
    results: list[TargetResult] = field(default_factory=list)
    external_id: str | None = None
    parts: list[list[str | None]] = field(default_factory=list)
    """Text and external id of each part that follows the post."""


class FakeDatabase:
    """The gateway's publishing methods over rows in memory.

    `before` holds functions by method name that run before it and may raise or wait; `after` likewise, when
    the method has taken effect.
    """

    def __init__(self) -> None:
        self.rows: dict[UUID, Row] = {}
        self.files: dict[str, bytes] = {}
        self.calls: list[tuple[str, Any]] = []
        self.before: dict[str, Callable[[Any], Any]] = {}
        self.after: dict[str, Callable[[Any], Any]] = {}
        self.revoked: list[tuple[UUID, str, int | None]] = []
        self.dead: set[UUID] = set()

    def add(self, text: str = "Hello", *, due_in: float = -1.0, **changes: Any) -> Row:
        """A scheduled target; due `due_in` seconds from now."""
        due = now() + timedelta(seconds=due_in)
        changes = {"connection_id": uuid4(), "scheduled_at": due} | changes
        row = Row(uuid4(), text=text, due_at=due, **changes)
        self.rows[row.id] = row
        return row

    def count(self, name: str) -> int:
        """How often a method was called."""
        return sum(1 for called, _ in self.calls if called == name)

    async def _hook(self, hooks: dict[str, Callable[[Any], Any]], name: str, argument: Any) -> None:
        hook = hooks.get(name)
        if hook is not None:
            waiting = hook(argument)
            if waiting is not None:
                await waiting

    async def _enter(self, name: str, argument: Any) -> None:
        self.calls.append((name, argument))
        await asyncio.sleep(0)
        await self._hook(self.before, name, argument)

    async def claim_targets(
        self, worker_id: UUID, limit: int, since: datetime | None = None, busy: Sequence[UUID] = ()
    ) -> list[ClaimedTarget]:
        await self._enter("claim_targets", (worker_id, limit, since, tuple(busy)))
        due = sorted(
            (
                row
                for row in self.rows.values()
                if row.worker_id is None
                and row.state in ("scheduled", "publishing")
                and row.due_at <= now()
                and (since is None or row.due_at >= since)
            ),
            key=lambda row: row.due_at,
        )[:limit]
        if worker_id in self.dead:
            due = []
        claims = []
        for row in due:
            row.worker_id = worker_id
            row.attempt += 1
            claims.append(self._claimed(row))
        await self._hook(self.after, "claim_targets", claims)
        return claims

    def _claimed(self, row: Row) -> ClaimedTarget:
        return ClaimedTarget(
            target_id=row.id,
            attempt=row.attempt,
            mode="publish" if row.sending_at is None else "reconcile",
            user_id=USER,
            connection_id=row.connection_id,
            platform_id=row.platform_id,
            external_account_id="42",
            text=row.text,
            media=row.media,  # type: ignore[arg-type]
            scheduled_at=row.scheduled_at,
            sending_at=row.sending_at,
            progress=None if row.progress is None else dict(row.progress),
            sealed_access=row.sealed_access,
            generation=row.generation,
            external_id=row.external_id,
            follow_ups=tuple(
                FollowUpItem(position=index + 1, text=text or "", external_id=external_id)
                for index, (text, external_id) in enumerate(row.parts)
            ),
        )

    async def next_publish_due(self) -> datetime | None:
        await self._enter("next_publish_due", None)
        waiting = [
            row.due_at
            for row in self.rows.values()
            if row.worker_id is None and row.state in ("scheduled", "publishing")
        ]
        return min(waiting, default=None)

    def _held(self, worker_id: UUID, target_id: UUID, attempt: int) -> Row | None:
        row = self.rows.get(target_id)
        if row is None or worker_id in self.dead:
            return None
        return row if (row.worker_id, row.attempt) == (worker_id, attempt) else None

    async def save_progress(
        self, worker_id: UUID, target_id: UUID, attempt: int, progress: Mapping[str, Any]
    ) -> bool:
        await self._enter("save_progress", (target_id, dict(progress)))
        row = self._held(worker_id, target_id, attempt)
        if row is not None:
            row.progress = dict(progress)
        return row is not None

    async def mark_sending(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> frozenset[UUID]:
        await self._enter("mark_sending", targets)
        marked = set()
        for target_id, attempt, _ in targets:
            row = self._held(worker_id, target_id, attempt)
            if row is None or not row.is_active:
                continue
            if row.sending_at is not None and row.sending_attempt != attempt:
                continue  # marked by an earlier attempt: to be probed, not sent
            row.sending_at = row.sending_at or now()
            row.sending_attempt = attempt
            marked.add(target_id)
        await self._hook(self.after, "mark_sending", targets)
        return frozenset(marked)

    async def record_part(
        self,
        worker_id: UUID,
        target_id: UUID,
        attempt: int,
        position: int,
        external_id: str,
        external_url: str | None,
        charge: str | None,
    ) -> bool:
        await self._enter("record_part", (target_id, position, external_id))
        row = self._held(worker_id, target_id, attempt)
        if row is not None:
            if position == 0:
                row.external_id = external_id
            else:
                row.parts[position - 1][1] = external_id
            row.sending_at = None
            row.progress = {
                name: value
                for name, value in (row.progress or {}).items()
                if name not in ("platform_key", "send_ended")
            }
        await self._hook(self.after, "record_part", (target_id, position, external_id))
        return row is not None

    async def report_targets(self, worker_id: UUID, results: Sequence[TargetResult]) -> list[ReportAnswer]:
        await self._enter("report_targets", results)
        answers = [self._settle(worker_id, result) for result in results]
        await self._hook(self.after, "report_targets", results)
        return answers

    def _settle(self, worker_id: UUID, result: TargetResult) -> ReportAnswer:
        row = self.rows.get(result.target_id)
        if row is not None and row.state == "published" and result.outcome == "published":
            return ReportAnswer(target_id=row.id, accepted=True, state=row.state)
        held = self._held(worker_id, result.target_id, result.attempt)
        if held is None:
            return ReportAnswer(target_id=result.target_id, accepted=False)
        held.results.append(result)
        held.worker_id = None
        wait = timedelta(seconds=result.retry_after_seconds or 0.0)
        match result.outcome:
            case "published" | "unconfirmed":
                held.state = result.outcome
            case "rejected":
                held.state = "failed"
            case "reconnect":  # paused: due again when its time window ends
                held.state, held.sending_at, held.due_at = "scheduled", None, now() + timedelta(hours=1)
            case "retry" | "released":
                held.state, held.sending_at, held.due_at = "scheduled", None, now() + wait
            case "unknown":
                held.due_at = now() + wait
        return ReportAnswer(target_id=held.id, accepted=True, state=held.state)

    async def revoke_connection(self, connection_id: UUID, code: str, generation: int | None = None) -> bool:
        await self._enter("revoke_connection", connection_id)
        self.revoked.append((connection_id, code, generation))
        return True

    async def sign_file(self, bucket_id: str, object_name: str, seconds: int) -> str:
        await self._enter("sign_file", object_name)
        if object_name not in self.files:
            raise FileMissingError("sign_file")
        return f"https://files.example/{object_name}"

    async def read_part(self, url: str, start: int, length: int, size: int) -> bytes:
        name = url.removeprefix("https://files.example/")
        await self._enter("read_part", (name, start, length))
        content = self.files[name]
        if len(content) != size:
            raise FileChangedError("read_part")
        return content[start : start + length]


class FakeTokens:
    """Access tokens; `opening` and `renewing` are what to give or to raise."""

    def __init__(self) -> None:
        self.opening: Any = (SecretToken("token-1"), 1)
        self.renewing: Any = (SecretToken("token-2"), 2)
        self.renewals = 0

    async def open(self, claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
        if isinstance(self.opening, Exception):
            raise self.opening
        given: tuple[SecretToken, int] = self.opening
        return given

    async def renew(self, claim: ClaimedTarget, worker_id: UUID, generation: int) -> tuple[SecretToken, int]:
        self.renewals += 1
        if isinstance(self.renewing, Exception):
            raise self.renewing
        given: tuple[SecretToken, int] = self.renewing
        return given


class FakeMembership:
    """A process with one worker id at a time."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.current = Identity(uuid4())
        self.retired: list[Identity] = []

    async def identity(self) -> Identity:
        return self.current

    def retire(self, identity: Identity) -> None:
        if identity is self.current:
            self.retired.append(identity)
            self.current = Identity(uuid4())
