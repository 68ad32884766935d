"""`client.usage` against the real API."""

from __future__ import annotations

import pytest

from nexora_client import UsageEvent, errors
from tests.client.people import Person, access_token
from tests.support.api import Api

EVENTS = [
    UsageEvent(kind="page", name="calendar", from_page="posts"),
    UsageEvent(kind="feature", name="schedule_post"),
    UsageEvent(kind="session", name="5_to_20_minutes"),
]


def test_use_is_counted_until_the_person_objects(ada: Person) -> None:
    """P5.2, P7.5: either switch is enough."""
    client = ada.client
    assert client.usage.is_counted()
    assert client.usage.track(EVENTS, screen="large")
    client.privacy.consents.withdraw("product_improvement")
    assert not client.usage.is_counted()
    assert not client.usage.track(EVENTS)
    client.profile.preferences.update(product_analytics=True)
    assert client.usage.track([])


def test_only_listed_names_are_taken(ada: Person) -> None:
    with pytest.raises(errors.ValidationFailed) as caught:
        ada.client.usage.track([EVENTS[0], UsageEvent(kind="page", name="https://example.org/?q=1")])
    assert (caught.value.code, caught.value.details) == ("NX701", "p_events[2]")


def test_a_browser_with_global_privacy_control_is_not_counted(api: Api, ada: Person) -> None:
    for signal, counted in {"0": True, "1": False}.items():
        with api.client(access_token(ada)) as plain:
            plain.options.headers["Sec-GPC"] = signal
            assert plain.rpc("track_usage", {"p_events": []}).execute().data is counted
