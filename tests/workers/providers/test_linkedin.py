"""LinkedIn: the little text format, bodies, uploads, what each answer means, and probing by repetition."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    Published,
    PublishStopped,
    Rejected,
    Unknown,
    fingerprint,
)
from workers.providers.linkedin import LinkedInPublisher, little_text
from workers.sandbox.little_text import parse

POST = "POST /rest/posts"
INITIALIZE = "POST /rest/images"
STATUS = "GET /rest/images/urn%3Ali%3Aimage%3AC4D"
PUT = "PUT /dms-uploads/1"
URN = "urn:li:share:7398000000000000000"
CREATED = answer(201, {}, x_restli_id=URN)
UPLOAD_URL = "https://www.linkedin.com/dms-uploads/1"


def _duplicate(urn: str = URN, status: int = 422) -> httpx.Response:
    return answer(
        status,
        {
            "errorDetailType": "com.linkedin.common.error.BadRequest",
            "message": f"com.linkedin.content.common.exception: Content is a duplicate of {urn}",
            "errorDetails": {
                "inputErrors": [{"description": "Duplicate post is detected", "code": "DUPLICATE_POST"}]
            },
            "status": status,
        },
    )


def _publisher(platform: Platform) -> LinkedInPublisher:
    return LinkedInPublisher(platform.client, version="202605", now=lambda: NOW, sleep=no_sleep)


def _claim(text: str = "Hello", **changes: Any) -> Any:
    fields = {"platform_id": "linkedin", "external_account_id": "abc", "scopes": ("r_member_social",)}
    return claim(text, **fields | changes)


async def _send(platform: Platform, **changes: Any) -> Outcome:
    publisher = _publisher(platform)
    return await publisher.send(await publisher.prepare(_claim(**changes), TOKEN, Media(), Saved()))


# --- texts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plain", "little"),
    [
        ("Hello", "Hello"),
        (r"a\b|c{d}e@f[g]h(i)j<k>l#m*n_o~p", r"a\\b\|c\{d\}e\@f\[g\]h\(i\)j\<k\>l\#m\*n\_o\~p"),
        ("#news today", r"{hashtag|\#|news} today"),
        ("(#Über9000!)", r"\({hashtag|\#|Über9000}!\)"),
        ("#1 of 3", r"\#1 of 3"),
        ("C# and a#b", r"C\# and a\#b"),
        ("#snake_case", r"{hashtag|\#|snake}\_case"),
        ("##double", r"\#\#double"),
    ],
)
def test_reserved_characters_are_escaped_and_hash_tags_kept(plain: str, little: str) -> None:
    assert little_text(plain) == little


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_arrives_whole(text: str) -> None:
    """The sandbox's own parser, written independently, reads back what was written."""
    parsed = parse(little_text(text))
    assert not parsed.is_cut
    assert parsed.text == text


# --- posting ------------------------------------------------------------------------------------------------

pytestmark = pytest.mark.anyio


async def test_a_text_is_posted() -> None:
    platform = Platform({POST: CREATED})
    outcome = await _send(platform, text="Hello (world)")
    assert outcome == Published(URN, f"https://www.linkedin.com/feed/update/{URN}/", 201)
    assert platform.body(POST) == {
        "author": "urn:li:person:abc",
        "commentary": r"Hello \(world\)",
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
    }
    headers = platform.requests[0].headers
    assert headers["linkedin-version"] == "202605"
    assert headers["x-restli-protocol-version"] == "2.0.0"
    assert headers["authorization"] == "Bearer canary-token"


async def test_options_and_a_full_urn() -> None:
    platform = Platform({POST: CREATED})
    options = {"visibility": "CONNECTIONS", "is_reshare_disabled": True, "author": "urn:li:person:other"}
    await _send(platform, options=options, external_account_id="urn:li:person:abc")
    body = platform.body(POST)
    assert (body["visibility"], body["isReshareDisabledByAuthor"]) == ("CONNECTIONS", True)
    assert body["author"] == "urn:li:person:abc"


SEND_TABLE: list[tuple[object, Outcome]] = [
    (httpx.ConnectError(""), NotAccepted("not_reached")),
    (httpx.ReadTimeout(""), Unknown("no_answer")),
    (httpx.WriteError(""), Unknown("no_answer")),
    (httpx.RemoteProtocolError(""), Unknown("no_answer")),
    (answer(500), Unknown("http_500", http_status=500)),
    (answer(503), Unknown("http_503", http_status=503)),
    (answer(504), Unknown("http_504", http_status=504)),
    (answer(201, {}), Unknown("unreadable_answer", http_status=201)),
    (answer(201, {}, x_restli_id="urn:li:person:1"), Unknown("unreadable_answer", http_status=201)),
    (
        answer(400, {"code": "MEDIA_ASSET_WAITING_UPLOAD"}),
        NotAccepted("media_not_ready", 5.0, http_status=400),
    ),
    (answer(401, {"code": "REVOKED_ACCESS_TOKEN"}), NeedsReconnect("token_refused", 401)),
    (answer(408), NotAccepted("platform_timeout", http_status=408)),
    (answer(426, {"code": "NONEXISTENT_VERSION"}), NotAccepted("api_version_retired", 1800, http_status=426)),
    (answer(429, {"message": "throttle limit"}), NotAccepted("rate_limited", None, http_status=429)),
    (answer(429, retry_after="9"), NotAccepted("rate_limited", 9.0, http_status=429)),
    (
        answer(429, {"message": "Resource level throttle APPLICATION DAY limit is reached."}),
        NotAccepted("rate_limited", 15 * 3600.0, http_status=429),
    ),
]


@pytest.mark.parametrize(("what", "outcome"), SEND_TABLE)
async def test_what_an_answer_means(what: object, outcome: Outcome) -> None:
    assert await _send(Platform({POST: what})) == outcome


@pytest.mark.parametrize(
    ("what", "code"),
    [
        (answer(400, {"message": "canary"}), "refused"),
        (answer(422, {"message": "canary"}), "refused"),
        (answer(400, {"code": "MEDIA_ASSET_PROCESSING_FAILED"}), "media_refused"),
        (answer(403, {"code": "ACCESS_DENIED"}), "forbidden"),
        (_duplicate(), "duplicate_content"),
        (_duplicate(status=400), "duplicate_content"),
        (answer(422, {"code": "DUPLICATE_POST"}), "duplicate_content"),
    ],
)
async def test_what_is_refused_for_good_says_so_in_words(what: httpx.Response, code: str) -> None:
    outcome = await _send(Platform({POST: what}))
    assert isinstance(outcome, Rejected)
    assert outcome.code == code
    assert outcome.message.startswith("LinkedIn ")
    assert "canary" not in outcome.message


# --- uploads ------------------------------------------------------------------------------------------------


def _uploads(**changes: Any) -> dict[str, Any]:
    return {
        INITIALIZE: answer(200, {"value": {"uploadUrl": UPLOAD_URL, "image": "urn:li:image:C4D"}}),
        PUT: answer(201),
        STATUS: [answer(200, {"status": "PROCESSING"}), answer(200, {"status": "AVAILABLE"})],
        POST: CREATED,
    } | changes


async def test_one_image() -> None:
    platform = Platform(_uploads())
    publisher = _publisher(platform)
    item = _claim(media=media())
    saved = Saved()
    prepared = await publisher.prepare(item, TOKEN, files(MemoryFile("image/png", b"bytes", "a dog")), saved)
    assert saved.progress == {"assets": ["urn:li:image:C4D"], "assets_of": fingerprint(media())}
    assert platform.sent(POST) == []
    assert platform.body(INITIALIZE) == {"initializeUploadRequest": {"owner": "urn:li:person:abc"}}
    (put,) = platform.sent(PUT)
    assert (put.content, put.headers["content-type"]) == (b"bytes", "image/png")
    await publisher.send(prepared)
    assert platform.body(POST)["content"] == {"media": {"id": "urn:li:image:C4D", "altText": "a dog"}}


async def test_a_grant_that_may_not_read_is_not_used_for_reading() -> None:
    platform = Platform(_uploads())
    item = _claim(media=media(), scopes=("openid", "w_member_social"))
    await _publisher(platform).prepare(item, TOKEN, files(MemoryFile("image/png", b"bytes")), Saved())
    assert platform.sent(STATUS) == []


async def test_several_images() -> None:
    platform = Platform(_uploads())
    publisher = _publisher(platform)
    both = files(MemoryFile("image/png", b"a"), MemoryFile("image/png", b"b"))
    prepared = await publisher.prepare(_claim(media=media(2, alt_text=None)), TOKEN, both, Saved())
    assert prepared.body["content"] == {
        "multiImage": {"images": [{"id": "urn:li:image:C4D"}, {"id": "urn:li:image:C4D"}]}
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/upload",
        "https://linkedin.com.evil.example/upload",
        "http://www.linkedin.com/upload",
        "https://evillinkedin.com/upload",
        "https://www.linkedin.com@evil.example/upload",
    ],
)
async def test_the_token_goes_to_no_foreign_host(url: str) -> None:
    platform = Platform(
        _uploads(**{INITIALIZE: answer(200, {"value": {"uploadUrl": url, "image": "urn:li:image:C4D"}})})
    )
    with pytest.raises(PublishStopped) as caught:
        await _publisher(platform).prepare(
            _claim(media=media()), TOKEN, files(MemoryFile("image/png", b"x")), Saved()
        )
    assert caught.value.outcome == NotAccepted("foreign_upload_host")
    assert [request.url.host for request in platform.requests] == ["api.linkedin.com"]


@pytest.mark.parametrize("step", [INITIALIZE, PUT, STATUS])
@pytest.mark.parametrize(
    ("what", "outcome"),
    [
        (httpx.ConnectError(""), NotAccepted("not_reached")),
        (httpx.ReadTimeout(""), NotAccepted("no_answer")),
        (answer(500), NotAccepted("http_500", http_status=500)),
        (answer(401), NeedsReconnect("token_refused", 401)),
        (answer(429), NotAccepted("rate_limited", None, http_status=429)),
    ],
)
async def test_nothing_that_fails_in_an_upload_is_a_post(step: str, what: object, outcome: Outcome) -> None:
    platform = Platform(_uploads(**{step: what}))
    with pytest.raises(PublishStopped) as caught:
        await _publisher(platform).prepare(
            _claim(media=media()), TOKEN, files(MemoryFile("image/png", b"x")), Saved()
        )
    assert caught.value.outcome == outcome
    assert platform.sent(POST) == []


@pytest.mark.parametrize(
    ("changes", "mime_type", "code"),
    [
        ({INITIALIZE: answer(400)}, "image/png", "refused"),
        ({INITIALIZE: answer(200, {"value": {}})}, "image/png", "unreadable_answer"),
        ({INITIALIZE: httpx.Response(200, content=b"[")}, "image/png", "unreadable_answer"),
        ({STATUS: answer(200, {"status": "PROCESSING_FAILED"})}, "image/png", "media_refused"),
        ({STATUS: answer(200, {"status": "WAITING_UPLOAD"})}, "image/png", "media_not_ready"),
        ({}, "audio/mpeg", "unsupported_media"),
    ],
)
async def test_uploads_that_cannot_succeed(changes: dict[str, Any], mime_type: str, code: str) -> None:
    with pytest.raises(PublishStopped) as caught:
        await _publisher(Platform(_uploads(**changes))).prepare(
            _claim(media=media(mime_type=mime_type)), TOKEN, files(MemoryFile(mime_type, b"x")), Saved()
        )
    assert caught.value.outcome.code == code


# --- probing ------------------------------------------------------------------------------------------------


def _unknown(began: int = 120, **changes: Any) -> Any:
    return _claim(mode="reconcile", attempt=2, sending_at=NOW - timedelta(seconds=began), **changes)


def _urn_of(seconds_before: float) -> str:
    return f"urn:li:share:{int((NOW.timestamp() - seconds_before) * 1000) << 22}"


PROBE_TABLE: list[tuple[object, Outcome | type[Outcome]]] = [
    (CREATED, Published(URN, f"https://www.linkedin.com/feed/update/{URN}/", 201)),
    (_duplicate(_urn_of(110)), Published),
    (_duplicate("urn:li:share:12345"), Published),  # no plausible time in this id: taken at its word
    (_duplicate(_urn_of(86400)), Rejected),  # the person's own post of yesterday
    (_duplicate("of something"), Unknown("duplicate_without_id", http_status=422)),
    (httpx.ConnectError(""), Unknown("not_reached")),
    (httpx.ReadTimeout(""), Unknown("no_answer")),
    (answer(503), Unknown("http_503", http_status=503)),
    (answer(429, retry_after="9"), Unknown("rate_limited", 9.0, 429)),
    (answer(426), Unknown("api_version_retired", 1800, 426)),
    (answer(401), NeedsReconnect("token_refused", 401)),
    (answer(400), Rejected),
]


@pytest.mark.parametrize(("what", "outcome"), PROBE_TABLE)
async def test_what_the_repetition_tells(what: object, outcome: Outcome | type[Outcome]) -> None:
    found = await _publisher(Platform({POST: what})).probe(_unknown(), TOKEN)
    if isinstance(outcome, type):
        assert isinstance(found, outcome)
    else:
        assert found == outcome


async def test_the_repetition_is_the_same_to_the_byte() -> None:
    platform = Platform(_uploads())
    publisher = _publisher(platform)
    saved = Saved()
    prepared = await publisher.prepare(
        _claim("Hello #world", media=media(2)),
        TOKEN,
        files(MemoryFile("image/png", b"a"), MemoryFile("image/png", b"b")),
        saved,
    )
    await publisher.send(prepared)
    item = _unknown(text="Hello #world", media=media(2), progress=json.loads(json.dumps(saved.progress)))
    await publisher.probe(item, TOKEN)
    first, second = platform.sent(POST)
    assert first.content == second.content
    assert publisher.is_probe_sending


@pytest.mark.parametrize("progress", [None, {"assets": ["urn:li:image:C4D"], "assets_of": "other"}])
async def test_without_its_images_it_is_not_repeated(progress: dict[str, Any] | None) -> None:
    platform = Platform(_uploads())
    outcome = await _publisher(platform).probe(_unknown(media=media(), progress=progress), TOKEN)
    assert outcome == Unknown("assets_lost", is_final=True)
    assert platform.requests == []


async def test_it_is_not_repeated_while_the_first_may_be_on_its_way() -> None:
    platform = Platform({POST: CREATED})
    assert await _publisher(platform).probe(_unknown(began=20), TOKEN) == Unknown("too_early", 40.0)
    assert platform.requests == []


async def test_what_never_began_was_not_accepted() -> None:
    item = _claim(mode="reconcile", sending_at=None)
    assert await _publisher(Platform()).probe(item, TOKEN) == NotAccepted("never_sent")
