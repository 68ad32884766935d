"""What a claim hands over, what it refuses and why, and what becomes of the leases of workers that died."""

from __future__ import annotations

import base64
import threading
import uuid
from datetime import timedelta
from typing import Any, LiteralString

import psycopg
import pytest

from tests.sql.connections.making import X_SCOPES, register_worker
from tests.sql.publishing.making import Row, Scene, make_scene
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, as_worker, denied

SCHEDULED = ("draft", "scheduled", None)
CLAIM = """select target_id, attempt, mode from private.claim_targets(
             %s, %s, now() + %s::interval, null, now() + %s::interval)"""


def plain_claim(
    scene: Scene, offset: str = "0", *, worker: uuid.UUID | None = None, limit: int | None = 100,
    since: str | None = None,
) -> list[tuple[Any, ...]]:  # fmt: skip
    """A claim without a heartbeat."""
    return scene.db.execute(CLAIM, (worker or scene.worker, limit, since, offset)).fetchall()


def claim_after_a_death(scene: Scene, offset: str = "0") -> list[Row]:
    """Whoever holds a lease of the scene dies, and another worker claims."""
    queued = scene.queued()
    assert queued is not None
    scene.kill(queued["worker_id"])
    return scene.claim(offset, worker=register_worker(scene.db, "next"))


def ids(scene: Scene) -> Row:
    user = scene.person.user_id
    return {"person": user, "account": scene.account, "post": scene.post, "target": scene.target}


def change(scene: Scene, statement: LiteralString) -> None:
    """One row is changed behind the back of every trigger."""
    scene.db.execute("set local session_replication_role = replica")
    assert scene.db.execute(statement, ids(scene)).rowcount == 1
    scene.db.execute("set local session_replication_role = origin")


def set_setting(scene: Scene, key: str, value: int) -> None:
    scene.db.execute("update private.settings set value = to_jsonb(%s::int) where key = %s", (value, key))


def send(scene: Scene) -> None:
    """A worker has marked it, and does not say what came of it."""
    scene.schedule()
    scene.claim()
    assert scene.mark(1)


def due_in(scene: Scene) -> object:
    query = "select due_at - now() from private.queue where subject_id = %s and worker_id is null"
    return scalar(scene.db, query, scene.target)


def picture(scene: Scene) -> tuple[Any, ...]:
    """The target with the place of its row version, which every update changes."""
    [row] = rows(scene.db, "select t.ctid::text, t.* from public.post_targets t where id = %s", scene.target)
    return row


def tried(scene: Scene) -> list[tuple[Any, ...]]:
    """The attempts: number, outcome, when it was sent."""
    return rows(
        scene.db,
        """select attempt, outcome, sending_at - now(), platform_key from private.publish_attempts
           where target_id = %s order by attempt, finished_at""",
        scene.target,
    )


def new_limit(scene: Scene, characters: int) -> None:
    """The length of texts on X is limited anew, a minute from now."""
    scene.db.execute(
        """insert into public.platform_rules (platform_id, rule, value, unit, source, checked_on, valid_from,
                                              changed_at)
           values ('x', 'text_length', %s, 'weighted characters', 'a test', current_date,
                   (now() at time zone 'utc')::date, now() + interval '1 minute')""",
        (characters,),
    )


UNKNOWN = dict.fromkeys(("alt_text", "width", "height", "duration_ms"))
IMAGE = UNKNOWN | {"kind": "image", "mime_type": "image/png", "size_bytes": 10}
VIDEO = {"kind": "video", "mime_type": "video/mp4", "size_bytes": 5000, "alt_text": "A cat", "width": 640,
         "height": 480, "duration_ms": 9000}  # fmt: skip


def attach(scene: Scene, name: str, role: str, position: int, file: Row = IMAGE) -> None:
    scene.db.execute(
        """with file as (
             insert into public.media (user_id, object_name, kind, mime_type, size_bytes,
                                       alt_text, width, height, duration_ms)
             values (%(person)s, %(person)s::text || '/' || %(name)s, %(kind)s, %(mime_type)s, %(size_bytes)s,
                     %(alt_text)s, %(width)s, %(height)s, %(duration_ms)s) returning id)
           insert into public.post_media (post_id, media_id, user_id, role, position)
           select %(post)s, id, %(person)s, %(role)s, %(position)s from file""",
        file | ids(scene) | {"name": name, "role": role, "position": position},
    )


def add_part(scene: Scene, position: int, body: str) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            "insert into public.target_follow_ups (target_id, position, body) values (%s, %s, %s)",
            (scene.target, position, body),
        )


def post_part(scene: Scene) -> None:
    """The post itself is out, and its thread goes on."""
    send(scene)
    record = "select private.record_part(%s, %s, 1, 0, '100', null, null)"
    assert scalar(scene.db, record, scene.worker, scene.target)


def assert_ended(
    scene: Scene, state: str, code: str, *, before: str = "scheduled", words: str | None = None
) -> None:
    """It ended unsent, says why in words, is told once, and nobody will look at it again."""
    row = scene.row()
    words = words or scalar(scene.db, "select message from private.error_registry where code = %s", code)
    assert (row["state"], row["failure_code"], row["failure_message"]) == (state, code, words)
    assert scene.events()[-1] == (before, state, code)
    assert scene.notices() == [(f"target_{state}", code)]
    assert scene.queued() is None


# --- what is handed over ------------------------------------------------------------------------------------


def test_a_plain_post_is_handed_over_whole(scene: Scene) -> None:
    scene.db.execute("update public.connections set external_account_id = 'mira-7'")
    scene.db.execute(
        "update private.token_vault set generation = 7, access_expires_at = now() + interval '3h'"
    )
    scene.schedule("1 minute")
    times = "select now() + interval '1 minute', access_expires_at, sealed_access from private.token_vault"
    [(due, expires, sealed)] = rows(scene.db, times)
    assert len(sealed) > 57  # base64 would be broken into lines
    [claim] = scene.claim("2 minutes")
    assert claim == {
        "target_id": scene.target, "attempt": 1, "mode": "publish", "user_id": scene.person.user_id,
        "connection_id": scene.account, "platform_id": "x", "external_account_id": "mira-7", "text": "Hello",
        "options": {}, "media": [], "scopes": X_SCOPES, "sealed_access": base64.b64encode(sealed).decode(),
        "generation": 7, "access_expires_at": expires, "scheduled_at": due, "sending_at": None,
        "progress": {}, "external_id": None, "follow_ups": [],
    }  # fmt: skip


def test_its_own_text_and_options_go_before_those_of_the_post(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute(
            """update public.post_targets set text = 'For X', options = '{"reply_settings": "following"}'"""
        )
    scene.schedule()
    [claim] = scene.claim()
    assert (claim["text"], claim["options"]) == ("For X", {"reply_settings": "following"})


def test_files_come_in_the_order_of_role_and_position(scene: Scene) -> None:
    scene.schedule()
    attach(scene, "preview", "thumbnail", 1)
    attach(scene, "last", "attachment", 10, VIDEO)
    attach(scene, "first", "attachment", 2)
    [claim] = scene.claim()
    common, folder = {"bucket_id": "media"}, f"{scene.person.user_id}/"
    assert claim["media"] == [
        common | IMAGE | {"object_name": folder + "first", "role": "attachment"},
        common | VIDEO | {"object_name": folder + "last", "role": "attachment"},
        common | IMAGE | {"object_name": folder + "preview", "role": "thumbnail"},
    ]


def test_a_thread_carries_what_is_out_already(scene: Scene) -> None:
    add_part(scene, 10, "the end")
    add_part(scene, 2, "the middle")
    post_part(scene)
    out = "update public.target_follow_ups set external_id = '102', published_at = now() where position = 2"
    scene.db.execute(out)
    [claim] = claim_after_a_death(scene)
    assert (claim["mode"], claim["external_id"]) == ("publish", "100")
    assert claim["follow_ups"] == [
        {"position": 2, "text": "the middle", "external_id": "102"},
        {"position": 10, "text": "the end", "external_id": None},
    ]


def test_content_is_handed_over_as_it_is_when_it_is_claimed(scene: Scene) -> None:
    add_part(scene, 1, "next")
    scene.schedule("1 hour")
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.posts set body = 'Edited'")
        scene.db.execute("update public.target_follow_ups set body = 'edited, too'")
    [claim] = scene.claim("1 hour")
    assert claim["text"] == "Edited"
    assert [part["text"] for part in claim["follow_ups"]] == ["edited, too"]


def test_workers_claim_and_nobody_else(scene: Scene) -> None:
    scene.schedule()
    wrapper = "select target_id from worker.claim_targets(%s, 10)"
    for person in (scene.person, None):
        with acting_as(scene.db, person), denied(scene.db, "42501"):
            scene.db.execute(wrapper, (scene.worker,))
    with as_worker(scene.db):
        assert rows(scene.db, wrapper, scene.worker) == [(scene.target,)]


# --- what is claimed ----------------------------------------------------------------------------------------


def test_nothing_is_handed_out_before_it_is_due(scene: Scene) -> None:
    scene.schedule("1 hour")
    before = scene.queued()
    assert scene.claim("59 minutes 59 seconds") == []
    assert scene.queued() == before
    assert len(scene.claim("1 hour")) == 1


def test_a_claim_leases_the_queue_row_and_leaves_the_target_as_it_is(scene: Scene) -> None:
    scene.schedule()
    before, waiting = picture(scene), scene.queued()
    assert waiting is not None
    scene.claim("1 minute")
    assert picture(scene) == before
    assert scene.events() == [SCHEDULED]
    assert tried(scene) == []
    leased_at = scalar(scene.db, "select now() + interval '1 minute'")
    assert scene.queued() == waiting | {"worker_id": scene.worker, "leased_at": leased_at, "attempt": 1}


def test_the_oldest_go_first(scene: Scene) -> None:
    targets = {}
    for minutes in (3, 1, 2):
        each = make_scene(scene.db)
        each.schedule(f"{minutes} minutes")
        targets[minutes] = each.target
    assert {row["target_id"] for row in scene.claim("5 minutes", limit=2)} == {targets[1], targets[2]}
    assert [row["target_id"] for row in scene.claim("5 minutes", limit=2)] == [targets[3]]


@pytest.mark.parametrize("limit", [0, -1, None])
def test_without_room_nothing_is_leased(scene: Scene, limit: int | None) -> None:
    scene.schedule()
    before = scene.queued()
    assert plain_claim(scene, limit=limit) == []
    assert scene.queued() == before


def test_at_most_a_thousand_are_handed_out(scene: Scene) -> None:
    set_setting(scene, "claim_account_share", 100_000)
    scene.db.execute(
        """with post as (
             insert into public.posts (user_id, body) select %(person)s, i from generate_series(1, 1001) i
             returning id
           ), target as (
             insert into public.post_targets (user_id, post_id, connection_id, platform_id, state,
                                              scheduled_at, checked_at)
             select %(person)s, p.id, %(account)s, 'x', 'scheduled', now(), now() from post p returning id
           )
           insert into private.queue (lane, subject_id, due_at, expires_at)
           select 'publish', id, now(), now() + interval '1 hour' from target""",
        ids(scene),
    )
    assert len(plain_claim(scene, limit=5000)) == 1000
    assert scalar(scene.db, "select count(*) from private.queue where worker_id = %s", scene.worker) == 1000
    assert len(plain_claim(scene, limit=5000)) == 1


def test_since_passes_over_what_was_due_before(scene: Scene) -> None:
    later = make_scene(scene.db)
    scene.schedule("10 seconds")
    later.schedule("20 seconds")
    assert plain_claim(scene, "30 seconds", since="20.1 seconds") == []
    assert [row[0] for row in plain_claim(scene, "30 seconds", since="20 seconds")] == [later.target]
    assert [row[0] for row in plain_claim(scene, "30 seconds")] == [scene.target]


def test_two_claims_never_give_the_same_target(scene: Scene) -> None:
    scene.schedule()
    assert len(scene.claim()) == 1
    assert scene.claim() == []
    assert scene.claim(worker=register_worker(scene.db, "other")) == []


def test_claims_at_one_instant_share_the_targets_out(db_url: str) -> None:
    with psycopg.connect(db_url) as connection:
        scenes = [make_scene(connection) for _ in range(12)]
        for scene in scenes:
            scene.schedule()
        workers = [register_worker(connection, f"w{n}") for n in range(3)]
    start = threading.Barrier(len(workers))
    given: list[tuple[uuid.UUID, int]] = []

    def claim(worker: uuid.UUID) -> None:
        with psycopg.connect(db_url, autocommit=True) as session:
            start.wait()
            for _ in range(8):
                given.extend(
                    rows(session, "select target_id, attempt from worker.claim_targets(%s, 2)", worker)
                )

    threads = [threading.Thread(target=claim, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given) == sorted((scene.target, 1) for scene in scenes)


@pytest.mark.parametrize("fate", ["unknown", "silent", "dead", "stopped"])
def test_only_a_live_worker_gets_anything(scene: Scene, fate: str) -> None:
    scene.schedule()
    before = scene.queued()
    worker = uuid.uuid4() if fate == "unknown" else scene.worker
    if fate in ("silent", "dead"):
        scene.kill()
    if fate == "dead":
        scene.db.execute("select private.release_dead_leases()")
        scene.db.execute("update private.workers set heartbeat_at = now()")
    if fate == "stopped":
        scene.db.execute("select private.stop_worker(%s)", (worker,))
    assert plain_claim(scene, worker=worker) == []
    assert scene.queued() == before


def test_a_worker_that_is_stopping_gets_nothing_more(scene: Scene) -> None:
    send(scene)
    other = make_scene(scene.db)
    other.schedule()
    scene.db.execute("select private.stop_worker(%s)", (scene.worker,))
    assert scene.claim() == []
    assert len(scene.claim(worker=other.worker)) == 1


def test_the_next_due_time_is_that_of_what_nobody_has(scene: Scene) -> None:
    query: LiteralString = "select private.next_publish_due() - now()"
    assert scalar(scene.db, query) is None
    scene.schedule()
    later = make_scene(scene.db)
    later.schedule("2 hours")
    assert scalar(scene.db, query) == timedelta(0)
    scene.claim()
    assert scalar(scene.db, query) == timedelta(hours=2)
    later.claim("2 hours")
    assert scalar(scene.db, query) is None


# --- leases of workers that died ----------------------------------------------------------------------------


def test_an_unsent_lease_of_a_dead_worker_is_handed_out_again(scene: Scene) -> None:
    scene.schedule()
    before = picture(scene)
    scene.claim()
    [claim] = claim_after_a_death(scene)
    assert (claim["attempt"], claim["mode"], claim["sending_at"]) == (2, "publish", None)
    assert picture(scene) == before
    assert scene.events() == [SCHEDULED]
    assert tried(scene) == [(1, "lease_lost", None, None)]
    assert scene.claim() == []
    assert tried(scene) == [(1, "lease_lost", None, None)]


def test_an_unsent_upload_of_a_dead_worker_goes_on_where_it_stopped(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.save_progress(1, {"session": "s-1"})
    [claim] = claim_after_a_death(scene)
    assert (claim["attempt"], claim["mode"], claim["progress"]) == (2, "publish", {"session": "s-1"})
    assert tried(scene) == [(1, "lease_lost", None, None)]
    assert scene.events() == [SCHEDULED, ("scheduled", "publishing", None)]


def test_a_marked_lease_of_a_dead_worker_is_looked_up_and_not_sent(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.mark(1, "3 seconds", key="container-9")
    [claim] = claim_after_a_death(scene)
    assert (claim["attempt"], claim["mode"]) == (2, "reconcile")
    assert claim["sending_at"] == scalar(scene.db, "select now() + interval '3 seconds'")
    assert claim["progress"] == {"platform_key": "container-9"}
    assert scene.events() == [SCHEDULED, ("scheduled", "publishing", None)]
    assert tried(scene) == [(1, "lease_lost", timedelta(seconds=3), "container-9")]
    row = scene.row()
    assert (row["state"], row["attempt"], row["failure_code"]) == ("publishing", 1, None)


def test_looking_it_up_clears_what_an_earlier_try_said(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.report(1, "retry", code="busy", message="Busy")
    scene.claim("10 minutes")
    assert scene.row()["failure_code"] == "busy"
    scene.mark(2)
    assert [row["mode"] for row in claim_after_a_death(scene, "10 minutes")] == ["reconcile"]
    assert [scene.row()[name] for name in ("failure_code", "failure_message", "attempt")] == [None, None, 2]
    assert scene.events()[-1] == ("scheduled", "publishing", None)


def test_a_sent_upload_of_a_dead_worker_writes_no_second_event(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.save_progress(1, {"session": "s-1"})
    scene.mark(1)
    [claim] = claim_after_a_death(scene)
    assert claim["progress"] == {"session": "s-1", "platform_key": "key"}
    assert scene.events() == [SCHEDULED, ("scheduled", "publishing", None)]


@pytest.mark.parametrize("uploading", [False, True])
def test_leases_that_are_lost_in_a_row_are_written_once_each(scene: Scene, uploading: bool) -> None:
    scene.schedule()
    scene.claim()
    if uploading:
        scene.save_progress(1, {"session": "s-1"})
    for attempt in (2, 3, 4):
        assert [row["attempt"] for row in claim_after_a_death(scene)] == [attempt]
    assert tried(scene) == [(attempt, "lease_lost", None, None) for attempt in (1, 2, 3)]


def test_probes_that_are_lost_in_a_row_are_written_once_each(scene: Scene) -> None:
    send(scene)
    for attempt in (2, 3):
        [claim] = claim_after_a_death(scene)
        assert (claim["attempt"], claim["mode"]) == (attempt, "reconcile")
    assert tried(scene) == [(attempt, "lease_lost", timedelta(0), "key") for attempt in (1, 2)]
    assert scene.events() == [SCHEDULED, ("scheduled", "publishing", None)]


@pytest.mark.parametrize("outcome", ["retry", "released"])
def test_an_attempt_that_was_reported_is_not_lost(scene: Scene, outcome: str) -> None:
    scene.schedule()
    scene.claim()
    scene.report(1, outcome, code="busy")
    assert [row["attempt"] for row in scene.claim("10 minutes")] == [2]
    assert scene.attempts() == [(1, outcome)]


def test_a_probe_that_was_reported_is_not_lost(scene: Scene) -> None:
    send(scene)
    scene.report(1, "unknown")
    assert [row["mode"] for row in scene.claim("10 minutes")] == ["reconcile"]
    assert scene.attempts() == [(1, "unknown")]


def test_a_lost_lease_is_written_though_the_person_moved_the_target_meanwhile(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.kill()
    scene.db.execute("select private.release_dead_leases()")
    with acting_as(scene.db, scene.person):
        scene.db.execute("select public.reschedule_target(%s, now() + interval '1 minute')", (scene.target,))
    other = register_worker(scene.db, "other")
    assert [row["attempt"] for row in scene.claim("2 minutes", worker=other)] == [2]
    assert scene.attempts() == [(1, "lease_lost")]


# --- what is refused ----------------------------------------------------------------------------------------

RESTRICT = """update private.accounts set state = 'restricted', restricted_at = now()
              where user_id = %(person)s"""
LOCK = "update private.accounts set state = 'locked', locked_at = now() where user_id = %(person)s"
FORGET = "delete from private.accounts where user_id = %(person)s"
DISCONNECT = """update public.connections set state = 'disconnected', disconnected_at = now(),
                token_expires_at = null where id = %(account)s"""
LOSE_GRANT = """update public.connections set state = 'needs_reconnect', token_expires_at = null
                where id = %(account)s"""
LOSE_TOKENS = "delete from private.token_vault where connection_id = %(account)s"
NARROW = "update public.connections set scopes = array_remove(scopes, 'tweet.write') where id = %(account)s"


@pytest.mark.parametrize(
    ("statement", "code"),
    [(RESTRICT, "NX432"), (LOCK, "NX432"), (FORGET, "NX432"), (DISCONNECT, "NX431"), (NARROW, "NX412")],
    ids=["restricted", "locked", "gone", "disconnected", "narrowed"],
)
def test_what_may_not_be_published_any_more_fails(scene: Scene, statement: LiteralString, code: str) -> None:
    scene.schedule()
    change(scene, statement)
    assert scene.claim() == []
    assert_ended(scene, "failed", code)
    assert scene.attempts() == []
    assert scene.row()["attempt"] == 1


@pytest.mark.parametrize("statement", [LOSE_GRANT, LOSE_TOKENS], ids=["grant", "tokens"])
def test_without_a_token_it_waits_for_the_end_of_its_time_and_is_missed_then(
    scene: Scene, statement: LiteralString
) -> None:
    scene.schedule()
    change(scene, statement)
    assert scene.claim() == []
    row = scene.row()
    assert (row["failure_code"], row["attempt"], row["attempt_base"]) == ("NX430", 1, 1)
    assert due_in(scene) == timedelta(hours=1, seconds=1)
    assert scene.events() == [SCHEDULED, ("scheduled", "scheduled", "NX430")]
    assert scene.notices() == []
    assert scene.claim("1 hour") == []
    assert scene.claim("1 hour 1 second") == []
    assert_ended(scene, "missed", "NX430")


def test_until_the_end_of_its_time_it_is_handed_out(scene: Scene) -> None:
    scene.schedule()
    assert len(scene.claim("1 hour")) == 1


def test_after_its_time_it_is_missed(scene: Scene) -> None:
    scene.schedule()
    assert scene.claim("1 hour 1 second") == []
    assert_ended(scene, "missed", "NX434")
    assert scene.attempts() == []


def test_an_unsent_lease_of_a_dead_worker_is_missed_after_its_time(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.save_progress(1, {"session": "s-1"})
    assert claim_after_a_death(scene, "1 hour 1 second") == []
    assert_ended(scene, "missed", "NX434", before="publishing")
    assert scene.attempts() == [(1, "lease_lost")]


def test_a_longer_tolerance_counts_at_once(scene: Scene) -> None:
    scene.schedule("1 minute")
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set tolerance = '2 hours'")
    assert len(scene.claim("2 hours 1 minute")) == 1


def test_a_thread_that_is_half_out_when_its_time_is_over_has_failed(scene: Scene) -> None:
    add_part(scene, 1, "next")
    post_part(scene)
    assert claim_after_a_death(scene, "1 hour 1 second") == []
    assert_ended(scene, "failed", "NX439", before="publishing")
    assert scene.row()["external_id"] == "100"


def test_what_was_sent_is_looked_up_long_after_its_time(scene: Scene) -> None:
    send(scene)
    assert [row["mode"] for row in claim_after_a_death(scene, "3 hours")] == ["reconcile"]


def test_after_too_many_tries_it_has_failed(scene: Scene) -> None:
    set_setting(scene, "publish_max_attempts", 2)
    scene.schedule()
    scene.claim()
    assert [row["attempt"] for row in claim_after_a_death(scene)] == [2]
    assert claim_after_a_death(scene) == []
    assert_ended(scene, "failed", "NX436")
    assert scene.attempts() == [(1, "lease_lost"), (2, "lease_lost")]


def test_after_too_many_probes_it_is_unconfirmed(scene: Scene) -> None:
    set_setting(scene, "reconcile_max_attempts", 2)
    send(scene)
    for attempt in (2, 3):
        [claim] = claim_after_a_death(scene)
        assert (claim["attempt"], claim["mode"]) == (attempt, "reconcile")
    assert claim_after_a_death(scene) == []
    assert_ended(scene, "unconfirmed", "NX435", before="publishing")
    assert scene.attempts() == [(1, "lease_lost"), (2, "lease_lost"), (3, "lease_lost"), (4, "refused")]


@pytest.mark.parametrize(
    "statement",
    [RESTRICT, DISCONNECT, LOSE_GRANT, NARROW],
    ids=["restricted", "disconnected", "grant", "narrowed"],
)
def test_what_was_sent_and_cannot_be_looked_up_is_unconfirmed(scene: Scene, statement: LiteralString) -> None:
    send(scene)
    change(scene, statement)
    assert claim_after_a_death(scene) == []
    assert_ended(scene, "unconfirmed", "NX435", before="publishing")
    assert scene.attempts() == [(1, "lease_lost"), (2, "refused")]


# --- rules that changed -------------------------------------------------------------------------------------


def test_what_breaks_a_new_rule_fails_and_says_how(scene: Scene) -> None:
    scene.db.execute("update public.posts set body = repeat('x', 200)")
    scene.schedule("2 minutes")
    attach(scene, "not described", "attachment", 1)
    scene.db.execute("""update public.post_targets set options = '{"nope": 1}'""")
    new_limit(scene, 100)
    assert scene.claim("2 minutes") == []
    words = "There is no such option for this platform. The text is too long (200, at most 100)"
    assert_ended(scene, "failed", "NX410", words=words)
    assert scene.attempts() == []


def test_what_keeps_a_new_rule_is_due_again_at_once_and_not_counted(scene: Scene) -> None:
    set_setting(scene, "publish_max_attempts", 1)
    scene.schedule()
    new_limit(scene, 100)
    assert scene.claim("2 minutes") == []
    row = scene.row()
    assert (row["failure_code"], row["attempt"], row["attempt_base"]) == (None, 0, 0)
    assert row["checked_at"] == scalar(scene.db, "select now() + interval '2 minutes'")
    assert due_in(scene) == timedelta(0)
    [claim] = scene.claim("2 minutes")
    assert (claim["attempt"], claim["mode"]) == (1, "publish")
    assert scene.events() == [SCHEDULED]
    assert scene.attempts() == []
    assert scene.notices() == []


def test_what_was_sent_is_not_judged_by_a_new_rule(scene: Scene) -> None:
    send(scene)
    new_limit(scene, 1)
    assert [row["mode"] for row in claim_after_a_death(scene, "2 minutes")] == ["reconcile"]


def test_an_upload_that_is_judged_anew_has_lost_one_lease_and_not_two(scene: Scene) -> None:
    scene.schedule()
    scene.claim()
    scene.save_progress(1, {"session": "s-1"})
    new_limit(scene, 100)
    assert claim_after_a_death(scene, "2 minutes") == []
    [claim] = scene.claim("2 minutes", worker=register_worker(scene.db, "third"))
    assert (claim["attempt"], claim["mode"], claim["progress"]) == (2, "publish", {"session": "s-1"})
    assert scene.attempts() == [(1, "lease_lost")]


# --- what is in the way of others ---------------------------------------------------------------------------


def test_a_deleted_target_leaves_nothing_in_the_queue(scene: Scene) -> None:
    scene.schedule()
    change(scene, "delete from public.post_targets where id = %(target)s")
    assert scene.queued() is not None
    assert scene.claim() == []
    assert scene.queued() is None


def test_a_target_that_has_ended_leaves_the_queue_and_stays_as_it_is(scene: Scene) -> None:
    scene.schedule()
    change(scene, "update public.post_targets set state = 'cancelled' where id = %(target)s")
    before = picture(scene)
    assert scene.claim() == []
    assert scene.queued() is None
    assert picture(scene) == before
    assert scene.notices() == []


def test_what_is_refused_keeps_no_others_from_going_out(scene: Scene) -> None:
    refused: dict[LiteralString, tuple[str, str | None]] = {
        RESTRICT: ("failed", "NX432"),
        DISCONNECT: ("failed", "NX431"),
        NARROW: ("failed", "NX412"),
        LOSE_GRANT: ("scheduled", "NX430"),
        "update private.queue set expires_at = now() - interval '1s' where subject_id = %(target)s": (
            "missed",
            "NX434",
        ),
        "update private.queue set attempt = 8 where subject_id = %(target)s": ("failed", "NX436"),
        """update public.post_targets set checked_at = '2001-01-01', text = repeat('x', 281)
           where id = %(target)s""": ("failed", "NX410"),
        "update public.post_targets set checked_at = '2001-01-01' where id = %(target)s": ("scheduled", None),
        "update public.post_targets set state = 'cancelled' where id = %(target)s": ("cancelled", None),
    }
    healthy: list[Scene] = []
    others: list[Scene] = []
    for statement in refused:
        for scenes in (healthy, others):
            each = make_scene(scene.db)
            each.schedule()
            scenes.append(each)
        change(others[-1], statement)
    lost = make_scene(scene.db)
    lost.schedule()
    change(lost, "delete from public.post_targets where id = %(target)s")

    assert sorted(row["target_id"] for row in scene.claim()) == sorted(each.target for each in healthy)
    held = "select subject_id, attempt from private.queue where worker_id = %s order by subject_id"
    assert rows(scene.db, held, scene.worker) == sorted((each.target, 1) for each in healthy)
    assert [(each.state(), each.row()["failure_code"]) for each in others] == list(refused.values())
    assert lost.queued() is None
    assert {each.state() for each in healthy} == {"scheduled"}

    judged_anew = others[list(refused.values()).index(("scheduled", None))]
    assert [row["target_id"] for row in scene.claim()] == [judged_anew.target]
    assert scene.claim() == []
