"""P1.7, P8.4: what is released cannot be traced back to anyone, by whatever arithmetic, and stays as it was."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sql.analytics.using import MONDAY, draw, fill, kept, pages, track
from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied

NEXT_MONDAY = "2026-03-09 00:00Z"
WEEK = [f"2026-03-0{day}" for day in range(2, 9)]
SCALE = 7


def released(db: Connection) -> dict[tuple[str, str, str], int]:
    return {
        (week, kind, name): people_days
        for week, kind, name, people_days in rows(
            db, "select week::text, kind, name, people_days from private.usage_aggregates order by 1, 2, 3"
        )
    }


def count(db: Connection, now: str = NEXT_MONDAY) -> int:
    return int(scalar(db, "select private.count_usage(%s)", now))


def test_a_week_is_released_when_it_is_over(db: Connection) -> None:
    for day in WEEK:
        fill(db, day, "page", "home", 100)
        fill(db, day, "country", "AD", 9)
    assert count(db, "2026-03-08 23:59:59Z") == 6
    assert released(db) == {}
    assert count(db) == 1
    assert set(released(db)) == {(MONDAY, "page", "home")}, "nine people are too few"
    assert abs(released(db)[MONDAY, "page", "home"] - 700) < 200
    assert scalar(db, "select count(*) from private.usage_day_counts") == 0
    assert count(db) == 0, "twice does no harm"


def test_after_a_pause_everything_is_made_up_for(db: Connection) -> None:
    """Worker down for a month: weeks that are over are released, before what is past its term is dropped."""
    for day in ("2026-03-04", "2026-03-11", "2026-03-30"):
        fill(db, day, "page", "home", 300)
    assert count(db, "2026-04-01 05:00Z") == 3
    assert sorted(week for week, _, _ in released(db)) == ["2026-03-02", "2026-03-09"]
    db.execute("select private.drop_expired_partitions('2026-04-01 05:00Z')")
    assert kept(db)[0][0] == "2026-03-04", "raw events have 30 days"
    db.execute("select private.drop_expired_partitions('2026-04-03 00:00Z')")
    assert {day for day, _, _ in kept(db)} == {"2026-03-11", "2026-03-30"}
    order = rows(
        db,
        """select task from private.housekeeping_tasks
           where task in ('destroy_usage_keys', 'count_usage', 'drop_expired_partitions') order by run_order""",
    )
    assert [task for (task,) in order] == ["destroy_usage_keys", "count_usage", "drop_expired_partitions"]


def test_a_single_person_releases_nothing(db: Connection) -> None:
    ada = create_person(db)
    for day in WEEK:
        for kind in ("page", "path", "feature"):
            draw(db, ada, kind, day)
            track(db, ada, pages("home", "posts"), "small", f"{day} 10:00Z")
    assert kept(db)
    assert count(db) == 7
    assert released(db) == {}
    assert scalar(db, "select count(*) from private.usage_releases") == 1


def test_what_was_released_stays_when_people_leave(admin_db: Connection) -> None:
    """P8.4: byte-identical after an opt-out and an erasure, and never released again."""
    ada = create_person(admin_db)
    for day in WEEK[:6]:
        fill(admin_db, day, "page", "home", 150)
    draw(admin_db, ada, "page", WEEK[6])
    track(admin_db, ada, pages("home"), at=f"{WEEK[6]} 10:00Z")
    count(admin_db)
    before = rows(admin_db, "select a::text from private.usage_aggregates a")
    assert before
    with acting_as(admin_db, ada):
        admin_db.execute("select public.withdraw_consent('product_improvement')")
    admin_db.execute("delete from auth.users where id = %s", (ada.user_id,))
    admin_db.execute("delete from private.usage_events")
    fill(admin_db, WEEK[3], "page", "home", 90)
    count(admin_db, "2026-03-16 00:00Z")
    assert rows(admin_db, "select a::text from private.usage_aggregates a") == before


@pytest.mark.parametrize("table", ["usage_aggregates", "usage_releases"])
def test_nobody_changes_a_release(db: Connection, table: str) -> None:
    fill(db, WEEK[0], "page", "home", 900)
    count(db)
    column = "people_days" if table == "usage_aggregates" else "released_at"
    for statement in (
        f"update private.{table} set {column} = {column}",
        f"delete from private.{table}",
        f"truncate private.{table} cascade",
    ):
        with denied(db, "NX704"):
            db.execute(statement.encode())
    with denied(db, "23514"):
        db.execute("insert into private.usage_releases values ('2026-03-09', '2026-03-15 23:59:59Z')")


def test_nothing_of_it_is_reached_through_the_api(db: Connection) -> None:
    ada = create_person(db)
    for table in ("usage_events", "usage_keys", "usage_calls", "usage_day_counts", "usage_aggregates"):
        with denied(db, "42501"), acting_as(db, ada):
            db.execute(f"select from private.{table}".encode())


# --- arithmetic -------------------------------------------------------------------------------------------------------


@settings(
    max_examples=10, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), people=st.integers(1, 40), least=st.integers(1, 3))
def test_no_arithmetic_on_cells_isolates_anybody(db: Connection, seed: int, people: int, least: int) -> None:
    """Brute force over a population whose people the test knows; few of them, a small k, and no noise to help.

    Cells are disjoint: each person-day is in one cell at most. So a sum of cells stands for the people of all of
    them, a difference of sums subtracts other person-days and isolates nobody, and no set of cells stands for fewer
    than k people.
    """
    whose = populate(db, random.Random(seed), people)
    db.execute("update private.settings set value = %s where key = 'usage_least_people'", (str(least),))
    db.execute("update private.settings set value = '0' where key = 'usage_noise_scale'")
    db.execute("alter table private.usage_aggregates drop constraint at_least_ten_people")
    for day in WEEK:
        db.execute("select private.count_usage_day(%s)", (day,))
    voted = {
        (kind, name): total
        for kind, name, total in rows(
            db, "select kind, name, sum(people)::int from private.usage_day_counts group by 1, 2"
        )
    }
    assert sum(voted.values()) == len(whose), "one vote per person and day"
    assert count(db) == 0
    shown = {(kind, name): value for (_, kind, name), value in released(db).items()}
    assert all(abs(value - voted[cell]) <= 2 for cell, value in shown.items())
    for size in range(1, len(shown) + 1):
        for cells in itertools.combinations(shown, size):
            days = {day for day, did in whose.items() if set(did) & set(cells)}
            votes = sum(voted[cell] for cell in cells)
            assert votes <= len(days)
            assert math.ceil(votes / 7) >= least * size, "so many different people at least, whoever voted"
            assert len({person for _, person in days}) >= least
    db.rollback()


def populate(db: Connection, rng: random.Random, people: int) -> dict[tuple[str, int], list[tuple[str, str]]]:
    """Rows of one kind for each person-day; (day, person) → what they did."""
    names = {"page": ["home", "posts", "calendar"], "country": ["DE", "AD"], "os": ["iOS", "Linux"]}
    whose = {}
    for person, day in itertools.product(range(people), WEEK):
        if rng.random() < 0.7:
            kind = rng.choice(list(names))
            picked = rng.sample(names[kind], rng.randint(1, 3 if kind == "page" else 1))
            whose[day, person] = [(kind, name) for name in picked]
    pseudonyms = {day: rng.randbytes(16) for day in whose}
    with db.cursor() as cursor:
        cursor.executemany(
            "insert into private.usage_events (day, pseudonym, kind, name) values (%s, %s, %s, %s)",
            [(day[0], pseudonyms[day], *cell) for day, did in whose.items() for cell in did],
        )
    return whose


def test_with_or_without_one_person_the_answers_are_alike(db: Connection) -> None:
    """Membership: one person's week makes an answer at most e times as likely, but for one case in a hundred."""
    answers: dict[int, dict[int, int | None]] = defaultdict(dict)
    for total, noise, shown in rows(
        db,
        """select t, n, private.shown_people_days(t, n)
           from generate_series(60, 130) t, generate_series(-90, 90) n""",
    ):
        answers[total][noise] = shown
    likely: dict[int, Counter[int | None]] = {}
    for total, by_noise in answers.items():
        likely[total] = Counter()
        for noise, shown in by_noise.items():
            likely[total][shown] += probability(noise)
    for total, moved in itertools.product(likely, range(-7, 8)):
        if total + moved in likely:
            other = likely[total + moved]
            excess = sum(max(0.0, p - math.e * other[shown]) for shown, p in likely[total].items())
            assert excess < 0.01, (total, moved)
    assert {None} == set(answers[69].values()), "below ten people nothing, whatever the noise"


def probability(noise: int) -> float:
    """Of the two-sided geometric distribution."""
    ratio = math.exp(-1 / SCALE)
    return (1 - ratio) / (1 + ratio) * ratio ** abs(noise)


def test_the_noise_is_what_it_should_be(db: Connection) -> None:
    drawn = Counter(
        noise for (noise,) in rows(db, "select private.usage_noise(7) from generate_series(1, 20000)")
    )
    for noise in range(-20, 21):
        expected = 20000 * probability(noise)
        assert abs(drawn[noise] - expected) < 5.5 * math.sqrt(expected), noise
