"""`client.privacy` against the real API."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nexora_client import AccountState, ExportState, LawfulBasis, Right, RightsRequestState, errors
from tests.client.people import Person


def test_my_data_shows_what_is_held(ada: Person) -> None:
    before = {held.place: held for held in ada.client.privacy.my_data()}
    ada.client.content.scripts.create("Opening", "Fade in.")
    after = {held.place: held for held in ada.client.privacy.my_data()}
    assert (after["public.scripts"].row_count or 0) == (before["public.scripts"].row_count or 0) + 1
    scripts = after["public.scripts"]
    assert scripts.area == "scripts"
    assert "body" in (scripts.fields or ())
    assert (scripts.purpose, scripts.lawful_basis) == ("features", LawfulBasis.CONTRACT)
    vault = after["private.token_vault"]
    assert not vault.is_exported
    assert (vault.withheld or {})["sealed_access"] == "exclude_secret"


def test_an_export_is_asked_for_watched_and_cancelled(ada: Person, bob: Person) -> None:
    export = ada.client.privacy.request_export()
    assert export.state is ExportState.REQUESTED
    assert ada.client.privacy.request_export().id == export.id
    assert [item.id for item in ada.client.privacy.exports()] == [export.id]
    assert bob.client.privacy.exports() == ()
    with pytest.raises(errors.WrongState) as caught:
        ada.client.privacy.open_export(export.id)
    assert caught.value.code == "NX922"
    with pytest.raises(errors.NotFound):
        bob.client.privacy.cancel_export(export.id)
    assert ada.client.privacy.cancel_export(export.id).state is ExportState.CANCELLED


def test_rights_are_used_answered_and_taken_back(ada: Person, bob: Person) -> None:
    rights = ada.client.privacy.rights
    asked = rights.request(Right.CORRECT, "My year of birth.")
    assert (asked.state, asked.due_at - asked.received_at) == (RightsRequestState.OPEN, timedelta(days=30))
    assert rights.request(Right.CORRECT, "My year of birth.").id == asked.id
    assert rights.list() == (asked,)
    assert bob.client.privacy.rights.list() == ()
    with pytest.raises(errors.NotFound):
        bob.client.privacy.rights.withdraw(asked.id)
    assert rights.withdraw(asked.id).state is RightsRequestState.WITHDRAWN
    with pytest.raises(errors.WrongState):
        rights.withdraw(asked.id)
    with pytest.raises(errors.ValidationFailed):
        rights.request(Right.EXPORT)
    assert rights.request(Right.RESTRICT).state is RightsRequestState.ANSWERED
    assert ada.client.account.me().state is AccountState.RESTRICTED
    with pytest.raises(errors.AccountRestricted):
        ada.client.profile.change_handle("not.now")
    assert rights.lift_restriction() is AccountState.ACTIVE
    assert ada.client.content.scripts.create("Opening", "Fade in.").title == "Opening"
