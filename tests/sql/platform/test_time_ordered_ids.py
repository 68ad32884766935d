"""private.time_ordered_id(): UUIDs of version 7 (RFC 9562)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.sql.querying import Connection, rows

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


def test_ids_are_of_version_7_and_in_the_order_of_time(db: Connection) -> None:
    made = [
        row[0]
        for row in rows(
            db,
            "select private.time_ordered_id(%s::timestamptz + n * interval '1 millisecond')"
            " from generate_series(0, 999) n",
            NOW,
        )
    ]
    assert {(made_id.version, made_id.variant) for made_id in made} == {(7, "specified in RFC 4122")}
    assert made == sorted(made)
    assert [made_id.int >> 80 for made_id in made[:2]] == [
        round((NOW + timedelta(milliseconds=n)).timestamp() * 1000) for n in range(2)
    ]


def test_ids_of_one_instant_differ(db: Connection) -> None:
    made = rows(db, "select private.time_ordered_id(%s) from generate_series(1, 10000)", NOW)
    assert len(set(made)) == 10_000
