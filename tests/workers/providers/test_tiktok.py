"""TikTok: bodies, chunks, photos under our own domain, and what each answer means."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st

from tests.workers.providers.claims import MemoryFile, Saved, answer, files, media
from tests.workers.providers.tiktok_script import (
    CHUNK,
    CONTENT,
    CREATOR,
    CREATOR_INFO,
    DIRECT,
    INBOX,
    INIT,
    PUT,
    STATUS,
    UPLOAD_URL,
    a_claim,
    big,
    complete,
    ok,
    photo,
    prepared,
    publisher,
    refused,
    script,
    sent,
    stopped,
    told,
    video,
)
from workers.errors import LeaseLostError
from workers.providers.base import (
    Media,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    Rejected,
    Unknown,
)
from workers.providers.tiktok_wire import Chunks

pytestmark = pytest.mark.anyio

INBOX_MODE = {"mode": "inbox"}


# --- bodies -----------------------------------------------------------------------------------------------------


async def test_a_video_is_announced_sent_and_found_posted() -> None:
    platform, saved = script(), Saved()
    options = DIRECT | {"is_aigc": True, "brand_organic_toggle": True, "cover_ms": 1500, "disable_duet": True}
    ready = await prepared(platform, saved, options=options)
    assert platform.body(INIT) == {
        "post_info": {
            "privacy_level": "PUBLIC_TO_EVERYONE", "title": "Hello #dawn", "disable_comment": False,
            "disable_duet": True, "disable_stitch": True, "brand_content_toggle": False,
            "brand_organic_toggle": True, "is_aigc": True, "video_cover_timestamp_ms": 1500,
        },
        "source_info": {
            "source": "FILE_UPLOAD", "video_size": 1000, "chunk_size": 1000, "total_chunk_count": 1,
        },
    }  # fmt: skip
    assert saved.progress == {"publish_id": "v_pub_file~v2-1.1", "size": 1000, "creator": "maya"}
    assert ready.platform_key == "v_pub_file~v2-1.1"
    assert platform.sent(PUT) == []  # nothing irreversible so far
    outcome = await publisher(platform).send(ready)
    assert outcome == Published("7400", "https://www.tiktok.com/@maya/video/7400")
    (put,) = platform.sent(PUT)
    assert str(put.url) == UPLOAD_URL
    assert "authorization" not in put.headers  # the upload host gets no token
    assert (put.headers["content-range"], put.headers["content-type"]) == ("bytes 0-999/1000", "video/mp4")


async def test_the_upload_address_is_not_kept() -> None:
    saved = Saved()
    ready = await prepared(script(), saved)
    assert "upload" not in str(saved.progress)
    assert "Xza123" not in repr(ready)


@pytest.mark.parametrize(
    ("total", "size", "count"),
    [
        (1, 1, 1),
        (CHUNK, CHUNK, 1),
        (2 * CHUNK - 1, 2 * CHUNK - 1, 1),
        (2 * CHUNK, CHUNK, 2),
        (5 * CHUNK + 123, CHUNK, 5),
        (4_000_000_000, CHUNK, 500),
    ],
)
def test_chunks(total: int, size: int, count: int) -> None:
    chunks = Chunks.of(total)
    assert (chunks.size, chunks.count, chunks.count) == (size, count, max(1, total // size))
    pieces = [chunks.piece(index) for index in range(chunks.count)]
    assert sum(length for _, length in pieces) == total
    assert [start for start, _ in pieces] == [index * size for index in range(count)]
    assert max(length for _, length in pieces) < 16 * 1_048_576


@given_any(st.integers(1, 4_000_000_000))
def test_chunks_of_any_size_keep_the_rules(total: int) -> None:
    chunks = Chunks.of(total)
    assert chunks.count == total // chunks.size
    assert 1 <= chunks.count <= 1_000
    assert chunks.size == total or 5 * 1_048_576 <= chunks.size <= 64_000_000
    start, length = chunks.piece(chunks.count - 1)
    assert start + length == total
    assert length <= 64_000_000


async def test_all_chunks_but_the_last_are_sent_in_preparing() -> None:
    platform, given = script(put=[answer(206), answer(206), answer(201)]), files(big(3))
    ready = await prepared(platform, Saved(), given)
    total = 3 * CHUNK + 123
    ranges = [request.headers["content-range"] for request in platform.sent(PUT)]
    assert ranges == [f"bytes 0-{CHUNK - 1}/{total}", f"bytes {CHUNK}-{2 * CHUNK - 1}/{total}"]
    assert isinstance(await publisher(platform).send(ready), Published)
    assert platform.sent(PUT)[-1].headers["content-range"] == f"bytes {2 * CHUNK}-{total - 1}/{total}"
    file = given.files[0]
    assert isinstance(file, MemoryFile)
    assert file.parts == [(0, CHUNK), (CHUNK, CHUNK), (2 * CHUNK, CHUNK + 123)]


async def test_an_inbox_upload_asks_for_no_audience() -> None:
    platform, saved = script(status=told("SEND_TO_USER_INBOX")), Saved()
    ready = await prepared(platform, saved, options=INBOX_MODE, scopes=("video.upload",))
    assert set(platform.body(INBOX)) == {"source_info"}
    assert platform.sent(CREATOR) == []
    outcome = await publisher(platform).send(ready)
    assert outcome == Published("v_inbox_file~v2.1", notice="waits_in_inbox")


async def test_photos_are_pulled_from_our_own_domain() -> None:
    platform, saved = script(), Saved()
    options = DIRECT | {"title": "Three"}
    ready = await prepared(platform, saved, files(photo(), photo()), options=options, media=media(2))
    assert platform.sent(CONTENT) == []
    url = "https://worker.example/media/media/person/0.jpg?token=a.b.c"
    outcome = await publisher(platform).send(ready)
    assert platform.body(CONTENT) == {
        "media_type": "PHOTO",
        "post_mode": "DIRECT_POST",
        "post_info": {
            "privacy_level": "PUBLIC_TO_EVERYONE", "title": "Three", "description": "Hello #dawn",
            "disable_comment": False, "brand_content_toggle": False, "brand_organic_toggle": False,
        },
        "source_info": {"source": "PULL_FROM_URL", "photo_images": [url, url], "photo_cover_index": 0},
    }  # fmt: skip
    assert outcome == Published("7400", "https://www.tiktok.com/@maya/photo/7400")
    assert saved.progress == {"creator": "maya", "publish_id": "p_pub_url~v2.1"}


async def test_photos_go_to_the_inbox() -> None:
    platform = script(status=told("SEND_TO_USER_INBOX"))
    outcome = await sent(platform, files(photo()), options=INBOX_MODE, scopes=("video.upload",))
    assert outcome == Published("p_pub_url~v2.1", notice="waits_in_inbox")
    body = platform.body(CONTENT)
    assert (body["post_mode"], body["post_info"]) == ("MEDIA_UPLOAD", {"description": "Hello #dawn"})


async def test_what_the_account_switched_off_stays_off() -> None:
    info = CREATOR_INFO | {"comment_disabled": True, "duet_disabled": True}
    platform = script(creator=ok(**info))
    await prepared(platform, Saved())
    post = platform.body(INIT)["post_info"]
    assert (post["disable_comment"], post["disable_duet"], post["disable_stitch"]) == (True, True, True)


# --- what stops a post before it is announced -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "changes", "code"),
    [
        (files(), {}, "media_refused"),
        (files(video(), video()), {}, "media_refused"),
        (files(video(), photo()), {}, "media_refused"),
        (files(*[photo()] * 36), {}, "media_refused"),
        (files(MemoryFile("application/pdf", b"x")), {}, "media_refused"),
        (files(video()), {"options": {"mode": "direct"}}, "privacy_not_allowed"),
        (files(video()), {"options": {"privacy_level": "FOLLOWER_OF_CREATOR"}}, "privacy_not_allowed"),
        (files(video(duration_ms=300_001)), {}, "video_too_long"),
        (files(video()), {"scopes": ("video.upload",)}, "scope_missing"),
        (files(video()), {"scopes": ("video.publish",), "options": INBOX_MODE}, "scope_missing"),
        (files(photo()), {"scopes": ("video.upload",)}, "scope_missing"),
        (files(photo()), {"scopes": ("video.publish",), "options": INBOX_MODE}, "scope_missing"),
    ],
)
async def test_posts_that_are_stopped(given: Media, changes: dict[str, Any], code: str) -> None:
    platform = script()
    outcome = await stopped(platform, given, **changes)
    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert platform.sent(INIT) == platform.sent(CONTENT) == []


async def test_the_choices_are_named() -> None:
    outcome = await stopped(script(), options={"mode": "direct"})
    assert isinstance(outcome, Rejected)
    assert "everyone, friends, only you" in outcome.message


ANSWERS = [
    (refused(403, "spam_risk_too_many_posts"), NotAccepted, "rate_limited"),
    (refused(200, "spam_risk_too_many_posts"), NotAccepted, "rate_limited"),  # creator_info does so
    (refused(403, "spam_risk_too_many_pending_share"), NotAccepted, "rate_limited"),
    (refused(403, "reached_active_user_cap"), NotAccepted, "rate_limited"),
    (refused(429, "rate_limit_exceeded"), NotAccepted, "rate_limited"),
    (answer(429), NotAccepted, "rate_limited"),
    (refused(403, "url_ownership_unverified"), NotAccepted, "domain_unverified"),
    (refused(403, "spam_risk_user_banned_from_posting"), Rejected, "account_restricted"),
    (refused(403, "privacy_level_option_mismatch"), Rejected, "privacy_not_allowed"),
    (refused(403, "unaudited_client_can_only_post_to_private_accounts"), Rejected, "app_not_audited"),
    (refused(400, "app_version_check_failed"), Rejected, "app_too_old"),
    (refused(400, "invalid_param"), Rejected, "refused"),
    (refused(400, "invalid_params"), Rejected, "refused"),
    (refused(400, "something_new"), Rejected, "refused"),
    (refused(401, "scope_not_authorized"), Rejected, "scope_missing"),
    (refused(401, "access_token_invalid"), NeedsReconnect, "token_refused"),
    (answer(401), NeedsReconnect, "token_refused"),
]


@pytest.mark.parametrize("call", ["creator", "init", "inbox"])
@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        *ANSWERS,
        (refused(500, "internal_error"), NotAccepted, "http_500"),
        (answer(502), NotAccepted, "http_502"),
        (answer(400), NotAccepted, "http_400"),
        (answer(200, ["no object"]), NotAccepted, "http_200"),
        (httpx.ConnectError("down"), NotAccepted, "not_reached"),
        (httpx.ReadTimeout("lost"), NotAccepted, "no_answer"),
    ],
)
async def test_a_call_that_cannot_post(call: str, response: Any, kind: type[Outcome], code: str) -> None:
    options = INBOX_MODE if call == "inbox" else DIRECT
    outcome = await stopped(script(**{call: response}), options=options)
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code
    if isinstance(outcome, Rejected):
        assert outcome.message.endswith(".")


@pytest.mark.parametrize(
    ("init", "code"),
    [
        (ok(), "unreadable_answer"),
        (ok(publish_id="v_pub_file~v2-1.1"), "unreadable_answer"),
        (ok(publish_id="v", upload_url="https://evil.example/video/"), "foreign_upload_host"),
        (ok(publish_id="v", upload_url="http://open-upload.tiktokapis.com/video/"), "foreign_upload_host"),
        (ok(publish_id="v", upload_url="https://tiktokapis.com.evil.example/"), "foreign_upload_host"),
    ],
)
async def test_an_announcement_that_cannot_be_used(init: httpx.Response, code: str) -> None:
    assert await stopped(script(init=init)) == NotAccepted(code)


# --- chunks that go wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble", [httpx.ReadTimeout("lost"), httpx.ConnectError("down"), answer(500), answer(503)]
)
async def test_a_chunk_is_sent_again(trouble: Any) -> None:
    platform = script(put=[trouble, answer(206), answer(201)])
    assert isinstance(await sent(platform, files(big(2))), Published)
    assert len(platform.sent(PUT)) == 3


async def test_a_chunk_that_had_arrived_is_not_missed() -> None:
    arrived = answer(416, content_range=f"bytes 0-{CHUNK}/{2 * CHUNK + 123}")
    platform = script(put=[httpx.ReadTimeout("lost"), arrived, answer(201)])
    assert isinstance(await sent(platform, files(big(2))), Published)


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.ReadTimeout("lost"), NotAccepted("no_answer")),
        (answer(500), NotAccepted("upload_refused", http_status=500)),
        (answer(403), NotAccepted("upload_refused", http_status=403)),
        (answer(404), NotAccepted("upload_refused", http_status=404)),
        (answer(416, content_range="bytes 0-5/99"), NotAccepted("upload_refused", http_status=416)),
    ],
)
async def test_a_chunk_that_fails_ends_the_attempt(response: Any, expected: Outcome) -> None:
    platform = script(put=response)
    assert await stopped(platform, files(big(2))) == expected
    assert len(platform.sent(PUT)) <= 4


# --- the irreversible call --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.ConnectError("down"), NotAccepted("not_reached")),
        (httpx.ReadTimeout("lost"), Unknown("no_answer")),
        (httpx.WriteError("half"), Unknown("no_answer")),
        (answer(500), Unknown("http_500", http_status=500)),
        (answer(206), Unknown("http_206", http_status=206)),
        (answer(400), NotAccepted("upload_refused", http_status=400)),
        (answer(403), NotAccepted("upload_refused", http_status=403)),
        (answer(404), NotAccepted("upload_refused", http_status=404)),
        (answer(416, content_range="bytes 0-0/1000"), NotAccepted("upload_refused", http_status=416)),
    ],
)
async def test_what_becomes_of_the_last_chunk(response: Any, expected: Outcome) -> None:
    assert await sent(script(put=response)) == expected


async def test_a_last_chunk_that_had_arrived() -> None:
    assert isinstance(await sent(script(put=answer(416, content_range="bytes 0-1000/1000"))), Published)


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        *ANSWERS,
        (refused(500, "internal_error"), Unknown, "http_500"),
        (answer(502), Unknown, "http_502"),
        (answer(200, ["no object"]), Unknown, "http_200"),
        (ok(), Unknown, "unreadable_answer"),
        (httpx.ConnectError("down"), NotAccepted, "not_reached"),
        (httpx.ReadTimeout("lost"), Unknown, "no_answer"),
    ],
)
async def test_what_becomes_of_photos(response: Any, kind: type[Outcome], code: str) -> None:
    outcome = await sent(script(content=response), files(photo()))
    assert isinstance(outcome, kind)
    assert not isinstance(outcome, Published)
    assert outcome.code == code


async def test_photos_whose_lease_was_lost_are_left_to_others() -> None:
    class Lost(Saved):
        async def __call__(self, progress: Any) -> None:
            if "publish_id" in progress:
                raise LeaseLostError("save_progress")
            await super().__call__(progress)

    platform = script()
    ready = await prepared(platform, Lost(), files(photo()))
    assert await publisher(platform).send(ready) == Unknown("lease_lost")


async def test_processing_is_watched_for_a_while() -> None:
    platform = script(status=[told("PROCESSING_UPLOAD", uploaded_bytes=1000), complete(7400)])
    assert isinstance(await sent(platform), Published)
    slow = script(status=told("PROCESSING_UPLOAD", uploaded_bytes=1000))
    assert await sent(slow) == Unknown("processing", retry_after=15.0)
    assert 3 <= len(slow.sent(STATUS)) <= 6


async def test_a_token_that_dies_after_sending_says_nothing_about_the_post() -> None:
    """Answering that nothing was accepted would send it again."""
    outcome = await sent(script(status=refused(401, "access_token_invalid")))
    assert outcome == Unknown("token_refused", http_status=401)


async def test_a_private_post_has_no_public_id() -> None:
    assert await sent(script(status=complete())) == Published("v_pub_file~v2-1.1")


async def test_there_are_no_comments() -> None:
    outcome = await publisher(script()).send_follow_up(a_claim(), None, "First!", "1", "1")  # type: ignore[arg-type]
    assert isinstance(outcome, Rejected)
