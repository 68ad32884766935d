"""POST and DELETE /2/tweets: what X accepts, refuses and answers."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client
from workers.sandbox import SandboxControl

FORBIDDEN = {"type": "about:blank", "title": "Forbidden", "status": 403}


def post(client: Client, headers: dict[str, str], **body: Any) -> httpx.Response:
    return client.http.post("/x/2/tweets", json=body, headers=headers)


def assert_invalid(response: httpx.Response, text: str) -> None:
    body = response.json()
    assert response.status_code == 400
    assert body["title"] == "Invalid Request"
    assert body["detail"] == "One or more parameters to your request was invalid."
    assert body["type"] == "https://api.x.com/2/problems/invalid-request"
    assert text in body["errors"][0]["message"]


def assert_forbidden(response: httpx.Response, detail: str) -> None:
    assert response.status_code == 403
    assert response.json() == {**FORBIDDEN, "detail": detail}


def test_post_is_published(client: Client, control: SandboxControl) -> None:
    response = post(client, client.x(), text="Bread & <butter>")
    assert response.status_code == 201
    data = response.json()["data"]
    assert data["text"] == "Bread &amp; &lt;butter&gt;"
    assert data["edit_history_tweet_ids"] == [data["id"]]
    [published] = control.posts("x")
    assert (published.id, published.text, published.person) == (data["id"], "Bread & <butter>", "maya")
    assert published.url == f"https://x.com/mayaokafor/status/{data['id']}"


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer unknown", "Basic eDp4"])
def test_no_or_wrong_bearer_is_401(client: Client, authorization: str) -> None:
    response = post(client, {"authorization": authorization} if authorization else {}, text="hi")
    assert response.status_code == 401
    assert response.json() == {
        "detail": "Unauthorized",
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
    }


def test_token_of_another_platform_is_401(client: Client) -> None:
    assert post(client, client.linkedin(), text="hi").status_code == 401


def test_expired_token_is_401(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    control.advance_clock(7199)
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 200
    control.advance_clock(2)
    assert post(client, headers, text="hi").status_code == 401


@pytest.mark.parametrize(
    "scope", ["tweet.read users.read", "tweet.write users.read", "tweet.write tweet.read"]
)
def test_missing_scope_is_403(client: Client, scope: str) -> None:
    assert_forbidden(post(client, client.x(scope=scope), text="hi"), "Forbidden")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"text": "a", "status": "b"},
            "$.status: is not defined in the schema and the schema does not allow",
        ),
        ({"text": 5}, "$.text: integer found, string expected"),
        ({"text": "a", "media": {"media_ids": "1"}}, "$.media.media_ids: string found, array expected"),
        ({"text": "a", "media": {"media_ids": []}}, "there must be a minimum of 1 items in the array"),
        (
            {"media": {"media_ids": ["1", "2", "3", "4", "5"]}},
            "there must be a maximum of 4 items in the array",
        ),
        ({"text": "a", "media": {"media_ids": [1]}}, "$.media.media_ids[0]: integer found, string expected"),
        ({"text": "a", "media": {}}, "$.media.media_ids: is missing but it is required"),
        ({"text": "a", "reply": {"id": "1"}}, "$.reply.in_reply_to_tweet_id: is missing but it is required"),
        ({"text": "a", "reply": {"in_reply_to_tweet_id": "x"}}, "does not match the regex pattern"),
        (
            {"text": "a", "reply_settings": "nobody"},
            "$.reply_settings: does not have a value in the enumeration",
        ),
        ({"text": "a", "nullcast": "yes"}, "$.nullcast: string found, boolean expected"),
        ({"text": "a", "poll": {"options": ["a"], "duration_minutes": 5}}, "minimum of 2 items"),
        (
            {"text": "a", "poll": {"options": ["a", "b"], "duration_minutes": 4}},
            "must have a minimum value of 5",
        ),
        (
            {"text": "a", "poll": {"options": ["a", "b" * 26], "duration_minutes": 5}},
            "may only be 25 characters",
        ),
        ({"text": None}, "$.text: null found, string expected"),
        ({}, "You must supply text or media."),
        ({"text": ""}, "You must supply text or media."),
        ({"text": "a", "quote_tweet_id": "1", "media": {"media_ids": ["1"]}}, "mutually exclusive"),
    ],
)
def test_schema_is_enforced(
    client: Client, control: SandboxControl, body: dict[str, Any], message: str
) -> None:
    assert_invalid(post(client, client.x(), **body), message)
    assert control.posts() == []


@pytest.mark.parametrize(
    ("content", "content_type", "message"),
    [
        (b'{"text":"a"}', "text/plain", "Requests with bodies must have content-type of application/json."),
        (b"text=a", "application/x-www-form-urlencoded", "content-type of application/json"),
        (b'{"text":', "application/json", "Invalid JSON"),
        (b'{"text":"a","text":"b"}', "application/json", "Invalid JSON"),
        (b'{"text":"\xff"}', "application/json", "Invalid JSON"),
        (b"[]", "application/json", "array found, object expected"),
    ],
)
def test_body_must_be_json(client: Client, content: bytes, content_type: str, message: str) -> None:
    headers = {**client.x(), "content-type": content_type}
    assert_invalid(client.http.post("/x/2/tweets", content=content, headers=headers), message)


@pytest.mark.parametrize(
    ("text", "is_accepted"),
    [
        ("a" * 280, True),
        ("a" * 281, False),
        ("漢" * 140, True),
        ("漢" * 140 + "a", False),
        ("https://example.com/" + "a" * 300, True),
        ("a" * 256 + " https://example.com/" + "a" * 300, True),
        ("a" * 257 + " https://example.com/" + "a" * 300, False),
    ],
)
def test_weighted_length_280(client: Client, text: str, is_accepted: bool) -> None:
    response = post(client, client.x(), text=text)
    if is_accepted:
        assert response.status_code == 201
    else:
        assert_forbidden(response, "You are not permitted to perform this action.")


def test_premium_account_may_write_more(client: Client) -> None:
    assert post(client, client.x("priya"), text="a" * 281).status_code == 201


def test_duplicate_is_403(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    detail = "You are not allowed to create a Tweet with duplicate content."
    assert post(client, headers, text="same").status_code == 201
    assert_forbidden(post(client, headers, text="same"), detail)
    assert post(client, client.x("jonas"), text="same").status_code == 201
    assert len(control.posts("x")) == 2


def test_deleted_post_is_no_duplicate(client: Client) -> None:
    headers = client.x()
    post_id = post(client, headers, text="same").json()["data"]["id"]
    deleted = client.http.delete(f"/x/2/tweets/{post_id}", headers=headers)
    assert deleted.json() == {"data": {"deleted": True}}
    assert post(client, headers, text="same").status_code == 201


def test_only_the_author_deletes(client: Client) -> None:
    post_id = post(client, client.x(), text="mine").json()["data"]["id"]
    response = client.http.delete(f"/x/2/tweets/{post_id}", headers=client.x("jonas"))
    assert_forbidden(response, "You are not authorized to delete this Tweet.")
    assert client.http.delete("/x/2/tweets/1", headers=client.x()).status_code == 404


def test_thread_with_oneself(client: Client) -> None:
    headers = client.x()
    first = post(client, headers, text="one").json()["data"]["id"]
    second = post(client, headers, text="two", reply={"in_reply_to_tweet_id": first}).json()["data"]["id"]
    query = {"tweet.fields": "conversation_id,referenced_tweets,in_reply_to_user_id"}
    data = client.http.get(f"/x/2/tweets/{second}", params=query, headers=headers).json()["data"]
    assert data["conversation_id"] == first
    assert data["referenced_tweets"] == [{"type": "replied_to", "id": first}]
    assert data["in_reply_to_user_id"] == client.account("x")


def test_reply_to_others_only_when_summoned(client: Client) -> None:
    plain = post(client, client.x(), text="nobody named").json()["data"]["id"]
    response = post(client, client.x("jonas"), text="me?", reply={"in_reply_to_tweet_id": plain})
    assert response.status_code == 403
    assert "not been mentioned" in response.json()["detail"]
    named = post(client, client.x(), text="hello @JonasLindqvist").json()["data"]["id"]
    response = post(client, client.x("jonas"), text="me!", reply={"in_reply_to_tweet_id": named})
    assert response.status_code == 201


def test_reply_to_a_missing_post_is_403(client: Client) -> None:
    response = post(client, client.x(), text="a", reply={"in_reply_to_tweet_id": "1"})
    assert_forbidden(response, "You attempted to reply to a Tweet that is deleted or not visible to you.")


def test_one_cashtag_at_most(client: Client) -> None:
    assert post(client, client.x(), text="$ABC up, $5 down").status_code == 201
    response = post(client, client.x(), text="$ABC and $XYZ")
    assert response.status_code == 403
    assert "maximum of one cashtag" in response.json()["detail"]


def test_rate_limit_100_in_15_minutes_per_person(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    for number in range(100):
        response = post(client, headers, text=f"post {number}")
        assert response.headers["x-rate-limit-remaining"] == str(99 - number)
    limited = post(client, headers, text="one more")
    assert limited.status_code == 429
    assert limited.json() == {
        "detail": "Too Many Requests",
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
    }
    assert "retry-after" not in limited.headers
    assert limited.headers["x-rate-limit-limit"] == "100"
    assert limited.headers["x-rate-limit-remaining"] == "0"
    assert post(client, client.x("jonas"), text="other person").status_code == 201
    control.advance_clock(901)
    assert post(client, headers, text="one more").status_code == 201


def test_refused_posts_count_too(client: Client, control: SandboxControl) -> None:
    control.set_limits(**{"x POST /2/tweets": 1})
    headers = client.x()
    assert post(client, headers).status_code == 400
    assert post(client, headers, text="late").status_code == 429


def test_app_limit_of_a_day(client: Client, control: SandboxControl) -> None:
    control.set_limits(**{"x app POST /2/tweets": 1})
    first = post(client, client.x(), text="a")
    assert first.headers["x-app-limit-24hour-remaining"] == "0"
    assert post(client, client.x("jonas"), text="b").status_code == 429


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/x/1.1/statuses"), ("PATCH", "/x/2/tweets"), ("GET", "/x/2/nope")]
)
def test_unknown_path_is_404(client: Client, method: str, path: str) -> None:
    assert client.http.request(method, path).status_code == 404
