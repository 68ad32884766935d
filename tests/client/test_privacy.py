"""`client.privacy` against the real API."""

from __future__ import annotations

from nexora_client import LawfulBasis
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
