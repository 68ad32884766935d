"""TikTok: videos and photos, posted directly or put into the person's inbox, where they finish them in the app.

Sources as in `tiktok_wire`. Direct: `creator_info/query` right before each post; a video is announced with `video/init`
(or `inbox/video/init`) and sent in chunks, in order, to a host of its own; photos are pulled by TikTok from a domain
that the operator has verified, after `content/init`. `status/fetch` tells what became of it.

The publish id is the key. It is kept before the last chunk, which is the one irreversible call: TikTok begins to post
when it has all of a video. Photos have no such order: `content/init` publishes and names the id in one answer, so an
answer that is lost leaves them unconfirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from workers import http
from workers.errors import LeaseLostError, ProviderNotSentError, ProviderTransportError
from workers.providers import tiktok_wire as wire
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
    now_utc,
    still_settling,
)
from workers.providers.definitions import endpoint
from workers.providers.media_links import own_address
from workers.vault.secret import SecretToken

__all__ = ["INBOX", "TikTokPublisher"]

_API: Final = "https://open.tiktokapis.com/v2/post/publish"
_URL_SECONDS: Final = 2 * 3600  # "times out one hour after the download task is initiated"
_CHUNK_TRIES: Final = 4
_WATCH_SECONDS: Final = 15.0
_SLOWEST_PROBE: Final = 1800.0
_PUBLISH_SCOPE: Final = "video.publish"
_UPLOAD_SCOPE: Final = "video.upload"
_NEEDS_SCOPE: Final = Rejected(
    "scope_missing", "This connection may not do that on TikTok. Connect the account again and allow posting."
)
INBOX: Final = "waits_in_inbox"
"""Notice about a post that TikTok has put into the person's inbox: they finish it in the app."""


class TikTokPublisher:
    """See `Publisher`. One video, or up to 35 photos."""

    platform_id = "tiktok"
    is_probe_sending = False
    follow_up: FollowUpKind = "none"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        public_url: str,
        sandbox_url: str | None = None,
        now: Callable[[], datetime] = now_utc,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            client: from `workers.http`; shared.
            public_url: address of the worker's web app; TikTok pulls photos from there (`media_links`).
            sandbox_url: base URL of the sandbox that stands for TikTok, or None for TikTok itself.
            now, sleep: clock; tests replace it.
        """
        self._client = client
        self._public_url = public_url
        self._sandbox_url = sandbox_url
        self._now = now
        self._sleep = sleep

    # --- reversible -----------------------------------------------------------------------------------------

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        kinds = {file.kind for file in media.files}
        if kinds == {"video"} and len(media.files) == 1:
            return await self._prepare_video(claim, token, media, save)
        if kinds == {"image"} and len(media.files) <= 35:
            return await self._prepare_photos(claim, token, media, save)
        raise PublishStopped(
            Rejected(
                "media_refused", "TikTok takes one video, or up to 35 photos. Change the files of this post."
            )
        )

    async def _creator(
        self, claim: PublishClaim, token: SecretToken, duration_ms: int | None
    ) -> wire.Creator:
        """What the creator may do now; stops the post that they may not make."""
        creator = wire.Creator.of(await self._step("/creator_info/query/", token))
        refusal = wire.check(claim, creator, duration_ms)
        if refusal is not None:
            raise PublishStopped(refusal)
        return creator

    async def _prepare_video(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        """Announce the video and send all chunks but the last. An announcement of an earlier attempt is left to lapse:
        without its last chunk TikTok posts nothing."""
        (video,) = media.files
        _require(claim, _UPLOAD_SCOPE if _is_inbox(claim) else _PUBLISH_SCOPE)
        chunks = wire.Chunks.of(video.size_bytes)
        body: dict[str, Any] = {"source_info": chunks.source()}
        username = None
        if not _is_inbox(claim):
            creator = await self._creator(claim, token, video.duration_ms)
            body["post_info"] = wire.post_info(claim, creator, is_video=True)
            username = creator.username
        data = await self._step("/inbox/video/init/" if _is_inbox(claim) else "/video/init/", token, body)
        publish_id, url = data.get("publish_id"), data.get("upload_url")
        if not isinstance(publish_id, str) or not publish_id or not isinstance(url, str):
            raise PublishStopped(NotAccepted("unreadable_answer"))
        if not self._is_upload_host(url):
            raise PublishStopped(NotAccepted("foreign_upload_host"))
        known = {"publish_id": publish_id, "size": video.size_bytes, "creator": username or None}
        await save(known)
        for index in range(chunks.count - 1):
            await self._chunk(url, video, chunks, index)
        return Prepared(claim, token, {"url": url, "chunks": chunks, "known": known}, media, publish_id)

    def _is_upload_host(self, url: str) -> bool:
        """TikTok's hosts for uploads; a video must not go to whatever host an answer names."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if self._sandbox_url is not None:
            own = urlsplit(self._sandbox_url)
            return host in ("localhost", own.hostname) and (parts.scheme, parts.port) == (
                own.scheme,
                own.port,
            )
        return parts.scheme == "https" and host.endswith(".tiktokapis.com")

    async def _chunk(self, url: str, video: MediaFile, chunks: wire.Chunks, index: int) -> None:
        """Send one chunk that is not the last; a lost answer is settled by sending it again: 416 names the progress."""
        start, length = chunks.piece(index)
        for attempt in range(_CHUNK_TRIES):
            try:
                response = await self._put(url, video, chunks, index)
            except ProviderTransportError as error:
                stopped = NotAccepted(error.code)
            else:
                if response.status_code == 206 or _received(response) == start + length:
                    return
                stopped = NotAccepted("upload_refused", http_status=response.status_code)
                if response.status_code < 500:
                    raise PublishStopped(stopped)
            if attempt == _CHUNK_TRIES - 1:
                raise PublishStopped(stopped)
            await self._sleep(2.0**attempt)

    async def _put(self, url: str, video: MediaFile, chunks: wire.Chunks, index: int) -> httpx.Response:
        """One chunk to the upload host, which takes no access token."""
        start, length = chunks.piece(index)
        headers = {
            "Content-Type": video.mime_type,
            "Content-Range": f"bytes {start}-{start + length - 1}/{chunks.total}",
        }
        async with video.part(start, length) as content:
            return await http.exchange(self._client, "PUT", url, content=content, headers=headers)

    async def _prepare_photos(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        body: dict[str, Any] = {"media_type": "PHOTO"}
        known: dict[str, Any] = {}
        if _is_inbox(claim):
            _require(claim, _UPLOAD_SCOPE)
            body |= {"post_mode": "MEDIA_UPLOAD", "post_info": wire.photo_texts(claim)}
        else:
            _require(claim, _PUBLISH_SCOPE)
            creator = await self._creator(claim, token, None)
            info = wire.post_info(claim, creator, is_video=False)
            body |= {"post_mode": "DIRECT_POST", "post_info": info}
            known = {"creator": creator.username or None}
            await save(known)
        urls = [own_address(await file.url(_URL_SECONDS), self._public_url) for file in media.files]
        body["source_info"] = {"source": "PULL_FROM_URL", "photo_images": urls, "photo_cover_index": 0}
        return Prepared(claim, token, {"content": body, "known": known, "save": save}, media)

    async def _step(
        self, path: str, token: SecretToken, body: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """One reversible call; answers `data`. Whatever goes wrong is known not to be a post."""
        try:
            answer = wire.read(await self._call(path, token, body or {}))
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if answer.is_ok:
            return answer.data
        outcome = wire.outcome_of(answer)
        if isinstance(outcome, Unknown):  # 5xx, or no answer of TikTok's: whatever it did, it was no post
            outcome = NotAccepted(outcome.code, outcome.retry_after, http_status=outcome.http_status)
        raise PublishStopped(outcome)

    async def _call(self, path: str, token: SecretToken, body: Mapping[str, Any]) -> httpx.Response:
        url = endpoint(_API + path, self._sandbox_url)
        headers = {**bearer(token), "Content-Type": "application/json; charset=UTF-8"}
        return await http.exchange(self._client, "POST", url, json=body, headers=headers)

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        if "content" in prepared.body:
            return await self._send_photos(prepared)
        (video,) = prepared.media.files
        chunks: wire.Chunks = prepared.body["chunks"]
        try:
            response = await self._put(prepared.body["url"], video, chunks, chunks.count - 1)
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        status = response.status_code
        is_complete = status == 201 or (status == 416 and _received(response) == chunks.total)
        if is_complete:
            return await self._watch(prepared.claim, prepared.token, prepared.body["known"])
        if status in (400, 403, 404, 416):
            return NotAccepted("upload_refused", http_status=status)
        return Unknown(f"http_{status}", http_status=status)

    async def _send_photos(self, prepared: Prepared) -> Outcome:
        try:
            answer = wire.read(await self._call("/content/init/", prepared.token, prepared.body["content"]))
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if not answer.is_ok:
            return wire.outcome_of(answer)
        publish_id = answer.data.get("publish_id")
        if not isinstance(publish_id, str) or not publish_id:
            return Unknown("unreadable_answer", http_status=answer.status)
        try:
            await prepared.body["save"]({"publish_id": publish_id})
        except LeaseLostError:
            return Unknown("lease_lost")
        return await self._watch(
            prepared.claim, prepared.token, {**prepared.body["known"], "publish_id": publish_id}
        )

    async def _watch(self, claim: PublishClaim, token: SecretToken, known: Mapping[str, Any]) -> Outcome:
        """TikTok has it all: look a few times whether it is done already; most are, and the rest is probed later."""
        waited, pause = 0.0, 1.0
        while True:
            outcome = await self._fetch(claim, token, known)
            if isinstance(outcome, NeedsReconnect):  # it could not be asked; that says nothing about the post
                return Unknown(outcome.code, http_status=outcome.http_status)
            if not isinstance(outcome, Unknown) or waited >= _WATCH_SECONDS:
                return outcome
            await self._sleep(pause)
            waited += pause
            pause *= 2

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Nothing: the post is complete."""

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        known = claim.progress or {}
        if not isinstance(known.get("publish_id"), str):
            # Photos whose answer was lost. Waiting changes nothing: the person shall soon be asked to look.
            return Unknown("publish_id_unknown", retry_after=5.0)
        return await self._fetch(claim, token, known)

    async def _fetch(self, claim: PublishClaim, token: SecretToken, known: Mapping[str, Any]) -> Outcome:
        """What `status/fetch` says about the publish id that is known."""
        try:
            response = await self._call("/status/fetch/", token, {"publish_id": known["publish_id"]})
        except ProviderTransportError as error:
            return Unknown(error.code)
        answer = wire.read(response)
        if not answer.is_ok:
            outcome = wire.outcome_of(answer)
            if isinstance(outcome, NeedsReconnect):
                return outcome
            wait = outcome.retry_after if isinstance(outcome, NotAccepted) else None
            return Unknown(f"probe_{answer.code or answer.status}"[:60], wait, answer.status)
        return self._judge(claim, known, answer.data)

    def _judge(self, claim: PublishClaim, known: Mapping[str, Any], data: Mapping[str, Any]) -> Outcome:
        status = data.get("status")
        if status == "PUBLISH_COMPLETE":
            return _published(claim, known, data)
        if status == "SEND_TO_USER_INBOX":
            return Published(str(known["publish_id"]), notice=INBOX)
        if status == "FAILED":
            return wire.failed_post(data.get("fail_reason"))
        size, uploaded = known.get("size"), data.get("uploaded_bytes")
        if (
            status == "PROCESSING_UPLOAD"
            and isinstance(size, int)
            and isinstance(uploaded, int)
            and uploaded < size
        ):
            wait = still_settling(claim, self._now())
            return Unknown("too_early", wait) if wait > 0 else NotAccepted("upload_incomplete")
        return Unknown("processing", retry_after=self._patience(claim))

    def _patience(self, claim: PublishClaim) -> float:
        """As long as it has taken so far: large videos take minutes, some posts hours."""
        since = claim.sending_at or self._now()
        return min(max(15.0, (self._now() - since).total_seconds()), _SLOWEST_PROBE)

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return Rejected("no_follow_ups", "TikTok lets no app write comments.")

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        return NotAccepted("never_sent")


def _is_inbox(claim: PublishClaim) -> bool:
    return claim.options.get("mode") == "inbox"


def _require(claim: PublishClaim, scope: str) -> None:
    if scope not in claim.scopes:
        raise PublishStopped(_NEEDS_SCOPE)


def _received(response: httpx.Response) -> int | None:
    """Bytes that TikTok has, from `Content-Range: bytes 0-{received}/{total}`."""
    value = response.headers.get("content-range", "").removeprefix("bytes 0-").split("/")[0]
    return int(value) if value.isdigit() else None


def _published(claim: PublishClaim, known: Mapping[str, Any], data: Mapping[str, Any]) -> Published:
    """The post; its own id comes only once it is public and moderated, else the publish id stands for it."""
    ids = data.get("publicaly_available_post_id")  # spelled as TikTok spells it
    if not isinstance(ids, list) or not ids:
        return Published(str(known["publish_id"]))
    username = known.get("creator")
    kind = "video" if any(item.kind == "video" for item in claim.media) else "photo"
    url = f"https://www.tiktok.com/@{username}/{kind}/{ids[0]}" if username else None
    return Published(str(ids[0]), url)
