"""The worker process: one event loop that publishes, refreshes, revokes, serves the web and tidies up.

It is one member of any number of replicas. The database knows it by a worker id, kept alive by a heartbeat;
what it has leased comes free when the heartbeat stops. The process holds no state that is not in the
database: it can be killed at any moment.

Stopping (SIGTERM or SIGINT): claim nothing more, hand back what is only being prepared, finish what is being
sent within NEXORA_STOP_SECONDS, report everything, stop the worker id, exit with 0. A second signal exits at
once.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Protocol
from uuid import UUID

from workers import http
from workers.errors import AccessRefusedError, ConfigurationError, ContractMismatchError, GatewayError
from workers.gateway import Gateway
from workers.jobs import Identity, backoff_seconds, pause
from workers.jobs.erasure import OutsideEraser, run_erasures
from workers.jobs.housekeeping import run_housekeeping
from workers.jobs.kept_tokens import KeptTokens
from workers.jobs.locations import CountryTable, run_locations
from workers.jobs.mail import run_mails
from workers.jobs.publishing import Limits, PublishJob
from workers.jobs.refresh import TokenKeeper, run_refreshes
from workers.jobs.revoke import run_revocations
from workers.logs import get_logger, watch_loop
from workers.mail.letters import Places
from workers.mail.resend import ResendSender
from workers.mail.webhooks import signing_key
from workers.metrics import Metrics
from workers.providers.oauth import PlatformOAuth, oauth_clients
from workers.providers.publishers import build_publishers
from workers.scheduler import Scheduler
from workers.settings import MailAccount, WorkerSettings
from workers.vault import Keyring, KeyringError, Vault
from workers.web import WebContext, create_app
from workers.web.media import MediaRelay
from workers.web.server import WebServer

__all__ = ["MemberGateway", "Process", "run_worker"]

HEARTBEAT_SECONDS: Final = 10.0
RETIRED_SECONDS: Final = 120.0
_HEARTBEAT_TIMEOUT: Final = 9.0
_STOP_TIMEOUT: Final = 5.0
_LOOP_TIMEOUT: Final = 30.0
_HOUSEKEEPING_SECONDS: Final = 300.0
_LANE_POLL_SECONDS: Final = 2.0
_LOCATION_POLL_SECONDS: Final = 15.0
_LANE_LIMIT: Final = 20
_LOCATION_LIMIT: Final = 500
_MAIL_LIMIT: Final = 10  # five seconds of work at the default pace, so that a stop waits no longer

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


def _webhook_key(account: MailAccount | None) -> bytes | None:
    if account is None or account.webhook_secret is None:
        return None
    try:
        return signing_key(account.webhook_secret)
    except ValueError as error:
        raise ConfigurationError("NEXORA_RESEND_WEBHOOK_SECRET", str(error)) from None


class _Worker:
    """Everything that one process runs, put together."""

    def __init__(
        self, settings: WorkerSettings, vault: Vault, gateway: Gateway, metrics: Metrics, web: http.Client
    ) -> None:
        self._gateway = gateway
        self._vault = vault
        self._clients: Mapping[str, PlatformOAuth] = oauth_clients(settings, web)
        self.keeper = TokenKeeper(gateway, vault, self._clients)
        self.process = Process(gateway, settings, metrics)
        self._metrics = metrics
        self._publish = PublishJob(
            gateway,
            build_publishers(settings, web, vault),
            KeptTokens(self.keeper),
            self.process,
            limits=Limits(
                concurrency=settings.concurrency,
                poll_seconds=settings.poll_seconds,
                stop_seconds=settings.stop_seconds,
                media_bytes=settings.media_memory_mb * 1024 * 1024,
            ),
            metrics=metrics,
        )
        account = settings.mail_account()
        self._sender = None if account is None else ResendSender(web, account)
        self._places = Places(settings.public_url, settings.app_url)

        self._erasers: Mapping[
            str, OutsideEraser
        ] = {}  # processors that keep something get theirs with billing
        self._scheduler = Scheduler()
        self._countries: CountryTable | None = None
        context = WebContext(
            gateway=gateway,
            vault=vault,
            clients=self._clients,
            public_url=settings.public_url,
            is_healthy=lambda: self.process.is_healthy,
            render_metrics=metrics.render,
            media=MediaRelay(web, settings.supabase_url),
            webhook_key=_webhook_key(account),
        )
        self._web = WebServer(create_app(context), settings.web_host, settings.web_port)
        self._stop_seconds = settings.stop_seconds

    async def run(self) -> int:
        """Run until told to stop; answers the exit code."""
        await self.process.register()
        heart = asyncio.create_task(self.process.keep_alive(), name="heartbeat")
        loops = [
            asyncio.create_task(self._publish.run(), name="publish"),
            asyncio.create_task(self._lane_loop("refresh", self._refresh), name="refresh"),
            asyncio.create_task(self._lane_loop("revoke", self._revoke), name="revoke"),
            *self._mail_loops(),
            asyncio.create_task(self._lane_loop("erasure", self._erase), name="erasure"),
            asyncio.create_task(self._location_loop(), name="locations"),
            asyncio.create_task(self._web.serve(), name="web"),
        ]
        self._scheduler.every(_HOUSEKEEPING_SECONDS, self._keep_house, name="housekeeping", first_after=5.0)
        self._scheduler.start()
        log.info("worker_started", port=self._web.port, pid=os.getpid())
        stop = asyncio.create_task(self.process.stopping.wait(), name="stop")
        ended, _ = await asyncio.wait({heart, stop, *loops}, return_when=asyncio.FIRST_COMPLETED)
        is_fault = stop not in ended
        for task in ended - {stop}:
            error = None if task.cancelled() else task.exception()
            log.error("loop_ended", task=task.get_name(), exc_info=error)
        await self._wind_down(heart, loops)
        stop.cancel()
        return 1 if is_fault else 0

    async def _wind_down(self, heart: asyncio.Task[None], loops: list[asyncio.Task[None]]) -> None:
        log.info("worker_stopping")
        self.process.stop()
        self._scheduler.stop()
        self._web.stop()
        limit = self._stop_seconds + _LOOP_TIMEOUT
        await asyncio.wait(loops, timeout=limit)  # the heartbeat goes on meanwhile
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOP_TIMEOUT):
                await self.keeper.drain()
        for task in (heart, *loops):
            task.cancel()
        await asyncio.gather(heart, *loops, return_exceptions=True)
        await self.process.leave()
        log.info("worker_stopped")

    async def _lane_loop(self, lane: str, run_once: Callable[[UUID], Awaitable[int]]) -> None:
        """Work on a lane of the queue: claim, run, report, sleep until its next job is due."""
        failures = 0
        while not self.process.stopping.is_set():
            identity = await self.process.identity()
            if identity is None:
                return
            try:
                with identity.holding():
                    taken = await run_once(identity.worker_id)
            except GatewayError as error:
                # Claimed without an answer, or run without a report: either way jobs may be leased to this id
                # that nobody will finish.
                self.process.retire(identity)
                failures += 1
                log.warning("lane_failed", lane=lane, code=error.code, exc_info=error)
                await pause(self.process, backoff_seconds(failures))
                continue
            failures = 0
            self._metrics.jobs.labels(lane, "taken").inc(taken)
            if taken < _LANE_LIMIT:
                await pause(self.process, await self._lane_wait(lane))

    def _mail_loops(self) -> list[asyncio.Task[None]]:
        if self._sender is None:
            log.warning("mail_not_configured", variable="NEXORA_RESEND_API_KEY")
            return []
        return [asyncio.create_task(self._lane_loop("mail", self._mail), name="mail")]

    async def _lane_wait(self, lane: str) -> float:
        try:
            due = await (
                self._gateway.next_mail_due() if lane == "mail" else self._gateway.next_job_due(lane)
            )
        except GatewayError:
            return _LANE_POLL_SECONDS
        if due is None:
            return _LANE_POLL_SECONDS
        return min(_LANE_POLL_SECONDS, max(0.05, (due - datetime.now(UTC)).total_seconds()))

    async def _refresh(self, worker_id: UUID) -> int:
        taken, _ = await run_refreshes(self._gateway, self.keeper, worker_id, _LANE_LIMIT)
        return taken

    async def _revoke(self, worker_id: UUID) -> int:
        return await run_revocations(self._gateway, self._vault, self._clients, worker_id, _LANE_LIMIT)

    async def _mail(self, worker_id: UUID) -> int:
        if self._sender is None:
            return 0
        return await run_mails(self._gateway, self._sender, self._places, worker_id, _MAIL_LIMIT)

    async def _erase(self, worker_id: UUID) -> int:
        return await run_erasures(self._gateway, self._erasers, worker_id, 1)

    async def _location_loop(self) -> None:
        """Derive countries of log-ins (P1.9). Nothing is leased: any number of workers may do the same."""
        if self._countries is None:
            self._countries = await CountryTable.load()
        while not self.process.stopping.is_set():
            taken = 0
            try:
                taken = await run_locations(self._gateway, self._countries, _LOCATION_LIMIT)
            except GatewayError as error:
                log.warning("locations_failed", code=error.code)
            if taken < _LOCATION_LIMIT:
                await pause(self.process, _LOCATION_POLL_SECONDS)

    async def _keep_house(self) -> None:
        await run_housekeeping(self._gateway)


@contextlib.contextmanager
def _signals(process: Process) -> Iterator[None]:
    """The first SIGTERM or SIGINT stops in order, the second at once."""
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        log.info("signal", signal=number.name)
        if process.stopping.is_set():
            os._exit(128 + number)
        process.stop()

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextlib.asynccontextmanager
async def _clients(settings: WorkerSettings, metrics: Metrics) -> AsyncIterator[tuple[Gateway, http.Client]]:
    gateway = Gateway.open(settings, metrics=metrics)
    silence = settings.platform_timeout_seconds
    web = http.build_client(dataclasses.replace(http.PLATFORM, read=silence, write=silence))
    try:
        yield gateway, web
    finally:
        await web.aclose()
        await gateway.aclose()


async def run_worker(settings: WorkerSettings) -> int:
    """Run one worker process to its end.

    Returns:
        Exit code: 0 after a signal, 1 when a part of it failed.

    Raises:
        ConfigurationError: the keyring, the key or the port cannot be used (P3.5: nothing runs
            half-configured).
    """
    watch_loop(asyncio.get_running_loop())
    try:
        vault = Vault(Keyring.from_json(settings.token_keyring.get_secret_value()))
    except KeyringError as error:
        raise ConfigurationError("NEXORA_TOKEN_KEYRING", str(error)) from error
    metrics = Metrics()
    async with _clients(settings, metrics) as (gateway, web):
        worker = _Worker(settings, vault, gateway, metrics, web)
        with _signals(worker.process):
            try:
                return await worker.run()
            except AccessRefusedError as error:
                raise ConfigurationError("SUPABASE_SECRET_KEY", f"was refused ({error.code})") from error
            except ContractMismatchError as error:
                raise ConfigurationError(
                    "SUPABASE_URL",
                    f"this database lacks {error.function} ({error.code}): apply the migrations",
                ) from error
