"""Accounts and sessions through the API, as on hosted."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.embedded.conftest import PASSWORD, Caller, session, sign_up
from workers.embedded import AuthSettings, Stack

NewPerson = Callable[..., Caller]


def sign_in(person: Caller, password: str = PASSWORD) -> httpx.Response:
    body = {"email": person.email, "password": password}
    return Caller(person.api, person.key).request("POST", "/auth/v1/token?grant_type=password", json=body)


def refresh(person: Caller) -> httpx.Response:
    body = {"refresh_token": person.refresh_token}
    return Caller(person.api, person.key).request(
        "POST", "/auth/v1/token?grant_type=refresh_token", json=body
    )


def test_sign_up_sign_in_refresh_sign_out(new_person: NewPerson) -> None:
    person = new_person()
    again = session(person.api, person.key, sign_in(person).raise_for_status().json())
    refreshed = session(person.api, person.key, refresh(again).raise_for_status().json())
    assert refreshed.id == person.id
    assert refreshed.refresh_token != again.refresh_token
    refreshed.request("POST", "/auth/v1/logout?scope=local").raise_for_status()
    assert refresh(refreshed).status_code == 400
    assert refresh(person).status_code == 200  # the other session goes on
    assert refreshed.request("GET", "/auth/v1/user").status_code == 403


def test_a_global_sign_out_ends_every_session(new_person: NewPerson) -> None:
    person = new_person()
    other = session(person.api, person.key, sign_in(person).json())
    person.request("POST", "/auth/v1/logout").raise_for_status()
    assert refresh(other).status_code == refresh(person).status_code == 400


def test_wrong_credentials_say_nothing_about_the_account(new_person: NewPerson) -> None:
    person = new_person()
    wrong = sign_in(person, "Wrong-horse-1")
    nobody = sign_in(Caller(person.api, person.key, email=f"{uuid.uuid4().hex}@example.org"))
    assert wrong.status_code == nobody.status_code == 400
    assert wrong.json() == nobody.json()
    assert wrong.json()["error_code"] == "invalid_credentials"


def test_the_same_address_cannot_sign_up_twice(new_person: NewPerson) -> None:
    person = new_person()
    with pytest.raises(httpx.HTTPStatusError, match="422"):
        sign_up(person.api, person.key, email=person.email)


def test_a_new_password_replaces_the_old_one_and_keeps_this_session(new_person: NewPerson) -> None:
    person = new_person()
    person.request("PUT", "/auth/v1/user", json={"password": "Another-horse-2"}).raise_for_status()
    assert sign_in(person).status_code == 400
    assert sign_in(person, "Another-horse-2").status_code == 200
    assert refresh(person).status_code == 200


def test_other_changes_leave_the_other_sessions(new_person: NewPerson) -> None:
    person = new_person()
    other = session(person.api, person.key, sign_in(person).json())
    person.request("PUT", "/auth/v1/user", json={"data": {"handle": "ada"}}).raise_for_status()
    assert refresh(other).status_code == 200


def test_a_person_cannot_change_what_the_service_says_about_her(
    new_person: NewPerson, admin: psycopg.Connection[Any]
) -> None:
    person = new_person()
    person.request("PUT", "/auth/v1/user", json={"app_metadata": {"admin": True}, "role": "service_role"})
    query = "select raw_app_meta_data ? 'admin', role from auth.users where id = %s"
    assert admin.execute(query, [person.id]).fetchall() == [(False, "authenticated")]


def test_the_access_token(new_person: NewPerson) -> None:
    person = new_person()
    payload = person.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["sub"], claims["role"], claims["aud"]) == (person.id, "authenticated", "authenticated")
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["session_id"]


def test_policies_see_the_caller(new_person: NewPerson, anonymous: Caller, service: Caller) -> None:
    person = new_person()
    who = {"uid": person.id, "role": "authenticated", "user": "authenticated", "jwt": person.id}
    assert person.rpc("who_am_i").json() == who
    nobody = {"uid": None, "role": "anon", "user": "anon", "jwt": None}
    assert anonymous.rpc("who_am_i").json() == nobody
    assert service.rpc("who_am_i").json()["user"] == "service_role"


def test_a_forged_or_expired_token_is_refused(new_person: NewPerson) -> None:
    person = new_person()
    head, payload, signature = person.token.split(".")
    for token in (f"{head}.{payload}.{signature[::-1]}", f"{head}.{payload}."):
        forged = Caller(person.api, person.key, token)
        assert forged.request("GET", "/rest/v1/notes").status_code == 401
        assert forged.request("GET", "/auth/v1/user").status_code == 403


def test_columns_and_rows_are_closed_to_others(new_person: NewPerson) -> None:
    person, other = new_person(), new_person()
    number = uuid.uuid4().int % 2**31
    person.request("POST", "/rest/v1/notes", json={"id": number, "body": "mine"}).raise_for_status()
    assert other.request("GET", f"/rest/v1/notes?select=id&id=eq.{number}").json() == []
    assert person.request("GET", f"/rest/v1/notes?select=rank&id=eq.{number}").json()["code"] == "42501"
    refused = person.request("PATCH", f"/rest/v1/notes?id=eq.{number}", json={"rank": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "42501")


def test_the_secret_key_is_refused_in_a_browser(service: Caller) -> None:
    browser = {"user-agent": "Mozilla/5.0 (X11; Linux)"}
    assert service.request("GET", "/rest/v1/notes", headers=browser).status_code == 401
    answer = service.request("GET", "/storage/v1/bucket", headers=browser)
    assert answer.json()["statusCode"] == "403"


def test_a_forgotten_password_by_mail(stack: Stack, new_person: NewPerson) -> None:
    person = new_person()
    request = Caller(person.api, person.key)
    request.request("POST", "/auth/v1/recover", json={"email": person.email}).raise_for_status()
    message = stack.mail.wait_for(person.email)
    token = re.search(r"\b(\d{6})\b", message.text + message.html)
    assert token is not None
    body = {"type": "recovery", "email": person.email, "token": token.group(1)}
    answer = request.request("POST", "/auth/v1/verify", json=body)
    recovered = session(person.api, person.key, answer.raise_for_status().json())
    recovered.request("PUT", "/auth/v1/user", json={"password": "Another-horse-2"}).raise_for_status()
    assert sign_in(person, "Another-horse-2").status_code == 200
    assert refresh(person).status_code == 400


def test_confirmation_by_mail_and_short_tokens(tmp_path: Path) -> None:
    settings = AuthSettings(email_confirmations=True, jwt_expiry_seconds=60)
    with Stack.start(tmp_path / "state", durable=False, auth=settings) as stack:
        caller = Caller(stack.serve(), stack.secrets.publishable_key)
        body = {"email": "ada@example.org", "password": PASSWORD}
        answer = caller.request("POST", "/auth/v1/signup", json=body).raise_for_status().json()
        assert "access_token" not in answer
        refused = sign_in(Caller(caller.api, caller.key, email="ada@example.org"))
        assert refused.json()["error_code"] == "email_not_confirmed"
        message = stack.mail.wait_for("ada@example.org")
        token = re.search(r"\b(\d{6})\b", message.text + message.html)
        assert token is not None
        verification = {"type": "signup", "email": "ada@example.org", "token": token.group(1)}
        verified = caller.request("POST", "/auth/v1/verify", json=verification).raise_for_status().json()
        assert verified["expires_in"] == 60


def test_a_sign_up_trigger_runs_as_the_auth_service(
    stack: Stack, database: str, api: str, admin: psycopg.Connection[Any]
) -> None:
    """Hosted runs triggers on auth.users as `supabase_auth_admin`, who has no rights in schema public."""
    with psycopg.connect(stack.url(database), autocommit=True) as owner:
        owner.execute("create table public.profiles (id uuid primary key)")
        owner.execute("alter table public.profiles enable row level security")
        owner.execute(
            "create function public.tg_welcome() returns trigger language plpgsql set search_path = '' as"
            " $$ begin insert into public.profiles values (new.id); return new; end $$"
        )
        owner.execute(
            "create trigger welcome after insert on auth.users"
            " for each row execute function public.tg_welcome()"
        )
        try:
            with pytest.raises(httpx.HTTPStatusError, match="500"):
                sign_up(api, stack.secrets.publishable_key)
            owner.execute("alter function public.tg_welcome() security definer")
            person = sign_up(api, stack.secrets.publishable_key)
            assert owner.execute("select 1 from public.profiles where id = %s", [person.id]).fetchone()
        finally:
            admin.execute("drop function public.tg_welcome() cascade")
            owner.execute("drop table public.profiles")
