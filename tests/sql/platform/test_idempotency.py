"""A repeated request has one effect and two answers."""

from __future__ import annotations

import threading
import uuid

import psycopg
import pytest

from tests.sql.querying import Connection, scalar
from tests.support.personas import create_person, denied

KEY = uuid.UUID("00000000-0000-4000-8000-000000000001")
ASK = "select private.idempotent_response(%s, 'do_it', %s, %s, %s)"
REMEMBER = "select private.remember_response(%s, 'do_it', %s, %s, %s, %s)"
T0 = "2026-03-01T12:00:00Z"


def _remember(db: Connection, user: uuid.UUID, request: str = '{"a": 1, "b": 2}', at: str = T0) -> None:
    db.execute(REMEMBER, (user, KEY, request, '{"id": 7}', at))


def test_the_first_call_goes_on(db: Connection) -> None:
    assert scalar(db, ASK, create_person(db).user_id, KEY, "{}", T0) is None


def test_the_second_gets_the_first_answer(db: Connection) -> None:
    user = create_person(db).user_id
    _remember(db, user)
    assert scalar(db, ASK, user, KEY, '{"b": 2, "a": 1}', T0) == {"id": 7}


def test_an_answer_of_nothing_is_an_answer(db: Connection) -> None:
    user = create_person(db).user_id
    db.execute(REMEMBER, (user, KEY, "{}", None, T0))
    assert scalar(db, "select private.idempotent_response(%s, 'do_it', %s, '{}', %s) = 'null'", user, KEY, T0)


def test_another_request_with_the_same_key_is_refused(db: Connection) -> None:
    user = create_person(db).user_id
    _remember(db, user)
    with denied(db, "NX003"):
        db.execute(ASK, (user, KEY, '{"a": 1}', T0))


def test_keys_of_others_and_of_other_functions_are_other_keys(db: Connection) -> None:
    user = create_person(db).user_id
    _remember(db, user)
    assert scalar(db, ASK, create_person(db).user_id, KEY, "{}", T0) is None
    assert (
        scalar(db, "select private.idempotent_response(%s, 'do_that', %s, '{}', %s)", user, KEY, T0) is None
    )


def test_without_a_key_nothing_is_remembered(db: Connection) -> None:
    user = create_person(db).user_id
    assert scalar(db, ASK, user, None, "{}", T0) is None
    db.execute(REMEMBER, (user, None, "{}", "{}", T0))
    assert scalar(db, "select count(*) from private.idempotency_keys where user_id = %s", user) == 0


@pytest.mark.parametrize(
    ("later", "is_known"), [("2026-03-02T11:59:59Z", True), ("2026-03-02T12:00:00Z", False)]
)
def test_a_key_lives_for_a_day(db: Connection, later: str, is_known: bool) -> None:
    user = create_person(db).user_id
    _remember(db, user, "{}")
    assert (scalar(db, ASK, user, KEY, "{}", later) is not None) is is_known
    scalar(db, "select private.expire_idempotency_keys(%s)", later)
    assert scalar(db, "select count(*) from private.idempotency_keys where user_id = %s", user) == int(
        is_known
    )


def test_after_a_day_the_key_starts_afresh(db: Connection) -> None:
    user = create_person(db).user_id
    _remember(db, user, "{}")
    _remember(db, user, '{"a": 3}', "2026-03-02T12:00:00Z")
    assert scalar(db, ASK, user, KEY, '{"a": 3}', "2026-03-02T12:00:01Z") == {"id": 7}


def test_the_answers_go_with_the_person(db: Connection) -> None:
    user = create_person(db).user_id
    _remember(db, user)
    db.execute("delete from auth.users where id = %s", (user,))
    assert scalar(db, "select count(*) from private.idempotency_keys where user_id = %s", user) == 0


def test_two_calls_at_once_have_one_effect(db_url: str) -> None:
    with psycopg.connect(db_url) as setup:
        user = create_person(setup).user_id
    effects: list[int] = []
    answers: list[object] = []
    start = threading.Barrier(6)

    def call(number: int) -> None:
        with psycopg.connect(db_url) as connection:
            start.wait()
            answer = scalar(connection, "select private.idempotent_response(%s, 'race', %s, '{}')", user, KEY)
            if answer is None:
                effects.append(number)
                answer = number
                connection.execute(
                    "select pg_sleep(0.05), private.remember_response(%s, 'race', %s, '{}', %s)",
                    (user, KEY, str(number)),
                )
            answers.append(answer)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(effects) == 1
    assert answers == effects * 6
