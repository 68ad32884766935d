"""What `./nexora up` keeps of the sandbox from one start to the next, and that tokens are not part of it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.sandbox.flow import REDIRECT, Client, png
from tests.sandbox.test_linkedin import post, single, upload
from tests.sandbox.test_youtube_reads import Caller
from tests.sandbox.test_youtube_upload import VIDEO, Upload
from workers.sandbox import Sandbox
from workers.sandbox import saved as saving
from workers.sandbox.saved import Saved
from workers.sandbox.state import State

SECRET = "the same client secret at each start"
X_ME = "/x/2/users/me"


@contextmanager
def started(directory: Path) -> Iterator[Client]:
    with (
        Sandbox.start(secret=SECRET, redirect_uris=[REDIRECT], saved_in=directory) as sandbox,
        httpx.Client(base_url=sandbox.url, timeout=60) as http,
    ):
        yield Client(sandbox, http)


def test_connected_accounts_stay_connected(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        client.sandbox.control.add_person("ada", "Ada Lakes", "adafilms", "Films one lake")
        x = client.tokens("x", _sandbox_person="ada")
        long_lived = client.linkedin("ada")
    with started(tmp_path) as client:
        bearer = {"authorization": f"Bearer {x['access_token']}"}
        assert client.http.get(X_ME, headers=bearer).json()["data"]["name"] == "Ada Lakes"
        assert client.http.get("/linkedin/v2/userinfo", headers=long_lived).json()["name"] == "Ada Lakes"
        renewed = client.refresh("x", x["refresh_token"]).json()
    with started(tmp_path) as client:
        assert client.refresh("x", x["refresh_token"]).status_code == 400, "rotated before the restart"
        assert client.refresh("x", renewed["refresh_token"]).status_code == 400, "which ends the whole family"


def test_a_grant_that_ended_stays_ended(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        headers = client.x()
        client.sandbox.control.revoke("x", "maya")
    with started(tmp_path) as client:
        assert client.http.get(X_ME, headers=headers).status_code == 401


def test_posts_and_their_files_are_shown_again(tmp_path: Path) -> None:
    picture = png(8, 8) + b"\0" * 300_000  # enough to be spooled to disk
    with started(tmp_path) as client:
        headers = client.linkedin()
        urn = upload(client, headers, picture)
        assert post(client, headers, "Bread", content=single(urn, "A loaf")).status_code == 201
        video = Upload(client).whole()
        before = client.sandbox.control.posts()
    with started(tmp_path) as client:
        after = client.sandbox.control.posts()
        assert [(one.id, one.text, one.created_at) for one in after] == [
            (one.id, one.text, one.created_at) for one in before
        ]
        contents = {one.platform: client.http.get(one.media[0].url).content for one in after}
        assert contents == {"linkedin": picture, "youtube": VIDEO}
        assert "A loaf" in client.http.get("/").text
        assert video in {one.id for one in after}
        again = post(client, headers, "Bread", content=single(urn, "A loaf"))
        assert again.status_code != 201, "an old upload, or a duplicate; in no case a second post"


def test_nothing_on_disk_opens_an_account(tmp_path: Path) -> None:
    """Tokens are kept as hashes, and only their owner reads even those."""
    with started(tmp_path) as client:
        tokens = client.tokens("x")
        content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b'"digest"' in content
        for secret in (tokens["access_token"], tokens["refresh_token"], SECRET):
            assert secret.encode() not in content
        assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}


def test_a_reset_is_kept_as_well(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        headers = client.linkedin()
        post(client, headers)
        client.sandbox.control.reset()
    with started(tmp_path) as client:
        assert client.sandbox.control.posts() == []


def test_files_that_no_post_needs_are_removed_at_the_next_start(tmp_path: Path) -> None:
    stray = tmp_path / f"{'0' * 64}.bin"
    with started(tmp_path) as client:
        client.x()
    stray.write_bytes(b"left behind")
    with started(tmp_path):
        assert not stray.exists()


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"people": [{"$": "Nobody", "key": "a"}], "grants": []}']
)
def test_what_cannot_be_read_is_set_aside(tmp_path: Path, content: str) -> None:
    (tmp_path / "state.json").write_text(content)
    with started(tmp_path) as client:
        assert client.x()
    assert (tmp_path / "state.unreadable").read_text() == content


def test_a_failure_while_saving_leaves_the_former_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state, saved = State(SECRET), Saved(tmp_path)
    saved.save(state)
    before = (tmp_path / "state.json").read_bytes()
    state.add_person("ada", "Ada Lakes", "adafilms")

    def full(*_: object, **__: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(saving.json, "dumps", full)
    with pytest.raises(OSError, match="no space left"):
        saved.save(state)
    assert {path.name for path in tmp_path.iterdir()} == {"state.json"}
    assert (tmp_path / "state.json").read_bytes() == before


def test_without_a_directory_nothing_is_kept(tmp_path: Path) -> None:
    with Sandbox.start(redirect_uris=[REDIRECT]) as sandbox:
        sandbox.control.add_person("ada", "Ada Lakes", "adafilms")
    assert list(tmp_path.iterdir()) == []


def test_videos_are_shown_again_with_their_thumbnails(tmp_path: Path) -> None:
    with started(tmp_path) as client:
        maya = Caller(client)
        maya.thumbnail(maya.upload.whole(snippet={"tags": ["dawn"]}), png(16, 9))
        [before] = client.sandbox.control.posts("youtube")
    with started(tmp_path) as client:
        [after] = client.sandbox.control.posts("youtube")
        assert (after.details, after.media[0].sha256) == (before.details, before.media[0].sha256)
        assert client.http.get(f"/_sandbox/media/{after.details['thumbnail']}").content == png(16, 9)
        client.sandbox.control.reset()
