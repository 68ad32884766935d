"""The publishers against the sandbox: the platforms' protocol as somebody else read it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client, png
from tests.workers.providers.claims import MemoryFile, Saved, claim, files, media, no_sleep
from tests.workers.providers.contract import Contract
from workers import http
from workers.providers.base import Media, NeedsReconnect, NotAccepted, Published, Rejected, Unknown
from workers.providers.linkedin import LinkedInPublisher
from workers.providers.x import XPublisher
from workers.sandbox import Sandbox
from workers.vault import SecretToken

pytestmark = pytest.mark.anyio

TEXT = (
    "New: the making of “First Light” (part 2/3) <3 & more — https://example.com/a?b=c #firstlight_2 @someone"
)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start(redirect_uris=[REDIRECT]) as running:
        yield running


CONTRACTS = {platform: Contract(platform) for platform in ("x", "linkedin")}
HOSTS = {"x": "api.x.com", "linkedin": "api.linkedin.com"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Every request that goes to the sandbox is also one that the platform documents."""
    async with http.build_client(http.PLATFORM) as opened:
        opened.event_hooks["request"].append(_check)
        yield opened


async def _check(request: httpx.Request) -> None:
    _, platform, path = request.url.raw_path.decode().split("/", 2)
    url = f"https://{HOSTS[platform]}/{path}"
    content = await request.aread()
    CONTRACTS[platform].check(httpx.Request(request.method, url, headers=request.headers, content=content))


@pytest.fixture
def people(sandbox: Sandbox) -> Iterator[Client]:
    sandbox.control.reset()
    with httpx.Client(base_url=sandbox.url) as opened:
        yield Client(sandbox, opened)


def _token(people: Client, platform: str) -> SecretToken:
    return SecretToken(people.tokens(platform)["access_token"])


def _claim(people: Client, platform: str, text: str = TEXT, **changes: Any) -> Any:
    account = people.sandbox.control.people()["maya"][platform]
    now = datetime.now(UTC)
    fields = {"platform_id": platform, "external_account_id": account, "scheduled_at": now} | changes
    return claim(text, **fields)


def _later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=61)


def _x(client: httpx.AsyncClient, people: Client, **options: Any) -> XPublisher:
    return XPublisher(client, sandbox_url=f"{people.sandbox.url}/x", sleep=no_sleep, **options)


def _linkedin(client: httpx.AsyncClient, people: Client, **options: Any) -> LinkedInPublisher:
    url = f"{people.sandbox.url}/linkedin"
    return LinkedInPublisher(client, version="202605", sandbox_url=url, **options)


@pytest.mark.parametrize("platform", ["x", "linkedin"])
async def test_text_and_images_appear_as_written(
    platform: str, client: httpx.AsyncClient, people: Client
) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    item = _claim(people, platform, media=media(3))
    images = [MemoryFile("image/png", png(shade=shade), f"shade {shade}") for shade in range(3)]
    outcome = await publisher.send(await publisher.prepare(item, token, files(*images), Saved()))
    assert isinstance(outcome, Published), outcome
    (post,) = people.sandbox.control.posts(platform)
    assert post.id == outcome.external_id
    assert post.text == TEXT
    assert not post.is_cut
    assert [file.bytes for file in post.media] == [len(file.content) for file in images]
    # LinkedIn takes the description with the post, from what the database says about the file.
    wanted = ["shade 0", "shade 1", "shade 2"] if platform == "x" else ["a dog"] * 3
    assert [file.alt_text for file in post.media] == wanted


@pytest.mark.parametrize("platform", ["x", "linkedin"])
async def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(
    platform: str, client: httpx.AsyncClient, people: Client
) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    item = _claim(people, platform, media=media(1))
    saved = Saved()
    prepared = await publisher.prepare(item, token, files(MemoryFile("image/png", png(), "a dog")), saved)
    began = datetime.now(UTC)
    people.sandbox.control.add_fault("reset_after", platform=platform, method="POST", path="(tweets|posts)$")
    assert isinstance(await publisher.send(prepared), Unknown)
    unknown = _claim(
        people,
        platform,
        mode="reconcile",
        attempt=2,
        media=media(1),
        sending_at=began,
        progress=saved.progress,
    )
    later = (_x if platform == "x" else _linkedin)(client, people, now=_later)
    outcome = await later.probe(unknown, token)
    assert isinstance(outcome, Published), outcome
    assert [post.id for post in people.sandbox.control.posts(platform)] == [outcome.external_id]


@pytest.mark.parametrize("kind", ["reset_before", "hang"])
async def test_a_post_that_never_arrived_is_known_not_to_be_there(
    kind: Any, client: httpx.AsyncClient, people: Client
) -> None:
    client.timeout = httpx.Timeout(0.5)
    publisher = _x(client, people, now=_later)
    token = _token(people, "x")
    people.sandbox.control.add_fault(kind, platform="x", path="tweets$", method="POST")
    began = datetime.now(UTC)
    assert isinstance(
        await publisher.send(await publisher.prepare(_claim(people, "x"), token, Media(), Saved())), Unknown
    )
    unknown = _claim(people, "x", mode="reconcile", attempt=2, sending_at=began)
    assert await publisher.probe(unknown, token) == NotAccepted("not_on_timeline")


async def test_linkedin_is_sent_by_its_probe_when_it_was_not_there(
    client: httpx.AsyncClient, people: Client
) -> None:
    publisher = _linkedin(client, people, now=_later)
    unknown = _claim(people, "linkedin", mode="reconcile", attempt=2, sending_at=datetime.now(UTC))
    assert isinstance(await publisher.probe(unknown, _token(people, "linkedin")), Published)
    assert len(people.sandbox.control.posts("linkedin")) == 1


@pytest.mark.parametrize("platform", ["x", "linkedin"])
async def test_the_same_text_twice_is_refused(
    platform: str, client: httpx.AsyncClient, people: Client
) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    for kind in (Published, Rejected):
        outcome = await publisher.send(
            await publisher.prepare(_claim(people, platform), token, Media(), Saved())
        )
        assert isinstance(outcome, kind)


@pytest.mark.parametrize("platform", ["x", "linkedin"])
async def test_a_revoked_token(platform: str, client: httpx.AsyncClient, people: Client) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    people.sandbox.control.revoke(platform, "maya")
    outcome = await publisher.send(await publisher.prepare(_claim(people, platform), token, Media(), Saved()))
    assert outcome == NeedsReconnect("token_refused", 401)


async def test_a_rate_limit_says_how_long(client: httpx.AsyncClient, people: Client) -> None:
    publisher = _x(client, people)
    people.sandbox.control.add_fault("rate_limit", platform="x", path="tweets$")
    outcome = await publisher.send(
        await publisher.prepare(_claim(people, "x"), _token(people, "x"), Media(), Saved())
    )
    assert isinstance(outcome, NotAccepted)
    assert outcome.code == "rate_limited"
    assert outcome.retry_after is not None
    assert 880 <= outcome.retry_after <= 901


@pytest.mark.parametrize("platform", ["x", "linkedin"])
@pytest.mark.parametrize("kind", ["status", "malformed"])
async def test_answers_that_leave_it_open(
    kind: Any, platform: str, client: httpx.AsyncClient, people: Client
) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    people.sandbox.control.add_fault(kind, platform=platform, method="POST", path="(tweets|posts)$")
    outcome = await publisher.send(await publisher.prepare(_claim(people, platform), token, Media(), Saved()))
    assert isinstance(outcome, Unknown)


# --- files of other kinds, threads and comments -------------------------------------------------------------

GIF = b"GIF89a" + b"\x01\0\x01\0" + b"\0" * 30
MP4 = b"\0\0\0\x18ftypmp42" + b"v" * (9 * 1024 * 1024)
PDF = b"%PDF-1.7\n" + b"x" * (5 * 1024 * 1024)


@pytest.mark.parametrize(
    ("platform", "mime_type", "content"),
    [
        ("x", "image/gif", GIF),
        ("x", "video/mp4", MP4),
        ("linkedin", "video/mp4", MP4),
        ("linkedin", "application/pdf", PDF),
    ],
)
async def test_other_files_arrive_byte_for_byte(
    platform: str, mime_type: str, content: bytes, client: httpx.AsyncClient, people: Client
) -> None:
    publisher = (_x if platform == "x" else _linkedin)(client, people)
    token = _token(people, platform)
    file = MemoryFile(mime_type, content, "a film")
    item = _claim(people, platform, media=media(mime_type=mime_type))
    outcome = await publisher.send(await publisher.prepare(item, token, files(file), Saved()))
    assert isinstance(outcome, Published), outcome
    (post,) = people.sandbox.control.posts(platform)
    assert [(m.sha256, m.mime_type) for m in post.media] == [(hashlib.sha256(content).hexdigest(), mime_type)]


async def test_a_thread_hangs_together_and_a_lost_part_is_found(
    client: httpx.AsyncClient, people: Client
) -> None:
    publisher, token = _x(client, people), _token(people, "x")
    first = await publisher.send(await publisher.prepare(_claim(people, "x"), token, Media(), Saved()))
    assert isinstance(first, Published)
    root = first.external_id
    second = await publisher.send_follow_up(_claim(people, "x"), token, "two: https://a.example", root, root)
    assert isinstance(second, Published)
    assert second.charge == "post_create_with_url"
    began = datetime.now(UTC)
    people.sandbox.control.add_fault("reset_after", platform="x", method="POST", path="tweets$")
    lost = await publisher.send_follow_up(_claim(people, "x"), token, "three", second.external_id, root)
    assert isinstance(lost, Unknown)
    unknown = _claim(people, "x", mode="reconcile", attempt=2, sending_at=began)
    later = _x(client, people, now=_later)
    found = await later.probe_follow_up(unknown, token, "three", second.external_id, root)
    assert isinstance(found, Published)
    posts = {post.id: post for post in people.sandbox.control.posts("x")}
    assert len(posts) == 3
    assert posts[found.external_id].reply_to == second.external_id
    assert posts[second.external_id].reply_to == root


async def test_the_first_comment_is_under_the_post(client: httpx.AsyncClient, people: Client) -> None:
    publisher, token = _linkedin(client, people), _token(people, "linkedin")
    item = _claim(people, "linkedin")
    post = await publisher.send(await publisher.prepare(item, token, Media(), Saved()))
    assert isinstance(post, Published)
    outcome = await publisher.send_follow_up(
        item, token, "Sources: (1) #here", post.external_id, post.external_id
    )
    assert isinstance(outcome, Published), outcome
    (shown,) = people.sandbox.control.posts("linkedin")
    assert shown.comments == ("Sources: (1) #here",)


async def test_after_ten_minutes_linkedin_takes_the_same_again_so_we_do_not_repeat(
    client: httpx.AsyncClient, people: Client
) -> None:
    publisher, token = _linkedin(client, people), _token(people, "linkedin")
    item = _claim(people, "linkedin")
    prepared = await publisher.prepare(item, token, Media(), Saved())
    assert isinstance(await publisher.send(prepared), Published)
    people.sandbox.control.advance_clock(601)
    assert isinstance(await publisher.send(prepared), Published), "the sandbox forgets, as LinkedIn does"
    assert len(people.sandbox.control.posts("linkedin")) == 2
    unknown = _claim(
        people, "linkedin", mode="reconcile", attempt=2, sending_at=datetime.now(UTC) - timedelta(seconds=601)
    )
    assert await publisher.probe(unknown, token) == Unknown("duplicate_window_over", is_final=True)
    assert len(people.sandbox.control.posts("linkedin")) == 2
