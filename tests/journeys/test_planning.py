"""Planning a month in plain supabase-js: import, moving, slots, a series, a calendar feed."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

from tests.client.people import PASSWORD, connect_account, new_person, worker_fact
from tests.support.api import Api
from workers.embedded.api import find_node

SCRIPT = Path(__file__).resolve().parent / "planning.mjs"


def test_a_front_end_plans_a_month(api: Api, db_url: str) -> None:
    worker_fact(db_url, "select worker.register_worker('w', 'https://worker.example', null)")
    with new_person(api) as person:
        journey = {
            "url": api.url,
            "publishableKey": api.publishable_key,
            "email": person.email,
            "password": PASSWORD,
            "connectionId": str(connect_account(db_url, person.user_id)),
        }
        done = subprocess.run(
            [find_node(), str(SCRIPT)],
            env=os.environ | {"JOURNEY": json.dumps(journey)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        report = json.loads(done.stdout)
        assert re.fullmatch(r"https://worker\.example/calendar/[A-Za-z0-9_-]{43}\.ics", report["feed"])
        assert person.client.content.posts.get(report["imported"]).body.startswith("First;")
