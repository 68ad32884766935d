"""A front end's whole journey in plain supabase-js, against the real worker and the sandbox platforms."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import psycopg

from tests.support.api import Api
from tests.support.running import REDIRECT, RunningWorker, running_worker
from workers.embedded.api import find_node
from workers.sandbox import Sandbox

HERE = Path(__file__).resolve().parent
DEMO = HERE.parents[1] / "workers" / "cli" / "demo_input"
TEXT = "Day 30: I wanted a thermos that works. Show up before you feel ready. https://example.org/first-light"


def run_journey(api: Api) -> dict[str, object]:
    """Run the script and return what it reports; its own expectations are inside."""
    journey = {
        "url": api.url,
        "publishableKey": api.publishable_key,
        "redirectTo": REDIRECT,
        "image": str(DEMO / "first-light.jpg"),
        "text": TEXT,
    }
    done = subprocess.run(
        [find_node(), str(HERE / "supabase_js.mjs")],
        env=os.environ | {"JOURNEY": json.dumps(journey)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


def test_the_whole_journey(api: Api, sandbox: Sandbox, tmp_path: Path) -> None:
    with running_worker(api, sandbox, tmp_path) as worker:
        sandbox.control.add_redirect_uris(f"{worker.web_url}/oauth/x/callback", platform="x")
        report = run_journey(api)
        assert_redirects(report, worker, sandbox)
        assert_log_is_clean(worker, report)
    assert (report["strangersOrder"], report["strangersCancel"]) == ("NX401", "NX402")
    assert_published_once(sandbox, report)
    assert_tokens_are_sealed(api)


def assert_redirects(report: dict[str, object], worker: RunningWorker, sandbox: Sandbox) -> None:
    """The browser went from the worker to the platform and back, and nowhere else."""
    visited = report["visited"]
    assert isinstance(visited, list)
    assert visited[0] == f"{worker.web_url}/oauth/x/start"
    assert visited[-1] == f"{worker.web_url}/oauth/x/callback"
    assert all(one.startswith(sandbox.url) for one in visited[1:-1])
    assert str(report["cameBackTo"]).startswith(f"{REDIRECT}?connection_code=")


def assert_published_once(sandbox: Sandbox, report: dict[str, object]) -> None:
    """The platform has one post, with the text and the picture as they were written."""
    (post,) = sandbox.control.posts("x")
    assert (post.id, post.sent_text, post.person) == (report["externalId"], TEXT, "maya")
    (picture,) = post.media
    assert picture.sha256 == hashlib.sha256((DEMO / "first-light.jpg").read_bytes()).hexdigest()
    assert picture.alt_text == "A lake at first light"


def assert_log_is_clean(worker: RunningWorker, report: dict[str, object]) -> None:
    """P1.11: no text of a post, no address, no token, no handle in the worker's log."""
    log = worker.log_text()
    assert str(report["targetId"]) in log or "published" in log, "the log tells what happened"
    for personal in (
        TEXT[:30],
        report["email"],
        report["accessToken"],
        "mayaokafor",
        "A lake at first light",
    ):
        assert str(personal) not in log


def assert_tokens_are_sealed(api: Api) -> None:
    """P3.4: what stands in the database is a sealed record."""
    with psycopg.connect(api.db_url) as connection:
        rows = connection.execute("select sealed_access, sealed_refresh from private.token_vault").fetchall()
    assert [sealed[:4] for row in rows for sealed in row] == [b"NXT\x01"] * 2
