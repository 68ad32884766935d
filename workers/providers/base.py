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

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import httpx

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


# --- outcomes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Budget:
    """How much a platform still allows, as an answer of it told.

    Attributes:
        scope: whose limit: of the connected `account`, or of our `app` over all accounts.
        name: our name of the window, e.g. `post_24h`.
        limit: calls per window; None when the platform did not say.
        remaining: calls left in it.
        resets_at: when it is full again; None when the platform did not say.
    """

    scope: Literal["account", "app"]
    name: str
    limit: int | None
    remaining: int
    resets_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The platform has the post.

    Attributes:
        external_id: its id there.
        url: where people see it; None when the platform has no such place.
        budget: what the platform told about its limits.
        charge: what the platform charges the deployment for this call, as a name in `platform_prices`.
        notice: our name of something that the person should know although the post is out.
    """

    external_id: str
    url: str | None = field(default=None, repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()
    charge: str | None = None
    notice: str | None = None


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Known not to have been accepted; trying again is safe.

    Attributes:
        code: our name of the reason.
        retry_after: seconds until a repeat makes sense, where the platform said so.
        message: for the person, where there is something worth saying.
    """

    code: str
    retry_after: float | None = None
    message: str | None = field(default=None, repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good: trying the same again would be refused again.

    Attributes:
        code: our name of the reason.
        message: in plain words, for the person; says what to change.
    """

    code: str
    message: str = field(repr=False)
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been accepted.

    Attributes:
        retry_after: seconds until probing makes sense.
        is_final: the platform cannot be asked, now or later: the person has to look.
    """

    code: str
    retry_after: float | None = None
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class NeedsReconnect:
    """The platform does not honour the access token. Nothing was accepted by this call."""

    code: str
    http_status: int | None = None
    budget: tuple[Budget, ...] = ()


Outcome = Published | NotAccepted | Rejected | Unknown | NeedsReconnect


class PublishStopped(Exception):  # noqa: N818  an outcome on its way out of nested upload steps, not an error
    """Publishing cannot go on; `outcome` says why. Never `Published` nor `Unknown`: nothing irreversible was
    done."""

    def __init__(self, outcome: NotAccepted | Rejected | NeedsReconnect) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


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
        """What a published post still needs (a preview picture): best effort, whatever it raises is logged
        and changes nothing about the post. Runs again when a worker died before reporting, so it must bear
        repetition."""
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


# --- shared by the publishers -------------------------------------------------------------------------------

_LONGEST_WAIT: Final = 24 * 3600.0


def now_utc() -> datetime:
    """The clock of the publishers; tests replace it."""
    return datetime.now(UTC)


def bearer(token: SecretToken) -> dict[str, str]:
    """Authorization header. It exists for the length of one call."""
    return {"Authorization": f"Bearer {token.reveal()}"}


def json_object(response: httpx.Response) -> dict[str, Any] | None:
    """The answer's body when it is a JSON object, else None."""
    try:
        body = json.loads(response.content)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def fingerprint(media: Sequence[MediaReference]) -> str:
    """Short hash over which files a post has, in order; uploads of an earlier attempt serve only the same
    files."""
    parts = [(item.object_name, item.size_bytes, item.alt_text) for item in media]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:16]


SEND_ENDED: Final = "send_ended"
_SETTLE_AFTER_START: Final = 60.0
SETTLE_AFTER_END: Final = 15.0
_CLOCK_SKEW: Final = 5.0


def send_ended(progress: Mapping[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Progress with a note that this attempt's irreversible call is over (its outcome unknown).

    A worker that saw its own call end saves this, so that the next one need not wait for a call that might
    still be on its way.
    """
    return {**(progress or {}), SEND_ENDED: now.timestamp()}


def still_settling(claim: PublishClaim, now: datetime) -> float:
    """Seconds until the earlier attempt can be judged by what the platform shows; 0 when it can be now.

    A call that is known to be over needs 15 s until the platform surely shows its effect. One of which
    nothing is known (its worker died or lost its lease) may start up to 10 s after `sending_at` and last 40 s
    (see `jobs.publishing`), and needs 60 s.
    """
    if claim.sending_at is None:
        return 0.0
    began = claim.sending_at.timestamp()
    ended = (claim.progress or {}).get(SEND_ENDED)
    if isinstance(ended, int | float) and ended >= began - _CLOCK_SKEW:  # else it is of an older attempt
        until = ended + SETTLE_AFTER_END
    else:
        until = began + _SETTLE_AFTER_START
    return max(0.0, until - now.timestamp())


def budget_of(
    response: httpx.Response, scope: Literal["account", "app"], name: str, prefix: str
) -> Budget | None:
    """A window from headers `{prefix}-limit`, `-remaining` and `-reset` (epoch second); None without them."""
    values = {part: response.headers.get(f"{prefix}-{part}", "") for part in ("limit", "remaining", "reset")}
    if not values["remaining"].isdigit():
        return None
    limit, reset = values["limit"], values["reset"]
    return Budget(
        scope,
        name,
        int(limit) if limit.isdigit() else None,
        int(values["remaining"]),
        datetime.fromtimestamp(int(reset), UTC) if reset.isdigit() and len(reset) < 12 else None,
    )


def _answered_at(response: httpx.Response, now: datetime) -> datetime:
    """The platform's own clock where it shows it: reset times are on that clock, not on ours."""
    try:
        stamp = parsedate_to_datetime(response.headers["date"])
    except (KeyError, ValueError):
        return now
    return stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)


def retry_after(response: httpx.Response, now: datetime, *reset_headers: str) -> float | None:
    """How long to wait, from `Retry-After` (RFC 9110 section 10.2.3) or headers with an epoch second.

    Args:
        response: the answer.
        now: our clock, used when the answer has no `Date`.
        reset_headers: names of headers that hold the epoch second of the next window; those of exhausted
            windows.

    Returns:
        Seconds, at least 1 and at most a day; None when the answer does not say.
    """
    clock = _answered_at(response, now)
    waits: list[float] = []
    value = response.headers.get("retry-after")
    if value is not None:
        if value.strip().isdigit():
            waits.append(float(value))
        else:
            try:
                date = parsedate_to_datetime(value)
                waits.append(
                    (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - clock.timestamp()
                )
            except ValueError:
                pass
    for name in reset_headers:
        value = response.headers.get(name, "")
        if value.strip().isdigit():
            waits.append(float(value) - clock.timestamp())
    return min(max(1.0, *waits), _LONGEST_WAIT) if waits else None
