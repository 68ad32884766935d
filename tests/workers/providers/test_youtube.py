"""YouTube: what is sent, what each answer means, and that one session makes one video."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    ID,
    NOW,
    TOKEN,
    MemoryFile,
    Platform,
    Saved,
    answer,
    files,
)
from tests.workers.providers.youtube_cases import (
    LAST,
    SIZE,
    VIDEO,
    item,
    vault,
    video,
    youtube_claim,
)
from tests.workers.providers.youtube_script import (
    MIDNIGHT,
    PATH,
    PUT,
    SESSION,
    START,
    STARTED,
    Storing,
    created,
    documented_small_parts,
    incomplete,
    prepare,
    publish,
    publisher,
    refused,
    stopped,
    unsure,
)
from workers.providers.base import (
    Budget,
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
from workers.providers.youtube_video import texts, video_body
from workers.vault import SecretToken, UploadContext, sealed_from_text, sealed_to_text

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def documented() -> Iterator[None]:
    with documented_small_parts():
        yield


# --- what is sent -------------------------------------------------------------------------------------------


async def test_a_video_goes_out_in_parts_and_the_last_is_the_sending() -> None:
    session = Storing()
    platform = Platform({START: STARTED, PUT: session})
    prepared = await prepare(platform)
    assert session.spans == [
        f"bytes {first}-{first + PART_UNIT - 1}/{SIZE}" for first in range(0, LAST, PART_UNIT)
    ]
    assert await publisher(platform).send(prepared) == Published(
        "vid-1", "https://www.youtube.com/watch?v=vid-1", 201
    )
    assert session.spans[-1] == f"bytes {LAST}-{SIZE - 1}/{SIZE}"
    assert b"".join(r.content for r in platform.sent(PUT)) == VIDEO
    (start,) = platform.sent(START)
    assert str(start.url).startswith("https://www.googleapis.com/upload/youtube/v3/videos?")
    assert dict(start.url.params) == {
        "uploadType": "resumable",
        "part": "id,snippet,status",
        "notifySubscribers": "true",
    }
    assert start.headers["x-upload-content-length"] == str(SIZE)
    assert start.headers["x-upload-content-type"] == "video/mp4"
    assert {r.headers["authorization"] for r in platform.requests} == {"Bearer canary-token"}


@pytest.mark.parametrize("size", [1, PART_UNIT - 1, PART_UNIT, PART_UNIT + 1, 3 * PART_UNIT])
async def test_the_last_part_is_never_empty_and_never_long(size: int) -> None:
    file = MemoryFile("video/mp4", b"v" * size)
    answers: list[Any] = [incomplete(end) for end in range(PART_UNIT, size, PART_UNIT)]
    platform = Platform({START: STARTED, PUT: [*answers, created()]})
    target = youtube_claim(media=(item(size),))
    prepared = await publisher(platform).prepare(target, TOKEN, files(file), Saved())
    before = len(platform.sent(PUT))
    assert isinstance(await publisher(platform).send(prepared), Published)
    last = platform.sent(PUT)[before:]
    assert [1 <= len(r.content) <= PART_UNIT for r in last] == [True]
    assert sum(length for _, length in file.parts) == size


async def test_files_are_read_in_parts_of_8_mib(monkeypatch: pytest.MonkeyPatch) -> None:
    full = 8 * 1_048_576
    monkeypatch.setattr("workers.providers.youtube._PART_BYTES", full)
    size = 20 * 1_048_576 + 5
    file = MemoryFile("video/mp4", bytes(size))
    answers = [incomplete(full), incomplete(2 * full), incomplete(20 * 1_048_576)]
    platform = Platform({START: STARTED, PUT: answers})
    await publisher(platform).prepare(youtube_claim(media=(item(size),)), TOKEN, files(file), Saved())
    assert file.parts == [(0, full), (full, full), (2 * full, 4 * 1_048_576)]


def body(**options: Any) -> dict[str, Any]:
    return video_body(youtube_claim(options=options), NOW)


def test_options_become_the_resource() -> None:
    options = {
        "title": "First light",
        "privacy": "unlisted",
        "made_for_kids": True,
        "tags": ["film", "dawn light"],
        "category_id": "22",
        "license": "mine",
    }
    assert body(**options) == {
        "snippet": {
            "title": "First light",
            "description": "How it was made",
            "tags": ["film", "dawn light"],
            "categoryId": "22",
        },
        "status": {"privacyStatus": "unlisted", "selfDeclaredMadeForKids": True},
    }
    assert body(privacy="everybody")["status"] == {"privacyStatus": "public"}


def test_a_time_of_publication_needs_a_private_video() -> None:
    at = (NOW + timedelta(hours=3)).isoformat()
    assert body(publish_at=at, privacy="public")["status"] == {
        "privacyStatus": "private",
        "publishAt": "2026-11-24T12:00:00Z",
    }
    past = (NOW - timedelta(seconds=1)).isoformat()
    assert body(publish_at=past, privacy="private")["status"] == {"privacyStatus": "public"}
    assert body(publish_at="soon")["status"] == {"privacyStatus": "public"}


def test_a_video_without_a_title_takes_its_first_line() -> None:
    long = "x" * 120
    assert texts(youtube_claim(f"  {long}\nmore", options={})) == ("x" * 100, f"  {long}\nmore")
    assert texts(youtube_claim("One line", options={"title": " "})) == ("One line", "One line")


async def test_subscribers_need_not_be_told() -> None:
    platform = Platform({START: STARTED, PUT: Storing()})
    await prepare(platform, youtube_claim(options={"title": "Quiet", "notify_subscribers": False}))
    assert platform.sent(START)[0].url.params["notifySubscribers"] == "false"


@pytest.mark.parametrize("content", [(), (video(), video()), (MemoryFile("image/png", b"p"),)])
async def test_a_post_needs_exactly_one_video(content: tuple[MemoryFile, ...]) -> None:
    platform = Platform()
    with pytest.raises(PublishStopped) as caught:
        await publisher(platform).prepare(youtube_claim(), TOKEN, files(*content), Saved())
    assert isinstance(caught.value.outcome, Rejected)
    assert caught.value.outcome.code == "video_required"
    assert platform.requests == []


# --- the session --------------------------------------------------------------------------------------------


async def test_the_session_is_saved_sealed_before_the_first_byte() -> None:
    saved = Saved()

    def first_part(request: httpx.Request) -> httpx.Response:
        assert saved.count == 1
        return incomplete(0)

    with pytest.raises(PublishStopped):
        await prepare(Platform({START: STARTED, PUT: first_part}), saved=saved)
    assert "canary-session" not in json.dumps(saved.progress)
    place = UploadContext(ID, ID, ID, "youtube")
    assert vault().open(sealed_from_text(saved.progress["upload"]), place).reveal() == SESSION


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://www.googleapis.com/upload",
        "https://evil.example/upload",
        "https://googleapis.com.evil.example/",
        "https://www.googleapis.com/" + "x" * 4000,
    ],
)
async def test_the_token_goes_to_google_alone(url: str) -> None:
    platform = Platform({START: answer(200, None, location=url)})
    assert isinstance(await stopped(platform), NotAccepted)
    assert len(platform.requests) == 1


async def test_in_the_sandbox_the_session_is_the_sandboxs() -> None:
    platform = Platform({f"POST /youtube{PATH}": answer(200, None, location=SESSION)})
    there = YouTubePublisher(platform.client, vault(), sandbox_url="http://127.0.0.1:9/youtube")
    with pytest.raises(PublishStopped):
        await there.prepare(youtube_claim(), TOKEN, files(video()), Saved())
    assert str(platform.requests[0].url).startswith("http://127.0.0.1:9/youtube/upload/youtube/v3/videos")


@pytest.mark.parametrize("after", range(LAST // PART_UNIT))
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("how", ["reset", "503"])
async def test_a_break_at_any_part_is_taken_up_where_the_session_is(after: int, kept: bool, how: str) -> None:
    session = Storing()
    fault: Any = httpx.ReadError("reset") if how == "reset" else answer(503)

    def put(request: httpx.Request) -> Any:
        if len(session.spans) == after and fault not in session.canned:
            if kept:
                session(request)
            else:
                session.spans.append(request.headers["content-range"])
            session.canned = [None]
            return fault
        return session(request)

    platform = Platform({START: STARTED, PUT: put})
    assert isinstance(await publish(platform), Published)
    assert session.spans[after + 1] == f"bytes */{SIZE}"
    assert session.stored == SIZE
    assert len(platform.sent(START)) == 1


async def test_what_was_not_kept_is_sent_again() -> None:
    session = Storing()
    half = [incomplete(PART_UNIT), incomplete(PART_UNIT)]

    def put(request: httpx.Request) -> Any:
        if session.stored == PART_UNIT and half:
            return half.pop()
        return session(request)

    assert isinstance(await publish(Platform({START: STARTED, PUT: put})), Published)


async def test_an_upload_that_does_not_come_on_is_given_up() -> None:
    platform = Platform({START: STARTED, PUT: httpx.ReadError("reset")})
    assert await stopped(platform) == NotAccepted("upload_stalled")
    assert len(platform.requests) < 15
    platform = Platform({START: STARTED, PUT: incomplete(0)})
    assert await stopped(platform) == NotAccepted("upload_stalled")


async def test_a_later_attempt_goes_on_in_the_same_session() -> None:
    saved, session = Saved(), Storing()
    platform = Platform({START: STARTED, PUT: session})
    await prepare(platform, saved=saved)
    again = youtube_claim(attempt=2, progress=saved.progress)
    assert isinstance(await publish(platform, again), Published)
    assert session.spans[-2:] == [f"bytes */{SIZE}", f"bytes {LAST}-{SIZE - 1}/{SIZE}"]
    assert len(platform.sent(START)) == 1


async def test_a_session_that_is_complete_is_the_post() -> None:
    claim = await unsure(mode="publish")
    platform = Platform({PUT: created()})
    prepared = await prepare(platform, claim)
    assert isinstance(await publisher(platform).send(prepared), Published)
    assert [len(r.content) for r in platform.requests] == [0]  # the question, and nothing else


@pytest.mark.parametrize("status", [404, 410])
async def test_a_dead_session_before_sending_is_replaced(status: int) -> None:
    claim = await unsure(mode="publish")
    session = Storing([answer(status)])
    platform = Platform({START: STARTED, PUT: session})
    assert isinstance(await publish(platform, claim), Published)
    assert len(platform.sent(START)) == 1


@pytest.mark.parametrize(
    "change", [{"text": "New words"}, {"options": {"title": "New"}}, {"media": (item(SIZE, "other.mp4"),)}]
)
async def test_a_session_announced_with_other_words_is_left_alone(change: dict[str, Any]) -> None:
    claim = await unsure(mode="publish", **change)
    session = Storing([incomplete(LAST)])
    platform = Platform({START: STARTED, PUT: session})
    assert isinstance(await publish(platform, claim), Published)
    assert session.spans[:2] == [f"bytes */{SIZE}", f"bytes 0-{PART_UNIT - 1}/{SIZE}"]


async def test_but_not_when_it_made_the_video_already() -> None:
    claim = await unsure(mode="publish", text="New words")
    assert isinstance(await publish(Platform({PUT: created()}), claim), Published)


async def test_a_session_of_a_retired_key_is_as_good_as_none() -> None:
    claim = await unsure(mode="publish")
    sealed = sealed_to_text(vault(9).seal(SecretToken(SESSION), UploadContext(ID, ID, ID, "youtube")))
    claim.progress["upload"] = sealed
    platform = Platform({START: STARTED, PUT: Storing()})
    assert isinstance(await publish(platform, claim), Published)
    assert len(platform.sent(START)) == 1


async def test_a_session_dies_while_it_is_filled() -> None:
    platform = Platform({START: STARTED, PUT: [incomplete(PART_UNIT), answer(410)]})
    assert await stopped(platform) == NotAccepted("session_gone", http_status=410)


async def test_all_bytes_are_there_but_no_video_yet() -> None:
    claim = await unsure(mode="publish")
    assert await stopped(Platform({PUT: incomplete(SIZE)}), claim) == NotAccepted("finishing", 30.0)
    asked = await publisher(Platform({PUT: incomplete(SIZE)}), NOW + timedelta(hours=1)).probe(
        await unsure(), TOKEN
    )
    assert asked == Unknown("finishing", 30.0, 308)


# --- what answers mean --------------------------------------------------------------------------------------

MEANINGS = [
    (refused(401, "authError", "global"), NeedsReconnect("token_refused", 401)),
    (refused(401, "youtubeSignupRequired"), ("rejected", "no_channel")),
    (
        refused(403, "quotaExceeded", "youtube.quota"),
        NotAccepted(
            "quota_exceeded",
            23 * 3600.0,
            http_status=403,
            budget=(Budget("app", "videos_insert", None, 0, MIDNIGHT),),
        ),
    ),
    (refused(403, "rateLimitExceeded", "usageLimits"), NotAccepted("rate_limited", 60.0, http_status=403)),
    (answer(429, {}, retry_after="7"), NotAccepted("rate_limited", 7.0, http_status=429)),
    (
        refused(403, "accessNotConfigured", "usageLimits"),
        NotAccepted("app_forbidden", 1800.0, http_status=403),
    ),
    (refused(403, "insufficientPermissions", "global"), ("rejected", "scope_missing")),
    (refused(403, "authenticatedUserAccountSuspended"), ("rejected", "account_barred")),
    (refused(403, "forbidden"), ("rejected", "forbidden")),
    (refused(400, "invalidTitle"), ("rejected", "refused")),
    (refused(413, "uploadTooLarge", "global"), ("rejected", "refused")),
    (answer(400), ("rejected", "refused")),
]


def matches(outcome: Outcome, wanted: Any) -> bool:
    if isinstance(wanted, tuple):
        return isinstance(outcome, Rejected) and (outcome.code, bool(outcome.message)) == (wanted[1], True)
    return bool(outcome == wanted)


@pytest.mark.parametrize(("told", "wanted"), MEANINGS)
async def test_refusals_of_the_announcement_and_of_the_last_part(told: httpx.Response, wanted: Any) -> None:
    assert matches(await stopped(Platform({START: told})), wanted)
    prepared = await prepare(Platform({START: STARTED, PUT: Storing()}))
    assert matches(await publisher(Platform({PUT: told})).send(prepared), wanted)


async def test_the_channels_own_limit_waits_a_day() -> None:
    outcome = await stopped(Platform({START: refused(400, "uploadLimitExceeded")}))
    assert isinstance(outcome, NotAccepted)
    assert (outcome.code, outcome.retry_after) == ("rate_limited", 86_400.0)
    assert outcome.budget == (Budget("account", "uploads", None, 0, NOW + timedelta(days=1)),)


@pytest.mark.parametrize(
    "told",
    [
        answer(500),
        answer(503),
        answer(408),
        answer(404),
        answer(410),
        answer(200, {"kind": "youtube#video"}),
        answer(200),
        answer(308, None, range="bytes=5-7"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.WriteError("broken"),
    ],
)
async def test_after_the_last_part_these_leave_it_open(told: Any) -> None:
    prepared = await prepare(Platform({START: STARTED, PUT: Storing()}))
    assert isinstance(await publisher(Platform({PUT: told})).send(prepared), Unknown)


@pytest.mark.parametrize("told", [incomplete(LAST), incomplete(0), httpx.ConnectError("refused")])
async def test_after_the_last_part_these_mean_that_there_is_no_video(told: Any) -> None:
    prepared = await prepare(Platform({START: STARTED, PUT: Storing()}))
    assert isinstance(await publisher(Platform({PUT: told})).send(prepared), NotAccepted)


@pytest.mark.parametrize("told", [answer(500), httpx.ReadError("reset"), httpx.ConnectError("refused")])
async def test_before_the_last_part_nothing_is_open(told: Any) -> None:
    assert isinstance(await stopped(Platform({START: told})), NotAccepted)
    claim = await unsure(mode="publish")
    assert isinstance(await stopped(Platform({PUT: told}), claim), NotAccepted)


@pytest.mark.parametrize(
    ("options", "status", "notice"),
    [
        ({"privacy": "public"}, {"privacyStatus": "private"}, "published_privately"),
        ({"privacy": "unlisted"}, {"privacyStatus": "private"}, "published_privately"),
        ({"privacy": "private"}, {"privacyStatus": "private"}, None),
        ({"privacy": "public"}, {"privacyStatus": "public"}, None),
        (
            {"publish_at": "2031-01-01T09:00:00Z"},
            {"privacyStatus": "private", "publishAt": "2031-01-01T09:00:00Z"},
            None,
        ),
        ({"publish_at": "2031-01-01T09:00:00Z"}, {"privacyStatus": "private"}, "published_privately"),
    ],
)
async def test_a_video_that_was_held_private_comes_with_a_notice(
    options: dict[str, Any], status: dict[str, Any], notice: str | None
) -> None:
    claim = youtube_claim(options=options)
    prepared = await prepare(Platform({START: STARTED, PUT: Storing()}), claim)
    told = answer(200, {"id": "vid-1", "status": status})
    outcome = await publisher(Platform({PUT: told})).send(prepared)
    assert isinstance(outcome, Published)
    assert outcome.notice == notice


# --- what must not be seen ----------------------------------------------------------------------------------


async def test_no_outcome_and_no_step_shows_the_session(caplog: pytest.LogCaptureFixture) -> None:
    prepared = await prepare(Platform({START: STARTED, PUT: Storing()}))
    outcome = await publisher(Platform({PUT: httpx.ReadError(SESSION)})).send(prepared)
    told = refused(400, "badRequest")
    other = await publisher(Platform({PUT: told})).send(prepared)
    for shown in (repr(prepared), repr(outcome), repr(other), caplog.text):
        assert "canary-session" not in shown
        assert "canary-token" not in shown
