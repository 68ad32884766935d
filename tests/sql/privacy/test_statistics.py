"""P7.3, P8.2: what the planner keeps of columns outlives their rows; so it keeps no texts, and no erased person."""

from __future__ import annotations

import pytest

from tests.sql.privacy.erasing import erase
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import create_person

KEPT = """select count(*) from pg_stats
          where tablename = 'captions' and concat_ws(' ', most_common_vals, histogram_bounds) like %s"""


def test_it_keeps_nothing_of_what_people_write(db: Connection) -> None:
    person = create_person(db)
    for _ in range(2):
        db.execute(
            "insert into public.captions (user_id, body) values (%s, 'canary of statistics')",
            (person.user_id,),
        )
    db.execute("analyze public.captions")
    assert scalar(db, KEPT, "%canary%") == 0
    assert scalar(db, KEPT, f"%{person.user_id}%") > 0  # whose rows there are many of, it needs to know


def test_it_looks_again_when_somebody_is_erased(db: Connection) -> None:
    person, other = create_person(db), create_person(db)
    for one in (person, person, other, other):
        db.execute("insert into public.captions (user_id, body) values (%s, 'text')", (one.user_id,))
    db.execute("analyze public.captions")
    erase(db, person)
    assert scalar(db, KEPT, f"%{person.user_id}%") == 0
    assert scalar(db, KEPT, f"%{other.user_id}%") > 0


@pytest.mark.parametrize("target", ["-1", "100"])
def test_a_column_of_texts_with_statistics_is_a_gap(db: Connection, target: str) -> None:
    assert rows(db, "select from private.columns_with_statistics()") == []
    db.execute(f"alter table public.scripts alter column body set statistics {target}")
    assert rows(db, "select gap, subject from private.catalogue_gaps()") == [
        ("the planner keeps what people wrote", "public.scripts.body")
    ]
    assert scalar(db, "select private.forget_statistics()") == 1
    assert rows(db, "select from private.catalogue_gaps()") == []
