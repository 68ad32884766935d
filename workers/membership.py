"""This process's membership: its worker ids, their heartbeat, and the signal to stop."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Final, Protocol
from uuid import UUID

from workers.errors import AccessRefusedError, ContractMismatchError, GatewayError
from workers.jobs import Identity, backoff_seconds, pause
from workers.logs import get_logger
from workers.metrics import Metrics
from workers.settings import WorkerSettings

__all__ = ["MemberGateway", "Process"]

HEARTBEAT_SECONDS: Final = 10.0
RETIRED_SECONDS: Final = 120.0
_HEARTBEAT_TIMEOUT: Final = 9.0
_STOP_TIMEOUT: Final = 5.0

log = get_logger(__name__)


class MemberGateway(Protocol):
    """The part of `workers.gateway.Gateway` that membership uses."""

    async def register_worker(self, name: str, public_url: str, redirect_urls: tuple[str, ...]) -> UUID: ...

    async def heartbeat(self, worker_id: UUID) -> bool: ...

    async def stop_worker(self, worker_id: UUID) -> None: ...


class Process:
    """This process's membership: its worker ids, their heartbeat, and the signal to stop. See
    `jobs.Membership`.

    Args:
        gateway: the database.
        settings: name, public URL and redirect URLs to announce.
        metrics: counts lease losses.
        interval: seconds between heartbeats.
    """

    def __init__(
        self,
        gateway: MemberGateway,
        settings: WorkerSettings,
        metrics: Metrics,
        *,
        interval: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._gateway = gateway
        self._settings = settings
        self._metrics = metrics
        self._interval = interval
        self._stopping = asyncio.Event()
        self._current: Identity | None = None
        self._is_registered = asyncio.Event()
        self._is_wanted = asyncio.Event()
        self._is_wanted.set()
        self._retired: dict[Identity, float] = {}

    @property
    def stopping(self) -> asyncio.Event:
        """Set once, by `stop`."""
        return self._stopping

    @property
    def is_healthy(self) -> bool:
        """Whether the database has confirmed this process lately and it is not stopping."""
        current = self._current
        return current is not None and current.is_fresh and not self._stopping.is_set()

    def stop(self) -> None:
        """Begin the graceful stop."""
        self._stopping.set()
        self._is_registered.set()  # nobody needs to wait for an id any more

    async def identity(self) -> Identity | None:
        """The id to claim with now; waits until there is one. None when the process is stopping without
        one."""
        while self._current is None and not self._stopping.is_set():
            await self._is_registered.wait()
        return self._current

    def retire(self, identity: Identity) -> None:
        """Claim with a new id from now on. The old one is kept alive until what it holds is finished, and
        then stopped, which frees whatever is leased to it without anybody knowing."""
        if identity is not self._current:
            return
        identity.is_retired = True
        self._retired[identity] = time.monotonic()
        self._want_new_identity()
        log.warning("worker_id_retired", worker_id=identity.worker_id, count=identity.held)

    def _want_new_identity(self) -> None:
        self._current = None
        self._is_registered.clear()
        self._is_wanted.set()

    async def register(self) -> None:
        """Get a worker id.

        Raises:
            AccessRefusedError, ContractMismatchError: this deployment can never work.
        """
        failures = 0
        settings = self._settings
        while not self._stopping.is_set():
            asked_at = time.monotonic()
            try:
                worker_id = await self._gateway.register_worker(
                    settings.worker_name, settings.public_url, settings.redirect_urls
                )
            except (AccessRefusedError, ContractMismatchError):
                raise
            except GatewayError as error:
                failures += 1
                wait = backoff_seconds(failures, cap=10.0)
                log.warning("register_failed", code=error.code, wait_seconds=round(wait, 3))
                await pause(self, wait)
                continue
            identity = Identity(worker_id)
            identity.confirm(asked_at)
            self._metrics.heartbeat.set_to_current_time()
            self._current = identity
            self._is_wanted.clear()
            self._is_registered.set()
            log.info("worker_registered", worker_id=worker_id)
            return

    async def keep_alive(self) -> None:
        """Send heartbeats, and register anew where that is called for, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._is_wanted.wait(), self._interval)
            if self._current is None and not self._stopping.is_set():
                await self.register()
            else:
                self._is_wanted.clear()
            identities = [*self._retired] if self._current is None else [self._current, *self._retired]
            await asyncio.gather(*(self._beat(identity) for identity in identities))
            for identity, since in list(self._retired.items()):
                if identity.held == 0 or time.monotonic() - since > RETIRED_SECONDS:
                    await self._stop_identity(identity)

    async def _beat(self, identity: Identity) -> None:
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(_HEARTBEAT_TIMEOUT):
                is_alive = await self._gateway.heartbeat(identity.worker_id)
        except (GatewayError, TimeoutError) as error:
            log.warning(
                "heartbeat_failed",
                worker_id=identity.worker_id,
                cause=type(error).__name__,
                age_seconds=round(identity.age, 3),
            )
            return
        if is_alive:
            identity.confirm(asked_at)
            self._metrics.heartbeat.set_to_current_time()
            return
        log.error("lease_lost", worker_id=identity.worker_id, count=identity.held)
        self._metrics.lease_losses.labels("worker").inc()
        identity.lose()
        self._retired.pop(identity, None)
        if identity is self._current:
            self._want_new_identity()

    async def _stop_identity(self, identity: Identity) -> None:
        try:
            async with asyncio.timeout(_STOP_TIMEOUT):
                await self._gateway.stop_worker(identity.worker_id)
        except (GatewayError, TimeoutError) as error:
            log.warning("stop_worker_failed", worker_id=identity.worker_id, cause=type(error).__name__)
            return
        self._retired.pop(identity, None)
        identity.lose()

    async def leave(self) -> None:
        """Stop every id of this process: the last call of a graceful stop."""
        identities = [*self._retired] if self._current is None else [self._current, *self._retired]
        self._current = None
        await asyncio.gather(*(self._stop_identity(identity) for identity in identities))
