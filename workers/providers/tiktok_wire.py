"""What the TikTok publisher sends, and what TikTok's codes mean.

Sources (developers.tiktok.com, 2026-08 to 2026-11): the references of the Content Posting API (Direct Post, Upload,
Photo, Query Creator Info, Get Post Status), Media Transfer Guide, Content Sharing Guidelines. The words for the person
are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from workers.providers.base import (
    NeedsReconnect,
    NotAccepted,
    PublishClaim,
    Rejected,
    Unknown,
    json_object,
    now_utc,
    retry_after,
)

# Bytes: between the 5 MB and 64 MB that TikTok allows, however it counts them; and the last chunk, which takes the
# trailing bytes, is still smaller than the smallest memory that a worker may be given for files (16 MiB).
CHUNK: Final = 8_000_000
_DAY: Final = 24 * 3600.0
_SOON: Final = 60.0


@dataclass(frozen=True, slots=True)
class Chunks:
    """How a video is cut: `count` pieces of `size` bytes, the last one with the trailing bytes."""

    total: int
    size: int
    count: int

    @classmethod
    def of(cls, total: int) -> Chunks:
        """`total_chunk_count` is `video_size` by `chunk_size`, rounded down; small videos go in one piece."""
        if total < 2 * CHUNK:
            return cls(total, total, 1)
        return cls(total, CHUNK, total // CHUNK)

    def piece(self, index: int) -> tuple[int, int]:
        """First byte and length of a piece."""
        start = index * self.size
        return start, self.total - start if index == self.count - 1 else self.size

    def source(self) -> dict[str, Any]:
        """`source_info` of an upload."""
        return {
            "source": "FILE_UPLOAD",
            "video_size": self.total,
            "chunk_size": self.size,
            "total_chunk_count": self.count,
        }


@dataclass(frozen=True, slots=True)
class Creator:
    """What `creator_info` says, as far as it matters."""

    username: str
    levels: tuple[str, ...]
    is_comment_disabled: bool
    is_duet_disabled: bool
    is_stitch_disabled: bool
    max_seconds: int | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Creator:
        levels, longest = data.get("privacy_level_options"), data.get("max_video_post_duration_sec")
        return cls(
            str(data.get("creator_username") or ""),
            tuple(str(level) for level in levels) if isinstance(levels, list) else (),
            data.get("comment_disabled") is True,
            data.get("duet_disabled") is True,
            data.get("stitch_disabled") is True,
            longest if isinstance(longest, int) and not isinstance(longest, bool) else None,
        )


_LEVEL_WORDS: Final = {
    "PUBLIC_TO_EVERYONE": "everyone",
    "MUTUAL_FOLLOW_FRIENDS": "friends",
    "FOLLOWER_OF_CREATOR": "followers",
    "SELF_ONLY": "only you",
}


def check(claim: PublishClaim, creator: Creator, duration_ms: int | None) -> Rejected | None:
    """Whether the creator may post this now, as TikTok wants it asked right before each post."""
    level = claim.options.get("privacy_level")
    if level not in creator.levels:
        allowed = ", ".join(_LEVEL_WORDS.get(name, name) for name in creator.levels)
        return Rejected(
            "privacy_not_allowed",
            f"Choose who may see the post; TikTok allows this account: {allowed}. Then schedule it again.",
        )
    if (
        duration_ms is not None
        and creator.max_seconds is not None
        and duration_ms > creator.max_seconds * 1000
    ):
        return Rejected(
            "video_too_long",
            f"TikTok lets this account post videos of at most {creator.max_seconds} seconds. Shorten the video.",
        )
    return None


def post_info(claim: PublishClaim, creator: Creator, *, is_video: bool) -> dict[str, Any]:
    """`post_info` of a direct post. What the creator has switched off for the account stays off."""
    options = claim.options
    info: dict[str, Any] = {
        "privacy_level": options.get("privacy_level"),
        "disable_comment": _is_on(options, "disable_comment") or creator.is_comment_disabled,
        "brand_content_toggle": _is_on(options, "brand_content_toggle"),
        "brand_organic_toggle": _is_on(options, "brand_organic_toggle"),
    }
    if not is_video:
        return {**info, **photo_texts(claim)}
    info["title"] = claim.text
    info["disable_duet"] = _is_on(options, "disable_duet") or creator.is_duet_disabled
    info["disable_stitch"] = _is_on(options, "disable_stitch") or creator.is_stitch_disabled
    info["is_aigc"] = _is_on(options, "is_aigc")
    cover = options.get("cover_ms")
    if isinstance(cover, int) and not isinstance(cover, bool):
        info["video_cover_timestamp_ms"] = cover
    return info


def photo_texts(claim: PublishClaim) -> dict[str, Any]:
    """Title and description of photos: the post's text is the description."""
    title = claim.options.get("title")
    texts = {"title": title if isinstance(title, str) else "", "description": claim.text}
    return {name: text for name, text in texts.items() if text}


def _is_on(options: Mapping[str, Any], name: str) -> bool:
    return options.get(name) is True


# --- codes ------------------------------------------------------------------------------------------------------

_CAPPED: Final = "TikTok's limit of posts a day through apps is used up. Post from the TikTok app, or wait."
_PENDING: Final = (
    "Five uploads wait in your TikTok inbox, as many as TikTok allows. Post or discard some there."
)
_BANNED: Final = "TikTok has banned this account from posting. Open the TikTok app to see why."
_UNVERIFIED: Final = (
    "TikTok may not fetch photos from this service yet: its operator has to verify the domain with TikTok."
)
_SCOPE: Final = (
    "scope_missing",
    "This connection may not do that on TikTok. Connect the account again and allow posting.",
)
_REFUSED: Final = ("refused", "TikTok did not accept this post. Check its text, files and options.")
_FINAL: Final[Mapping[str, tuple[str, str]]] = {
    "spam_risk_user_banned_from_posting": ("account_restricted", _BANNED),
    "privacy_level_option_mismatch": (
        "privacy_not_allowed",
        "TikTok does not allow this account the chosen audience any more. Choose again who may see the post.",
    ),
    "unaudited_client_can_only_post_to_private_accounts": (
        "app_not_audited",
        "TikTok has not audited this service yet. Until then the account must be private and only you may see the "
        "post; or send it to your TikTok inbox instead.",
    ),
    "app_version_check_failed": (
        "app_too_old",
        "Your TikTok app is too old for this. Update it and schedule again.",
    ),
    "invalid_param": _REFUSED,
    "invalid_params": _REFUSED,
    "invalid_file_upload": ("media_refused", "TikTok did not accept the video. Replace it."),
    "scope_not_authorized": _SCOPE,
    "scope_permission_missed": _SCOPE,
    # reasons of a failed post
    "file_format_check_failed": (
        "media_refused",
        "TikTok does not take this kind of file. Videos: MP4, MOV or WebM; photos: JPEG or WebP.",
    ),
    "duration_check_failed": (
        "media_refused",
        "TikTok takes videos of 3 seconds to 10 minutes, some accounts less.",
    ),
    "frame_rate_check_failed": ("media_refused", "TikTok takes videos of 23 to 60 frames a second."),
    "picture_size_check_failed": (
        "media_refused",
        "TikTok does not take this size. Videos: 360 to 4,096 pixels on each side; photos: up to 1080p and 20 MB.",
    ),
    "publish_cancelled": ("cancelled", "The post was cancelled on TikTok."),
    "auth_removed": (
        "auth_removed",
        "The access of this service was removed on TikTok while the post was on its way. Connect the account again.",
    ),
    "spam_risk_text": (
        "blocked",
        "TikTok takes the text of this post for spam. Change it and schedule it again.",
    ),
    "spam_risk": ("blocked", "TikTok refuses this post as risky. Do not send it again."),
}
_PASSING: Final[Mapping[str, tuple[str, float | None, str | None]]] = {
    "spam_risk_too_many_posts": ("rate_limited", 3600.0, _CAPPED),
    "spam_risk_too_many_pending_share": ("rate_limited", 3600.0, _PENDING),
    "reached_active_user_cap": ("rate_limited", 3600.0, None),
    "rate_limit_exceeded": ("rate_limited", _SOON, None),
    "url_ownership_unverified": ("domain_unverified", 1800.0, _UNVERIFIED),
    "internal": ("platform_error", _SOON, None),
    "video_pull_failed": ("media_not_fetched", _SOON, "TikTok could not fetch the video from this service."),
    "photo_pull_failed": ("media_not_fetched", _SOON, "TikTok could not fetch the photos from this service."),
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the API: `code` is `ok` or why not; `data` is what it holds."""

    status: int
    code: str
    data: Mapping[str, Any]
    wait: float | None

    @property
    def is_ok(self) -> bool:
        return self.code == "ok" and 200 <= self.status < 300

    @property
    def is_readable(self) -> bool:
        return bool(self.code)


def read(response: httpx.Response) -> Answer:
    """The envelope; an empty code when the answer is none."""
    body = json_object(response) or {}
    data, error = body.get("data"), body.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return Answer(
        response.status_code,
        code if isinstance(code, str) else "",
        data if isinstance(data, dict) else {},
        retry_after(response, now_utc()),
    )


def outcome_of(answer: Answer) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
    """What an answer other than ok means. Unknown is whatever the documents do not call a refusal."""
    status = answer.status
    if answer.code == "access_token_invalid" or (status == 401 and answer.code not in _FINAL):
        return NeedsReconnect("token_refused", status)
    if (known := known_outcome(answer.code, status)) is not None:
        is_waiting = isinstance(known, NotAccepted) and answer.wait is not None
        return NotAccepted(known.code, answer.wait, known.message, status) if is_waiting else known
    if status == 429:
        return NotAccepted("rate_limited", answer.wait or _SOON, None, status)
    if 400 <= status < 500 and answer.is_readable:
        return Rejected("refused", _REFUSED[1], status)
    return Unknown(f"http_{status}", http_status=status)


def known_outcome(code: str, status: int | None) -> NotAccepted | Rejected | None:
    """What a code of an answer or a reason of a failed post means; None for one that is not documented."""
    if code in _FINAL:
        return Rejected(*_FINAL[code], status)
    if code in _PASSING:
        return NotAccepted(*_PASSING[code], status)
    return None


def failed_post(reason: object) -> NotAccepted | Rejected:
    """What the status FAILED means."""
    known = known_outcome(str(reason), None)
    return known or Rejected("refused", "TikTok did not publish this post and gave no reason that is known.")
