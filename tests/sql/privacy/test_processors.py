"""P2.2, P4.1, P10.2: who receives data is listed with countries and safeguard, and never trains on it."""

from __future__ import annotations

import psycopg
import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied

PROMISED = {"supabase", "groq", "whisper", "stripe", "resend", "netlify", "railway"}


def add(db: Connection, **changes: object) -> None:
    values = {
        "id": "planted",
        "display_name": "Planted",
        "task": "Something useful",
        "receives": "As little as possible",
        "countries": ["US"],
        "safeguard": "standard_contractual_clauses",
        "trains_on_data": False,
        "is_promised": False,
        "needs_consent": True,
        "checked_on": "2026-11-20",
        **changes,
    }
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    db.execute(f"insert into private.processors ({columns}) values ({places})", tuple(values.values()))


def test_exactly_the_promised_ones_are_listed(db: Connection) -> None:
    assert {id_ for (id_,) in rows(db, "select id from private.processors")} == PROMISED


def test_each_has_a_purpose(db: Connection) -> None:
    assert (
        rows(
            db,
            """select id from private.processors p
           where not exists (select from private.processor_purposes u where u.processor_id = p.id)""",
        )
        == []
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"trains_on_data": True},
        {"trains_on_data": None},
        {"countries": []},
        {"countries": ["us"]},
        {"safeguard": "good will"},
        {"needs_consent": False},
    ],
)
def test_a_processor_that_breaks_a_promise_cannot_be_listed(
    db: Connection, changes: dict[str, object]
) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        add(db, **changes)


def test_only_listed_processors_get_data_and_only_for_their_purpose(db: Connection) -> None:
    person = create_person(db)
    require = "select private.require_processing(%s, %s, %s)"
    db.execute(require, (person.user_id, "ai_processing", "groq"))
    for purpose, processor in (("ai_processing", "planted"), ("features", "groq"), ("features", "stripe")):
        with denied(db, "NX905"):
            db.execute(require, (person.user_id, purpose, processor))


def test_people_see_the_list(db: Connection) -> None:
    with acting_as(db, create_person(db, birth_date=None)):
        assert {id_ for (id_,) in rows(db, "select id from public.list_processors()")} == PROMISED
        assert scalar(db, "select countries from public.list_processors() where id = 'stripe'") == [
            "US",
            "IE",
        ]
