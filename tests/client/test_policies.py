"""`client.policies` against the real API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.client.people import Person, worker_fact

ANNOUNCE = (
    "select private.announce_policy('https://nexora.example/privacy/2', 'We name one more processor.', %s)"
)


def test_a_pending_change_stands_in_the_product(ada: Person, db_url: str) -> None:
    (first,) = ada.client.policies.list()
    assert (first.version, first.state, first.method) == (1, "in_effect", "sign_up")
    assert ada.client.policies.pending() is None
    at = datetime.now(UTC) + timedelta(days=20)
    worker_fact(db_url, ANNOUNCE, at)
    pending = ada.client.policies.pending()
    assert pending is not None
    assert (pending.version, pending.effective_at, pending.accepted_at) == (2, at, None)
