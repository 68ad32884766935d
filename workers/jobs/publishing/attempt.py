"""One attempt at one target: token, preparation, mark, the irreversible calls, or the probe."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from workers.errors import (
    GatewayError,
    GrantRevokedError,
    LeaseLostError,
    NexoraError,
    ProviderRefusedError,
)
from workers.gateway import ClaimedTarget, FollowUpItem
from workers.jobs.coalescer import Coalescer
from workers.jobs.publishing.accounts import Accounts
from workers.jobs.publishing.files import media_of
from workers.jobs.publishing.flight import Flight, Phase, own_progress
from workers.jobs.publishing.interfaces import PublishGateway, Tokens
from workers.jobs.publishing.memory import MemoryBudget
from workers.jobs.publishing.reporting import Reporter
from workers.logs import get_logger
from workers.providers.base import (
    SETTLE_AFTER_END,
    Budget,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    Publisher,
    PublishStopped,
    Rejected,
    Unknown,
    send_ended,
)
from workers.vault import SecretToken, VaultError

__all__ = ["AFTER_SECONDS", "SEND_SECONDS", "START_SECONDS", "Attempts", "RefusedError", "not_now"]

START_SECONDS: Final = 10.0
SEND_SECONDS: Final = 40.0
AFTER_SECONDS: Final = 120.0
NOT_COMPLETED: Final = "preview_missing"
"""Notice to the person: the post is out, but without the preview picture that it was to have."""
INCOMPLETE: Final = "thread_incomplete"
"""Failure code of a target whose post is out, but not everything that was to follow it."""

log = get_logger(__name__)


class RefusedError(Exception):
    """The database does not let this attempt go on."""


class Attempts:
    """Works on claimed targets until their outcome is clear.

    Args:
        gateway: the database.
        publishers: by platform id.
        tokens: gives out access tokens.
        reporter: records parts of threads.
        accounts: knows which account a platform told to wait.
        memory: accounts for parts of files.
        now: wall clock.
    """

    def __init__(
        self,
        gateway: PublishGateway,
        publishers: Mapping[str, Publisher],
        tokens: Tokens,
        reporter: Reporter,
        accounts: Accounts,
        *,
        memory: MemoryBudget,
        now: Callable[[], datetime],
    ) -> None:
        self._gateway = gateway
        self._publishers = publishers
        self._tokens = tokens
        self._reporter = reporter
        self._accounts = accounts
        self._memory = memory
        self._now = now
        self._marks: Coalescer[tuple[UUID, int, str | None], bool] = Coalescer(self._mark_many)

    async def outcome(self, flight: Flight) -> Outcome:
        """Publish the flight's target, or probe for it.

        Raises:
            RefusedError: the database has ended the target.
            LeaseLostError: somebody else may have it; report nothing.
        """
        claim = flight.claim
        publisher = self._publishers.get(claim.platform_id)
        if publisher is None:
            return not_now(claim, "platform_unavailable", 300.0)
        held_back = self._accounts.held_back(claim.connection_id)
        if held_back > 0:
            return not_now(claim, "rate_limited", held_back)
        outcome = await self._try(flight, publisher)
        if isinstance(outcome, NotAccepted | Unknown) and outcome.code == "rate_limited":
            self._accounts.hold_back(claim.connection_id, outcome.retry_after or 60.0)
        return outcome

    # --- tokens ---------------------------------------------------------------------------------------------

    async def _try(self, flight: Flight, publisher: Publisher) -> Outcome:
        """Publish or probe with the token at hand, and once more with a newer one if the platform refuses it.

        A refused token means that nothing was accepted by that call.
        """
        given = await self._token(flight, self._tokens.open)
        if not isinstance(given, tuple):
            return given
        outcome = await self._work(flight, publisher, given[0])
        if not isinstance(outcome, NeedsReconnect):
            return outcome
        flight.phase = Phase.PREPARING
        refused = given[1]

        async def renew(claim: ClaimedTarget, worker_id: UUID) -> tuple[SecretToken, int]:
            return await self._tokens.renew(claim, worker_id, refused)

        given = await self._token(flight, renew)
        if not isinstance(given, tuple):
            return given
        outcome = await self._work(flight, publisher, given[0])
        if not isinstance(outcome, NeedsReconnect):
            return outcome
        flight.phase = Phase.PREPARING
        return await self._end_connection(flight.claim, outcome, given[1])

    async def _work(self, flight: Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        work = self._reconcile if flight.claim.mode == "reconcile" else self._publish
        try:
            return await work(flight, publisher, token)
        except PublishStopped as stopped:
            return stopped.outcome

    async def _token(
        self, flight: Flight, give: Callable[[ClaimedTarget, UUID], Awaitable[tuple[SecretToken, int]]]
    ) -> tuple[SecretToken, int] | Outcome:
        """An access token and its generation, or the outcome that follows from having none: nothing was
        sent."""
        claim = flight.claim
        if not claim.sealed_access:
            return NeedsReconnect("disconnected")
        try:
            return await give(claim, flight.identity.worker_id)
        except GrantRevokedError as error:  # the database knows it already
            return NeedsReconnect(error.code)
        except VaultError:
            log.exception("token_unreadable", target_id=claim.target_id)
            return not_now(claim, "token_unreadable", 300.0)
        except NexoraError as error:  # also LeaseLostError: others were renewing it all the time
            wait = error.retry_after if isinstance(error, ProviderRefusedError) else None
            log.warning("token_unavailable", target_id=claim.target_id, code=error.code)
            return not_now(claim, f"token_{error.code}"[:64], wait)

    async def _end_connection(
        self, claim: ClaimedTarget, outcome: NeedsReconnect, generation: int
    ) -> Outcome:
        """The platform refuses even a renewed token: the person has to connect the account again (P6.8)."""
        try:
            await self._gateway.revoke_connection(claim.connection_id, outcome.code, generation)
        except GatewayError as error:
            log.warning("revoke_failed", connection_id=claim.connection_id, code=error.code)
            return not_now(claim, outcome.code, 30.0)
        return outcome

    # --- the post itself ------------------------------------------------------------------------------------

    async def _publish(self, flight: Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        if flight.claim.external_id is not None:  # an earlier attempt got as far
            return await self._send_parts(flight, publisher, token)
        outcome = await self._send(flight, publisher, token)
        if not isinstance(outcome, Published):
            return outcome
        return await self._go_on(flight, publisher, token, outcome)

    async def _send(self, flight: Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        async def save(progress: Mapping[str, Any]) -> None:
            await self._save_progress(flight, progress)

        media = media_of(flight.claim, self._gateway, self._memory)
        prepared = await publisher.prepare(flight.claim, token, media, save)
        if not await self._begin(flight, prepared.platform_key):
            return NotAccepted("not_begun_in_time", retry_after=1.0)
        return await self._settled(flight, publisher.send(prepared))

    async def _go_on(
        self, flight: Flight, publisher: Publisher, token: SecretToken, published: Published
    ) -> Outcome:
        """The post itself is out: complete it, and publish what follows it."""
        if not await self._complete(flight, publisher, token, published):
            published = dataclasses.replace(published, notice=published.notice or NOT_COMPLETED)
        if not flight.claim.follow_ups:
            return published
        await self._reporter.record(flight, 0, published)
        outcome = await self._send_parts(flight, publisher, token)
        if isinstance(outcome, Published):
            return dataclasses.replace(outcome, notice=published.notice)
        return outcome

    async def _complete(
        self, flight: Flight, publisher: Publisher, token: SecretToken, published: Published
    ) -> bool:
        """What the published post still needs; whether it has it. Whatever goes wrong here, the post is
        out."""
        claim = flight.claim
        try:
            async with asyncio.timeout(AFTER_SECONDS):
                await publisher.after_send(
                    claim, token, media_of(claim, self._gateway, self._memory), published
                )
        except asyncio.CancelledError:  # the stop's limit: the post is out all the same
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()
            return False
        except Exception as error:  # noqa: BLE001  best effort by contract
            code = error.outcome.code if isinstance(error, PublishStopped) else type(error).__name__
            log.warning("after_send_failed", target_id=claim.target_id, code=code)
            return False
        return True

    # --- what follows it ------------------------------------------------------------------------------------

    async def _send_parts(self, flight: Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        """Publish the missing parts of the thread, one after the other."""
        budget: tuple[Budget, ...] = ()
        while (part := flight.missing_part) is not None:
            if not await self._begin(flight, None):
                return NotAccepted("not_begun_in_time", retry_after=1.0)
            parent, root = _above(flight.claim, part)
            outcome = await self._settled(
                flight, publisher.send_follow_up(flight.claim, token, part.text, parent, root)
            )
            if not isinstance(outcome, Published):
                return _incomplete(flight.claim, part, publisher, outcome)
            budget = outcome.budget
            await self._reporter.record(flight, part.position, outcome)
        return Published(flight.claim.external_id or "", budget=budget)

    # --- reconciling ----------------------------------------------------------------------------------------

    async def _reconcile(self, flight: Flight, publisher: Publisher, token: SecretToken) -> Outcome:
        """Ask the platform about an earlier attempt. Nothing is marked: the database still holds that
        attempt's mark, and leaves the target to whoever has leased it for probing."""
        if not flight.identity.is_fresh:  # somebody else may be at it
            return Unknown("not_begun_in_time", 1.0)
        part = flight.missing_part
        flight.phase = Phase.SENDING
        if part is None:
            outcome = await self._deadline(publisher.probe(flight.claim, token))
        else:
            parent, root = _above(flight.claim, part)
            outcome = await self._deadline(
                publisher.probe_follow_up(flight.claim, token, part.text, parent, root)
            )
        if isinstance(outcome, Unknown) and publisher.is_probe_sending and outcome.code != "too_early":
            await self._note_end(flight)
            wait = max(outcome.retry_after or 0.0, SETTLE_AFTER_END)
            return dataclasses.replace(outcome, retry_after=wait)
        if not isinstance(outcome, Published):
            return outcome if part is None else _incomplete(flight.claim, part, publisher, outcome)
        if part is None:
            return await self._go_on(flight, publisher, token, outcome)
        await self._reporter.record(flight, part.position, outcome)
        return await self._send_parts(flight, publisher, token)

    # --- steps ----------------------------------------------------------------------------------------------

    async def _begin(self, flight: Flight, platform_key: str | None) -> bool:
        """Mark the attempt as sending.

        Returns:
            False when too much time has passed for the call still to be made; it was not made.

        Raises:
            RefusedError: the database says no.
        """
        claim = flight.claim
        flight.phase = Phase.MARKING
        asked_at = time.monotonic()
        try:
            is_ours = await self._marks.submit(
                flight.identity.worker_id, (claim.target_id, claim.attempt, platform_key)
            )
        except GatewayError as error:
            # Marked or not, the call is not made: known not to have been accepted.
            log.warning("mark_failed", target_id=claim.target_id, code=error.code)
            flight.is_marked = True
            return False
        if not is_ours:
            raise RefusedError
        flight.is_marked = True
        if time.monotonic() - asked_at > START_SECONDS or not flight.identity.is_fresh:
            log.warning(
                "begin_too_late", target_id=claim.target_id, age_seconds=round(flight.identity.age, 3)
            )
            return False
        flight.phase = Phase.SENDING
        return True

    async def _settled(self, flight: Flight, call: Awaitable[Outcome]) -> Outcome:
        """The outcome of an irreversible call; when it is unknown, the moment of its end is kept."""
        outcome = await self._deadline(call)
        if isinstance(outcome, Unknown):
            await self._note_end(flight)
        return outcome

    async def _deadline(self, call: Awaitable[Outcome]) -> Outcome:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                return await call
        except TimeoutError:
            return Unknown("no_answer")

    async def _note_end(self, flight: Flight) -> None:
        """Remember that our irreversible call is over, so that it is probed for sooner. Best effort."""
        claim = flight.claim
        with contextlib.suppress(GatewayError):
            await self._gateway.save_progress(
                flight.identity.worker_id,
                claim.target_id,
                claim.attempt,
                send_ended(own_progress(claim), self._now()),
            )

    async def _save_progress(self, flight: Flight, progress: Mapping[str, Any]) -> None:
        claim = flight.claim
        known = own_progress(claim)
        kept = {name: value for name, value in {**known, **progress}.items() if value is not None}
        if kept == known:
            return
        is_ours = await self._gateway.save_progress(
            flight.identity.worker_id, claim.target_id, claim.attempt, kept
        )
        if not is_ours:
            raise LeaseLostError("save_progress")
        flight.keep(kept)

    async def _mark_many(
        self, worker_id: UUID, targets: Sequence[tuple[UUID, int, str | None]]
    ) -> Sequence[bool]:
        allowed = await self._gateway.mark_sending(worker_id, targets)
        return [target_id in allowed for target_id, _, _ in targets]


def not_now(claim: ClaimedTarget, code: str, wait: float | None) -> NotAccepted | Unknown:
    """Nothing was done now. For a target whose earlier attempt is unknown, that stays so."""
    return Unknown(code, wait) if claim.mode == "reconcile" else NotAccepted(code, wait)


def _above(claim: ClaimedTarget, part: FollowUpItem) -> tuple[str, str]:
    """Ids of what a part answers to: the part before it, and the post itself."""
    root = claim.external_id or ""
    before = [item.external_id for item in claim.follow_ups if item.position < part.position]
    return next((id_ for id_ in reversed(before) if id_ is not None), root), root


def _incomplete(claim: ClaimedTarget, part: FollowUpItem, publisher: Publisher, outcome: Outcome) -> Outcome:
    """A part that was refused for good ends the target; the post and the parts before it stay where they are."""
    if not isinstance(outcome, Rejected):
        return outcome
    if publisher.follow_up == "comment":
        lead = "The post is out, but its first comment was not accepted."
    else:
        number = [item.position for item in claim.follow_ups].index(part.position) + 2
        lead = f"The thread ends before part {number} of {len(claim.follow_ups) + 1}."
    return dataclasses.replace(outcome, code=INCOMPLETE, message=f"{lead} {outcome.message}")
