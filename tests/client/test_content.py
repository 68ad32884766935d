"""`client.content` against the real API."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from storage3.exceptions import StorageApiError

from nexora_client import MediaKind, errors
from nexora_client.storage import remove_object, signed_url, upload_object
from tests.client.people import Person, worker_fact
from tests.client.test_profile import PNG
from tests.support.api import Api


def test_scripts(ada: Person, bob: Person) -> None:
    scripts = ada.client.content.scripts
    script = scripts.create("Thirty mornings", "The same lake, every day.")
    assert (script.user_id, script.title) == (ada.user_id, "Thirty mornings")
    changed = scripts.update(script.id, body="The same lake.")
    assert (changed.title, changed.body) == ("Thirty mornings", "The same lake.")
    assert scripts.get(script.id) == changed
    assert list(scripts.list()) == [changed]
    assert list(bob.client.content.scripts.list()) == []
    for refused in (
        lambda: bob.client.content.scripts.get(script.id),
        lambda: bob.client.content.scripts.update(script.id, title="Mine"),
        lambda: bob.client.content.scripts.delete(script.id),
    ):
        with pytest.raises(errors.NotFound):
            refused()
    scripts.delete(script.id)
    assert list(scripts.list()) == []
    with pytest.raises(errors.NotFound):
        scripts.get(script.id)


def test_posts(ada: Person, bob: Person) -> None:
    content = ada.client.content
    script = content.scripts.create("Thirty mornings")
    post = content.posts.create("First light.", script_id=script.id)
    changed = content.posts.update(post.id, title="Day 1")
    assert (changed.body, changed.title, changed.script_id) == ("First light.", "Day 1", script.id)
    assert list(bob.client.content.posts.list()) == []
    for refused in (
        lambda: bob.client.content.posts.get(post.id),
        lambda: bob.client.content.posts.update(post.id, body="Mine"),
        lambda: bob.client.content.posts.delete(post.id),
        lambda: bob.client.content.posts.create("From your script.", script_id=script.id),
    ):
        with pytest.raises(errors.NotFound):
            refused()
    content.scripts.delete(script.id)
    assert content.posts.get(post.id).script_id is None
    content.posts.delete(post.id)
    assert list(content.posts.list()) == []


def test_captions(ada: Person, bob: Person) -> None:
    captions = ada.client.content.captions
    caption = captions.create("#lake #dawn", title="Tags", platform_id="x")
    assert captions.update(caption.id, body="#lake").body == "#lake"
    assert captions.get(caption.id).platform_id == "x"
    assert [one.id for one in captions.list()] == [caption.id]
    assert list(bob.client.content.captions.list()) == []
    for refused in (
        lambda: bob.client.content.captions.get(caption.id),
        lambda: bob.client.content.captions.update(caption.id, body="Mine"),
        lambda: bob.client.content.captions.delete(caption.id),
    ):
        with pytest.raises(errors.NotFound):
            refused()
    with pytest.raises(errors.ValidationFailed):
        captions.create("")
    captions.delete(caption.id)
    assert list(captions.list()) == []


def test_pages_meet_without_gap_or_repeat(ada: Person, db_url: str) -> None:
    """Keyset pagination, with rows of one and the same instant on both sides of a page's end."""
    captions = ada.client.content.captions
    made = {captions.create(f"Caption {number}").id for number in range(7)}
    worker_fact(
        db_url,
        """update public.captions set title = 'At once' where id in
           (select id from public.captions where user_id = %s order by id limit 4 offset 1)""",
        ada.user_id,
    )
    seen = [caption.id for caption in captions.list(page_size=2)]
    assert (len(seen), set(seen)) == (7, made)
    times = [caption.updated_at for caption in captions.list(page_size=3)]
    assert times == sorted(times, reverse=True)
    assert len(list(islice(captions.list(page_size=2), 3))) == 3


def test_media(ada: Person, bob: Person, tmp_path: Path) -> None:
    """P3.3: a file is reached by its owner, through a URL that expires."""
    media = ada.client.content.media
    path = tmp_path / "lake.png"
    path.write_bytes(PNG)
    file = media.upload(path, "image/png", alt_text="A lake", width=1, height=1)
    assert (file.kind, file.mime_type, file.size_bytes, file.width) == (
        MediaKind.IMAGE,
        "image/png",
        len(PNG),
        1,
    )
    assert file.object_name.startswith(f"{ada.user_id}/")
    assert media.get(file.id) == file
    assert media.update(file.id, alt_text=None).alt_text is None
    assert [one.id for one in media.list()] == [file.id]
    assert httpx.get(media.url(file.id, valid_for_seconds=60)).content == PNG
    assert list(bob.client.content.media.list()) == []
    for refused in (
        lambda: bob.client.content.media.get(file.id),
        lambda: bob.client.content.media.update(file.id, alt_text="Mine"),
        lambda: bob.client.content.media.url(file.id),
        lambda: bob.client.content.media.delete(file.id),
    ):
        with pytest.raises(errors.NotFound):
            refused()
    url = media.url(file.id)
    media.delete(file.id)
    assert list(media.list()) == []
    assert httpx.get(url).status_code >= 400


def test_files_of_other_kinds_are_refused(ada: Person) -> None:
    with pytest.raises(errors.ValidationFailed):
        ada.client.content.media.upload(b"#!/bin/sh", "text/x-shellscript")
    assert list(ada.client.content.media.list()) == []


def test_nobody_uploads_into_or_registers_from_anothers_folder(api: Api, ada: Person, bob: Person) -> None:
    """P3.3, P3.6."""
    bobs = bob.client._transport
    with pytest.raises(errors.Forbidden):
        upload_object(bobs, "media", f"{ada.user_id}/{uuid4()}.png", PNG, "image/png")
    with pytest.raises(errors.Forbidden):
        upload_object(bobs, "avatars", f"{ada.user_id}/{uuid4()}.png", PNG, "image/png")
    file = ada.client.content.media.upload(PNG, "image/png")
    with pytest.raises(errors.NotFound):
        bobs.call("register_media", object_name=file.object_name)
    with pytest.raises(errors.NotFound):
        signed_url(bobs, "media", file.object_name, 60)
    remove_object(bobs, "media", file.object_name)
    assert httpx.get(ada.client.content.media.url(file.id)).content == PNG
    with api.client() as visitor, pytest.raises(StorageApiError):
        visitor.storage.from_("media").create_signed_url(file.object_name, 60)


def test_files_of_a_post(ada: Person, bob: Person) -> None:
    content = ada.client.content
    post = content.posts.create("First light.")
    first, second = (content.media.upload(PNG, "image/png") for _ in range(2))
    content.posts.attach(post.id, second.id, position=2)
    content.posts.attach(post.id, first.id, position=1)
    assert [one.media_id for one in content.posts.attached(post.id)] == [first.id, second.id]
    with pytest.raises(errors.AlreadyExists):
        content.posts.attach(post.id, first.id, position=3)
    mine = bob.client.content.posts.create("Mine.")
    bobs_file = bob.client.content.media.upload(PNG, "image/png")
    for refused in (
        lambda: bob.client.content.posts.attach(mine.id, first.id, position=1),
        lambda: bob.client.content.posts.attach(post.id, bobs_file.id, position=3),
        lambda: bob.client.content.posts.detach(post.id, first.id),
    ):
        with pytest.raises(errors.NotFound):
            refused()
    assert bob.client.content.posts.attached(post.id) == ()
    content.posts.detach(post.id, first.id)
    assert [one.media_id for one in content.posts.attached(post.id)] == [second.id]
