"""Instagram and TikTok from upload to published: the worker, the embedded stack and the sandbox, nothing scripted.

Instagram fetches the files from the storage by signed URL, TikTok pulls photos from the worker's own web app and takes
videos in chunks.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest

from nexora_client import Feature, Platform, Target, TargetState
from nexora_client.storage import upload_object
from tests.support.api import Api
from tests.support.creators import Creator, connect, new_creator
from tests.support.media import jpeg, mp4
from tests.support.running import RunningWorker, running_worker
from tests.support.waiting import wait_until
from workers.sandbox import PublishedPost, Sandbox, SandboxControl

BOTH = (Platform.INSTAGRAM, Platform.TIKTOK)
DIRECT = {"mode": "direct", "privacy_level": "PUBLIC_TO_EVERYONE"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def worker(api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningWorker]:
    with running_worker(api, sandbox, tmp_path_factory.mktemp("logs"), NEXORA_LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture
def control(sandbox: Sandbox, worker: RunningWorker) -> SandboxControl:
    sandbox.control.clear_faults()
    sandbox.control.set_media_delay(0)
    sandbox.control.change_settings("tiktok", verified_prefixes=[f"{worker.web_url}/media/"])
    return sandbox.control


@pytest.fixture
def maya(api: Api, sandbox: Sandbox, worker: RunningWorker, control: SandboxControl) -> Iterator[Creator]:
    with new_creator(api, sandbox, worker.web_url, Platform.TIKTOK) as creator:
        features = (Feature.PROFILE, Feature.PUBLISH, Feature.COMMENTS)
        instagram = connect(creator.client, sandbox, creator.key, Platform.INSTAGRAM, features)
        yield dataclasses.replace(creator, connections={**creator.connections, Platform.INSTAGRAM: instagram})


def publish(
    maya: Creator,
    files: list[tuple[bytes, str]],
    *platforms: Platform,
    before: Callable[[Target], None] | None = None,
    **options: dict[str, Any],
) -> tuple[str, list[Target]]:
    """Publish files with a text of their own, and wait until that is settled; `before` sees each draft."""
    text = f"First light {uuid.uuid4().hex} #dawn"
    post = maya.client.content.posts.create(text)
    for position, (data, mime_type) in enumerate(files, 1):
        item = maya.client.content.media.upload(data, mime_type, alt_text=f"file {position}")
        maya.client.content.posts.attach(post.id, item.id, position=position)
    for platform in platforms:
        chosen = options.get(platform.value, DIRECT if platform is Platform.TIKTOK else {})
        target = maya.client.publishing.targets.add(post.id, maya.connections[platform].id, options=chosen)
        if before is not None:
            before(target)
    maya.client.publishing.publish_now(post.id)

    def settled() -> list[Target] | None:
        found = list(maya.client.publishing.targets.of_post(post.id))
        is_over = all(t.state not in (TargetState.SCHEDULED, TargetState.PUBLISHING) for t in found)
        return found if is_over else None

    return text, wait_until(settled, 90, every=0.2)


def shown(control: SandboxControl, platform: str, text: str) -> list[PublishedPost]:
    return [post for post in control.posts(str(platform)) if post.text == text]


PICTURES = [(jpeg(1080, 1080, 40_000), "image/jpeg"), (jpeg(1080, 1350, 50_000), "image/jpeg")]


@pytest.mark.parametrize("files", [PICTURES[:1], PICTURES, [(mp4(size=300_000), "video/mp4")]])
def test_both_get_the_files_as_they_are(
    maya: Creator, control: SandboxControl, files: list[tuple[bytes, str]]
) -> None:
    text, targets = publish(maya, files, *BOTH)
    assert [(t.state, t.failure_code) for t in targets] == [(TargetState.PUBLISHED, None)] * 2
    for target in targets:
        (post,) = shown(control, target.platform_id, text)
        assert (post.id, post.url) == (target.external_id, target.external_url)
        assert [m.bytes for m in post.media] == [len(data) for data, _ in files]


def test_a_large_video_goes_in_chunks(maya: Creator, control: SandboxControl) -> None:
    data = mp4(size=17_000_000)
    text, (target,) = publish(maya, [(data, "video/mp4")], Platform.TIKTOK)
    assert target.state is TargetState.PUBLISHED
    assert shown(control, Platform.TIKTOK, text)[0].media[0].bytes == len(data)
    assert len(control.records("tiktok", "PUT", "/tiktok/video/")) >= 2


@pytest.mark.parametrize(
    ("platform", "path"),
    [(Platform.INSTAGRAM, "media_publish$"), (Platform.TIKTOK, "/tiktok/video/")],
)
def test_an_answer_that_is_lost_does_not_make_it_appear_twice(
    maya: Creator, control: SandboxControl, platform: Platform, path: str
) -> None:
    control.add_fault("reset_after", platform=platform.value, path=path)
    text, (target,) = publish(maya, [(mp4(), "video/mp4")], platform)
    assert target.state is TargetState.PUBLISHED
    assert len(shown(control, platform, text)) == 1


def test_the_inbox_is_told_honestly(maya: Creator, control: SandboxControl) -> None:
    _, (target,) = publish(maya, [(mp4(), "video/mp4")], Platform.TIKTOK, tiktok={"mode": "inbox"})
    assert (target.state, target.external_url) == (TargetState.PUBLISHED, None)
    notices = [(n.kind, n.code, n.subject_id) for n in maya.client.notifications.list()]
    assert ("target_published", "waits_in_inbox", target.id) in notices


def test_a_first_comment_follows_also_when_its_answer_is_lost(
    api: Api, maya: Creator, control: SandboxControl
) -> None:
    def with_comment(target: Target) -> None:
        with psycopg.connect(api.admin_url, autocommit=True) as database:
            database.execute(
                "insert into public.target_follow_ups (user_id, target_id, body) values (%s, %s, %s)",
                (target.user_id, target.id, "First! #bread"),
            )

    control.add_fault("reset_after", platform="instagram", method="POST", path="/comments$")
    _, (target,) = publish(maya, PICTURES[:1], Platform.INSTAGRAM, before=with_comment)
    assert (target.state, target.failure_code) == (TargetState.PUBLISHED, None)
    written = control.records("instagram", "POST", f"/{target.external_id}/comments$")
    assert [(record.accepted, record.body) for record in written] == [(True, {"message": "First! #bread"})]


def test_a_refusal_is_told_in_words(maya: Creator, control: SandboxControl) -> None:
    control.change_settings("tiktok", maya.key, fail_next="frame_rate_check_failed")
    control.change_settings("instagram", maya.key, fail_next="2207026")
    _, targets = publish(maya, [(mp4(), "video/mp4")], *BOTH)
    assert {t.state for t in targets} == {TargetState.FAILED}
    assert {t.failure_code for t in targets} == {"media_refused"}
    assert all("frames a second" in (t.failure_message or "") for t in targets)


def test_a_file_may_have_any_name(maya: Creator, control: SandboxControl) -> None:
    transport = maya.client._transport
    name = f"{transport.user_id()}/my photo (1) & more, @home.jpg"
    upload_object(transport, "media", name, PICTURES[0][0], "image/jpeg")
    item = transport.call("register_media", object_name=name, alt_text="a lake", width=None, height=None)
    post = maya.client.content.posts.create(f"Named {uuid.uuid4().hex}")
    maya.client.content.posts.attach(post.id, uuid.UUID(item["id"]), position=1)
    maya.client.publishing.targets.add(post.id, maya.connections[Platform.INSTAGRAM].id)
    maya.client.publishing.targets.add(post.id, maya.connections[Platform.TIKTOK].id, options=DIRECT)
    maya.client.publishing.publish_now(post.id)
    settled = maya.client.publishing.wait_until_settled(post.id, timeout=60)
    assert [(t.state, t.failure_code) for t in settled] == [(TargetState.PUBLISHED, None)] * 2


def test_a_file_is_served_under_our_own_domain_only_with_its_signature(
    maya: Creator, control: SandboxControl, worker: RunningWorker
) -> None:
    publish(maya, PICTURES[:1], Platform.TIKTOK)
    (url,) = control.records("tiktok", "POST", "content/init")[-1].body["source_info"]["photo_images"]
    assert url.startswith(f"{worker.web_url}/media/media/")
    served = httpx.get(url)
    assert (served.status_code, len(served.content)) == (200, len(PICTURES[0][0]))
    assert httpx.get(url[:-4] + "AAAA").status_code == 404
    assert httpx.get(url.split("?")[0]).status_code == 404
    assert url.partition("token=")[2] not in worker.log_text()
