"""What every platform's publisher looks like, and the words it answers in.

A post goes out in two steps. `prepare` does everything that can be undone by forgetting it (uploads). `send`
is the one irreversible call; between the two the worker marks the attempt as sending in the database. When
the outcome of a `send` is unknown, the post is never sent again as if nothing had been: `probe` asks the
platform.

The line between "not accepted" and "unknown" is what keeps a post from appearing twice. An outcome is *not
accepted* only when no byte of the request left (no connection) or when the platform answered with a status
that it documents as a refusal (4xx). A timeout or a broken connection after the request may have left, any
5xx, and any answer that cannot be read are *unknown*.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Protocol
from uuid import UUID

import httpx

from workers.vault.secret import SecretToken

__all__ = [
    "SETTLE_AFTER_END",
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
    "Unknown",
    "bearer",
    "fingerprint",
    "json_object",
    "now_utc",
    "retry_after",
    "send_ended",
    "still_settling",
]


# --- outcomes -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Published:
    """The platform has the post.

    Attributes:
        external_id: its id there.
        url: where people see it; None when the platform has no such place.
    """

    external_id: str
    url: str | None = field(default=None, repr=False)
    http_status: int | None = None


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


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have been accepted.

    Attributes:
        retry_after: seconds until probing makes sense.
    """

    code: str
    retry_after: float | None = None
    http_status: int | None = None


@dataclass(frozen=True, slots=True)
class NeedsReconnect:
    """The platform does not honour the access token. Nothing was accepted by this call."""

    code: str
    http_status: int | None = None


Outcome = Published | NotAccepted | Rejected | Unknown | NeedsReconnect


class PublishStopped(Exception):  # noqa: N818  an outcome on its way out of nested upload steps, not an error
    """`prepare` cannot go on; `outcome` says why. Never `Published` nor `Unknown`: nothing irreversible was
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
    def mime_type(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def alt_text(self) -> str | None: ...


class PublishClaim(Protocol):
    """The part of a claimed target that a publisher reads; `workers.gateway.ClaimedTarget` is one."""

    @property
    def target_id(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...
    @property
    def external_account_id(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...
    @property
    def media(self) -> Sequence[MediaReference]: ...
    @property
    def scopes(self) -> Sequence[str]: ...
    @property
    def scheduled_at(self) -> datetime: ...
    @property
    def sending_at(self) -> datetime | None: ...
    @property
    def progress(self) -> Mapping[str, Any] | None: ...


@dataclass(frozen=True, slots=True)
class MediaFile:
    """One file of a post, in memory.

    Attributes:
        mime_type: e.g. `image/jpeg`.
        content: its bytes.
        alt_text: description for people who cannot see it.
    """

    mime_type: str
    content: bytes = field(repr=False)
    alt_text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that `send` needs.

    Attributes:
        claim: what is published.
        token: the access token that the uploads belong to.
        body: JSON of the irreversible call.
        progress: ids of the platform to keep for later attempts and for `probe`; saved before sending. None
            when there is nothing to keep. No text, no token.
        platform_key: the platform's own key of this attempt, where it has one.
    """

    claim: PublishClaim = field(repr=False)
    token: SecretToken
    body: Mapping[str, Any] = field(repr=False)
    progress: Mapping[str, Any] | None = field(default=None, repr=False)
    platform_key: str | None = field(default=None, repr=False)


class Publisher(Protocol):
    """One platform. Implementations keep no state per post and are shared by all tasks.

    Attributes:
        platform_id: as in `public.platforms`.
        is_probe_sending: `probe` repeats the irreversible call and relies on the platform to recognise it;
            the worker marks the attempt as sending before such a probe.
    """

    platform_id: str
    is_probe_sending: bool

    def needs_media(self, claim: PublishClaim) -> bool:
        """Whether `prepare` has to be given the files (False when an earlier attempt's uploads still
        serve)."""
        ...

    async def prepare(self, claim: PublishClaim, token: SecretToken, media: Sequence[MediaFile]) -> Prepared:
        """Do everything reversible.

        Args:
            claim: what to publish.
            token: a live access token.
            media: the files of `claim.media`, in order; empty when `needs_media` said False.

        Raises:
            PublishStopped: with the outcome to report.
        """
        ...

    async def send(self, prepared: Prepared) -> Outcome:
        """The one irreversible call. Never raises for what a platform or a network can do."""
        ...

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        """Find out what became of an earlier attempt that began at `claim.sending_at`.

        Returns:
            Published; NotAccepted when the platform certainly does not have it; Rejected; Unknown when it
            cannot say (yet); NeedsReconnect when it cannot be asked.
        """
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
    (see `jobs.publish`), and needs 60 s.
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
