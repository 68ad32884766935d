"""YouTube's resumable upload: sessions, parts, what the video's description may be, quota."""

from __future__ import annotations

import hashlib
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import GOOGLE, Client
from workers.sandbox import SandboxControl
from workers.sandbox.youtube_upload import CHUNK_UNIT, SESSION_SECONDS, tags_length

PATH = "/youtube/upload/youtube/v3/videos"
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 3 * 1024 + b"the end"  # three parts and a bit
SIZE = len(VIDEO)


class Upload:
    """One caller's upload of `VIDEO`."""

    def __init__(self, client: Client, person: str = "maya", **options: Any) -> None:
        self.http = client.http
        self.headers = client.youtube(person, **options)
        self.url = ""

    def announce(
        self,
        snippet: dict[str, Any] | None = None,
        status: dict[str, Any] | None = None,
        *,
        query: dict[str, str | None] | None = None,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> httpx.Response:
        defaults = {"uploadType": "resumable", "part": "id,snippet,status"}
        wanted = {n: v for n, v in (defaults | (query or {})).items() if v is not None}
        video = {"snippet": {"title": "First light"} | (snippet or {}), "status": status or {}}
        told = {"x-upload-content-length": str(SIZE), "x-upload-content-type": "video/mp4"} | (headers or {})
        response = self.http.post(
            PATH, params=wanted, json=video if body is None else body, headers=self.headers | told
        )
        self.url = response.headers.get("location", "")
        return response

    def put(self, first: int, last: int, **headers: str) -> httpx.Response:
        told = {"content-range": f"bytes {first}-{last}/{SIZE}", "content-type": "video/mp4"} | headers
        return self.http.put(self.url, content=VIDEO[first : last + 1], headers=self.headers | told)

    def ask(self) -> httpx.Response:
        return self.http.put(self.url, headers=self.headers | {"content-range": f"bytes */{SIZE}"})

    def whole(self, **options: Any) -> str:
        assert self.announce(**options).status_code == 200
        response = self.http.put(self.url, content=VIDEO, headers=self.headers)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])


@pytest.fixture
def upload(client: Client) -> Upload:
    return Upload(client)


def reason(response: httpx.Response, status: int = 400) -> str:
    assert response.status_code == status, response.text
    body = response.json()["error"]
    assert body["code"] == status
    return str(body["errors"][0]["reason"])


def test_the_video_exists_after_the_last_byte_and_not_before(upload: Upload, control: SandboxControl) -> None:
    assert upload.announce({"description": "how it was made"}).content == b""
    first = upload.put(0, CHUNK_UNIT - 1)
    assert (first.status_code, first.headers["range"]) == (308, f"bytes=0-{CHUNK_UNIT - 1}")
    assert upload.put(CHUNK_UNIT, 3 * CHUNK_UNIT - 1).status_code == 308
    assert control.posts("youtube") == []
    last = upload.put(3 * CHUNK_UNIT, SIZE - 1)
    assert last.status_code == 201
    [post] = control.posts("youtube")
    assert last.json()["id"] == post.id
    assert (post.text, post.details["title"]) == ("how it was made", "First light")
    [media] = post.media
    assert (media.bytes, media.sha256) == (SIZE, hashlib.sha256(VIDEO).hexdigest())
    assert set(last.json()) == {"kind", "etag", "id", "snippet", "status"}
    assert last.json()["status"]["uploadStatus"] == "uploaded"


def test_the_whole_file_may_come_at_once(upload: Upload, control: SandboxControl) -> None:
    video_id = upload.whole()
    assert [post.id for post in control.posts("youtube")] == [video_id]
    page = upload.http.get("/").text
    assert "<h2>First light</h2>" in page
    assert "<video" in page


def test_a_player_can_ask_for_a_range_of_the_video(upload: Upload, control: SandboxControl) -> None:
    upload.whole()
    url = control.posts("youtube")[0].media[0].url
    assert upload.http.get(url).content == VIDEO
    piece = upload.http.get(url, headers={"range": "bytes=10-19"})
    assert (piece.status_code, piece.content) == (206, VIDEO[10:20])
    assert piece.headers["content-range"] == f"bytes 10-19/{SIZE}"
    assert upload.http.get(url, headers={"range": f"bytes={SIZE - 7}-"}).content == b"the end"
    assert upload.http.get(url, headers={"range": f"bytes={SIZE}-"}).status_code == 416


def test_the_session_tells_how_far_it_is(upload: Upload) -> None:
    upload.announce()
    nothing = upload.ask()
    assert (nothing.status_code, "range" in nothing.headers) == (308, False)
    upload.put(0, CHUNK_UNIT - 1)
    assert upload.ask().headers["range"] == f"bytes=0-{CHUNK_UNIT - 1}"
    upload.put(CHUNK_UNIT, SIZE - 1)
    done = upload.ask()
    assert done.status_code == 201
    assert done.json()["id"] == upload.ask().json()["id"] == upload.put(CHUNK_UNIT, SIZE - 1).json()["id"]


def test_less_may_be_kept_than_was_sent(upload: Upload, control: SandboxControl) -> None:
    upload.announce()
    control.set_youtube(stored_bytes=CHUNK_UNIT + 5)
    assert upload.put(0, 2 * CHUNK_UNIT - 1).headers["range"] == f"bytes=0-{CHUNK_UNIT - 1}"
    overlapping = upload.put(0, 2 * CHUNK_UNIT - 1)
    assert overlapping.headers["range"] == f"bytes=0-{2 * CHUNK_UNIT - 1}"
    assert upload.put(2 * CHUNK_UNIT, SIZE - 1).status_code == 201
    assert control.posts("youtube")[0].media[0].sha256 == hashlib.sha256(VIDEO).hexdigest()


@pytest.mark.parametrize(
    ("first", "last", "headers", "status"),
    [
        (0, CHUNK_UNIT, {}, 400),  # no multiple of 256 KB
        (CHUNK_UNIT, 2 * CHUNK_UNIT - 1, {}, 503),  # out of order
        (0, CHUNK_UNIT - 1, {"content-range": f"bytes 0-{CHUNK_UNIT - 1}/*"}, 400),
        (0, CHUNK_UNIT - 1, {"content-range": f"bytes 0-{CHUNK_UNIT - 1}/{SIZE + 1}"}, 400),
        (0, CHUNK_UNIT - 1, {"content-range": f"bytes 0-{CHUNK_UNIT}/{SIZE}"}, 400),
        (0, CHUNK_UNIT - 1, {"content-range": f"bytes */{SIZE}"}, 400),
        (0, CHUNK_UNIT - 1, {"content-range": "everything"}, 400),
    ],
)
def test_parts_that_do_not_fit_store_nothing(
    upload: Upload, first: int, last: int, headers: dict[str, str], status: int
) -> None:
    upload.announce()
    assert upload.put(first, last, **headers).status_code == status
    assert "range" not in upload.ask().headers


def test_a_body_without_a_range_must_be_the_whole_file(upload: Upload) -> None:
    upload.announce()
    response = upload.http.put(upload.url, content=VIDEO[:-1], headers=upload.headers)
    assert reason(response) == "badRequest"


def test_dead_sessions(client: Client, upload: Upload, control: SandboxControl) -> None:
    upload.announce()
    other = Upload(client, "jonas")
    other.url = upload.url
    assert other.ask().status_code == 404
    other.url = upload.url[:-3] + "xyz"
    assert other.ask().status_code == 404
    control.advance_clock(SESSION_SECONDS)
    upload.headers = client.youtube()  # the token has run out too
    assert upload.ask().status_code == 410
    assert upload.put(0, CHUNK_UNIT - 1).status_code == 410


def test_the_session_url_is_never_shown(upload: Upload, control: SandboxControl) -> None:
    upload.announce()
    upload.ask()
    secret = upload.url.partition("upload_id=")[2]
    assert secret
    assert secret not in repr(control.records())


def test_every_request_needs_a_token_with_the_scope(client: Client, upload: Upload) -> None:
    upload.announce()
    upload.headers = {"authorization": "Bearer nonsense"}
    assert reason(upload.ask(), 401) == "authError"
    reader = Upload(client, scope=f"{GOOGLE}youtube.readonly")
    assert reason(reader.announce(), 403) == "insufficientPermissions"
    reader.url = upload.url
    assert reason(reader.ask(), 403) == "insufficientPermissions"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"uploadType": "multipart"}, "invalidParameter"),
        ({"uploadType": None}, "invalidParameter"),
        ({"part": None}, "missingRequiredParameter"),
        ({"part": "snippet,status,nonsense"}, "unknownPart"),
        ({"part": "snippet"}, "unexpectedPart"),
        ({"notifySubscribers": "perhaps"}, "invalidParameter"),
        ({"publish": "now"}, "unexpectedParameter"),
    ],
)
def test_the_query_of_an_announcement(upload: Upload, query: dict[str, str | None], expected: str) -> None:
    assert reason(upload.announce(query=query)) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-upload-content-length": ""}, "mediaBodyRequired"),
        ({"x-upload-content-length": "0"}, "mediaBodyRequired"),
        ({"x-upload-content-length": str(2**38 + 1)}, "mediaBodyRequired"),
        ({"x-upload-content-type": "image/png"}, "badContent"),
        ({"x-upload-content-type": ""}, "badContent"),
        ({"content-type": "text/plain"}, "badContent"),
    ],
)
def test_the_headers_of_an_announcement(upload: Upload, headers: dict[str, str], expected: str) -> None:
    assert reason(upload.announce(headers=headers)) == expected


@pytest.mark.parametrize(
    ("snippet", "expected"),
    [
        ({"title": ""}, "invalidTitle"),
        ({"title": "  "}, "invalidTitle"),
        ({"title": "x" * 101}, "invalidTitle"),
        ({"title": "a < b"}, "invalidTitle"),
        ({"title": "a > b"}, "invalidTitle"),
        ({"description": "ä" * 2501}, "invalidDescription"),
        ({"description": "<b>"}, "invalidDescription"),
        ({"tags": ["x" * 250, "y" * 250]}, "invalidTags"),
        ({"tags": ["x" * 498 + " y"]}, "invalidTags"),
        ({"tags": ["a<b"]}, "invalidTags"),
        ({"tags": [""]}, "invalidTags"),
        ({"categoryId": "18"}, "invalidCategoryId"),
        ({"titel": "x"}, "badRequest"),
        ({"tags": "x"}, "badRequest"),
    ],
)
def test_what_a_video_may_not_say(upload: Upload, snippet: dict[str, Any], expected: str) -> None:
    assert reason(upload.announce(snippet)) == expected


def test_the_limits_themselves_are_allowed(upload: Upload) -> None:
    full = {"title": "ä" * 100, "description": "ä" * 2500, "tags": ["x" * 249, "y" * 250], "categoryId": "1"}
    assert upload.announce(full).status_code == 200


def test_tags_with_spaces_count_with_their_quotes() -> None:
    assert tags_length(["Foo-Baz"]) == 7
    assert tags_length(["Foo Baz"]) == 9
    assert tags_length(["a", "b"]) == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"privacyStatus": "secret"}, "badRequest"),
        ({"publishAt": "2031-01-01T00:00:00Z"}, "invalidPublishAt"),
        ({"privacyStatus": "unlisted", "publishAt": "2031-01-01T00:00:00Z"}, "invalidPublishAt"),
        ({"privacyStatus": "private", "publishAt": "tomorrow"}, "invalidPublishAt"),
        ({"privacyStatus": "private", "publishAt": "2031-01-01T00:00:00"}, "invalidPublishAt"),
        ({"selfDeclaredMadeForKids": "no"}, "badRequest"),
        ({"madeForKids": True}, "badRequest"),
    ],
)
def test_what_a_status_may_not_be(upload: Upload, status: dict[str, Any], expected: str) -> None:
    assert reason(upload.announce(status=status)) == expected


def test_a_scheduled_video_becomes_public_when_its_time_has_come(
    upload: Upload, control: SandboxControl
) -> None:
    control.set_clock(0)
    upload.whole(status={"privacyStatus": "private", "publishAt": "2031-01-01T09:00:00Z"})
    assert upload.ask().json()["status"]["publishAt"] == "2031-01-01T09:00:00Z"
    assert control.posts("youtube")[0].details["privacy"] == "private"
    assert "private until 1 Jan 2031, 09:00 UTC" in upload.http.get("/").text
    upload.whole(status={"privacyStatus": "private", "publishAt": "2020-01-01T09:00:00+02:00"})
    assert upload.ask().json()["status"]["privacyStatus"] == "public"  # a time in the past: at once


def test_a_project_whose_uploads_are_forced_private(upload: Upload, control: SandboxControl) -> None:
    control.set_youtube(forced_private=True)
    upload.whole(status={"privacyStatus": "public", "selfDeclaredMadeForKids": True})
    status = upload.ask().json()["status"]
    assert (status["privacyStatus"], status["madeForKids"]) == ("private", True)
    control.set_youtube(forced_private=False)
    upload.whole(status={"privacyStatus": "public"})
    assert upload.ask().json()["status"]["privacyStatus"] == "public"


def test_inserts_have_a_bucket_of_their_own_until_midnight(
    client: Client, upload: Upload, control: SandboxControl
) -> None:
    control.set_limits(**{"youtube videos.insert": 2})
    assert upload.announce().status_code == 200
    assert reason(upload.announce({"title": ""})) == "invalidTitle"  # costs as well
    refused = upload.announce()
    assert reason(refused, 403) == "quotaExceeded"
    assert refused.json()["error"]["errors"][0]["domain"] == "youtube.quota"
    listed = upload.http.get("/youtube/youtube/v3/channels?part=id&mine=true", headers=upload.headers)
    assert listed.status_code == 200  # another bucket
    control.advance_clock(86_400)
    upload.headers = client.youtube()
    assert upload.announce().status_code == 200


def test_other_limits_say_their_names(upload: Upload, control: SandboxControl) -> None:
    control.set_limits(**{"youtube channel uploads": 0})
    refused = upload.announce()
    assert (reason(refused), refused.json()["error"]["errors"][0]["domain"]) == (
        "uploadLimitExceeded",
        "youtube.video",
    )
    control.set_limits(**{"youtube per minute": 0})
    refused = upload.announce()
    assert (reason(refused, 403), refused.json()["error"]["errors"][0]["domain"]) == (
        "rateLimitExceeded",
        "usageLimits",
    )


def test_what_is_no_video_fails_in_processing(client: Client, control: SandboxControl) -> None:
    upload = Upload(client)
    control.set_media_delay(0)
    upload.announce(headers={"x-upload-content-length": "7", "x-upload-content-type": "video/x-other"})
    done = upload.http.put(upload.url, content=b"nothing", headers=upload.headers)
    assert done.status_code == 201
    assert done.json()["status"] == done.json()["status"] | {
        "uploadStatus": "failed",
        "failureReason": "invalidFile",
    }
