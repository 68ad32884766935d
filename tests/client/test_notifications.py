"""`client.notifications` against the real API."""

from __future__ import annotations

from uuid import uuid4

import pytest

from nexora_client import errors
from tests.client.people import Person, worker_fact

NOTIFY = "select private.notify(%s, 'target_missed', 'target', %s, 'NX430')"
TITLE = "A post was missed because its account has to be connected again"


def test_notices_are_listed_and_marked(ada: Person, bob: Person, db_url: str) -> None:
    subjects = [uuid4(), uuid4(), uuid4()]
    for subject in subjects:
        worker_fact(db_url, NOTIFY, ada.user_id, subject)
    notices = list(ada.client.notifications.list(page_size=2))
    assert [notice.subject_id for notice in notices] == subjects[::-1]
    assert {notice.read_at for notice in notices} == {None}
    assert {(notice.title, notice.wants_mail) for notice in notices} == {(TITLE, True)}
    read = ada.client.notifications.mark_read(notices[0].id)
    assert read.read_at is not None
    assert read.title == TITLE
    assert [notice.read_at is None for notice in ada.client.notifications.list()] == [False, True, True]
    assert list(bob.client.notifications.list()) == []
    with pytest.raises(errors.NotFound):
        bob.client.notifications.mark_read(notices[1].id)
    assert [notice.read_at is None for notice in ada.client.notifications.list()] == [False, True, True]
