"""Renewing tokens: one at a time, nothing lost, nobody disconnected by accident (P6.8)."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tests.workers.oauth.fake_platform import TOKEN_PATHS, FakePlatform, client_of
from workers.errors import (
    DatabaseBusyError,
    GrantRevokedError,
    ProviderError,
    ProviderUnavailableError,
    TransportError,
)
from workers.gateway import ClaimedJob, JobResult, TokenLease
from workers.jobs import refresh as module
from workers.jobs.refresh import RefreshBusyError, TokenKeeper, run_refreshes
from workers.jobs.sealed_tokens import TokenPlace, seal_tokens
from workers.settings import PLATFORMS
from workers.vault import Keyring, SecretToken, Vault, VaultError, sealed_from_text

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
WORKER = UUID(int=7)
OLD_ACCESS, OLD_REFRESH = "old-access-canary", "old-refresh-canary"
NEW_ACCESS, NEW_REFRESH = "new-access-canary", "new-refresh-canary"


@dataclass
class VaultRow:
    """One row of the database's token vault."""

    lease: TokenLease
    sealed_revocation: str
    leased_by: UUID | None = None


@dataclass
class FakeGateway:
    """The database's part, in memory: leases, compare-and-swap by generation, revocation by generation."""

    rows: dict[UUID, VaultRow] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    revoked: list[tuple[UUID, str]] = field(default_factory=list)
    stored: list[int] = field(default_factory=list)
    store_failures: list[Exception] = field(default_factory=list)
    jobs: list[ClaimedJob] = field(default_factory=list)
    finished: list[JobResult] = field(default_factory=list)
    lease_calls: int = 0

    async def lease_token(
        self, connection_id: UUID, worker_id: UUID, generation_seen: int | None = None
    ) -> TokenLease | None:
        self.lease_calls += 1
        await asyncio.sleep(0)
        row = self.rows.get(connection_id)
        if row is None:
            return None
        newer = generation_seen is not None and row.lease.generation > generation_seen
        leased = row.lease.sealed_refresh is not None and row.leased_by is None and not newer
        if leased:
            row.leased_by = worker_id
        return replace(row.lease, leased=leased)

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
        if self.store_failures:
            raise self.store_failures.pop(0)
        row = self.rows.get(connection_id)
        if row is None or row.lease.generation != generation - 1:
            return False
        row.lease = replace(
            row.lease,
            generation=generation,
            sealed_access=sealed_access,
            sealed_refresh=sealed_refresh,
            access_expires_at=access_expires_at,
            refresh_expires_at=refresh_expires_at,
        )
        row.sealed_revocation = sealed_revocation
        row.leased_by = None
        self.stored.append(generation)
        return True

    async def fail_refresh(self, connection_id: UUID, worker_id: UUID, code: str) -> None:
        self.failed.append(code)
        self.rows[connection_id].leased_by = None

    async def revoke_connection(self, connection_id: UUID, code: str, generation: int | None = None) -> bool:
        row = self.rows.get(connection_id)
        if row is None or (generation is not None and row.lease.generation != generation):
            return False
        del self.rows[connection_id]
        self.revoked.append((connection_id, code))
        return True

    async def claim_jobs(self, worker_id: UUID, lane: str, limit: int) -> list[ClaimedJob]:
        assert lane == "refresh"
        claimed, self.jobs = self.jobs[:limit], self.jobs[limit:]
        return claimed

    async def finish_jobs(self, worker_id: UUID, results: Sequence[JobResult]) -> None:
        self.finished += results


@dataclass
class World:
    """A keeper with its fakes."""

    gateway: FakeGateway = field(default_factory=FakeGateway)
    platform: FakePlatform = field(default_factory=FakePlatform)
    vault: Vault = field(default_factory=lambda: Vault(Keyring.generate()))
    now: datetime = NOW

    def __post_init__(self) -> None:
        self.clients = {name: client_of(name, self.platform) for name in PLATFORMS}
        self.keeper = TokenKeeper(self.gateway, self.vault, self.clients, lambda: self.now)

    def connection(
        self,
        platform_id: str = "x",
        *,
        ends_in: float | None = 60.0,
        refresh: str | None = OLD_REFRESH,
        refresh_ends_in: float | None = None,
        vault: Vault | None = None,
    ) -> TokenLease:
        """A connected account whose access token ends in so many seconds."""
        place = TokenPlace(uuid4(), uuid4(), platform_id, 3)
        sealed = seal_tokens(
            vault or self.vault,
            self.clients[platform_id],
            place,
            SecretToken(OLD_ACCESS),
            None if refresh is None else SecretToken(refresh),
        )
        lease = TokenLease(
            connection_id=place.connection_id,
            user_id=place.user_id,
            platform_id=platform_id,
            generation=3,
            sealed_access=sealed.access,
            sealed_refresh=sealed.refresh,
            access_expires_at=None if ends_in is None else self.now + timedelta(seconds=ends_in),
            refresh_expires_at=(
                None if refresh_ends_in is None else self.now + timedelta(seconds=refresh_ends_in)
            ),
            leased=False,
        )
        self.gateway.rows[place.connection_id] = VaultRow(lease, sealed.revocation)
        return lease

    def answers(self, platform_id: str = "x", status: int = 200, **fields: Any) -> None:
        """Have the platform answer refreshes."""
        body = {"access_token": NEW_ACCESS, "refresh_token": NEW_REFRESH, "expires_in": 7200, **fields}
        body = {name: value for name, value in body.items() if value is not None}
        self.platform.json(TOKEN_PATHS[platform_id], body, status)

    def row(self, lease: TokenLease) -> TokenLease:
        return self.gateway.rows[lease.connection_id].lease

    def opened(self, lease: TokenLease, name: str) -> str:
        """A stored token in the clear."""
        row = self.gateway.rows[lease.connection_id]
        text = row.sealed_revocation if name == "revocation" else getattr(row.lease, f"sealed_{name}")
        place = TokenPlace(lease.user_id, lease.connection_id, lease.platform_id, row.lease.generation)
        return self.vault.open(sealed_from_text(text), place.of(name)).reveal()  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(autouse=True)
async def quick_and_quiet(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> AsyncIterator[None]:
    """No long waits; and in every test: no token in any log, on any stream."""
    monkeypatch.setattr(module, "_WAITS_FOR_OTHERS", (0.01, 0.01, 0.01))
    monkeypatch.setattr(module, "_WAITS_TO_STORE", (0.01, 0.01, 0.01))
    caplog.set_level(logging.DEBUG)
    yield
    out, err = capfd.readouterr()
    for secret in (OLD_ACCESS, OLD_REFRESH, NEW_ACCESS, NEW_REFRESH):
        assert secret not in caplog.text + out + err


async def token_of(world: World, lease: TokenLease) -> str:
    return (await world.keeper.fresh_access_token(lease, WORKER)).reveal()


# --- what a publisher gets


@pytest.mark.parametrize("ends_in", [None, 301.0, 86_400.0])
async def test_a_token_that_lasts_is_given_as_it_is(world: World, ends_in: float | None) -> None:
    assert await token_of(world, world.connection(ends_in=ends_in)) == OLD_ACCESS
    assert not world.platform.requests
    assert world.gateway.lease_calls == 0


@pytest.mark.parametrize("ends_in", [300.0, 1.0, 0.0, -3600.0])
async def test_a_token_near_its_end_is_renewed_first(world: World, ends_in: float) -> None:
    lease = world.connection(ends_in=ends_in)
    world.answers()
    assert await token_of(world, lease) == NEW_ACCESS
    row = world.row(lease)
    assert row.generation == 4
    assert row.access_expires_at == NOW + timedelta(seconds=7200)
    assert [world.opened(lease, name) for name in ("access", "refresh", "revocation")] == [
        NEW_ACCESS,
        NEW_REFRESH,
        NEW_REFRESH,
    ]


async def test_the_life_span_of_the_answer_wins(world: World) -> None:
    lease = world.connection("tiktok")
    world.answers("tiktok", expires_in=7200, refresh_expires_in=15_552_000)
    await token_of(world, lease)
    assert world.row(lease).access_expires_at == NOW + timedelta(hours=2)
    assert world.row(lease).refresh_expires_at == NOW + timedelta(days=180)


async def test_an_answer_without_a_refresh_token_keeps_the_old_one(world: World) -> None:
    """The refresh token is sealed anew, for its new generation."""
    lease = world.connection("youtube", refresh_ends_in=1000)
    world.answers("youtube", refresh_token=None)
    assert await token_of(world, lease) == NEW_ACCESS
    assert world.opened(lease, "refresh") == OLD_REFRESH
    assert world.opened(lease, "revocation") == OLD_REFRESH
    assert world.row(lease).refresh_expires_at == NOW + timedelta(seconds=1000)


async def test_the_first_renewal_is_as_good_as_the_tenth(world: World) -> None:
    """Each generation opens at its own number, with the refresh token of the one before."""
    lease = world.connection()
    for number in range(10):
        world.answers(access_token=f"a{number}", refresh_token=f"r{number}")
        assert await token_of(world, replace(world.row(lease), access_expires_at=NOW)) == f"a{number}"
    sent = [world.platform.form(number)["refresh_token"] for number in range(10)]
    assert sent == [OLD_REFRESH, *(f"r{number}" for number in range(9))]
    assert world.gateway.stored == list(range(4, 14))


async def test_instagrams_token_renews_itself(world: World) -> None:
    lease = world.connection("instagram", refresh=OLD_ACCESS, refresh_ends_in=60)
    world.platform.json("/refresh_access_token", {"access_token": NEW_ACCESS, "expires_in": 5_184_000})
    assert await token_of(world, lease) == NEW_ACCESS
    assert world.platform.requests[0].url.params["access_token"] == OLD_ACCESS
    assert world.opened(lease, "refresh") == NEW_ACCESS
    assert world.row(lease).refresh_expires_at == NOW + timedelta(days=60)


async def test_a_newer_token_in_the_database_is_used(world: World) -> None:
    lease = world.connection()
    stale = replace(lease, generation=2, sealed_access="bm90aGluZw==")
    assert await token_of(world, stale) == OLD_ACCESS
    assert not world.platform.requests


# --- one at a time


async def test_many_publishers_at_once_cause_one_renewal(world: World) -> None:
    """A rotating refresh token that is used twice ends the grant."""
    lease = world.connection()
    world.answers()
    tokens = await asyncio.gather(*(token_of(world, lease) for _ in range(20)))
    assert tokens == [NEW_ACCESS] * 20
    assert len(world.platform.requests) == 1


async def test_two_processes_at_once_cause_one_renewal(world: World) -> None:
    lease = world.connection()
    world.answers()
    other = TokenKeeper(world.gateway, world.vault, world.clients, lambda: NOW)
    tokens = await asyncio.gather(
        world.keeper.fresh_access_token(lease, WORKER), other.fresh_access_token(lease, UUID(int=8))
    )
    assert [token.reveal() for token in tokens] == [NEW_ACCESS] * 2
    assert len(world.platform.requests) == 1


async def test_a_lock_that_others_keep_is_waited_for_and_then_given_up(world: World) -> None:
    lease = world.connection(ends_in=-1)
    world.gateway.rows[lease.connection_id].leased_by = UUID(int=8)
    with pytest.raises(RefreshBusyError):
        await token_of(world, lease)
    assert world.gateway.lease_calls == 4
    assert not world.gateway.failed, "their lock is not released"
    assert not world.gateway.revoked


async def test_a_token_that_still_works_is_used_while_others_renew(world: World) -> None:
    lease = world.connection(ends_in=60)
    world.gateway.rows[lease.connection_id].leased_by = UUID(int=8)
    assert await token_of(world, lease) == OLD_ACCESS


async def test_locks_of_connections_that_nobody_uses_are_forgotten(world: World) -> None:
    world.answers()
    await token_of(world, world.connection())
    gc.collect()
    assert not world.keeper._locks


# --- passing failures

PASSING: dict[str, Any] = {
    "timeout": httpx.ReadTimeout("no"),
    "no connection": httpx.ConnectError("no"),
    "500": httpx.Response(500),
    "503 with a telling body": httpx.Response(503, json={"error": "invalid_grant"}),
    "429": httpx.Response(429, headers={"Retry-After": "5"}),
    "wrong client": httpx.Response(401, json={"error": "invalid_client"}),
    "wrong scope": httpx.Response(400, json={"error": "invalid_scope"}),
    "some request": httpx.Response(400, json={"error": "invalid_request", "error_description": "?"}),
    "html": httpx.Response(200, text="<html>"),
    "403": httpx.Response(403),
    "404": httpx.Response(404),
}


@pytest.mark.parametrize("failure", PASSING)
async def test_a_passing_failure_never_disconnects(world: World, failure: str) -> None:
    lease = world.connection(ends_in=-1)
    world.platform.on(TOKEN_PATHS["x"], PASSING[failure])
    with pytest.raises(ProviderError) as caught:
        await token_of(world, lease)
    assert not isinstance(caught.value, GrantRevokedError)
    assert not world.gateway.revoked
    assert world.gateway.failed == [caught.value.code]
    row = world.gateway.rows[lease.connection_id]
    assert row.leased_by is None, "the lock is free again"
    assert row.lease.generation == 3
    assert world.opened(lease, "refresh") == OLD_REFRESH


async def test_a_token_that_still_works_is_used_when_the_platform_fails(world: World) -> None:
    lease = world.connection(ends_in=60)
    world.platform.on(TOKEN_PATHS["x"], httpx.Response(503))
    assert await token_of(world, lease) == OLD_ACCESS


async def test_after_a_passing_failure_the_next_try_works(world: World) -> None:
    lease = world.connection(ends_in=-1)
    good = httpx.Response(200, json={"access_token": NEW_ACCESS, "refresh_token": NEW_REFRESH})
    world.platform.on(TOKEN_PATHS["x"], httpx.Response(503), good)
    with pytest.raises(ProviderUnavailableError):
        await token_of(world, lease)
    assert await token_of(world, lease) == NEW_ACCESS


async def test_an_answer_that_dribbles_ends_before_the_lock_does(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ANSWER_SECONDS", 0.01)
    lease = world.connection(ends_in=-1)

    async def dribble(refresh: SecretToken) -> Any:
        await asyncio.sleep(5)

    monkeypatch.setattr(type(world.clients["x"]), "refresh", lambda self, refresh: dribble(refresh))
    with pytest.raises(ProviderError, match="TimeoutError"):
        await token_of(world, lease)
    assert world.gateway.failed == ["no_answer"]


async def test_a_token_that_does_not_open_never_disconnects(world: World) -> None:
    """A keyring that lacks a key would otherwise disconnect everybody."""
    lease = world.connection(ends_in=-1, vault=Vault(Keyring.generate()))
    with pytest.raises(VaultError):
        await token_of(world, lease)
    assert world.gateway.failed == ["sealed_token_unreadable"]
    assert not world.gateway.revoked


async def test_a_platform_without_credentials_never_disconnects(world: World) -> None:
    lease = world.connection(ends_in=-1)
    keeper = TokenKeeper(world.gateway, world.vault, {}, lambda: NOW)
    with pytest.raises(ProviderUnavailableError):
        await keeper.fresh_access_token(lease, WORKER)
    assert not world.gateway.revoked


# --- the end of a grant


@pytest.mark.parametrize(
    ("platform_id", "body", "code"),
    [
        ("x", {"error": "invalid_grant"}, "invalid_grant"),
        (
            "x",
            {"error": "invalid_request", "error_description": "Value passed for the token was invalid."},
            "invalid_request",
        ),
        ("youtube", {"error": "invalid_grant", "error_description": "expired or revoked"}, "invalid_grant"),
        ("tiktok", {"error": "invalid_grant"}, "invalid_grant"),
    ],
)
async def test_the_platform_ended_the_grant(
    world: World, platform_id: str, body: dict[str, str], code: str
) -> None:
    lease = world.connection(platform_id, ends_in=60)
    world.platform.json(TOKEN_PATHS[platform_id], body, 400)
    with pytest.raises(GrantRevokedError):
        await token_of(world, lease)
    assert world.gateway.revoked == [(lease.connection_id, code)]
    assert not world.gateway.failed


async def test_a_reconnect_meanwhile_outlives_the_end_of_the_old_grant(world: World) -> None:
    """The answer speaks about tokens that have been replaced while it was on its way."""
    lease = world.connection(ends_in=-1)
    place = TokenPlace(lease.user_id, lease.connection_id, "x", 4)
    fresh = seal_tokens(world.vault, world.clients["x"], place, SecretToken("reconnected"), None)

    def reconnect(_: httpx.Request) -> httpx.Response:
        world.gateway.rows[lease.connection_id].lease = replace(
            lease, generation=4, sealed_access=fresh.access, access_expires_at=NOW + timedelta(hours=2)
        )
        return httpx.Response(400, json={"error": "invalid_grant"})

    world.platform.on(TOKEN_PATHS["x"], reconnect)
    assert await token_of(world, lease) == "reconnected"
    assert not world.gateway.revoked


async def test_a_disconnected_account_has_no_token(world: World) -> None:
    lease = world.connection(ends_in=-1)
    del world.gateway.rows[lease.connection_id]
    with pytest.raises(GrantRevokedError) as caught:
        await token_of(world, lease)
    assert caught.value.code == "disconnected"
    assert not world.platform.requests


async def test_tokens_that_come_after_the_disconnection_are_given_back(world: World) -> None:
    """P6.7: they were never stored, so nobody else can."""
    lease = world.connection(ends_in=-1)

    def disconnect(_: httpx.Request) -> httpx.Response:
        del world.gateway.rows[lease.connection_id]
        return httpx.Response(200, json={"access_token": NEW_ACCESS, "refresh_token": NEW_REFRESH})

    world.platform.on(TOKEN_PATHS["x"], disconnect)
    world.platform.json("/2/oauth2/revoke", {"revoked": True})
    with pytest.raises(GrantRevokedError):
        await token_of(world, lease)
    assert world.platform.form()["token"] == NEW_REFRESH
    assert world.platform.requests[-1].url.path == "/2/oauth2/revoke"


async def test_without_a_refresh_token_the_token_lives_as_long_as_it_lives(world: World) -> None:
    """LinkedIn gives refresh tokens to approved partners only."""
    lease = world.connection("linkedin", refresh=None, ends_in=60)
    assert await token_of(world, lease) == OLD_ACCESS
    assert not world.gateway.revoked
    world.now = NOW + timedelta(seconds=61)
    with pytest.raises(GrantRevokedError):
        await token_of(world, lease)
    assert world.gateway.revoked == [(lease.connection_id, "token_expired")]
    assert not world.platform.requests


# --- nothing that was given is lost


@pytest.mark.parametrize(
    "failure",
    [TransportError("store_refreshed_token", "x"), DatabaseBusyError("store_refreshed_token", "40001")],
)
async def test_new_tokens_are_stored_through_an_outage_of_the_database(
    world: World, failure: Exception
) -> None:
    lease = world.connection()
    world.answers()
    world.gateway.store_failures = [failure, failure]
    assert await token_of(world, lease) == NEW_ACCESS
    assert world.opened(lease, "refresh") == NEW_REFRESH


async def test_an_outage_that_lasts_is_an_error(world: World) -> None:
    lease = world.connection(ends_in=-1)
    world.answers()
    world.gateway.store_failures = [TransportError("store_refreshed_token", "x")] * 10
    with pytest.raises(TransportError):
        await token_of(world, lease)


async def test_a_store_whose_answer_was_lost_counts(world: World) -> None:
    """The repeat answers false, since the generation is there already."""
    lease = world.connection()
    world.answers()
    store = world.gateway.store_refreshed_token
    lost = [True]

    async def store_and_lose(**arguments: Any) -> bool:
        answer = await store(**arguments)
        if lost and lost.pop():
            raise TransportError("store_refreshed_token", "x")
        return answer

    world.gateway.store_refreshed_token = store_and_lose  # type: ignore[method-assign]
    assert await token_of(world, lease) == NEW_ACCESS


async def test_a_renewal_goes_on_when_its_caller_is_cancelled(world: World) -> None:
    """A rotated refresh token that is not stored is lost for ever."""
    lease = world.connection()
    begun, go_on = asyncio.Event(), asyncio.Event()
    world.answers()
    store = world.gateway.store_refreshed_token

    async def slow_store(**arguments: Any) -> bool:
        begun.set()
        await go_on.wait()
        return await store(**arguments)

    world.gateway.store_refreshed_token = slow_store  # type: ignore[method-assign]
    caller = asyncio.create_task(token_of(world, lease))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go_on.set()
    await world.keeper.drain()
    assert world.opened(lease, "refresh") == NEW_REFRESH


async def test_a_failure_after_the_cancellation_disturbs_nobody(world: World) -> None:
    lease = world.connection()
    begun = asyncio.Event()

    async def failing_store(**_: Any) -> bool:
        begun.set()
        await asyncio.sleep(0.01)
        raise RuntimeError("broken")

    world.answers()
    world.gateway.store_refreshed_token = failing_store  # type: ignore[method-assign]
    caller = asyncio.create_task(token_of(world, lease))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await world.keeper.drain()
    gc.collect()  # filterwarnings = error: an exception that nobody has seen would fail here


# --- the lane


def job(lease: TokenLease, attempt: int = 1, next_due: datetime | None = None) -> ClaimedJob:
    return ClaimedJob(subject_id=lease.connection_id, attempt=attempt, next_due=next_due)


async def test_jobs_are_claimed_run_and_reported_together(world: World) -> None:
    good, ended, failing, gone = (
        world.connection(),
        world.connection("youtube"),
        world.connection("tiktok"),
        world.connection(),
    )
    del world.gateway.rows[gone.connection_id]
    unreadable = world.connection(vault=Vault(Keyring.generate()))
    busy = world.connection()
    world.gateway.rows[busy.connection_id].leased_by = UUID(int=8)
    world.answers()
    world.answers("youtube", 400, error="invalid_grant")
    world.platform.on(TOKEN_PATHS["tiktok"], httpx.Response(429, headers={"Retry-After": "77"}))
    world.gateway.jobs = [job(lease, 5, NOW) for lease in (good, ended, failing, gone, unreadable, busy)]
    taken, next_due = await run_refreshes(world.gateway, world.keeper, WORKER, 10)
    assert (taken, next_due) == (6, NOW)
    results = {result.subject_id: result for result in world.gateway.finished}
    outcomes = {
        name: (results[lease.connection_id].outcome, results[lease.connection_id].code)
        for name, lease in {
            "good": good,
            "ended": ended,
            "failing": failing,
            "gone": gone,
            "unreadable": unreadable,
            "busy": busy,
        }.items()
    }
    assert outcomes == {
        "good": ("done", None),
        "ended": ("done", "invalid_grant"),
        "failing": ("retry", "rate_limited"),
        "gone": ("done", "disconnected"),
        "unreadable": ("retry", "sealed_token_unreadable"),
        "busy": ("retry", "refresh_busy"),
    }
    assert results[failing.connection_id].retry_after_seconds == 77
    assert all(result.attempt == 5 and result.lane == "refresh" for result in results.values())
    assert world.gateway.revoked == [(ended.connection_id, "invalid_grant")]


async def test_a_mistake_in_one_job_does_not_keep_the_others_from_being_reported(
    world: World,
) -> None:
    good, broken = world.connection(), world.connection("tiktok")
    world.answers()

    def explode(_: httpx.Request) -> httpx.Response:
        raise RuntimeError("secret text")

    world.platform.on(TOKEN_PATHS["tiktok"], explode)
    world.gateway.jobs = [job(good), job(broken)]
    await run_refreshes(world.gateway, world.keeper, WORKER, 10)
    codes = {result.subject_id: (result.outcome, result.code) for result in world.gateway.finished}
    assert codes[good.connection_id] == ("done", None)
    assert codes[broken.connection_id] == ("retry", "unexpected.RuntimeError")


async def test_an_empty_lane_is_no_work(world: World) -> None:
    assert await run_refreshes(world.gateway, world.keeper, WORKER, 10) == (0, None)
    assert not world.gateway.finished


async def test_a_job_without_a_refresh_token_is_done(world: World) -> None:
    lease = world.connection("linkedin", refresh=None, ends_in=600)
    world.gateway.jobs = [job(lease)]
    await run_refreshes(world.gateway, world.keeper, WORKER, 10)
    assert world.gateway.finished[0].outcome == "done"
    assert not world.gateway.revoked
