"""What all publishers do with claims and answers: bearer, JSON, waits, windows, and how long to let things settle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import httpx

from workers.providers.outcomes import Budget
from workers.vault.secret import SecretToken

if TYPE_CHECKING:
    from workers.providers.base import MediaReference, PublishClaim

__all__ = [
    "SEND_ENDED",
    "SETTLE_AFTER_END",
    "bearer",
    "budget_of",
    "fingerprint",
    "json_object",
    "now_utc",
    "retry_after",
    "send_ended",
    "still_settling",
]

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
