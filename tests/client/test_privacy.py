"""`client.privacy` against the real API."""

from __future__ import annotations

import pytest

from nexora_client import ExportState, LawfulBasis, errors
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
