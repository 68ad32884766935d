"""Publishing: a post becomes one target per connected account; each target goes its own way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from nexora_client import errors
from nexora_client.follow_ups import FollowUpsContext, MonthlyCost
from nexora_client.platform_rules import PlatformOption, PlatformRule
from nexora_client.rows import Instant, JsonObject, OwnedRow, Problem, Row
from nexora_client.transport import PAGE_SIZE, Order, Transport, parse_row, parse_rows

__all__ = ["PublishingContext", "Target", "TargetEvent", "TargetState", "TargetsContext"]


class TargetState(StrEnum):
    """Where a target stands.

    `unconfirmed` means that the platform could not say whether it took the post: see `resolve_unconfirmed`.
    `missed` means that its time went by; it is never published late without notice.
    """

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    MISSED = "missed"
    CANCELLED = "cancelled"

    @property
    def is_settled(self) -> bool:
        """Whether it stays so until the person acts."""
        return self not in (TargetState.SCHEDULED, TargetState.PUBLISHING)


class Target(OwnedRow, frozen=True):
    """One post on one account.

    Attributes:
        text: what is published instead of the post's body; None: the body.
        options: settings of the platform.
        tolerance: how late it may still be published; after that it becomes `missed`.
        revision: how often it was scheduled.
        attempt: how often a worker took it.
        checked_at: when it was last found to keep the rules of its platform.
        failure_message: why it failed, in plain words.
    """

    post_id: UUID
    connection_id: UUID
    platform_id: str
    text: str | None
    options: JsonObject
    state: TargetState
    scheduled_at: Instant | None
    tolerance: timedelta
    revision: int
    attempt: int
    checked_at: Instant | None
    published_at: Instant | None
    external_id: str | None
    external_url: str | None
    failure_code: str | None
    failure_message: str | None
    created_at: Instant
    updated_at: Instant

    @property
    def is_paused(self) -> bool:
        """Whether it waits for its account to be connected again; then it goes on by itself, if in time."""
        return self.state is TargetState.SCHEDULED and self.failure_code == "NX430"


class TargetEvent(Row, frozen=True):
    """One change of a target's state. Events are never changed or removed while the target exists."""

    id: int
    target_id: UUID
    user_id: UUID
    at: Instant
    from_state: TargetState
    to_state: TargetState
    code: str | None
    attempt: int


class TargetsContext:
    """`client.publishing.targets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def add(
        self,
        post_id: UUID,
        connection_id: UUID,
        *,
        text: str | None = None,
        options: JsonObject | None = None,
        tolerance: timedelta | None = None,
    ) -> Target:
        """Plan a post for an account, as a draft.

        Args:
            text: what to publish there instead of the post's body.
            options: settings of the platform, as `public.platform_options` lists them. YouTube: title,
                privacy, made_for_kids (an answer is required), tags, category_id, publish_at and
                notify_subscribers.
            tolerance: how late it may still be published, 1 minute to 7 days; 1 hour without it.

        Raises:
            NotFound: the person has no such post or connection.
            AlreadyExists: the post has a target on this account.
        """
        row: dict[str, object] = {"post_id": post_id, "connection_id": connection_id}
        row |= {} if text is None else {"text": text}
        row |= {} if options is None else {"options": options}
        row |= {} if tolerance is None else {"tolerance": tolerance}
        return self._transport.insert(Target, "post_targets", row)

    def get(self, target_id: UUID) -> Target:
        """One target.

        Raises:
            NotFound: the person has no such target.
        """
        return self._transport.select_one(Target, "post_targets", {"id": target_id})

    def of_post(self, post_id: UUID) -> tuple[Target, ...]:
        """The targets of a post, in the order in which they were added."""
        return self._transport.select(Target, "post_targets", {"post_id": post_id}, order="created_at")

    def due_between(self, start: datetime, end: datetime, *, page_size: int = PAGE_SIZE) -> Iterator[Target]:
        """The targets of every post, whatever their state, whose time lies in [start, end): a calendar.

        They come in the order of their times, fetched `page_size` at a time. Drafts have no time.
        """
        by = Order("scheduled_at", ascending=True, since=start, before=end)
        return self._transport.iterate(Target, "post_targets", {}, by, page_size=page_size)

    def set_text(self, target_id: UUID, text: str | None) -> Target:
        """Give a draft or scheduled target its own text; None takes the post's body again.

        Raises:
            NotFound: the person has no such target.
            ValidationFailed: it is scheduled and could no longer be published; see `problems`.
            WrongState: it is neither draft nor scheduled.
        """
        return self._edit(target_id, {"text": text})

    def set_tolerance(self, target_id: UUID, tolerance: timedelta) -> Target:
        """Change how late a target may be published, 1 minute to 7 days; raises as `set_text` does."""
        return self._edit(target_id, {"tolerance": tolerance})

    def set_options(self, target_id: UUID, options: JsonObject) -> Target:
        """Change the platform's settings of a draft or scheduled target; raises as `set_text` does."""
        return self._edit(target_id, {"options": options})

    def _edit(self, target_id: UUID, columns: dict[str, object]) -> Target:
        try:
            return self._transport.update(Target, "post_targets", columns, {"id": target_id})
        except errors.NotFound as missing:
            raise self._wrong_state(target_id) from missing

    def _wrong_state(self, target_id: UUID) -> errors.WrongState:
        """Why nothing matched: the policy leaves out other states. Raises NotFound for others' targets."""
        state = self.get(target_id).state
        return errors.WrongState(f"This cannot be done to a target that is {state}.")

    def remove(self, target_id: UUID) -> None:
        """Remove a target that is neither on its way nor on the platform, with its events.

        Raises:
            NotFound: the person has no such target.
            WrongState: it is scheduled (cancel it first), under way, published or unconfirmed.
        """
        try:
            self._transport.delete("post_targets", {"id": target_id})
        except errors.NotFound as missing:
            raise self._wrong_state(target_id) from missing


class PublishingContext:
    """`client.publishing`.

    Methods that take `idempotency_key` may be repeated with the same key without harm. Without one the client
    makes a key, and uses it where it has to send the call again because no answer came.

    Attributes:
        targets: which post goes to which account.
        follow_ups: further parts of a thread, or the first comment.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.targets = TargetsContext(transport)
        self.follow_ups = FollowUpsContext(transport)

    def monthly_costs(self) -> tuple[MonthlyCost, ...]:
        """What the platforms charged for publishing, by month, platform and currency; oldest month first."""
        return self._transport.select(MonthlyCost, "monthly_publish_costs", {}, order="month")

    def options(self, platform_id: str) -> tuple[PlatformOption, ...]:
        """The options that a target on a platform can have."""
        match = {"platform_id": platform_id}
        return self._transport.select(PlatformOption, "platform_options", match, order="option")

    def rules(self, platform_id: str) -> tuple[PlatformRule, ...]:
        """The limits of a platform, past and announced ones included, in the order of their first days."""
        match = {"platform_id": platform_id}
        return self._transport.select(PlatformRule, "platform_rules", match, order="valid_from")

    def check(self, post_id: UUID) -> tuple[Problem, ...]:
        """What would keep the targets of a post from being published, and what comes close.

        Raises:
            NotFound: the person has no such post.
        """
        return parse_rows(Problem, self._transport.call("check_post", post_id=post_id))

    def schedule(
        self, post_id: UUID, at: datetime, *, idempotency_key: UUID | None = None
    ) -> tuple[Target, ...]:
        """Schedule every target of a post that is a draft, was cancelled, failed or was missed.

        Args:
            at: the instant, with a time zone.

        Raises:
            ValidationFailed: a target breaks a rule of its platform (see `problems`), or the instant is past.
            FeatureNotGranted: an account is not connected any more, or not for publishing (P6.5).
            WrongState: the post has no such target, or one on a platform that is not published to yet.
            NotFound: the person has no such post.
        """
        answer = self._transport.call_once("schedule_post", idempotency_key, post_id=post_id, at=at)
        return parse_rows(Target, answer)

    def publish_now(self, post_id: UUID, *, idempotency_key: UUID | None = None) -> tuple[Target, ...]:
        """Publish a post as soon as a worker takes it, also what was scheduled; raises as `schedule` does."""
        return parse_rows(Target, self._transport.call_once("publish_now", idempotency_key, post_id=post_id))

    def reschedule(self, target_id: UUID, at: datetime, *, idempotency_key: UUID | None = None) -> Target:
        """Give one target another time, or a first one; raises what `schedule` does, and:

        Raises:
            NotFound: the person has no such target.
            WrongState: a worker has it, or it was published.
        """
        answer = self._transport.call_once("reschedule_target", idempotency_key, target_id=target_id, at=at)
        return parse_row(Target, answer)

    def cancel(self, target_id: UUID) -> Target:
        """Take a target off the schedule.

        Raises:
            NotFound: the person has no such target.
            WrongState: it is too late, it is being sent or was sent.
        """
        return parse_row(Target, self._transport.call("cancel_target", target_id=target_id))

    def retry(self, target_id: UUID, *, idempotency_key: UUID | None = None) -> Target:
        """Try a failed or missed target again, now; raises what `schedule` does, and:

        Raises:
            NotFound: the person has no such target.
            WrongState: it neither failed nor was missed.
        """
        return parse_row(
            Target, self._transport.call_once("retry_target", idempotency_key, target_id=target_id)
        )

    def resolve_unconfirmed(
        self,
        target_id: UUID,
        *,
        is_published: bool,
        external_url: str | None = None,
        send_again: bool = False,
    ) -> Target:
        """Tell what the platform could not: whether the post is there.

        Args:
            is_published: what the person saw on the platform. False makes it `failed`, to be tried again.
            external_url: where it stands.
            send_again: where it is not there, send it again at once.

        Raises:
            NotFound: the person has no such target.
            WrongState: it is not unconfirmed.
            ValidationFailed: `send_again` although it is there, or a URL that is none; with `send_again` also
                what `schedule` raises.
        """
        answer = self._transport.call(
            "resolve_unconfirmed",
            target_id=target_id,
            is_published=is_published,
            external_url=external_url,
            send_again=send_again,
        )
        return parse_row(Target, answer)

    def events(self, target_id: UUID, *, page_size: int = PAGE_SIZE) -> Iterator[TargetEvent]:
        """What happened to a target, oldest first, fetched `page_size` at a time."""
        by = Order("at", ascending=True)
        match = {"target_id": target_id}
        return self._transport.iterate(TargetEvent, "target_events", match, by, page_size=page_size)

    def wait_until_settled(
        self, post_id: UUID, timeout: float, *, poll_seconds: float = 1.0
    ) -> tuple[Target, ...]:
        """Wait until no target of a post is scheduled or publishing any more, and return the targets.

        One whose account has to be connected again waits for the person, so it is not waited for.

        Args:
            timeout: seconds to wait in all.
            poll_seconds: seconds between two looks.

        Raises:
            NotSettled: the time was over first. The targets go on; call it again to wait longer.
            NotFound: the post has no targets.
        """
        give_up = time.monotonic() + timeout
        while True:
            targets = self._look(post_id, give_up)
            if targets is not None and all(t.state.is_settled or t.is_paused for t in targets):
                return targets
            left = give_up - time.monotonic()
            if left <= 0:
                raise errors.NotSettled("Some targets were still on their way when the time was over.")
            time.sleep(min(poll_seconds, left))

    def _look(self, post_id: UUID, give_up: float) -> tuple[Target, ...] | None:
        """The targets; None where the service could not be reached this once."""
        try:
            targets = self.targets.of_post(post_id)
        except (errors.TransportError, errors.ServiceUnavailable):
            if time.monotonic() >= give_up:
                raise
            return None
        if not targets:
            raise errors.NotFound("The post has no targets.")
        return targets
