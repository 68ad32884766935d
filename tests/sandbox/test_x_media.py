"""X media upload: chunks, sizes, formats, readiness, and what may be attached."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client, png
from workers.sandbox import SandboxControl
from workers.sandbox.x_media import MAX_CHUNK

MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 3000
GIF = b"GIF89a\x02\0\x02\0" + b"\0" * 50


class Uploads:
    """One caller's uploads."""

    def __init__(self, client: Client, person: str = "maya") -> None:
        self.http = client.http
        self.headers = client.x(person)

    def initialize(self, data: bytes, mime: str, **changes: Any) -> httpx.Response:
        body = {"media_type": mime, "total_bytes": len(data), **changes}
        return self.http.post("/x/2/media/upload/initialize", json=body, headers=self.headers)

    def start(self, data: bytes, mime: str, **changes: Any) -> str:
        response = self.initialize(data, mime, **changes)
        assert response.status_code == 200, response.text
        return str(response.json()["data"]["id"])

    def append(self, media_id: str, chunk: bytes, index: Any = 0, **extra: str) -> httpx.Response:
        fields = {"segment_index": str(index), **extra}
        path = f"/x/2/media/upload/{media_id}/append"
        return self.http.post(path, data=fields, files={"media": ("blob", chunk)}, headers=self.headers)

    def finalize(self, media_id: str) -> httpx.Response:
        return self.http.post(f"/x/2/media/upload/{media_id}/finalize", headers=self.headers)

    def status(self, media_id: str) -> httpx.Response:
        query = {"command": "STATUS", "media_id": media_id}
        return self.http.get("/x/2/media/upload", params=query, headers=self.headers)

    def whole(self, data: bytes, mime: str = "image/png") -> str:
        media_id = self.start(data, mime)
        assert self.append(media_id, data).status_code == 200
        assert self.finalize(media_id).status_code == 200
        return media_id

    def post(self, *media_ids: str, text: str = "with media") -> httpx.Response:
        body = {"text": text, "media": {"media_ids": list(media_ids)}}
        return self.http.post("/x/2/tweets", json=body, headers=self.headers)


def message(response: httpx.Response) -> str:
    assert response.status_code == 400, response.text
    return str(response.json()["errors"][0]["message"])


@pytest.fixture
def uploads(client: Client) -> Uploads:
    return Uploads(client)


def test_image_in_chunks_is_published_byte_for_byte(uploads: Uploads, control: SandboxControl) -> None:
    image = png(64, 64, 7)
    media_id = uploads.start(image, "image/png")
    half = len(image) // 2
    assert uploads.append(media_id, image[:half], 0).json()["data"]["expires_at"] > 0
    assert uploads.append(media_id, image[half:], 1).status_code == 200
    done = uploads.finalize(media_id).json()["data"]
    assert (done["size"], done["image"]["w"], "processing_info" in done) == (len(image), 64, False)
    response = uploads.post(media_id)
    assert response.status_code == 201
    assert response.json()["data"]["text"].startswith("with media https://t.co/")
    [post] = control.posts("x")
    assert uploads.http.get(post.media[0].url).content == image


def test_segments_may_come_in_any_order_and_again(uploads: Uploads) -> None:
    image = png()
    media_id = uploads.start(image, "image/png")
    for index, chunk in ((1, image[10:]), (0, b"\0" * 10), (0, image[:10])):
        assert uploads.append(media_id, chunk, index).status_code == 200
    assert uploads.finalize(media_id).status_code == 200


def test_append_takes_base64_json(uploads: Uploads) -> None:
    image = png()
    media_id = uploads.start(image, "image/png")
    body = {"media": base64.b64encode(image).decode(), "segment_index": 0}
    path = f"/x/2/media/upload/{media_id}/append"
    assert uploads.http.post(path, json=body, headers=uploads.headers).status_code == 200
    assert uploads.finalize(media_id).status_code == 200
    body["media"] = "%%%"
    assert "base64" in message(uploads.http.post(path, json=body, headers=uploads.headers))


@pytest.mark.parametrize("missing", ["gap", "short"])
def test_finalize_wants_every_byte(uploads: Uploads, missing: str) -> None:
    image = png()
    media_id = uploads.start(image, "image/png")
    if missing == "gap":
        uploads.append(media_id, image, 1)
    else:
        uploads.append(media_id, image[:-1], 0)
    assert message(uploads.finalize(media_id)) == "Segments do not add up to provided total file size."


def test_more_bytes_than_announced_are_refused(uploads: Uploads) -> None:
    media_id = uploads.start(png(), "image/png")
    assert "larger than the provided total" in message(uploads.append(media_id, png() + b"x"))


def test_chunk_over_5_mib_is_413_without_a_body(uploads: Uploads) -> None:
    media_id = uploads.start(b"x" * (MAX_CHUNK + 1), "video/mp4")
    response = uploads.append(media_id, b"x" * (MAX_CHUNK + 1))
    assert (response.status_code, response.content) == (413, b"")


@pytest.mark.parametrize("index", [1000, -1, "a", ""])
def test_segment_index_0_to_999(uploads: Uploads, index: Any) -> None:
    assert "SegmentIndex must be between 0 and 999" in message(
        uploads.append(uploads.start(png(), "image/png"), b"x", index)
    )


def test_unknown_append_field_is_refused(uploads: Uploads) -> None:
    response = uploads.append(uploads.start(png(), "image/png"), b"x", command="APPEND")
    assert "$.command: is not defined in the schema" in message(response)


@pytest.mark.parametrize(
    ("size", "mime", "changes", "text"),
    [
        (5_242_881, "image/png", {}, "File size exceeds"),
        (15_728_641, "image/gif", {}, "File size exceeds"),
        (536_870_913, "video/mp4", {}, "File size exceeds"),
        (10, "image/heic", {}, "does not have a value in the enumeration"),
        (10, "video/mp4", {"media_category": "tweet_image"}, "does not fit"),
        (10, "image/png", {"media_category": "banner"}, "does not have a value in the enumeration"),
        (0, "image/png", {}, "must have a minimum value of 1"),
        (10, "image/png", {"name": "a.png"}, "is not defined in the schema"),
    ],
)
def test_initialize_refuses(
    uploads: Uploads, size: int, mime: str, changes: dict[str, Any], text: str
) -> None:
    assert text in message(uploads.initialize(b"", mime, total_bytes=size, **changes))


def test_bytes_must_be_what_was_announced(uploads: Uploads) -> None:
    media_id = uploads.start(b"not an image", "image/png")
    uploads.append(media_id, b"not an image")
    assert message(uploads.finalize(media_id)) == "media type unrecognized."


def test_video_is_processed_before_use(uploads: Uploads, control: SandboxControl) -> None:
    media_id = uploads.start(MP4, "video/mp4", media_category="tweet_video")
    uploads.append(media_id, MP4)
    info = uploads.finalize(media_id).json()["data"]["processing_info"]
    assert info == {"state": "pending", "check_after_secs": 1}
    assert message(uploads.post(media_id)) == "Your media IDs are invalid."
    assert uploads.status(media_id).json()["data"]["processing_info"]["state"] == "in_progress"
    assert uploads.status(media_id).json()["data"]["processing_info"]["state"] == "succeeded"
    assert uploads.post(media_id).status_code == 201
    assert control.posts()[0].media[0].mime_type == "video/mp4"


def test_broken_video_fails_processing(uploads: Uploads) -> None:
    media_id = uploads.start(b"no video", "video/mp4")
    uploads.append(media_id, b"no video")
    assert uploads.finalize(media_id).json()["data"]["processing_info"]["state"] == "pending"
    info = uploads.status(media_id).json()["data"]["processing_info"]
    assert (info["state"], info["error"]["name"]) == ("failed", "InvalidMedia")
    assert message(uploads.post(media_id)) == "Your media IDs are invalid."


def test_media_of_another_person_is_refused(client: Client, uploads: Uploads) -> None:
    media_id = uploads.whole(png())
    other = Uploads(client, "jonas")
    response = other.post(media_id)
    assert message(response) == "Your media IDs are invalid."
    assert response.json()["errors"][0]["parameters"] == {"media.media_ids": [media_id]}
    assert other.append(media_id, b"x").status_code == 404
    assert other.finalize(media_id).status_code == 404
    assert other.status(media_id).status_code == 404


def test_unfinished_and_unknown_media_are_refused(uploads: Uploads) -> None:
    assert message(uploads.post(uploads.start(png(), "image/png"))) == "Your media IDs are invalid."
    assert message(uploads.post("1")) == "Your media IDs are invalid."


def test_media_expires_after_a_day(uploads: Uploads, client: Client, control: SandboxControl) -> None:
    media_id = uploads.whole(png())
    control.advance_clock(86_401)
    late = Uploads(client)
    assert message(late.post(media_id)) == "Your media IDs are invalid."


def test_four_images_or_one_gif(uploads: Uploads) -> None:
    images = [uploads.whole(png(shade=n)) for n in range(4)]
    assert uploads.post(*images).status_code == 201
    gif = uploads.start(GIF, "image/gif")
    uploads.append(gif, GIF)
    uploads.finalize(gif)
    uploads.status(gif)
    assert uploads.status(gif).json()["data"]["processing_info"]["state"] == "succeeded"
    assert "4 photos, 1 animated GIF or 1 video" in message(uploads.post(images[0], gif, text="mixed"))
    assert uploads.post(gif, text="gif").status_code == 201


def test_the_same_media_twice_is_refused(uploads: Uploads) -> None:
    media_id = uploads.whole(png())
    assert message(uploads.post(media_id, media_id)) == "Your media IDs are invalid."


def test_media_alone_is_a_post(uploads: Uploads) -> None:
    body = {"media": {"media_ids": [uploads.whole(png())]}}
    assert uploads.http.post("/x/2/tweets", json=body, headers=uploads.headers).status_code == 201


def test_one_shot_upload_and_alt_text(uploads: Uploads, control: SandboxControl) -> None:
    files = {"media": ("a.png", png())}
    form = {"media_category": "tweet_image"}
    response = uploads.http.post("/x/2/media/upload", data=form, files=files, headers=uploads.headers)
    media_id = response.json()["data"]["id"]
    alt = {"id": media_id, "metadata": {"alt_text": {"text": "A grey square"}}}
    assert uploads.http.post("/x/2/media/metadata", json=alt, headers=uploads.headers).status_code == 200
    uploads.post(media_id)
    assert control.posts()[0].media[0].alt_text == "A grey square"
    alt["metadata"] = {"alt_text": {"text": "a" * 1001}}
    assert "may only be 1000" in message(
        uploads.http.post("/x/2/media/metadata", json=alt, headers=uploads.headers)
    )


def test_uploads_need_media_write(client: Client) -> None:
    headers = client.x(scope="tweet.read tweet.write users.read")
    body = {"media_type": "image/png", "total_bytes": 1}
    assert client.http.post("/x/2/media/upload/initialize", json=body, headers=headers).status_code == 403
