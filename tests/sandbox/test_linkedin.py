"""LinkedIn: headers, tokens, images, posts, duplicates, reads and statistics."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client, png
from workers.sandbox import SandboxControl
from workers.sandbox.oauth_table import LINKEDIN

READ_SCOPES = "openid profile w_member_social r_member_social r_member_postAnalytics"
DISTRIBUTION = {"feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": []}


def author(client: Client, person: str = "maya") -> str:
    return f"urn:li:person:{client.account('linkedin', person)}"


def body(client: Client, text: str = "Hello", **changes: Any) -> dict[str, Any]:
    everything = {
        "author": author(client),
        "commentary": text,
        "visibility": "PUBLIC",
        "distribution": DISTRIBUTION,
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": False,
        **changes,
    }
    return {name: value for name, value in everything.items() if value is not ...}


def post(client: Client, headers: dict[str, str], text: str = "Hello", **changes: Any) -> httpx.Response:
    return client.http.post("/linkedin/rest/posts", json=body(client, text, **changes), headers=headers)


def initialize(client: Client, headers: dict[str, str], owner: str | None = None) -> httpx.Response:
    request = {"initializeUploadRequest": {"owner": owner or author(client)}}
    return client.http.post("/linkedin/rest/images?action=initializeUpload", json=request, headers=headers)


def upload(client: Client, headers: dict[str, str], data: bytes) -> str:
    value = initialize(client, headers).json()["value"]
    only_token = {"authorization": headers["authorization"]}
    assert client.http.put(value["uploadUrl"], content=data, headers=only_token).status_code == 201
    return str(value["image"])


def single(urn: str, alt: str = "") -> dict[str, Any]:
    return {"media": {"id": urn, "altText": alt}}


@pytest.fixture
def headers(client: Client) -> dict[str, str]:
    return client.linkedin()


@pytest.fixture
def reader(client: Client, control: SandboxControl) -> dict[str, str]:
    """Headers of an application that LinkedIn approved for reading."""
    control.approve_scopes("linkedin", LINKEDIN.scopes)
    return client.linkedin(scope=READ_SCOPES)


def test_post_is_created(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    response = post(client, headers, r"Bread \(and butter\) #baking")
    assert (response.status_code, response.content) == (201, b"")
    [published] = control.posts("linkedin")
    assert response.headers["x-restli-id"] == published.id
    assert published.id.startswith("urn:li:share:")
    assert published.text == "Bread (and butter) #baking"
    assert published.url == f"https://www.linkedin.com/feed/update/{published.id}/"


@pytest.mark.parametrize(
    ("authorization", "number", "code"),
    [(None, 65604, "EMPTY_ACCESS_TOKEN"), ("Bearer nope", 65600, "INVALID_ACCESS_TOKEN")],
)
def test_bad_bearer(
    client: Client, headers: dict[str, str], authorization: str | None, number: int, code: str
) -> None:
    headers = {k: v for k, v in headers.items() if k != "authorization"}
    response = post(client, headers | ({"authorization": authorization} if authorization else {}))
    assert response.status_code == 401
    assert (response.json()["serviceErrorCode"], response.json()["code"]) == (number, code)


def test_expired_and_revoked_token(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.advance_clock(60 * 86_400 + 1)
    assert post(client, headers).json()["code"] == "EXPIRED_ACCESS_TOKEN"
    headers = client.linkedin()
    assert control.revoke("linkedin", "maya") >= 1
    assert post(client, headers).json() == {
        "status": 401,
        "serviceErrorCode": 65601,
        "code": "REVOKED_ACCESS_TOKEN",
        "message": "The token used in the request has been revoked by the user",
    }


def test_version_header_is_required(client: Client, headers: dict[str, str]) -> None:
    del headers["linkedin-version"]
    response = post(client, headers)
    assert (response.status_code, response.json()["code"]) == (400, "VERSION_MISSING")


@pytest.mark.parametrize("version", ["202401", "202613", "209901", "20260901", "latest"])
def test_inactive_version_is_426(client: Client, headers: dict[str, str], version: str) -> None:
    response = post(client, {**headers, "linkedin-version": version})
    assert response.status_code == 426
    message = f"Requested version {version}01 is not active"
    assert response.json() == {"status": 426, "code": "NONEXISTENT_VERSION", "message": message}


@pytest.mark.parametrize("protocol", [None, "1.0.0", "3"])
def test_restli_protocol_2_is_required(client: Client, headers: dict[str, str], protocol: str | None) -> None:
    headers = {k: v for k, v in headers.items() if k != "x-restli-protocol-version"}
    response = post(client, headers | ({"x-restli-protocol-version": protocol} if protocol else {}))
    assert response.status_code == 400
    assert "Rest.li protocol version" in response.json()["message"]


def test_scope_is_required(client: Client) -> None:
    response = post(client, client.linkedin(scope="openid profile"))
    assert response.status_code == 403
    assert response.json()["message"] == "Not enough permissions to access: posts.CREATE.20260901"
    assert response.json()["serviceErrorCode"] == 100


@pytest.mark.parametrize("who", ["urn:li:person:somebody", "urn:li:organization:5", "maya"])
def test_author_must_be_the_member(client: Client, headers: dict[str, str], who: str) -> None:
    response = post(client, headers, author=who)
    assert response.status_code == 403
    assert response.json()["message"].endswith("fields [/author]")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"commentary": ...},
            "ERROR :: /commentary :: field is required but not found and has no default value",
        ),
        ({"visibility": ...}, "ERROR :: /visibility :: field is required"),
        ({"distribution": {}}, "ERROR :: /distribution/feedDistribution :: field is required"),
        ({"lifecycleState": "LIVE"}, 'ERROR :: /lifecycleState :: "LIVE" is not an enum symbol'),
        ({"title": "a"}, "ERROR :: /title :: unrecognized field found but not allowed"),
        (
            {"distribution": {**DISTRIBUTION, "targetEnties": []}},
            "ERROR :: /distribution/targetEnties :: unrecognized field found but not allowed",
        ),
        ({"commentary": 5}, "ERROR :: /commentary :: 5 cannot be coerced to String"),
        ({"content": {"multiImage": {"images": [{"id": "urn:li:image:1"}]}}}, "array has fewer than 2 items"),
        (
            {"content": {"media": {"id": "urn:li:image:1", "altText": "a" * 4087}}},
            "out of range, maximum 4086",
        ),
        ({"content": {"photo": {}}}, "ERROR :: /content/photo :: unrecognized field"),
    ],
)
def test_schema_is_enforced(
    client: Client, control: SandboxControl, headers: dict[str, str], changes: dict[str, Any], message: str
) -> None:
    response = post(client, headers, **changes)
    assert response.status_code == 422
    assert message in response.json()["message"]
    assert control.posts() == []


def test_too_many_images(client: Client, headers: dict[str, str]) -> None:
    images = [{"id": f"urn:li:image:{n}"} for n in range(21)]
    assert post(client, headers, content={"multiImage": {"images": images}}).status_code == 422


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [(b"{}", "text/plain", 415), (b"{", "application/json", 400), (b"[]", "application/json", 400)],
)
def test_body_must_be_json(
    client: Client, headers: dict[str, str], content: bytes, content_type: str, status: int
) -> None:
    headers = {**headers, "content-type": content_type}
    assert client.http.post("/linkedin/rest/posts", content=content, headers=headers).status_code == status


def test_only_published_may_be_created(client: Client, headers: dict[str, str]) -> None:
    response = post(client, headers, lifecycleState="DRAFT")
    assert response.status_code == 400
    assert "PUBLISHED is the only accepted" in response.json()["message"]


def test_3000_characters_as_members_read_them(client: Client, headers: dict[str, str]) -> None:
    assert post(client, headers, r"\(" * 3000).status_code == 201
    response = post(client, headers, "a" * 3001)
    assert response.status_code == 422
    assert response.json()["errorDetails"]["inputErrors"][0]["code"] == "FIELD_LENGTH_TOO_LONG"


def test_unescaped_text_is_cut_silently(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    assert post(client, headers, "Our plan (part 1) is ready").status_code == 201
    [published] = control.posts("linkedin")
    assert (published.text, published.is_cut) == ("Our plan ", True)


def test_duplicate_carries_the_urn_of_the_first(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    urn = post(client, headers).headers["x-restli-id"]
    response = post(client, headers)
    assert response.status_code == 422
    assert response.json() == {
        "errorDetailType": "com.linkedin.common.error.BadRequest",
        "message": "com.linkedin.content.common.exception.BadRequestResponseException: "
        f"Content is a duplicate of {urn}",
        "errorDetails": {
            "inputErrors": [
                {"description": "Duplicate post is detected", "input": {}, "code": "DUPLICATE_POST"}
            ]
        },
        "status": 422,
    }
    assert len(control.posts("linkedin")) == 1


def test_duplicate_restriction_ends_after_10_minutes(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    post(client, headers)
    control.advance_clock(601)
    assert post(client, headers).status_code == 201


def test_same_image_uploaded_again_is_a_duplicate(client: Client, headers: dict[str, str]) -> None:
    assert post(client, headers, content=single(upload(client, headers, png()))).status_code == 201
    assert post(client, headers, content=single(upload(client, headers, png()))).status_code == 422
    assert post(client, headers, content=single(upload(client, headers, png(shade=9)))).status_code == 201


def test_image_post(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    image = png(8, 8)
    urn = upload(client, headers, image)
    assert post(client, headers, content=single(urn, "A loaf")).status_code == 201
    [media] = control.posts("linkedin")[0].media
    assert (media.id, media.alt_text, media.mime_type) == (urn, "A loaf", "image/png")
    assert client.http.get(media.url).content == image


def test_multi_image_post_is_a_ugc_post(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    urns = [upload(client, headers, png(shade=n)) for n in range(3)]
    response = post(
        client, headers, content={"multiImage": {"images": [{"id": u, "altText": u} for u in urns]}}
    )
    assert response.headers["x-restli-id"].startswith("urn:li:ugcPost:")
    assert [m.alt_text for m in control.posts()[0].media] == urns


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"media": {"id": "urn:li:digitalmediaAsset:1"}}, "INVALID_URN_TYPE"),
        ({"media": {"id": "urn:li:image:unknown"}}, "INVALID_URN_ID"),
        (
            {"article": {"source": "https://e.com", "title": "t", "thumbnail": "urn:li:image:no"}},
            "INVALID_URN_ID",
        ),
    ],
)
def test_unknown_media_is_refused(
    client: Client, headers: dict[str, str], content: dict[str, Any], code: str
) -> None:
    response = post(client, headers, content=content)
    assert response.status_code == 400
    assert response.json()["errorDetails"]["inputErrors"][0]["code"] == code


def test_one_kind_of_content(client: Client, headers: dict[str, str]) -> None:
    content = {"media": {"id": "urn:li:image:1"}, "article": {"source": "https://e.com", "title": "t"}}
    assert "union" in post(client, headers, content=content).json()["message"]


def test_media_of_another_member_is_refused(client: Client, headers: dict[str, str]) -> None:
    urn = upload(client, headers, png())
    response = post(client, client.linkedin("jonas"), author=author(client, "jonas"), content=single(urn))
    assert response.status_code == 400
    assert "not owned by the author" in response.json()["message"]


def test_media_must_be_uploaded_and_readable(client: Client, headers: dict[str, str]) -> None:
    waiting = initialize(client, headers).json()["value"]["image"]
    broken = upload(client, headers, b"no image")
    for urn, code in ((waiting, "MEDIA_ASSET_WAITING_UPLOAD"), (broken, "MEDIA_ASSET_PROCESSING_FAILED")):
        response = post(client, headers, content=single(urn))
        assert response.status_code == 400
        assert response.json()["errorDetails"]["inputErrors"][0]["code"] == code


def test_upload_wants_the_members_token_once(client: Client, headers: dict[str, str]) -> None:
    url = initialize(client, headers).json()["value"]["uploadUrl"]
    other = {"authorization": client.linkedin("jonas")["authorization"]}
    mine = {"authorization": headers["authorization"]}
    assert client.http.put(url, content=png()).status_code == 401
    assert client.http.put(url, content=png(), headers=other).status_code == 403
    assert client.http.put(url, content=b"", headers=mine).status_code == 400
    assert client.http.put(url, content=png(), headers=mine).status_code == 201
    assert client.http.put(url, content=png(), headers=mine).status_code == 400


def test_upload_url_expires(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    url = initialize(client, headers).json()["value"]["uploadUrl"]
    control.advance_clock(86_401)
    assert client.http.put(url, content=png(), headers=headers).status_code == 403


def test_image_of_36_megapixels_fails(client: Client, headers: dict[str, str]) -> None:
    big = bytearray(png())
    big[16:24] = (7000).to_bytes(4, "big") * 2
    urn = upload(client, headers, bytes(big))
    assert post(client, headers, content=single(urn)).status_code == 400


def test_initialize_refuses_strangers_and_unknown_actions(client: Client, headers: dict[str, str]) -> None:
    assert initialize(client, headers, owner="urn:li:person:somebody").status_code == 403
    response = client.http.post("/linkedin/rest/images?action=upload", json={}, headers=headers)
    assert response.json()["code"] == "ILLEGAL_ARGUMENT"
    request = {"initializeUploadRequest": {"owner": author(client), "recipes": []}}
    response = client.http.post(
        "/linkedin/rest/images?action=initializeUpload", json=request, headers=headers
    )
    assert "/initializeUploadRequest/recipes :: unrecognized field" in response.json()["message"]


def test_w_member_social_cannot_read(client: Client, headers: dict[str, str]) -> None:
    urn = upload(client, headers, png())
    image = client.http.get(f"/linkedin/rest/images/{urn}", headers=headers)
    assert image.status_code == 403
    assert image.json()["message"].startswith("Accessing this image resource is forbidden")
    share = post(client, headers).headers["x-restli-id"]
    for path in (f"posts/{share}", f"socialActions/{share}"):
        assert client.http.get(f"/linkedin/rest/{path}", headers=headers).status_code == 403


def test_image_is_processed_then_available(
    client: Client, control: SandboxControl, reader: dict[str, str]
) -> None:
    control.set_media_delay(60)
    urn = upload(client, reader, png())
    path = f"/linkedin/rest/images/{urn.replace(':', '%3A')}"
    assert client.http.get(path, headers=reader).json()["status"] == "PROCESSING"
    share = post(client, reader, content=single(urn)).headers["x-restli-id"]
    post_path = f"/linkedin/rest/posts/{share}"
    assert client.http.get(post_path, headers=reader).json()["lifecycleState"] == "PUBLISH_REQUESTED"
    control.advance_clock(61)
    assert client.http.get(path, headers=reader).json()["status"] == "AVAILABLE"
    assert client.http.get(post_path, headers=reader).json()["lifecycleState"] == "PUBLISHED"


def test_read_and_delete_a_post(client: Client, control: SandboxControl, reader: dict[str, str]) -> None:
    share = post(client, reader, r"a \* b").headers["x-restli-id"]
    path = f"/linkedin/rest/posts/{share.replace(':', '%3A')}"
    found = client.http.get(path, headers=reader).json()
    assert (found["id"], found["commentary"], found["author"]) == (share, r"a \* b", author(client))
    assert client.http.delete(path, headers=client.linkedin("jonas")).status_code == 403
    assert client.http.delete(path, headers=reader).status_code == 204
    assert client.http.delete(path, headers=reader).status_code == 204
    assert client.http.get(path, headers=reader).status_code == 404
    assert control.posts() == []


def test_statistics(client: Client, control: SandboxControl, reader: dict[str, str]) -> None:
    share = post(client, reader).headers["x-restli-id"]
    control.set_metrics("linkedin", share, {"IMPRESSION": 120, "REACTION": 9, "COMMENT": 2})
    social = client.http.get(f"/linkedin/rest/socialActions/{share}", headers=reader).json()
    assert social["likesSummary"]["totalLikes"] == 9
    assert social["commentsSummary"]["aggregatedTotalComments"] == 2
    query = {"q": "entity", "entity": f"(share:{share})", "queryType": "IMPRESSION"}
    path = "/linkedin/rest/memberCreatorPostAnalytics"
    assert client.http.get(path, params=query, headers=reader).json()["elements"][0]["count"] == 120
    assert client.http.get(path, params={**query, "queryType": "LOVE"}, headers=reader).status_code == 400


def test_throttle(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.set_limits(**{"linkedin posts.CREATE": 1})
    assert post(client, headers, "one").status_code == 201
    response = post(client, headers, "two")
    assert response.status_code == 429
    assert response.json() == {
        "serviceErrorCode": 101,
        "code": "TOO_MANY_REQUESTS",
        "message": "Resource level throttle limit for calls to this resource is reached.",
        "status": 429,
    }


def test_userinfo(client: Client) -> None:
    token = {"authorization": client.linkedin()["authorization"]}
    found = client.http.get("/linkedin/v2/userinfo", headers=token).json()
    assert (found["sub"], found["name"]) == (client.account("linkedin"), "Maya Okafor")
    narrow = {"authorization": client.linkedin(scope="w_member_social")["authorization"]}
    assert client.http.get("/linkedin/v2/userinfo", headers=narrow).status_code == 403


def test_unknown_resources(client: Client, headers: dict[str, str]) -> None:
    assert client.http.get("/linkedin/rest/ugcPosts", headers=headers).status_code == 404
    assert client.http.put("/linkedin/rest/posts", headers=headers).status_code == 405
