"""A program of a user of the client, checked with `mypy --strict` by test_typing.py; it is never run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import assert_type
from uuid import UUID

from nexora_client import (
    Account,
    Connection,
    Feature,
    Media,
    NexoraClient,
    NexoraError,
    Platform,
    Post,
    Problem,
    Profile,
    Target,
    TargetState,
)
from nexora_client.errors import ValidationFailed


def publish(url: str, key: str, email: str, password: str, picture: Path) -> list[str]:
    """Write, schedule, wait; return where the post stands."""
    with NexoraClient(url, key, http_timeout=10) as client:
        assert_type(client.account.sign_up(email, password, date(1990, 1, 1)).user_id, UUID)
        assert_type(client.account.sign_in(email, password), Account)
        assert_type(client.profile.update(bio=None, niche="film"), Profile)
        address = client.connections.begin(Platform.X, [Feature.PUBLISH], "https://front.example/connected")
        assert_type(address, str)
        media = client.content.media.upload(picture, "image/jpeg", alt_text="The harbour at dawn")
        assert_type(media, Media)
        post = client.content.posts.create("First light over the harbour.")
        assert_type(post, Post)
        client.content.posts.attach(post.id, media.id, position=1)
        for connection in client.connections.list():
            assert_type(connection, Connection)
            client.publishing.targets.add(post.id, connection.id)
        try:
            client.publishing.schedule(post.id, datetime.now(UTC) + timedelta(hours=1))
        except ValidationFailed as refusal:
            assert_type(refusal.problems, tuple[Problem, ...])
            return [problem.message for problem in refusal.problems]
        except NexoraError as error:
            assert_type(error.code, str | None)
            raise
        targets = client.publishing.wait_until_settled(post.id, timeout=60)
        assert_type(targets, tuple[Target, ...])
        for event in client.publishing.events(targets[0].id):
            assert_type(event.at, datetime)
            assert_type(event.to_state, TargetState)
        return [target.external_url for target in targets if target.external_url is not None]


def mistakes(client: NexoraClient, post: Post, target: Target) -> None:
    """Each line is wrong; an unused ignore is an error, so the types must catch every one."""
    post.body = "frozen"  # type: ignore[misc]
    client.publishing.schedule(str(post.id), datetime.now(UTC))  # type: ignore[arg-type]
    client.connections.begin("x", [Feature.PUBLISH], "https://front.example")  # type: ignore[arg-type]
    client.profile.update(handle="ada")  # type: ignore[call-arg]
    target.state.is_setled  # type: ignore[attr-defined]  # noqa: B018
