"""YouTube: channel, videos, uploads playlist, thumbnails, comments."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.sandbox.flow import GOOGLE, YOUTUBE_SCOPES, Client, png
from tests.sandbox.test_youtube_upload import Upload, reason
from workers.sandbox import SandboxControl
from workers.sandbox.youtube_wire import next_midnight

API = "/youtube/youtube/v3"
WITH_COMMENTS = f"{YOUTUBE_SCOPES} {GOOGLE}youtube.force-ssl"


class Caller:
    """One person's calls."""

    def __init__(self, client: Client, person: str = "maya", scope: str = WITH_COMMENTS) -> None:
        self.client = client
        self.headers = client.youtube(person, scope)
        self.upload = Upload(client, person)

    def get(self, what: str, **query: Any) -> httpx.Response:
        return self.client.http.get(f"{API}/{what}", params=query, headers=self.headers)

    def items(self, what: str, **query: Any) -> list[dict[str, Any]]:
        response = self.get(what, **query)
        assert response.status_code == 200, response.text
        found: list[dict[str, Any]] = response.json()["items"]
        return found

    def thumbnail(
        self, video_id: str, content: bytes, kind: str = "image/png", **query: str
    ) -> httpx.Response:
        return self.client.http.post(
            "/youtube/upload/youtube/v3/thumbnails/set",
            params={"videoId": video_id, "uploadType": "media", **query},
            content=content,
            headers=self.headers | {"content-type": kind},
        )

    def comment(self, video_id: str, text: str, **snippet: str) -> httpx.Response:
        top = {"snippet": {"textOriginal": text}}
        body = {"snippet": {"videoId": video_id, "topLevelComment": top, **snippet}}
        return self.client.http.post(
            f"{API}/commentThreads", params={"part": "snippet"}, json=body, headers=self.headers
        )


@pytest.fixture
def maya(client: Client) -> Caller:
    return Caller(client)


@pytest.fixture
def jonas(client: Client) -> Caller:
    return Caller(client, "jonas")


def test_the_channel_names_its_uploads(maya: Caller) -> None:
    maya.upload.whole()
    [channel] = maya.items("channels", part="id,snippet,contentDetails,statistics", mine="true")
    assert channel["id"] == maya.client.account("youtube")
    assert channel["contentDetails"]["relatedPlaylists"]["uploads"] == "UU" + channel["id"][2:]
    assert channel["statistics"]["videoCount"] == "1"
    assert reason(maya.get("channels", part="id")) == "missingRequiredParameter"
    assert reason(maya.get("channels", mine="true")) == "missingRequiredParameter"
    assert reason(maya.get("channels", part="id,money", mine="true")) == "unknownPart"


def test_videos_with_their_figures_and_processing(maya: Caller, control: SandboxControl) -> None:
    control.set_media_delay(60)
    video_id = maya.upload.whole(snippet={"tags": ["one", "two words"]})
    control.set_metrics("youtube", video_id, {"viewCount": 12, "likeCount": 3})
    query = {"part": "snippet,status,statistics,processingDetails", "id": video_id}
    [video] = maya.items("videos", **query)
    assert video["snippet"]["tags"] == ["one", "two words"]
    assert video["statistics"]["viewCount"] == "12"
    assert video["processingDetails"]["processingStatus"] == "processing"
    control.advance_clock(61)
    [video] = maya.items("videos", **query)
    assert video["status"]["uploadStatus"] == "processed"
    assert video["processingDetails"]["processingStatus"] == "succeeded"
    assert reason(maya.get("videos", part="id")) == "missingRequiredParameter"
    assert maya.items("videos", part="id", id="nowhere") == []


def test_private_videos_are_their_owners(maya: Caller, jonas: Caller) -> None:
    hidden = maya.upload.whole(status={"privacyStatus": "private"})
    shown = maya.upload.whole(status={"privacyStatus": "public"})
    both = f"{hidden},{shown}"
    assert [v["id"] for v in jonas.items("videos", part="id", id=both)] == [shown]
    assert [v["id"] for v in maya.items("videos", part="id", id=both)] == [hidden, shown]
    assert reason(jonas.get("videos", part="processingDetails", id=shown), 403) == "forbidden"
    uploads = "UU" + maya.client.account("youtube")[2:]
    query = {"part": "contentDetails,snippet", "playlistId": uploads}
    assert [i["contentDetails"]["videoId"] for i in maya.items("playlistItems", **query)] == [shown, hidden]
    assert [i["contentDetails"]["videoId"] for i in jonas.items("playlistItems", **query)] == [shown]


def test_pages_of_the_uploads(maya: Caller) -> None:
    ids = [maya.upload.whole() for _ in range(3)]
    uploads = "UU" + maya.client.account("youtube")[2:]
    first = maya.get("playlistItems", part="contentDetails", playlistId=uploads, maxResults=2).json()
    assert [i["contentDetails"]["videoId"] for i in first["items"]] == [ids[2], ids[1]]
    token = first["nextPageToken"]
    second = maya.get("playlistItems", part="contentDetails", playlistId=uploads, pageToken=token).json()
    assert [i["contentDetails"]["videoId"] for i in second["items"]] == [ids[0]]
    assert "nextPageToken" not in second
    bad = {"part": "id", "playlistId": uploads}
    assert reason(maya.get("playlistItems", **bad, pageToken="x")) == "invalidPageToken"
    assert reason(maya.get("playlistItems", **bad, maxResults=51)) == "invalidValue"
    assert reason(maya.get("playlistItems", part="id", playlistId="UUno"), 404) == "playlistNotFound"


def test_a_thumbnail_is_shown(maya: Caller, control: SandboxControl) -> None:
    video_id = maya.upload.whole()
    response = maya.thumbnail(video_id, png(32, 18))
    assert response.json()["kind"] == "youtube#thumbnailSetResponse"
    [post] = control.posts("youtube")
    picture = post.details["thumbnail"]
    assert f'poster="/_sandbox/media/{picture}"' in maya.client.http.get("/").text
    assert maya.client.http.get(f"/_sandbox/media/{picture}").content == png(32, 18)


def test_thumbnails_that_are_refused(maya: Caller, jonas: Caller, control: SandboxControl) -> None:
    video_id = maya.upload.whole()
    assert reason(maya.thumbnail("nowhere", png()), 404) == "videoNotFound"
    assert reason(jonas.thumbnail(video_id, png()), 403) == "forbidden"
    assert reason(maya.thumbnail(video_id, b"")) == "mediaBodyRequired"
    assert reason(maya.thumbnail(video_id, b"GIF89a")) == "invalidImage"
    assert reason(maya.thumbnail(video_id, png(), "image/gif")) == "badContent"
    control.set_limits(**{"youtube thumbnail bytes": 10})
    assert reason(maya.thumbnail(video_id, png()), 413) == "uploadTooLarge"
    control.set_limits(**{"youtube thumbnail bytes": 1000, "youtube channel thumbnails": 0})
    assert reason(maya.thumbnail(video_id, png()), 429) == "uploadRateLimitExceeded"
    assert reason(maya.thumbnail(video_id, png(), uploadType="resumable")) == "invalidParameter"


def test_a_first_comment(maya: Caller, control: SandboxControl) -> None:
    video_id = maya.upload.whole()
    made = maya.comment(video_id, "Sources: <here>").json()
    assert made["snippet"]["topLevelComment"]["snippet"]["textOriginal"] == "Sources: <here>"
    [listed] = maya.items("commentThreads", part="snippet", videoId=video_id)
    assert listed["id"] == made["id"]
    [video] = control.posts("youtube")
    assert video.comments == ("Sources: <here>",)
    assert "Sources: &lt;here&gt;" in maya.client.http.get("/").text
    [described] = maya.items("videos", part="statistics", id=video_id)
    assert described["statistics"]["commentCount"] == "1"
    assert maya.items("videos", part="id", id=made["id"]) == []


def test_comments_that_are_refused(client: Client, maya: Caller, jonas: Caller) -> None:
    video_id = maya.upload.whole()
    assert reason(maya.comment(video_id, " ")) == "commentTextRequired"
    assert reason(maya.comment(video_id, "x" * 10_001)) == "commentTextTooLong"
    assert reason(maya.comment("", "hello")) == "channelOrVideoIdMissing"
    assert reason(maya.comment("nowhere", "hello"), 404) == "videoNotFound"
    assert reason(maya.comment(video_id, "hello", channelId="UCother"), 404) == "channelNotFound"
    for status in ({"privacyStatus": "private"}, {"selfDeclaredMadeForKids": True}):
        quiet = maya.upload.whole(status=status)
        assert reason(maya.comment(quiet, "hello"), 403) == "commentsDisabled"
    hidden = maya.upload.whole(status={"privacyStatus": "private"})
    assert reason(jonas.comment(hidden, "hello"), 404) == "videoNotFound"
    assert reason(jonas.get("commentThreads", part="snippet", videoId=hidden), 404) == "videoNotFound"
    uploader = Caller(client, scope=YOUTUBE_SCOPES)
    assert reason(uploader.comment(video_id, "hello"), 403) == "insufficientPermissions"
    assert reason(uploader.get("commentThreads", part="snippet", videoId=video_id), 403)


def test_the_day_has_so_many_units(maya: Caller, control: SandboxControl) -> None:
    video_id = maya.upload.whole()
    control.set_limits(**{"youtube units": 51})
    assert maya.comment(video_id, "fifty").status_code == 200
    assert maya.get("videos", part="id", id=video_id).status_code == 200
    assert reason(maya.get("videos", part="id", id=video_id), 403) == "quotaExceeded"
    assert maya.upload.announce().status_code == 200  # another bucket


def test_midnight_is_pacific() -> None:
    winter, summer = 1_798_000_000.0, 1_782_000_000.0  # 2026-12-23, 2026-06-21
    assert next_midnight(winter) % 86_400 == 8 * 3600
    assert next_midnight(summer) % 86_400 == 7 * 3600
    assert 0 < next_midnight(winter) - winter <= 86_400
