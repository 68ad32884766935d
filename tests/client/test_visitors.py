"""A visitor who has not signed in reaches nothing, and the secret key's functions are nobody else's."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from postgrest import APIError

from tests.client.people import Person, access_token
from tests.support.api import Api

CLIENT = Path(__file__).resolve().parents[2] / "nexora_client"
SOURCE = "\n".join(file.read_text() for file in CLIENT.glob("*.py"))
FUNCTIONS = set(re.findall(r'\.call(?:_once)?\(\s*"(\w+)"', SOURCE))
TABLES = sorted(set(re.findall(r'_transport\.(?:select|select_one|iterate)\(\s*\w+, "(\w+)"', SOURCE)))
# Every function of the front end's API with the parameters that have no default.
CALLS = """
select proname, array(select p.name from unnest(proargnames) with ordinality p (name, n)
                      where p.n <= pronargs - pronargdefaults)
from pg_proc where pronamespace = 'public'::regnamespace order by proname
"""


@pytest.fixture(scope="module")
def calls(db_url: str) -> dict[str, list[str]]:
    with psycopg.connect(db_url) as connection:
        return dict(connection.execute(CALLS).fetchall())


def test_every_function_of_the_client_exists(calls: dict[str, list[str]]) -> None:
    assert set(calls) >= FUNCTIONS


def test_a_visitor_may_call_no_function(api: Api, calls: dict[str, list[str]]) -> None:
    refusals = {}
    with api.client() as visitor:
        for function, parameters in calls.items():
            with pytest.raises(APIError) as caught:
                visitor.rpc(function, dict.fromkeys(parameters)).execute()
            refusals[function] = caught.value.code
    assert set(refusals.values()) == {"42501"}, refusals


@pytest.mark.parametrize("table", TABLES)
def test_a_visitor_sees_no_table(api: Api, table: str) -> None:
    with api.client() as visitor, pytest.raises(APIError) as caught:
        visitor.table(table).select("*").execute()
    assert caught.value.code == "42501"


def test_a_person_may_not_call_a_function_of_workers(api: Api, ada: Person) -> None:
    with api.client(access_token(ada)) as raw, pytest.raises(APIError) as caught:
        raw.schema("worker").rpc("claim_targets", {"p_worker_id": None, "p_limit": 1}).execute()
    assert caught.value.code == "42501"
