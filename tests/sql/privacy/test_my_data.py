"""P7.1: one call shows everything that is held about the caller, and nothing about anybody else."""

from __future__ import annotations

import pytest

from tests.sql.querying import Connection, rows, scalar
from tests.support.personas import acting_as, create_person, denied
from tests.support.seed import seed_person


def _held(db: Connection) -> dict[str, tuple[int | None, bool]]:
    return {
        place: (count, is_exported)
        for place, count, is_exported in rows(
            db, "select place, row_count, is_exported from public.my_data()"
        )
    }


def test_every_personal_place_of_the_catalogue_is_shown(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        shown = set(_held(db))
    wanted = {
        place
        for (place,) in rows(
            db,
            """select distinct d.schema_name || '.' || d.relation from private.data_catalogue d
               where d.category <> 'system.operations'
                 and (d.kind <> 'column' or to_regclass(d.schema_name || '.' || d.relation) is not null)""",
        )
    }
    assert shown == wanted


def test_rows_and_files_are_counted_for_the_caller_alone(db: Connection) -> None:
    mine, _ = seed_person(db), seed_person(db)
    with acting_as(db, mine.person):
        held = _held(db)
    for table, is_exported in (
        ("public.posts", True),
        ("public.scripts", True),
        ("private.token_vault", False),
    ):
        assert held[table] == (1, is_exported)
    assert held["auth.users"][0] == 1
    assert held["storage.media"][0] == 1
    assert held["storage.avatars"][0] == 0
    assert held["queue.publish"][0] is None, "a queue does not tell whose its work is"


def test_somebody_who_has_nothing_sees_zeros(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        assert _held(db)["public.posts"] == (0, True)


def test_each_place_says_where_from_why_and_how_long(db: Connection) -> None:
    with acting_as(db, create_person(db)):
        vague = rows(
            db,
            """select place from public.my_data()
               where coalesce(cardinality(sources), 0) = 0 or purpose_description is null or lawful_basis is null
                  or coalesce(length(kept), 0) < 10 or coalesce(cardinality(categories), 0) = 0""",
        )
    assert vague == []


@pytest.mark.parametrize(
    ("place", "sources"),
    [
        ("public.connections", ["Told by the platform when you connected the account"]),
        ("public.scripts", ["Entered or uploaded by you"]),
        ("public.consents", ["Chosen by you"]),
    ],
)
def test_sources_are_what_they_are(db: Connection, place: str, sources: list[str]) -> None:
    with acting_as(db, create_person(db)):
        assert scalar(db, "select sources from public.my_data() where place = %s", place) == sources


@pytest.mark.parametrize(
    ("retain", "anchor", "words"),
    [
        (
            None,
            "account_deletion",
            "As long as you have the account; gone within 30 days after you delete it",
        ),
        ("13 months", "created", "13 months after it came to be"),
        ("24 hours", "created", "24 hours after it came to be"),
        ("1 day", "closed", "1 day after it was closed"),
        ("7 years", "issued", "7 years after it was issued"),
        (None, "disconnect", "Until the account on the platform is disconnected"),
    ],
)
def test_terms_in_words(db: Connection, retain: str | None, anchor: str, words: str) -> None:
    assert scalar(db, "select private.kept_words(%s, %s)", retain, anchor) == words


def test_secrets_are_named_and_withheld(db: Connection) -> None:
    """P6.6: that there is a token is shown, never the token."""
    with acting_as(db, create_person(db)):
        withheld = scalar(db, "select withheld from public.my_data() where place = 'private.token_vault'")
    assert withheld["sealed_access"] == "exclude_secret"


def test_it_works_in_every_state_of_the_account_but_not_without_a_session(db: Connection) -> None:
    waiting = create_person(db, birth_date=None)
    with acting_as(db, waiting):
        assert _held(db)["private.accounts"][0] is not None
    db.execute("delete from auth.sessions where id = %s", (waiting.session_id,))
    with acting_as(db, waiting), denied(db, "NX001"):
        db.execute("select public.my_data()")
    with acting_as(db, None), denied(db, "42501"):
        db.execute("select public.my_data()")


def test_every_category_has_a_source(db: Connection) -> None:
    assert (
        rows(
            db,
            """select distinct d.category from private.data_catalogue d
               where d.category <> 'system.operations'
                 and cardinality(private.source_of('none.none', array[d.category])) = 0""",
        )
        == []
    )
    assert scalar(db, "select private.source_of('none.none', array['user.planted'])") == []
