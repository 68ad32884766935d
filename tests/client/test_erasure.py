"""`client.privacy.erasure` and `client.privacy.consents` against the real API."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nexora_client import ErasureState, errors
from tests.client.people import Person
from tests.support.api import PASSWORD


def test_a_request_can_be_taken_back_and_everything_is_there(ada: Person) -> None:
    ada.client.content.scripts.create("Opening", "Fade in.")
    requested = ada.client.privacy.erasure.request()
    assert requested.state is ErasureState.REQUESTED
    assert requested.due_at - requested.requested_at == timedelta(days=30)
    with pytest.raises(errors.NotSignedIn):
        ada.client.privacy.erasure.get()
    ada.client.account.sign_in(ada.email, PASSWORD)
    assert ada.client.privacy.erasure.get() == requested
    with pytest.raises(errors.NexoraError):
        ada.client.content.scripts.create("Second", "Not any more.")
    assert ada.client.privacy.erasure.cancel().state is ErasureState.CANCELLED
    assert ada.client.privacy.erasure.get() is None
    assert [script.title for script in ada.client.content.scripts.list()] == ["Opening"]
    with pytest.raises(errors.NotFound) as refused:
        ada.client.privacy.erasure.cancel()
    assert refused.value.code == "NX911"


def test_a_choice_holds_at_once(ada: Person) -> None:
    consents = ada.client.privacy.consents

    def marketing() -> tuple[bool, int | None]:
        ((is_allowed, version),) = (
            (purpose.is_allowed, purpose.text_version)
            for purpose in consents.purposes()
            if purpose.id == "marketing"
        )
        return is_allowed, version

    assert marketing() == (False, 1)
    given = consents.give("marketing", 1, method="sign_up")
    assert (given.is_given, given.method) == (True, "sign_up")
    assert marketing()[0]
    assert not consents.withdraw("marketing").is_given
    assert not marketing()[0]
    with pytest.raises(errors.ValidationFailed):
        consents.withdraw("features")
    with pytest.raises(errors.Conflict):
        consents.give("marketing", 7)


def test_everybody_sees_who_receives_data(ada: Person) -> None:
    listed = {processor.id: processor for processor in ada.client.privacy.consents.processors()}
    assert listed["resend"].purposes == ("marketing", "transactional_email")
    assert all(processor.countries for processor in listed.values())
