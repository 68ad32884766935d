"""A mail's whole way: database, worker process, Resend's sandbox, signed events back, and the unsubscribe link."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.client.people import new_person, worker_fact
from tests.support.api import Api
from tests.support.running import RunningWorker, running_worker
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def worker(api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    with running_worker(api, sandbox, tmp_path_factory.mktemp("worker")) as running:
        sandbox.control.set_mail_webhook(f"{running.web_url}/webhooks/resend")
        yield running


def _log(api: Api, address: str) -> list[tuple[str, str, bool]]:
    with psycopg.connect(api.db_url) as connection:
        return connection.execute(
            """select m.template_id, m.state, m.delivered_at is not null from private.mails m
               join auth.users u on u.id = m.user_id where u.email = %s order by m.created_at""",
            (address,),
        ).fetchall()


def test_a_notice_is_delivered_and_can_be_stopped_with_one_click(
    api: Api, sandbox: Sandbox, worker: RunningWorker
) -> None:
    with new_person(api) as ada:
        tell = "select private.notify(%s, 'target_failed', 'post_target', gen_random_uuid(), 'NX410')"
        worker_fact(api.db_url, tell, ada.user_id)
        wait_until(lambda: _log(api, ada.email) == [("notice", "sent", True)])
        (mail,) = sandbox.control.mails(ada.email)
        assert mail.subject == "A post breaks a rule of its platform"
        link = re.fullmatch(r"<(http\S+)>", (mail.headers or {})["List-Unsubscribe"])
        assert link is not None
        assert httpx.get(link[1]).status_code == 200
        assert {c.id.value: c.is_wanted for c in ada.client.mail.choices()}["product"]
        assert httpx.post(link[1], data={"List-Unsubscribe": "One-Click"}).status_code == 200
        assert not {c.id.value: c.is_wanted for c in ada.client.mail.choices()}["product"]
        worker_fact(api.db_url, tell, ada.user_id)
        assert _log(api, ada.email) == [("notice", "sent", True)]


def test_a_worker_that_dies_after_sending_sends_no_second_mail(
    api: Api, sandbox: Sandbox, tmp_path: Path, worker: RunningWorker
) -> None:
    """The answer is lost with the process; the event tells the database, or the key stops the second."""
    with new_person(api) as ada:
        sandbox.control.add_fault("reset_after", platform="resend", path="^/resend/emails$", times=2)
        worker_fact(
            api.db_url,
            "select private.queue_mail(%s, 'password_changed', '{}', %s)",
            ada.user_id,
            f"t:{ada.user_id}",
        )
        wait_until(lambda: _log(api, ada.email) == [("password_changed", "sent", True)], 30)
        assert len(sandbox.control.mails(ada.email)) == 1


def test_the_log_of_the_worker_names_nobody(api: Api, worker: RunningWorker) -> None:
    """P1.11."""
    assert "people.example" not in worker.log_text()


def test_a_guardian_consents_and_takes_it_back(api: Api, sandbox: Sandbox, worker: RunningWorker) -> None:
    """P9.2, from the request of the minor to the page of the guardian."""
    guardian = f"{uuid.uuid4().hex[:12]}@family.example"
    birth_date = date.today() - timedelta(days=15 * 365)
    with new_person(api, birth_date=birth_date) as kim:
        kim.client.account.request_guardian_consent("Alex Parent", guardian)
        mail = wait_until(lambda: sandbox.control.mails(guardian), 20)[0]
        confirm, revoke = (
            re.search(rf"(http\S+/guardian/{way}\?token=\w+)", mail.text) for way in ("confirm", "revoke")
        )
        assert confirm is not None
        assert revoke is not None
        assert httpx.get(confirm[1]).status_code == 200
        assert kim.client.account.me().state == "awaiting_guardian"
        assert httpx.post(confirm[1]).status_code == 200
        assert kim.client.account.me().state == "active"
        assert httpx.post(revoke[1]).status_code == 200
        assert kim.client.account.me().state == "awaiting_guardian"
