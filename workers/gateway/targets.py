"""Targets: what a claim hands over, and what is reported about them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from workers.gateway.shapes import ROW, Json

__all__ = ["ClaimedTarget", "FollowUpItem", "MediaItem", "OutcomeName", "ReportAnswer", "TargetResult"]

OutcomeName = Literal["published", "retry", "rejected", "unknown", "unconfirmed", "released", "reconnect"]


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class MediaItem:
    """One file of a post, in order of its position.

    Attributes:
        bucket_id, object_name: where it is in the private storage.
        mime_type: as registered, e.g. `image/jpeg`.
        size_bytes: as registered.
        alt_text: description for people who cannot see it. Personal content: never log it.
        kind: `image`, `video` or `document`.
        width, height: pixels; None when unknown.
        duration_ms: of a video; None when unknown.
    """

    bucket_id: str
    object_name: str = Field(repr=False)
    mime_type: str
    size_bytes: int
    kind: str = "image"
    alt_text: str | None = Field(default=None, repr=False)
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class FollowUpItem:
    """A further part of a thread, or the first comment.

    Attributes:
        position: 1, 2, … in the order in which they go out.
        text: personal content: never log it.
        external_id: at the platform, when it is already out.
    """

    position: int
    text: str = Field(repr=False)
    external_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ClaimedTarget:
    """A target (one post on one account) that is leased to this worker, with all that publishing it needs.

    Attributes:
        attempt: fencing token; every later call about this target carries it.
        mode: `publish`, or `reconcile` when an earlier attempt was marked as sending and its outcome is
            unknown.
        text: what is to be posted. Personal content: never log it.
        sealed_access: sealed access token, base64; only the vault opens it. Empty: the account has none
            any more.
        generation: of the token; part of its additional data.
        access_expires_at: when the access token dies; None when the platform did not say.
        sending_at: start of the irreversible call of an earlier attempt (reconcile), else None.
        progress: what an earlier attempt saved with `save_progress`, e.g. ids of uploads.
        external_id: of the post itself, when an earlier attempt has published it.
        follow_ups: what is to be published after it, in order.
        thumbnail: preview picture of the video, where there is one.
    """

    target_id: UUID
    attempt: int
    mode: Literal["publish", "reconcile"]
    user_id: UUID
    connection_id: UUID
    platform_id: str
    external_account_id: str = Field(repr=False)
    text: str = Field(repr=False)
    scheduled_at: datetime
    sealed_access: Annotated[str, BeforeValidator(lambda value: value or "")] = Field(default="", repr=False)
    generation: Annotated[int, BeforeValidator(lambda value: value or 0)] = 0
    options: dict[str, Json] = Field(default_factory=dict, repr=False)
    media: tuple[MediaItem, ...] = ()
    thumbnail: MediaItem | None = None
    follow_ups: tuple[FollowUpItem, ...] = ()
    external_id: str | None = None
    scopes: tuple[str, ...] = ()
    access_expires_at: datetime | None = None
    sending_at: datetime | None = None
    progress: dict[str, Json] | None = Field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, config=ROW)
class ReportAnswer:
    """What became of one reported result.

    Attributes:
        accepted: False when the lease was no longer ours (someone else decides about the target now).
        state: state of the target afterwards; None when it no longer exists.
    """

    target_id: UUID
    accepted: bool
    state: str | None = None


@dataclass(frozen=True, slots=True, config=ROW)
class TargetResult:
    """Outcome of one attempt, as `worker.report_targets` takes it.

    Attributes:
        outcome: `published`; `retry` (known not accepted); `rejected` (for good, `message` in plain words);
            `unknown` (probe again later); `unconfirmed` (the platform cannot say); `released` (handed back
            untouched); `reconnect` (the account must be connected again).
        platform_key: the platform's own key of the attempt, where it has one.
        charge: what the platform charges for the call, as a name in `private.platform_prices`.
        notice: what the person should know about a post that is out, as a code.
        budget: windows of the platform: `{scope, name, limit, remaining, resets_at}` each.
        retry_after_seconds: earliest time of the next try, where the platform said so.
    """

    target_id: UUID
    attempt: int
    outcome: OutcomeName
    code: str | None = None
    message: str | None = Field(default=None, repr=False)
    external_id: str | None = None
    external_url: str | None = Field(default=None, repr=False)
    http_status: int | None = None
    platform_key: str | None = Field(default=None, repr=False)
    retry_after_seconds: float | None = None
    charge: str | None = None
    notice: str | None = None
    budget: list[dict[str, Json]] | None = None
