"""LinkedIn: posts of a member through the versioned REST API.

Sources (learn.microsoft.com/linkedin/marketing, versions 2026-01 to 2026-05): Posts API, Images API,
MultiImage API, "little text format", rate limits. Images: `POST /rest/images?action=initializeUpload`, `PUT`
of the bytes to the URL that it answers, `GET /rest/images/{urn}` until `AVAILABLE` where the grant may read.
Post: `POST /rest/posts`, its id in `x-restli-id`.

LinkedIn has no idempotency key and lets a member's app read no posts. But it refuses a post that equals an
existing
one: 422 with `DUPLICATE_POST` and the id of that post. An unanswered post is therefore reconciled by sending
*exactly the same bytes* once more: either LinkedIn recognises it, or it was not there and is now. Exactly the
same includes the ids of its images, so these are saved before the first send.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from workers import http
from workers.errors import ProviderNotSentError, ProviderTransportError
from workers.providers.base import (
    FollowUpKind,
    Media,
    MediaFile,
    NeedsReconnect,
    NotAccepted,
    Outcome,
    Prepared,
    PublishClaim,
    Published,
    PublishStopped,
    Rejected,
    SaveProgress,
    Unknown,
    bearer,
    fingerprint,
    json_object,
    now_utc,
    retry_after,
    still_settling,
)
from workers.providers.definitions import endpoint
from workers.vault.secret import SecretToken

__all__ = ["LinkedInPublisher", "little_text"]

_API: Final = "https://api.linkedin.com/rest"
_PROCESSING_SECONDS: Final = 120.0
_RESERVED: Final = re.compile(r"[\\|{}@\[\]()<>#*_~]")
_HASHTAG: Final = re.compile(r"(?<![\w&#])#(?=\d*[^\W\d_])([^\W_]+)")
_POST_URN: Final = re.compile(r"urn:li:(?:share|ugcPost|activity):(\d+)")
_IMAGE_URN: Final = re.compile(r"urn:li:image:[\w-]+")
_READING: Final = "r_member_social"
_VISIBILITY: Final = frozenset({"PUBLIC", "CONNECTIONS", "LOGGED_IN"})


class LinkedInPublisher:
    """See `Publisher`. Texts with up to 20 images, as the member."""

    platform_id = "linkedin"
    is_probe_sending = True
    follow_up: FollowUpKind = "none"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        version: str,
        sandbox_url: str | None = None,
        now: Callable[[], datetime] = now_utc,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            client: from `workers.http`; shared.
            version: value of the header `LinkedIn-Version`, YYYYMM; LinkedIn retires one about a year after.
            sandbox_url: base URL of the sandbox that stands for LinkedIn, or None for LinkedIn itself.
            now, sleep: clock; tests replace it.
        """
        self._client = client
        self._version = version
        self._sandbox_url = sandbox_url
        self._now = now
        self._sleep = sleep

    # --- reversible -----------------------------------------------------------------------------------------

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        if not claim.media:
            return Prepared(claim, token, _post_body(claim, ()))
        progress = _uploaded(claim)
        if progress is None:
            images = [await self._upload(claim, file, token) for file in media.files]
            progress = {"images": images, "images_of": fingerprint(claim.media)}
            await save(progress)
        return Prepared(claim, token, _post_body(claim, progress["images"]))

    async def _upload(self, claim: PublishClaim, file: MediaFile, token: SecretToken) -> str:
        """Upload one image; answers its URN."""
        if not file.mime_type.startswith("image/"):
            raise PublishStopped(
                Rejected(
                    "unsupported_media", "This kind of file cannot be posted to LinkedIn yet. Use images."
                )
            )
        answer = await self._step(
            "POST",
            "/images?action=initializeUpload",
            token,
            json={"initializeUploadRequest": {"owner": _author(claim)}},
        )
        value = answer.get("value")
        urn, url = (value.get("image"), value.get("uploadUrl")) if isinstance(value, dict) else (None, None)
        if not isinstance(urn, str) or not _IMAGE_URN.fullmatch(urn) or not isinstance(url, str):
            raise PublishStopped(NotAccepted("unreadable_answer"))
        await self._put(url, file, token)
        if _READING in claim.scopes:  # `w_member_social` alone is write-only: the status would be refused
            await self._await_available(urn, token)
        return urn

    async def _put(self, url: str, file: MediaFile, token: SecretToken) -> None:
        if not self._is_own_host(url):  # the token must not go to whatever host an answer names
            raise PublishStopped(NotAccepted("foreign_upload_host"))
        headers = {**bearer(token), "Content-Type": file.mime_type}
        try:
            async with file.part(0, file.size_bytes) as content:
                response = await http.exchange(self._client, "PUT", url, content=content, headers=headers)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if not response.is_success:
            raise PublishStopped(self._reversible(response))

    def _is_own_host(self, url: str) -> bool:
        parts = urlsplit(url)
        if self._sandbox_url is not None:
            own = urlsplit(self._sandbox_url)
            return (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        host = parts.hostname or ""
        return parts.scheme == "https" and (host == "linkedin.com" or host.endswith(".linkedin.com"))

    async def _await_available(self, urn: str, token: SecretToken) -> None:
        """Wait until the image is processed, where we may look.

        `w_member_social` is write-only: with it alone the status is refused with 403, and LinkedIn finishes
        the image behind the post.
        """
        waited, pause = 0.0, 0.25
        while True:
            try:
                answer = await self._step("GET", f"/images/{quote(urn, safe='')}", token)
            except PublishStopped as stopped:
                if getattr(stopped.outcome, "http_status", None) == HTTPStatus.FORBIDDEN:
                    return
                raise
            status = answer.get("status")
            if status == "AVAILABLE":
                return
            if status == "PROCESSING_FAILED":
                raise PublishStopped(
                    Rejected(
                        "media_refused", "LinkedIn could not process one of the images. Replace the image."
                    )
                )
            if waited >= _PROCESSING_SECONDS:
                raise PublishStopped(NotAccepted("media_not_ready"))
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 2, 10.0)

    async def _step(self, method: str, path: str, token: SecretToken, **arguments: Any) -> Mapping[str, Any]:
        """One reversible call; answers its JSON object. Whatever goes wrong is known not to be a post."""
        url = endpoint(_API + path, self._sandbox_url)
        try:
            response = await http.exchange(
                self._client, method, url, headers=self._headers(token), **arguments
            )
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if not response.is_success:
            raise PublishStopped(self._reversible(response))
        body = json_object(response)
        if body is None:
            raise PublishStopped(NotAccepted("unreadable_answer", http_status=response.status_code))
        return body

    def _reversible(self, response: httpx.Response) -> NotAccepted | Rejected | NeedsReconnect:
        outcome = self._refusal(response, "one of the images of this post")
        if isinstance(outcome, Unknown):  # 5xx: whatever it did, it was no post
            return NotAccepted(outcome.code, http_status=outcome.http_status)
        return outcome

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        answer = await self._post(prepared.body, prepared.token)
        if not isinstance(answer, httpx.Response):
            return answer
        if _is_duplicate(answer):
            return Rejected(
                "duplicate_content",
                "LinkedIn says that you have already posted exactly this. Change the text and schedule it "
                "again.",
                answer.status_code,
            )
        return self._refusal(answer, "this post")

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing: the post is complete."""

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return Rejected("no_follow_ups", "Comments cannot be posted to LinkedIn yet.")

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return NotAccepted("never_sent")

    async def _post(self, body: Mapping[str, Any], token: SecretToken) -> httpx.Response | Outcome:
        """The irreversible call: an outcome when it is settled, or the refusing answer."""
        url = endpoint(f"{_API}/posts", self._sandbox_url)
        try:
            response = await http.exchange(self._client, "POST", url, json=body, headers=self._headers(token))
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if not response.is_success:
            return response
        urn = response.headers.get("x-restli-id", "")
        if not _POST_URN.fullmatch(urn):
            return Unknown("unreadable_answer", http_status=response.status_code)
        return Published(urn, _post_url(urn), response.status_code)

    def _refusal(
        self, response: httpx.Response, what: str
    ) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
        """What a status other than 2xx means; `what` completes the sentence "LinkedIn did not accept …"."""
        status = response.status_code
        if status == 401:
            return NeedsReconnect("token_refused", status)
        if status == 408:
            return NotAccepted("platform_timeout", http_status=status)
        if status == 426:  # the version in our header has been retired: nothing the person could change
            return NotAccepted("api_version_retired", retry_after=1800, http_status=status)
        if status == 429:
            return NotAccepted("rate_limited", self._window(response), http_status=status)
        if status == 403:
            return Rejected(
                "forbidden",
                f"LinkedIn does not allow {what} with this connection. Connect the account again "
                "and allow posting.",
                status,
            )
        codes = _input_codes(response)
        if codes & {"MEDIA_ASSET_PROCESSING_FAILED"}:
            return Rejected(
                "media_refused", "LinkedIn could not process one of the images. Replace the image.", status
            )
        if any(code.startswith("MEDIA_ASSET_") for code in codes):  # waiting or being processed
            return NotAccepted("media_not_ready", retry_after=5.0, http_status=status)
        if 400 <= status < 500:
            return Rejected(
                "refused",
                f"LinkedIn did not accept {what} (error {status}). Check its text and images.",
                status,
            )
        return Unknown(f"http_{status}", http_status=status)

    def _window(self, response: httpx.Response) -> float | None:
        """LinkedIn's limits are per day and end at midnight UTC (learn.microsoft.com, rate limits); an answer
        that speaks of a day waits until then."""
        wait = retry_after(response, self._now())
        message = str((json_object(response) or {}).get("message", ""))
        if wait is None and re.search(r"\bday\b|\bdaily\b", message, re.IGNORECASE):
            now = self._now().astimezone(UTC)
            midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            wait = (midnight - now).total_seconds()
        return wait

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        wait = still_settling(claim, self._now())
        if wait > 0:  # the repetition must not overtake the first one
            return Unknown("too_early", retry_after=wait)
        images: Sequence[str] = ()
        if claim.media:
            progress = _uploaded(claim)
            if progress is None:  # without the first attempt's images the bytes would differ: a second post
                return Unknown("images_lost")
            images = progress["images"]
        answer = await self._post(_post_body(claim, images), token)
        if isinstance(
            answer, NotAccepted
        ):  # this call did not arrive, which says nothing about the first one
            return Unknown(answer.code)
        if not isinstance(answer, httpx.Response):
            return answer
        if _is_duplicate(answer):
            return _recognised(answer, claim.sending_at)
        outcome = self._refusal(answer, "this post")
        if isinstance(outcome, NotAccepted):
            return Unknown(outcome.code, outcome.retry_after, outcome.http_status)
        return outcome

    def _headers(self, token: SecretToken) -> dict[str, str]:
        return {
            **bearer(token),
            "LinkedIn-Version": self._version,
            "X-Restli-Protocol-Version": "2.0.0",
        }


# --- bodies and texts ---------------------------------------------------------------------------------------


def little_text(text: str) -> str:
    """A plain text in LinkedIn's "little text format".

    Reserved characters are escaped with a backslash: unescaped, LinkedIn silently cuts the post at the first
    one. Hash tags become the format's own element, so that they stay links.
    """
    parts: list[str] = []
    end = 0
    for tag in _HASHTAG.finditer(text):
        parts.append(_escaped(text[end : tag.start()]))
        parts.append(f"{{hashtag|\\#|{tag.group(1)}}}")
        end = tag.end()
    parts.append(_escaped(text[end:]))
    return "".join(parts)


def _escaped(text: str) -> str:
    return _RESERVED.sub(r"\\\g<0>", text)


def _author(claim: PublishClaim) -> str:
    account = claim.external_account_id
    return account if account.startswith("urn:li:") else f"urn:li:person:{account}"


def _post_body(claim: PublishClaim, images: Sequence[str]) -> dict[str, Any]:
    """Body of `POST /rest/posts`. The same claim and images always give the same bytes; probing relies on
    it."""
    visibility = claim.options.get("visibility")
    body: dict[str, Any] = {
        "author": _author(claim),
        "commentary": little_text(claim.text),
        "visibility": visibility if visibility in _VISIBILITY else "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED",
            "targetEntities": [],
            "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": claim.options.get("is_reshare_disabled") is True,
    }
    items = [
        {"id": urn, **({"altText": item.alt_text} if item.alt_text else {})}
        for urn, item in zip(images, claim.media, strict=True)
    ]
    if len(items) == 1:
        body["content"] = {"media": items[0]}
    elif items:
        body["content"] = {"multiImage": {"images": items}}
    return body


def _uploaded(claim: PublishClaim) -> dict[str, Any] | None:
    """Images of an earlier attempt, if they are of the same files. LinkedIn keeps them."""
    progress = claim.progress or {}
    images = progress.get("images")
    if not isinstance(images, list) or not all(isinstance(urn, str) for urn in images):
        return None
    if progress.get("images_of") != fingerprint(claim.media) or len(images) != len(claim.media):
        return None
    return {"images": images, "images_of": progress["images_of"]}


def _post_url(urn: str) -> str:
    return f"https://www.linkedin.com/feed/update/{urn}/"


def _input_codes(response: httpx.Response) -> frozenset[str]:
    """Codes of a refusal: of its input errors, and its own."""
    body = json_object(response) or {}
    details = body.get("errorDetails")
    errors = details.get("inputErrors") if isinstance(details, dict) else None
    found = (
        [item.get("code") for item in errors if isinstance(item, dict)] if isinstance(errors, list) else []
    )
    return frozenset(code for code in (*found, body.get("code")) if isinstance(code, str))


def _is_duplicate(response: httpx.Response) -> bool:
    """422 (400 from older versions) with `DUPLICATE_POST`."""
    return response.status_code in (400, 409, 422) and "DUPLICATE_POST" in _input_codes(response)


def _recognised(response: httpx.Response, sending_at: datetime) -> Outcome:
    """LinkedIn recognised the repeated post; its answer names the first one.

    The id holds the time of creation in its upper bits (milliseconds since 1970, seen, not documented). Where
    it reads as a plausible time that is well before our attempt, the person had posted the same before by
    themselves.
    """
    urn = _POST_URN.search(response.text)
    if urn is None:
        return Unknown("duplicate_without_id", http_status=response.status_code)
    created = (int(urn.group(1)) >> 22) / 1000
    is_plausible = 1_000_000_000 < created < 10_000_000_000  # 2001 … 2286
    if is_plausible and created < (sending_at - timedelta(minutes=10)).timestamp():
        return Rejected(
            "duplicate_content",
            "LinkedIn says that you had already posted exactly this before. Change the text and schedule "
            "it again.",
            response.status_code,
        )
    return Published(urn.group(0), _post_url(urn.group(0)), response.status_code)
