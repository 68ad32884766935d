"""Users, lookups and timelines of X, which reconciliation relies on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import Client
from workers.sandbox import SandboxControl


def timeline(client: Client, headers: dict[str, str], **query: str) -> httpx.Response:
    params = {name.replace("__", "."): value for name, value in query.items()}
    return client.http.get(f"/x/2/users/{client.account('x')}/tweets", params=params, headers=headers)


def write(client: Client, headers: dict[str, str], *texts: str) -> list[str]:
    sent = [client.http.post("/x/2/tweets", json={"text": t}, headers=headers) for t in texts]
    return [response.json()["data"]["id"] for response in sent]


def test_me(client: Client) -> None:
    headers = client.x()
    assert client.http.get("/x/2/users/me", headers=headers).json() == {
        "data": {"id": client.account("x"), "name": "Maya Okafor", "username": "mayaokafor"}
    }
    query = {"user.fields": "verified,profile_image_url"}
    assert client.http.get("/x/2/users/me", params=query, headers=headers).json()["data"]["verified"] is False


@pytest.mark.parametrize(
    "query", [{"user.fields": "password"}, {"fields": "id"}, {"tweet.fields": "colour"}, {"user.fields": ""}]
)
def test_unknown_query_is_400(client: Client, query: dict[str, str]) -> None:
    response = client.http.get("/x/2/users/me", params=query, headers=client.x())
    assert response.status_code == 400
    assert "is not one of [" in response.json()["errors"][0]["message"]


def test_links_come_back_wrapped(client: Client) -> None:
    headers = client.x()
    write(client, headers, "Read https://example.com/a?b=1 now")
    [post] = timeline(client, headers, tweet__fields="entities,created_at").json()["data"]
    [url] = post["entities"]["urls"]
    assert url["url"].startswith("https://t.co/")
    assert len(url["url"]) == 23
    assert post["text"] == f"Read {url['url']} now"
    assert post["text"][url["start"] : url["end"]] == url["url"]
    assert url["expanded_url"] == "https://example.com/a?b=1"
    assert url["display_url"] == "example.com/a?b=1"


def test_long_post_comes_in_two_parts(client: Client) -> None:
    headers, text = client.x("priya"), "word " * 100 + "https://example.com/end"
    [post_id] = write(client, headers, text)
    query = {"tweet.fields": "note_tweet,entities"}
    post = client.http.get(f"/x/2/tweets/{post_id}", params=query, headers=headers).json()["data"]
    assert len(post["text"]) == 280
    assert post["note_tweet"]["text"].startswith("word word")
    assert post["note_tweet"]["entities"]["urls"][0]["expanded_url"] == "https://example.com/end"


def test_profile_pictures_are_served_here(client: Client) -> None:
    query = {"user.fields": "profile_image_url"}
    url = client.http.get("/x/2/users/me", params=query, headers=client.x()).json()["data"][
        "profile_image_url"
    ]
    assert url.startswith(client.sandbox.url)
    assert client.http.get(url).headers["content-type"].startswith("image/svg+xml")
    assert client.http.get(url + "x").status_code == 404


def test_only_asked_fields_are_given(client: Client) -> None:
    headers = client.x()
    write(client, headers, "plain")
    [post] = timeline(client, headers).json()["data"]
    assert set(post) == {"id", "text", "edit_history_tweet_ids"}
    [post] = timeline(client, headers, tweet__fields="created_at,author_id,public_metrics").json()["data"]
    assert post["author_id"] == client.account("x")
    assert datetime.fromisoformat(post["created_at"]).tzinfo == UTC
    assert post["public_metrics"]["retweet_count"] == 0
    [post] = timeline(client, headers, post__fields="public_metrics").json()["data"]
    assert "repost_count" in post["public_metrics"]


def test_pages_are_complete_and_newest_first(client: Client) -> None:
    headers = client.x()
    ids = write(client, headers, *(f"post {n}" for n in range(12)))
    seen: list[str] = []
    query: dict[str, str] = {"max_results": "5"}
    while True:
        body = timeline(client, headers, **query).json()
        seen += [post["id"] for post in body["data"]]
        assert body["meta"]["result_count"] == len(body["data"])
        if "next_token" not in body["meta"]:
            break
        query["pagination_token"] = body["meta"]["next_token"]
    assert seen == ids[::-1]
    back = timeline(client, headers, max_results="5", pagination_token=body["meta"]["previous_token"]).json()
    assert [post["id"] for post in back["data"]] == ids[::-1][5:10]


def test_window_in_time_and_by_id(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    early = write(client, headers, "early")
    control.advance_clock(3600)
    moment = datetime.fromtimestamp(control.posts()[0].created_at + 1800, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    late = write(client, headers, "late")

    def found(**query: str) -> list[str]:
        return [post["id"] for post in timeline(client, headers, **query).json().get("data", [])]

    assert found(start_time=moment) == late
    assert found(end_time=moment) == early
    assert found(since_id=early[0]) == late
    assert found(until_id=late[0]) == early


def test_replies_can_be_left_out(client: Client) -> None:
    headers = client.x()
    [first] = write(client, headers, "one")
    reply = {"text": "two", "reply": {"in_reply_to_tweet_id": first}}
    client.http.post("/x/2/tweets", json=reply, headers=headers)
    assert [p["id"] for p in timeline(client, headers, exclude="replies").json()["data"]] == [first]


def test_empty_timeline_has_no_data(client: Client) -> None:
    assert timeline(client, client.x()).json() == {"meta": {"result_count": 0}}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"max_results": "4"}, "is not between 5 and 100"),
        ({"max_results": "101"}, "is not between 5 and 100"),
        ({"max_results": "ten"}, "is not between 5 and 100"),
        ({"start_time": "yesterday"}, "RFC3339"),
        ({"since_id": "abc"}, "is not valid"),
        ({"pagination_token": "abc"}, "is not valid"),
        ({"exclude": "likes"}, "is not one of"),
        ({"limit": "5"}, "is not one of"),
    ],
)
def test_bad_timeline_query_is_400(client: Client, query: dict[str, str], message: str) -> None:
    headers = client.x()
    write(client, headers, "one")
    response = timeline(client, headers, **query)
    assert response.status_code == 400
    assert message in response.json()["errors"][0]["message"]


def test_lookup_answers_in_part(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    [post_id] = write(client, headers, "counted")
    control.set_metrics("x", post_id, {"like_count": 7, "impression_count": 900})
    query = {"ids": f"{post_id},1", "tweet.fields": "public_metrics", "expansions": "author_id"}
    body = client.http.get("/x/2/tweets", params=query, headers=headers).json()
    assert body["data"][0]["public_metrics"] == {
        "retweet_count": 0,
        "reply_count": 0,
        "like_count": 7,
        "quote_count": 0,
        "bookmark_count": 0,
        "impression_count": 900,
    }
    assert body["errors"][0]["resource_id"] == "1"
    assert body["errors"][0]["type"] == "https://api.x.com/2/problems/resource-not-found"
    assert body["includes"]["users"][0]["username"] == "mayaokafor"


@pytest.mark.parametrize("ids", ["", "abc", ",".join(str(n) for n in range(101))])
def test_lookup_wants_1_to_100_ids(client: Client, ids: str) -> None:
    assert client.http.get("/x/2/tweets", params={"ids": ids}, headers=client.x()).status_code == 400


@pytest.mark.parametrize("path", ["/x/2/tweets/1", "/x/2/users/1/tweets"])
def test_missing_resource_is_an_error_in_a_200(client: Client, path: str) -> None:
    body: dict[str, Any] = client.http.get(path, headers=client.x()).json()
    assert body["errors"][0]["title"] == "Not Found Error"
    assert "data" not in body


def test_reads_need_scopes(client: Client) -> None:
    headers = client.x(scope="tweet.write users.read")
    assert timeline(client, headers).status_code == 403
