"""Who reaches targets and events, and what they refuse (P3.6)."""

from __future__ import annotations

import itertools

import psycopg
import pytest

from tests.sql.connections.making import connect_account
from tests.sql.publishing.making import Scene, add_post, add_target, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, as_worker, denied

STATES = ["draft", "scheduled", "publishing", "published", "failed", "unconfirmed", "missed", "cancelled"]


def test_people_see_their_own(db: psycopg.Connection) -> None:
    one, two = make_scene(db), make_scene(db)
    one.schedule("1 hour")
    with acting_as(db, one.person):
        assert db.execute("select id from public.post_targets").fetchall() == [(one.target,)]
        assert db.execute("select target_id from public.target_events").fetchall() == [(one.target,)]
    with acting_as(db, two.person):
        assert db.execute("select * from public.target_events").fetchall() == []
        assert (
            db.execute(
                "update public.post_targets set text = 'x' where id = %s returning id", (one.target,)
            ).fetchall()
            == []
        )
    for table in ("post_targets", "target_events"):
        with acting_as(db, None), denied(db, "42501"):
            db.execute(f"select * from public.{table}")
        with as_worker(db), denied(db, "42501"):
            db.execute(f"select * from public.{table}")


def test_targets_of_two_people_do_not_mix(db: psycopg.Connection) -> None:
    one, two = make_scene(db), make_scene(db)
    insert = "insert into public.post_targets (post_id, connection_id) values (%s, %s)"
    with acting_as(db, one.person):
        with denied(db, "NX204"):
            db.execute(insert, (one.post, two.account))
        with denied(db, "23503"):
            db.execute(insert, (two.post, one.account))
        with denied(db, "NX204"):
            db.execute(
                "insert into public.post_targets (post_id, connection_id, user_id) values (%s, %s, %s)",
                (two.post, one.account, two.person.user_id),
            )
        with denied(db, "42501"):
            db.execute(
                "insert into public.post_targets (post_id, connection_id, user_id) values (%s, %s, %s)",
                (add_post_of(db, two), two.account, two.person.user_id),
            )


def add_post_of(db: psycopg.Connection, scene: Scene) -> object:
    """A second post of somebody else, so that only the row policy is in the way."""
    db.execute("reset role")
    row = db.execute(
        "insert into public.posts (user_id, body) values (%s, 'b') returning id", (scene.person.user_id,)
    ).fetchone()
    db.execute("set local role authenticated")
    assert row is not None
    return row[0]


def test_one_target_per_account(scene: Scene) -> None:
    with denied(scene.db, "23505"):
        add_target(scene.db, scene.person, scene.post, scene.account)


def test_the_platform_is_that_of_the_account(scene: Scene) -> None:
    linkedin = connect_account(scene.db, scene.person, "linkedin")
    target = add_target(scene.db, scene.person, scene.post, linkedin)
    assert scene.db.execute(
        "select platform_id from public.post_targets where id = %s", (target,)
    ).fetchone() == ("linkedin",)


@pytest.mark.parametrize(
    "column", ["state", "scheduled_at", "platform_id", "external_id", "attempt", "published_at"]
)
def test_people_write_text_options_and_tolerance_only(scene: Scene, column: str) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            "update public.post_targets set text = 'a', options = '{\"b\": 1}', tolerance = '2 hours'"
        )
        with denied(scene.db, "42501"):
            scene.db.execute(f"update public.post_targets set {column} = {column}")
        with denied(scene.db, "42501"):
            scene.db.execute(
                f"""insert into public.post_targets (post_id, connection_id, {column})
                    select post_id, connection_id, {column} from public.post_targets"""
            )


def test_the_guard_holds_where_grants_do_not(scene: Scene) -> None:
    scene.db.execute("grant update on public.post_targets to authenticated")
    with acting_as(scene.db, scene.person):
        for change in (
            "state = 'scheduled', scheduled_at = now()",
            "id = gen_random_uuid()",
            "updated_at = now() - interval '1 day'",
            "attempt = 7",
            "user_id = gen_random_uuid()",
        ):
            with denied(scene.db, "NX010"):
                scene.db.execute(f"update public.post_targets set {change}")


def test_the_guard_knows_every_column(db: psycopg.Connection) -> None:
    guarded = scalar(
        db,
        "select array_remove(string_to_array(encode(tgargs, 'escape'), '\\000'), '') from pg_trigger"
        " where tgname = '_100_protect' and tgrelid = 'public.post_targets'::regclass",
    )
    columns = rows(
        db, "select column_name::text from information_schema.columns where table_name = 'post_targets'"
    )
    assert set(guarded) | {"text", "options", "tolerance"} == {name for (name,) in columns}


def test_edits_keep_updated_at_true(scene: Scene) -> None:
    scene.db.execute("update public.post_targets set updated_at = now() - interval '1 day'")
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set text = 'new'")
    assert scene.db.execute("select updated_at = now() from public.post_targets").fetchone() == (True,)


@pytest.mark.parametrize(
    "change",
    [
        "options = '[]'",
        "options = jsonb_build_object('a', repeat(md5(random()::text), 2000))",
        "tolerance = '8 days'",
        "tolerance = '1 second'",
        "text = repeat('x', 100001)",
    ],
)
def test_values_are_bounded(scene: Scene, change: str) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "23514"):
        scene.db.execute(f"update public.post_targets set {change}")


@pytest.mark.parametrize("state", STATES)
def test_people_remove_what_is_neither_on_its_way_nor_published(scene: Scene, state: str) -> None:
    put_in(scene, state)
    with acting_as(scene.db, scene.person):
        removed = scene.db.execute("delete from public.post_targets returning id").fetchall()
    assert bool(removed) == (state in ("draft", "cancelled", "failed", "missed"))


def put_in(scene: Scene, state: str) -> None:
    """Force a state, past the trigger that guards transitions."""
    scene.db.execute("alter table public.post_targets disable trigger _300_record_transitions")
    scene.db.execute(
        """update public.post_targets set state = %s, scheduled_at = now(),
             published_at = case when %s = 'published' then now() end where id = %s""",
        (state, state, scene.target),
    )
    scene.db.execute("alter table public.post_targets enable trigger _300_record_transitions")


LAWFUL = {
    "draft": {"scheduled"},
    "scheduled": {"publishing", "cancelled", "failed", "missed", "published", "unconfirmed"},
    "publishing": {"published", "scheduled", "failed", "missed", "unconfirmed", "cancelled"},
    "published": set(),
    "failed": {"scheduled", "published"},
    "unconfirmed": {"published", "failed"},
    "missed": {"scheduled", "published"},
    "cancelled": {"scheduled", "published"},
}


@pytest.mark.parametrize(("before", "after"), list(itertools.permutations(STATES, 2)))
def test_every_transition_is_lawful_or_refused(scene: Scene, before: str, after: str) -> None:
    put_in(scene, before)
    statement = """update public.post_targets
                   set state = %s, published_at = case when %s = 'published' then now() end"""
    if after in LAWFUL[before]:
        scene.db.execute(statement, (after, after))
        assert scene.events()[-1][:2] == (before, after)
    else:
        with denied(scene.db, "NX400"):
            scene.db.execute(statement, (after, after))


def test_one_unlawful_row_refuses_the_whole_statement(db: psycopg.Connection) -> None:
    one, two = make_scene(db), make_scene(db)
    put_in(one, "published")
    with denied(db, "NX400"):
        db.execute(
            "update public.post_targets set state = 'scheduled', scheduled_at = now(), published_at = null"
        )
    assert two.events() == []


def test_history_is_written_by_the_service_alone(scene: Scene) -> None:
    scene.schedule()
    with acting_as(scene.db, scene.person):
        for statement in (
            "update public.target_events set code = 'x'",
            "delete from public.target_events",
            "insert into public.target_events (target_id) values (null)",
        ):
            with denied(scene.db, "42501"):
                scene.db.execute(statement)


def test_history_and_queue_go_with_the_target(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1)
    scene.report(1, "retry")
    scene.db.execute("delete from auth.users where id = %s", (scene.person.user_id,))  # P7.3
    for table in (
        "public.post_targets",
        "public.target_events",
        "private.publish_attempts",
        "private.queue where lane = 'publish'",
        "private.token_vault",
        "public.connections",
        "public.posts",
    ):
        assert scene.db.execute(f"select count(*) from {table}").fetchone() == (0,), table


def test_an_account_that_waits_for_a_guardian_schedules_nothing(db: psycopg.Connection, scene: Scene) -> None:
    db.execute("update private.accounts set state = 'locked', locked_at = now()")
    post = add_post_of_owner(db, scene)
    with acting_as(db, scene.person):
        with denied(db, "NX112"):
            db.execute("select * from public.schedule_post(%s, now())", (post,))
        assert db.execute("select * from public.post_targets").fetchall() == []


def add_post_of_owner(db: psycopg.Connection, scene: Scene) -> object:
    return scene.post if scene.db is db else add_post(db, scene.person)
