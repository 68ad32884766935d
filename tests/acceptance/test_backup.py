"""P3.2, P8.2: dump → erase → restore → replay → what is left of whoever was erased: nothing.

Two people with a marker in every table that belongs to somebody, and files; a backup; one of them is erased; the backup
is restored into an empty project. Everything there, rows, statistics and files, is searched for the one's markers in
plain, encoded and hashed forms, and compared row by row with what the other has.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import uuid
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.conftest import ROOT
from tests.sql.privacy import erasing
from tests.support.api import Api
from tests.support.secrets import found
from tests.support.seed import Belongings, seed_person
from workers.cli.backup import drill
from workers.cli.restoring import Opened, Restored, RestoreError, Target, open_backup, restore
from workers.embedded import Stack
from workers.gateway import Gateway
from workers.jobs.backup import (
    BackupSource,
    BucketPlace,
    DumpError,
    FolderPlace,
    client_tool,
    copy_tombstones,
    make_backup,
    purge_backups,
    read_frames,
    read_tombstones,
)
from workers.settings import WorkerSettings, load
from workers.vault import Keyring, StreamOpener, Vault, new_keyring_json

pytestmark = pytest.mark.anyio

VAULT = Vault(Keyring.generate())


def silent(_step: str, _count: int) -> None:
    """Progress for nobody."""


class Project:
    """An empty project. Its storage is served once the migrations are there."""

    def __init__(self, stack: Stack, template: str) -> None:
        self.name = f"restored_{uuid.uuid4().hex[:12]}"
        self._stack, self._template = stack, template
        self._gateway: Gateway | None = None
        self.migrations: set[str] = set()
        stack.create_database(self.name)
        stack.provision(self.name)

    @property
    def target(self) -> Target:
        return Target(self._stack.url(self.name), self, self.migrate)

    @property
    def admin_url(self) -> str:
        return self._stack.url(self.name, admin=True)

    def migrate(self, root: Path, _url: str) -> None:
        """A copy of what the migrations build saves the time of running them; `./nexora attest` runs them."""
        self.migrations = {path.name for path in (root / "supabase" / "migrations").iterdir()}
        self._stack.drop_database(self.name)
        self._stack.create_database(self.name, template=self._template)

    async def upload_file(
        self, bucket_id: str, name: str, content: AsyncIterator[bytes], mime_type: str
    ) -> None:
        self._gateway = self._gateway or gateway_to(
            self._stack.serve(self.name), self._stack.secrets.secret_key
        )
        await self._gateway.upload_file(bucket_id, name, content, mime_type)

    @property
    def files(self) -> bytes:
        folder = self._stack._state_dir / "files" / self.name
        return b"".join(
            str(path.relative_to(folder)).encode() + path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        )

    async def end(self) -> None:
        if self._gateway is not None:
            await self._gateway.aclose()
        self._stack.drop_database(self.name)


def gateway_to(url: str, key: str) -> Gateway:
    return Gateway.open(
        load(
            WorkerSettings,
            supabase_url=url,
            supabase_secret_key=key,
            token_keyring="unused",
            public_url="http://127.0.0.1",
        )
    )


@dataclass
class Story:
    """What happened, and where."""

    backup: Opened
    tombstones: list[dict[str, Any]]
    gone: Belongings
    stays: Belongings
    source: Gateway
    source_url: str
    project: Project
    done: Restored


async def _picture(marker: str) -> AsyncIterator[bytes]:
    yield b"\x89PNG" + marker.encode()


@pytest.fixture(scope="module")
async def story(
    api: Api, stack: Stack, template_db: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Story]:
    """Seed, back up, erase, copy the erasure, restore."""
    folder = tmp_path_factory.mktemp("backups")
    place, source = FolderPlace(folder), gateway_to(api.url, api.secret_key)
    with psycopg.connect(api.admin_url) as admin:
        gone, stays = seed_person(admin), seed_person(admin)
    for one in (gone, stays):
        await source.upload_file("media", one.object_name, _picture(one.marker), "image/png")
    with psycopg.connect(api.admin_url) as admin:  # what the person's own upload would have written
        admin.execute("update storage.objects set owner_id = split_part(name, '/', 1)")
    made = await make_backup(source, VAULT, place, BackupSource(api.db_url, ROOT / "supabase" / "migrations"))
    assert made is not None
    with psycopg.connect(api.admin_url) as admin:
        erasing.erase(admin, gone.person)
    assert await copy_tombstones(source, VAULT, place) == 1
    await purge_backups(source, place)
    backup = open_backup(VAULT, folder / made.file_name, silent)
    tombstones = read_tombstones(VAULT, folder / "erasures", backup.taken_at).erasures
    project = Project(stack, template_db)
    try:
        done = await restore(VAULT, backup, project.target, tombstones, silent)
        yield Story(backup, tombstones, gone, stays, source, api.admin_url, project, done)
    finally:
        await project.end()
        await source.aclose()


def rows_of_backup(backup: Opened) -> bytes:
    """The rows in it, as text."""
    unpacking, text, is_rows = zlib.decompressobj(wbits=31), b"", False
    with backup.path.open("rb") as file:
        for frame in read_frames(StreamOpener(VAULT, file.read).chunks()):
            if frame.kind == "M":
                is_rows = frame.says["kind"] == "rows"
            elif is_rows and frame.kind == "D":
                text += unpacking.decompress(frame.data)
    return text


def needles(person: Belongings) -> dict[str, bytes]:
    words = {
        "marker": person.marker,
        "MARKER": person.marker.upper(),
        "id": str(person.person.user_id),
        "email": person.person.email,
    }
    hashed = {
        f"sha256 of {name}": hashlib.sha256(word.encode()).hexdigest().encode()
        for name, word in words.items()
    }
    return {name: word.encode() for name, word in words.items()} | hashed


def places(project: Project) -> dict[str, bytes]:
    with psycopg.connect(project.admin_url, autocommit=True) as admin:
        admin.execute("analyze")
        statistics = admin.execute("select coalesce(string_agg(s::text, ' '), '') from pg_stats s").fetchone()
    assert statistics is not None
    command = [
        client_tool("pg_dump"),
        "--exclude-schema=retained",
        project.admin_url,
    ]  # what the law wants of invoices
    dump = subprocess.run(command, check=True, capture_output=True)
    return {"dump": dump.stdout, "statistics": statistics[0].encode(), "files": project.files}


async def test_who_was_erased_since_is_nowhere_and_the_other_is_everywhere(story: Story) -> None:
    inside = rows_of_backup(story.backup)
    assert inside.count(story.gone.marker.encode()) > 20  # without this, finding nothing would prove nothing
    assert story.done.erased == 1
    assert story.project.migrations == set(story.backup.migrations)
    kept = places(story.project)
    assert found(needles(story.gone), kept) == set()
    assert {place for name, _, place in found(needles(story.stays), kept) if name == "marker"} == set(kept)


async def test_the_other_has_every_row_that_a_backup_holds(story: Story) -> None:
    """Row for row, in every table with an owner; tokens and what lasts minutes are in no backup (P6.7, P3.8)."""
    user = story.stays.person.user_id
    with psycopg.connect(story.source_url) as source, psycopg.connect(story.project.admin_url) as target:
        excluded = {
            name for (name,) in source.execute("select relation from private.backup_exclusions").fetchall()
        }
        tables = source.execute(
            """select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
               join pg_attribute a on a.attrelid = c.oid and a.attname = 'user_id'
               where n.nspname in ('public', 'private', 'auth') and c.relkind in ('r', 'p') and not c.relispartition"""
        ).fetchall()
        changed = {
            "public.connections",
            "public.post_targets",
            "public.target_events",
            "public.notifications",
            "private.exports",
        }
        compared = 0
        for (table,) in tables:
            here, there = (
                db.execute(f"select t::text from {table} t where user_id = %s order by 1", (user,)).fetchall()
                for db in (source, target)
            )
            if table in excluded:
                assert there == [], table
            elif table in changed:
                assert len(here) <= len(there), table
            else:
                assert here == there, table
                compared += len(here)
        assert compared > 20
        states = target.execute(
            "select c.state, t.state from public.connections c, public.post_targets t where c.user_id = t.user_id"
        ).fetchone()
        assert states == ("needs_reconnect", "unconfirmed")  # nothing is posted twice
        assert target.execute("select count(*) from retained.billing_invoices").fetchone() == (1,)  # P8.3
        assert target.execute("select count(*) from private.ledger_faults()").fetchone() == (0,)
        owner = target.execute("select owner_id from storage.objects where bucket_id = 'media'").fetchall()
        assert owner == [(str(user),)]


async def test_the_private_bucket_is_a_place_like_a_folder(story: Story) -> None:
    place = BucketPlace(story.source)
    await place.store("erasures/one.nxe", _picture("one"))
    await place.store("two.nxb", _picture("two"))
    assert [file.name for file in await place.files("")] == ["two.nxb"]
    (one,) = await place.files("erasures")
    assert b"".join([block async for block in place.read("erasures/one.nxe", one.size)]) == b"\x89PNGone"
    await place.remove(["two.nxb", "erasures/one.nxe", "never there"])
    assert await place.files("erasures") == await place.files("") == []
    listed = await story.source.list_backup_files(("", ""), 10)
    assert {file.bucket_id for file in listed} == {"media"}  # no backup holds backups


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_large_project_is_backed_up_in_little_memory(story: Story, api: Api, tmp_path: Path) -> None:
    """Half a gigabyte of files and rows, under 200 MB."""

    async def film() -> AsyncIterator[bytes]:
        for _ in range(500):
            yield bytes(1_000_000)

    user = story.stays.person.user_id
    await story.source.upload_file("media", f"{user}/film.mp4", film(), "video/mp4")
    with psycopg.connect(api.admin_url) as admin:
        admin.execute(
            """insert into public.scripts (user_id, title, body)
               select %s, 'T', repeat(md5(n::text), 100) from generate_series(1, 50000) n""",
            (user,),
        )
    environment = {
        "PATH": os.environ["PATH"],
        "SUPABASE_URL": api.url,
        "SUPABASE_SECRET_KEY": api.secret_key,
        "SUPABASE_DB_URL": api.db_url,
        "NEXORA_TOKEN_KEYRING": new_keyring_json(),
        "NEXORA_BACKUP_TO": str(tmp_path),
    }
    assert _backed_up_in(environment) < 200_000_000
    assert sum(file.size for file in await FolderPlace(tmp_path).files("")) > 500_000_000


def _backed_up_in(environment: dict[str, str]) -> int:
    """Runs `./nexora backup`; answers the most memory that it or a program of it had, in bytes."""
    made = subprocess.Popen([sys.executable, "-m", "workers", "backup"], cwd=ROOT, env=environment)
    _, status, used = os.wait4(made.pid, 0)
    made.returncode = os.waitstatus_to_exitcode(status)
    assert made.returncode == 0
    return used.ru_maxrss * 1024


async def test_a_target_that_is_not_empty_is_refused(story: Story) -> None:
    with pytest.raises(RestoreError, match="1 people, 1 files"):
        await restore(VAULT, story.backup, story.project.target, story.tombstones, silent)


async def test_a_failure_leaves_nothing_and_a_drill_says_so(
    story: Story, stack: Stack, template_db: str, tmp_path: Path
) -> None:
    """An erasure that cannot be carried out again, here because the catalogue has a gap, stops the whole restore."""
    project = Project(stack, template_db)

    def migrate(root: Path, url: str) -> None:
        project.migrate(root, url)
        with psycopg.connect(url) as db:
            db.execute("create table public.unregistered (note text)")

    target = Target(project.target.database_url, project, migrate)
    with pytest.raises(DumpError, match="legal hold"):
        await restore(VAULT, story.backup, target, story.tombstones, silent)
    with psycopg.connect(project.admin_url) as db:
        assert db.execute("select count(*) from auth.users").fetchone() == (0,)
    stack.drop_database(project.name)
    await project.end()
    (tmp_path / "none").mkdir()
    code = await drill(story.source, VAULT, story.backup, tmp_path / "none", story.project.target)
    assert code == "TombstoneError"
    with psycopg.connect(story.source_url) as db:
        drilled = db.execute("select passed, code from private.backup_drills").fetchall()
    assert drilled == [(False, "TombstoneError")]
