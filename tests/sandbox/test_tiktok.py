"""TikTok's Content Posting API: chunks, photos, inbox, states, limits; and each refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client, png
from tests.support.files import FileServer, serving_files
from tests.support.media import jpeg, mp4, webp
from tests.support.waiting import wait_until
from workers.sandbox import Sandbox, SandboxControl

SCOPES = "user.info.basic,video.publish,video.upload"
MEBI = 1_048_576
INFO = {"privacy_level": "PUBLIC_TO_EVERYONE", "title": "First light #dawn", "disable_comment": False}


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with serving_files() as served:
        yield served


class Account:
    """Somebody's account, called with a token of theirs."""

    def __init__(self, client: Client, person: str = "maya", scope: str = SCOPES) -> None:
        self.client = client
        self.token = client.tokens("tiktok", _sandbox_person=person, scope=scope)["access_token"]

    def call(self, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json; charset=UTF-8"}
        return self.client.http.post(f"/tiktok/v2/post/publish/{path}", json=body, headers=headers)

    def direct(self, size: int, chunk: int = 0, count: int = 0, **info: Any) -> httpx.Response:
        chunk = chunk or size
        source = {
            "source": "FILE_UPLOAD",
            "video_size": size,
            "chunk_size": chunk,
            "total_chunk_count": count or size // chunk,
        }
        return self.call("video/init/", {"post_info": INFO | info, "source_info": source})

    def inbox(self, data: bytes) -> httpx.Response:
        source = {
            "source": "FILE_UPLOAD",
            "video_size": len(data),
            "chunk_size": len(data),
            "total_chunk_count": 1,
        }
        return self.call("inbox/video/init/", {"source_info": source})

    def photos(self, *urls: str, mode: str = "DIRECT_POST", **info: Any) -> httpx.Response:
        source = {"source": "PULL_FROM_URL", "photo_images": list(urls), "photo_cover_index": 0}
        post_info = {"privacy_level": "SELF_ONLY", "title": "Three"} | info
        body = {"media_type": "PHOTO", "post_mode": mode, "post_info": post_info, "source_info": source}
        return self.call("content/init/", body)

    def put(
        self,
        url: str,
        data: bytes,
        first: int = 0,
        total: int = 0,
        mime_type: str = "video/mp4",
        **headers: str,
    ) -> httpx.Response:
        total = total or len(data)
        given = {
            "content-type": mime_type,
            "content-range": f"bytes {first}-{first + len(data) - 1}/{total}",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        return self.client.http.put(url, content=data, headers=given)

    def status(self, publish_id: str) -> dict[str, Any]:
        response = self.call("status/fetch/", {"publish_id": publish_id})
        assert response.status_code == 200, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    def settled(self, publish_id: str) -> dict[str, Any]:
        """The state once it is no longer being worked on."""
        wait_until(lambda: not self.status(publish_id)["status"].startswith("PROCESSING"), 10, every=0.2)
        return self.status(publish_id)


@pytest.fixture
def maya(client: Client, control: SandboxControl, server: FileServer) -> Account:
    control.set_media_delay(0)
    control.set_limits(**{"tiktok init": 1000, "tiktok status": 1000})
    control.change_settings("tiktok", verified_prefixes=[server.base + "/"])
    server.clear()
    return Account(client)


def begun(response: httpx.Response) -> tuple[str, str]:
    """Publish id and upload URL."""
    assert response.status_code == 200, response.text
    assert response.json()["error"]["code"] == "ok"
    data = response.json()["data"]
    return data["publish_id"], data.get("upload_url", "")


def refusal(response: httpx.Response) -> tuple[int, str]:
    error = response.json()["error"]
    assert set(error) == {"code", "message", "log_id"}
    return response.status_code, error["code"]


def test_a_video_is_posted(maya: Account, control: SandboxControl) -> None:
    data = mp4(size=2 * MEBI)
    publish_id, url = begun(maya.direct(len(data)))
    assert publish_id.startswith("v_pub_file~v2-1.")
    assert url.startswith("http://localhost:")
    assert maya.status(publish_id) == {
        "status": "PROCESSING_UPLOAD", "publicaly_available_post_id": [], "uploaded_bytes": 0,
    }  # fmt: skip
    assert maya.put(url, data).status_code == 201
    (post,) = control.posts("tiktok")
    status = maya.status(publish_id)
    assert (status["status"], status["uploaded_bytes"]) == ("PUBLISH_COMPLETE", len(data))
    assert status["publicaly_available_post_id"] == [int(post.id)]
    assert (post.text, post.media[0].bytes) == ("First light #dawn", len(data))
    assert post.url == f"https://www.tiktok.com/@mayaokafor/video/{post.id}"


def test_chunks_come_in_order(maya: Account, control: SandboxControl) -> None:
    chunk, data = 6 * MEBI, mp4(size=13 * MEBI)
    publish_id, url = begun(maya.direct(len(data), chunk))
    total = len(data)
    late = maya.put(url, data[chunk:], chunk, total)
    assert (late.status_code, late.headers["content-range"]) == (416, f"bytes 0-0/{total}")
    first = maya.put(url, data[:chunk], 0, total)
    assert (first.status_code, first.headers["content-range"]) == (206, f"bytes 0-{chunk}/{total}")
    assert maya.status(publish_id)["uploaded_bytes"] == chunk
    again = maya.put(url, data[:chunk], 0, total)
    assert (again.status_code, again.headers["content-range"]) == (416, f"bytes 0-{chunk}/{total}")
    assert (
        maya.put(url, data[chunk : 2 * chunk], chunk, total).status_code == 400
    )  # the trailing bytes belong to it
    assert maya.put(url, data[chunk:], chunk, total).status_code == 201
    assert maya.put(url, data[chunk:], chunk, total).status_code == 416
    assert len(control.posts("tiktok")) == 1


@pytest.mark.parametrize(
    ("size", "chunk", "count"),
    [
        (MEBI, MEBI // 2, 2),
        (20 * MEBI, 4 * MEBI, 5),
        (200_000_000, 64_000_001, 3),
        (70_000_000, 70_000_000, 1),
        (20_000_000, 10_000_000, 1),
        (25_000_000, 10_000_000, 3),
        (5_000_000_000, 10_000_000, 500),
    ],
)
def test_chunk_sizes_that_are_refused(maya: Account, size: int, chunk: int, count: int) -> None:
    assert refusal(maya.direct(size, chunk, count)) == (400, "invalid_params")


@pytest.mark.parametrize(
    ("size", "chunk"), [(64_000_000, 64_000_000), (50_000_123, 10_000_000), (MEBI, MEBI)]
)
def test_chunk_sizes_that_are_taken(maya: Account, size: int, chunk: int) -> None:
    begun(maya.direct(size, chunk))


def test_headers_of_a_chunk(maya: Account) -> None:
    data = mp4(size=MEBI)
    _, url = begun(maya.direct(len(data)))
    assert maya.put(url, data, mime_type="application/octet-stream").status_code == 400
    assert maya.put(url, data, content_range="0-1").status_code == 400
    assert maya.put(url, data, total=len(data) + 1).status_code == 400
    assert maya.put(url, data, content_range=f"bytes 0-9/{len(data)}").status_code == 400
    assert maya.put(url + "x", data).status_code == 404
    assert maya.put(url.replace("upload_token=", "upload_token=x"), data).status_code == 404


def test_an_upload_url_lives_an_hour(maya: Account, control: SandboxControl) -> None:
    data = mp4(size=MEBI)
    _, url = begun(maya.direct(len(data)))
    control.advance_clock(3601)
    assert maya.put(url, data).status_code == 403


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nothing", "file_format_check_failed"),
        (jpeg(), "file_format_check_failed"),
        (mp4(2.9), "duration_check_failed"),
        (mp4(601), "duration_check_failed"),
        (mp4(fps=20), "frame_rate_check_failed"),
        (mp4(width=300), "picture_size_check_failed"),
        (mp4(height=4100), "picture_size_check_failed"),
    ],
)
def test_videos_that_fail(maya: Account, control: SandboxControl, data: bytes, reason: str) -> None:
    publish_id, url = begun(maya.direct(len(data)))
    assert maya.put(url, data).status_code == 201
    status = maya.status(publish_id)
    assert (status["status"], status["fail_reason"]) == ("FAILED", reason)
    assert control.posts("tiktok") == []


def test_a_failure_on_request_and_moderation(maya: Account, control: SandboxControl) -> None:
    data = mp4()
    control.change_settings("tiktok", "maya", fail_next="spam_risk_text")
    publish_id, url = begun(maya.direct(len(data)))
    maya.put(url, data)
    assert maya.status(publish_id)["fail_reason"] == "spam_risk_text"
    control.change_settings("tiktok", moderation_seconds=60)
    publish_id, url = begun(maya.direct(len(data)))
    maya.put(url, data)
    assert maya.status(publish_id)["publicaly_available_post_id"] == []
    control.advance_clock(61)
    assert len(maya.status(publish_id)["publicaly_available_post_id"]) == 1


def test_processing_takes_its_time(maya: Account, control: SandboxControl) -> None:
    control.set_media_delay(30)
    data = mp4()
    publish_id, url = begun(maya.direct(len(data)))
    maya.put(url, data)
    assert maya.status(publish_id)["status"] == "PROCESSING_UPLOAD"
    control.advance_clock(31)
    assert maya.status(publish_id)["status"] == "PUBLISH_COMPLETE"


def test_an_inbox_upload_waits_for_the_person(maya: Account, control: SandboxControl) -> None:
    data = mp4()
    publish_id, url = begun(maya.inbox(data))
    assert publish_id.startswith("v_inbox_file~v2.")
    assert maya.put(url, data).status_code == 201
    assert maya.status(publish_id)["status"] == "SEND_TO_USER_INBOX"
    assert control.posts("tiktok") == []
    post_id = control.finish_in_app(publish_id)
    assert maya.status(publish_id)["status"] == "PUBLISH_COMPLETE"
    assert [post.id for post in control.posts("tiktok")] == [post_id]


def test_five_uploads_may_be_pending(maya: Account, control: SandboxControl) -> None:
    data = mp4()
    first, url = begun(maya.inbox(data))
    maya.put(url, data)
    for _ in range(4):
        begun(maya.inbox(data))
    assert refusal(maya.inbox(data)) == (403, "spam_risk_too_many_pending_share")
    control.finish_in_app(first)
    begun(maya.inbox(data))
    control.advance_clock(86_401)
    begun(Account(maya.client).inbox(data))


def test_photos_are_pulled(maya: Account, control: SandboxControl, server: FileServer) -> None:
    urls = [server.add("1.jpg", jpeg()), server.add("2.webp", webp())]
    publish_id, _ = begun(maya.photos(*urls, description="more"))
    assert publish_id.startswith("p_pub_url~v2.")
    status = maya.settled(publish_id)
    assert status["status"] == "PUBLISH_COMPLETE"
    assert status["publicaly_available_post_id"] == []  # only the person sees it
    assert status["downloaded_bytes"] == len(jpeg()) + len(webp())
    (post,) = control.posts("tiktok")
    assert (post.text, [m.mime_type for m in post.media]) == ("Three\nmore", ["image/jpeg", "image/webp"])


def test_photos_go_to_the_inbox(maya: Account, control: SandboxControl, server: FileServer) -> None:
    publish_id, _ = begun(maya.photos(server.add("1.jpg", jpeg()), mode="MEDIA_UPLOAD"))
    assert maya.settled(publish_id)["status"] == "SEND_TO_USER_INBOX"
    control.finish_in_app(publish_id)
    assert len(control.posts("tiktok")) == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png(64, 64), "file_format_check_failed"),
        (jpeg(1200, 1200), "picture_size_check_failed"),
        (jpeg(1080, 1921), "picture_size_check_failed"),
        (jpeg(size=20_000_001), "picture_size_check_failed"),
    ],
)
def test_photos_that_fail(maya: Account, server: FileServer, data: bytes, reason: str) -> None:
    publish_id, _ = begun(maya.photos(server.add("x.jpg", data)))
    assert maya.settled(publish_id)["fail_reason"] == reason


def test_photos_that_cannot_be_pulled(maya: Account, server: FileServer) -> None:
    moved = server.redirect("moved.jpg", server.add("real.jpg", jpeg()))
    for url in (f"{server.base}/missing.jpg", moved):
        publish_id, _ = begun(maya.photos(url))
        assert maya.settled(publish_id)["fail_reason"] == "photo_pull_failed"


def test_addresses_must_be_verified(maya: Account) -> None:
    for url in ("https://project.supabase.co/a.jpg", "https://example.com/a.jpg"):
        assert refusal(maya.photos(url)) == (403, "url_ownership_unverified")
    source = {"source": "PULL_FROM_URL", "video_url": "https://example.com/a.mp4"}
    answer = maya.call("video/init/", {"post_info": INFO, "source_info": source})
    assert refusal(answer) == (403, "url_ownership_unverified")


def test_a_video_is_pulled(maya: Account, server: FileServer, control: SandboxControl) -> None:
    source = {"source": "PULL_FROM_URL", "video_url": server.add("a.mp4", mp4())}
    publish_id, url = begun(maya.call("video/init/", {"post_info": INFO, "source_info": source}))
    assert (publish_id.startswith("v_pub_url~v2-1."), url) == (True, "")
    assert maya.settled(publish_id)["status"] == "PUBLISH_COMPLETE"
    source = {"source": "PULL_FROM_URL", "video_url": f"{server.base}/missing.mp4"}
    publish_id, _ = begun(maya.call("inbox/video/init/", {"source_info": source}))
    assert maya.settled(publish_id)["fail_reason"] == "video_pull_failed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("video/init/", {}),
        ("video/init/", {"post_info": INFO}),
        ("video/init/", {"post_info": INFO, "source_info": {"source": "CARRIER_PIGEON"}}),
        ("video/init/", {"post_info": INFO, "source_info": {"source": "FILE_UPLOAD"}}),
        ("video/init/", {"post_info": INFO, "source_info": {"source": "PULL_FROM_URL"}}),
        ("video/init/", {"post_info": INFO | {"colour": "red"}, "source_info": {"source": "FILE_UPLOAD"}}),
        ("video/init/", {"post_info": INFO | {"is_aigc": "no"}, "source_info": {"source": "FILE_UPLOAD"}}),
        ("inbox/video/init/", {"post_info": INFO, "source_info": {"source": "FILE_UPLOAD"}}),
        ("content/init/", {"media_type": "VIDEO"}),
        ("status/fetch/", {}),
        ("status/fetch/", {"publish_id": "x" * 65}),
    ],
)
def test_bodies_that_are_refused(maya: Account, path: str, body: dict[str, Any]) -> None:
    assert refusal(maya.call(path, body)) == (400, "invalid_params")


def test_bodies_must_be_json(maya: Account) -> None:
    headers = {"authorization": f"Bearer {maya.token}"}
    path = "/tiktok/v2/post/publish/status/fetch/"
    as_form = maya.client.http.post(path, data={"publish_id": "x"}, headers=headers)
    assert refusal(as_form) == (400, "invalid_params")
    headers["content-type"] = "application/json"
    assert refusal(maya.client.http.post(path, content=b"{", headers=headers)) == (400, "invalid_params")


def test_texts_that_are_too_long(maya: Account, server: FileServer) -> None:
    assert refusal(maya.direct(MEBI, title="x" * 2201)) == (400, "invalid_params")
    assert refusal(maya.direct(MEBI, title="🎬" * 1101)) == (400, "invalid_params")
    begun(maya.direct(MEBI, title="🎬" * 1100))
    url = server.add("1.jpg", jpeg())
    assert refusal(maya.photos(url, title="x" * 91)) == (400, "invalid_params")
    assert refusal(maya.photos(url, description="x" * 4001)) == (400, "invalid_params")
    body = {"source": "PULL_FROM_URL", "photo_images": [url] * 36, "photo_cover_index": 0}
    post = {"media_type": "PHOTO", "post_mode": "DIRECT_POST", "post_info": {}, "source_info": body}
    assert refusal(maya.call("content/init/", post)) == (400, "invalid_params")
    post["source_info"] = {**body, "photo_images": [url], "photo_cover_index": 1}
    assert refusal(maya.call("content/init/", post)) == (400, "invalid_params")


def test_what_the_creator_may_choose(maya: Account, control: SandboxControl) -> None:
    data = maya.call("creator_info/query/").json()["data"]
    assert data["privacy_level_options"] == ["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (data["creator_username"], data["duet_disabled"]) == ("mayaokafor", False)
    control.change_settings("tiktok", "maya", private=True, max_video_seconds=60, comment_disabled=True)
    data = maya.call("creator_info/query/").json()["data"]
    assert data["privacy_level_options"] == ["FOLLOWER_OF_CREATOR", "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
    assert (data["duet_disabled"], data["comment_disabled"]) == (True, True)
    assert data["max_video_post_duration_sec"] == 60
    assert refusal(maya.direct(MEBI)) == (403, "privacy_level_option_mismatch")
    assert refusal(maya.direct(MEBI, privacy_level="NOBODY")) == (400, "invalid_params")
    video = mp4(61)
    publish_id, url = begun(maya.direct(len(video), privacy_level="SELF_ONLY"))
    maya.put(url, video)
    assert maya.status(publish_id)["fail_reason"] == "duration_check_failed"


def test_a_client_without_audit(maya: Account, control: SandboxControl) -> None:
    control.change_settings("tiktok", audited=False)
    code = "unaudited_client_can_only_post_to_private_accounts"
    assert refusal(maya.direct(MEBI)) == (403, code)
    assert refusal(maya.direct(MEBI, privacy_level="SELF_ONLY")) == (403, code)
    control.change_settings("tiktok", "maya", private=True)
    assert refusal(maya.direct(MEBI, privacy_level="FOLLOWER_OF_CREATOR")) == (403, code)
    begun(maya.direct(MEBI, privacy_level="SELF_ONLY"))
    begun(maya.inbox(mp4()))
    control.change_settings("tiktok", "jonas", private=True)
    control.set_limits(**{"tiktok people": 1})
    jonas = Account(maya.client, "jonas")
    assert refusal(jonas.direct(MEBI, privacy_level="SELF_ONLY")) == (403, "reached_active_user_cap")
    assert refusal(jonas.call("creator_info/query/")) == (200, "reached_active_user_cap")


def test_posts_a_day_and_bans(maya: Account, control: SandboxControl) -> None:
    control.set_limits(**{"tiktok posts": 1})
    begun(maya.direct(MEBI))
    assert refusal(maya.direct(MEBI)) == (403, "spam_risk_too_many_posts")
    assert refusal(maya.call("creator_info/query/")) == (200, "spam_risk_too_many_posts")
    control.change_settings("tiktok", "maya", banned=True)
    banned = "spam_risk_user_banned_from_posting"
    assert refusal(maya.direct(MEBI)) == (403, banned)
    assert refusal(maya.inbox(mp4())) == (403, banned)
    assert refusal(maya.call("creator_info/query/")) == (200, banned)


def test_calls_a_minute(client: Client, control: SandboxControl) -> None:
    account = Account(client)
    for _ in range(6):
        begun(account.direct(MEBI))
    assert refusal(account.direct(MEBI)) == (429, "rate_limit_exceeded")
    control.advance_clock(61)
    begun(account.direct(MEBI))
    for _ in range(20):
        assert account.call("creator_info/query/").status_code == 200
    assert refusal(account.call("creator_info/query/")) == (429, "rate_limit_exceeded")


def test_tokens_and_scopes(
    maya: Account, client: Client, control: SandboxControl, server: FileServer
) -> None:
    publish_id, _ = begun(maya.direct(MEBI))
    jonas = Account(client, "jonas", "user.info.basic,video.upload")
    answer = jonas.call("status/fetch/", {"publish_id": publish_id})
    assert refusal(answer) == (400, "token_not_authorized_for_specified_publish_id")
    assert refusal(jonas.call("status/fetch/", {"publish_id": "v_pub_file~v2-1.1"})) == (
        400,
        "invalid_publish_id",
    )
    assert refusal(jonas.direct(MEBI)) == (401, "scope_not_authorized")
    url = server.add("1.jpg", jpeg())
    assert refusal(jonas.photos(url)) == (401, "scope_not_authorized")
    begun(jonas.photos(url, mode="MEDIA_UPLOAD"))
    bare = client.http.post("/tiktok/v2/post/publish/video/init/", json={})
    assert refusal(bare) == (401, "access_token_invalid")
    control.revoke("tiktok", "maya")
    assert refusal(maya.direct(MEBI)) == (401, "access_token_invalid")


def test_pulling_can_be_cancelled(maya: Account, server: FileServer) -> None:
    publish_id, _ = begun(maya.photos(server.add("1.jpg", jpeg())))
    maya.settled(publish_id)
    assert refusal(maya.call("cancel/", {"publish_id": publish_id})) == (400, "publish_not_cancellable")
    assert refusal(maya.call("cancel/", {"publish_id": "p_pub_url~v2.1"})) == (400, "invalid_publish_id")


def test_prefixes_that_were_verified_stay_so() -> None:
    with Sandbox.start(redirect_uris=[REDIRECT], media_prefixes=["https://worker.example/media/"]) as sandbox:
        sandbox.control.reset()
        with httpx.Client(base_url=sandbox.url) as opened:
            account = Account(Client(sandbox, opened))
            begun(account.photos("https://worker.example/media/1.jpg"))
            other = account.photos("https://worker.example/other/1.jpg")
            assert refusal(other) == (403, "url_ownership_unverified")


def test_settings_of_nobody(control: SandboxControl) -> None:
    with pytest.raises(RuntimeError, match="no such person"):
        control.change_settings("tiktok", "nobody", private=True)


def test_finishing_what_is_not_there(control: SandboxControl) -> None:
    with pytest.raises(RuntimeError, match="no such upload"):
        control.finish_in_app("v_inbox_file~v2.1")
