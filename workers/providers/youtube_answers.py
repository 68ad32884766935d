"""What YouTube's refusals mean, and in which words the person hears of them.

Source: developers.google.com/youtube/v3/docs, errors of videos.insert, thumbnails.set, commentThreads.insert
and the list of common errors, read 2026-11; quota: "Quota Calculator" (videos.insert has a bucket of its own
since 2026-06-01, both start anew at midnight Pacific Time).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

from workers.providers.base import (
    Budget,
    NeedsReconnect,
    NotAccepted,
    Rejected,
    Unknown,
    json_object,
    retry_after,
)

__all__ = ["Bucket", "next_midnight", "reasons", "refusal"]

Bucket = Literal["videos_insert", "units"]
_UPLOAD_PAUSE: Final = 24 * 3600.0  # "try again in 24 hours" (revision history of the API)
_LIMITED: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "uploadRateLimitExceeded"})
_QUOTA: Final = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_OURS: Final = frozenset({"accessNotConfigured", "keyInvalid", "projectNotAllowed"})
_BARRED: Final = frozenset(
    {
        "authenticatedUserAccountClosed",
        "authenticatedUserAccountSuspended",
        "channelClosed",
        "channelSuspended",
    }
)
# What to change, by the reason that YouTube gives.
_ADVICE: Final[Mapping[str, str]] = {
    "invalidTitle": "YouTube did not accept the title. It needs 1 to 100 characters without < and >.",
    "invalidDescription": "YouTube did not accept the description. It may have 5,000 bytes, without < and >.",
    "invalidTags": "YouTube did not accept the tags. Together they may have 500 characters.",
    "invalidCategoryId": "YouTube does not know this category. Choose another one.",
    "invalidPublishAt": "YouTube did not accept the time of publication. Choose a time in the future.",
    "mediaBodyRequired": "YouTube could not use the video file. Replace it.",
    "forbiddenPrivacySetting": "YouTube does not allow this visibility. Choose another one.",
    "commentsDisabled": "Comments are off for this video: private videos and videos made for children have none.",
    "commentTextTooLong": "The comment is too long for YouTube.",
    "videoNotFound": "The video is no longer on YouTube.",
    "ineligibleAccount": "This YouTube account cannot write comments.",
}


def reasons(response: httpx.Response) -> frozenset[str]:
    """The reasons in Google's error body: of its list of errors, and of its details."""
    error = (json_object(response) or {}).get("error")
    if not isinstance(error, dict):
        return frozenset()
    listed = [*_dicts(error.get("errors")), *_dicts(error.get("details"))]
    return frozenset(reason for item in listed if isinstance(reason := item.get("reason"), str))


def _dicts(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def refusal(
    response: httpx.Response, what: str, bucket: Bucket, now: datetime
) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
    """What an answer other than a success means.

    Args:
        response: the answer.
        what: completes the sentence "YouTube did not accept …".
        bucket: the quota that the call is taken from.
        now: our clock.
    """
    status, given = response.status_code, reasons(response)
    if status == 401 and "youtubeSignupRequired" in given:
        return Rejected("no_channel", "This Google account has no YouTube channel. Create one first.", status)
    if status == 401:
        return NeedsReconnect("token_refused", status)
    if given & _QUOTA:
        return _out_of_quota(bucket, now, status)
    if status == 429 or given & _LIMITED:
        return NotAccepted("rate_limited", retry_after(response, now) or 60.0, http_status=status)
    if "uploadLimitExceeded" in given:
        until = now + timedelta(seconds=_UPLOAD_PAUSE)
        budget = Budget("account", "uploads", None, 0, until)
        text = "YouTube lets this channel upload no more videos today."
        return NotAccepted("rate_limited", _UPLOAD_PAUSE, text, status, (budget,))
    if given & _OURS or "SERVICE_DISABLED" in given:  # nothing that the person could change
        return NotAccepted("app_forbidden", retry_after=1800.0, http_status=status)
    if 400 <= status < 500 and status != 408:
        return _rejected(given, what, status)
    return Unknown(f"http_{status}", retry_after(response, now), status)


def _rejected(given: frozenset[str], what: str, status: int) -> Rejected:
    if given & {"insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}:
        text = f"This connection may not do that: {what}. Connect the account again and allow it."
        return Rejected("scope_missing", text, status)
    if given & _BARRED:
        return Rejected("account_barred", "YouTube has closed or suspended this account.", status)
    for reason, advice in _ADVICE.items():
        if reason in given:
            return Rejected("refused", advice, status)
    if status == 403:
        text = f"YouTube does not allow {what} with this account. Look in YouTube Studio for the reason."
        return Rejected("forbidden", text, status)
    return Rejected("refused", f"YouTube did not accept {what} (error {status}).", status)


def _out_of_quota(bucket: Bucket, now: datetime, status: int) -> NotAccepted:
    """The whole deployment has to wait for the next day."""
    resets_at = next_midnight(now)
    budget = Budget("app", bucket, None, 0, resets_at)
    wait = max(1.0, (resets_at - now).total_seconds())
    return NotAccepted("quota_exceeded", wait, http_status=status, budget=(budget,))


def _pacific() -> tzinfo:
    try:
        return ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:  # no time zone database: winter time, which is an hour late in summer
        return timezone(timedelta(hours=-8))


def next_midnight(now: datetime) -> datetime:
    """The next midnight of Pacific Time, in UTC."""
    today = now.astimezone(_pacific())
    tomorrow = (today + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return tomorrow.astimezone(UTC)
