"""Monthly and daily partitions are made in time, catch up after a pause, and go when their time is over."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, rows, scalar


@pytest.fixture
def log(db: Connection) -> Connection:
    db.execute(
        """create table public.planted (id int, at timestamptz not null, note text default 'n',
             primary key (id, at)) partition by range (at)"""
    )
    db.execute("create index planted_note_idx on public.planted (note)")
    db.execute("insert into private.partitioned_tables values ('public.planted', '3 months')")
    db.execute("select private.ensure_partitions('2026-01-31T23:30:00Z')")
    return db


def _partitions(connection: Connection) -> list[str]:
    return [
        name
        for (name,) in rows(
            connection,
            "select inhrelid::regclass::text from pg_inherits where inhparent = "
            "'public.planted'::regclass order by 1",
        )
    ]


def test_last_this_and_two_more_months_and_a_default(log: Connection) -> None:
    assert _partitions(log) == [
        "private.planted_default",
        *(f"private.planted_y{month}" for month in ("2025m12", "2026m01", "2026m02", "2026m03")),
    ]


def test_a_month_is_utc(log: Connection) -> None:
    log.execute("set local timezone = 'Pacific/Kiritimati'")
    log.execute("select private.ensure_partitions('2026-03-31T23:59:59Z')")
    log.execute("insert into public.planted values (1, '2026-05-31T23:59:59Z'), (2, '2026-06-01T00:00:00Z')")
    found = rows(log, "select id, tableoid::regclass::text from public.planted order by id")
    assert found == [(1, "private.planted_y2026m05"), (2, "private.planted_default")]


def test_a_repeat_makes_nothing(log: Connection) -> None:
    before = _partitions(log)
    log.execute("select private.ensure_partitions('2026-01-15T00:00:00Z')")
    assert _partitions(log) == before


def test_rows_that_came_too_early_move_out_of_the_default(log: Connection) -> None:
    log.execute("insert into public.planted values (1, '2026-05-10T00:00:00Z'), (2, '2026-09-10T00:00:00Z')")
    log.execute("select private.ensure_partitions('2026-04-01T00:00:00Z')")
    found = rows(log, "select id, tableoid::regclass::text, note from public.planted order by id")
    assert found == [(1, "private.planted_y2026m05", "n"), (2, "private.planted_default", "n")]


def test_partitions_have_row_level_security_and_indexes(log: Connection) -> None:
    bare = rows(
        log,
        """select relname from pg_class c join pg_inherits i on i.inhrelid = c.oid
           where i.inhparent = 'public.planted'::regclass
             and (not relrowsecurity or 2 <> (select count(*) from pg_index x where x.indrelid = c.oid))""",
    )
    assert bare == []


@pytest.mark.parametrize(
    ("now", "is_kept"), [("2026-03-31T23:59:59Z", True), ("2026-04-01T00:00:00Z", False)]
)
def test_a_month_goes_when_its_last_row_is_too_old(log: Connection, now: str, is_kept: bool) -> None:
    log.execute("select private.drop_expired_partitions(%s)", (now,))
    assert ("private.planted_y2025m12" in _partitions(log)) is is_kept


def test_without_retention_everything_stays(log: Connection) -> None:
    log.execute("update private.partitioned_tables set retention = null where table_name = 'public.planted'")
    log.execute("select private.drop_expired_partitions('2099-01-01')")
    assert "private.planted_y2025m12" in _partitions(log)


def test_a_lock_is_not_waited_for_long(log: Connection) -> None:
    for function in ("ensure_partitions", "drop_expired_partitions"):
        settings = scalar(log, "select proconfig from pg_proc where proname = %s", function)
        assert "lock_timeout=2s" in settings


def test_a_term_too_short_for_months_goes_by_days(db: Connection) -> None:
    db.execute("create table public.planted (day date primary key) partition by range (day)")
    db.execute("insert into private.partitioned_tables values ('public.planted', '29 days', 'day')")
    db.execute("select private.ensure_partitions('2026-02-27T23:30:00Z')")
    days = ("02d26", "02d27", "02d28", *(f"03d0{n}" for n in range(1, 7)))
    assert _partitions(db) == ["private.planted_default", *(f"private.planted_y2026m{day}" for day in days)]
    db.execute(
        "insert into public.planted values ('2026-02-26'), ('2026-02-27'), ('2026-01-01'), ('2026-04-01')"
    )
    for now, left in {
        "2026-03-27T23:59:59Z": "2026-02-26",
        "2026-03-28T00:00:00Z": "2026-02-27",
    }.items():
        db.execute("select private.drop_expired_partitions(%s)", (now,))
        assert [str(day) for (day,) in rows(db, "select day from public.planted order by 1")] == [
            *(d for d in ("2026-02-26", "2026-02-27") if d >= left),
            "2026-04-01",
        ]
    db.execute("select private.ensure_partitions('2026-04-01T00:00:00Z')")
    assert scalar(db, "select tableoid::regclass::text from public.planted where day = '2026-04-01'") == (
        "private.planted_y2026m04d01"
    )
