"""YouTube's publisher against the sandbox: the protocol as somebody else read it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client, png
from tests.workers.providers.claims import MemoryFile, Saved, files, no_sleep
from tests.workers.providers.youtube_cases import (
    ALL_SCOPES,
    COMMENTING,
    LAST,
    VIDEO,
    vault,
    video,
    youtube_claim,
)
from workers import http
from workers.providers.base import (
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    PublishStopped,
    Rejected,
    Unknown,
)
from workers.providers.youtube import YouTubePublisher
from workers.providers.youtube_session import PART_UNIT
from workers.sandbox import Sandbox
from workers.sandbox.client import PublishedPost
from workers.sandbox.youtube_upload import SESSION_SECONDS
from workers.vault import SecretToken

pytestmark = pytest.mark.anyio

UPLOAD = "upload/youtube/v3/videos$"
PARTS = LAST // PART_UNIT


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(redirect_uris=[REDIRECT]) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with http.build_client(http.PLATFORM) as opened:
        yield opened


@pytest.fixture
def people(sandbox: Sandbox) -> Iterator[Client]:
    sandbox.control.reset()
    with httpx.Client(base_url=sandbox.url) as opened:
        yield Client(sandbox, opened)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.providers.youtube._PART_BYTES", PART_UNIT)


class Channel:
    """Maya's channel, and one target on it through its attempts."""

    def __init__(self, client: httpx.AsyncClient, people: Client) -> None:
        self.http = client
        self.people = people
        self.control = people.sandbox.control
        self.saved = Saved()
        self.later = timedelta()
        self.sent_at: datetime | None = None
        self.token = self._token()
        self.fields: dict[str, Any] = {
            "external_account_id": people.account("youtube"),
            "scopes": COMMENTING,
        }

    def _token(self) -> SecretToken:
        return SecretToken(self.people.tokens("youtube", scope=ALL_SCOPES)["access_token"])

    def renew(self) -> None:
        self.token = self._token()

    def wait(self, seconds: float) -> None:
        self.later += timedelta(seconds=seconds)

    @property
    def publisher(self) -> YouTubePublisher:
        url = f"{self.people.sandbox.url}/youtube"
        return YouTubePublisher(
            self.http, vault(), sandbox_url=url, now=lambda: datetime.now(UTC) + self.later, sleep=no_sleep
        )

    def claim(self, **changes: Any) -> Any:
        progress = self.saved.progress or None
        return youtube_claim(**self.fields | {"progress": progress, "sending_at": self.sent_at} | changes)

    async def publish(self, file: MemoryFile | None = None, **changes: Any) -> Outcome:
        claim = self.claim(**changes)
        media = files(file or video())
        try:
            prepared = await self.publisher.prepare(claim, self.token, media, self.saved)
        except PublishStopped as stopped:
            return stopped.outcome
        self.sent_at = datetime.now(UTC)
        return await self.publisher.send(prepared)

    async def probe(self) -> Outcome:
        return await self.publisher.probe(self.claim(mode="reconcile", attempt=2), self.token)

    @property
    def videos(self) -> list[PublishedPost]:
        return self.control.posts("youtube")


@pytest.fixture
def channel(client: httpx.AsyncClient, people: Client) -> Channel:
    return Channel(client, people)


async def test_the_video_arrives_byte_for_byte(channel: Channel) -> None:
    options = {
        "title": "First light",
        "privacy": "unlisted",
        "made_for_kids": False,
        "tags": ["film", "dawn light"],
        "category_id": "22",
        "notify_subscribers": False,
    }
    outcome = await channel.publish(options=options)
    [post] = channel.videos
    assert outcome == Published(post.id, post.url, 201)
    assert post.media[0].sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert post.text == "How it was made"
    details = {name: post.details[name] for name in (*options.keys() - {"notify_subscribers"}, "notify")}
    assert details == {n: v for n, v in options.items() if n != "notify_subscribers"} | {"notify": False}


async def test_thumbnail_and_first_comment(channel: Channel) -> None:
    outcome = await channel.publish()
    assert isinstance(outcome, Published)
    picture = MemoryFile("image/png", png(16, 9))
    media = files(video(), thumbnail=picture)
    await channel.publisher.after_send(channel.claim(), channel.token, media, outcome)
    assert channel.videos[0].details["thumbnail"] == hashlib.sha256(picture.content).hexdigest()
    arguments = (channel.claim(), channel.token, "Sources: <below>", outcome.external_id, outcome.external_id)
    channel.control.add_fault("reset_after", platform="youtube", method="POST", path="commentThreads$")
    assert isinstance(await channel.publisher.send_follow_up(*arguments), Unknown)
    found = await channel.publisher.probe_follow_up(*arguments)
    assert isinstance(found, Published)
    assert found.url == f"{outcome.url}&lc={found.external_id}"
    assert channel.videos[0].comments == ("Sources: <below>",)


async def test_no_comment_on_a_private_video(channel: Channel) -> None:
    outcome = await channel.publish(options={"title": "Quiet", "privacy": "private"})
    assert isinstance(outcome, Published)
    video_id = outcome.external_id
    refused = await channel.publisher.send_follow_up(
        channel.claim(), channel.token, "Sources", video_id, video_id
    )
    assert isinstance(refused, Rejected)
    assert "Comments are off" in refused.message


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status"])
async def test_a_break_at_each_part_still_makes_one_video(channel: Channel, part: int, kind: Any) -> None:
    gate = _FaultAt(channel, part, kind)
    channel.http.event_hooks = {"request": [gate]}
    assert isinstance(await channel.publish(), Published)
    assert gate.is_used
    [post] = channel.videos
    assert post.media[0].sha256 == hashlib.sha256(VIDEO).hexdigest()
    assert len(channel.control.records("youtube", "POST", UPLOAD)) == 1


class _FaultAt:
    """Arranges a fault for the n-th part, just before it is sent."""

    def __init__(self, channel: Channel, part: int, kind: Any) -> None:
        self._channel, self._start, self._kind = channel, part * PART_UNIT, kind
        self.is_used = False

    async def __call__(self, request: httpx.Request) -> None:
        span = request.headers.get("content-range", "")
        if span.startswith(f"bytes {self._start}-") and not self.is_used:
            self.is_used = True
            self._channel.control.add_fault(self._kind, platform="youtube", method="PUT", path=UPLOAD)


@pytest.mark.parametrize("kept", [0, PART_UNIT, 2 * PART_UNIT])
async def test_a_part_that_was_kept_in_part(channel: Channel, kept: int) -> None:
    """YouTube says how much it keeps of what it was sent, which can be less."""
    channel.control.set_youtube(stored_bytes=kept)
    assert isinstance(await channel.publish(), Published)
    assert channel.videos[0].media[0].sha256 == hashlib.sha256(VIDEO).hexdigest()


async def test_a_worker_that_dies_in_the_upload_is_followed_in_the_same_session(channel: Channel) -> None:
    dying = await channel.publish(_Dying(2))
    assert dying == NotAccepted("no_answer")
    assert channel.sent_at is None
    assert isinstance(await channel.publish(attempt=2), Published)
    assert len(channel.videos) == 1
    assert len(channel.control.records("youtube", "POST", UPLOAD)) == 1


class _Dying(MemoryFile):
    """A file that can no longer be read after some parts."""

    def __init__(self, parts: int) -> None:
        super().__init__("video/mp4", VIDEO)
        self._left = parts

    def part(self, start: int, length: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise PublishStopped(NotAccepted("no_answer"))
        return super().part(start, length)


async def _last(channel: Channel, kind: Any, **options: Any) -> Outcome:
    """Publish with a fault on the last part."""
    claim, media = channel.claim(), files(video())
    prepared = await channel.publisher.prepare(claim, channel.token, media, channel.saved)
    channel.control.add_fault(kind, platform="youtube", method="PUT", path=UPLOAD, **options)
    channel.sent_at = datetime.now(UTC)
    return await channel.publisher.send(prepared)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("reset_after", {}),
        ("malformed", {}),
        ("status", {"at": "after", "status": 503}),
        ("hang", {"at": "after"}),
    ],
)
async def test_an_answer_lost_on_the_last_part_is_found_in_the_session(
    channel: Channel, kind: Any, options: dict[str, Any]
) -> None:
    channel.http.timeout = httpx.Timeout(0.5)
    assert isinstance(await _last(channel, kind, **options), Unknown)
    found = await channel.probe()
    [post] = channel.videos
    assert found == Published(post.id, post.url, 201)


@pytest.mark.parametrize(
    ("kind", "options"), [("reset_before", {}), ("status", {"status": 500}), ("hang", {"at": "before"})]
)
async def test_a_last_part_that_never_arrived_is_sent_in_the_same_session(
    channel: Channel, kind: Any, options: dict[str, Any]
) -> None:
    channel.http.timeout = httpx.Timeout(0.5)
    assert isinstance(await _last(channel, kind, **options), Unknown)
    assert isinstance(await channel.probe(), Unknown)  # too early to say
    channel.wait(61)
    assert await channel.probe() == NotAccepted("incomplete", http_status=308)
    assert isinstance(await channel.publish(attempt=2), Published)
    assert len(channel.videos) == 1
    assert len(channel.control.records("youtube", "POST", UPLOAD)) == 1


async def test_a_worker_that_takes_too_long_cannot_make_a_second_video(channel: Channel) -> None:
    """Two workers with the last part of one session: the second answer is the first one's video."""
    prepared = await channel.publisher.prepare(channel.claim(), channel.token, files(video()), channel.saved)
    first = await channel.publisher.send(prepared)
    assert await channel.publisher.send(prepared) == first
    again = await channel.publish(attempt=2)
    assert again == first
    assert len(channel.videos) == 1


async def test_a_session_that_is_gone_is_looked_up(channel: Channel) -> None:
    assert isinstance(await _last(channel, "reset_after"), Unknown)
    [post] = channel.videos
    channel.control.advance_clock(SESSION_SECONDS)
    channel.renew()
    found = await channel.probe()
    assert found == Published(post.id, post.url)


async def test_a_session_that_is_gone_without_a_video(channel: Channel) -> None:
    assert isinstance(await _last(channel, "reset_before"), Unknown)
    channel.control.advance_clock(SESSION_SECONDS)
    channel.renew()
    assert isinstance(await channel.probe(), Unknown)  # may not be listed yet
    channel.wait(15 * 60)
    assert await channel.probe() == NotAccepted("not_among_uploads")
    assert isinstance(await channel.publish(attempt=2), Published)
    assert len(channel.videos) == 1
    assert len(channel.control.records("youtube", "POST", UPLOAD)) == 2


async def test_forced_private(channel: Channel) -> None:
    channel.control.set_youtube(forced_private=True)
    outcome = await channel.publish()
    assert isinstance(outcome, Published)
    assert outcome.notice == "published_privately"
    channel.saved = Saved()
    asked_for = await channel.publish(options={"title": "Mine", "privacy": "private"})
    assert isinstance(asked_for, Published)
    assert asked_for.notice is None


async def test_a_time_of_publication(channel: Channel) -> None:
    outcome = await channel.publish(options={"title": "Later", "publish_at": "2031-01-01T10:00:00+01:00"})
    assert isinstance(outcome, Published)
    assert outcome.notice is None
    [post] = channel.videos
    due = datetime(2031, 1, 1, 9, tzinfo=UTC).timestamp()
    assert (post.details["privacy"], post.details["publish_at"]) == ("private", due)


async def test_the_quota_of_the_day(channel: Channel) -> None:
    channel.control.set_limits(**{"youtube videos.insert": 0})
    outcome = await channel.publish()
    assert isinstance(outcome, NotAccepted)
    assert outcome.code == "quota_exceeded"
    [budget] = outcome.budget
    assert (budget.scope, budget.name, budget.remaining) == ("app", "videos_insert", 0)
    assert budget.resets_at is not None
    assert outcome.retry_after is not None
    assert 0 < outcome.retry_after <= 25 * 3600


@pytest.mark.parametrize(
    ("rule", "seconds"), [("youtube channel uploads", 86_400.0), ("youtube per minute", 60.0)]
)
async def test_other_limits(channel: Channel, rule: str, seconds: float) -> None:
    channel.control.set_limits(**{rule: 0})
    outcome = await channel.publish()
    assert isinstance(outcome, NotAccepted)
    assert (outcome.code, outcome.retry_after) == ("rate_limited", seconds)


async def test_a_revoked_token(channel: Channel) -> None:
    channel.control.revoke("youtube", "maya")
    assert await channel.publish() == NeedsReconnect("token_refused", 401)


async def test_a_token_that_ends_between_the_parts(channel: Channel) -> None:
    channel.http.event_hooks = {"request": [_FaultAt(channel, 2, "revoke_token")]}
    assert await channel.publish() == NeedsReconnect("token_refused", 401)
    channel.renew()
    assert isinstance(await channel.publish(), Published)
    assert len(channel.control.records("youtube", "POST", UPLOAD)) == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"options": {"title": "a < b"}}, "title"),
        ({"text": "ä" * 2501}, "description"),
        ({"options": {"title": "a", "tags": ["x" * 501]}}, "tags"),
        ({"options": {"title": "a", "category_id": "18"}}, "category"),
    ],
)
async def test_refusals_say_what_to_change(channel: Channel, changes: dict[str, Any], word: str) -> None:
    outcome = await channel.publish(**changes)
    assert isinstance(outcome, Rejected)
    assert word in outcome.message


async def test_nothing_of_the_session_is_recorded_in_plain(channel: Channel) -> None:
    await channel.publish()
    sealed = channel.saved.progress["upload"]
    url = channel.publisher._session(channel.claim())[0] or ""
    secret = url.partition("upload_id=")[2]
    assert secret
    assert secret not in sealed
    assert secret not in repr(channel.control.records())
