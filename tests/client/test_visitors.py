"""A visitor who has not signed in reaches nothing, and the secret key's functions are nobody else's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from postgrest import APIError

from tests.client.people import Person, access_token
from tests.support.api import Api

CLIENT = Path(__file__).resolve().parents[2] / "nexora_client"
SOURCE = "\n".join(file.read_text() for file in CLIENT.glob("*.py"))
FUNCTIONS = sorted(set(re.findall(r'\.call(?:_once)?\(\s*"(\w+)"', SOURCE)))
TABLES = sorted(set(re.findall(r'_transport\.(?:select|select_one|iterate)\(\s*\w+, "(\w+)"', SOURCE)))
ARGUMENTS: dict[str, dict[str, object]] = {
    "begin_connection": {"p_platform": "x", "p_features": [], "p_redirect_to": "https://front.example"},
    "cancel_target": {"p_target_id": None},
    "change_handle": {"p_handle": "visitor"},
    "check_post": {"p_post_id": None},
    "complete_sign_up": {"p_birth_date": "1990-01-01"},
    "confirm_connection": {"p_code": "x"},
    "disconnect_account": {"p_connection_id": None},
    "list_sessions": {},
    "my_account": {},
    "publish_now": {"p_post_id": None},
    "register_media": {"p_object_name": "a/b"},
    "reschedule_target": {"p_target_id": None, "p_at": "2030-01-01T00:00:00Z"},
    "resolve_unconfirmed": {"p_target_id": None, "p_is_published": True},
    "retry_target": {"p_target_id": None},
    "revoke_session": {"p_session_id": None},
    "schedule_post": {"p_post_id": None, "p_at": "2030-01-01T00:00:00Z"},
    "sign_out_everywhere": {},
}


def test_every_function_of_the_client_is_covered() -> None:
    assert sorted(ARGUMENTS) == FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_visitor_may_call_no_function(api: Api, function: str) -> None:
    with api.client() as visitor, pytest.raises(APIError) as caught:
        visitor.rpc(function, ARGUMENTS[function]).execute()
    assert caught.value.code == "42501"


@pytest.mark.parametrize("table", TABLES)
def test_a_visitor_sees_no_table(api: Api, table: str) -> None:
    with api.client() as visitor, pytest.raises(APIError) as caught:
        visitor.table(table).select("*").execute()
    assert caught.value.code == "42501"


def test_a_person_may_not_call_a_function_of_workers(api: Api, ada: Person) -> None:
    with api.client(access_token(ada)) as raw, pytest.raises(APIError) as caught:
        raw.schema("worker").rpc("claim_targets", {"p_worker_id": None, "p_limit": 1}).execute()
    assert caught.value.code == "42501"
