"""X: bodies, uploads, what each answer means, and finding one's own post again."""

from __future__ import annotations

import dataclasses
import re
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
from workers.providers.base import (
    Media,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Prepared,
    Published,
    PublishStopped,
    Rejected,
    Unknown,
    fingerprint,
)
from workers.providers.x import XPublisher

pytestmark = pytest.mark.anyio

POST = "POST /2/tweets"
TIMELINE = "GET /2/users/42/tweets"
INITIALIZE = "POST /2/media/upload/initialize"
CREATED = answer(201, {"data": {"id": "777", "text": "Hello"}})
EMPTY = answer(200, {"meta": {"result_count": 0}})
DUPLICATE = answer(
    403,
    {
        "detail": "You are not allowed to create a Tweet with duplicate content.",
        "type": "about:blank",
        "title": "Forbidden",
        "status": 403,
    },
)
RESET = str(int(NOW.timestamp()) + 600)


def _publisher(platform: Platform) -> XPublisher:
    return XPublisher(platform.client, now=lambda: NOW, sleep=no_sleep)


async def _send(platform: Platform, **changes: Any) -> Outcome:
    publisher = _publisher(platform)
    return await publisher.send(await publisher.prepare(claim(**changes), TOKEN, Media(), Saved()))


async def test_a_text_is_posted() -> None:
    platform = Platform({POST: CREATED})
    assert await _send(platform) == Published(
        "777", "https://x.com/i/web/status/777", 201, charge="post_create"
    )
    assert platform.body(POST) == {"text": "Hello"}
    assert platform.requests[0].headers["authorization"] == "Bearer canary-token"
    assert str(platform.requests[0].url) == "https://api.x.com/2/tweets"


async def test_the_sandbox_stands_in() -> None:
    platform = Platform({"POST /x/2/tweets": CREATED})
    publisher = XPublisher(platform.client, sandbox_url="http://127.0.0.1:9/x")
    await publisher.send(await publisher.prepare(claim(), TOKEN, Media(), Saved()))
    assert str(platform.requests[0].url) == "http://127.0.0.1:9/x/2/tweets"


async def test_only_known_options_are_taken_over() -> None:
    platform = Platform({POST: CREATED})
    options = {
        "reply_settings": "following",
        "made_with_ai": True,
        "paid_partnership": "yes",
        "in_reply_to": "99",
        "nullcast": True,
    }
    await _send(platform, options=options)
    assert platform.body(POST) == {
        "text": "Hello",
        "reply_settings": "following",
        "made_with_ai": True,
        "reply": {"in_reply_to_tweet_id": "99"},
    }


SEND_TABLE: list[tuple[object, Outcome]] = [
    (httpx.ConnectError(""), NotAccepted("not_reached")),
    (httpx.ConnectTimeout(""), NotAccepted("not_reached")),
    (httpx.PoolTimeout(""), NotAccepted("not_reached")),
    (httpx.ReadTimeout(""), Unknown("no_answer")),
    (httpx.WriteTimeout(""), Unknown("no_answer")),
    (httpx.WriteError(""), Unknown("no_answer")),
    (httpx.ReadError(""), Unknown("no_answer")),
    (httpx.RemoteProtocolError(""), Unknown("no_answer")),
    (answer(500), Unknown("http_500", http_status=500)),
    (answer(502), Unknown("http_502", http_status=502)),
    (answer(503), Unknown("http_503", http_status=503)),
    (answer(504), Unknown("http_504", http_status=504)),
    (answer(302, location="https://x.com"), Unknown("http_302", http_status=302)),
    (answer(201, {"data": {}}), Unknown("unreadable_answer", http_status=201)),
    (httpx.Response(200, content=b'{"data": {"id": "'), Unknown("unreadable_answer", http_status=200)),
    (answer(401, {"title": "Unauthorized"}), NeedsReconnect("token_refused", 401)),
    (answer(402, {"title": "CreditsDepleted"}), NotAccepted("platform_credits", 1800, http_status=402)),
    (answer(408), NotAccepted("platform_timeout", http_status=408)),
    (answer(429), NotAccepted("rate_limited", None, http_status=429)),
    (answer(429, x_rate_limit_reset=RESET), NotAccepted("rate_limited", 600.0, http_status=429)),
    (
        answer(
            429,
            x_rate_limit_reset=RESET,
            x_user_limit_24hour_remaining="0",
            x_user_limit_24hour_reset=str(int(NOW.timestamp()) + 7200),
        ),
        NotAccepted("rate_limited", 7200.0, http_status=429),
    ),
    (
        answer(
            429,
            x_rate_limit_reset=RESET,
            x_app_limit_24hour_remaining="5",
            x_app_limit_24hour_reset=str(int(NOW.timestamp()) + 7200),
        ),
        NotAccepted("rate_limited", 600.0, http_status=429),
    ),
    (
        answer(403, {"type": "https://api.x.com/2/problems/client-forbidden", "detail": "no"}),
        NotAccepted("app_forbidden", 1800, http_status=403),
    ),
]


@pytest.mark.parametrize(("what", "outcome"), SEND_TABLE)
async def test_what_an_answer_means(what: object, outcome: Outcome) -> None:
    found = await _send(Platform({POST: what}))
    assert dataclasses.replace(found, budget=()) == outcome


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        (answer(400, {"detail": "One or more parameters is invalid."}), "refused", "parameters is invalid"),
        (answer(400, {"errors": [{"message": "text is too long"}]}), "refused", "text is too long"),
        (
            answer(403, {"detail": "You are not permitted to perform this action."}),
            "forbidden",
            "not permitted",
        ),
        (answer(404), "refused", "X did not accept this post."),
        (answer(413), "refused", "X did not accept this post."),
        (DUPLICATE, "duplicate_content", "posted before"),
    ],
)
async def test_what_is_refused_for_good_says_so_in_words(what: httpx.Response, code: str, says: str) -> None:
    outcome = await _send(Platform({POST: what}))
    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert says in outcome.message
    assert outcome.http_status == what.status_code


# --- uploads ------------------------------------------------------------------------------------------------


def _uploads(**changes: Any) -> dict[str, Any]:
    return {
        INITIALIZE: answer(200, {"data": {"id": "55", "media_key": "3_55", "expires_after_secs": 86400}}),
        "POST /2/media/upload/55/append": answer(200, {"data": {"expires_at": 1}}),
        "POST /2/media/upload/55/finalize": answer(200, {"data": {"id": "55", "expires_after_secs": 86400}}),
        "POST /2/media/metadata": answer(200, {"data": {}}),
        POST: CREATED,
    } | changes


async def test_images_are_uploaded_in_parts_with_their_descriptions() -> None:
    platform = Platform(_uploads())
    publisher = _publisher(platform)
    item = claim(media=media(2))
    content = b"x" * (9 * 1024 * 1024)
    both = files(MemoryFile("image/png", content, "a dog"), MemoryFile("image/png", b"small"))
    prepared = await publisher.prepare(item, TOKEN, both, Saved())
    assert prepared.body == {"text": "Hello", "media": {"media_ids": ["55", "55"]}}
    starts = [request.content for request in platform.sent(INITIALIZE)]
    assert b'"media_category":"tweet_image"' in starts[0]
    assert b'"total_bytes":9437184' in starts[0]
    parts = platform.sent("POST /2/media/upload/55/append")
    indexes = [re.search(rb'name="segment_index"\r\n\r\n(\d+)', part.content) for part in parts]
    assert [match.group(1) for match in indexes if match] == [b"0", b"1", b"2", b"0"]
    assert all(len(part.content) < 5 * 1024 * 1024 for part in parts)
    assert platform.body("POST /2/media/metadata") == {
        "id": "55",
        "metadata": {"alt_text": {"text": "a dog"}},
    }
    assert platform.sent(POST) == [], "preparing posts nothing"


async def test_uploads_of_an_earlier_attempt_serve_again() -> None:
    platform = Platform(_uploads())
    publisher = _publisher(platform)
    saved = Saved()
    first = await publisher.prepare(claim(media=media()), TOKEN, files(MemoryFile("image/png", b"x")), saved)
    calls = len(platform.requests)
    again = claim(media=media(), progress=saved.progress, attempt=2)
    second = await publisher.prepare(again, TOKEN, Media(), Saved())
    assert (second.body, len(platform.requests)) == (first.body, calls)


@pytest.mark.parametrize(
    "progress",
    [
        None,
        {},
        {"media_ids": ["1"], "media_until": NOW.timestamp() + 200, "media_of": fingerprint(media())},
        {"media_ids": ["1"], "media_until": NOW.timestamp() + 9000, "media_of": "of other files"},
        {"media_ids": ["1", "2"], "media_until": NOW.timestamp() + 9000, "media_of": fingerprint(media())},
        {"media_ids": "1", "media_until": NOW.timestamp() + 9000, "media_of": fingerprint(media())},
    ],
)
async def test_but_not_when_they_have_ended_or_are_of_other_files(progress: dict[str, Any] | None) -> None:
    platform = Platform(_uploads())
    item = claim(media=media(), progress=progress)
    await _publisher(platform).prepare(item, TOKEN, files(MemoryFile("image/png", b"x")), Saved())
    assert len(platform.sent(INITIALIZE)) == 1


async def test_processing_is_awaited() -> None:
    states = [
        answer(
            200, {"data": {"id": "55", "processing_info": {"state": "in_progress", "check_after_secs": 5}}}
        ),
        answer(200, {"data": {"id": "55", "processing_info": {"state": "succeeded"}}}),
    ]
    pending = {"id": "55", "processing_info": {"state": "pending", "check_after_secs": 1}}
    platform = Platform(
        _uploads(
            **{
                "POST /2/media/upload/55/finalize": answer(200, {"data": pending}),
                "GET /2/media/upload": states,
            }
        )
    )
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    publisher = XPublisher(platform.client, now=lambda: NOW, sleep=sleep)
    item = claim(media=media(mime_type="video/mp4"))
    await publisher.prepare(item, TOKEN, files(MemoryFile("video/mp4", b"x")), Saved())
    assert waits == [1, 5]
    assert platform.sent("GET /2/media/upload")[0].url.params["command"] == "STATUS"
    assert b'"media_category":"tweet_video"' in platform.sent(INITIALIZE)[0].content


@pytest.mark.parametrize("step", [INITIALIZE, "POST /2/media/upload/55/append", "POST /2/media/metadata"])
@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (httpx.ConnectError(""), NotAccepted("not_reached")),
        (httpx.ReadTimeout(""), NotAccepted("no_answer")),
        (answer(500), NotAccepted("http_500", http_status=500)),
        (answer(503), NotAccepted("http_503", http_status=503)),
        (httpx.Response(200, content=b"{"), NotAccepted("unreadable_answer", http_status=200)),
        (answer(401), NeedsReconnect("token_refused", 401)),
        (answer(429, x_rate_limit_reset=RESET), NotAccepted("rate_limited", 600.0, http_status=429)),
    ],
)
async def test_nothing_that_fails_in_an_upload_is_a_post(step: str, what: object, outcome: Outcome) -> None:
    platform = Platform(_uploads(**{step: what}))
    with pytest.raises(PublishStopped) as caught:
        await _publisher(platform).prepare(
            claim(media=media()), TOKEN, files(MemoryFile("image/png", b"x", "alt")), Saved()
        )
    assert caught.value.outcome == outcome
    assert platform.sent(POST) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({INITIALIZE: answer(400, {"detail": "bad type"})}, "refused"),
        ({INITIALIZE: answer(200, {"data": {"id": "../55"}})}, "unreadable_answer"),
        (
            {
                "POST /2/media/upload/55/finalize": answer(
                    200, {"data": {"id": "55", "processing_info": {"state": "failed"}}}
                )
            },
            "media_refused",
        ),
        (
            {
                "POST /2/media/upload/55/finalize": answer(
                    200,
                    {"data": {"id": "55", "processing_info": {"state": "pending", "check_after_secs": 30}}},
                ),
                "GET /2/media/upload": answer(
                    200,
                    {"data": {"id": "55", "processing_info": {"state": "pending", "check_after_secs": 30}}},
                ),
            },
            "media_not_ready",
        ),
    ],
)
async def test_uploads_that_cannot_succeed(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(PublishStopped) as caught:
        await _publisher(Platform(_uploads(**changes))).prepare(
            claim(media=media()), TOKEN, files(MemoryFile("image/png", b"x")), Saved()
        )
    assert caught.value.outcome.code == code


# --- probing ------------------------------------------------------------------------------------------------


def _timeline(*posts: dict[str, Any], **meta: Any) -> httpx.Response:
    shown = [
        {"id": str(100 + index), "created_at": "2026-11-24T08:58:00.000Z", **post}
        for index, post in enumerate(posts)
    ]
    return answer(200, {"data": shown, "meta": {"result_count": len(shown), **meta}})


async def _probe(platform: Platform, text: str = "Hello", began: int = 120, **changes: Any) -> Outcome:
    item = claim(text, mode="reconcile", attempt=2, sending_at=NOW - timedelta(seconds=began), **changes)
    return await _publisher(platform).probe(item, TOKEN)


@pytest.mark.parametrize(
    ("text", "post"),
    [
        ("Hello", {"text": "Hello"}),
        ("Tom & Jerry <3", {"text": "Tom &amp; Jerry &lt;3"}),
        ("two\n\nlines ", {"text": "two\n\nlines"}),
        ("Caf\u00e9", {"text": "Cafe\u0301"}),
        (
            "see https://example.com/a and example.org",
            {
                "text": "see https://t.co/aaa and https://t.co/bbb",
                "entities": {
                    "urls": [
                        {"url": "https://t.co/aaa", "expanded_url": "https://example.com/a"},
                        {"url": "https://t.co/bbb", "expanded_url": "http://example.org/"},
                    ]
                },
            },
        ),
        (
            "a picture",
            {
                "text": "a picture https://t.co/pic",
                "entities": {
                    "urls": [
                        {
                            "url": "https://t.co/pic",
                            "expanded_url": "https://x.com/a/status/1/photo/1",
                            "media_key": "3_1",
                        }
                    ]
                },
            },
        ),
        (
            "only by its address",
            {
                "text": "only by its address https://t.co/pic",
                "entities": {
                    "urls": [{"url": "https://t.co/pic", "expanded_url": "https://x.com/a/status/1/video/1"}]
                },
            },
        ),
        ("long " * 80, {"text": "long long…", "note_tweet": {"text": "long " * 79 + "long"}}),
    ],
)
async def test_its_own_post_is_found_again(text: str, post: dict[str, Any]) -> None:
    platform = Platform({TIMELINE: _timeline({"text": "another"}, post)})
    found = await _probe(platform, text)
    assert isinstance(found, Published)
    assert (found.external_id, found.url) == ("101", "https://x.com/i/web/status/101")
    has_link = "example" in text and "picture" not in text
    assert found.charge == ("post_create_with_url" if has_link else "post_create")
    params = platform.requests[0].url.params
    assert params["start_time"] == "2026-11-24T08:57:00Z"
    assert (params["exclude"], params["max_results"]) == ("retweets", "100")


@pytest.mark.parametrize(
    "post",
    [
        {"text": "Hello you"},
        {"text": "hello"},
        {"text": "Hello", "created_at": "2026-11-24T08:56:59.000Z"},
        {"text": "Hello", "created_at": "never"},
        {"text": "Hello", "id": 7},
    ],
)
async def test_another_post_is_not_taken_for_it(post: dict[str, Any]) -> None:
    assert await _probe(Platform({TIMELINE: _timeline(post)})) == NotAccepted("not_on_timeline")


async def test_the_whole_timeline_is_read() -> None:
    pages = [_timeline({"text": "other"}, next_token="t1"), _timeline({"text": "Hello"})]
    platform = Platform({TIMELINE: pages})
    assert isinstance(await _probe(platform), Published)
    assert platform.requests[1].url.params["pagination_token"] == "t1"


PROBE_TABLE: list[tuple[object, int, Outcome]] = [
    (EMPTY, 120, NotAccepted("not_on_timeline")),
    (EMPTY, 60, NotAccepted("not_on_timeline")),
    (EMPTY, 50, Unknown("too_early", 10.0)),
    (_timeline({"text": "other"}, next_token="more"), 120, Unknown("timeline_too_long")),
    (
        answer(200, {"errors": [{"title": "Not Found Error"}]}),
        120,
        Unknown("probe_http_200", http_status=200),
    ),
    (httpx.Response(200, content=b"{"), 120, Unknown("probe_http_200", http_status=200)),
    (answer(429, x_rate_limit_reset=RESET), 120, Unknown("probe_http_429", 600.0, 429)),
    (answer(503), 120, Unknown("probe_http_503", http_status=503)),
    (answer(403), 120, Unknown("probe_http_403", http_status=403)),
    (answer(401), 120, NeedsReconnect("token_refused", 401)),
    (httpx.ConnectError(""), 120, Unknown("not_reached")),
    (httpx.ReadTimeout(""), 120, Unknown("no_answer")),
]


@pytest.mark.parametrize(("what", "began", "outcome"), PROBE_TABLE)
async def test_only_a_complete_and_settled_timeline_proves_absence(
    what: object, began: int, outcome: Outcome
) -> None:
    assert await _probe(Platform({TIMELINE: what}), began=began) == outcome


async def test_probing_posts_nothing() -> None:
    platform = Platform({TIMELINE: EMPTY, POST: CREATED})
    await _probe(platform)
    assert platform.sent(POST) == []
    assert not _publisher(platform).is_probe_sending


async def test_what_never_began_was_not_accepted() -> None:
    item = claim(mode="reconcile", sending_at=None)
    assert await _publisher(Platform()).probe(item, TOKEN) == NotAccepted("never_sent")


# --- duplicates ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeline", "kind"),
    [
        (_timeline({"text": "Hello", "created_at": "2026-11-24T09:00:01.000Z"}), Published),
        (EMPTY, Rejected),
        (answer(503), Unknown),
    ],
)
async def test_on_a_later_attempt_a_duplicate_may_be_our_own(
    timeline: httpx.Response, kind: type[Outcome]
) -> None:
    platform = Platform({POST: DUPLICATE, TIMELINE: timeline})
    item = claim(attempt=3)
    outcome = await _publisher(platform).send(Prepared(item, TOKEN, {"text": "Hello"}))
    assert isinstance(outcome, kind)
