"""`client.account` against the real API."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from postgrest import APIError
from supabase_auth.errors import AuthApiError

from nexora_client import AccountState, NexoraClient, errors
from tests.client.people import Person, access_token, new_person, worker_fact
from tests.support.api import PASSWORD, Api


def years_ago(years: int) -> date:
    today = date.today()
    return date(today.year - years, today.month, min(today.day, 28))


@pytest.fixture
def other_device(api: Api, ada: Person) -> Iterator[NexoraClient]:
    with NexoraClient(api.url, api.publishable_key) as client:
        client.account.sign_in(ada.email, PASSWORD)
        yield client


def test_sign_up_makes_an_active_account(ada: Person) -> None:
    account = ada.client.account.me()
    assert (account.user_id, account.email, account.state) == (ada.user_id, ada.email, AccountState.ACTIVE)
    assert account.birth_year == 1990
    assert ada.client.user_id == ada.user_id


def test_an_address_has_one_account(api: Api, ada: Person) -> None:
    with NexoraClient(api.url, api.publishable_key) as client, pytest.raises(errors.AlreadyExists):
        client.account.sign_up(ada.email, PASSWORD, date(1990, 1, 1))


def test_a_weak_password_is_refused_with_problems(api: Api) -> None:
    with (
        NexoraClient(api.url, api.publishable_key) as client,
        pytest.raises(errors.ValidationFailed) as caught,
    ):
        client.account.sign_up(f"{uuid.uuid4().hex}@people.example", "abc", date(1990, 1, 1))
    assert [problem.rule for problem in caught.value.problems] == ["password_length"]


def test_nobody_under_13_gets_an_account(api: Api) -> None:
    """P9.1."""
    email = f"{uuid.uuid4().hex}@people.example"
    with NexoraClient(api.url, api.publishable_key) as client:
        with pytest.raises(errors.TooYoung) as caught:
            client.account.sign_up(email, PASSWORD, years_ago(13) + timedelta(days=1))
        assert str(caught.value) == "Nobody under 13 can have an account [NX101]", (
            "in the service's own words"
        )
        with pytest.raises(errors.WrongCredentials):
            client.account.sign_in(email, PASSWORD)


def test_a_sign_up_needs_a_date_of_birth_that_is_one(api: Api) -> None:
    with (
        NexoraClient(api.url, api.publishable_key) as client,
        pytest.raises(errors.ValidationFailed) as caught,
    ):
        client.account.sign_up(f"{uuid.uuid4().hex}@people.example", PASSWORD, date(2999, 1, 1))
    assert caught.value.code == "NX102"


def test_without_the_hook_the_refusal_is_explained_all_the_same(api: Api, db_url: str) -> None:
    """A hosted project on which nobody switched it on: Auth says "Database error saving new user"."""
    worker_fact(db_url, "alter function private.before_user_created rename to set_aside")
    try:
        with NexoraClient(api.url, api.publishable_key) as client, pytest.raises(errors.TooYoung) as caught:
            client.account.sign_up(f"{uuid.uuid4().hex}@people.example", PASSWORD, years_ago(12))
        assert caught.value.code == "NX101"
    finally:
        worker_fact(db_url, "alter function private.set_aside rename to before_user_created")


def test_a_refused_sign_up_says_why_to_any_client(api: Api) -> None:
    """Plain supabase-py: status and message of the hook, with the code at its end."""
    for birth_date, status, code in ((years_ago(12).isoformat(), 403, "NX101"), ("yesterday", 400, "NX102")):
        with api.client() as raw, pytest.raises(AuthApiError) as caught:
            raw.auth.sign_up(
                {
                    "email": f"{uuid.uuid4().hex}@people.example",
                    "password": PASSWORD,
                    "options": {"data": {"birth_date": birth_date}},
                }
            )
        assert (caught.value.status, caught.value.message[-7:]) == (status, f"[{code}]")


def test_between_13_and_18_a_guardian_is_needed(api: Api) -> None:
    """P9.2."""
    with new_person(api, birth_date=years_ago(14)) as teen:
        assert teen.client.account.me().state is AccountState.AWAITING_GUARDIAN
        assert teen.client.profile.get().user_id == teen.user_id
        with pytest.raises(errors.AwaitingGuardian):
            teen.client.profile.change_handle("night_owl")
        with pytest.raises(errors.Forbidden):
            teen.client.content.posts.create("Not yet.")


def test_wrong_password_and_unknown_address_look_alike(api: Api, ada: Person) -> None:
    with NexoraClient(api.url, api.publishable_key) as client:
        with pytest.raises(errors.WrongCredentials) as wrong:
            client.account.sign_in(ada.email, "not the password 1")
        with pytest.raises(errors.WrongCredentials) as unknown:
            client.account.sign_in("nobody@people.example", PASSWORD)
    assert str(wrong.value) == str(unknown.value)


def test_sign_out_makes_the_old_token_useless(api: Api, ada: Person) -> None:
    with api.client(access_token(ada)) as holder:
        assert holder.table("profiles").select("*").execute().data
        ada.client.account.sign_out()
        ada.client.account.sign_out()
        assert holder.table("profiles").select("*").execute().data == []
        with pytest.raises(APIError) as caught:
            holder.rpc("my_account").execute()
    assert caught.value.code == "NX001"
    with pytest.raises(errors.NotSignedIn):
        ada.client.account.me()


def test_sign_out_everywhere_ends_every_session(ada: Person, other_device: NexoraClient, bob: Person) -> None:
    ada.client.account.sign_out_everywhere()
    for client in (ada.client, other_device):
        with pytest.raises(errors.NotSignedIn):
            client.account.me()
    assert bob.client.account.me().user_id == bob.user_id


def test_a_new_password_ends_every_session(ada: Person, other_device: NexoraClient) -> None:
    """P3.8: the acting session included."""
    ada.client.account.change_password("rain on the skylight 9")
    for client in (ada.client, other_device):
        with pytest.raises(errors.NotSignedIn):
            client.account.sessions()
    with pytest.raises(errors.WrongCredentials):
        ada.client.account.sign_in(ada.email, PASSWORD)
    assert ada.client.account.sign_in(ada.email, "rain on the skylight 9").user_id == ada.user_id


def test_sessions_can_be_seen_and_revoked(ada: Person, other_device: NexoraClient) -> None:
    sessions = ada.client.account.sessions()
    assert sorted(session.is_current for session in sessions) == [False, True]
    other = next(session for session in sessions if not session.is_current)
    ada.client.account.revoke_session(other.id)
    with pytest.raises(errors.NotSignedIn):
        other_device.account.me()
    assert [session.is_current for session in ada.client.account.sessions()] == [True]


def test_nobody_revokes_a_session_of_somebody_else(ada: Person, bob: Person) -> None:
    (session,) = ada.client.account.sessions()
    with pytest.raises(errors.NotFound):
        bob.client.account.revoke_session(session.id)
    assert ada.client.account.me().user_id == ada.user_id
    assert session.id not in {one.id for one in bob.client.account.sessions()}


@pytest.fixture
def newcomer(api: Api) -> Iterator[NexoraClient]:
    """Somebody who signed up through another service, which gives no date of birth."""
    email = f"{uuid.uuid4().hex[:12]}@people.example"
    with api.client() as raw:
        raw.auth.sign_up({"email": email, "password": PASSWORD})
    with NexoraClient(api.url, api.publishable_key) as client:
        assert client.account.sign_in(email, PASSWORD).state is AccountState.INCOMPLETE
        yield client


def test_a_sign_up_without_date_of_birth_is_completed(newcomer: NexoraClient) -> None:
    with pytest.raises(errors.SignUpIncomplete):
        newcomer.profile.change_handle("early_bird")
    assert newcomer.account.complete_sign_up(date(1990, 5, 17)) is AccountState.ACTIVE
    assert newcomer.account.complete_sign_up(date(1990, 5, 17)) is AccountState.ACTIVE
    with pytest.raises(errors.WrongState):
        newcomer.account.complete_sign_up(date(1991, 5, 17))
    assert newcomer.profile.change_handle("early_bird").handle == "early_bird"


def test_completing_a_sign_up_asks_for_a_guardian(newcomer: NexoraClient) -> None:
    """P9.2."""
    assert newcomer.account.complete_sign_up(years_ago(15)) is AccountState.AWAITING_GUARDIAN


def test_completing_a_sign_up_under_13_deletes_the_account(newcomer: NexoraClient) -> None:
    """P9.1."""
    email = newcomer.account.me().email
    assert email is not None
    with pytest.raises(errors.TooYoung):
        newcomer.account.complete_sign_up(years_ago(12))
    with pytest.raises(errors.WrongCredentials):
        newcomer.account.sign_in(email, PASSWORD)


def test_a_date_of_birth_that_is_none_is_refused(newcomer: NexoraClient) -> None:
    with pytest.raises(errors.ValidationFailed):
        newcomer.account.complete_sign_up(date.today() + timedelta(days=2))
