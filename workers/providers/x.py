"""X: posts through API v2.

Sources (docs.x.com, 2026-08; the OpenAPI description of the same date for bodies):
`POST /2/tweets`; media by `POST /2/media/upload/initialize`, `/{id}/append` (parts of at most 5 MB),
`/{id}/finalize` and `GET /2/media/upload?command=STATUS`; `POST /2/media/metadata` for alternative texts;
`GET /2/users/{id}/tweets`. Rate limits are told by `x-rate-limit-reset` and, for 24 hours, by
`x-user-limit-24hour-*` and `x-app-limit-24hour-*`; there is no `Retry-After`.

`POST /2/tweets` costs more when the text holds a link (pricing page): the answer shows which it was, because X
shortens every link that it counts.

X has no idempotency key. What became of an unanswered post is found in the account's own timeline, by its
text after X's link shortening is undone. X also refuses a text that repeats a recent one (403), a second line
of defence.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

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
from workers.providers.x_posts import (
    budgets,
    category,
    charge,
    charge_shown,
    comparable,
    detail,
    is_same,
    post_body,
    post_url,
    problem_type,
    replies_to,
    reply_body,
    sentence,
)
from workers.vault.secret import SecretToken

__all__ = ["XPublisher"]

_API: Final = "https://api.x.com/2"
_PART_BYTES: Final = 4 * 1024 * 1024
_PROCESSING_SECONDS: Final = 300.0
_CLOCK_MARGIN: Final = timedelta(seconds=60)
"""How far X's clock may be behind ours. Safe to be generous: X itself refuses the same text twice in that
time."""
_PAGES: Final = 5
_DUPLICATE: Final = re.compile(r"duplicate", re.IGNORECASE)


class XPublisher:
    """See `Publisher`. Texts with up to four images, or one GIF or video."""

    platform_id = "x"
    is_probe_sending = False
    follow_up: FollowUpKind = "reply"

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
            sandbox_url: base URL of the sandbox that stands for X, or None for X itself.
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
        body = post_body(claim)
        if not claim.media:
            return Prepared(claim, token, body)
        ids = await self._upload_all(claim, token, media.files, save)
        return Prepared(claim, token, {**body, "media": {"media_ids": ids}})

    def _uploaded(self, claim: PublishClaim) -> tuple[list[str], float]:
        """Uploads of an earlier attempt and the epoch second until which they serve, if they are of the same
        files and live for five more minutes; of the first files, when it broke between two."""
        progress = claim.progress or {}
        ids, until = progress.get("media_ids"), progress.get("media_until")
        is_usable = (
            isinstance(ids, list)
            and isinstance(until, int | float)
            and progress.get("media_of") == fingerprint(claim.media)
            and len(ids) <= len(claim.media)
            and until >= self._now().timestamp() + 300
        )
        return (list(ids), float(until)) if is_usable else ([], float("inf"))  # type: ignore[arg-type]

    async def _upload_all(
        self, claim: PublishClaim, token: SecretToken, media: Sequence[MediaFile], save: SaveProgress
    ) -> list[str]:
        """Upload the files that are not there yet; answers the ids of all, in order."""
        ids, until = self._uploaded(claim)
        for file in media[len(ids) :]:
            media_id, ends = await self._upload(file, token)
            ids, until = [*ids, media_id], min(until, ends)
            await save({"media_ids": ids, "media_until": until, "media_of": fingerprint(claim.media)})
        return ids

    async def _upload(self, file: MediaFile, token: SecretToken) -> tuple[str, int]:
        """Upload one file; answers its media id and the epoch second until which it can be used."""
        data = await self._step(
            "POST",
            "/media/upload/initialize",
            token,
            json={
                "media_type": file.mime_type,
                "total_bytes": file.size_bytes,
                "media_category": category(file.mime_type),
            },
        )
        media_id = data.get("id")
        if not isinstance(media_id, str) or not media_id.isalnum():
            raise PublishStopped(NotAccepted("unreadable_answer"))
        for index, start in enumerate(range(0, file.size_bytes, _PART_BYTES)):
            async with file.part(start, min(_PART_BYTES, file.size_bytes - start)) as part:
                await self._step(
                    "POST",
                    f"/media/upload/{media_id}/append",
                    token,
                    data={"segment_index": str(index)},
                    files={"media": ("part", part, "application/octet-stream")},
                )
        data = await self._step("POST", f"/media/upload/{media_id}/finalize", token)
        lifetime = data.get("expires_after_secs")
        await self._await_processing(media_id, data, token)
        if file.alt_text:
            await self._step(
                "POST",
                "/media/metadata",
                token,
                json={"id": media_id, "metadata": {"alt_text": {"text": file.alt_text}}},
            )
        seconds = lifetime if isinstance(lifetime, int) else 3600
        return media_id, int(self._now().timestamp()) + seconds

    async def _await_processing(self, media_id: str, data: Mapping[str, Any], token: SecretToken) -> None:
        """Poll STATUS until the file is ready. Images usually answer without `processing_info`: ready at
        once."""
        waited = 0.0
        while isinstance(info := data.get("processing_info"), dict) and info.get("state") != "succeeded":
            if info.get("state") == "failed":
                raise PublishStopped(
                    Rejected(
                        "media_refused",
                        "X could not process one of the files of this post. Replace the file.",
                    )
                )
            if waited >= _PROCESSING_SECONDS:
                raise PublishStopped(NotAccepted("media_not_ready"))
            wait = info.get("check_after_secs")
            pause = min(max(float(wait), 0.2), 30.0) if isinstance(wait, int | float) else 1.0
            await self._sleep(pause)
            waited += pause
            data = await self._step(
                "GET", "/media/upload", token, params={"command": "STATUS", "media_id": media_id}
            )

    async def _step(self, method: str, path: str, token: SecretToken, **arguments: Any) -> Mapping[str, Any]:
        """One reversible call; answers `data`. Whatever goes wrong is known not to be a post."""
        url = endpoint(_API + path, self._sandbox_url)
        try:
            response = await http.exchange(self._client, method, url, headers=bearer(token), **arguments)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if response.is_success:
            body = json_object(response) if response.content else {}
            data = None if body is None else body.get("data", {})
            if not isinstance(data, dict):
                raise PublishStopped(NotAccepted("unreadable_answer", http_status=response.status_code))
            return data
        outcome = self._refusal(response, "one of the files of this post")
        if isinstance(outcome, Unknown):  # 5xx: whatever it did, it was no post
            outcome = NotAccepted(outcome.code, http_status=outcome.http_status)
        raise PublishStopped(outcome)

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        answer = await self._post(prepared.body, prepared.token)
        if isinstance(answer, httpx.Response):
            return await self._duplicate(prepared.claim, prepared.token, prepared.claim.text)
        return answer

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing: the post is complete."""

    async def _post(self, body: Mapping[str, Any], token: SecretToken) -> httpx.Response | Outcome:
        """The irreversible call: its outcome, or the answer that says that X has this text already."""
        outcome = await self._post_once(body, token)
        if isinstance(outcome, tuple):
            response, settled = outcome
            return dataclasses.replace(settled, budget=budgets(response))
        return outcome

    async def _post_once(
        self, body: Mapping[str, Any], token: SecretToken
    ) -> httpx.Response | Outcome | tuple[httpx.Response, Outcome]:
        url = endpoint(f"{_API}/tweets", self._sandbox_url)
        try:
            response = await http.exchange(self._client, "POST", url, json=body, headers=bearer(token))
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if response.is_success:
            data = (json_object(response) or {}).get("data")
            post_id = data.get("id") if isinstance(data, dict) else None
            if not isinstance(post_id, str) or not post_id:
                return Unknown("unreadable_answer", http_status=response.status_code)
            price = charge(str((data or {}).get("text", "")), "media" in body)
            published = Published(post_id, post_url(post_id), response.status_code, charge=price)
            return response, published
        if response.status_code == 403 and _DUPLICATE.search(detail(response)):
            return response
        return response, self._refusal(response, "this post")

    async def _duplicate(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str | None = None
    ) -> Outcome:
        """X says that it already has this text. On a later attempt that may be an earlier one of ours."""
        if claim.attempt > 1:
            found = await self._find(claim, token, claim.scheduled_at, text, parent_id)
            if isinstance(found, Published):
                return found
            if found is not None:
                return Unknown("duplicate_unresolved")
        return Rejected(
            "duplicate_content",
            "X refuses a text that you have posted before. Change the text and schedule it again.",
            403,
        )

    def _refusal(
        self, response: httpx.Response, what: str
    ) -> NotAccepted | Rejected | Unknown | NeedsReconnect:
        """What a status other than 2xx means; `what` completes the sentence "X did not accept …"."""
        status = response.status_code
        if status == 401:
            return NeedsReconnect("token_refused", status)
        if status == 402:  # the deployment's prepaid credits are used up: nothing the person could change
            return NotAccepted("platform_credits", retry_after=1800, http_status=status)
        if status == 408:
            return NotAccepted("platform_timeout", http_status=status)
        if status == 429:
            return NotAccepted("rate_limited", self._window(response), http_status=status)
        if status == 403 and "client-forbidden" in problem_type(response):
            return NotAccepted("app_forbidden", retry_after=1800, http_status=status)
        if status == 403:
            return Rejected(
                "forbidden", f"X does not allow {what}. {sentence(detail(response))}".strip(), status
            )
        if 400 <= status < 500:
            return Rejected(
                "refused", f"X did not accept {what}. {sentence(detail(response))}".strip(), status
            )
        return Unknown(f"http_{status}", http_status=status)

    def _window(self, response: httpx.Response) -> float | None:
        """Seconds until the exhausted windows open again: the 24-hour ones count only when they are used
        up."""
        names = ["x-rate-limit-reset"]
        for scope in ("user", "app"):
            prefix = f"x-{scope}-limit-24hour"
            if response.headers.get(f"{prefix}-remaining") == "0":
                names.append(f"{prefix}-reset")
        return retry_after(response, self._now(), *names)

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        return await self._look_for(claim, token, claim.text)

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        answer = await self._post(reply_body(claim, text, parent_id), token)
        if isinstance(answer, httpx.Response):
            return await self._duplicate(claim, token, text, parent_id)
        return answer

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return await self._look_for(claim, token, text, parent_id)

    async def _look_for(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str | None = None
    ) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        found = await self._find(claim, token, claim.sending_at, text, parent_id)
        if found is not None:
            return found
        wait = still_settling(claim, self._now())
        if wait > 0:
            return Unknown("too_early", retry_after=wait)
        return NotAccepted("not_on_timeline")

    async def _find(
        self,
        claim: PublishClaim,
        token: SecretToken,
        since: datetime,
        text: str,
        parent_id: str | None = None,
    ) -> Published | Unknown | NeedsReconnect | None:
        """Look for the post in the account's own timeline.

        Returns:
            Published when it is there; None when the timeline was read completely and it is not; the others
            when the timeline could not be read.
        """
        url = endpoint(f"{_API}/users/{claim.external_account_id}/tweets", self._sandbox_url)
        start = (since - _CLOCK_MARGIN).astimezone(UTC)
        params = {
            "start_time": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "max_results": "100",
            "exclude": "retweets",
            "tweet.fields": "attachments,created_at,entities,note_tweet,referenced_tweets",
        }
        wanted = comparable(text)
        for _ in range(_PAGES):
            try:
                response = await http.exchange(self._client, "GET", url, params=params, headers=bearer(token))
            except ProviderTransportError as error:
                return Unknown(error.code)
            if response.status_code == 401:
                return NeedsReconnect("token_refused", 401)
            body = json_object(response) if response.is_success else None
            if body is None or not isinstance(body.get("meta"), dict):
                wait = self._window(response) if response.status_code == 429 else None
                return Unknown(f"probe_http_{response.status_code}", wait, response.status_code)
            for post in body.get("data") or []:
                if is_same(post, wanted, start) and (parent_id is None or replies_to(post, parent_id)):
                    return Published(
                        post["id"],
                        post_url(post["id"]),
                        response.status_code,
                        charge=charge_shown(post),
                    )
            following = body["meta"].get("next_token")
            if not isinstance(following, str) or not following:
                return None
            params["pagination_token"] = following
        return Unknown("timeline_too_long")
