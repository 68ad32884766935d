"""LinkedIn: posts of a member through the versioned REST API.

Sources (learn.microsoft.com/linkedin/marketing, versions 2026-01 to 2026-05): Posts API, Images API, MultiImage
API, Videos API, Documents API, Comments API, "little text format", rate limits. The uploads are in
`linkedin_uploads`. Post: `POST /rest/posts`, its id in `x-restli-id`. First comment:
`POST /rest/socialActions/{urn}/comments`.

LinkedIn has no idempotency key and lets a member's app read no posts. But for about ten minutes it refuses a
post that equals an existing one: 422 with `DUPLICATE_POST` and the id of that post. Within that time an
unanswered post is reconciled by sending *exactly the same bytes* once more: either LinkedIn recognises it, or
it was not there and is now. Exactly the same includes the ids of its files, so these are saved before the
first send. Later, and for comments without the right to read them, nobody can say: the person has to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from workers.errors import ProviderNotSentError, ProviderTransportError
from workers.providers.base import (
    FollowUpKind,
    Media,
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
    fingerprint,
    json_object,
    now_utc,
    still_settling,
)
from workers.providers.linkedin_api import LinkedInApi
from workers.providers.linkedin_posts import (
    POST_URN,
    author,
    comment_body,
    is_duplicate,
    little_text,
    post_body,
    post_url,
    recognised,
    uploaded,
)
from workers.providers.linkedin_uploads import LinkedInUploads
from workers.vault.secret import SecretToken

__all__ = ["LinkedInPublisher", "little_text"]

DUPLICATE_SECONDS: Final = 540.0
"""How long after the first send a repetition is surely recognised: LinkedIn says ten minutes."""
_READING: Final = "r_member_social"


class LinkedInPublisher:
    """See `Publisher`. Texts with up to 20 images, one video or one document, as the member."""

    platform_id = "linkedin"
    is_probe_sending = True
    follow_up: FollowUpKind = "comment"

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
        self._api = LinkedInApi(client, version, sandbox_url, now)
        self._uploads = LinkedInUploads(self._api, sleep)
        self._now = now

    # --- reversible -----------------------------------------------------------------------------------------

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        if not claim.media:
            return Prepared(claim, token, post_body(claim, ()))
        kinds = {item.kind for item in claim.media}
        if len(kinds) > 1 or (len(claim.media) > 1 and kinds != {"image"}):
            raise PublishStopped(
                Rejected("unsupported_media", "LinkedIn takes several images, or one video, or one document.")
            )
        assets = uploaded(claim)
        if assets is None:
            assets = [await self._uploads.upload(claim, file, token) for file in media.files]
            await save({"assets": assets, "assets_of": fingerprint(claim.media)})
        return Prepared(claim, token, post_body(claim, assets))

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        answer = await self._post(prepared.body, prepared.token)
        if not isinstance(answer, httpx.Response):
            return answer
        if is_duplicate(answer):
            return Rejected(
                "duplicate_content",
                "LinkedIn says that you have already posted exactly this. Change the text and schedule it "
                "again.",
                answer.status_code,
            )
        return self._api.refusal(answer, "this post")

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing: the post is complete."""

    async def _post(self, body: Mapping[str, Any], token: SecretToken) -> httpx.Response | Outcome:
        """The irreversible call: an outcome when it is settled, or the refusing answer."""
        answer = await self._create("/posts", body, token)
        if not isinstance(answer, httpx.Response) or not answer.is_success:
            return answer
        urn = answer.headers.get("x-restli-id", "")
        if not POST_URN.fullmatch(urn):
            return Unknown("unreadable_answer", http_status=answer.status_code)
        return Published(urn, post_url(urn), answer.status_code)

    async def _create(
        self, path: str, body: Mapping[str, Any], token: SecretToken
    ) -> httpx.Response | NotAccepted | Unknown:
        try:
            return await self._api.exchange("POST", path, token, body)
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)

    # --- the first comment ----------------------------------------------------------------------------------

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        answer = await self._create(_comments(root_id), comment_body(claim, text, root_id), token)
        if not isinstance(answer, httpx.Response):
            return answer
        if not answer.is_success:
            return self._api.refusal(answer, "this comment")
        urn = (json_object(answer) or {}).get("commentUrn")
        comment_id = urn if isinstance(urn, str) and urn else answer.headers.get("x-restli-id", "")
        if not comment_id:
            return Unknown("unreadable_answer", http_status=answer.status_code)
        return Published(comment_id, None, answer.status_code)

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        wait = still_settling(claim, self._now())
        if wait > 0:
            return Unknown("too_early", retry_after=wait)
        if _READING not in claim.scopes:  # a second comment would not be recognised, and looking is forbidden
            return Unknown("comments_unreadable", is_final=True)
        try:
            answer = await self._api.step("GET", f"{_comments(root_id)}?count=100", token)
        except PublishStopped as stopped:
            is_refused = isinstance(stopped.outcome, NeedsReconnect)
            return stopped.outcome if is_refused else Unknown(stopped.outcome.code)
        elements = answer.get("elements")
        for comment in elements if isinstance(elements, list) else []:
            if _is_comment(comment, author(claim), text):
                return Published(str(comment["commentUrn"]))
        return NotAccepted("not_among_comments")

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        now = self._now()
        wait = still_settling(claim, now)
        if wait > 0:  # the repetition must not overtake the first one
            return Unknown("too_early", retry_after=wait)
        if (now - claim.sending_at).total_seconds() > DUPLICATE_SECONDS:
            return Unknown("duplicate_window_over", is_final=True)
        assets: Sequence[str] | None = uploaded(claim) if claim.media else ()
        if assets is None:  # without the first attempt's files the bytes would differ: a second post
            return Unknown("assets_lost", is_final=True)
        answer = await self._post(post_body(claim, assets), token)
        if isinstance(
            answer, NotAccepted
        ):  # this call did not arrive, which says nothing about the first one
            return Unknown(answer.code)
        if not isinstance(answer, httpx.Response):
            return answer
        if is_duplicate(answer):
            return recognised(answer, claim.sending_at)
        outcome = self._api.refusal(answer, "this post")
        if isinstance(outcome, NotAccepted):
            return Unknown(outcome.code, outcome.retry_after, outcome.http_status)
        return outcome


def _comments(urn: str) -> str:
    return f"/socialActions/{quote(urn, safe='')}/comments"


def _is_comment(comment: object, actor: str, text: str) -> bool:
    if not isinstance(comment, dict) or not isinstance(comment.get("commentUrn"), str):
        return False
    message = comment.get("message")
    return comment.get("actor") == actor and isinstance(message, dict) and message.get("text") == text
