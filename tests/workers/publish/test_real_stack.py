"""The worker as operators run it, against the real database and the sandbox: from connecting to published."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from supabase import Client

from tests.sandbox.flow import png
from tests.support.api import PASSWORD, Api
from tests.support.running import REDIRECT, RunningWorker, running_worker
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox


@dataclass
class Service:
    """Everything that runs."""

    api: Api
    sandbox: Sandbox
    worker: RunningWorker


@pytest.fixture(scope="module")
def service(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Sandbox.start() as sandbox:
        logs = tmp_path_factory.mktemp("logs")
        with running_worker(api, sandbox, logs, NEXORA_LOG_LEVEL="debug") as worker:
            callbacks = [f"{worker.web_url}/oauth/{platform}/callback" for platform in ("x", "linkedin")]
            sandbox.control.add_redirect_uris(*callbacks)
            yield Service(api, sandbox, worker)
            assert worker.stop() == 0


@dataclass
class Person:
    """Somebody with connected accounts."""

    client: Client
    connections: dict[str, str]
    service: Service

    def post(self, text: str, *platforms: str, images: int = 0) -> str:
        """A post with targets; its id."""
        user_id = self.client.auth.get_user().user.id  # type: ignore[union-attr]
        post = self._insert("posts", {"user_id": user_id, "body": text})
        for index in range(images):
            name = f"{user_id}/{uuid.uuid4().hex}.png"
            self.client.storage.from_("media").upload(name, png(shade=index), {"content-type": "image/png"})
            media = self.client.rpc(
                "register_media", {"p_object_name": name, "p_alt_text": f"shade {index}"}
            ).execute()
            row: Any = media.data
            media_id = row["id"] if isinstance(row, dict) else row[0]["id"]
            self._insert(
                "post_media",
                {"post_id": post, "media_id": media_id, "user_id": user_id, "position": index + 1},
                key="post_id",
            )
        for platform in platforms:
            self._insert(
                "post_targets",
                {
                    "user_id": user_id,
                    "post_id": post,
                    "connection_id": self.connections[platform],
                },
            )
        return post

    def _insert(self, table: str, row: dict[str, Any], key: str = "id") -> str:
        inserted: Any = self.client.table(table).insert(row).execute().data
        return str(inserted[0][key])

    def schedule(self, post: str, *, in_seconds: float = 0.5) -> None:
        """Schedule all targets of a post."""
        at = datetime.now(UTC) + timedelta(seconds=in_seconds)
        self.client.rpc("schedule_post", {"p_post_id": post, "p_at": at.isoformat()}).execute()

    def targets(self, post: str) -> dict[str, dict[str, Any]]:
        """Targets of a post by platform."""
        rows: Any = self.client.table("post_targets").select("*").eq("post_id", post).execute().data
        return {row["platform_id"]: row for row in rows}

    def wait_for(self, post: str, state: str, timeout: float = 60) -> dict[str, dict[str, Any]]:
        """Wait until all targets of a post are in a state."""
        wait_until(lambda: all(t["state"] == state for t in self.targets(post).values()), timeout)
        return self.targets(post)

    def wait_for_code(self, post: str, code: str, timeout: float = 60) -> dict[str, dict[str, Any]]:
        """Wait until all targets of a post say why they did not go out."""
        wait_until(lambda: all(t["failure_code"] == code for t in self.targets(post).values()), timeout)
        return self.targets(post)


_people = 0


@pytest.fixture
def person(service: Service) -> Iterator[Person]:
    """A new person whose accounts on X and LinkedIn are connected through the browser's steps."""
    global _people
    _people += 1
    key = f"p{_people}"
    service.sandbox.control.add_person(key, f"Person {_people}", f"person_{_people}")
    with service.api.client() as client:
        data = {"birth_date": "1990-01-01"}
        client.auth.sign_up(
            {"email": f"{uuid.uuid4().hex}@people.example", "password": PASSWORD, "options": {"data": data}}
        )
        connections = {platform: connect(service, client, platform, key) for platform in ("x", "linkedin")}
        yield Person(client, connections, service)


def connect(service: Service, client: Client, platform: str, key: str) -> str:
    service.sandbox.control.auto_approve(platform, key)
    url: Any = (
        client.rpc(
            "begin_connection",
            {"p_platform": platform, "p_features": ["profile", "publish"], "p_redirect_to": REDIRECT},
        )
        .execute()
        .data
    )
    with httpx.Client() as browser:
        response = browser.get(url)
        for _ in range(5):
            location = response.headers.get("location", "")
            if not location or location.startswith(REDIRECT):
                break
            response = browser.get(location)
    assert location.startswith(REDIRECT), (response.status_code, response.text[:2000])
    code = parse_qs(urlsplit(location).query)["connection_code"][0]
    rows: Any = client.rpc("confirm_connection", {"p_code": code}).execute().data
    assert len(rows) == 1, location
    return str(rows[0]["id"])


def _text() -> str:
    return f"A post that is like no other: {uuid.uuid4().hex} <3 & more (part 1) #first"


def test_text_and_images_are_published_on_time(service: Service, person: Person) -> None:
    text = _text()
    post = person.post(text, "x", "linkedin", images=2)
    person.schedule(post, in_seconds=1.0)
    targets = person.wait_for(post, "published")
    for platform in ("x", "linkedin"):
        (shown,) = [p for p in service.sandbox.control.posts(platform) if p.text == text]
        assert shown.id == targets[platform]["external_id"]
        assert len(shown.media) == 2
        assert [file.alt_text for file in shown.media] == ["shade 0", "shade 1"]
        late = shown.created_at - datetime.fromisoformat(targets[platform]["scheduled_at"]).timestamp()
        assert 0 <= late < 10


def test_an_answer_that_is_lost_does_not_make_it_appear_twice(service: Service, person: Person) -> None:
    text = _text()
    service.sandbox.control.add_fault("reset_after", platform="x", method="POST", path="/2/tweets$")
    post = person.post(text, "x")
    person.schedule(post)
    person.wait_for(post, "published", 60)
    assert len([p for p in service.sandbox.control.posts("x") if p.text == text]) == 1


def test_linkedin_recognises_its_own_post(service: Service, person: Person) -> None:
    text = _text()
    service.sandbox.control.add_fault("reset_after", platform="linkedin", method="POST", path="/rest/posts$")
    post = person.post(text, "linkedin", images=1)
    person.schedule(post)
    person.wait_for(post, "published", 90)
    assert len([p for p in service.sandbox.control.posts("linkedin") if p.text == text]) == 1


def test_a_refusal_is_told_in_words(service: Service, person: Person) -> None:
    text = _text()
    first = person.post(text, "x")
    person.schedule(first)
    person.wait_for(first, "published")
    again = person.post(text, "x")
    person.schedule(again)
    target = person.wait_for(again, "failed")["x"]
    assert target["failure_code"] == "duplicate_content"
    assert "posted before" in target["failure_message"]


def test_a_rate_limit_is_waited_for(service: Service, person: Person) -> None:
    service.sandbox.control.add_fault(
        "rate_limit",
        platform="x",
        path="/2/tweets$",
        headers={"x-rate-limit-reset": str(int(time.time()) + 2)},
    )
    post = person.post(_text(), "x")
    person.schedule(post)
    person.wait_for(post, "published", 60)


def test_a_revoked_grant_asks_to_reconnect(service: Service, person: Person) -> None:
    key = f"p{_people}"
    service.sandbox.control.revoke("x", key)
    post = person.post(_text(), "x")
    person.schedule(post)
    target = person.wait_for_code(post, "NX430")["x"]
    assert target["state"] == "scheduled"  # paused: it goes on when the account is connected again
    row: Any = person.client.table("connections").select("state").eq("platform_id", "x").execute().data
    assert row[0]["state"] == "needs_reconnect"


def test_a_disconnected_account_publishes_nothing(service: Service, person: Person) -> None:
    text = _text()
    post = person.post(text, "x")
    person.schedule(post, in_seconds=1.5)
    person.client.rpc("disconnect_account", {"p_connection_id": person.connections["x"]}).execute()
    person.wait_for(post, "failed")
    time.sleep(2)
    assert [p for p in service.sandbox.control.posts("x") if p.text == text] == []


def test_disconnecting_gives_the_token_back_to_the_platform(service: Service, person: Person) -> None:
    person.client.rpc("disconnect_account", {"p_connection_id": person.connections["x"]}).execute()
    wait_until(lambda: service.sandbox.control.records("x", "POST", "revoke"), 60)
    with psycopg.connect(service.api.admin_url) as connection:
        wait_until(lambda: not connection.execute("select 1 from private.revocation_outbox").fetchall(), 60)


def test_many_posts_drain_quickly(service: Service, person: Person) -> None:
    texts = [_text() for _ in range(60)]
    posts = [person.post(text, "x") for text in texts]
    at = datetime.now(UTC) + timedelta(seconds=2)
    for post in posts:
        person.client.rpc("schedule_post", {"p_post_id": post, "p_at": at.isoformat()}).execute()
    for post in posts:
        person.wait_for(post, "published", 60)
    shown = [p.text for p in service.sandbox.control.posts("x")]
    assert [text for text in texts if shown.count(text) != 1] == []


def test_metrics_and_health(service: Service, person: Person) -> None:
    assert httpx.get(f"{service.worker.web_url}/health").json() == {"status": "ok"}
    metrics = httpx.get(f"{service.worker.web_url}/metrics").text
    for name in ("nexora_claims_total", "nexora_published_total", "nexora_queue_lag_seconds_bucket"):
        assert name in metrics


def test_the_log_holds_no_content(service: Service, person: Person) -> None:
    text = f"canary {uuid.uuid4().hex}"
    post = person.post(text, "x", "linkedin", images=1)
    service.sandbox.control.add_fault("malformed", platform="x", method="POST", path="/2/tweets$")
    person.schedule(post)
    wait_until(lambda: person.targets(post)["linkedin"]["state"] == "published", 60)
    log = service.worker.log_text()
    email = person.client.auth.get_user().user.email  # type: ignore[union-attr]
    secrets = [text, email, service.api.secret_key, service.sandbox.secret, "/tweets", "Traceback"]
    assert [value for value in secrets if value and value in log] == []
    assert "target_concluded" in log
