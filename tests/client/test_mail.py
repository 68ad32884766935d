"""`client.mail` against the real API."""

from __future__ import annotations

import pytest

from nexora_client import MailCategory, errors
from tests.client.people import Person

ESSENTIAL = [MailCategory.SECURITY, MailCategory.BILLING, MailCategory.POLICY]


def _wanted(person: Person) -> dict[MailCategory, bool]:
    return {choice.id: choice.is_wanted for choice in person.client.mail.choices()}


def test_product_mail_is_switched_off_and_on(ada: Person, bob: Person) -> None:
    assert _wanted(ada)[MailCategory.PRODUCT]
    ada.client.mail.choose(MailCategory.PRODUCT, False)
    assert not _wanted(ada)[MailCategory.PRODUCT]
    assert _wanted(bob)[MailCategory.PRODUCT]
    ada.client.mail.choose(MailCategory.PRODUCT, True)
    assert _wanted(ada)[MailCategory.PRODUCT]


@pytest.mark.parametrize("category", ESSENTIAL)
def test_essential_mail_stays_on(ada: Person, category: MailCategory) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        ada.client.mail.choose(category, False)
    assert caught.value.code == "NX801"
    assert _wanted(ada)[category]


def test_marketing_is_switched_on_by_a_consent_alone(ada: Person) -> None:
    with pytest.raises(errors.Forbidden) as caught:
        ada.client.mail.choose(MailCategory.MARKETING, True)
    assert caught.value.code == "NX802"
