"""Looking on YouTube for what an earlier attempt may have made: a video among the uploads, a comment.

Sources (developers.google.com/youtube/v3/docs, read 2026-11): Channels: list, PlaylistItems: list,
CommentThreads: list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from workers import http
from workers.errors import ProviderTransportError
from workers.providers.base import (
    NeedsReconnect,
    NotAccepted,
    Outcome,
    PublishClaim,
    Published,
    Rejected,
    Unknown,
    bearer,
    json_object,
)
from workers.providers.definitions import endpoint
from workers.providers.youtube_answers import Bucket, refusal
from workers.providers.youtube_video import comment_url, texts, watch_url
from workers.vault import SecretToken

__all__ = ["API", "Reader"]

API: Final = "https://www.googleapis.com/youtube/v3"
_LISTED_AFTER: Final = timedelta(minutes=15)  # by then a new video is surely among the uploads
_CLOCK_MARGIN: Final = timedelta(minutes=2)
_PAGES: Final = 4


class Reader:
    """Reading calls.

    Args:
        client: from `workers.http`; shared.
        sandbox_url: base URL of the sandbox that stands for YouTube, or None for YouTube itself.
        now: clock.
    """

    def __init__(
        self, client: httpx.AsyncClient, sandbox_url: str | None, now: Callable[[], datetime]
    ) -> None:
        self._client = client
        self._sandbox_url = sandbox_url
        self._now = now

    def cannot_tell(self, response: httpx.Response, bucket: Bucket) -> Unknown | NeedsReconnect:
        """A question was refused: that says nothing about the video."""
        outcome = refusal(response, "this question", bucket, self._now())
        if isinstance(outcome, NeedsReconnect):
            return outcome
        wait = None if isinstance(outcome, Rejected) else outcome.retry_after
        code = "probe_refused" if isinstance(outcome, Rejected) else outcome.code
        return Unknown(code, wait, response.status_code, outcome.budget)

    async def find_video(self, claim: PublishClaim, token: SecretToken, since: datetime) -> Outcome:
        """Look for the video among the channel's uploads, newest first, as far back as `since`.

        A video of our title and description is ours. Any other one of that time leaves it open: the person
        may have renamed ours. None at all settles it once every upload of that time is surely listed.
        """
        uploads = await self._uploads(claim, token, since - _CLOCK_MARGIN)
        if not isinstance(uploads, list):
            return uploads
        title, description = texts(claim)
        for item in uploads:
            if _same(item.get("title"), title) and _same(item.get("description"), description):
                video_id = item["resourceId"]["videoId"]
                return Published(video_id, watch_url(video_id))
        if uploads:
            return Unknown("uploads_unclear")
        wait = (since + _LISTED_AFTER - self._now()).total_seconds()
        return Unknown("too_early", wait) if wait > 0 else NotAccepted("not_among_uploads")

    async def _uploads(
        self, claim: PublishClaim, token: SecretToken, since: datetime
    ) -> list[Mapping[str, Any]] | Unknown | NeedsReconnect:
        """Snippets of the uploads since then."""
        channels = await self._list("channels", {"part": "contentDetails", "mine": "true"}, token)
        if isinstance(channels, Unknown | NeedsReconnect):
            return channels
        playlist = _uploads_playlist(channels, claim.external_account_id)
        if playlist is None:
            return Unknown("unreadable_answer")
        query = {"part": "snippet", "playlistId": playlist, "maxResults": "50"}
        found: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            page = await self._list("playlistItems", query, token)
            if isinstance(page, Unknown | NeedsReconnect):
                return page
            for item in page["items"]:
                snippet, added = _snippet(item)
                if added is None or "videoId" not in snippet.get("resourceId", {}):
                    return Unknown("unreadable_answer")
                if added < since:
                    return found
                found.append(snippet)
            if not isinstance(page.get("nextPageToken"), str):
                return found
            query["pageToken"] = page["nextPageToken"]
        return Unknown("uploads_too_many")

    async def _list(
        self, what: str, query: Mapping[str, str], token: SecretToken
    ) -> Mapping[str, Any] | Unknown | NeedsReconnect:
        """A reading call; its answer has a list `items`."""
        url = endpoint(f"{API}/{what}", self._sandbox_url)
        try:
            response = await http.exchange(self._client, "GET", url, params=query, headers=bearer(token))
        except ProviderTransportError as error:
            return Unknown(error.code)
        if not response.is_success:
            return self.cannot_tell(response, "units")
        body = json_object(response)
        if body is None or not isinstance(body.get("items", []), list):
            return Unknown("unreadable_answer", http_status=response.status_code)
        return {"items": [], **body}

    async def find_comment(
        self, claim: PublishClaim, token: SecretToken, text: str, video_id: str
    ) -> Published | Unknown | NeedsReconnect | None:
        """Our comment among the newest 100 on the video; None when these are all and it is not there."""
        query = {"part": "snippet", "videoId": video_id, "order": "time", "maxResults": "100"}
        page = await self._list("commentThreads", {**query, "textFormat": "plainText"}, token)
        if isinstance(page, Unknown | NeedsReconnect):
            return page
        for item in page["items"]:
            comment = _top_comment(item)
            author = comment.get("authorChannelId", {}).get("value")
            if author == claim.external_account_id and _same(comment.get("textOriginal"), text):
                return Published(item["id"], comment_url(video_id, item["id"]))
        if isinstance(page.get("nextPageToken"), str):
            return Unknown("comments_too_many")
        return None


def _same(shown: object, sent: str) -> bool:
    """Whether YouTube shows what was sent: it drops space around a text and writes line ends its own way."""
    return isinstance(shown, str) and shown.split() == sent.split()


def _uploads_playlist(channels: Mapping[str, Any], channel_id: str) -> str | None:
    """The playlist of uploads of the connected channel."""
    for item in channels["items"]:
        if isinstance(item, dict) and item.get("id") == channel_id:
            playlist = item.get("contentDetails", {}).get("relatedPlaylists", {}).get("uploads")
            return playlist if isinstance(playlist, str) and playlist else None
    return None


def _snippet(item: Any) -> tuple[Mapping[str, Any], datetime | None]:
    """A playlist item's snippet and the time at which it was added."""
    snippet = item.get("snippet") if isinstance(item, dict) else None
    if not isinstance(snippet, dict):
        return {}, None
    try:
        added = datetime.fromisoformat(str(snippet.get("publishedAt")))
    except ValueError:
        return snippet, None
    return snippet, added if added.tzinfo else added.replace(tzinfo=UTC)


def _top_comment(item: Any) -> Mapping[str, Any]:
    try:
        snippet = item["snippet"]["topLevelComment"]["snippet"]
    except (KeyError, TypeError):
        return {}
    return snippet if isinstance(snippet, dict) else {}
