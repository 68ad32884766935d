"""A worker that is killed while a post is on its way: the next one finds out, and nothing appears twice."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.support.api import Api
from tests.support.running import running_worker
from tests.support.waiting import wait_until
from tests.workers.publish.test_real_stack import Person, Service, connect
from workers.sandbox import Sandbox

pytestmark = pytest.mark.filterwarnings("ignore:The '.*' parameter is deprecated:DeprecationWarning")

LEASE_SECONDS = 12  # a worker's heartbeat comes every 10 s


@pytest.fixture(scope="module", autouse=True)
def _short_leases(api: Api) -> None:
    with psycopg.connect(api.admin_url) as connection:
        connection.execute(
            "update private.settings set value = to_jsonb(%s::int) where key = 'lease_seconds'",
            (LEASE_SECONDS,),
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.mark.parametrize(
    ("at", "is_there"), [("after", True), pytest.param("before", False, marks=pytest.mark.slow)]
)
def test_killed_while_sending(at: str, is_there: bool, api: Api, sandbox: Sandbox, tmp_path: Path) -> None:
    """`before`: the platform never got it (and it is sent a minute later). `after`: it did; nobody heard."""
    key = uuid.uuid4().hex[:8]
    sandbox.control.add_person(key, "Ada", f"ada_{key}")
    text = f"killed {at} {key}"
    with running_worker(api, sandbox, tmp_path) as first:
        sandbox.control.add_redirect_uris(f"{first.web_url}/oauth/x/callback")
        service = Service(api, sandbox, first)
        client = api.sign_up()
        person = Person(client, {"x": connect(service, client, "x", key)}, service)
        sandbox.control.add_fault("hold", at=at, platform="x", method="POST", path="/2/tweets$")  # type: ignore[arg-type]
        post = person.post(text, "x")
        person.schedule(post)
        wait_until(sandbox.control.held)
        first.kill()
    sandbox.control.release(drop=True)
    shown = [p.text for p in sandbox.control.posts("x")]
    assert (text in shown) is is_there
    with running_worker(api, sandbox, tmp_path) as second:
        target = person.wait_for(post, "published", 120)["x"]
        assert second.stop() == 0
    (found,) = [p for p in sandbox.control.posts("x") if p.text == text]
    assert found.id == target["external_id"]
    sent = sandbox.control.records("x", "POST", "/2/tweets$")
    assert len([r for r in sent if r.body == {"text": text}]) == (1 if is_there else 2)
