"""P7.3: an erasure whose worker is killed again and again, at other points each time, ends all the same."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import psycopg

from tests.acceptance.test_crash import let_its_lease_run_out
from tests.client.people import new_person
from tests.support.api import Api
from tests.support.creators import png
from tests.support.gate import Gate
from tests.support.running import running_worker
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox

Point = tuple[str, Literal["before", "after"], int]
POINTS: list[Point] = [
    ("/rpc/advance_erasure", "before", 1),
    ("/rpc/advance_erasure", "after", 1),
    ("/rpc/advance_erasure", "after", 5),
    ("/rpc/advance_erasure", "before", 25),
    ("/storage/v1/object", "before", 1),
    ("/storage/v1/object", "after", 1),
    ("/rpc/advance_erasure", "after", 10),
    ("/rpc/finish_jobs", "before", 1),
]


def test_killed_at_every_turn_it_ends_once(quick_api: Api, sandbox: Sandbox, tmp_path: Path) -> None:
    with new_person(quick_api) as person:
        person.client.content.captions.create("to be forgotten")
        person.client.content.media.upload(png(), "image/png")
        person.client.privacy.erasure.request()
    with psycopg.connect(quick_api.db_url) as db:
        db.execute("update private.settings set value = '1' where key = 'erasure_batch'")
        db.execute("update private.erasures set grace_until = requested_at")
        db.execute("update private.queue set due_at = now() where lane = 'erasure'")
    for point in POINTS:
        _die_at(quick_api, sandbox, tmp_path, point)
    with running_worker(quick_api, sandbox, tmp_path):
        wait_until(lambda: _rows(quick_api, "select from private.queue where lane = 'erasure'") == 0)
    assert _rows(quick_api, "select from private.erasures where state = 'completed' and user_id is null") == 1
    assert _rows(quick_api, "select from private.erasure_ledger where action = 'completed'") == 1
    assert _rows(quick_api, "select from private.ledger_faults()") == 0
    for table in ("auth.users", "storage.objects", "public.captions", "private.accounts"):
        assert _rows(quick_api, f"select from {table}") == 0, table


def _die_at(api: Api, sandbox: Sandbox, tmp_path: Path, point: Point) -> None:
    path, when, nth = point
    with Gate(api.url) as gate:
        hold = gate.hold(path, when, nth=nth)
        with running_worker(api, sandbox, tmp_path, gateway_url=gate.url) as doomed:
            hold.wait()
            doomed.kill()
        hold.released.set()
    let_its_lease_run_out(api)


def _rows(api: Api, query: str) -> int:
    with psycopg.connect(api.db_url) as db:
        return len(db.execute(query).fetchall())
