"""`client.publishing` against the real API; what a worker does is written straight into the database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from nexora_client import Post, Target, TargetState, errors
from tests.client.people import Person, connect_account, move_target, worker_fact


def in_hours(hours: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)


def draft(person: Person, db_url: str, body: str = "First light over the harbour.") -> tuple[Post, Target]:
    """A post with one target on a connected account."""
    connection_id = connect_account(db_url, person.user_id)
    post = person.client.content.posts.create(body)
    return post, person.client.publishing.targets.add(post.id, connection_id)


def test_a_target_is_a_draft_first(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    targets = ada.client.publishing.targets
    assert (target.state, target.platform_id, target.tolerance) == (
        TargetState.DRAFT,
        "x",
        timedelta(hours=1),
    )
    assert targets.set_text(target.id, "Only here.").text == "Only here."
    assert targets.set_text(target.id, None).text is None
    assert targets.set_tolerance(target.id, timedelta(minutes=5)).tolerance == timedelta(minutes=5)
    assert targets.set_options(target.id, {"reply_settings": "following"}).options == {
        "reply_settings": "following"
    }
    assert targets.get(target.id) == targets.of_post(post.id)[0]
    with pytest.raises(errors.AlreadyExists):
        targets.add(post.id, target.connection_id)
    targets.remove(target.id)
    assert targets.of_post(post.id) == ()


def test_a_target_can_start_with_everything(ada: Person, db_url: str) -> None:
    connection_id = connect_account(db_url, ada.user_id)
    post = ada.client.content.posts.create("Everywhere.")
    target = ada.client.publishing.targets.add(
        post.id, connection_id, text="Here.", options={"a": 1}, tolerance=timedelta(days=1, hours=2)
    )
    assert (target.text, target.options, target.tolerance) == ("Here.", {"a": 1}, timedelta(days=1, hours=2))


def test_schedule_reschedule_cancel(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    publishing = ada.client.publishing
    (scheduled,) = publishing.schedule(post.id, in_hours(2))
    assert (scheduled.id, scheduled.state) == (target.id, TargetState.SCHEDULED)
    later = in_hours(5)
    assert publishing.reschedule(target.id, later).scheduled_at == later
    assert publishing.cancel(target.id).state is TargetState.CANCELLED
    assert publishing.cancel(target.id).state is TargetState.CANCELLED
    assert [(event.from_state, event.to_state) for event in publishing.events(target.id, page_size=1)] == [
        (TargetState.DRAFT, TargetState.SCHEDULED),
        (TargetState.SCHEDULED, TargetState.CANCELLED),
    ]


def test_an_idempotency_key_makes_repeats_harmless(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    publishing, at, key = ada.client.publishing, in_hours(2), uuid4()
    first = publishing.schedule(post.id, at, idempotency_key=key)
    assert publishing.schedule(post.id, at, idempotency_key=key) == first
    with pytest.raises(errors.IdempotencyKeyReused):
        publishing.schedule(post.id, at + timedelta(hours=1), idempotency_key=key)
    assert publishing.targets.get(target.id).revision == 1


def test_rules_of_the_platform_are_named_one_by_one(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url, "far too long " * 60)
    (problem,) = [one for one in ada.client.publishing.check(post.id) if one.severity == "error"]
    assert (problem.rule, problem.limit_value, problem.target_id) == ("text_length", 280, target.id)
    with pytest.raises(errors.ValidationFailed) as caught:
        ada.client.publishing.schedule(post.id, in_hours(1))
    assert caught.value.code == "NX410"
    assert [(one.rule, one.measured) for one in caught.value.problems] == [("text_length", problem.measured)]
    assert "far too long" not in str(caught.value) + str(caught.value.details)  # P1.11
    assert ada.client.publishing.targets.get(target.id).state is TargetState.DRAFT


def test_a_scheduled_post_cannot_be_edited_into_one_that_breaks_a_rule(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    with pytest.raises(errors.ValidationFailed):
        ada.client.content.posts.update(post.id, body="far too long " * 60)
    with pytest.raises(errors.ValidationFailed):
        ada.client.publishing.targets.set_text(target.id, "far too long " * 60)
    assert ada.client.content.posts.update(post.id, body="Shorter.").body == "Shorter."


def test_times_that_are_past_are_refused(ada: Person, db_url: str) -> None:
    post, _ = draft(ada, db_url)
    with pytest.raises(errors.ValidationFailed) as caught:
        ada.client.publishing.schedule(post.id, in_hours(-1))
    assert (caught.value.code, caught.value.problems) == ("NX411", ())


def test_a_feature_that_was_not_granted_is_refused(ada: Person, db_url: str) -> None:
    """P6.5."""
    connection_id = connect_account(
        db_url, ada.user_id, scopes=["users.read", "tweet.read", "offline.access"]
    )
    post = ada.client.content.posts.create("Not allowed.")
    ada.client.publishing.targets.add(post.id, connection_id)
    with pytest.raises(errors.FeatureNotGranted):
        ada.client.publishing.schedule(post.id, in_hours(1))


def test_a_post_without_targets_is_refused(ada: Person) -> None:
    post = ada.client.content.posts.create("Nowhere to go.")
    with pytest.raises(errors.WrongState):
        ada.client.publishing.publish_now(post.id)
    with pytest.raises(errors.NotFound):
        ada.client.publishing.wait_until_settled(post.id, timeout=1)


def test_publish_now_is_due_at_once(ada: Person, db_url: str) -> None:
    post, _ = draft(ada, db_url)
    (target,) = ada.client.publishing.publish_now(post.id)
    assert target.state is TargetState.SCHEDULED
    assert target.scheduled_at is not None
    assert abs(target.scheduled_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_disconnecting_fails_what_was_scheduled(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    ada.client.connections.disconnect(target.connection_id)
    failed = ada.client.publishing.targets.get(target.id)
    assert (failed.state, failed.failure_code) == (TargetState.FAILED, "NX431")
    assert failed.failure_message


def test_an_account_to_connect_again_pauses_what_was_scheduled(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    assert not ada.client.publishing.targets.get(target.id).is_paused
    worker_fact(db_url, "select private.revoke_connection(%s, 'invalid_grant')", target.connection_id)
    (paused,) = ada.client.publishing.wait_until_settled(post.id, timeout=0)
    assert (paused.state, paused.is_paused) == (TargetState.SCHEDULED, True)
    assert paused.failure_message == "The platform ended the connection to this account"


def test_what_platforms_allow_can_be_read(ada: Person) -> None:
    publishing = ada.client.publishing
    [kids] = [option for option in publishing.options("youtube") if option.is_required]
    assert (kids.option, kids.kind) == ("made_for_kids", "flag")
    limits = [rule.value for rule in publishing.rules("instagram") if rule.rule == "hashtag_count"]
    assert limits == [30, 5]
    [types] = [rule.text_values for rule in publishing.rules("tiktok") if rule.rule == "media_types"]
    assert types is not None
    assert "image/png" not in types


def test_options_are_checked_with_the_rest(ada: Person, db_url: str) -> None:
    connection_id = connect_account(db_url, ada.user_id)
    post = ada.client.content.posts.create("Everywhere.")
    ada.client.publishing.targets.add(post.id, connection_id, options={"reply_settings": "nobody"})
    [problem] = ada.client.publishing.check(post.id)
    assert (problem.rule, problem.severity) == ("options.reply_settings", "error")
    with pytest.raises(errors.ValidationFailed) as refused:
        ada.client.publishing.schedule(post.id, in_hours(1))
    assert [found.rule for found in refused.value.problems] == ["options.reply_settings"]


def test_retry_what_failed(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    with pytest.raises(errors.WrongState):
        ada.client.publishing.retry(target.id)
    ada.client.publishing.schedule(post.id, in_hours(1))
    move_target(db_url, target.id, "publishing", "failed")
    key = uuid4()
    again = ada.client.publishing.retry(target.id, idempotency_key=key)
    assert (again.state, again.revision) == (TargetState.SCHEDULED, 2)
    assert ada.client.publishing.retry(target.id, idempotency_key=key).revision == 2


@pytest.mark.parametrize(
    ("is_published", "state"), [(True, TargetState.PUBLISHED), (False, TargetState.FAILED)]
)
def test_the_person_resolves_what_the_platform_could_not(
    ada: Person, db_url: str, is_published: bool, state: TargetState
) -> None:
    post, target = draft(ada, db_url)
    with pytest.raises(errors.WrongState):
        ada.client.publishing.resolve_unconfirmed(target.id, is_published=is_published)
    ada.client.publishing.schedule(post.id, in_hours(1))
    move_target(db_url, target.id, "publishing", "unconfirmed")
    with pytest.raises(errors.ValidationFailed):
        ada.client.publishing.resolve_unconfirmed(
            target.id, is_published=True, external_url="http://x.example/1"
        )
    url = "https://x.example/1" if is_published else None
    resolved = ada.client.publishing.resolve_unconfirmed(
        target.id, is_published=is_published, external_url=url
    )
    assert (resolved.state, resolved.external_url) == (state, url)


def test_what_is_not_there_is_sent_again_in_one_step(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    move_target(db_url, target.id, "publishing", "unconfirmed")
    for _ in range(2):
        again = ada.client.publishing.resolve_unconfirmed(target.id, is_published=False, send_again=True)
        assert (again.state, again.revision) == (TargetState.SCHEDULED, 2)


def test_it_is_too_late_to_cancel_what_is_published(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    worker_fact(db_url, "update public.post_targets set state = 'publishing' where id = %s", target.id)
    worker_fact(
        db_url,
        "update public.post_targets set state = 'published', published_at = now() where id = %s",
        target.id,
    )
    for refused in (
        lambda: ada.client.publishing.cancel(target.id),
        lambda: ada.client.publishing.targets.set_text(target.id, "Something else."),
        lambda: ada.client.publishing.targets.remove(target.id),
    ):
        with pytest.raises(errors.WrongState):
            refused()


def test_wait_until_settled(ada: Person, db_url: str) -> None:
    post, target = draft(ada, db_url)
    publishing = ada.client.publishing
    assert publishing.wait_until_settled(post.id, timeout=0)[0].state is TargetState.DRAFT
    publishing.schedule(post.id, in_hours(1))
    with pytest.raises(errors.NotSettled):
        publishing.wait_until_settled(post.id, timeout=0.2, poll_seconds=0.05)
    worker = threading.Timer(0.3, move_target, (db_url, target.id, "publishing", "failed"))
    worker.start()
    (settled,) = publishing.wait_until_settled(post.id, timeout=60, poll_seconds=0.05)
    worker.join()
    assert settled.state is TargetState.FAILED


def test_a_calendar_of_what_is_due(ada: Person, bob: Person, db_url: str) -> None:
    connection_id = connect_account(db_url, ada.user_id)
    start = in_hours(24)
    ids = []
    for hours in (0, 1, 1, 2, 3):
        post = ada.client.content.posts.create("Every morning.")
        ids.append(ada.client.publishing.targets.add(post.id, connection_id).id)
        ada.client.publishing.schedule(post.id, start + timedelta(hours=hours))
    due = list(ada.client.publishing.targets.due_between(start, start + timedelta(hours=3), page_size=2))
    assert [target.scheduled_at for target in due] == [
        start + timedelta(hours=hours) for hours in (0, 1, 1, 2)
    ]
    assert {target.id for target in due} == set(ids[:4])
    assert list(bob.client.publishing.targets.due_between(start, start + timedelta(hours=3))) == []


def test_nobody_reaches_the_targets_of_somebody_else(ada: Person, bob: Person, db_url: str) -> None:
    """P3.6."""
    post, target = draft(ada, db_url)
    ada.client.publishing.schedule(post.id, in_hours(1))
    before = ada.client.publishing.targets.get(target.id)
    publishing, posts = bob.client.publishing, bob.client.content.posts
    bobs_post, bobs_account = posts.create("Mine."), connect_account(db_url, bob.user_id)
    refused: list[Callable[[], object]] = [
        lambda: publishing.targets.get(target.id),
        lambda: publishing.targets.set_text(target.id, "Mine."),
        lambda: publishing.targets.set_options(target.id, {}),
        lambda: publishing.targets.set_tolerance(target.id, timedelta(hours=2)),
        lambda: publishing.targets.remove(target.id),
        lambda: publishing.targets.add(post.id, bobs_account),
        lambda: publishing.targets.add(bobs_post.id, target.connection_id),
        lambda: publishing.check(post.id),
        lambda: publishing.schedule(post.id, in_hours(2)),
        lambda: publishing.publish_now(post.id),
        lambda: publishing.reschedule(target.id, in_hours(2)),
        lambda: publishing.cancel(target.id),
        lambda: publishing.retry(target.id),
        lambda: publishing.resolve_unconfirmed(target.id, is_published=True),
        lambda: publishing.wait_until_settled(post.id, timeout=1),
    ]
    for call in refused:
        with pytest.raises(errors.NotFound):
            call()
    assert publishing.targets.of_post(post.id) == ()
    assert list(publishing.events(target.id)) == []
    assert ada.client.publishing.targets.get(target.id) == before


def test_unknown_ids_look_like_those_of_somebody_else(ada: Person) -> None:
    unknown: UUID = uuid4()
    for call in (ada.client.publishing.cancel, ada.client.publishing.check, ada.client.publishing.retry):
        with pytest.raises(errors.NotFound):
            call(unknown)
