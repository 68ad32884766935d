"""What every platform's publisher looks like, and the words it answers in.

A post goes out in two steps. `prepare` does everything that can be undone by forgetting it (uploads). `send`
is the one irreversible call; between the two the worker marks the attempt as sending in the database. When
the outcome of a `send` is unknown, the post is never sent again as if nothing had been: `probe` asks the
platform. Further parts of a thread and first comments go out in the same way, one after the other
(`send_follow_up`, `probe_follow_up`).

The line between "not accepted" and "unknown" is what keeps a post from appearing twice. An outcome is *not
accepted* only when no byte of the request left (no connection) or when the platform answered with a status
that it documents as a refusal (4xx). A timeout or a broken connection after the request may have left, any
5xx, and any answer that cannot be read are *unknown*.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol
from uuid import UUID

from workers.providers.answers import (
    SEND_ENDED,
    SETTLE_AFTER_END,
    bearer,
    budget_of,
    fingerprint,
    json_object,
    now_utc,
    retry_after,
    send_ended,
    still_settling,
)
from workers.providers.outcomes import (
    Budget,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Published,
    PublishStopped,
    Rejected,
    Unknown,
)
from workers.vault.secret import SecretToken

__all__ = [
    "SEND_ENDED",
    "SETTLE_AFTER_END",
    "Budget",
    "FollowUp",
    "FollowUpKind",
    "Media",
    "MediaFile",
    "MediaReference",
    "NeedsReconnect",
    "NotAccepted",
    "Outcome",
    "Prepared",
    "PublishClaim",
    "PublishStopped",
    "Published",
    "Publisher",
    "Rejected",
    "SaveProgress",
    "Unknown",
    "bearer",
    "budget_of",
    "fingerprint",
    "json_object",
    "now_utc",
    "retry_after",
    "send_ended",
    "still_settling",
]


# --- what goes in -------------------------------------------------------------------------------------------


class MediaReference(Protocol):
    """One file of a post as the database describes it."""

    @property
    def object_name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def mime_type(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def alt_text(self) -> str | None: ...


class FollowUp(Protocol):
    """A further part of a thread, or the first comment; `external_id` when it is already out."""

    @property
    def position(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def external_id(self) -> str | None: ...


class PublishClaim(Protocol):
    """The part of a claimed target that a publisher reads; `workers.gateway.ClaimedTarget` is one."""

    @property
    def target_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def user_id(self) -> UUID: ...
    @property
    def connection_id(self) -> UUID: ...
    @property
    def platform_id(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def external_account_id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def media(self) -> Sequence[MediaReference]: ...
    @property
    def thumbnail(self) -> MediaReference | None: ...
    @property
    def follow_ups(self) -> Sequence[FollowUp]: ...
    @property
    def external_id(self) -> str | None: ...
    @property
    def scopes(self) -> Sequence[str]: ...
    @property
    def scheduled_at(self) -> datetime: ...
    @property
    def sending_at(self) -> datetime | None: ...
    @property
    def progress(self) -> Mapping[str, Any] | None: ...


class MediaFile(Protocol):
    """One file of a post, read in parts: a file is never held whole."""

    @property
    def kind(self) -> str:
        """`image`, `video` or `document`."""
        ...

    @property
    def mime_type(self) -> str:
        """E.g. `image/jpeg`."""
        ...

    @property
    def size_bytes(self) -> int: ...

    @property
    def alt_text(self) -> str | None:
        """Description for people who cannot see it. Personal content: never log it."""
        ...

    @property
    def width(self) -> int | None:
        """Pixels; None when unknown."""
        ...

    @property
    def height(self) -> int | None:
        """Pixels; None when unknown."""
        ...

    @property
    def duration_ms(self) -> int | None: ...

    def part(self, start: int, length: int) -> AbstractAsyncContextManager[bytes]:
        """Exactly the bytes from `start` on, `length` of them. They count as memory in use while the body
        runs, so leave it before asking for the next part.

        Raises:
            PublishStopped: the file is gone, has changed or cannot be read now.
        """
        ...

    async def url(self, seconds: int) -> str:
        """A signed URL under which the platform can fetch the file for that long. It is a capability: never
        log it, never save it.

        Raises:
            PublishStopped: as `part`.
        """
        ...


@dataclass(frozen=True, slots=True)
class Media:
    """The files of a post: those that it shows, in order, and the preview picture of its video."""

    files: Sequence[MediaFile] = ()
    thumbnail: MediaFile | None = None


class SaveProgress(Protocol):
    """Keeps ids of the platform (upload session, container, publish id) for later attempts and probes."""

    async def __call__(self, progress: Mapping[str, Any]) -> None:
        """Add to what is kept, at once; a value None removes its name. It also shows that the worker is at
        it. No text, no token; a capability (an upload URL) only sealed. At most 16 kB of JSON in all.

        Raises:
            LeaseLostError: somebody else may have the target; stop.
        """
        ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that `send` needs.

    Attributes:
        claim: what is published.
        token: the access token that the uploads belong to.
        body: of the irreversible call.
        media: the files, where the irreversible call carries bytes of one (the last part of an upload).
        platform_key: the platform's own key of this attempt, where it has one; kept with the mark.
    """

    claim: PublishClaim = field(repr=False)
    token: SecretToken
    body: Mapping[str, Any] = field(repr=False)
    media: Media = field(default=Media(), repr=False)
    platform_key: str | None = field(default=None, repr=False)


FollowUpKind = Literal["none", "reply", "comment"]


class Publisher(Protocol):
    """One platform. Implementations keep no state per post and are shared by all tasks.

    Attributes:
        platform_id: as in `public.platforms`.
        is_probe_sending: `probe` repeats the irreversible call and relies on the platform to recognise it;
            the worker marks the attempt as sending before such a probe.
        follow_up: what follows the post itself: `reply` (the further parts of a thread, each a reply to the
            one before), `comment` (on the post), or `none`.
    """

    platform_id: str
    is_probe_sending: bool
    follow_up: FollowUpKind

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        """Do everything reversible. What an earlier attempt left is in `claim.progress`.

        Args:
            claim: what to publish.
            token: a live access token.
            media: the files of `claim.media` and `claim.thumbnail`; nothing is read before it is asked for.
            save: keeps progress; everything that `probe` or a later attempt needs is saved before it returns.

        Raises:
            PublishStopped: with the outcome to report.
            LeaseLostError: from `save`.
        """
        ...

    async def send(self, prepared: Prepared) -> Outcome:
        """The one irreversible call. Never raises for what a platform or a network can do.

        Raises:
            PublishStopped: its bytes could not be read; the call was not begun.
        """
        ...

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """What a published post still needs (a preview picture): best effort. Whatever it raises is logged,
        told to the person as a notice, and changes nothing about the post. Runs again when a worker died
        before reporting, so it must bear repetition."""
        ...

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        """Find out what became of an earlier attempt that began at `claim.sending_at`.

        Returns:
            Published; NotAccepted when the platform certainly does not have it; Rejected; Unknown when it
            cannot say (yet); NeedsReconnect when it cannot be asked.
        """
        ...

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        """Publish a reply to `parent_id`, or a comment on `root_id` (the post itself). Irreversible; as
        `send`."""
        ...

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        """What became of an earlier `send_follow_up` with the same arguments; as `probe`."""
        ...
