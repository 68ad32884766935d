"""The control API, the records, the gallery, the other platforms' accounts, and the server itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client, png
from tests.sandbox.test_x_media import Uploads
from workers.sandbox import ControlError, Sandbox, SandboxControl
from workers.sandbox import state as state_module
from workers.sandbox.client import PublishedPost
from workers.sandbox.state import Person, Post, Posts

ROOT = Path(__file__).resolve().parents[2]


def test_records_hold_the_request_and_no_secret(client: Client, control: SandboxControl) -> None:
    tokens = client.tokens("x")
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    client.http.post("/x/2/tweets", json={"text": "kept"}, headers=headers)
    client.http.get("/instagram/me", params={"access_token": "very-secret", "fields": "id"})
    records = control.records()
    everything = repr(records)
    for secret in (tokens["access_token"], tokens["refresh_token"], client.sandbox.secret, "very-secret"):
        assert secret not in everything
    post = control.records("x", "POST", "tweets")[0]
    assert post.body == {"text": "kept"}
    assert post.headers["authorization"].startswith("Bearer sha256:")
    assert (post.accepted, post.status) == (True, 201)
    token = control.records("x", path="token$")[0]
    assert token.body["grant_type"] == "authorization_code"
    assert token.body["code"].startswith("sha256:")
    assert control.records(since=records[-1].number) == []
    with pytest.raises(ControlError, match="regular expression"):
        control.records(path="(")


def test_records_describe_files_by_hash(client: Client, control: SandboxControl) -> None:
    Uploads(client).whole(png())
    [append] = control.records(path="append")
    assert set(append.body) == {"bytes", "sha256"}


def test_reset_forgets_everything_but_the_client(client: Client, control: SandboxControl) -> None:
    headers = client.x()
    client.http.post("/x/2/tweets", json={"text": "a"}, headers=headers)
    control.add_person("ann", "Ann", "ann")
    control.advance_clock(100)
    control.add_fault("status")
    control.reset()
    assert (control.posts(), control.records(), control.totals()) == ([], [], {})
    assert set(control.people()) == {"maya", "jonas", "priya"}
    assert client.http.get("/x/2/users/me", headers=headers).status_code == 401
    assert client.tokens("x")["token_type"] == "bearer"


def test_new_people_can_sign_in(client: Client, control: SandboxControl) -> None:
    accounts = control.add_person("ann", "Ann Lee", "annlee", "Potter", x_premium=True)
    headers = client.x("ann")
    assert client.http.get("/x/2/users/me", headers=headers).json()["data"]["id"] == accounts["x"]


def test_person_revokes_the_application(client: Client, control: SandboxControl) -> None:
    mine, other = client.x(), client.x("jonas")
    assert control.revoke("x", "maya") == 1
    assert client.http.get("/x/2/users/me", headers=mine).status_code == 401
    assert client.http.get("/x/2/users/me", headers=other).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("revoke", {"platform": "x", "person": "nobody"}),
        ("revoke", {"platform": "myspace", "person": "maya"}),
        ("metrics", {"platform": "x", "post_id": "1", "metrics": {}}),
        ("people", {"key": "a"}),
        ("approved_scopes", {"platform": "x", "scopes": ["root"]}),
        ("clock", {"offset_seconds": "soon"}),
    ],
)
def test_senseless_control_requests_are_refused(
    control: SandboxControl, path: str, body: dict[str, object]
) -> None:
    with pytest.raises(ControlError):
        control._post(path, body)


def test_control_takes_json_only(client: Client) -> None:
    assert client.http.post("/_sandbox/reset", content=b"{}").status_code == 415
    assert client.http.post("/_sandbox/reset", json=[]).status_code == 400
    assert client.http.get("/_sandbox/nope").status_code == 404
    assert client.http.get("/myspace/api").status_code == 404


def test_gallery_shows_posts_and_escapes_them(client: Client) -> None:
    assert "Nothing published yet" in client.http.get("/").text
    uploads = Uploads(client)
    media_id = uploads.whole(png())
    uploads.post(media_id, text='<img src=x onerror="alert(1)"> & https://example.com/?a=1&b=2')
    client.http.post("/_sandbox/metrics", json={})
    page = client.http.get("/")
    assert "<img src=x" not in page.text
    assert (
        "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; <a>https://example.com/?a=1&amp;b=2</a>"
        in page.text
    )
    assert 'src="/_sandbox/media/' in page.text
    assert "<script" not in page.text
    assert "prefers-color-scheme: dark" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_media_bytes_are_served_inertly(client: Client, control: SandboxControl) -> None:
    uploads = Uploads(client)
    uploads.post(uploads.whole(png()))
    response = client.http.get(control.posts()[0].media[0].url)
    assert (response.headers["content-type"], response.headers["x-content-type-options"]) == (
        "image/png",
        "nosniff",
    )
    assert client.http.get("/_sandbox/media/unknown").status_code == 404


def test_typed_client_covers_the_whole_answer(client: Client, control: SandboxControl) -> None:
    client.http.post("/x/2/tweets", json={"text": "typed"}, headers=client.x())
    [post] = control.posts()
    assert isinstance(post, PublishedPost)
    assert (post.platform, post.handle, post.reply_to, post.media) == ("x", "mayaokafor", None, ())


def test_youtube_channel(client: Client) -> None:
    headers = {"authorization": f"Bearer {client.tokens('youtube')['access_token']}"}
    path = "/youtube/youtube/v3/channels"
    found = client.http.get(path, params={"part": "snippet", "mine": "true"}, headers=headers).json()
    assert found["items"][0]["id"] == client.account("youtube")
    assert client.http.get(path, params={"part": "snippet"}, headers=headers).status_code == 400
    assert client.http.get(path, params={"part": "snippet", "mine": "true"}).status_code == 401
    assert client.http.get("/youtube/v1/userinfo", headers=headers).json()["name"] == "Maya Okafor"


def test_tiktok_user(client: Client) -> None:
    tokens = client.tokens("tiktok")
    headers = {"authorization": f"Bearer {tokens['access_token']}"}

    def user(fields: str, headers: dict[str, str] = headers) -> httpx.Response:
        return client.http.get("/tiktok/v2/user/info/", params={"fields": fields}, headers=headers)

    found = user("open_id,display_name").json()
    assert found["data"]["user"] == {"open_id": tokens["open_id"], "display_name": "Maya Okafor"}
    assert found["error"]["code"] == "ok"
    assert user("").json()["error"]["code"] == "invalid_params"
    assert user("open_id", {}).json()["error"]["code"] == "access_token_invalid"
    assert user("username").json()["error"]["code"] == "scope_not_authorized"


def test_instagram_long_lived_token(client: Client, control: SandboxControl) -> None:
    short = client.tokens("instagram")["access_token"]

    def get(path: str, **query: str) -> httpx.Response:
        return client.http.get(f"/instagram/{path}", params=query)

    exchange = {"grant_type": "ig_exchange_token", "client_secret": client.sandbox.secret}
    assert get("access_token", **exchange | {"client_secret": "wrong"}, access_token=short).status_code == 400
    long = get("access_token", **exchange, access_token=short).json()
    assert long["expires_in"] == 60 * 86_400
    token = long["access_token"]
    assert get("access_token", **exchange, access_token=token).status_code == 400
    me = get("v24.0/me", fields="user_id,username", access_token=token).json()
    assert me == {"user_id": client.account("instagram"), "username": "mayaokafor"}
    assert get("me", fields="password", access_token=token).status_code == 400
    refresh = {"grant_type": "ig_refresh_token", "access_token": token}
    assert "24 hours" in get("refresh_access_token", **refresh).json()["error"]["message"]
    control.advance_clock(86_401)
    assert get("refresh_access_token", **refresh).status_code == 200
    assert get("me", fields="id", access_token=short).json()["error"]["code"] == 190


def test_server_stops_and_frees_its_port() -> None:
    sandbox = Sandbox.start(redirect_uris=[REDIRECT])
    port = int(sandbox.url.rsplit(":", 1)[1])
    sandbox.control.add_fault("hang", platform="x")
    raw = socket.create_connection(("127.0.0.1", port))
    raw.sendall(b"GET /x/2/users/me HTTP/1.1\r\nhost: a\r\n\r\n")
    time.sleep(0.1)
    started = time.monotonic()
    sandbox.stop()
    sandbox.stop()
    raw.close()
    assert time.monotonic() - started < 30  # a request hangs for ever
    with Sandbox.start(port=port, redirect_uris=[REDIRECT]) as again:
        assert again.control.posts() == []


def test_taken_port_is_an_error(client: Client) -> None:
    port = int(client.sandbox.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="in use"):
        Sandbox.start(port=port)


def test_module_runs_as_a_process_and_stops_on_a_signal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "NEXORA_SANDBOX_SECRET": "made-up-for-this-test"}
    command = [sys.executable, "-m", "workers.sandbox", "--port", str(port), "--redirect-uri", REDIRECT]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        control = SandboxControl(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                assert control.totals() == {}
                break
            except OSError:
                time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_module_refuses_to_run_without_a_secret() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "NEXORA_SANDBOX_SECRET"}
    command = [sys.executable, "-m", "workers.sandbox", "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NEXORA_SANDBOX_SECRET" in done.stderr


def test_posts_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MAX_POSTS", 3)
    posts, person = Posts(), Person("p", "P", "p")
    for number in range(5):
        posts.add(Post(str(number), "x", person, float(number), "t", "t", "u", duplicate_key=f"k{number}"))
    assert [p.id for p in posts.newest()] == ["4", "3", "2"]
    assert [p.id for p in posts.of("x", person)] == ["4", "3", "2"]
    assert posts.duplicate("x", person, "k0", 0) is None
    assert posts.duplicate("x", person, "k4", 0) is not None


def test_media_bytes_are_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_module, "MAX_MEDIA_BYTES", 10)
    library, person = state_module.Library(), Person("p", "P", "p")
    for number in range(3):
        media = state_module.Media(str(number), "x", person, 0, 0)
        library.add(media)
        library.store(media, bytes(6))
    kept = [library.get("x", str(n)) for n in range(3)]
    assert [m is not None and m.data is not None for m in kept] == [False, False, True]
    assert all(m is not None and m.sha256 for m in kept)
