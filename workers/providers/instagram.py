"""Instagram: posts, carousels, reels and stories of a professional account, with its first comment.

Sources (developers.facebook.com, 2026-06 to 2026-09): Content Publishing, IG User Media, IG User Media Publish, IG
Container, Content Publishing Limit, IG Media Comments; Graph API v25.0 (served until 2028-07). `POST /{id}/media` makes
a container for which Instagram fetches the file from a signed URL; `GET /{container}` says when it is FINISHED; `POST
/{id}/media_publish` publishes it, the one irreversible call.

The container is the key. It lives for 24 hours and is published at most once: its `status_code` turns PUBLISHED. So
an unanswered call is settled by reading the container, and the post's own id is then found in the account's media.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import httpx

from workers import http
from workers.errors import ProviderNotSentError, ProviderTransportError
from workers.providers import graph
from workers.providers.base import (
    Budget,
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
    json_object,
    now_utc,
    still_settling,
)
from workers.providers.definitions import endpoint
from workers.providers.instagram_bodies import (
    budget_of,
    carousel,
    carousel_item,
    comparable,
    content_of,
    instant,
    is_same,
    single,
    spent,
)
from workers.vault.secret import SecretToken

__all__ = ["InstagramPublisher"]

_API: Final = "https://graph.instagram.com/v25.0"
_LIFETIME: Final = 24 * 3600.0
_MARGIN: Final = 600.0  # a container that ends sooner than this is made anew
_READY_SECONDS: Final = 300.0  # "once per minute, for no more than 5 minutes"
_LONGEST_PAUSE: Final = 60.0
_LISTING_SECONDS: Final = 180.0  # after this a published container counts without its listed id
_LOOKUP_SECONDS: Final = 4.0
_CLOCK_MARGIN: Final = timedelta(seconds=60)
_COMMENTS: Final = "instagram_business_manage_comments"
_POST: Final = "this post"
_FILE: Final = "one of the files of this post"


class InstagramPublisher:
    """See `Publisher`. One picture, 2 to 10 pictures and videos, or one video (a reel); or a story."""

    platform_id = "instagram"
    is_probe_sending = False
    follow_up: FollowUpKind = "comment"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        sandbox_url: str | None = None,
        now: Callable[[], datetime] = now_utc,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            client: from `workers.http`; shared.
            sandbox_url: base URL of the sandbox that stands for Instagram, or None for Instagram itself.
            now, sleep: clock; tests replace it.
        """
        self._client = client
        self._sandbox_url = sandbox_url
        self._now = now
        self._sleep = sleep

    # --- reversible -----------------------------------------------------------------------------------------

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        if not media.files:
            raise PublishStopped(Rejected("media_required", "Instagram needs a picture or a video. Add one."))
        quota = await self._quota(claim, token)
        container = self._kept(claim)
        if container is None or not await self._is_usable(container, token, save):
            container = await self._make(claim, token, media, save)
        status = await self._await_ready(container, token, save)
        body: dict[str, Any] = {"creation_id": container, "is_published": status == "PUBLISHED"}
        return Prepared(claim, token, {**body, "quota": quota}, platform_key=container)

    async def _quota(self, claim: PublishClaim, token: SecretToken) -> Budget | None:
        """What the account may still post today, as Instagram says; None when it does not."""
        try:
            answer = await self._step(
                "GET",
                f"/{claim.external_account_id}/content_publishing_limit",
                token,
                params={"fields": "quota_usage,config"},
            )
        except PublishStopped as stopped:
            if isinstance(stopped.outcome, NeedsReconnect):
                raise
            return None  # the limit is enforced by the call that publishes; this one only foresees it
        budget = budget_of(answer)
        if budget is not None and budget.remaining <= 0:
            message = (
                f"Instagram allows {budget.limit} posts a day through apps like this one, and this account has "
                "used them up."
            )
            raise PublishStopped(NotAccepted("rate_limited", 3600.0, message, budget=(budget,)))
        return budget

    def _kept(self, claim: PublishClaim) -> str | None:
        """The container of an earlier attempt, if it is of the same post and lives long enough."""
        progress = claim.progress or {}
        container, until = progress.get("container"), progress.get("container_until")
        if not isinstance(container, str) or not isinstance(until, int | float):
            return None
        is_fresh = until > self._now().timestamp() + _MARGIN
        return container if is_fresh and progress.get("container_of") == content_of(claim) else None

    async def _is_usable(self, container: str, token: SecretToken, save: SaveProgress) -> bool:
        """Whether an earlier attempt's container can still be published; forgets one that cannot."""
        try:
            status, _ = await self._status(container, token)
        except PublishStopped as stopped:
            if stopped.outcome.code != "container_gone":
                raise
            status = "EXPIRED"
        if status in ("ERROR", "EXPIRED"):
            await save({"container": None, "items": None})
            return False
        return True

    async def _make(self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress) -> str:
        """Make the container; its id is kept at once."""
        until = int(self._now().timestamp() + _LIFETIME)
        content = content_of(claim)
        if len(media.files) == 1:
            container = await self._create(claim, token, await single(claim, media))
        else:
            items = await self._items(claim, token, media.files, save)
            container = await self._create(claim, token, carousel(claim, items))
        await save({"container": container, "container_until": until, "container_of": content, "items": None})
        return container

    async def _items(
        self, claim: PublishClaim, token: SecretToken, files: Sequence[MediaFile], save: SaveProgress
    ) -> list[str]:
        """The containers of a carousel's items, those of an earlier attempt first."""
        if len(files) > 10:
            raise PublishStopped(Rejected("media_refused", "A carousel takes at most 10 pictures or videos."))
        progress = claim.progress or {}
        until, content = progress.get("items_until"), content_of(claim)
        is_fresh = isinstance(until, int | float) and until > self._now().timestamp() + _MARGIN
        kept = progress.get("items") if is_fresh and progress.get("items_of") == content else None
        items = [str(item) for item in kept] if isinstance(kept, list) else []
        if not items:
            until = int(self._now().timestamp() + _LIFETIME)
        for file in files[len(items) :]:
            items.append(await self._create(claim, token, await carousel_item(file)))
            await save({"items": items, "items_until": until, "items_of": content})
        for item in items:
            await self._await_ready(item, token, save)
        return items

    async def _create(self, claim: PublishClaim, token: SecretToken, body: Mapping[str, Any]) -> str:
        answer = await self._step("POST", f"/{claim.external_account_id}/media", token, json=body)
        container = answer.get("id")
        if not isinstance(container, str) or not container.isalnum():
            raise PublishStopped(NotAccepted("unreadable_answer"))
        return container

    async def _await_ready(self, container: str, token: SecretToken, save: SaveProgress) -> str:
        """Wait until a container is FINISHED (or was PUBLISHED before); answers which."""
        waited, pause = 0.0, 1.0
        while True:
            status, told = await self._status(container, token)
            if status in ("FINISHED", "PUBLISHED"):
                return status
            if status in ("ERROR", "EXPIRED"):
                await save({"container": None, "items": None})
                expired = NotAccepted("container_expired")
                raise PublishStopped(graph.failed_container(told) if status == "ERROR" else expired)
            if waited >= _READY_SECONDS:
                raise PublishStopped(NotAccepted("media_not_ready", retry_after=60.0))
            await self._sleep(pause)
            waited += pause
            pause = min(pause * 2, _LONGEST_PAUSE, max(1.0, _READY_SECONDS - waited))

    async def _status(self, container: str, token: SecretToken) -> tuple[str, object]:
        """`status_code` and `status` of a container."""
        answer = await self._step("GET", f"/{container}", token, params={"fields": "status_code,status"})
        return str(answer.get("status_code")), answer.get("status")

    async def _step(self, method: str, path: str, token: SecretToken, **arguments: Any) -> Mapping[str, Any]:
        """One reversible call; answers its JSON object. Whatever goes wrong is known not to be a post."""
        try:
            response = await self._call(method, path, token, **arguments)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if not response.is_success:
            refusal = graph.read_error(response)
            if refusal.is_gone:
                raise PublishStopped(NotAccepted("container_gone", http_status=response.status_code))
            raise PublishStopped(graph.reversible(refusal, _FILE))
        body = json_object(response)
        if body is None:
            raise PublishStopped(NotAccepted("unreadable_answer", http_status=response.status_code))
        return body

    async def _call(self, method: str, path: str, token: SecretToken, **arguments: Any) -> httpx.Response:
        url = endpoint(_API + path, self._sandbox_url)
        return await http.exchange(self._client, method, url, headers=bearer(token), **arguments)

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        claim, token, container = prepared.claim, prepared.token, str(prepared.body["creation_id"])
        if prepared.body["is_published"]:  # by an earlier attempt, after all: there is nothing left to do
            return await self._published(claim, token, container)
        path = f"/{claim.external_account_id}/media_publish"
        try:
            response = await self._call("POST", path, token, json={"creation_id": container})
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if response.is_success:
            media_id = (json_object(response) or {}).get("id")
            if not isinstance(media_id, str) or not media_id.isalnum():
                return Unknown("unreadable_answer", http_status=response.status_code)
            url = await self._permalink(media_id, token)
            budget = spent(prepared.body.get("quota"))
            return Published(media_id, url, response.status_code, budget=budget)
        refusal = graph.read_error(response)
        if refusal.is_gone:  # expired, or published before: the container itself says which
            return Unknown("container_gone", http_status=response.status_code)
        return graph.outcome_of(refusal, _POST)

    async def _permalink(self, media_id: str, token: SecretToken) -> str | None:
        """Where people see it. Best effort: the post is out."""
        try:
            async with asyncio.timeout(_LOOKUP_SECONDS):
                response = await self._call("GET", f"/{media_id}", token, params={"fields": "permalink"})
        except (ProviderTransportError, TimeoutError):
            return None
        url = (json_object(response) or {}).get("permalink") if response.is_success else None
        return url if isinstance(url, str) and url.startswith("https://") else None

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing: the post is complete."""

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        container = (claim.progress or {}).get("container")
        if not isinstance(container, str):
            return Unknown("container_lost")
        try:
            status, _ = await self._status(container, token)
        except PublishStopped as stopped:
            return await self._unreadable(claim, token, stopped.outcome)
        if status == "PUBLISHED":
            return await self._published(claim, token, container)
        wait = still_settling(claim, self._now())
        if wait > 0:
            return Unknown("too_early", retry_after=wait)
        if status in ("FINISHED", "ERROR", "EXPIRED"):
            return NotAccepted(f"container_{status.lower()}")
        return Unknown("still_publishing", retry_after=15.0)

    async def _unreadable(
        self, claim: PublishClaim, token: SecretToken, stopped: NotAccepted | Rejected | NeedsReconnect
    ) -> Outcome:
        """The container cannot be read. Meta sometimes hides one that was published, so the account's media decide, in
        the one direction in which they can."""
        if isinstance(stopped, NeedsReconnect):
            return stopped
        if stopped.code == "container_gone":
            found = await self._find(claim, token)
            if isinstance(found, Published | NeedsReconnect):
                return found
        wait = stopped.retry_after if isinstance(stopped, NotAccepted) else None
        return Unknown(f"probe_{stopped.code}"[:60], wait, stopped.http_status)

    async def _published(self, claim: PublishClaim, token: SecretToken, container: str) -> Outcome:
        """The container was published: find the post that it became."""
        if claim.options.get("kind") == "story":  # stories are not among the account's media
            return Published(container)
        found = await self._find(claim, token)
        if isinstance(found, Published | NeedsReconnect):
            return found
        since = claim.sending_at or claim.scheduled_at
        if (self._now() - since).total_seconds() < _LISTING_SECONDS:
            return Unknown("not_listed_yet", retry_after=30.0)
        return Published(container)  # it is out; which of the account's media it is cannot be told

    async def _find(self, claim: PublishClaim, token: SecretToken) -> Published | NeedsReconnect | None:
        """The oldest of the account's media since the attempt began that is this post."""
        since = (claim.sending_at or claim.scheduled_at) - _CLOCK_MARGIN
        params = {
            "fields": "id,caption,permalink,timestamp,media_product_type",
            "since": str(int(since.timestamp())),
            "limit": "100",
        }
        try:
            answer = await self._step("GET", f"/{claim.external_account_id}/media", token, params=params)
        except PublishStopped as stopped:
            return stopped.outcome if isinstance(stopped.outcome, NeedsReconnect) else None
        listed = answer.get("data")
        items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
        same = [item for item in items if is_same(claim, item, since)]
        if not same:
            return None
        oldest = min(same, key=lambda item: str(item["timestamp"]))
        url = oldest.get("permalink")
        return Published(str(oldest["id"]), url if isinstance(url, str) else None)

    # --- the first comment ----------------------------------------------------------------------------------

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        if _COMMENTS not in claim.scopes:
            message = "This connection may not write comments. Connect Instagram again and allow comments."
            return Rejected("scope_missing", message)
        try:
            response = await self._call("POST", f"/{root_id}/comments", token, json={"message": text})
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if response.is_success:
            comment = (json_object(response) or {}).get("id")
            if not isinstance(comment, str) or not comment.isalnum():
                return Unknown("unreadable_answer", http_status=response.status_code)
            return Published(comment, None, response.status_code)
        refusal = graph.read_error(response)
        if refusal.is_gone:
            return Rejected("post_gone", "The post cannot be found on Instagram any more.", refusal.status)
        return graph.outcome_of(refusal, "the first comment")

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        params = {"fields": "id,text,timestamp", "limit": "50"}
        try:
            answer = await self._step("GET", f"/{root_id}/comments", token, params=params)
        except PublishStopped as stopped:
            if isinstance(stopped.outcome, NeedsReconnect):
                return stopped.outcome
            return Unknown(f"probe_{stopped.outcome.code}"[:60], http_status=stopped.outcome.http_status)
        since = claim.sending_at - _CLOCK_MARGIN
        listed = answer.get("data")
        for comment in listed if isinstance(listed, list) else []:
            is_ours = comparable(comment.get("text")) == comparable(text)
            if is_ours and instant(comment.get("timestamp")) >= since:
                return Published(str(comment["id"]))
        wait = still_settling(claim, self._now())
        return Unknown("too_early", retry_after=wait) if wait > 0 else NotAccepted("not_among_comments")
