"""The archive of an export: streamed, whole, and harmless to whatever opens it (P7.4)."""

from __future__ import annotations

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from workers.errors import FileMissingError
from workers.gateway import ExportArea, ExportDocument, Omission
from workers.jobs.archive import ArchiveError, ArchiveWriter, harmless

AT = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


class Source:
    """Rows and files in memory."""

    def __init__(self, chunks: dict[str, list[str]], files: dict[str, bytes] | None = None) -> None:
        self.chunks = chunks
        self.files = files or {}
        self.noted: list[tuple[int, int]] = []

    async def chunk(self, area: str, position: int) -> str:
        return self.chunks[area][position]

    async def file(self, bucket_id: str, name: str, size: int, part: int) -> AsyncIterator[bytes]:
        if name not in self.files:
            raise FileMissingError("read_part")
        for start in range(0, size, part):
            yield self.files[name][start : start + part]

    async def progress(self, rows: int, files: int) -> None:
        self.noted.append((rows, files))


def document(*areas: ExportArea) -> ExportDocument:
    return ExportDocument(
        export_id=uuid.uuid4(),
        user_id=uuid.uuid4(),
        requested_at=AT,
        snapshot_at=AT,
        catalogue_hash="a" * 64,
        object_name="u/e/x.zip",
        areas=areas,
        omissions=(Omission("private.token_vault.sealed_access", "secret"),),
    )


def files_area(rows: int) -> ExportArea:
    return ExportArea("files", "storage.objects", ("bucket_id", "name"), ("text", "text"), rows, 1)


def file_line(name: str, size: int) -> str:
    return json.dumps(
        {"bucket_id": "media", "name": name, "metadata": {"size": size, "mimetype": "image/png"}}
    )


async def written(writer: ArchiveWriter) -> zipfile.ZipFile:
    data = b"".join([part async for part in writer.stream()])
    assert (writer.size_bytes, writer.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    return zipfile.ZipFile(io.BytesIO(data))


def manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(archive.read("manifest.json"))
    return found


@pytest.mark.anyio
async def test_the_same_snapshot_gives_the_same_bytes() -> None:
    described = document(ExportArea("posts", "public.posts", ("id",), ("int",), 2, 1))
    source = Source({"posts": ['{"id": 1}\n{"id": 2}']})
    first, second = [
        b"".join([part async for part in ArchiveWriter(described, source).stream()]) for _ in range(2)
    ]
    assert first == second
    assert source.noted[-1] == (2, 0)


@pytest.mark.anyio
async def test_no_rows_still_give_files_with_a_heading() -> None:
    archive = await written(
        ArchiveWriter(
            document(ExportArea("posts", "public.posts", ("id", "body"), ("int", "text"), 0, 0)), Source({})
        )
    )
    assert archive.read("data/posts.ndjson") == b""
    assert archive.read("csv/posts.csv") == b"id,body\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize("rows", [1, 3])
async def test_a_snapshot_with_other_rows_than_it_says_is_refused(rows: int) -> None:
    writer = ArchiveWriter(
        document(ExportArea("posts", "public.posts", ("id",), ("int",), rows, 1)),
        Source({"posts": ['{"id": 1}\n{"id": 2}']}),
    )
    with pytest.raises(ArchiveError):
        await written(writer)


@pytest.mark.anyio
async def test_a_missing_file_is_named_and_the_archive_does_not_count_as_whole() -> None:
    writer = ArchiveWriter(
        document(files_area(2)),
        Source({"files": [f"{file_line('u/a.png', 3)}\n{file_line('u/b.png', 3)}"]}, {"u/a.png": b"abc"}),
    )
    archive = await written(writer)
    found = manifest(archive)
    assert archive.read("media/media/a.png") == b"abc"
    assert writer.missing == [Omission("media/u/b.png", "missing")]
    assert not found["is_complete"]
    assert found["totals"]["media"] == 1
    assert {"what": "media/u/b.png", "reason": "missing"}.items() <= found["omissions"][-1].items()


@pytest.mark.anyio
async def test_names_of_files_stay_inside_the_archive_and_apart() -> None:
    names = [
        "u/../../etc/passwd",
        "u/a/./b.png",
        "u/A/b.png",
        "u/..",
        "u/c:\\x?.png",
        "u/\u202egnp.exe",
        "u/" + "n" * 400,
    ]
    writer = ArchiveWriter(
        document(files_area(len(names))),
        Source({"files": ["\n".join(file_line(name, 1) for name in names)]}, dict.fromkeys(names, b"x")),
    )
    archive = await written(writer)
    paths = [file["path"] for file in manifest(archive)["files"] if "stored_as" in file]
    assert len({path.casefold() for path in paths}) == len(names)
    for path in paths:
        assert path.startswith("media/media")
        assert ".." not in path.split("/")
        assert not set('\\:*?"<>|') & set(path)
    assert [archive.read(path) for path in paths] == [b"x"] * len(names)


@pytest.mark.anyio
async def test_the_page_shows_nothing_unescaped_and_runs_nothing() -> None:
    area = ExportArea("posts", "public.posts", ("id",), ("int",), 0, 0)
    page = (await written(ArchiveWriter(document(area), Source({})))).read("README.html").decode()
    assert "<script" not in page
    assert "http" not in page
    assert "keys and tokens" in page


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\x00=1", " =1", "＝1", "＋1", "－1+1", "＠x",
     "\u200b=1", "\ufeff=1", "\u00a0=1", "\u2060 =1", "|calc", "\tplain"],
)  # fmt: skip
def test_what_a_spreadsheet_could_take_for_a_formula_is_made_text(text: str) -> None:
    assert harmless(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["", "-5", "-5.25", "12", "plain", "a=b", "é", "🌅", "שלום", "{}", " spaced "]
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.anyio
async def test_numbers_keep_their_digits() -> None:
    area = ExportArea("costs", "public.costs", ("n", "t", "j"), ("bigint", "boolean", "jsonb"), 1, 1)
    line = '{"n": 9007199254740993, "t": true, "j": {"a": 1.10}}'
    archive = await written(ArchiveWriter(document(area), Source({"costs": [line]})))
    assert archive.read("csv/costs.csv").decode() == 'n,t,j\r\n9007199254740993,true,"{""a"": ""1.10""}"\r\n'
