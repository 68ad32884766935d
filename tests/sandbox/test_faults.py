"""Every kind of fault, seen from the other end of the wire."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.sandbox.flow import Client
from workers.sandbox import ControlError, SandboxControl

TWEETS: dict[str, Any] = {"platform": "x", "method": "POST", "path": "^/x/2/tweets$"}


def post(client: Client, headers: dict[str, str], text: str = "hello", timeout: float = 10) -> httpx.Response:
    return client.http.post("/x/2/tweets", json={"text": text}, headers=headers, timeout=timeout)


def wait_for(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("timed out")


@pytest.fixture
def headers(client: Client) -> dict[str, str]:
    return client.x()


def test_status_before_acceptance(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.add_fault(
        "status", status=503, body={"title": "Service Unavailable"}, headers={"a": "b"}, times=2, **TWEETS
    )
    for _ in range(2):
        response = post(client, headers)
        assert (response.status_code, response.json(), response.headers["a"]) == (
            503,
            {"title": "Service Unavailable"},
            "b",
        )
    assert control.posts() == []
    assert post(client, headers).status_code == 201


def test_status_after_acceptance(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.add_fault("status", status=500, at="after", **TWEETS)
    assert post(client, headers).status_code == 500
    assert len(control.posts("x")) == 1
    [record] = control.records("x", "POST", "tweets")
    assert (record.accepted, record.status, record.fault) == (True, 500, "status")


def test_after_faults_wait_for_an_accepted_request(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("status", status=500, at="after", **TWEETS)
    assert post(client, headers, "").status_code == 400
    assert post(client, headers).status_code == 500


def test_text_body_and_no_body(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.add_fault("status", status=502, body="<html>Bad Gateway</html>", **TWEETS)
    assert post(client, headers).text == "<html>Bad Gateway</html>"
    control.add_fault("status", status=413, **TWEETS)
    assert post(client, headers).content == b""


@pytest.mark.parametrize(("kind", "accepted"), [("reset_before", 0), ("reset_after", 1)])
def test_reset_closes_the_socket_without_an_answer(
    client: Client, control: SandboxControl, headers: dict[str, str], kind: Any, accepted: int
) -> None:
    control.add_fault(kind, **TWEETS)
    address = urlsplit(client.sandbox.url)
    body = json.dumps({"text": "once"}).encode()
    with socket.create_connection((address.hostname, address.port), timeout=5) as raw:
        head = (
            f"POST /x/2/tweets HTTP/1.1\r\nhost: sandbox\r\nauthorization: {headers['authorization']}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        raw.sendall(head.encode() + body)
        with pytest.raises(ConnectionResetError):
            raw.recv(1)
    [record] = wait_for(lambda: [r for r in control.records("x", "POST", "tweets") if r.status is not None])
    assert (record.accepted, record.status, record.fault) == (bool(accepted), 0, kind)
    assert len(control.posts("x")) == accepted
    assert post(client, headers, "next").status_code == 201


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_httpx_sees_a_reset_as_a_transport_error(
    client: Client, control: SandboxControl, headers: dict[str, str], kind: Any
) -> None:
    control.add_fault(kind, **TWEETS)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        post(client, headers)


def test_duplicate_probe_after_a_reset(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("reset_after", **TWEETS)
    with pytest.raises(httpx.TransportError):
        post(client, headers, "did it arrive?")
    assert "duplicate content" in post(client, headers, "did it arrive?").json()["detail"]
    assert len(control.posts("x")) == 1


@pytest.mark.parametrize(("at", "accepted"), [("before", 0), ("after", 1)])
def test_hang_until_the_client_gives_up(
    client: Client, control: SandboxControl, headers: dict[str, str], at: Any, accepted: int
) -> None:
    control.add_fault("hang", at=at, **TWEETS)
    with pytest.raises(httpx.ReadTimeout):
        post(client, headers, timeout=0.3)
    assert len(control.posts("x")) == accepted
    record = wait_for(lambda: [r for r in control.records("x", "POST", "tweets") if r.status == 0])[0]
    assert record.fault == "hang"


@pytest.mark.parametrize("at", ["before", "after"])
def test_delay(client: Client, control: SandboxControl, headers: dict[str, str], at: Any) -> None:
    control.add_fault("delay", at=at, seconds=0.3, **TWEETS)
    started = time.monotonic()
    assert post(client, headers).status_code == 201
    assert time.monotonic() - started >= 0.3


def test_rate_limit_of_x(client: Client, control: SandboxControl, headers: dict[str, str]) -> None:
    control.add_fault("rate_limit", **TWEETS)
    response = post(client, headers)
    assert (response.status_code, response.headers["x-rate-limit-remaining"]) == (429, "0")
    assert int(response.headers["x-rate-limit-reset"]) > time.time()
    assert "retry-after" not in response.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("linkedin/v2/userinfo", 429),
        ("tiktok/v2/user/info/", 429),
        ("instagram/me", 400),
        ("youtube/v1/userinfo", 403),
    ],
)
def test_rate_limit_in_the_words_of_each_platform(
    client: Client, control: SandboxControl, path: str, status: int
) -> None:
    control.add_fault("rate_limit", path=path, headers={"retry-after": "7"})
    response = client.http.get(f"/{path}")
    assert (response.status_code, response.headers["retry-after"]) == (status, "7")
    assert "imit" in response.text or "quota" in response.text


def test_token_revoked_at_that_instant(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("revoke_token", **TWEETS)
    assert post(client, headers).status_code == 401
    fresh = client.x()
    control.add_fault("revoke_token", at="after", **TWEETS)
    assert post(client, fresh).status_code == 201
    assert client.http.get("/x/2/users/me", headers=fresh).status_code == 401


def test_malformed_answer_to_an_accepted_post(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("malformed", **TWEETS)
    response = post(client, headers)
    assert response.status_code == 200
    with pytest.raises(ValueError, match="Unterminated"):
        response.json()
    assert len(control.posts("x")) == 1


@pytest.mark.parametrize(("at", "accepted_while_held"), [("before", 0), ("after", 1)])
def test_hold_and_release(
    client: Client, control: SandboxControl, headers: dict[str, str], at: Any, accepted_while_held: int
) -> None:
    control.add_fault("hold", at=at, **TWEETS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, client, headers)
        [held] = wait_for(control.held)
        assert (held.at, held.path) == (at, "/x/2/tweets")
        assert len(control.posts("x")) == accepted_while_held
        assert control.records("x", "POST", "tweets")[0].status is None
        assert not answer.done()
        assert control.release(held.id) == 1
        assert answer.result(5).status_code == 201
    assert control.held() == []
    assert len(control.posts("x")) == 1


@pytest.mark.parametrize(("at", "accepted"), [("before", 0), ("after", 1)])
def test_held_request_can_be_dropped(
    client: Client, control: SandboxControl, headers: dict[str, str], at: Any, accepted: int
) -> None:
    control.add_fault("hold", at=at, **TWEETS)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, client, headers)
        wait_for(control.held)
        control.release(drop=True)
        with pytest.raises(httpx.TransportError):
            answer.result(5)
    assert len(control.posts("x")) == accepted


def test_held_request_of_a_dead_client_is_still_accepted(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("hold", **TWEETS)
    connection = http.client.HTTPConnection(urlsplit(client.sandbox.url).netloc)
    connection.request(
        "POST",
        "/x/2/tweets",
        json.dumps({"text": "last words"}),
        {**headers, "content-type": "application/json"},
    )
    wait_for(control.held)
    connection.close()
    control.release()
    assert wait_for(lambda: control.posts("x"))[0].text == "last words"


def test_faults_match_by_platform_method_path_and_count(
    client: Client, control: SandboxControl, headers: dict[str, str]
) -> None:
    control.add_fault("status", platform="linkedin")
    control.add_fault("status", platform="x", method="GET")
    control.add_fault("status", platform="x", path="/media/")
    assert post(client, headers).status_code == 201
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 503
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 200
    control.clear_faults()
    assert client.http.get("/linkedin/v2/userinfo").status_code == 401


def test_oauth_endpoints_can_fail_too(client: Client, control: SandboxControl) -> None:
    control.add_fault("status", status=500, path="/oauth2/token$")
    code = client.code("x")
    assert client.redeem("x", code).status_code == 500
    assert client.redeem("x", code).status_code == 200


@pytest.mark.parametrize(
    "spec",
    [
        {"kind": "explode"},
        {},
        {"kind": "status", "path": "("},
        {"kind": "reset_after", "at": "before"},
        {"kind": "reset_before", "at": "after"},
        {"kind": "status", "at": "during"},
        {"kind": "status", "color": "red"},
        {"kind": "status", "times": "twice"},
    ],
)
def test_senseless_rules_are_refused(control: SandboxControl, spec: dict[str, Any]) -> None:
    with pytest.raises(ControlError):
        control._post("faults", spec)


def test_many_clients_at_once_lose_nothing(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    barrier = threading.Barrier(8)

    def burst(worker: int) -> list[int]:
        barrier.wait()
        return [post(client, headers, f"{worker} {n}").status_code for n in range(10)]

    with ThreadPoolExecutor(8) as pool:
        statuses = [s for part in pool.map(burst, range(8)) for s in part]
    assert statuses == [201] * 80
    assert len({p.id for p in control.posts("x")}) == 80
    assert control.totals()["x POST"] == 81  # the token exchange is one
