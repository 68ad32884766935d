"""`client.profile` against the real API."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from nexora_client import errors
from tests.client.people import Person

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060"
    "000000050001a5f645400000000049454e44ae426082"
)


def test_everybody_has_a_profile_with_a_handle(ada: Person, bob: Person) -> None:
    mine, yours = ada.client.profile.get(), bob.client.profile.get()
    assert mine.user_id == ada.user_id
    assert mine.handle.startswith("creator_")
    assert mine.handle != yours.handle


def test_update_changes_what_is_given_and_nothing_else(ada: Person) -> None:
    profile = ada.client.profile
    profile.update(display_name="Ada", niche="film", bio="Lakes at dawn.", country="NG")
    changed = profile.update(niche=None)
    assert (changed.display_name, changed.niche, changed.bio, changed.country) == (
        "Ada",
        None,
        "Lakes at dawn.",
        "NG",
    )
    assert profile.update() == changed
    assert profile.get() == changed
    with pytest.raises(errors.ValidationFailed):
        profile.update(country="Nigeria")


def test_update_touches_nobody_elses_profile(ada: Person, bob: Person) -> None:
    before = ada.client.profile.get()
    bob.client.profile.update(bio="Only mine.")
    assert ada.client.profile.get() == before


def test_handles_are_unique_by_looks(ada: Person, bob: Person) -> None:
    name = f"lake_{uuid4().hex[:8]}"
    assert ada.client.profile.change_handle(name.upper()).handle == name
    with pytest.raises(errors.AlreadyExists):
        bob.client.profile.change_handle(name.replace("_", "."))
    with pytest.raises(errors.ValidationFailed):
        bob.client.profile.change_handle("no spaces")
    with pytest.raises(errors.AlreadyExists):
        bob.client.profile.change_handle("admin")


def test_preferences(ada: Person, bob: Person) -> None:
    preferences = ada.client.profile.preferences
    assert preferences.get().product_analytics is True
    changed = preferences.update(
        time_zone="Africa/Lagos",
        theme="dark",
        week_starts_on="sunday",
        language="pt-BR",
        product_analytics=False,
    )
    assert preferences.get() == changed
    assert (changed.time_zone, changed.product_analytics) == ("Africa/Lagos", False)
    with pytest.raises(errors.ValidationFailed):
        preferences.update(time_zone="Mars/Olympus")
    assert bob.client.profile.preferences.get().time_zone == "UTC"


def test_media_kit(ada: Person, bob: Person) -> None:
    kit = ada.client.profile.media_kit
    changed = kit.update(
        headline="Lakes", about="Thirty days.", contact_email="brands@lake.example", audience={"reach": 1200}
    )
    assert changed.audience == {"reach": 1200}
    assert changed.is_published is False
    assert kit.update(is_published=True, about=None).about is None
    assert kit.get().headline == "Lakes"
    assert bob.client.profile.media_kit.get().headline is None


def test_rates(ada: Person, bob: Person) -> None:
    rates = ada.client.profile.rates
    rate = rates.add("youtube", "dedicated_video", 250_000, "EUR")
    with pytest.raises(errors.AlreadyExists):
        rates.add("youtube", "dedicated_video", 1, "EUR")
    with pytest.raises(errors.ValidationFailed):
        rates.add("youtube", "short", -1, "EUR")
    assert rates.update(rate.id, amount_minor=300_000).amount_minor == 300_000
    assert [one.id for one in rates.list()] == [rate.id]
    assert bob.client.profile.rates.list() == ()
    with pytest.raises(errors.NotFound):
        bob.client.profile.rates.update(rate.id, amount_minor=1)
    with pytest.raises(errors.NotFound):
        bob.client.profile.rates.remove(rate.id)
    rates.remove(rate.id)
    assert rates.list() == ()


def test_social_links(ada: Person, bob: Person) -> None:
    links = ada.client.profile.social_links
    link = links.add("site", "https://lake.example/ada")
    with pytest.raises(errors.ValidationFailed):
        links.add("site", "http://lake.example")
    assert [one.url for one in links.list()] == ["https://lake.example/ada"]
    assert bob.client.profile.social_links.list() == ()
    with pytest.raises(errors.NotFound):
        bob.client.profile.social_links.remove(link.id)
    links.remove(link.id)
    assert links.list() == ()


def test_avatar(ada: Person, tmp_path: Path) -> None:
    """P3.3: private, reached by a URL that expires."""
    profile = ada.client.profile
    assert profile.avatar_url() is None
    first = profile.set_avatar(PNG, "image/png")
    path = tmp_path / "me.png"
    path.write_bytes(PNG)
    second = profile.set_avatar(path, "image/png")
    assert second.avatar_path is not None
    assert second.avatar_path != first.avatar_path
    assert second.avatar_path.endswith(".png")
    url = profile.avatar_url(valid_for_seconds=60)
    assert url is not None
    assert httpx.get(url).content == PNG
    stored = ada.client._transport.supabase.storage.from_("avatars").list(str(ada.user_id))
    assert [f"{ada.user_id}/{one['name']}" for one in stored] == [second.avatar_path]
    with pytest.raises(errors.ValidationFailed):
        profile.set_avatar(b"#!/bin/sh", "text/x-shellscript")
    with pytest.raises(errors.ValidationFailed):
        profile.set_avatar(PNG + bytes(2_097_152), "image/png")
    assert profile.get().avatar_path == second.avatar_path
