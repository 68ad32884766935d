"""Each correction of `@supabase/lite`: with it the API behaves as the hosted one, without it it does not.

The second half notices when lite catches up: then a test here fails, and the correction can go.
"""

from __future__ import annotations

import json
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.embedded.conftest import PASSWORD, Caller, session, sign_up
from workers.embedded import Stack
from workers.embedded.api import ApiServer, find_node

LOCAL = Path(__file__).parents[2] / "supabase" / "local"
Probe = Callable[[str, Stack, psycopg.Connection[Any]], object]


def _publishable(api: str, stack: Stack) -> Caller:
    return Caller(api, stack.secrets.publishable_key)


def _anon_privileges_on_people(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    admin.execute("revoke all on all tables in schema auth from anon")
    _publishable(api, stack).rpc("who_am_i").raise_for_status()
    [row] = admin.execute("select has_table_privilege('anon', 'auth.users', 'select')").fetchall()
    return row[0]


def _creation_time(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    person = sign_up(api, stack.secrets.publishable_key)
    user = person.request("GET", "/auth/v1/user").json()
    return user["created_at"][10]


def _kind_of_metadata(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    person = sign_up(api, stack.secrets.publishable_key, data={"handle": "ada"})
    columns = "jsonb_typeof(raw_user_meta_data), raw_user_meta_data ->> 'handle'"
    [row] = admin.execute(f"select {columns} from auth.users where id = %s", [person.id]).fetchall()
    return row


def _sealed_bytes(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    person = sign_up(api, stack.secrets.publishable_key)
    number = admin.execute("select coalesce(max(id), 0) + 1 from public.notes").fetchall()[0][0]
    insert = "insert into public.notes (id, owner, sealed) values (%s, %s, '\\x00ff')"
    admin.execute(insert, [number, person.id])
    rows = person.request("GET", f"/rest/v1/notes?select=sealed&id=eq.{number}").json()
    return rows[0]["sealed"]


def _timeout_of_anon(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    return _publishable(api, stack).rpc("current_timeout").json()


def _own_error(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    answer = _publishable(api, stack).rpc("fail_with", p_code="NX210")
    body = answer.json()
    return answer.status_code, body["code"], body["details"], body["hint"]


def _refused_sign_up(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    body = {"email": f"{uuid.uuid4().hex}@example.org", "password": PASSWORD, "data": {"handle": "unwanted"}}
    answer = _publishable(api, stack).request("POST", "/auth/v1/signup", json=body)
    return answer.status_code, answer.json().get("message")


def _two_sessions(api: str, stack: Stack) -> tuple[Caller, Caller]:
    first = sign_up(api, stack.secrets.publishable_key)
    credentials = {"email": first.email, "password": PASSWORD}
    answer = first.request("POST", "/auth/v1/token?grant_type=password", json=credentials)
    return first, session(api, first.key, answer.json())


def _refresh_status(caller: Caller) -> int:
    body = {"refresh_token": caller.refresh_token}
    return caller.request("POST", "/auth/v1/token?grant_type=refresh_token", json=body).status_code


def _other_session_after_password_change(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    thief, person = _two_sessions(api, stack)
    person.request("PUT", "/auth/v1/user", json={"password": "Another-horse-2"}).raise_for_status()
    return _refresh_status(thief)


def _other_session_after_sign_out(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    thief, person = _two_sessions(api, stack)
    person.request("POST", "/auth/v1/logout").raise_for_status()
    return _refresh_status(thief)


def _upload_from_a_browser(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    # storage-js sends the file in a field without a name.
    person = sign_up(api, stack.secrets.publishable_key)
    path = f"/storage/v1/object/private/{person.id}/a.txt"
    files = {"": ("a.txt", b"hello", "text/plain")}
    return person.request("POST", path, files=files, data={"cacheControl": "60"}).status_code


def _a_new_table(api: str, stack: Stack, admin: psycopg.Connection[Any]) -> object:
    service = Caller(api, stack.secrets.secret_key)
    service.request("GET", "/rest/v1/notes").raise_for_status()
    name = f"new_{uuid.uuid4().hex[:8]}"
    admin.execute(f"create table public.{name} (); grant select on public.{name} to service_role")
    time.sleep(0.2)
    status = service.request("GET", f"/rest/v1/{name}").status_code
    admin.execute(f"drop table public.{name}")
    return status


PROBES: dict[str, tuple[Probe, object, object]] = {
    "privileges": (_anon_privileges_on_people, False, True),
    "timestamps": (_creation_time, "T", " "),
    "json": (_kind_of_metadata, ("object", "ada"), ("string", None)),
    "bytea": (_sealed_bytes, "\\x00ff", {"type": "Buffer", "data": [0, 255]}),
    "timeouts": (_timeout_of_anon, "3s", "8s"),
    "errors": (_own_error, (400, "NX210", "the detail", "the hint"), (500, "SUP", None, None)),
    "hooks": (_refused_sign_up, (403, "Not you"), (200, None)),
    "schema-cache": (_a_new_table, 200, 404),
    "logout": (_other_session_after_sign_out, 400, 200),
    "passwords": (_other_session_after_password_change, 400, 200),
    "storage": (_upload_from_a_browser, 200, 400),
}


@pytest.fixture
def without(stack: Stack, database: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The API of the same database, without the correction that the test is named after."""
    server = ApiServer(
        stack.api_config(), tmp_path / "api.log", entry=[LOCAL / "test" / "without.mjs", request.param]
    )
    yield server.serve(database, stack.api_database_url(database))
    server.close()


@pytest.mark.parametrize("name", PROBES)
def test_with_the_correction_it_is_as_on_hosted(
    name: str, api: str, stack: Stack, admin: psycopg.Connection[Any]
) -> None:
    probe, hosted, _ = PROBES[name]
    assert probe(api, stack, admin) == hosted


@pytest.mark.parametrize(("name", "without"), [(name, name) for name in PROBES], indirect=["without"])
def test_without_the_correction_it_is_not(
    name: str, without: str, stack: Stack, admin: psycopg.Connection[Any]
) -> None:
    probe, _, lite = PROBES[name]
    try:
        assert probe(without, stack, admin) == lite, f"lite has changed: does it still need {name}?"
    finally:
        admin.execute("revoke all on all tables in schema auth from anon")


def test_every_correction_has_a_probe() -> None:
    code = (
        "import { ALL } from './corrections/index.mjs'; console.log(JSON.stringify(ALL.map((c) => c.name)))"
    )
    command = [find_node(), "--input-type=module", "-e", code]
    names = subprocess.run(command, cwd=LOCAL, capture_output=True, text=True, check=True).stdout
    assert set(json.loads(names)) == set(PROBES)


def test_timestamps_are_rfc_3339_with_fractions(api: str, new_person: Callable[..., Caller]) -> None:
    created = new_person().request("GET", "/auth/v1/user").json()["created_at"]
    assert created.endswith("+00:00")


@pytest.mark.parametrize(
    ("code", "status"),
    [("NX210", 400), ("P0001", 400), ("40001", 500), ("57014", 500), ("28000", 403)],
)
def test_a_status_for_every_sqlstate_as_postgrest_has_it(code: str, status: int, anonymous: Caller) -> None:
    answer = anonymous.rpc("fail_with", p_code=code)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_slow_statement_of_a_stranger_is_cancelled(anonymous: Caller) -> None:
    answer = anonymous.rpc("sleep", p_seconds=6)
    assert answer.json()["code"] == "57014"
    assert 2.5 < answer.elapsed.total_seconds() < 6  # as long as it would have taken


def test_keyless_requests_are_refused(api: str) -> None:
    assert httpx.get(f"{api}/rest/v1/notes").status_code == 401
    assert httpx.post(f"{api}/auth/v1/signup", json={}).status_code == 401


def _end_every_session(admin: psycopg.Connection[Any]) -> None:
    admin.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


@pytest.mark.parametrize("calls", [8, 64], ids=["fewer than sessions", "more than sessions"])
def test_the_api_outlives_the_sessions_of_its_database(
    calls: int, anonymous: Caller, admin: psycopg.Connection[Any]
) -> None:
    """Whatever was under way fails; what comes after is served as before, by as many sessions."""
    with ThreadPoolExecutor(16) as pool:
        for _ in range(3):
            under_way = [pool.submit(anonymous.rpc, "sleep", p_seconds=0.05) for _ in range(calls)]
            time.sleep(0.05)
            _end_every_session(admin)
            assert {call.result().status_code for call in under_way} <= {200, 204, 400, 500, 503}
            after = [pool.submit(anonymous.rpc, "who_am_i") for _ in range(calls)]
            assert {call.result().status_code for call in after} == {200}
