"""Meta's Graph API: what its error bodies mean. Used by the Instagram publisher.

Sources: "Error Codes" of the Instagram Platform (2026-06), "Handling Errors" and "Rate Limits" of the Graph API
(2026-09). The words for the person are ours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from workers.providers.base import NeedsReconnect, NotAccepted, Rejected, Unknown, json_object

__all__ = ["GraphError", "failed_container", "outcome_of", "read_error", "reversible"]

_RATE_CODES: Final = frozenset({4, 17, 32, 613, 80002})
_TOKEN_CODES: Final = frozenset({102, 190})
_LONGEST_WAIT: Final = 24 * 3600.0
DAILY_CAP: Final = 2207042
NOT_READY: Final = 2207027
BUILDER_GONE: Final = frozenset({2207006, 2207008, 2207020})

# Refused for good: our code, and what the person can do, by subcode.
_FINAL: Final[Mapping[int, tuple[str, str]]] = {
    2207004: ("media_refused", "Instagram takes pictures of at most 8 MB. Make the picture smaller."),
    2207005: (
        "media_refused",
        "Instagram takes JPEG pictures only. Save the picture as JPEG and add it again.",
    ),
    2207009: (
        "media_refused",
        "Instagram takes pictures between 4:5 (upright) and 1.91:1 (wide). Crop the picture.",
    ),
    2207010: ("text_refused", "Instagram takes at most 2,200 characters and 30 hashtags. Shorten the text."),
    2207023: ("refused", "Instagram does not know this kind of post."),
    2207026: (
        "media_refused",
        "Instagram does not take this video. It wants MP4 or MOV with H.264 or HEVC, 23 to 60 frames a second, "
        "3 seconds to 15 minutes.",
    ),
    2207028: ("media_refused", "A carousel needs 2 to 10 pictures or videos."),
    2207040: ("text_refused", "Instagram takes at most 20 mentions (@). Remove some."),
    2207050: (
        "account_restricted",
        "Instagram has restricted this account. Open the Instagram app and do what it asks, then schedule again.",
    ),
    2207051: (
        "blocked",
        "Instagram has blocked this post as possible spam. Wait a day, or tell Instagram that it is a mistake.",
    ),
    2207057: (
        "media_refused",
        "The cover is set to a moment after the end of the video. Choose an earlier one.",
    ),
}
# Passing: our code, and seconds to wait, by subcode.
_PASSING: Final[Mapping[int, tuple[str, float]]] = {
    2207001: ("platform_error", 30.0),
    2207003: ("media_fetch_timeout", 60.0),
    2207032: ("container_failed", 30.0),
    2207052: ("media_not_fetched", 60.0),
    2207053: ("container_failed", 30.0),
    NOT_READY: ("media_not_ready", 30.0),
}
_NOT_FETCHED: Final = (
    "Instagram could not fetch a file of this post. "
    "If this goes on, the service's storage is not reachable for it."
)
_CAPPED: Final = (
    "Instagram's limit of posts a day for this account is used up. The post goes out when it allows."
)


@dataclass(frozen=True, slots=True)
class GraphError:
    """The error of an answer; zeros where the answer has none."""

    status: int
    code: int
    subcode: int
    wait: float | None

    @property
    def is_gone(self) -> bool:
        """Whether the container does not exist (any more), or cannot be read."""
        return self.subcode in BUILDER_GONE or (self.code == 100 and self.subcode == 33)


def read_error(response: httpx.Response) -> GraphError:
    """The error that a refusing answer carries."""
    body = json_object(response) or {}
    error = body.get("error")
    error = error if isinstance(error, dict) else {}
    return GraphError(
        response.status_code, _number(error.get("code")), _number(error.get("error_subcode")), _wait(response)
    )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _wait(response: httpx.Response) -> float | None:
    """`estimated_time_to_regain_access` of the header on usage, in minutes; None when it names none."""
    try:
        usage = json.loads(response.headers.get("x-business-use-case-usage", "null"))
    except ValueError:
        return None
    entries = [entry for entries in usage.values() for entry in entries] if isinstance(usage, dict) else []
    minutes = [_number(e.get("estimated_time_to_regain_access")) for e in entries if isinstance(e, dict)]
    longest = max(minutes, default=0)
    return min(longest * 60.0, _LONGEST_WAIT) if longest > 0 else None


def subcode_of(status: object) -> int:
    """The subcode in the field `status` of a container that failed ("this value will be an error subcode")."""
    found = re.search(r"\b(22\d{5})\b", str(status))
    return int(found.group(1)) if found else 0


def outcome_of(error: GraphError, what: str) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
    """What a refusal means; `what` completes the sentence "Instagram did not accept …".

    Unknown is whatever the documents do not call a refusal: a caller whose call cannot publish anything turns it into
    `NotAccepted`.
    """
    status = error.status
    if error.code in _TOKEN_CODES or status == 401:
        return NeedsReconnect("token_refused", status)
    if error.subcode == DAILY_CAP:
        return NotAccepted("rate_limited", 3600.0, _CAPPED, status)
    if error.subcode in _FINAL:
        code, message = _FINAL[error.subcode]
        return Rejected(code, message, status)
    if error.subcode in _PASSING and error.subcode != 2207001:
        return _passing(error.subcode, status)
    if error.code in _RATE_CODES or status == 429:
        return NotAccepted("rate_limited", error.wait or 300.0, None, status)
    if error.code == 10 or 200 <= error.code < 300:
        message = (
            f"Instagram does not allow {what} with this connection. Connect the account again and allow it."
        )
        return Rejected("forbidden", message, status)
    if error.code == 100 and error.subcode != 33 and 400 <= status < 500:
        message = f"Instagram did not accept {what} (error {error.code}). Check its text, files and options."
        return Rejected("refused", message, status)
    return Unknown(f"graph_{error.code}" if error.code > 0 else f"http_{status}", http_status=status)


def reversible(error: GraphError, what: str) -> NotAccepted | Rejected | NeedsReconnect:
    """As `outcome_of`, for a call that cannot publish."""
    outcome = outcome_of(error, what)
    if isinstance(outcome, Unknown):
        return NotAccepted(outcome.code, error.wait, http_status=outcome.http_status)
    return outcome


def failed_container(status: object) -> NotAccepted | Rejected:
    """What the state ERROR of a container means."""
    subcode = subcode_of(status)
    if subcode in _FINAL:
        code, message = _FINAL[subcode]
        return Rejected(code, message)
    return _passing(subcode, None)


def _passing(subcode: int, status: int | None) -> NotAccepted:
    code, wait = _PASSING.get(subcode, ("container_failed", 30.0))
    return NotAccepted(code, wait, _NOT_FETCHED if subcode == 2207052 else None, status)
