"""YouTube: one video per post, by Google's resumable upload.

Sources (developers.google.com/youtube/v3/docs, read 2026-11): Videos (properties and limits), Videos: insert,
Thumbnails: set, CommentThreads: insert and list, Channels: list, PlaylistItems: list.

*Never twice.* `prepare` announces a session, saves its URL sealed, and sends all but the last bytes of the
file; `send` puts these, at most 256 KiB so that the irreversible call is short. A session makes at most one
video, so whoever continues asks *it* first: complete means published, incomplete means that there is no video
yet and the same session goes on. Only a session that is gone says nothing; then the channel's uploads are
read. A new session is begun only where no video can have come from the old one.

Why not `google-api-python-client`: see ARCHITECTURE.md, "Choices".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import httpx

from workers import http
from workers.errors import ProviderNotSentError, ProviderRefusedError, ProviderTransportError
from workers.providers.base import (
    FollowUpKind,
    Media,
    MediaFile,
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
from workers.providers.youtube_answers import refusal
from workers.providers.youtube_reader import API, Reader
from workers.providers.youtube_session import (
    PART_UNIT,
    Answer,
    Complete,
    Gone,
    Incomplete,
    Refused,
    UploadProtocol,
)
from workers.providers.youtube_video import comment_url, plan_of, published_video, video_body
from workers.vault import (
    SecretToken,
    UploadContext,
    Vault,
    VaultError,
    sealed_from_text,
    sealed_to_text,
)

__all__ = ["YouTubePublisher"]

_THUMBNAILS: Final = "https://www.googleapis.com/upload/youtube/v3/thumbnails/set"
_SCOPE_PREFIX: Final = "https://www.googleapis.com/auth/"
_COMMENTING: Final = "youtube.force-ssl"
_READING: Final = frozenset({"youtube.readonly", "youtube", _COMMENTING})

_PART_BYTES: Final = 8 * 1_048_576
_BREAKS: Final = 5  # tries in a row without a byte of progress before the attempt is given up
_PAUSE: Final = 1.0
_FINISHING: Final = 30.0
_MAX_THUMBNAIL: Final = 52_428_800


class YouTubePublisher:
    """See `Publisher`. One video with title, description, thumbnail, time of publication and first comment."""

    platform_id = "youtube"
    is_probe_sending = False
    follow_up: FollowUpKind = "comment"

    def __init__(
        self,
        client: httpx.AsyncClient,
        vault: Vault,
        *,
        sandbox_url: str | None = None,
        now: Callable[[], datetime] = now_utc,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            client: from `workers.http`; shared.
            vault: seals the URLs of upload sessions.
            sandbox_url: base URL of the sandbox that stands for YouTube, or None for YouTube itself.
            now, sleep: clock; tests replace it.
        """
        self._client = client
        self._vault = vault
        self._sandbox_url = sandbox_url
        self._protocol = UploadProtocol(client, sandbox_url)
        self._reader = Reader(client, sandbox_url, now)
        self._now = now
        self._sleep = sleep

    # --- reversible -----------------------------------------------------------------------------------------

    async def prepare(
        self, claim: PublishClaim, token: SecretToken, media: Media, save: SaveProgress
    ) -> Prepared:
        if len(media.files) != 1 or media.files[0].kind != "video":
            text = "A post to YouTube needs exactly one video."
            raise PublishStopped(Rejected("video_required", text))
        (file,) = media.files
        state: Incomplete | Complete | Gone = Gone(0)
        url, size = self._session(claim)
        if url is not None:  # asked first in every case: it may hold the video already
            state = await self._ask(url, size, token)
        if isinstance(state, Complete):
            return Prepared(claim, token, {"video": state.video, "http_status": state.http_status}, media)
        plan = plan_of(claim)
        if url is None or isinstance(state, Gone) or (claim.progress or {}).get("upload_of") != plan:
            url, state = await self._start(claim, file, token), Incomplete(0)
            sealed = sealed_to_text(self._vault.seal(SecretToken(url), _place(claim)))
            await save({"upload": sealed, "upload_of": plan, "upload_size": file.size_bytes})
        start = await self._fill(url, state.stored, file, token)
        return Prepared(claim, token, {"url": url, "start": start}, media)

    async def _start(self, claim: PublishClaim, file: MediaFile, token: SecretToken) -> str:
        notify = claim.options.get("notify_subscribers") is not False
        call = self._protocol.start(
            video_body(claim, self._now()), file.mime_type, file.size_bytes, notify, token
        )
        try:
            answer = await call
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if isinstance(answer, Refused):
            raise self._stopped(answer.response)
        return answer

    async def _fill(self, url: str, stored: int, file: MediaFile, token: SecretToken) -> int:
        """Send everything but the last part; answers where that begins. Takes up broken transfers."""
        size, last = file.size_bytes, (file.size_bytes - 1) // PART_UNIT * PART_UNIT
        breaks, is_known = 0, True
        while stored < last:
            if is_known:
                step = self._part(url, stored, min(_PART_BYTES, last - stored), file, token)
            else:  # the session alone knows how much has arrived
                step = self._protocol.ask(url, size, token)
            before, found = stored, await self._settle(step)
            if found is None or (is_known and found <= before):
                breaks += 1
            elif found > before:
                breaks = 0
            if breaks > _BREAKS:
                raise PublishStopped(NotAccepted("upload_stalled"))
            if found is None:
                await self._sleep(_PAUSE * 2.0 ** (breaks - 1))
            is_known, stored = found is not None, before if found is None else found
        if stored == size:  # everything is there and the video is being made: ask again later
            raise PublishStopped(NotAccepted("finishing", retry_after=_FINISHING))
        return stored

    async def _part(self, url: str, start: int, length: int, file: MediaFile, token: SecretToken) -> Answer:
        async with file.part(start, length) as content:
            return await self._protocol.put(url, content, start, file.size_bytes, file.mime_type, token)

    async def _settle(self, step: Awaitable[Answer]) -> int | None:
        """How many bytes are stored; None when the transfer broke and nothing is known."""
        try:
            answer = await step
        except ProviderTransportError:
            return None
        if isinstance(answer, Incomplete):
            return answer.stored
        if isinstance(answer, Refused) and answer.response.status_code >= 500:
            return None
        if isinstance(answer, Refused):
            raise self._stopped(answer.response)
        # Complete cannot be: the last part was not sent. Gone: the next attempt begins a new session.
        code = "session_gone" if isinstance(answer, Gone) else "unreadable_answer"
        raise PublishStopped(NotAccepted(code, http_status=answer.http_status))

    async def _ask(self, url: str, size: int, token: SecretToken) -> Incomplete | Complete | Gone:
        """What an earlier attempt left in its session."""
        try:
            answer = await self._protocol.ask(url, size, token)
        except ProviderTransportError as error:
            raise PublishStopped(NotAccepted(error.code)) from error
        if isinstance(answer, Refused):
            raise self._stopped(answer.response)
        return answer

    def _stopped(self, response: httpx.Response) -> PublishStopped:
        outcome = refusal(response, "this video", "videos_insert", self._now())
        if isinstance(outcome, Unknown):  # whatever it did, it made no video
            outcome = NotAccepted(outcome.code, outcome.retry_after, http_status=outcome.http_status)
        return PublishStopped(outcome)

    # --- the session's URL ----------------------------------------------------------------------------------

    def _session(self, claim: PublishClaim) -> tuple[str | None, int]:
        """URL and size of the session that an earlier attempt saved; None when there is none, or it does not
        open any more (its key has been retired)."""
        progress = claim.progress or {}
        sealed, size = progress.get("upload"), progress.get("upload_size")
        if not isinstance(sealed, str) or not isinstance(size, int):
            return None, 0
        try:
            return self._vault.open(sealed_from_text(sealed), _place(claim)).reveal(), size
        except (VaultError, ValueError):
            return None, 0

    # --- irreversible ---------------------------------------------------------------------------------------

    async def send(self, prepared: Prepared) -> Outcome:
        claim, body = prepared.claim, prepared.body
        if "video" in body:  # an earlier attempt had got through
            return published_video(claim, Complete(body["video"], body["http_status"]))
        (file,) = prepared.media.files
        url, start, size = body["url"], body["start"], file.size_bytes
        async with file.part(start, size - start) as content:
            try:
                answer = await self._protocol.put(url, content, start, size, file.mime_type, prepared.token)
            except ProviderNotSentError as error:
                return NotAccepted(error.code)
            except ProviderTransportError as error:
                return Unknown(error.code)
        if isinstance(answer, Complete):
            return published_video(claim, answer)
        if isinstance(answer, Incomplete):
            return _incomplete(answer, size, retry_after=1.0)
        if isinstance(answer, Gone):  # also said when finishing failed half-way
            return Unknown("session_gone", http_status=answer.http_status)
        if answer.response.is_success or answer.response.status_code == 308:
            return Unknown("unreadable_answer", http_status=answer.response.status_code)
        return refusal(answer.response, "this video", "videos_insert", self._now())

    async def after_send(
        self, claim: PublishClaim, token: SecretToken, media: Media, published: Published
    ) -> None:
        """Set the thumbnail. Setting it twice is the same as once."""
        picture = media.thumbnail
        if picture is None or picture.size_bytes > _MAX_THUMBNAIL:
            return
        url = endpoint(_THUMBNAILS, self._sandbox_url)
        async with picture.part(0, picture.size_bytes) as content:
            response = await http.exchange(
                self._client,
                "POST",
                url,
                params={"videoId": published.external_id, "uploadType": "media"},
                content=content,
                headers={**bearer(token), "Content-Type": picture.mime_type},
            )
        if not response.is_success:
            host = httpx.URL(url).host
            raise ProviderRefusedError(host, "thumbnail_refused", response.status_code)

    # --- reconciling ----------------------------------------------------------------------------------------

    async def probe(self, claim: PublishClaim, token: SecretToken) -> Outcome:
        if claim.sending_at is None:
            return NotAccepted("never_sent")
        url, size = self._session(claim)
        if url is None:
            return await self._look(claim, token, claim.sending_at)
        try:
            answer = await self._protocol.ask(url, size, token)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if isinstance(answer, Complete):
            return published_video(claim, answer)
        if isinstance(answer, Gone):
            return await self._look(claim, token, claim.sending_at)
        if isinstance(answer, Refused):
            return self._reader.cannot_tell(answer.response, "videos_insert")
        wait = still_settling(claim, self._now())
        return Unknown("too_early", wait) if wait > 0 else _incomplete(answer, size)

    async def _look(self, claim: PublishClaim, token: SecretToken, since: datetime) -> Outcome:
        """The session can tell nothing: is the video among the uploads of the channel?"""
        if not _granted(claim) & _READING:
            return Unknown("session_gone")
        return await self._reader.find_video(claim, token, since)

    # --- first comment --------------------------------------------------------------------------------------

    async def send_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        if _COMMENTING not in _granted(claim):  # P6.5
            told = "This connection may not write comments. Connect the account again and allow it."
            return Rejected("scope_missing", told)
        snippet = {
            "channelId": claim.external_account_id,
            "videoId": root_id,
            "topLevelComment": {"snippet": {"textOriginal": text}},
        }
        url = endpoint(f"{API}/commentThreads", self._sandbox_url)
        try:
            response = await http.exchange(
                self._client,
                "POST",
                url,
                params={"part": "snippet"},
                json={"snippet": snippet},
                headers=bearer(token),
            )
        except ProviderNotSentError as error:
            return NotAccepted(error.code)
        except ProviderTransportError as error:
            return Unknown(error.code)
        if not response.is_success:
            return refusal(response, "the comment", "units", self._now())
        thread_id = (json_object(response) or {}).get("id")
        if not isinstance(thread_id, str) or not thread_id:
            return Unknown("unreadable_answer", http_status=response.status_code)
        return Published(thread_id, comment_url(root_id, thread_id), response.status_code)

    async def probe_follow_up(
        self, claim: PublishClaim, token: SecretToken, text: str, parent_id: str, root_id: str
    ) -> Outcome:
        found = await self._reader.find_comment(claim, token, text, root_id)
        if found is not None:
            return found
        wait = still_settling(claim, self._now())
        return Unknown("too_early", wait) if wait > 0 else NotAccepted("not_among_comments")


def _incomplete(answer: Incomplete, size: int, retry_after: float | None = None) -> NotAccepted | Unknown:
    """A session without all bytes has made no video."""
    if answer.stored == size:
        return Unknown("finishing", _FINISHING, 308)
    return NotAccepted("incomplete", retry_after, http_status=308)


def _place(claim: PublishClaim) -> UploadContext:
    return UploadContext(claim.user_id, claim.connection_id, claim.target_id, claim.platform_id)


def _granted(claim: PublishClaim) -> frozenset[str]:
    return frozenset(scope.removeprefix(_SCOPE_PREFIX) for scope in claim.scopes)
