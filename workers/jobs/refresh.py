"""Access tokens that work: renewed before they end, under one lock per account.

Rules (each one answers a complaint about other schedulers):

- One renewal at a time per account: a lock in the database among processes, a lock in memory within this one.
  Two renewals at once would use a rotating refresh token twice, and the platform would end the grant.
- A passing failure never disconnects. Only an answer that is known to mean "this grant is over" does
  (`ended_grant` in platforms.toml), and only while no newer tokens have been stored.
- An answer without a refresh token keeps the old one; life spans come from the answer.
- A renewal that has begun is finished even when its caller is cancelled: an unstored rotated token is lost
  for ever.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol
from uuid import UUID

from workers.errors import (
    DatabaseBusyError,
    GrantRevokedError,
    NexoraError,
    ProviderError,
    ProviderRefusedError,
    ProviderTransportError,
    ProviderUnavailableError,
    TransportError,
)
from workers.gateway import ClaimedJob, JobResult, TokenLease
from workers.jobs.sealed_tokens import SealedTokens, TokenPlace, ends_at, seal_tokens
from workers.logs import get_logger
from workers.providers.oauth import PlatformOAuth, TokenGrant
from workers.vault import (
    SecretToken,
    Vault,
    VaultError,
    sealed_from_text,
)

__all__ = [
    "ConnectionClaim",
    "RefreshBusyError",
    "TokenKeeper",
    "run_refreshes",
    "utc_now",
]

LANE: Final = "refresh"
NEAR_ITS_END: Final = timedelta(minutes=5)
STILL_USABLE: Final = timedelta(seconds=30)
_WAITS_FOR_OTHERS: Final = (
    0.5,
    1.0,
    2.0,
    4.0,
    8.0,
)  # seconds; together less than the 60 s of the database's lock
_WAITS_TO_STORE: Final = (0.5, 1.0, 2.0, 4.0, 8.0)  # seconds; likewise
_ANSWER_SECONDS: Final = 30.0  # for the platform's answer; with the waits to store still less than the lock
_BUSY_SECONDS: Final = 15.0
_HERE: Final = "nexora"  # "host" of refusals that are our own

_log = get_logger(__name__)


def utc_now() -> datetime:
    """The current instant, with its zone."""
    return datetime.now(UTC)


class RefreshBusyError(ProviderUnavailableError):
    """Others renew these tokens at this moment, or were faster: nothing was done, try again soon."""

    code = "refresh_busy"


class ConnectionClaim(Protocol):
    """What is needed to use the access token of a connection; a claimed target and a token lease both are
    one.
    """

    @property
    def user_id(self) -> UUID:
        """The owner."""
        ...

    @property
    def connection_id(self) -> UUID:
        """The connected account."""
        ...

    @property
    def platform_id(self) -> str:
        """Its platform."""
        ...

    @property
    def generation(self) -> int:
        """Of the tokens."""
        ...

    @property
    def sealed_access(self) -> str:
        """The sealed access token, base64."""
        ...

    @property
    def access_expires_at(self) -> datetime | None:
        """When it ends; None when the platform did not say."""
        ...


class TokenGateway(Protocol):
    """The part of `workers.gateway.Gateway` that this module uses."""

    async def lease_token(
        self, connection_id: UUID, worker_id: UUID, generation_seen: int | None = None
    ) -> TokenLease | None:
        """See `Gateway.lease_token`."""
        ...

    async def store_refreshed_token(
        self,
        *,
        connection_id: UUID,
        worker_id: UUID,
        generation: int,
        sealed_access: str,
        sealed_refresh: str | None,
        sealed_revocation: str,
        key_ids: Sequence[str],
        access_expires_at: datetime | None,
        refresh_expires_at: datetime | None,
    ) -> bool:
        """See `Gateway.store_refreshed_token`."""
        ...

    async def fail_refresh(self, connection_id: UUID, worker_id: UUID, code: str) -> None:
        """See `Gateway.fail_refresh`."""
        ...

    async def revoke_connection(self, connection_id: UUID, code: str, generation: int | None = None) -> bool:
        """See `Gateway.revoke_connection`."""
        ...


class JobGateway(Protocol):
    """The part of `workers.gateway.Gateway` that hands out jobs."""

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        """See `Gateway.claim_jobs`."""
        ...

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        """See `Gateway.finish_jobs`."""
        ...


class TokenKeeper:
    """Gives out access tokens that work, and renews them.

    Args:
        gateway: the database.
        vault: opens and seals.
        clients: OAuth clients by platform id.
        clock: current time; tests set it.
    """

    def __init__(
        self,
        gateway: TokenGateway,
        vault: Vault,
        clients: Mapping[str, PlatformOAuth],
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._gateway = gateway
        self._vault = vault
        self._clients = clients
        self._clock = clock
        self._locks: weakref.WeakValueDictionary[UUID, asyncio.Lock] = weakref.WeakValueDictionary()
        self._unfinished: set[asyncio.Task[ConnectionClaim]] = set()

    async def fresh_access_token(self, claim: ConnectionClaim, worker_id: UUID) -> SecretToken:
        """An access token for this connection that does not end within the next minutes.

        Args:
            claim: the tokens that the caller was given.
            worker_id: a live id of this process.

        Raises:
            GrantRevokedError: the grant is over; the connection has been marked, the person has been told.
                With code `disconnected`: the person disconnected the account meanwhile.
            ProviderError: the platform could not renew it now and the old token is too close to its end.
                Its kind `RefreshBusyError`: others were at it all the time.
            GatewayError: the database could not be asked.
            VaultError: the sealed token does not open.
        """
        return self.open_access(await self.fresh_claim(claim, worker_id))

    async def fresh_claim(self, claim: ConnectionClaim, worker_id: UUID) -> ConnectionClaim:
        """As `fresh_access_token`, but answers the tokens as they are stored, with their generation."""
        if self._lasts(claim, NEAR_ITS_END):
            return claim
        try:
            return await self.renew(claim.connection_id, worker_id, claim.generation)
        except GrantRevokedError:
            raise
        except (NexoraError, VaultError) as error:
            if not self._lasts(claim, STILL_USABLE):
                raise
            _log.warning("token_not_renewed_yet", connection_id=claim.connection_id, code=_code_of(error))
            return claim

    async def renew(
        self, connection_id: UUID, worker_id: UUID, generation_seen: int | None = None
    ) -> ConnectionClaim:
        """Renews the tokens of a connection, or waits for whoever does.

        Args:
            connection_id: which connection.
            worker_id: a live id of this process.
            generation_seen: the generation that is too old; a newer one in the database is answered as it is.
                None: renew whatever is there.

        Returns:
            The tokens as they are now.

        Raises: as `fresh_access_token`.
        """
        lock = self._locks.setdefault(connection_id, asyncio.Lock())
        async with lock:
            for pause in (0.0, *_WAITS_FOR_OTHERS):
                await asyncio.sleep(pause)
                lease = await self._gateway.lease_token(connection_id, worker_id, generation_seen)
                if lease is None:
                    raise GrantRevokedError(_HERE, "disconnected")
                if lease.leased and lease.sealed_refresh is not None:
                    return await self._finish(lease, lease.sealed_refresh, worker_id)
                if lease.sealed_refresh is None:
                    return await self._without_refresh_token(lease, worker_id)
                if generation_seen is not None and lease.generation > generation_seen:
                    return lease
                if generation_seen is None:
                    break
        raise RefreshBusyError(_HERE)

    async def drain(self) -> None:
        """Waits until every renewal that has begun is stored. Call it before the process ends."""
        while self._unfinished:
            await asyncio.wait(self._unfinished)

    async def _finish(self, lease: TokenLease, sealed_refresh: str, worker_id: UUID) -> ConnectionClaim:
        task = asyncio.ensure_future(self._renew_leased(lease, sealed_refresh, worker_id))
        self._unfinished.add(task)
        task.add_done_callback(self._forget)
        return await asyncio.shield(task)

    def _forget(self, task: asyncio.Task[ConnectionClaim]) -> None:
        self._unfinished.discard(task)
        if not task.cancelled():
            task.exception()  # seen, also when its caller was cancelled

    async def _renew_leased(self, lease: TokenLease, sealed_refresh: str, worker_id: UUID) -> ConnectionClaim:
        """Asks the platform and stores what it gave. The caller holds the lock of the database."""
        try:
            client = self._client(lease.platform_id)
            refresh = self._vault.open(sealed_from_text(sealed_refresh), _place(lease).of("refresh"))
            asked_at = self._clock()
            grant = await _in_time(client.refresh(refresh), lease.platform_id)
        except GrantRevokedError as error:
            return await self._end(lease, error, worker_id)
        except (ProviderError, VaultError) as error:
            await self._gateway.fail_refresh(lease.connection_id, worker_id, _code_of(error))
            raise
        return await self._store(lease, worker_id, client, grant, grant.refresh or refresh, asked_at)

    async def _store(
        self,
        lease: TokenLease,
        worker_id: UUID,
        client: PlatformOAuth,
        grant: TokenGrant,
        refresh: SecretToken,
        asked_at: datetime,
    ) -> ConnectionClaim:
        place = TokenPlace(lease.user_id, lease.connection_id, lease.platform_id, lease.generation + 1)
        sealed = seal_tokens(self._vault, client, place, grant.access, refresh)
        renewed = TokenLease(
            connection_id=lease.connection_id,
            user_id=lease.user_id,
            platform_id=lease.platform_id,
            generation=place.generation,
            sealed_access=sealed.access,
            sealed_refresh=sealed.refresh,
            access_expires_at=ends_at(asked_at, grant.access_expires_in),
            refresh_expires_at=_refresh_end(lease, grant, asked_at),
            leased=False,
        )
        if await self._keep_storing(renewed, sealed, worker_id):
            return renewed
        current = await self._gateway.lease_token(lease.connection_id, worker_id, lease.generation)
        if current is None:  # disconnected meanwhile: nobody else will give these tokens back (P6.7)
            await self._give_back(client, grant.access, refresh)
            raise GrantRevokedError(_HERE, "disconnected")
        if (
            current.generation > lease.generation
        ):  # by a call of ours whose answer was lost, or by a reconnect
            return current
        raise RefreshBusyError(_HERE)

    async def _keep_storing(self, renewed: TokenLease, sealed: SealedTokens, worker_id: UUID) -> bool:
        """Stores through a database outage of some seconds: a rotated token that is not stored is lost."""
        store = functools.partial(
            self._gateway.store_refreshed_token,
            connection_id=renewed.connection_id,
            worker_id=worker_id,
            generation=renewed.generation,
            sealed_access=sealed.access,
            sealed_refresh=sealed.refresh,
            sealed_revocation=sealed.revocation,
            key_ids=sealed.key_ids,
            access_expires_at=renewed.access_expires_at,
            refresh_expires_at=renewed.refresh_expires_at,
        )
        for pause in _WAITS_TO_STORE:
            try:
                return await store()
            except (TransportError, DatabaseBusyError) as error:
                _log.warning("new_token_not_stored_yet", code=_code_of(error))
            await asyncio.sleep(pause)
        return await store()

    async def _without_refresh_token(self, lease: TokenLease, worker_id: UUID) -> ConnectionClaim:
        """The platform gave no refresh token: what there is lives as long as it lives, then a person acts."""
        if self._lasts(lease, STILL_USABLE):
            return lease
        return await self._end(lease, GrantRevokedError(_HERE, "token_expired"), worker_id)

    async def _end(self, lease: TokenLease, error: GrantRevokedError, worker_id: UUID) -> ConnectionClaim:
        """Handles the end of the grant (P6.8), unless newer tokens (of a reconnect) made the answer stale."""
        if not await self._gateway.revoke_connection(lease.connection_id, error.code, lease.generation):
            current = await self._gateway.lease_token(lease.connection_id, worker_id, lease.generation)
            if current is not None and current.generation > lease.generation:
                return current
        _log.info("grant_ended", connection_id=lease.connection_id, code=error.code)
        raise error

    async def _give_back(
        self, client: PlatformOAuth, access: SecretToken, refresh: SecretToken | None
    ) -> None:
        token = client.revocation_token(access, refresh)
        try:
            if token is not None:
                await client.revoke(token)
        except ProviderError as error:
            _log.warning("late_token_not_given_back", code=_code_of(error))

    def _client(self, platform_id: str) -> PlatformOAuth:
        client = self._clients.get(platform_id)
        if client is None:
            raise ProviderUnavailableError(platform_id)
        return client

    def _lasts(self, claim: ConnectionClaim, margin: timedelta) -> bool:
        return claim.access_expires_at is None or claim.access_expires_at > self._clock() + margin

    def open_access(self, claim: ConnectionClaim) -> SecretToken:
        """The access token that a claim carries, as it is. Raises VaultError when it does not open."""
        return self._vault.open(sealed_from_text(claim.sealed_access), _place(claim).of("access"))


def _place(claim: ConnectionClaim) -> TokenPlace:
    return TokenPlace(claim.user_id, claim.connection_id, claim.platform_id, claim.generation)


async def run_refreshes(
    gateway: JobGateway, keeper: TokenKeeper, worker_id: UUID, limit: int
) -> tuple[int, datetime | None]:
    """Runs the due jobs of lane `refresh`, all at once.

    Args:
        gateway: hands out the jobs.
        keeper: renews.
        worker_id: a live id of this process.
        limit: most jobs to take.

    Returns:
        How many jobs were taken, and when the lane's next job is due (None: none is).

    Raises:
        GatewayError: when claiming or reporting fails; a failed renewal is a result, not an error.
    """
    jobs = await gateway.claim_jobs(worker_id, LANE, limit)
    if not jobs:
        return 0, None
    results = await asyncio.gather(*(_run_refresh(keeper, job, worker_id) for job in jobs))
    await gateway.finish_jobs(worker_id, results)
    return len(jobs), max((job.next_due for job in jobs if job.next_due is not None), default=None)


async def _run_refresh(keeper: TokenKeeper, job: ClaimedJob, worker_id: UUID) -> JobResult:
    try:
        await keeper.renew(job.subject_id, worker_id)
    except GrantRevokedError as error:
        return JobResult(LANE, job.subject_id, job.attempt, "done", error.code)
    except RefreshBusyError as error:
        return JobResult(LANE, job.subject_id, job.attempt, "retry", error.code, _BUSY_SECONDS)
    except Exception as error:  # noqa: BLE001 - one job must not keep the others from being reported
        after = error.retry_after if isinstance(error, ProviderRefusedError) else None
        return JobResult(LANE, job.subject_id, job.attempt, "retry", _code_of(error), after)
    return JobResult(LANE, job.subject_id, job.attempt, "done")


async def _in_time(answer: Coroutine[Any, Any, TokenGrant], platform_id: str) -> TokenGrant:
    """The answer, unless the platform dribbles it out for longer than the lock can be held."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await answer
    except TimeoutError as error:
        raise ProviderTransportError(platform_id, "TimeoutError") from error


def _refresh_end(lease: TokenLease, grant: TokenGrant, asked_at: datetime) -> datetime | None:
    if grant.refresh_expires_in is not None:
        return ends_at(asked_at, grant.refresh_expires_in)
    return lease.refresh_expires_at if grant.refresh is None else None


def _code_of(error: Exception) -> str:
    """A word for logs and the database. Texts of exceptions go nowhere: they may quote anything (P1.11)."""
    if isinstance(error, VaultError):
        return "sealed_token_unreadable"
    return error.code if isinstance(error, NexoraError) else f"unexpected.{type(error).__name__}"
