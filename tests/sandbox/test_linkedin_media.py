"""LinkedIn's videos, documents and comments: what is taken, and what is refused as LinkedIn refuses it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client
from tests.sandbox.test_linkedin import author, post
from workers.sandbox import SandboxControl
from workers.sandbox.linkedin_media import PART_BYTES

MP4 = b"\0\0\0\x18ftypmp42" + bytes(PART_BYTES)
PDF = b"%PDF-1.7 slides"


@pytest.fixture
def headers(client: Client) -> dict[str, str]:
    return client.linkedin()


def begin(client: Client, headers: dict[str, str], kind: str, **request: Any) -> httpx.Response:
    body = {"initializeUploadRequest": {"owner": author(client), **request}}
    return client.http.post(f"/linkedin/rest/{kind}?action=initializeUpload", json=body, headers=headers)


def finish(
    client: Client, headers: dict[str, str], value: dict[str, Any], parts: list[str]
) -> httpx.Response:
    body = {
        "finalizeUploadRequest": {
            "video": value["video"],
            "uploadToken": value["uploadToken"],
            "uploadedPartIds": parts,
        }
    }
    return client.http.post("/linkedin/rest/videos?action=finalizeUpload", json=body, headers=headers)


def put_parts(client: Client, value: dict[str, Any], data: bytes) -> list[str]:
    etags = []
    for part in value["uploadInstructions"]:
        content = data[part["firstByte"] : part["lastByte"] + 1]
        answer = client.http.put(part["uploadUrl"], content=content)
        assert answer.status_code == 200
        etags.append(answer.headers["etag"])
    return etags


def video(client: Client, headers: dict[str, str], data: bytes = MP4) -> str:
    value = begin(client, headers, "videos", fileSizeBytes=len(data)).json()["value"]
    assert finish(client, headers, value, put_parts(client, value, data)).status_code == 200
    return str(value["video"])


def document(client: Client, headers: dict[str, str], data: bytes = PDF) -> str:
    value = begin(client, headers, "documents").json()["value"]
    token = {"authorization": headers["authorization"]}
    assert client.http.put(value["uploadUrl"], content=data, headers=token).status_code == 201
    return str(value["document"])


# --- videos -------------------------------------------------------------------------------------------------


def test_a_video_is_asked_for_in_parts_of_four_megabytes(client: Client, headers: dict[str, str]) -> None:
    value = begin(client, headers, "videos", fileSizeBytes=len(MP4)).json()["value"]
    ranges = [(part["firstByte"], part["lastByte"]) for part in value["uploadInstructions"]]
    assert ranges == [(0, PART_BYTES - 1), (PART_BYTES, len(MP4) - 1)]


def test_its_parts_need_no_token_and_whoever_uploaded_it_may_ask(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    urn = video(client, headers)
    control.advance_clock(60)
    shown = client.http.get(f"/linkedin/rest/videos/{urn.replace(':', '%3A')}", headers=headers)
    assert shown.json()["status"] == "AVAILABLE"
    assert post(client, headers, content={"media": {"id": urn}}).status_code == 201
    (published,) = control.posts("linkedin")
    assert [(m.mime_type, m.bytes) for m in published.media] == [("video/mp4", len(MP4))]


def test_a_part_of_another_size_is_refused(client: Client, headers: dict[str, str]) -> None:
    value = begin(client, headers, "videos", fileSizeBytes=10).json()["value"]
    (part,) = value["uploadInstructions"]
    assert client.http.put(part["uploadUrl"], content=b"nine byte").status_code == 400
    assert client.http.put(part["uploadUrl"] + "9", content=b"0123456789").status_code in (400, 403)


@pytest.mark.parametrize("change", ["missing", "order", "token", "made up"])
def test_finalizing_names_every_part_in_order(client: Client, headers: dict[str, str], change: str) -> None:
    value = begin(client, headers, "videos", fileSizeBytes=len(MP4)).json()["value"]
    parts = put_parts(client, value, MP4)
    given = {"missing": parts[:1], "order": parts[::-1], "token": parts, "made up": ["a", "b"]}[change]
    if change == "token":
        value["uploadToken"] = "another"
    assert finish(client, headers, value, given).status_code == 400


def test_a_video_that_is_none_fails_and_one_that_is_not_there_cannot_be_posted(
    client: Client, headers: dict[str, str]
) -> None:
    broken = video(client, headers, b"not a video")
    refused = post(client, headers, content={"media": {"id": broken}})
    assert refused.json()["errorDetails"]["inputErrors"][0]["code"] == "MEDIA_ASSET_PROCESSING_FAILED"
    waiting = begin(client, headers, "videos", fileSizeBytes=10).json()["value"]["video"]
    refused = post(client, headers, content={"media": {"id": waiting}})
    assert refused.json()["errorDetails"]["inputErrors"][0]["code"] == "MEDIA_ASSET_WAITING_UPLOAD"


@pytest.mark.parametrize("size", [0, 524_288_001])
def test_sizes_that_are_refused(client: Client, headers: dict[str, str], size: int) -> None:
    assert begin(client, headers, "videos", fileSizeBytes=size).status_code == 422


def test_a_video_is_no_image_of_several(client: Client, headers: dict[str, str]) -> None:
    urn = video(client, headers)
    images = {"multiImage": {"images": [{"id": urn}, {"id": urn}]}}
    refused = post(client, headers, content=images)
    assert refused.json()["errorDetails"]["inputErrors"][0]["code"] == "INVALID_URN_TYPE"


# --- documents ----------------------------------------------------------------------------------------------


def test_a_document_needs_a_title(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    urn = document(client, headers)
    assert post(client, headers, content={"media": {"id": urn}}).status_code == 400
    assert post(client, headers, content={"media": {"id": urn, "title": "Slides"}}).status_code == 201
    (published,) = control.posts("linkedin")
    assert published.media[0].mime_type == "application/pdf"


def test_only_a_reader_sees_how_far_a_document_is(client: Client, headers: dict[str, str]) -> None:
    urn = document(client, headers)
    shown = client.http.get(f"/linkedin/rest/documents/{urn.replace(':', '%3A')}", headers=headers)
    assert shown.status_code == 403


# --- comments -----------------------------------------------------------------------------------------------


def comment(client: Client, headers: dict[str, str], urn: str, **changes: Any) -> httpx.Response:
    body = {"actor": author(client), "object": urn, "message": {"text": "Sources below"}} | changes
    path = f"/linkedin/rest/socialActions/{urn.replace(':', '%3A')}/comments"
    return client.http.post(path, json=body, headers=headers)


def test_a_comment_is_under_its_post(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    urn = post(client, headers).headers["x-restli-id"]
    made = comment(client, headers, urn)
    assert made.status_code == 201
    assert made.json()["commentUrn"] == f"urn:li:comment:({urn},{made.headers['x-restli-id']})"
    assert control.posts("linkedin")[0].comments == ("Sources below",)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"actor": "urn:li:person:another"}, 403),
        ({"object": "urn:li:share:1"}, 400),
        ({"message": {"text": "x" * 1251}}, 422),
        ({"message": {}}, 422),
        ({"text": "Sources"}, 422),
    ],
)
def test_comments_that_are_refused(
    client: Client, headers: dict[str, str], changes: dict[str, Any], status: int
) -> None:
    urn = post(client, headers).headers["x-restli-id"]
    assert comment(client, headers, urn, **changes).status_code == status


def test_no_comment_under_nothing_and_no_reading_without_the_right(
    client: Client, headers: dict[str, str]
) -> None:
    assert comment(client, headers, "urn:li:share:1").status_code == 404
    urn = post(client, headers).headers["x-restli-id"]
    path = f"/linkedin/rest/socialActions/{urn.replace(':', '%3A')}/comments"
    assert client.http.get(path, headers=headers).status_code == 403
