"""Several sessions at one time: a lease, its mark, and whoever ends what it rests on; and no deadlock."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.sql.connections.making import connect_account, register_worker
from tests.sql.publishing.making import Row, Scene, add_post, add_target
from tests.sql.publishing.racing import (
    ENDINGS,
    ENDINGS_OF_ACCOUNTS,
    Act,
    Ending,
    Race,
    assert_ended,
    cancel,
    disconnect,
    reschedule,
    told,
)
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, denied

Pair = tuple[str, str]


# --- a lease, its mark, and the end of what it rests on -----------------------------------------------------


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ending_waits_for_a_claim_and_takes_the_lease_away(race: Race, ending: Ending) -> None:
    assert len(race.first.claim()) == 1
    end = race.blocked(race.second, ending.act)
    race.first.db.commit()
    end.result()
    assert_ended(race.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_claim_does_not_wait_for_an_ending_and_gets_nothing(race: Race, ending: Ending) -> None:
    ending.act(race.second)
    assert race.first.claim() == []
    race.second.db.commit()
    assert_ended(race.first, ending, [])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_claim_that_is_rolled_back_is_none(race: Race, ending: Ending) -> None:
    assert len(race.first.claim()) == 1
    end = race.blocked(race.second, ending.act)
    race.first.db.rollback()
    end.result()
    assert_ended(race.first, ending, [])


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_an_ending_waits_for_a_mark_and_leaves_alone_what_is_being_sent(leased: Race, ending: Ending) -> None:
    assert leased.first.mark(1)
    end = leased.blocked(leased.second, ending.act)
    leased.first.db.commit()
    end.result()
    assert told(leased.first) == ("scheduled", None)
    queued = leased.first.queued()
    assert queued is not None
    assert (queued["worker_id"], queued["sending_attempt"]) == (leased.first.worker, 1)
    assert leased.first.mark(1)  # the same lease asks again and gets the same answer
    assert leased.first.report(1, "published", external_id="1")
    assert told(leased.first) == ("published", None)
    assert leased.first.queued() is None
    assert leased.first.attempts() == [(1, "published")]


def test_cancelling_waits_for_a_mark_and_comes_too_late(leased: Race) -> None:
    assert leased.first.mark(1)
    cancelling = leased.blocked(leased.second, cancel)
    leased.first.db.commit()
    with denied(leased.watcher, "NX420"):
        cancelling.result()
    assert leased.first.report(1, "published", external_id="1")
    assert told(leased.first) == ("published", None)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mark_that_is_rolled_back_is_none(leased: Race, ending: Ending) -> None:
    assert leased.first.mark(1)
    end = leased.blocked(leased.second, ending.act)
    leased.first.db.rollback()
    end.result()
    assert_ended(leased.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mark_waits_for_an_ending_and_is_refused(leased: Race, ending: Ending) -> None:
    ending.act(leased.second)
    mark = leased.blocked(leased.first, lambda scene: scene.mark(1))
    leased.second.db.commit()
    assert mark.result() is False
    assert_ended(leased.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_mark_waits_for_an_ending_that_is_rolled_back_and_is_given(leased: Race, ending: Ending) -> None:
    ending.act(leased.second)
    mark = leased.blocked(leased.first, lambda scene: scene.mark(1))
    leased.second.db.rollback()
    assert mark.result() is True


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_upload_that_is_under_way_is_taken_away_as_well(leased: Race, ending: Ending) -> None:
    assert leased.first.save_progress(1, {"session": 1})
    end = leased.blocked(leased.second, ending.act)
    leased.first.db.commit()
    end.result()
    assert_ended(leased.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_progress_waits_for_an_ending_and_is_refused(leased: Race, ending: Ending) -> None:
    ending.act(leased.second)
    progress = leased.blocked(leased.first, lambda scene: scene.save_progress(1, {"session": 1}))
    leased.second.db.commit()
    assert progress.result() is False
    assert_ended(leased.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_report_of_what_was_not_sent_waits_and_is_refused(leased: Race, ending: Ending) -> None:
    ending.act(leased.second)
    report = leased.blocked(leased.first, lambda scene: scene.report(1, "retry", code="http_503"))
    leased.second.db.commit()
    assert report.result() is False
    assert_ended(leased.first, ending, [(1, ending.outcome)])


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_a_retry_that_an_ending_did_not_see_goes_nowhere(race: Race, ending: Ending) -> None:
    """It was marked when the account ended, and its report commits afterwards: the next claim finds out."""
    race.first.claim()
    race.first.mark(1)
    race.first.db.commit()
    assert race.first.report(1, "retry", code="http_503")
    end = race.start(race.second, ending.act)
    race.first.db.commit()
    end.result()
    assert race.first.claim("1 minute") == []
    code = {"disconnect": "NX431", "revoke": "NX430"}.get(ending.act.__name__, "NX432")
    assert race.first.row()["failure_code"] == code
    assert race.first.row()["state"] == ("scheduled" if code == "NX430" else "failed")


# --- people who change something ----------------------------------------------------------------------------


def edit_text(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set text = 'edited' where id = %s", (scene.target,))


def edit_body(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.posts set body = 'edited' where id = %s", (scene.post,))


def add_part(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        query = "insert into public.target_follow_ups (target_id, position, body) values (%s, 1, 'edited')"
        scene.db.execute(query, (scene.target,))


def handed(claimed: Row) -> set[str]:
    return {claimed["text"], *(part["text"] for part in claimed["follow_ups"])}


EDITS = [edit_text, edit_body, add_part]


@pytest.mark.parametrize("edit", EDITS)
def test_a_claim_leaves_what_is_being_edited_and_gets_the_new_text(race: Race, edit: Act) -> None:
    edit(race.second)
    assert race.first.claim() == []
    race.second.db.commit()
    [claimed] = race.first.claim()
    assert "edited" in handed(claimed)
    assert claimed["attempt"] == 1


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_refused_at_once_while_a_claim_is_under_way(race: Race, edit: Act) -> None:
    [claimed] = race.first.claim()
    with denied(race.second.db, "NX423"):
        edit(race.second)
    race.second.db.commit()
    race.first.db.commit()
    with denied(race.second.db, "NX423"):
        edit(race.second)
    assert "edited" not in handed(claimed)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_may_follow_a_claim_that_is_rolled_back(race: Race, edit: Act) -> None:
    race.first.claim()
    race.first.db.rollback()
    edit(race.second)
    race.second.db.commit()
    assert "edited" in handed(race.first.claim()[0])


def test_a_time_window_that_is_being_edited_is_the_one_that_counts(race: Race) -> None:
    with acting_as(race.second.db, race.second.person):
        query = "update public.post_targets set tolerance = interval '2 hours' where id = %s"
        race.second.db.execute(query, (race.second.target,))
    assert race.first.claim("90 minutes") == []
    assert race.first.state() == "scheduled"
    race.second.db.commit()
    assert len(race.first.claim("90 minutes")) == 1
    assert race.first.mark(1, "90 minutes")


def test_an_edit_that_waits_for_a_report_changes_nothing_that_is_published(race: Race) -> None:
    race.first.claim()
    race.first.mark(1)
    race.first.db.commit()
    assert race.first.report(1, "published", external_id="1")
    edit = race.blocked(race.second, edit_text)
    race.first.db.commit()
    edit.result()
    assert (race.first.state(), race.first.row()["text"]) == ("published", None)


def test_a_post_is_not_deleted_under_a_claim_and_a_claim_passes_over_one_that_is(race: Race) -> None:
    race.first.claim()
    with denied(race.second.db, "NX422"):
        delete_post(race.second)
    race.first.db.rollback()
    delete_post(race.second)
    assert race.first.claim() == []
    race.second.db.commit()
    assert race.first.queued() is None
    assert race.first.claim() == []


def test_cancelling_waits_for_a_report_and_finds_it_published(leased: Race) -> None:
    assert leased.first.report(1, "published", external_id="1")
    cancelling = leased.blocked(leased.second, cancel)
    leased.first.db.commit()
    with denied(leased.watcher, "NX421"):
        cancelling.result()


def test_rescheduling_waits_for_a_claim_and_is_refused(race: Race) -> None:
    race.first.claim()
    moving = race.blocked(race.second, reschedule)
    race.first.db.commit()
    with denied(race.watcher, "NX421"):
        moving.result()
    assert race.first.mark(1)


def test_rescheduling_waits_for_a_claim_that_is_rolled_back_and_moves_it(race: Race) -> None:
    race.first.claim()
    moving = race.blocked(race.second, reschedule)
    race.first.db.rollback()
    moving.result()
    assert race.first.claim() == []
    assert [row["attempt"] for row in race.first.claim("61 minutes")] == [1]


def test_a_claim_leaves_what_is_being_rescheduled(race: Race) -> None:
    reschedule(race.second)
    assert race.first.claim() == []
    race.second.db.commit()
    assert race.first.claim() == []
    assert len(race.first.claim("61 minutes")) == 1


# --- batches in every order ---------------------------------------------------------------------------------


def beside(scene: Scene) -> Scene:
    """Another post on the same account, due now."""
    post = add_post(scene.db, scene.person, uuid.uuid4().hex)
    other = replace(scene, post=post, target=add_target(scene.db, scene.person, post, scene.account))
    other.schedule()
    return other


def pair(scene: Scene) -> tuple[Scene, Scene]:
    """Two targets on one account, the one with the lower id first."""
    low, high = sorted((scene, beside(scene)), key=lambda one: one.target)
    scene.db.commit()
    return low, high


def report_all(scene: Scene, *reports: tuple[Scene, int, str]) -> list[tuple[uuid.UUID, bool]]:
    results = [
        {"target_id": str(one.target), "attempt": attempt, "outcome": outcome, "external_id": str(one.target)}
        for one, attempt, outcome in reports
    ]
    query = "select target_id, accepted from private.report_targets(%s, %s)"
    return rows(scene.db, query, scene.worker, json.dumps(results))


def mark_all(scene: Scene, targets: Sequence[Scene]) -> list[uuid.UUID]:
    marks = json.dumps([{"target_id": str(one.target), "attempt": 1} for one in targets])
    query = "select * from private.mark_sending(%s, %s)"
    return [target for (target,) in rows(scene.db, query, scene.worker, marks)]


REPORTED = [("published", "retry"), ("retry", "published"), ("published", "published"), ("retry", "rejected")]


def claimed_pair(race: Race, outcomes: Pair, turned: bool) -> tuple[list[Scene], Act]:
    """Two targets that a worker has, and its report of them."""
    both = pair(race.first)
    assert len(race.first.claim()) == 2
    race.first.db.commit()
    reports = [(one, 1, outcome) for one, outcome in zip(both, outcomes, strict=True)]
    return list(both), lambda scene: sorted(report_all(scene, *(reports[::-1] if turned else reports)))


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("outcomes", REPORTED)
def test_a_report_of_two_before_disconnecting(race: Race, outcomes: Pair, turned: bool, held: int) -> None:
    both, report = claimed_pair(race, outcomes, turned)
    race.hold(both[held].target)
    answers, _ = race.side_by_side((race.first, report), (race.second, disconnect))
    assert answers == [(one.target, True) for one in both]
    after = {
        "published": ("published", None),
        "retry": ("failed", "NX431"),
        "rejected": ("failed", "rejected"),
    }
    assert [told(one) for one in both] == [after[outcome] for outcome in outcomes]
    assert [one.queued() for one in both] == [None, None]


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("outcomes", REPORTED)
def test_disconnecting_before_a_report_of_two(race: Race, outcomes: Pair, turned: bool, held: int) -> None:
    both, report = claimed_pair(race, outcomes, turned)
    race.hold(both[held].target)
    _, answers = race.side_by_side((race.second, disconnect), (race.first, report))
    assert answers == [(one.target, False) for one in both]
    assert [told(one) for one in both] == [("failed", "NX431")] * 2
    assert [one.attempts() for one in both] == [[(1, "disconnected")]] * 2


@pytest.mark.parametrize("held", [0, 1])
@pytest.mark.parametrize("expired", [None, 0, 1])
@pytest.mark.parametrize("mark_first", [False, True])
def test_a_mark_of_two_beside_disconnecting(
    race: Race, mark_first: bool, expired: int | None, held: int
) -> None:
    both = pair(race.first)
    assert len(race.first.claim()) == 2
    if expired is not None:
        query = "update private.queue set expires_at = now() - interval '1 second' where subject_id = %s"
        race.first.db.execute(query, (both[expired].target,))
    race.first.db.commit()
    race.hold(both[held].target)
    marking = (race.first, lambda scene: mark_all(scene, both[::-1]))
    acts: list[tuple[Scene, Act]] = [marking, (race.second, disconnect)]
    answers = race.side_by_side(*(acts if mark_first else acts[::-1]))
    marked = answers[0 if mark_first else 1]
    assert isinstance(marked, list)
    assert expired is None or both[expired].target not in marked
    for one in both:
        queued = one.queued()
        if one.target in marked:
            assert queued is not None
            assert (told(one), queued["sending_attempt"]) == (("scheduled", None), 1)
        else:
            assert queued is None
            assert told(one) in [("failed", "NX431"), *([("missed", "NX434")] if expired is not None else [])]


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
@pytest.mark.parametrize("release_first", [False, True])
def test_leases_of_the_dead_are_taken_back_beside_an_ending(
    race: Race, ending: Ending, release_first: bool
) -> None:
    every = [race.first, *(beside(race.first) for _ in range(24))]
    race.first.db.execute("update private.queue set due_at = due_at - random() * interval '1 minute'")
    assert len(race.first.claim()) == 25
    race.first.kill()
    race.first.db.commit()
    race.hold(sorted(one.target for one in every)[12])
    acts: list[tuple[Scene, Act]] = [(race.first, release_dead), (race.second, ending.act)]
    race.side_by_side(*(acts if release_first else acts[::-1]))
    assert {told(one) for one in every} == {(ending.state, ending.code)}
    assert scalar(race.first.db, "select count(*) from private.queue where worker_id is not null") == 0


def release_dead(scene: Scene) -> int:
    count: int = scalar(scene.db, "select private.release_dead_leases()")
    return count


@pytest.mark.parametrize("ending", ENDINGS_OF_ACCOUNTS)
def test_a_dead_worker_that_was_also_renewing_the_token(race: Race, ending: Ending) -> None:
    """Its leases are of two lanes: the renewal of the account, and one of its targets."""
    low, high = pair(race.first)
    race.first.db.execute(
        """update private.queue set worker_id = %s, leased_at = now(), attempt = 1, due_at = now()
           where subject_id = %s or lane = 'refresh' and subject_id = %s""",
        (race.first.worker, high.target, race.first.account),
    )
    race.first.kill()
    race.first.db.commit()
    race.hold(low.target)
    race.side_by_side((race.second, ending.act), (race.first, release_dead))
    assert [told(one) for one in (low, high)] == [(ending.state, ending.code)] * 2


def test_late_successes_beside_the_release_of_the_next_worker_s_leases(race: Race) -> None:
    """The first worker's calls got through; the second, that was to probe, has died as well."""
    every = sorted((race.first, beside(race.first), beside(race.first)), key=lambda one: one.target)
    assert len(race.first.claim()) == 3
    assert len(mark_all(race.first, every)) == 3
    race.first.kill()
    second = register_worker(race.first.db, "second")
    assert [row["mode"] for row in race.first.claim(worker=second)] == ["reconcile"] * 3
    race.first.kill(second)
    race.first.db.commit()
    race.hold(every[1].target)
    late = [(one, 1, "published") for one in reversed(every)]
    answers, _ = race.side_by_side(
        (race.first, lambda scene: report_all(scene, *late)), (race.second, release_dead)
    )
    assert sorted(answers) == [(one.target, True) for one in every]  # type: ignore[call-overload]
    assert {told(one) for one in every} == {("published", None)}


def test_two_claims_pass_over_used_up_windows_in_different_orders(race: Race) -> None:
    """Each claim goes on to the next account where one has nothing left; neither waits for the other forever."""
    db, person = race.first.db, race.first.person
    a, b, middle = race.first.account, connect_account(db, person), connect_account(db, person)
    for account in (a, b, middle):
        db.execute(
            """insert into private.platform_budgets (platform_id, connection_id, name, limit_value, remaining,
                                                     resets_at, observed_at)
               values ('x', %s, 'posts', 100, 0, now() + interval '10 minutes', now())""",
            (account,),
        )
    others = [beside(replace(race.first, account=account)) for account in (b, middle, b, a)]
    order = [others[0], others[1], race.first, others[2], others[3]]
    for place, one in enumerate(order):
        query = "update private.queue set due_at = now() - make_interval(secs => %s) where subject_id = %s"
        db.execute(query, (60 - place, one.target))
    second = register_worker(db, "second")
    db.commit()
    hold_budget = "select from private.platform_budgets where connection_id = %s for update"
    assert len(rows(race.holder, hold_budget, middle)) == 1
    counts = race.side_by_side(
        (race.second, lambda scene: len(rows(scene.db, CLAIM_ONE, second))),
        (race.first, lambda scene: len(rows(scene.db, CLAIM_ONE, scene.worker))),
    )
    assert counts == [0, 0]


CLAIM_ONE = "select from worker.claim_targets(%s, 1)"


# --- a post that is locked while its target is changed twice ------------------------------------------------


def hold_post(race: Race, scene: Scene) -> None:
    query = "select from public.posts where id = %s for update"
    assert len(rows(race.holder, query, scene.post)) == 1


def edit_both(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("update public.post_targets set text = 'edited'")


@pytest.mark.parametrize("held", [0, 1])
def test_an_edit_of_two_targets_beside_rescheduling_one_of_them(race: Race, held: int) -> None:
    """Changing a row twice in one transaction has its foreign keys checked: the post is locked, after the queue row."""
    both = pair(race.first)
    hold_post(race, both[held])
    other = replace(both[1 - held], db=race.second.db)
    race.side_by_side((race.first, edit_both), (other, reschedule))
    assert [one.row()["text"] for one in both] == ["edited", "edited"]
    assert race.first.claim("61 minutes") != []


@pytest.mark.parametrize("held", [0, 1])
def test_a_claim_that_gives_up_two_targets_beside_rescheduling_one_of_them(race: Race, held: int) -> None:
    """Both were sent by a worker that died, and asked about often enough."""
    both = pair(race.first)
    race.first.claim()
    assert len(mark_all(race.first, both)) == 2
    race.first.db.execute("update private.queue set attempt = 20 where lane = 'publish'")
    race.first.kill()
    next_worker = register_worker(race.first.db, "next")
    race.first.db.commit()
    hold_post(race, both[held])
    other = replace(both[1 - held], db=race.second.db)

    def reschedule_in_vain(scene: Scene) -> None:
        with denied(scene.db, "NX421"):
            reschedule(scene)

    race.side_by_side(
        (race.first, lambda scene: scene.claim(worker=next_worker)), (other, reschedule_in_vain)
    )
    assert [told(one) for one in both] == [("unconfirmed", "NX435")] * 2


@pytest.mark.parametrize("held", [0, 1])
def test_an_edit_of_two_drafts_beside_deleting_one_of_them(race: Race, held: int) -> None:
    both = pair(race.first)
    for one in both:
        cancel(one)
    race.first.db.execute("delete from public.post_targets")
    drafts = [replace(one, target=add_target(one.db, one.person, one.post, one.account)) for one in both]
    race.first.db.commit()
    hold_post(race, drafts[held])
    other = replace(drafts[1 - held], db=race.second.db)
    race.side_by_side((race.first, edit_both), (other, delete_post))
    left = rows(race.first.db, "select id, text from public.post_targets")
    assert left == [(drafts[held].target, "edited")]


def delete_post(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        scene.db.execute("delete from public.posts where id = %s", (scene.post,))
