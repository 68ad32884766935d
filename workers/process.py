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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from workers import http
from workers.attestation import Surroundings, attest_daily, commit_of
from workers.errors import AccessRefusedError, ConfigurationError, ContractMismatchError, GatewayError
from workers.gateway import Gateway
from workers.jobs import backoff_seconds, pause
from workers.jobs.backup import BackupSource, Place, keep_tombstones, place_at, run_backups
from workers.jobs.erasure import OutsideEraser, run_erasures
from workers.jobs.export import run_exports
from workers.jobs.housekeeping import run_housekeeping
from workers.jobs.kept_tokens import KeptTokens
from workers.jobs.locations import CountryTable, run_locations
from workers.jobs.mail import run_mails
from workers.jobs.publishing import Limits, PublishJob
from workers.jobs.refresh import TokenKeeper, run_refreshes
from workers.jobs.revoke import run_revocations
from workers.jobs.rights import watch_requests
from workers.logs import get_logger, watch_loop
from workers.mail.letters import Places
from workers.mail.resend import ResendSender
from workers.mail.webhooks import webhook_key
from workers.membership import Process
from workers.metrics import Metrics
from workers.processors.resend import ResendEraser
from workers.processors.stripe import StripeEraser
from workers.providers.oauth import PlatformOAuth, oauth_clients
from workers.providers.publishers import build_publishers
from workers.scheduler import Scheduler
from workers.settings import WorkerSettings
from workers.vault import Keyring, KeyringError, Vault
from workers.web import WebContext, create_app
from workers.web.media import MediaRelay
from workers.web.server import WebServer

__all__ = ["run_worker"]

_LOOP_TIMEOUT: Final = 30.0
_HOUSEKEEPING_SECONDS: Final = 300.0
_ATTESTATION_SECONDS: Final = 3600.0
"""How often a worker looks whether the day's attestation is due."""
_RIGHTS_SECONDS: Final = 3600.0
_BACKUP_SECONDS: Final = 600.0
"""How often a worker looks whether the day's backup is due, and copies erasures out of the database."""
_LANE_POLL_SECONDS: Final = 2.0
_LOCATION_POLL_SECONDS: Final = 15.0
_LANE_LIMIT: Final = 20
_LOCATION_LIMIT: Final = 500
_MAIL_LIMIT: Final = 10  # five seconds of work at the default pace, so that a stop waits no longer

log = get_logger(__name__)


def _erasers(settings: WorkerSettings, web: http.Client) -> Mapping[str, OutsideEraser]:
    """By processor; one that is not configured here makes an erasure wait, and alarm, where it keeps something."""
    mail, stripe = settings.mail_account(), settings.stripe_account()
    erasers: dict[str, OutsideEraser] = {}
    if mail is not None:
        erasers["resend"] = ResendEraser(web, mail)
    if stripe is not None:
        erasers["stripe"] = StripeEraser(web, stripe)
    return erasers


class _Worker:
    """Everything that one process runs, put together."""

    def __init__(
        self, settings: WorkerSettings, keyring: Keyring, gateway: Gateway, metrics: Metrics, web: http.Client
    ) -> None:
        self._gateway = gateway
        self._keyring = keyring
        self._vault = vault = Vault(keyring)
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
        self._erasers = _erasers(settings, web)
        self._surroundings = Surroundings(
            root=Path(__file__).parents[1],
            keyring=keyring,
            supabase_url=settings.supabase_url,
            api_key=settings.supabase_secret_key.get_secret_value(),
        )
        self._backups = _backups(settings, gateway)
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
            webhook_key=webhook_key(account),
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
            asyncio.create_task(self._lane_loop("export", self._export), name="export"),
            asyncio.create_task(self._location_loop(), name="locations"),
            asyncio.create_task(self._web.serve(), name="web"),
        ]
        self._scheduler.every(_HOUSEKEEPING_SECONDS, self._keep_house, name="housekeeping", first_after=5.0)
        self._scheduler.every(_ATTESTATION_SECONDS, self._attest, name="attestation", first_after=90.0)
        self._scheduler.every(_RIGHTS_SECONDS, self._watch_rights, name="rights", first_after=60.0)
        if self._backups is not None:
            self._scheduler.every(_BACKUP_SECONDS, self._back_up, name="backup", first_after=30.0)
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
        taken = await run_erasures(self._gateway, self._erasers, worker_id, 1)
        if taken and self._backups is not None:
            await keep_tombstones(self._gateway, self._vault, self._backups[0])  # P8.2
        return taken

    async def _export(self, worker_id: UUID) -> int:
        return await run_exports(self._gateway, worker_id, 1)

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

    async def _watch_rights(self) -> None:
        await watch_requests(self._gateway, self._metrics)

    async def _back_up(self) -> None:
        identity = await self.process.identity()
        if identity is not None and self._backups is not None:
            place, source = self._backups
            if await run_backups(self._gateway, self._vault, place, source, identity.worker_id):
                self._metrics.backed_up.set_to_current_time()

    async def _attest(self) -> None:
        await attest_daily(self._gateway, self._surroundings, self._keyring, self._metrics)


def _backups(settings: WorkerSettings, gateway: Gateway) -> tuple[Place, BackupSource] | None:
    """Where backups go and what they are made of; None: this worker makes none."""
    if settings.backup_to is None or settings.supabase_db_url is None:
        log.warning("backup_not_configured", variable="NEXORA_BACKUP_TO")
        return None
    root = Path(__file__).parents[1]
    source = BackupSource(
        settings.supabase_db_url.get_secret_value(), root / "supabase" / "migrations", commit_of(root)
    )
    return place_at(settings.backup_to, gateway), source


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
        keyring = Keyring.from_json(settings.token_keyring.get_secret_value())
    except KeyringError as error:
        raise ConfigurationError("NEXORA_TOKEN_KEYRING", str(error)) from error
    metrics = Metrics()
    async with _clients(settings, metrics) as (gateway, web):
        worker = _Worker(settings, keyring, gateway, metrics, web)
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
