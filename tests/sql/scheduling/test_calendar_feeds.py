"""Calendar addresses: shown once, kept as a hash, useless the moment that they are revoked."""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.sql.publishing.making import Scene, add_post
from tests.sql.querying import rows, scalar
from tests.support.personas import acting_as, as_worker, create_person, denied

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)


def create(scene: Scene, name: str = "My plan") -> tuple[uuid.UUID, str]:
    with acting_as(scene.db, scene.person):
        [(feed, url)] = rows(scene.db, "select * from public.create_calendar_feed(%s)", name)
    return feed, url


def token_of(url: str) -> str:
    found = re.fullmatch(r"https://worker\.nexora\.example/calendar/([A-Za-z0-9_-]{43})\.ics", url)
    assert found
    return found.group(1)


def read(scene: Scene, token: str, now: datetime = NOW) -> dict[str, Any] | None:
    digest = hashlib.sha256(token.encode()).hexdigest()
    found: dict[str, Any] | None = scalar(scene.db, "select private.read_calendar_feed(%s, %s)", digest, now)
    return found


def test_an_address_shows_what_is_planned(scene: Scene) -> None:
    _, url = create(scene)
    assert read(scene, token_of(url)) == {"name": "My plan", "events": []}
    with acting_as(scene.db, scene.person):
        rows(scene.db, "update public.posts set title = 'Dawn', body = 'Secret text' returning id")
        rows(scene.db, "select * from public.schedule_post(%s, '2027-02-01T09:00Z')", scene.post)
    feed = read(scene, token_of(url))
    assert feed is not None
    [event] = feed["events"]
    assert (event["title"], event["platform"], event["handle"], event["state"], event["sequence"]) == (
        "Dawn", "X", "mira", "scheduled", 2)  # fmt: skip
    assert "Secret text" not in str(feed)
    assert str(scene.person.user_id) not in str(feed)
    with acting_as(scene.db, scene.person):
        rows(scene.db, "select * from public.cancel_target(%s)", scene.target)
    feed = read(scene, token_of(url))
    assert feed is not None
    assert [(event["state"], event["sequence"]) for event in feed["events"]] == [("cancelled", 3)]


@pytest.mark.parametrize(
    ("days", "is_shown"), [(-30, True), (-30 - 1 / 86400, False), (400, True), (400 + 1 / 86400, False)]
)
def test_the_window_of_a_feed(scene: Scene, days: float, is_shown: bool) -> None:
    _, url = create(scene)
    with acting_as(scene.db, scene.person):
        rows(
            scene.db,
            "select * from public.schedule_post(%s, %s)",
            scene.post,
            datetime(2028, 6, 1, tzinfo=UTC),
        )
    feed = read(scene, token_of(url), datetime(2028, 6, 1, tzinfo=UTC) - timedelta(days=days))
    assert feed is not None
    assert len(feed["events"]) == is_shown


def test_revoking_ends_it_at_once(scene: Scene) -> None:
    feed, url = create(scene)
    revoke = "select public.revoke_calendar_feed(%s)"
    with acting_as(scene.db, create_person(scene.db)):
        assert rows(scene.db, revoke, feed) == [(False,)]
        assert rows(scene.db, "select * from public.calendar_feeds") == []
    assert read(scene, token_of(url)) is not None
    with acting_as(scene.db, scene.person):
        assert rows(scene.db, revoke, feed) == [(True,)]
        assert rows(scene.db, revoke, feed) == [(False,)]
    assert read(scene, token_of(url)) is None
    assert scalar(scene.db, "select count(*) from private.calendar_tokens") == 0


def test_only_the_hash_is_kept_and_every_address_is_new(scene: Scene) -> None:
    tokens = {token_of(create(scene)[1]) for _ in range(3)}
    assert len(tokens) == 3
    stored = str(
        rows(
            scene.db,
            "select t, f from private.calendar_tokens t join public.calendar_feeds f on f.id = t.feed_id",
        )
    )
    assert not any(token in stored for token in tokens)
    with acting_as(scene.db, scene.person), denied(scene.db, "42501"):
        rows(scene.db, "select * from private.calendar_tokens")


def test_use_is_noted_by_day_alone(scene: Scene) -> None:
    _, url = create(scene)
    for now, day in (
        (NOW, "2027-01-01"),
        (NOW + timedelta(hours=11, minutes=59), "2027-01-01"),
        (NOW + timedelta(hours=12), "2027-01-02"),
    ):
        read(scene, token_of(url), now)
        assert scalar(scene.db, "select last_used_on::text from public.calendar_feeds") == day


def test_an_account_that_cannot_be_used_shows_nothing(scene: Scene) -> None:
    _, url = create(scene)
    scene.db.execute(
        "update private.accounts set state = 'locked', locked_at = now() where user_id = %s",
        (scene.person.user_id,),
    )
    assert read(scene, token_of(url)) is None


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines", None])
def test_a_name_is_one_line(scene: Scene, name: str | None) -> None:
    with acting_as(scene.db, scene.person), denied(scene.db, "NX002"):
        rows(scene.db, "select * from public.create_calendar_feed(%s)", name)


def test_there_are_limits(scene: Scene) -> None:
    for _ in range(10):
        create(scene)
    with acting_as(scene.db, scene.person), denied(scene.db, "NX458"):
        rows(scene.db, "select * from public.create_calendar_feed('x')")
    scene.db.execute("delete from private.settings where key = 'public_url'")
    with acting_as(scene.db, scene.person), denied(scene.db, "NX205"):
        rows(scene.db, "select * from public.create_calendar_feed('x')")


def test_only_workers_read_feeds(scene: Scene) -> None:
    call = "select worker.read_calendar_feed(%s)"
    with as_worker(scene.db):
        assert rows(scene.db, call, "0" * 64) == rows(scene.db, call, None) == [(None,)]
    with acting_as(scene.db, scene.person), denied(scene.db, "42501"):
        rows(scene.db, call, "0" * 64)


def test_feeds_go_with_the_person(scene: Scene) -> None:
    _, url = create(scene)
    add_post(scene.db, scene.person)
    scene.db.execute("delete from auth.users where id = %s", (scene.person.user_id,))
    assert read(scene, token_of(url)) is None
