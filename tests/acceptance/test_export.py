"""P7.4: from the request to an archive that can be imported again, through the real worker, bucket and link."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import psycopg
import pytest
from psycopg import sql

from nexora_client import Export, ExportState
from tests.client.people import Person, new_person
from tests.sandbox.flow import png
from tests.support.api import Api
from tests.support.running import RunningWorker, running_worker
from tests.support.waiting import wait_until
from workers.embedded import Stack
from workers.sandbox import Sandbox

MOST = 200_000_000


@pytest.fixture(scope="module")
def worker(
    quick_api: Api, sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningWorker]:
    with running_worker(quick_api, sandbox, tmp_path_factory.mktemp("logs")) as running:
        yield running


def exported(person: Person, timeout: float = 60) -> Export:
    """Ask for an export, and wait until it is made."""
    asked = person.client.privacy.request_export()

    def settled() -> Export | None:
        (found,) = [export for export in person.client.privacy.exports() if export.id == asked.id]
        return None if found.state in (ExportState.REQUESTED, ExportState.BUILDING) else found

    export = wait_until(settled, timeout, every=0.1)
    assert export is not None
    assert export.state is ExportState.READY, export.code
    return export


def fetched(person: Person, export: Export, path: Path) -> zipfile.ZipFile:
    """Click the link and download the archive to `path`."""
    link = person.client.privacy.open_export(export.id)
    answer = httpx.get(link)
    assert answer.status_code == 303
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert httpx.get(link).status_code == 404, "a link works once"
    digest = hashlib.sha256()
    with httpx.stream("GET", answer.headers["location"]) as response, path.open("wb") as file:
        assert response.status_code == 200
        assert "attachment" in response.headers["content-disposition"]
        for chunk in response.iter_bytes():
            digest.update(chunk)
            file.write(chunk)
    assert (digest.hexdigest(), path.stat().st_size) == (export.sha256, export.size_bytes)
    return zipfile.ZipFile(path)


def rows_of(archive: zipfile.ZipFile, area: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in archive.read(f"data/{area}.ndjson").decode().splitlines()]


FORMULAS = ["=1+1", "\t=1", "＝1", "\u200b=1", "@x", "-5", "-5+1", 'plain, "quoted"\nline', "🌅 שלום"]


def test_the_archive_is_whole_and_can_be_imported_again(
    quick_api: Api, worker: RunningWorker, tmp_path: Path
) -> None:
    with new_person(quick_api) as ada, new_person(quick_api) as bob:
        for text in FORMULAS:
            ada.client.content.captions.create(text)
        script = ada.client.content.scripts.create("Opening", "Fade in.")
        post = ada.client.content.posts.create("First light.", script_id=script.id)
        media = ada.client.content.media.upload(png(), "image/png", alt_text="A harbour")
        ada.client.content.posts.attach(post.id, media.id)
        bob.client.content.captions.create("of-bob")
        archive = fetched(ada, exported(ada), tmp_path / "ada.zip")
        assert archive.testzip() is None
        _check_manifest(archive, ada, png())
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert b"of-bob" not in content
        assert str(bob.user_id).encode() not in content
        _check_csv(archive)
        _check_import(quick_api, archive, ada)
    assert "captions" not in worker.log_text(), "P1.11"


def _check_manifest(archive: zipfile.ZipFile, person: Person, image: bytes) -> None:
    manifest = json.loads(archive.read("manifest.json"))
    assert manifest["subject"] == str(person.user_id)
    assert manifest["is_complete"]
    assert re.fullmatch("[0-9a-f]{64}", manifest["catalogue_hash"])
    listed = {file["path"]: file for file in manifest["files"]}
    assert set(listed) == set(archive.namelist()) - {"manifest.json"}
    for path, file in listed.items():
        content = archive.read(path)
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        if path.endswith(".ndjson"):
            assert content.count(b"\n") == file["rows"]
    (stored,) = [file for path, file in listed.items() if path.startswith("media/")]
    assert archive.read(stored["path"]) == image
    reasons = {omission["reason"] for omission in manifest["omissions"]}
    assert {"secret", "third_party", "derived"} <= reasons


def _check_csv(archive: zipfile.ZipFile) -> None:
    table = list(csv.DictReader(io.StringIO(archive.read("csv/captions.csv").decode(), newline="")))
    bodies = {row["body"] for row in table}
    harmless = {text if text in ("-5", *FORMULAS[7:]) else f"'{text}" for text in FORMULAS}
    assert bodies == harmless
    assert {row["body"] for row in rows_of(archive, "captions")} == set(FORMULAS), "NDJSON is exact"


def _check_import(api: Api, archive: zipfile.ZipFile, person: Person) -> None:
    """Into tables of the same shape in an empty schema, and compared row for row."""
    manifest = json.loads(archive.read("manifest.json"))
    with psycopg.connect(api.admin_url) as db:
        db.execute("create schema imported")
        for area in manifest["areas"]:
            schema, table = area["place"].split(".")
            columns = sql.SQL(", ").join(map(sql.Identifier, area["columns"]))
            target, origin = sql.Identifier("imported", area["area"]), sql.Identifier(schema, table)
            db.execute(
                sql.SQL("create table {} as select {} from {} with no data").format(target, columns, origin)
            )
            for line in archive.read(f"data/{area['area']}.ndjson").decode().splitlines():
                db.execute(
                    sql.SQL("insert into {} select * from json_populate_record(null::{}, %s)").format(
                        target, target
                    ),
                    (line,),
                )
            mine = db.execute("select private.subject_predicate(%s, %s)", (schema, table)).fetchone()
            assert mine is not None
            where = sql.SQL(mine[0].replace("$1", "%(person)s::uuid").replace("/%'", "/%%'"))
            query = sql.SQL("(select {c} from {o} t where {w}) except all (select {c} from {t})")
            lost = db.execute(
                query.format(c=columns, o=origin, t=target, w=where), {"person": person.user_id}
            ).fetchall()
            if area["area"] not in (
                "files",
                "mails",
                "notifications",
                "rights_requests",
            ):  # the export itself has added to these
                assert lost == [], area["area"]
            count = db.execute(sql.SQL("select count(*) from {}").format(target)).fetchone()
            assert count == (area["rows"],)
        db.rollback()


def test_the_link_is_the_persons_alone_and_the_file_goes_when_it_is_cancelled(
    quick_api: Api, worker: RunningWorker, tmp_path: Path
) -> None:
    with new_person(quick_api) as ada:
        export = exported(ada)
        link = ada.client.privacy.open_export(export.id)
        assert httpx.head(link).status_code == 405, "what previews a link must not spend it"
        assert httpx.get(link[:-1] + ("0" if link[-1] != "0" else "1")).status_code == 404
        assert httpx.get(f"{worker.web_url}/export/..%2F..").status_code == 404
        url = httpx.get(link).headers["location"]
        parts = urlsplit(url)
        other = parts._replace(path=parts.path.replace("/exports/", "/media/")).geturl()
        assert httpx.get(url).status_code == 200
        assert httpx.get(other).status_code == 400
        ada.client.privacy.cancel_export(export.id)
        wait_until(lambda: httpx.get(url).status_code == 400)


def _stored(api: Api, stack: Stack, object_name: str) -> Path:
    """The file in which the embedded storage keeps an object of bucket media."""
    name = hashlib.sha256(f"media/{object_name}".encode()).hexdigest()
    database = re.sub(r".*/([^/?]+)(\?.*)?$", r"\1", api.db_url)
    return Path(str(stack.api_config()["filesDirectory"])) / quote(database, safe="") / name[:2] / name


@pytest.mark.parametrize(
    ("rows", "size"),
    [(2_000, 40_000_000), pytest.param(100_000, 1_073_741_824, marks=pytest.mark.slow)],
)
def test_much_is_exported_in_little_memory(
    quick_api: Api, stack: Stack, worker: RunningWorker, tmp_path: Path, rows: int, size: int
) -> None:
    with new_person(quick_api) as ada:
        media = ada.client.content.media.upload(png(), "image/png")
        os.truncate(_stored(quick_api, stack, media.object_name), size)
        with psycopg.connect(quick_api.admin_url, autocommit=True) as db:
            db.execute(
                """update storage.objects set metadata = metadata || jsonb_build_object('size', %s::bigint)
                   where name = %s""",
                (size, media.object_name),
            )
            db.execute(
                """insert into public.captions (user_id, body)
                   select %s, repeat('word ', 60) || n from generate_series(1, %s) n""",
                (ada.user_id, rows),
            )
        export = exported(ada, 500)
        assert (export.rows_total, export.files_done) >= (rows, 1)
        assert export.size_bytes is not None
        assert export.size_bytes > size
        status = Path(f"/proc/{worker.pid}/status").read_text()
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
        assert int(peak) * 1024 < MOST
