"""What becomes of a target once its attempt has ended: every outcome of whoever has it, alone and in batches."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from psycopg.rows import dict_row

from tests.sql.connections.making import consumed_flow, store
from tests.sql.publishing.making import Row, Scene, add_post, add_target
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, denied

OUTCOMES = ["published", "retry", "rejected", "unknown", "unconfirmed", "released", "reconnect"]
OTHERS = OUTCOMES[1:]
URL = "https://x.com/i/status/1"


@pytest.fixture
def claimed(scene: Scene) -> Scene:
    """A worker has it and has not sent it: attempt 1."""
    scene.db.execute("update public.connections set external_account_id = 'mira'")
    scene.schedule()
    assert [row["attempt"] for row in scene.claim()] == [1]
    return scene


@pytest.fixture
def sent(claimed: Scene) -> Scene:
    """It is being sent."""
    assert claimed.mark(1)
    return claimed


def attempt_rows(scene: Scene) -> list[Row]:
    with scene.db.cursor(row_factory=dict_row) as cursor:
        query = """select a.*, claimed_at - now() as claimed, sending_at - now() as sending,
                          finished_at - now() as finished
                   from private.publish_attempts a where target_id = %s order by finished_at, attempt"""
        return cursor.execute(query, (scene.target,)).fetchall()


def events(scene: Scene) -> list[tuple[str, str, str | None, int]]:
    """What happened since it was scheduled: from, to, code, attempt."""
    query = """select from_state::text, to_state::text, code, attempt from public.target_events
               where target_id = %s order by at, id"""
    return rows(scene.db, query, scene.target)[1:]


def told(scene: Scene) -> tuple[str, str | None, str | None]:
    row = scene.row()
    return row["state"], row["failure_code"], row["failure_message"]


def due_in(scene: Scene) -> timedelta:
    """From now() until it is due; nobody has it."""
    query = "select due_at - now(), worker_id, leased_at from private.queue where subject_id = %s"
    [(due, worker, leased)] = rows(scene.db, query, scene.target)
    assert (worker, leased) == (None, None)
    return due  # type: ignore[no-any-return]


def everything(scene: Scene) -> list[object]:
    return [scene.row(), scene.queued(), attempt_rows(scene), events(scene), scene.notices()]


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


def disconnect(scene: Scene) -> None:
    scene.db.execute("select private.disconnect(%s)", (scene.account,))


def revoke(scene: Scene) -> None:
    scene.db.execute("select private.revoke_connection(%s, 'invalid_grant')", (scene.account,))


def beside(scene: Scene) -> Scene:
    """Another target on the same account, due now."""
    post = add_post(scene.db, scene.person, uuid.uuid4().hex)
    other = replace(scene, post=post, target=add_target(scene.db, scene.person, post, scene.account))
    other.schedule()
    return other


def report_all(scene: Scene, *results: object, offset: str = "0") -> list[tuple[Any, bool, str | None]]:
    query = "select target_id, accepted, state from private.report_targets(%s, %s, now() + %s::interval)"
    return rows(scene.db, query, scene.worker, json.dumps(results), offset)


def said(scene: Scene, outcome: str, attempt: int = 1, **more: object) -> Row:
    return {"target_id": str(scene.target), "attempt": attempt, "outcome": outcome, **more}


# --- success ------------------------------------------------------------------------------------------------


def test_a_success_is_written_once_and_whole(claimed: Scene) -> None:
    claimed.mark(1, "1 second", key="container-7")
    assert claimed.report(1, "published", "2 seconds", external_id="1", external_url=URL, http_status=201)
    row = claimed.row()
    assert told(claimed) == ("published", None, None)
    assert (row["attempt"], row["attempt_base"], row["external_id"], row["external_url"]) == (1, 0, "1", URL)
    assert row["published_at"] == row["updated_at"] == row["scheduled_at"] + seconds(2)
    assert events(claimed) == [("scheduled", "published", None, 1)]
    [attempt] = attempt_rows(claimed)
    assert (attempt["attempt"], attempt["outcome"], attempt["code"]) == (1, "published", None)
    assert (attempt["worker_id"], attempt["user_id"]) == (claimed.worker, claimed.person.user_id)
    assert (attempt["claimed"], attempt["sending"], attempt["finished"]) == (
        seconds(0),
        seconds(1),
        seconds(2),
    )
    assert (attempt["http_status"], attempt["platform_key"]) == (201, "container-7")
    assert claimed.queued() is None
    assert claimed.notices() == []


def test_a_claim_and_a_mark_write_nothing_to_the_target(claimed: Scene) -> None:
    before = claimed.row()
    assert claimed.mark(1)
    assert claimed.row() == before
    assert (before["state"], before["attempt"]) == ("scheduled", 0)
    assert events(claimed) == []


def test_a_success_after_a_failed_try_clears_what_failed(claimed: Scene) -> None:
    claimed.report(1, "retry", code="http_503", message="Busy")
    assert told(claimed) == ("scheduled", "http_503", "Busy")
    claimed.claim("1 minute")
    assert claimed.report(2, "published", "1 minute", external_id="1")
    assert told(claimed) == ("published", None, None)
    assert events(claimed) == [
        ("scheduled", "scheduled", "http_503", 1),
        ("scheduled", "published", None, 2),
    ]


def test_a_success_after_an_upload_comes_from_publishing(claimed: Scene) -> None:
    assert claimed.save_progress(1, {"session": 1})
    assert (claimed.state(), claimed.row()["attempt"]) == ("publishing", 1)
    assert claimed.report(1, "published", external_id="1")
    assert events(claimed) == [("scheduled", "publishing", None, 1), ("publishing", "published", None, 1)]


def test_the_key_of_the_report_wins_over_that_of_the_mark(sent: Scene) -> None:
    sent.report(1, "published", external_id="1", platform_key="k" * 600)
    assert [row["platform_key"] for row in attempt_rows(sent)] == ["k" * 512]


def test_a_repeated_success_changes_nothing(sent: Scene) -> None:
    sent.report(1, "published", external_id="1", external_url=URL)
    before = everything(sent)
    assert sent.report(1, "published", "1 minute", external_id="1", external_url=URL)
    assert everything(sent) == before


@pytest.mark.parametrize(
    "other",
    [{"external_id": "2"}, {}, {"external_id": "1", "attempt": 2}, {"external_id": "1", "attempt": 0}],
)
def test_a_success_that_says_something_else_is_not_accepted(sent: Scene, other: Row) -> None:
    sent.report(1, "published", external_id="1")
    before = everything(sent)
    assert report_all(sent, said(sent, "published") | other) == [(sent.target, False, "published")]
    assert everything(sent) == before


@pytest.mark.parametrize("outcome", OTHERS)
def test_nothing_takes_a_success_back(sent: Scene, outcome: str) -> None:
    sent.report(1, "published", external_id="1")
    before = everything(sent)
    assert not sent.report(1, outcome, code="http_500")
    assert everything(sent) == before


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("http://x.com/1", False),
        ("javascript:alert(1)", False),
        (" https://x.com/1", False),
        ("https://x.com/" + "1" * 1987, False),
        ("https://x.com/" + "1" * 1986, True),
    ],
)
def test_an_address_that_is_none_is_left_out_and_the_success_counts(
    sent: Scene, url: str, kept: bool
) -> None:
    for _ in range(2):
        assert sent.report(1, "published", external_id="1", external_url=url)
    assert sent.row()["external_url"] == (url if kept else None)
    assert sent.state() == "published"


def test_a_long_id_is_cut_and_its_repeat_is_known(sent: Scene) -> None:
    for _ in range(2):
        assert sent.report(1, "published", external_id="i" * 513)
    assert sent.row()["external_id"] == "i" * 512
    assert len(attempt_rows(sent)) == 1


# --- tried again --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sent", [False, True])
def test_a_retry_waits_and_says_why(claimed: Scene, is_sent: bool) -> None:
    assert not is_sent or claimed.mark(1)
    assert claimed.report(1, "retry", "2 seconds", code="http_503", message="Busy", http_status=503)
    assert told(claimed) == ("scheduled", "http_503", "Busy")
    assert seconds(2) <= due_in(claimed) <= seconds(2 + 5)
    queued = claimed.queued()
    assert queued is not None
    assert (queued["attempt"], queued["sending_at"], queued["sending_attempt"]) == (1, None, None)
    assert (claimed.row()["attempt"], claimed.row()["attempt_base"]) == (1, 0)
    [attempt] = attempt_rows(claimed)
    assert (attempt["outcome"], attempt["code"], attempt["http_status"]) == ("retry", "http_503", 503)
    assert (attempt["sending_at"] is not None, attempt["finished"]) == (is_sent, seconds(2))
    assert events(claimed) == [("scheduled", "scheduled", "http_503", 1)]
    assert claimed.notices() == []
    assert [(row["mode"], row["attempt"]) for row in claimed.claim("1 minute")] == [("publish", 2)]


def test_an_unknown_that_was_never_sent_is_a_retry(claimed: Scene) -> None:
    assert claimed.report(1, "unknown", code="timeout")
    assert told(claimed)[:2] == ("scheduled", "timeout")
    assert due_in(claimed) <= seconds(5)
    assert claimed.attempts() == [(1, "unknown")]
    assert [row["mode"] for row in claimed.claim("1 minute")] == ["publish"]


@pytest.mark.parametrize(("asked", "due"), [(100, 100), (7.5, 7.5), (1e12, 7 * 86400), ("NaN", 7 * 86400)])
def test_a_retry_is_not_before_the_platform_allows_it_and_within_a_week(
    claimed: Scene, asked: object, due: float
) -> None:
    claimed.db.execute("update public.post_targets set tolerance = interval '7 days'")
    assert claimed.report(1, "retry", retry_after_seconds=asked)
    assert due_in(claimed) == seconds(due)


@pytest.mark.parametrize("asked", [-5, 0, None])
def test_a_wait_that_is_none_is_the_back_off(claimed: Scene, asked: int | None) -> None:
    assert claimed.report(1, "retry", retry_after_seconds=asked)
    assert seconds(0) <= due_in(claimed) <= seconds(5)


def test_the_back_off_is_capped(claimed: Scene) -> None:
    claimed.db.execute("update private.settings set value = '3' where key = 'backoff_cap_seconds'")
    claimed.db.execute("update private.queue set attempt = 7 where subject_id = %s", (claimed.target,))
    assert claimed.report(7, "retry")
    assert seconds(0) <= due_in(claimed) <= seconds(3)


@pytest.mark.parametrize(("code", "message"), [("http_503", "Busy"), (None, None)])
def test_a_target_that_was_tried_often_enough_has_failed(
    claimed: Scene, code: str | None, message: str | None
) -> None:
    for attempt in range(1, 9):
        at = (attempt - 1) * 400
        assert attempt == 1 or [row["attempt"] for row in claimed.claim(f"{at} seconds")] == [attempt]
        assert claimed.report(attempt, "retry", f"{at} seconds", code=code, message=message)
        if attempt < 8:
            assert seconds(at) <= due_in(claimed) <= seconds(at + 5 * 2 ** (attempt - 1))
            assert claimed.notices() == []
    expected = code or "NX436"
    assert told(claimed) == ("failed", expected, message or "Publishing failed too many times")
    assert claimed.queued() is None
    assert claimed.attempts() == [(attempt, "retry") for attempt in range(1, 9)]
    assert events(claimed)[-1] == ("scheduled", "failed", expected, 8)
    assert claimed.notices() == [("target_failed", expected)]


@pytest.mark.parametrize(("code", "told_code"), [("http_503", "http_503"), (None, "NX434")])
def test_a_retry_that_would_come_too_late_is_missed(claimed: Scene, code: str | None, told_code: str) -> None:
    assert claimed.report(1, "retry", "59 minutes", code=code, retry_after_seconds=60.001)
    assert told(claimed)[:2] == ("missed", told_code)
    assert claimed.queued() is None
    assert claimed.attempts() == [(1, "retry")]
    assert events(claimed) == [("scheduled", "missed", told_code, 1)]
    assert claimed.notices() == [("target_missed", told_code)]


def test_a_retry_at_the_very_end_of_the_window_is_in_time(claimed: Scene) -> None:
    assert claimed.report(1, "retry", "59 minutes", retry_after_seconds=60)
    assert (claimed.state(), due_in(claimed)) == ("scheduled", timedelta(hours=1))


def test_what_is_given_back_unsent_is_due_at_once_and_no_try(claimed: Scene) -> None:
    assert claimed.report(1, "released", "3 seconds")
    assert told(claimed) == ("scheduled", None, None)
    assert due_in(claimed) == seconds(3)
    assert (claimed.row()["attempt"], claimed.row()["attempt_base"]) == (1, 1)
    assert claimed.attempts() == [(1, "released")]
    assert events(claimed) == []
    assert claimed.notices() == []
    assert [row["attempt"] for row in claimed.claim("3 seconds")] == [2]


def test_an_upload_that_is_given_back_is_scheduled_again_and_goes_on(claimed: Scene) -> None:
    claimed.save_progress(1, {"session": 7})
    assert claimed.report(1, "released")
    assert events(claimed) == [("scheduled", "publishing", None, 1), ("publishing", "scheduled", None, 1)]
    assert [row["progress"] for row in claimed.claim()] == [{"session": 7}]


def test_giving_back_forever_is_no_failure(claimed: Scene) -> None:
    for attempt in range(1, 20):
        assert claimed.report(attempt, "released")
        assert [row["attempt"] for row in claimed.claim()] == [attempt + 1]
    assert claimed.row()["attempt_base"] == 19


# --- refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_sent", [False, True])
@pytest.mark.parametrize(("code", "told_code"), [("http_403", "http_403"), (None, "rejected")])
def test_what_the_platform_refuses_has_failed(
    claimed: Scene, code: str | None, told_code: str, is_sent: bool
) -> None:
    assert not is_sent or claimed.mark(1)
    assert claimed.report(1, "rejected", code=code, message="Not allowed", http_status=403)
    assert told(claimed) == ("failed", told_code, "Not allowed")
    assert claimed.queued() is None
    [attempt] = attempt_rows(claimed)
    assert (attempt["outcome"], attempt["code"], attempt["http_status"]) == ("rejected", told_code, 403)
    assert attempt["worker_id"] == claimed.worker
    assert events(claimed) == [("scheduled", "failed", told_code, 1)]
    assert claimed.notices() == [("target_failed", told_code)]


def test_what_a_platform_says_is_cut_to_size(sent: Scene) -> None:
    assert sent.report(1, "rejected", code="<b>" + "c" * 100, message="m" * 501)
    row = sent.row()
    assert row["failure_message"] == "m" * 500
    assert set(row["failure_code"]) <= set("abcdefghijklmnopqrstuvwxyz_")
    assert len(row["failure_code"]) <= 60


@pytest.mark.parametrize("is_sent", [False, True])
def test_what_the_platform_cannot_say_is_put_before_the_person(claimed: Scene, is_sent: bool) -> None:
    assert not is_sent or claimed.mark(1)
    assert claimed.report(1, "unconfirmed", code="gone", message="Not found")
    assert told(claimed) == (
        "unconfirmed",
        "NX435",
        "The platform does not say whether the post was published",
    )
    assert claimed.queued() is None
    assert claimed.attempts() == [(1, "unconfirmed")]
    assert events(claimed) == [("scheduled", "unconfirmed", "NX435", 1)]
    assert claimed.notices() == [("target_unconfirmed", "NX435")]


# --- sent, outcome unknown ----------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["unknown", "released"])
def test_what_may_have_been_sent_is_only_asked_about(sent: Scene, outcome: str) -> None:
    assert sent.report(1, outcome, code="timeout")
    assert told(sent)[:2] == ("publishing", "timeout")
    assert due_in(sent) == seconds(5)
    queued = sent.queued()
    assert queued is not None
    assert (queued["attempt"], queued["sending_attempt"]) == (1, 1)
    assert sent.attempts() == [(1, outcome)]
    assert events(sent) == [("scheduled", "publishing", "timeout", 1)]
    assert sent.notices() == []
    assert [(row["mode"], row["attempt"]) for row in sent.claim("5 seconds")] == [("reconcile", 2)]
    assert not sent.mark(2)
    assert sent.row()["attempt_base"] == 0


def test_probes_are_counted_and_the_person_is_asked_in_the_end(sent: Scene) -> None:
    assert sent.report(1, "unknown", code="timeout")
    for probe in range(1, 7):
        at = probe * 400
        assert [row["mode"] for row in sent.claim(f"{at} seconds")] == ["reconcile"]
        assert not sent.mark(probe + 1)
        assert sent.report(probe + 1, "unknown", f"{at} seconds", code="timeout")
        if probe < 6:
            assert sent.state() == "publishing"
            assert seconds(at + 5) <= due_in(sent) <= seconds(at + 5 * 2**probe)
            assert sent.notices() == []
    assert told(sent)[:2] == ("unconfirmed", "NX435")
    assert sent.queued() is None
    assert sent.attempts() == [(attempt, "unknown") for attempt in range(1, 8)]
    assert events(sent) == [
        ("scheduled", "publishing", "timeout", 1),
        *(("publishing", "publishing", "timeout", attempt) for attempt in range(2, 7)),
        ("publishing", "unconfirmed", "NX435", 7),
    ]
    assert sent.notices() == [("target_unconfirmed", "NX435")]


@pytest.mark.parametrize(
    ("outcome", "state", "code"),
    [
        ("published", "published", None),
        ("rejected", "failed", "rejected"),
        ("unconfirmed", "unconfirmed", "NX435"),
    ],
)
def test_a_probe_that_has_an_answer_ends_it(sent: Scene, outcome: str, state: str, code: str | None) -> None:
    sent.report(1, "unknown")
    sent.claim("1 minute")
    assert sent.report(2, outcome, "1 minute", external_id="1")
    assert told(sent)[:2] == (state, code)
    assert sent.queued() is None
    assert sent.attempts() == [(1, "unknown"), (2, outcome)]
    assert events(sent)[-1] == ("publishing", state, code, 2)


def test_a_probe_that_finds_nothing_lets_it_be_sent_again(sent: Scene) -> None:
    sent.report(1, "unknown")
    sent.claim("1 minute")
    assert sent.report(2, "retry", "1 minute", code="not_there")
    assert told(sent)[:2] == ("scheduled", "not_there")
    assert [row["mode"] for row in sent.claim("10 minutes")] == ["publish"]
    assert sent.mark(3, "10 minutes")


def test_probes_go_on_after_the_time_window(sent: Scene) -> None:
    sent.report(1, "unknown", "59 minutes")
    assert [row["mode"] for row in sent.claim("2 hours")] == ["reconcile"]
    assert sent.report(2, "published", "2 hours", external_id="1")


@pytest.mark.parametrize("asked", [60, 1e9, 1e300, "NaN"])
def test_a_probe_waits_as_long_as_asked_and_a_week_at_most(sent: Scene, asked: object) -> None:
    assert sent.report(1, "unknown", retry_after_seconds=asked)
    assert due_in(sent) == seconds(60 if asked == 60 else 7 * 86400)


# --- the grant is gone --------------------------------------------------------------------------------------


def test_a_refused_token_of_an_account_that_is_connected_is_a_failed_try(sent: Scene) -> None:
    assert sent.report(1, "reconnect", code="token_refused", http_status=401)
    assert told(sent)[:2] == ("scheduled", "token_refused")
    assert seconds(0) <= due_in(sent) <= seconds(5)
    assert sent.row()["attempt_base"] == 0
    assert sent.attempts() == [(1, "reconnect")]
    assert events(sent) == [("scheduled", "scheduled", "token_refused", 1)]
    assert [row["mode"] for row in sent.claim("1 minute")] == ["publish"]


def test_a_refused_token_of_an_account_that_waits_for_its_person_pauses(sent: Scene) -> None:
    revoke(sent)
    assert sent.report(1, "reconnect", code="token_refused", http_status=401)
    assert told(sent) == ("scheduled", "NX430", "The platform ended the connection to this account")
    assert due_in(sent) == timedelta(hours=1, seconds=1)
    assert sent.row()["attempt_base"] == 1
    [attempt] = attempt_rows(sent)
    assert (attempt["outcome"], attempt["code"], attempt["http_status"]) == ("reconnect", "NX430", 401)
    assert events(sent) == [("scheduled", "scheduled", "NX430", 1)]
    assert [kind for kind, _ in sent.notices()] == ["connection_needs_reconnect"]
    store(sent.db, consumed_flow(sent.db, sent.person, reconnect=sent.account), "mira")
    assert [row["mode"] for row in sent.claim()] == ["publish"]


def test_a_refused_token_after_the_time_window_is_missed(sent: Scene) -> None:
    revoke(sent)
    assert sent.report(1, "reconnect", "2 hours")
    assert told(sent)[:2] == ("missed", "NX430")
    assert sent.queued() is None
    assert ("target_missed", "NX430") in sent.notices()


def test_a_refused_token_of_an_account_that_was_disconnected_fails(sent: Scene) -> None:
    disconnect(sent)
    assert sent.report(1, "reconnect", code="token_refused")
    assert told(sent)[:2] == ("failed", "NX431")
    assert sent.queued() is None
    assert sent.attempts() == [(1, "reconnect")]
    assert events(sent) == [("scheduled", "failed", "NX431", 1)]
    assert sent.notices() == [("target_failed", "NX431")]


# --- threads ------------------------------------------------------------------------------------------------


def test_a_thread_of_which_a_part_is_out_was_not_missed(scene: Scene) -> None:
    with acting_as(scene.db, scene.person):
        query = "insert into public.target_follow_ups (target_id, position, body) values (%s, 1, 'second')"
        scene.db.execute(query, (scene.target,))
    scene.schedule()
    scene.claim()
    scene.mark(1)
    query = "select private.record_part(%s, %s, 1, 0, 'part-0', %s, null)"
    assert scalar(scene.db, query, scene.worker, scene.target, URL)
    assert (scene.state(), scene.row()["attempt"]) == ("publishing", 1)
    assert scene.report(1, "retry", "59 minutes", code="http_503", retry_after_seconds=120)
    assert told(scene)[:2] == ("failed", "NX439")
    assert scene.row()["external_id"] == "part-0"
    assert scene.queued() is None
    assert events(scene) == [("scheduled", "publishing", None, 1), ("publishing", "failed", "NX439", 1)]
    assert scene.notices() == [("target_failed", "NX439")]


# --- batches ------------------------------------------------------------------------------------------------


def test_each_of_a_mixed_batch_is_as_it_should_be(scene: Scene) -> None:
    scene.schedule()
    every = [scene, *(beside(scene) for _ in range(3))]
    assert len(scene.claim()) == 4
    out, again, refused, waiting = every
    for one in every:
        assert one.mark(1)
    answers = report_all(
        scene,
        said(waiting, "unknown"),
        said(refused, "rejected", code="http_403"),
        said(out, "published", external_id="1", notice="published_privately"),
        said(again, "retry", code="http_503"),
    )
    assert sorted(answers) == sorted(
        [
            (waiting.target, True, "publishing"),
            (refused.target, True, "failed"),
            (out.target, True, "published"),
            (again.target, True, "scheduled"),
        ]
    )
    assert [told(one)[:2] for one in every] == [
        ("published", None),
        ("scheduled", "http_503"),
        ("failed", "http_403"),
        ("publishing", None),
    ]
    assert [one.queued() is None for one in every] == [True, False, True, False]
    assert [one.attempts() for one in every] == [
        [(1, "published")],
        [(1, "retry")],
        [(1, "rejected")],
        [(1, "unknown")],
    ]
    assert sorted(scene.notices()) == [
        ("target_failed", "http_403"),
        ("target_published", "published_privately"),
    ]


def test_a_notice_with_a_success_is_told_once_however_often_it_is_reported(sent: Scene) -> None:
    success = said(sent, "published", external_id="1", notice="waits_in_inbox")
    report_all(sent, success, success)
    report_all(sent, success)
    assert not report_all(sent, success | {"external_id": "2", "notice": "published_privately"})[0][1]
    assert sent.notices() == [("target_published", "waits_in_inbox")]


MALFORMED: list[object] = [
    1,
    "text",
    None,
    True,
    [],
    {},
    {"outcome": "published"},
    {"target_id": "no id", "attempt": 1, "outcome": "published"},
    {"target_id": {}, "attempt": 1, "outcome": "published"},
]


@pytest.mark.parametrize("malformed", MALFORMED)
def test_what_is_malformed_is_answered_with_no_and_the_others_count(scene: Scene, malformed: object) -> None:
    scene.schedule()
    other = beside(scene)
    scene.claim()
    answers = report_all(scene, said(scene, "published", external_id="1"), malformed, said(other, "retry"))
    assert sorted(answers, key=str) == sorted(
        [(scene.target, True, "published"), (other.target, True, "scheduled"), (None, False, None)], key=str
    )


@pytest.mark.parametrize(
    "broken",
    [
        {"attempt": None},
        {"attempt": "one"},
        {"attempt": 1.5},
        {"attempt": 10**12},
        {"attempt": [1]},
        {"outcome": None},
        {"outcome": "lost"},
        {"outcome": "Published"},
        {"outcome": ["published"]},
    ],
)
@pytest.mark.parametrize("is_sent", [False, True])
def test_a_report_that_cannot_be_read_changes_nothing(claimed: Scene, is_sent: bool, broken: Row) -> None:
    assert not is_sent or claimed.mark(1)
    before = everything(claimed)
    assert report_all(claimed, said(claimed, "published", external_id="1") | broken) == [
        (claimed.target, False, "scheduled")
    ]
    assert everything(claimed) == before


@pytest.mark.parametrize(
    "nonsense",
    [
        {"http_status": "teapot"},
        {"http_status": 10**12},
        {"retry_after_seconds": "soon"},
        {"retry_after_seconds": 1e300},
        {"charge": "no such charge"},
        {"budget": "none"},
        {"budget": [1, None, {}]},
        {"budget": [{"scope": "account", "name": "posts", "remaining": 1, "after_seconds": "soon"}]},
        {"budget": [{"scope": "account", "name": "posts", "remaining": 1, "after_seconds": 1e300}]},
        {"budget": [{"scope": "account", "name": "posts", "remaining": -1, "after_seconds": 60}]},
        {"budget": [{"scope": "account", "name": "posts", "remaining": 1, "resets_at": "soon"}]},
    ],
    ids=str,
)
@pytest.mark.parametrize(("outcome", "state"), [("published", "published"), ("retry", "scheduled")])
def test_nonsense_beside_an_outcome_does_not_lose_it(
    sent: Scene, outcome: str, state: str, nonsense: Row
) -> None:
    sent.db.execute("update public.post_targets set tolerance = interval '7 days'")
    assert report_all(sent, said(sent, outcome) | nonsense) == [(sent.target, True, state)]
    assert sent.attempts() == [(1, outcome)]


@pytest.mark.parametrize("results", ["{}", "null", '"published"', "1", None])
def test_results_that_are_no_list_are_refused(scene: Scene, results: str | None) -> None:
    with denied(scene.db, "NX002"):
        scene.db.execute("select * from private.report_targets(%s, %s)", (scene.worker, results))


def test_an_empty_batch_and_an_unknown_target_are_no_error(sent: Scene) -> None:
    before = everything(sent)
    assert report_all(sent) == []
    nobody = uuid.uuid4()
    for outcome in OUTCOMES:
        report = {"target_id": str(nobody), "attempt": 1, "outcome": outcome}
        assert report_all(sent, report) == [(nobody, False, None)]
    assert everything(sent) == before


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_same_report_twice_in_one_call_counts_once(sent: Scene, outcome: str) -> None:
    report = said(sent, outcome, external_id="1")
    answers = report_all(sent, report, report)
    assert {(target, accepted) for target, accepted, _ in answers} == {(sent.target, True)}
    assert sent.attempts() == [(1, outcome)]
    assert len(events(sent)) <= 1


@pytest.mark.parametrize("turned", [False, True])
def test_a_success_wins_over_anything_else_about_its_target_in_one_call(sent: Scene, turned: bool) -> None:
    reports = [said(sent, "published", external_id="1"), said(sent, "rejected")]
    answers = report_all(sent, *(reports[::-1] if turned else reports))
    assert sorted(accepted for _, accepted, _ in answers) == [False, True]
    assert told(sent)[0] == "published"
    assert sent.attempts() == [(1, "published")]


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_opposite_reports_in_one_call_the_one_that_counts_is_accepted(
    sent: Scene, turned: bool
) -> None:
    reports = [said(sent, "retry"), said(sent, "rejected")]
    reports = reports[::-1] if turned else reports
    accepted = [is_accepted for _, is_accepted, _ in report_all(sent, *reports)]
    assert sorted(accepted) == [False, True]
    assert sent.attempts() == [(1, reports[accepted.index(True)]["outcome"])]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_stale_report_does_not_take_the_place_of_a_good_one(
    claimed: Scene, outcome: str, turned: bool
) -> None:
    claimed.report(1, "retry")
    claimed.claim("1 minute")
    reports = [said(claimed, outcome, 1, external_id="1"), said(claimed, outcome, 2, external_id="2")]
    answers = report_all(claimed, *(reports[::-1] if turned else reports), offset="1 minute")
    assert True in [accepted for _, accepted, _ in answers]
    assert claimed.attempts() == [(1, "retry"), (2, outcome)]


@pytest.mark.parametrize("outcome", OTHERS)
def test_a_stale_report_is_not_called_accepted_because_a_good_one_was(claimed: Scene, outcome: str) -> None:
    claimed.report(1, "retry")
    claimed.claim("1 minute")
    reports = [said(claimed, outcome, 2), said(claimed, outcome, 1)]
    answers = report_all(claimed, *reports, offset="1 minute")
    assert [accepted for _, accepted, _ in answers] == [True, False]
