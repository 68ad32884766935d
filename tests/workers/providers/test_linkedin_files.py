"""LinkedIn: videos in the parts it asks for, documents, comments, and how long a repetition is recognised."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.workers.providers.claims import (
    NOW,
    TOKEN,
    MemoryFile,
    Platform,
    Saved,
    answer,
    claim,
    files,
    media,
    no_sleep,
)
from workers.providers.base import NotAccepted, Published, PublishStopped, Rejected, Unknown
from workers.providers.linkedin import DUPLICATE_SECONDS, LinkedInPublisher

pytestmark = pytest.mark.anyio

POST = "POST /rest/posts"
VIDEOS = "POST /rest/videos"
URN = "urn:li:share:7398000000000000000"
COMMENTS = "/rest/socialActions/urn%3Ali%3Ashare%3A7398000000000000000/comments"
VIDEO = "urn:li:video:C5F"
UPLOAD = "https://www.linkedin.com/dms-uploads/v"


def _publisher(platform: Platform) -> LinkedInPublisher:
    return LinkedInPublisher(platform.client, version="202605", now=lambda: NOW, sleep=no_sleep)


def _claim(text: str = "Hello", **changes: Any) -> Any:
    return claim(text, **({"platform_id": "linkedin", "external_account_id": "abc"} | changes))


# --- videos -------------------------------------------------------------------------------------------------


def _instructions(*ranges: tuple[int, int], **changes: Any) -> httpx.Response:
    parts = [{"uploadUrl": f"{UPLOAD}/{i}", "firstByte": a, "lastByte": b} for i, (a, b) in enumerate(ranges)]
    return answer(200, {"value": {"video": VIDEO, "uploadToken": "t", "uploadInstructions": parts} | changes})


def _video(started: httpx.Response, **changes: Any) -> dict[str, Any]:
    return {
        VIDEOS: [started, answer(200)],
        "PUT /dms-uploads/v/0": answer(200, etag="/ambry/0"),
        "PUT /dms-uploads/v/1": answer(200, etag="/ambry/1"),
        "GET /rest/videos/urn%3Ali%3Avideo%3AC5F": [
            answer(200, {"status": "PROCESSING"}),
            answer(200, {"status": "AVAILABLE"}),
        ],
        POST: answer(201, {}, x_restli_id=URN),
    } | changes


async def test_a_video_goes_in_the_parts_that_linkedin_asks_for() -> None:
    platform = Platform(_video(_instructions((0, 2), (3, 4))))
    film, saved = MemoryFile("video/mp4", b"abcde", "unused"), Saved()
    item = _claim(media=media(mime_type="video/mp4"), scopes=("w_member_social",))
    prepared = await _publisher(platform).prepare(item, TOKEN, files(film), saved)
    assert film.parts == [(0, 3), (3, 2)]
    first, second = platform.sent("PUT /dms-uploads/v/0")[0], platform.sent("PUT /dms-uploads/v/1")[0]
    assert (first.content, second.content) == (b"abc", b"de")
    assert "authorization" not in first.headers
    begin, finish = (json.loads(request.content) for request in platform.sent(VIDEOS))
    assert begin["initializeUploadRequest"] == {
        "owner": "urn:li:person:abc",
        "fileSizeBytes": 5,
        "uploadCaptions": False,
        "uploadThumbnail": False,
    }
    assert finish["finalizeUploadRequest"] == {
        "video": VIDEO,
        "uploadToken": "t",
        "uploadedPartIds": ["/ambry/0", "/ambry/1"],
    }
    assert prepared.body["content"] == {"media": {"id": VIDEO}}
    assert saved.progress["assets"] == [VIDEO]


@pytest.mark.parametrize(
    "started",
    [
        _instructions((0, 2)),
        _instructions((0, 2), (4, 4)),
        _instructions((1, 4)),
        _instructions((0, 5)),
        _instructions((0, 2), (2, 4)),
        _instructions(),
        _instructions((0, 4), video="urn:li:image:C5F"),
        answer(200, {"value": []}),
    ],
)
async def test_parts_that_do_not_make_the_file_are_not_sent(started: httpx.Response) -> None:
    platform = Platform(_video(started))
    item = _claim(media=media(mime_type="video/mp4"))
    with pytest.raises(PublishStopped) as stopped:
        await _publisher(platform).prepare(item, TOKEN, files(MemoryFile("video/mp4", b"abcde")), Saved())
    assert stopped.value.outcome.code == "unreadable_answer"


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"PUT /dms-uploads/v/0": answer(200)}, NotAccepted),
        ({"PUT /dms-uploads/v/0": answer(503)}, NotAccepted),
        ({"PUT /dms-uploads/v/0": httpx.ReadTimeout("")}, NotAccepted),
        ({"GET /rest/videos/urn%3Ali%3Avideo%3AC5F": answer(200, {"status": "PROCESSING_FAILED"})}, Rejected),
        ({"GET /rest/videos/urn%3Ali%3Avideo%3AC5F": answer(200, {"status": "PROCESSING"})}, NotAccepted),
    ],
)
async def test_what_goes_wrong_with_a_video(changes: dict[str, Any], kind: type) -> None:
    platform = Platform(_video(_instructions((0, 4)), **changes))
    item = _claim(media=media(mime_type="video/mp4"))
    with pytest.raises(PublishStopped) as stopped:
        await _publisher(platform).prepare(item, TOKEN, files(MemoryFile("video/mp4", b"abcde")), Saved())
    assert isinstance(stopped.value.outcome, kind)


async def test_a_part_goes_to_no_other_host() -> None:
    elsewhere = [{"uploadUrl": "https://evil.example/0", "firstByte": 0, "lastByte": 4}]
    platform = Platform(_video(_instructions(uploadInstructions=elsewhere)))
    item = _claim(media=media(mime_type="video/mp4"))
    with pytest.raises(PublishStopped) as stopped:
        await _publisher(platform).prepare(item, TOKEN, files(MemoryFile("video/mp4", b"abcde")), Saved())
    assert stopped.value.outcome.code == "foreign_upload_host"


# --- documents ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alt_text", "text", "title"),
    [
        ("The slides", "Hello", "The slides"),
        (None, "First line\nsecond", "First line"),
        (None, " ", "Document"),
    ],
)
async def test_a_document_is_streamed_and_has_a_title(alt_text: str | None, text: str, title: str) -> None:
    platform = Platform(
        {
            "POST /rest/documents": answer(
                200, {"value": {"uploadUrl": UPLOAD, "document": "urn:li:document:D4E"}}
            ),
            "PUT /dms-uploads/v": answer(201),
        }
    )
    item = _claim(text, media=media(mime_type="application/pdf", alt_text=alt_text))
    slides = MemoryFile("application/pdf", b"%PDF-" + b"x" * (5 * 1024 * 1024), alt_text)
    prepared = await _publisher(platform).prepare(item, TOKEN, files(slides), Saved())
    assert prepared.body["content"] == {"media": {"id": "urn:li:document:D4E", "title": title}}
    (put,) = platform.sent("PUT /dms-uploads/v")
    assert put.headers["content-length"] == str(slides.size_bytes)
    assert "transfer-encoding" not in put.headers
    assert put.content == slides.content
    assert len(slides.parts) == 2


@pytest.mark.parametrize("mime_types", [("image/png", "video/mp4"), ("application/pdf", "application/pdf")])
async def test_kinds_are_not_mixed(mime_types: tuple[str, str]) -> None:
    item = _claim(media=media(mime_type=mime_types[0]) + media(mime_type=mime_types[1]))
    both = files(*(MemoryFile(mime_type, b"x") for mime_type in mime_types))
    with pytest.raises(PublishStopped) as stopped:
        await _publisher(Platform()).prepare(item, TOKEN, both, Saved())
    assert stopped.value.outcome.code == "unsupported_media"


# --- how long a repetition is recognised --------------------------------------------------------------------


def _unknown(began: float, **changes: Any) -> Any:
    return _claim(mode="reconcile", attempt=2, sending_at=NOW - timedelta(seconds=began), **changes)


async def test_just_before_the_window_ends_it_is_repeated() -> None:
    platform = Platform({POST: answer(201, {}, x_restli_id=URN)})
    found = await _publisher(platform).probe(_unknown(DUPLICATE_SECONDS - 1), TOKEN)
    assert isinstance(found, Published)


@pytest.mark.parametrize("began", [DUPLICATE_SECONDS + 1, 3600, 86400])
async def test_after_the_window_it_is_never_repeated(began: float) -> None:
    """A post that is there would not be recognised any more, and appear twice."""
    platform = Platform()
    found = await _publisher(platform).probe(_unknown(began), TOKEN)
    assert found == Unknown("duplicate_window_over", is_final=True)
    assert platform.requests == []


# --- the first comment --------------------------------------------------------------------------------------


async def test_a_comment_is_plain_text_of_the_member_on_the_post() -> None:
    platform = Platform({f"POST {COMMENTS}": answer(201, {"commentUrn": "urn:li:comment:(x,1)", "id": "1"})})
    outcome = await _publisher(platform).send_follow_up(_claim(), TOKEN, "more (here) #now", URN, URN)
    assert outcome == Published("urn:li:comment:(x,1)", None, 201)
    assert platform.body(f"POST {COMMENTS}") == {
        "actor": "urn:li:person:abc",
        "object": URN,
        "message": {"text": "more (here) #now"},
    }


@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (httpx.ConnectError(""), NotAccepted("not_reached")),
        (httpx.ReadTimeout(""), Unknown("no_answer")),
        (answer(503), Unknown("http_503", http_status=503)),
        (answer(201, {}), Unknown("unreadable_answer", http_status=201)),
        (answer(201, {}, x_restli_id="7"), Published("7", None, 201)),
    ],
)
async def test_what_an_answer_to_a_comment_means(what: Any, outcome: Any) -> None:
    platform = Platform({f"POST {COMMENTS}": what})
    assert await _publisher(platform).send_follow_up(_claim(), TOKEN, "more", URN, URN) == outcome


async def test_without_the_right_to_read_a_comment_cannot_be_looked_for() -> None:
    platform = Platform()
    item = _unknown(61, scopes=("w_member_social",))
    found = await _publisher(platform).probe_follow_up(item, TOKEN, "more", URN, URN)
    assert found == Unknown("comments_unreadable", is_final=True)
    assert platform.requests == []


@pytest.mark.parametrize(
    ("comments", "outcome"),
    [
        ([], NotAccepted("not_among_comments")),
        ([{"actor": "urn:li:person:other", "message": {"text": "more"}, "commentUrn": "c"}], None),
        ([{"actor": "urn:li:person:abc", "message": {"text": "more"}, "commentUrn": "c"}], Published("c")),
    ],
)
async def test_with_it_the_comment_is_looked_for(comments: list[Any], outcome: Any) -> None:
    platform = Platform({f"GET {COMMENTS}": answer(200, {"elements": comments})})
    item = _unknown(61, scopes=("w_member_social", "r_member_social"))
    found = await _publisher(platform).probe_follow_up(item, TOKEN, "more", URN, URN)
    assert found == (outcome or NotAccepted("not_among_comments"))
