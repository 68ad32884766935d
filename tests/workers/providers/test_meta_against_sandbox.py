"""Instagram and TikTok against the sandbox: whatever goes wrong at any call, there is one post in the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client
from tests.support.files import FileServer, serving_files
from tests.support.media import jpeg, mp4
from tests.workers.providers.attempts import is_out, settle
from tests.workers.providers.claims import MemoryFile, Saved, claim, files, media, no_sleep
from workers import http
from workers.providers.base import Media, NeedsReconnect, NotAccepted, Published, PublishStopped, Rejected
from workers.providers.instagram import InstagramPublisher
from workers.providers.tiktok import TikTokPublisher
from workers.providers.tiktok_wire import CHUNK
from workers.sandbox import Sandbox
from workers.vault import SecretToken

pytestmark = pytest.mark.anyio

TEXT = "New: the making of “First Light” <3 & more #firstlight @someone"
SCOPES = {
    "instagram": "instagram_business_basic,instagram_business_content_publish,instagram_business_manage_comments",
    "tiktok": "user.info.basic,video.publish,video.upload",
}
OPTIONS = {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"}
PATHS = {
    "instagram": ["content_publishing_limit$", "/media$", "/178", "media_publish$", "/179"],
    "tiktok": ["creator_info", "/init/", "tiktok/video/", "status/fetch"],
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(redirect_uris=[REDIRECT]) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with serving_files() as served:
        yield served


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with http.build_client(http.PLATFORM) as opened:
        yield opened


class World:
    """A sandbox with files, an account on both platforms, and publishers."""

    def __init__(self, sandbox: Sandbox, server: FileServer, client: httpx.AsyncClient) -> None:
        self.sandbox, self.server, self.client = sandbox, server, client
        self.control = sandbox.control
        self.control.reset()
        self.control.set_media_delay(0)
        self.control.set_limits(**{"tiktok init": 1000, "tiktok status": 1000, "tiktok creator_info": 1000})
        self.control.change_settings("tiktok", verified_prefixes=[f"{server.base}/media/"])
        with httpx.Client(base_url=sandbox.url) as opened:
            self.tokens = {
                name: SecretToken(Client(sandbox, opened).tokens(name, scope=scope)["access_token"])
                for name, scope in SCOPES.items()
            }

    def file(self, name: str, data: bytes, mime_type: str, alt_text: str | None = None) -> MemoryFile:
        """A file that the platforms can fetch, at the storage and under our own domain."""
        self.server.add(f"storage/v1/object/sign/{name}?token=a.b.c", data)
        self.server.add(f"media/{name}?token=a.b.c", data)
        signed = f"{self.server.base}/storage/v1/object/sign/{name}"
        return MemoryFile(mime_type, data, alt_text, base_url=signed, query="token=a.b.c")

    def pictures(self, count: int) -> Media:
        return files(
            *[self.file(f"media/{n}.jpg", jpeg(), "image/jpeg", f"picture {n}") for n in range(count)]
        )

    def video(self, size: int = 0) -> Media:
        return files(self.file("media/v.mp4", mp4(size=size), "video/mp4"))

    def claim(self, platform: str, given: Media, **changes: Any) -> Any:
        kind = given.files[0].mime_type
        fields = {
            "platform_id": platform,
            "external_account_id": self.control.people()["maya"][platform],
            "scheduled_at": datetime.now(UTC),
            "scopes": tuple(SCOPES[platform].split(",")),
            "options": OPTIONS if platform == "tiktok" else {},
            "media": media(len(given.files), mime_type=kind),
        }
        return claim(TEXT, **fields | changes)

    def publisher(self, platform: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Any:
        url = f"{self.sandbox.url}/{platform}"
        if platform == "instagram":
            return InstagramPublisher(self.client, sandbox_url=url, now=now, sleep=no_sleep)
        return TikTokPublisher(
            self.client, public_url=self.server.base, sandbox_url=url, now=now, sleep=no_sleep
        )

    async def settled(self, platform: str, given: Media, **changes: Any) -> Any:
        return await settle(
            lambda now: self.publisher(platform, now),
            lambda **attempt: self.claim(platform, given, **changes | attempt),
            self.tokens[platform],
            given,
        )


@pytest.fixture
def world(sandbox: Sandbox, server: FileServer, client: httpx.AsyncClient) -> World:
    return World(sandbox, server, client)


@pytest.mark.parametrize(
    ("platform", "kind", "count"),
    [
        ("instagram", "image", 1),
        ("instagram", "image", 3),
        ("instagram", "video", 1),
        ("tiktok", "video", 1),
        ("tiktok", "image", 3),
    ],
)
async def test_a_post_appears_as_it_was_written(world: World, platform: str, kind: str, count: int) -> None:
    given = world.pictures(count) if kind == "image" else world.video()
    outcome = await world.settled(platform, given)
    assert isinstance(outcome, Published), outcome
    (post,) = world.control.posts(platform)
    assert (post.id, post.url) == (outcome.external_id, outcome.url)
    assert post.text == TEXT
    assert [m.bytes for m in post.media] == [file.size_bytes for file in given.files]
    if (platform, kind) == ("instagram", "image"):
        assert [m.alt_text for m in post.media] == [f"picture {n}" for n in range(count)]


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status", "malformed", "rate_limit"])
@pytest.mark.parametrize(
    ("platform", "path"), [(name, path) for name, paths in PATHS.items() for path in paths]
)
async def test_one_fault_at_any_call_ends_in_one_post(
    world: World, platform: str, path: str, kind: Any
) -> None:
    world.control.add_fault(kind, platform=platform, path=path)
    size = 2 * CHUNK + 5 if "video" in path else 0  # two chunks where chunks are the question
    given = world.pictures(2) if platform == "instagram" else world.video(size)
    outcome = await world.settled(platform, given)
    assert is_out(outcome), outcome
    assert len(world.control.posts(platform)) == 1


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "status"])
async def test_two_faults_in_a_row(world: World, kind: Any) -> None:
    for platform, path in (("instagram", "media_publish$"), ("tiktok", "tiktok/video/")):
        world.control.add_fault(kind, platform=platform, path=path, times=2)
        assert is_out(await world.settled(platform, world.video()))
        assert len(world.control.posts(platform)) == 1


@pytest.mark.parametrize("kind", ["reset_before", "status", "rate_limit"])
async def test_photos_that_never_arrived(world: World, kind: Any) -> None:
    """What was refused is repeated; what may have arrived cannot be looked up and is left to the person."""
    world.control.add_fault(kind, platform="tiktok", path="content/init")
    given = world.pictures(1)
    if kind == "rate_limit":
        assert is_out(await world.settled("tiktok", given))
        return
    with pytest.raises(AssertionError, match="publish_id_unknown"):
        await world.settled("tiktok", given)
    assert world.control.posts("tiktok") == []


async def test_a_comment_and_its_lost_answer(world: World) -> None:
    given = world.pictures(1)
    published = await world.settled("instagram", given)
    publisher, token = world.publisher("instagram"), world.tokens["instagram"]
    root = published.external_id
    began = datetime.now(UTC)
    world.control.add_fault("reset_after", platform="instagram", path="comments$", method="POST")
    item = world.claim("instagram", given, sending_at=began)
    await publisher.send_follow_up(item, token, "First! @someone", root, root)
    outcome = await publisher.probe_follow_up(item, token, "First! @someone", root, root)
    assert isinstance(outcome, Published)


async def test_the_inbox_is_not_the_profile(world: World) -> None:
    outcome = await world.settled("tiktok", world.video(), options={"mode": "inbox"})
    assert isinstance(outcome, Published)
    assert (outcome.notice, outcome.url) == ("waits_in_inbox", None)
    assert world.control.posts("tiktok") == []
    world.control.finish_in_app(outcome.external_id)
    assert [post.text for post in world.control.posts("tiktok")] == [""]  # the person writes it in the app


@pytest.mark.parametrize(
    ("platform", "setting", "code"),
    [
        ("tiktok", {"banned": True}, "account_restricted"),
        ("tiktok", {"private": True}, "privacy_not_allowed"),
        ("tiktok", {"fail_next": "spam_risk_text"}, "blocked"),
        ("tiktok", {"fail_next": "frame_rate_check_failed"}, "media_refused"),
        ("instagram", {"restricted": True}, "account_restricted"),
        ("instagram", {"fail_next": "2207026"}, "media_refused"),
    ],
)
async def test_refusals_for_good(world: World, platform: str, setting: dict[str, Any], code: str) -> None:
    world.control.change_settings(platform, "maya", **setting)
    outcome = await world.settled(platform, world.video())
    assert isinstance(outcome, Rejected), outcome
    assert outcome.code == code
    assert world.control.posts(platform) == []


@pytest.mark.parametrize("platform", ["instagram", "tiktok"])
async def test_a_passing_failure_is_repeated(world: World, platform: str) -> None:
    world.control.change_settings(
        platform, "maya", fail_next={"instagram": "2207001", "tiktok": "internal"}[platform]
    )
    assert is_out(await world.settled(platform, world.video()))
    assert len(world.control.posts(platform)) == 1


async def test_caps_stop_before_anything_is_uploaded(world: World) -> None:
    world.control.set_limits(**{"instagram posts": 1, "tiktok posts": 1})
    for platform in ("instagram", "tiktok"):
        given = world.video()
        assert is_out(await world.settled(platform, given))
        with pytest.raises(PublishStopped) as stopped:
            await world.publisher(platform).prepare(
                world.claim(platform, given), world.tokens[platform], given, Saved()
            )
        assert isinstance(stopped.value.outcome, NotAccepted)
        assert stopped.value.outcome.code == "rate_limited"


async def test_an_unverified_domain_and_an_unaudited_client(world: World) -> None:
    world.control.change_settings("tiktok", verified_prefixes=[])
    given = world.pictures(1)
    publisher, token = world.publisher("tiktok"), world.tokens["tiktok"]
    ready = await publisher.prepare(world.claim("tiktok", given), token, given, Saved())
    outcome = await publisher.send(ready)
    assert isinstance(outcome, NotAccepted)
    assert outcome.code == "domain_unverified"
    world.control.change_settings("tiktok", audited=False)
    outcome = await world.settled("tiktok", world.video())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "app_not_audited"


@pytest.mark.parametrize("platform", ["instagram", "tiktok"])
async def test_a_revoked_token(world: World, platform: str) -> None:
    world.control.revoke(platform, "maya")
    assert isinstance(await world.settled(platform, world.video()), NeedsReconnect)


async def test_an_expired_container_is_made_anew(world: World) -> None:
    given, saved = world.pictures(1), Saved()
    publisher, token = world.publisher("instagram"), world.tokens["instagram"]
    await publisher.prepare(world.claim("instagram", given), token, given, saved)
    first = saved.progress["container"]
    world.control.advance_clock(3000)  # the token lives for an hour
    await publisher.prepare(world.claim("instagram", given, progress=saved.progress), token, given, saved)
    assert saved.progress["container"] == first
    saved.progress["container_until"] = 0
    ready = await publisher.prepare(
        world.claim("instagram", given, progress=saved.progress), token, given, saved
    )
    assert saved.progress["container"] != first
    assert is_out(await publisher.send(ready))


async def test_files_that_cannot_be_fetched(world: World) -> None:
    given = world.pictures(1)
    world.server.clear()
    with pytest.raises(PublishStopped) as stopped:
        await world.publisher("instagram").prepare(
            world.claim("instagram", given), world.tokens["instagram"], given, Saved()
        )
    assert isinstance(stopped.value.outcome, NotAccepted)
    assert stopped.value.outcome.code == "media_not_fetched"
