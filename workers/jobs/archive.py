"""Writes the archive of an export as a stream: nothing is held whole, whatever its size (P7.4).

The archive is a ZIP with, in this order, `data/<area>.ndjson` (authoritative: one row of JSON a line),
`csv/<area>.csv` (the same for spreadsheets, with formulas made harmless), `media/…`, `README.html` and
`manifest.json`, which names every other file with size and SHA-256, and everything that was left out with
the reason.
"""

from __future__ import annotations

import csv
import hashlib
import html
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final, Protocol

from workers.errors import FileMissingError, NexoraError
from workers.gateway import ExportArea, ExportDocument, Omission

__all__ = ["ArchiveError", "ArchiveSource", "ArchiveWriter", "harmless"]

FORMAT: Final = "nexora-export"
FORMAT_VERSION: Final = 1
_PART: Final = 4 * 1024 * 1024
_FLUSH: Final = 256 * 1024
_FORMULA: Final = frozenset("=+-@|%−")
_UNSEEN: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_REASONS: Final[Mapping[str, str]] = {
    "secret": "keys and tokens, which would give access to your accounts",
    "third_party": "data of other people",
    "derived": "derived from the rest, or about the machinery",
    "missing": "files that could not be read when the archive was made",
}


class ArchiveError(NexoraError):
    """The snapshot is not what it was said to be; it has to be taken again."""

    code = "archive_incomplete"


class _Number(str):
    """A number as it was written: nothing is rounded on the way."""

    __slots__ = ()


class ArchiveSource(Protocol):
    """Where an archive gets its content from."""

    async def chunk(self, area: str, position: int) -> str:
        """Lines of JSON."""
        ...

    def file(self, bucket_id: str, name: str, size: int, part: int) -> AsyncIterator[bytes]:
        """A stored file in parts of at most `part` bytes.

        Raises:
            FileMissingError: before the first part: it is not there.
        """
        ...

    async def progress(self, rows: int, files: int) -> None:
        """Called often: what is done so far."""
        ...


def harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula; what is a plain number stays one.

    A formula may hide behind characters that are not seen, and be written in other widths (OWASP ASVS 1.2.10).
    """
    if not text or _NUMBER.fullmatch(text):
        return text
    seen = next((c for c in text if unicodedata.category(c) not in _UNSEEN), "")
    first = unicodedata.normalize("NFKC", seen)[:1]
    if first in _FORMULA or unicodedata.category(text[0]) == "Cc":
        return "'" + text
    return text


class _Sink(io.RawIOBase):
    """Takes what the ZIP writer gives, in order; there is no way back, so it writes as to a pipe."""

    def __init__(self) -> None:
        self._parts = bytearray()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        raise io.UnsupportedOperation

    def write(self, data: Any) -> int:
        self._parts += data
        return len(data)

    def __len__(self) -> int:
        return len(self._parts)

    def take(self) -> bytes:
        taken = bytes(self._parts)
        self._parts.clear()
        return taken


@dataclass(slots=True)
class _Entry:
    """A file of the archive while it is written."""

    target: Any
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, data: bytes) -> None:
        self.target.write(data)
        self.digest.update(data)
        self.size += len(data)


class ArchiveWriter:
    """One archive. Iterate `stream()` once, to its end; then the attributes hold.

    Args:
        document: the snapshot.
        source: its content.

    Attributes:
        size_bytes, sha256: of the whole archive.
        missing: files that were listed and not there.
    """

    def __init__(self, document: ExportDocument, source: ArchiveSource) -> None:
        self._document = document
        self._source = source
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=6)
        moment = document.snapshot_at.astimezone(UTC)
        self._moment = moment.timetuple()[:6]
        self._digest = hashlib.sha256()
        self._files: list[dict[str, object]] = []
        self._names: set[str] = set()
        self._rows = 0
        self._media = 0
        self.size_bytes = 0
        self.missing: list[Omission] = []

    @property
    def sha256(self) -> str:
        """Hexadecimal, of everything that was streamed so far."""
        return self._digest.hexdigest()

    async def stream(self) -> AsyncIterator[bytes]:
        """The bytes of the archive.

        Raises:
            ArchiveError: the snapshot has other rows than it says.
            NexoraError: what the source raises.
        """
        async for _ in self._write():
            if len(self._sink) >= _FLUSH:
                yield self._taken()
        self._zip.close()
        yield self._taken()

    def _taken(self) -> bytes:
        data = self._sink.take()
        self._digest.update(data)
        self.size_bytes += len(data)
        return data

    async def _write(self) -> AsyncIterator[None]:
        for area in self._document.areas:
            async for _ in self._write_area(area):
                yield
        for area in self._document.areas:
            if area.area == "files":
                async for _ in self._write_media(area):
                    yield
        self._write_text("README.html", "text/html", _readme(self._document, self.missing))
        manifest = json.dumps(self._manifest(), ensure_ascii=False, indent=1)
        self._write_text("manifest.json", "application/json", manifest)

    # --- rows ----------------------------------------------------------------------------------------------

    async def _write_area(self, area: ExportArea) -> AsyncIterator[None]:
        rows = 0
        with self._entry(f"data/{area.area}.ndjson", "application/x-ndjson", area=area) as entry:
            async for lines in self._chunks(area):
                rows += len(lines)
                entry.write("".join(f"{line}\n" for line in lines).encode())
                self._rows += len(lines)
                await self._source.progress(self._rows, self._media)
                yield
        if rows != area.rows:
            raise ArchiveError
        with self._entry(f"csv/{area.area}.csv", "text/csv", area=area) as entry:
            entry.write(_csv([area.columns]))
            async for lines in self._chunks(area):
                entry.write(_csv(_cells(line, area.columns) for line in lines))
                yield

    async def _chunks(self, area: ExportArea) -> AsyncIterator[list[str]]:
        for position in range(area.chunks):
            body = await self._source.chunk(area.area, position)
            yield body.split("\n")

    # --- files ---------------------------------------------------------------------------------------------

    async def _write_media(self, area: ExportArea) -> AsyncIterator[None]:
        async for lines in self._chunks(area):
            for line in lines:
                async for _ in self._write_file(json.loads(line)):
                    yield
                await self._source.progress(self._rows, self._media)

    async def _write_file(self, row: Mapping[str, Any]) -> AsyncIterator[None]:
        bucket, name = str(row["bucket_id"]), str(row["name"])
        stored = row.get("metadata") or {}
        parts = self._source.file(bucket, name, int(stored.get("size") or 0), _PART)
        try:
            first = await anext(parts, b"")
        except FileMissingError:
            self.missing.append(Omission(f"{bucket}/{name}", "missing"))
            return
        kind = str(stored.get("mimetype") or "application/octet-stream")
        path = self._free_name(f"media/{bucket}", name)
        with self._entry(path, kind, stored_as=f"{bucket}/{name}", is_media=True) as entry:
            entry.write(first)
            yield
            async for part in parts:
                entry.write(part)
                yield
        self._media += 1

    def _free_name(self, folder: str, name: str) -> str:
        """A path that stays inside the archive's folder and that nothing else has, whatever the file is called."""
        parts = [_UNSAFE.sub("_", part).strip(" .") for part in name.split("/")[1:]]
        base = "/".join([folder, *(part[:120] for part in parts if part)])
        path, number = base, 1
        while path.casefold() in self._names or path == folder:
            number += 1
            path = f"{base}-{number}"
        self._names.add(path.casefold())
        return path

    # --- entries -------------------------------------------------------------------------------------------

    def _entry(
        self,
        path: str,
        kind: str,
        *,
        area: ExportArea | None = None,
        stored_as: str | None = None,
        is_media: bool = False,
    ) -> _OpenEntry:
        info = zipfile.ZipInfo(path, date_time=self._moment)
        info.compress_type = zipfile.ZIP_STORED if is_media else zipfile.ZIP_DEFLATED
        entry = _Entry(self._zip.open(info, "w", force_zip64=True))

        def done() -> None:
            described: dict[str, object] = {"path": path, "media_type": kind, "bytes": entry.size}
            described["sha256"] = entry.digest.hexdigest()
            if area is not None:
                described |= {"area": area.area, "rows": area.rows}
            if stored_as is not None:
                described["stored_as"] = stored_as
            self._files.append(described)

        return _OpenEntry(entry, done)

    def _write_text(self, path: str, kind: str, text: str) -> None:
        with self._entry(path, kind) as entry:
            entry.write(text.encode())

    def _manifest(self) -> dict[str, object]:
        document = self._document
        return {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "export_id": str(document.export_id),
            "subject": str(document.user_id),
            "requested_at": document.requested_at.isoformat(),
            "snapshot_at": document.snapshot_at.isoformat(),
            "catalogue_hash": document.catalogue_hash,
            "is_complete": not self.missing,
            "totals": {"rows": self._rows, "media": self._media, "files": len(self._files)},
            "areas": [
                {
                    "area": area.area,
                    "place": area.place,
                    "rows": area.rows,
                    "columns": dict(zip(area.columns, area.types, strict=True)),
                }
                for area in document.areas
            ],
            "files": self._files,
            "omissions": [
                {"what": omission.what, "reason": omission.reason, "meaning": _REASONS[omission.reason]}
                for omission in (*document.omissions, *self.missing)
            ],
        }


@dataclass(slots=True)
class _OpenEntry:
    entry: _Entry
    done: Callable[[], None]

    def __enter__(self) -> _Entry:
        return self.entry

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.entry.target.close()
        if kind is None:
            self.done()


def _cells(line: str, columns: tuple[str, ...]) -> list[str]:
    row = json.loads(line, parse_int=_Number, parse_float=_Number)
    return [_cell(row.get(column)) for column in columns]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return value
    if isinstance(value, str):
        return harmless(value)
    return harmless(json.dumps(value, ensure_ascii=False, sort_keys=True))


def _csv(rows: Any) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode()


_STYLE: Final = (
    "body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1.25rem;color:#1d1d28}"
    "h1{font-size:1.7rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.25rem 0 .5rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .75rem .4rem 0;"
    "border-bottom:1px solid #e3e3ec}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    "p.s{color:#5b5b6d;margin:0}code{background:#f3f3f8;padding:.1rem .3rem;border-radius:.25rem}"
)


def _readme(document: ExportDocument, missing: list[Omission]) -> str:
    """The page to open first; plain HTML, without scripts and without anything from elsewhere."""
    return "\n".join(_readme_lines(document, missing)) + "\n"


def _readme_lines(document: ExportDocument, missing: list[Omission]) -> Iterator[str]:
    moment = document.snapshot_at.astimezone(UTC).strftime("%d %B %Y, %H:%M UTC")
    yield "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Your data at Nexora OS</title>"
    yield f"<meta name='viewport' content='width=device-width'><style>{_STYLE}</style></head><body>"
    yield f"<h1>Your data at Nexora OS</h1><p class='s'>Everything as of {html.escape(moment)}.</p>"
    yield "<h2>What is in here</h2><table><tr><th>Area</th><th class='n'>Rows</th><th>Files</th></tr>"
    for area in document.areas:
        name = html.escape(area.area)
        yield (
            f"<tr><td>{html.escape(area.area.replace('_', ' '))}</td><td class='n'>{area.rows}</td>"
            f"<td><a href='data/{name}.ndjson'>NDJSON</a> · <a href='csv/{name}.csv'>CSV</a></td></tr>"
        )
    yield "</table><p>Pictures, videos and documents that you uploaded are in the folder <code>media</code>.</p>"
    yield "<h2>How to read it</h2><p>NDJSON is the complete form: one row of JSON a line, times in UTC, exact "
    yield "decimals as text. CSV is the same for spreadsheets; a cell that could act as a formula begins with an "
    yield "apostrophe. <code>manifest.json</code> names every file with its size and SHA-256.</p>"
    yield "<h2>What is not in here</h2><ul>"
    for reason in sorted({omission.reason for omission in (*document.omissions, *missing)}):
        yield f"<li>{html.escape(_REASONS[reason])}</li>"
    yield "</ul><p>The manifest lists each of it.</p></body></html>"
