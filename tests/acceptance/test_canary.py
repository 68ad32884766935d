"""P7.3, P8.2, P8.3: two people with a marker in all they have; one is erased, and is found nowhere any more.

They use the service through the public API and a real worker: signing up, connecting, writing, uploading, publishing,
asking for the erasure. What no API writes is put there as its writer would, and where a column of a text about people
is still without the marker, it is put there too (`tests.support.canary`); the catalogue says which these are.
Then everything that is kept is searched for the markers in plain, encoded and hashed forms: a dump of the whole
database with schema and queue, the planner's statistics, stored files and their names, the logs, and what the sandbox
keeps as Stripe and Resend.

What a platform was given is the person's own there: an erasure ends our access and deletes our copies, and the posts
stay where the person published them (ARCHITECTURE.md, "Choices"). So of the sandbox's platforms only the grants count.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from tests.support.api import Api
from tests.support.canary import Canary, columns_without, new_canary
from tests.support.running import RunningWorker, running_worker
from tests.support.secrets import found
from tests.support.waiting import wait_until
from workers.embedded import Stack
from workers.jobs.backup import client_tool
from workers.sandbox import Sandbox

Places = dict[str, bytes]


@dataclass
class Service:
    """Everything that runs."""

    api: Api
    stack: Stack
    sandbox: Sandbox
    worker: RunningWorker
    gone: Canary
    stays: Canary

    def places(self) -> Places:
        """Everything that is kept, by where it is kept."""
        dump = [
            client_tool("pg_dump"),
            "--exclude-table-data=retained.billing_invoices",  # looked into on its own
            self.api.admin_url,
        ]
        files = [
            path for path in (self.stack._state_dir / "files" / self.database).rglob("*") if path.is_file()
        ]
        logs = [path.read_bytes() for path in self.stack._state_dir.rglob("*.log")]
        kept_outside = (
            self.sandbox.control.stripe(),
            self.sandbox.control.suppressions(),
            [mail.to for mail in self.sandbox.control.mails()],
        )
        return {
            "dump": subprocess.run(dump, check=True, capture_output=True).stdout,
            "statistics": self.statistics().encode(),
            "names of files": "\n".join(map(str, files)).encode(),
            "files": b"".join(path.read_bytes() for path in files),
            "sandbox": json.dumps(kept_outside).encode(),
            "logs": self.worker.log_text().encode() + b"".join(logs),
        }

    def statistics(self) -> str:
        with psycopg.connect(self.api.admin_url) as admin:
            row = admin.execute("select coalesce(string_agg(s::text, ' '), '') from pg_stats s").fetchone()
        assert row is not None
        return str(row[0])

    @property
    def database(self) -> str:
        return psycopg.conninfo.conninfo_to_dict(self.api.db_url)["dbname"]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def service(
    api: Api, stack: Stack, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Two people who have used everything, and a worker."""
    logs = tmp_path_factory.mktemp("logs")
    sandbox.control.set_limits(resend=1000)
    with running_worker(
        api, sandbox, logs, NEXORA_LOG_LEVEL="debug", NEXORA_MAIL_PER_SECOND="1000"
    ) as worker:
        sandbox.control.set_mail_webhook(f"{worker.web_url}/webhooks/resend")
        gone, stays = (new_canary(api, sandbox, worker) for _ in range(2))
        with gone.creator, stays.creator:
            yield Service(api, stack, sandbox, worker, gone, stays)


def _pass_seven_days(api: Api) -> None:
    with psycopg.connect(api.db_url) as db:
        db.execute(
            """update private.erasures set requested_at = requested_at - interval '7 days',
                 grace_until = grace_until - interval '7 days', due_at = due_at - interval '7 days'"""
        )
        db.execute("update private.queue set due_at = now() where lane = 'erasure'")


def _pass_thirty_days(service: Service) -> None:
    """What the clock alone brings about for somebody who is gone, at Resend and in tables that belong to others too."""
    service.sandbox.control.advance_clock(30 * 86_400)
    with psycopg.connect(service.api.admin_url) as admin:
        admin.execute(
            "analyze auth.users, auth.identities, auth.sessions, auth.refresh_tokens, storage.objects"
        )  # as autovacuum does there
    with psycopg.connect(service.api.db_url) as db:
        for cleanup in ("expire_revocations", "forget_erasure_notices"):
            db.execute(f"select private.{cleanup}(now() + interval '30 days')")


@pytest.fixture(scope="module")
def before(service: Service) -> Places:
    """What is kept while both are there."""
    with psycopg.connect(service.api.admin_url, autocommit=True) as admin:
        admin.execute("analyze")
    statistics = service.statistics().encode()
    with psycopg.connect(service.api.admin_url) as admin:
        for canary in (service.gone, service.stays):
            assert columns_without(admin, canary) == set(), (
                "plant it in tests/support/canary.py, or say why not"
            )
    return {**service.places(), "statistics": statistics}


@pytest.fixture(scope="module")
def after(service: Service, before: Places) -> Places:
    """What is kept thirty days after one of them has asked to be erased."""
    client = service.gone.creator.client._transport.supabase
    assert "'state': 'requested'" in str(client.rpc("request_erasure").execute().data)
    _pass_seven_days(service.api)

    def is_completed() -> bool:
        with psycopg.connect(service.api.db_url) as db:
            return db.execute("select state from private.erasures").fetchone() == ("completed",)

    wait_until(is_completed, timeout=60)
    _pass_thirty_days(service)
    return service.places()


def test_before_the_markers_are_everywhere(service: Service, before: Places) -> None:
    """Without this, finding nothing afterwards would prove nothing; `before` has looked into every column."""
    for canary in (service.gone, service.stays):
        places = {
            place for name, _, place in found(canary.needles(), before) if name in ("marker", "id", "email")
        }
        assert places >= {"dump", "statistics", "files", "sandbox"}  # the names of files stand in the dump


def test_afterwards_nothing_of_the_one_is_left(service: Service, after: Places) -> None:
    """But at Stripe the id of the customer, whose invoice has to stay: an empty shell that we know no more of."""
    left = {
        (name, form, place) for name, form, place in found(service.gone.needles(), after) if place != "logs"
    }
    assert {hit for hit in left if (hit[0], hit[2]) != ("customer", "sandbox")} == set()


def test_the_log_never_held_more_than_the_id(service: Service, after: Places) -> None:
    """P1.11: logs are not erased, so they may name nobody; an id that leads nowhere is nobody's."""
    assert {name for name, _, place in found(service.gone.needles(), after) if place == "logs"} <= {"id"}


def test_everything_of_the_other_is_still_there(service: Service, before: Places, after: Places) -> None:
    marker = service.stays.marker.encode()
    for place in ("dump", "files", "names of files"):
        assert after[place].count(marker) == before[place].count(marker), place


def test_the_platform_has_ended_the_grant_of_the_one_and_not_of_the_other(
    service: Service, after: Places
) -> None:
    """P6.7, on X: LinkedIn has no call for it. Revoking once more answers how many grants were alive."""
    assert service.sandbox.control.revoke("x", service.gone.marker) == 0
    assert service.sandbox.control.revoke("x", service.stays.marker) > 0


def test_what_the_law_wants_of_an_invoice_is_kept_apart(service: Service, after: Places) -> None:
    """P8.3: number, text, and name and address on it; nothing else of it leads to whoever it was."""
    with psycopg.connect(service.api.db_url) as db:
        kept = db.execute(
            """select (to_jsonb(i) - '{number,description,billed_to}'::text[])::text, billed_to, purge_after - issued_at
               from retained.billing_invoices i"""
        ).fetchall()
    ((rest, billed_to, term),) = kept
    assert billed_to == service.gone.marker
    assert not service.gone.is_in(rest)
    assert term.days >= 7 * 365
