"""The source tree: `sql/build.sql` is its contents page and the only ordering authority.

`sql/<context>/<stem>.sql` says what exists, `policies/<context>/<stem>.sql` who may. A context is a numbered
folder; all its sql files are applied before its policies files, and contexts in ascending order.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg

from workers.schema import sqltext
from workers.schema.errors import ApplyError, SourceError

BUILD_FILE = "sql/build.sql"
_INCLUDE = re.compile(r"\\ir (?P<path>\S+)")
_SOURCE_PATH = re.compile(
    r"(?P<kind>sql|policies)/(?P<number>\d\d)_(?P<name>[a-z_]+)/(?P<stem>[a-z0-9_]+)\.sql"
)
_CREATED = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:unlogged\s+)?(?:table|view|function|procedure|type|domain|sequence)\s+"
    r"(?:if\s+not\s+exists\s+)?(?P<name>(?:public|private|worker|retained)\.\w+)",
    re.IGNORECASE,
)
_USED = re.compile(r"\b(?:public|private|worker|retained)\.[a-z_]\w*")


@dataclass(frozen=True)
class SourceFile:
    """One file; `path` is relative to the repository, with forward slashes."""

    path: str
    text: str

    @property
    def is_policy(self) -> bool:
        return self.path.startswith("policies/")

    @property
    def context(self) -> str:
        return self.path.split("/")[1]

    @property
    def stem(self) -> str:
        return self.path.rsplit("/", 1)[1].removesuffix(".sql")


@dataclass(frozen=True)
class Context:
    """A numbered folder such as `10_identity`, with its files in the order of `sql/build.sql`."""

    label: str
    files: tuple[SourceFile, ...]

    @property
    def number(self) -> int:
        return int(self.label[:2])

    @property
    def name(self) -> str:
        return self.label[3:]


def load(root: Path) -> tuple[Context, ...]:
    """Reads the source tree below `root`.

    Raises:
        SourceError: `sql/build.sql` and the folders do not agree, or the order breaks a rule.
    """
    listed, faults = _listed_paths(root)
    faults += _listing_faults(root, listed)
    if faults:
        raise SourceError(faults)
    files = [SourceFile(path, (root / path).read_text()) for path in listed]
    faults = [*_order_faults(files), *_twin_faults(files)]
    if faults:
        raise SourceError(faults)
    labels = list(dict.fromkeys(file.context for file in files))
    return tuple(Context(label, tuple(file for file in files if file.context == label)) for label in labels)


def dependency_faults(contexts: Sequence[Context]) -> list[str]:
    """Names of a context that a lower one uses. Function bodies count: they would bind late and fail at run
    time.
    """
    home = {
        match["name"].lower(): context
        for context in contexts
        for file in context.files
        for match in _CREATED.finditer(sqltext.bare(file.text))
    }
    faults = []
    for context in contexts:
        for file in context.files:
            for name in sorted(set(_USED.findall(sqltext.bare(file.text)))):
                if name in home and home[name].number > context.number:
                    faults.append(f"{file.path}: uses {name}, which belongs to the higher {home[name].label}")
    return faults


def apply(root: Path, connection: psycopg.Connection[Any]) -> None:
    """Builds the schema in the database of `connection`, one transaction per context.

    The role is `postgres`, as on the hosted service: what needs a superuser fails here, too.

    Raises:
        SourceError: the tree breaks a rule; the database is untouched.
        ApplyError: a statement failed; nothing of its context is kept.
    """
    for context in load(root):
        with connection.transaction():
            connection.execute("reset all")  # as the official runner does before each migration
            for file in context.files:
                _apply_file(connection, file)


def _apply_file(connection: psycopg.Connection[Any], file: SourceFile) -> None:
    for statement in sqltext.statements(file.text):
        try:
            connection.execute(statement.text.encode())
        except psycopg.Error as error:
            raise ApplyError(_explain(file.path, statement, error)) from error


def _explain(path: str, statement: sqltext.Statement, error: psycopg.Error) -> str:
    said = error.diag
    position = int(said.statement_position or 1) - 1
    line = statement.line + statement.text.count("\n", 0, position)
    head = f"{path}:{line}: {said.sqlstate or 'no SQLSTATE'} {said.message_primary or error}"
    more = [("detail", said.message_detail), ("hint", said.message_hint), ("where", said.context)]
    first_line = statement.text.split("\n", 1)[0]
    return "\n".join([head, f"  in: {first_line}", *(f"  {name}: {text}" for name, text in more if text)])


def _listed_paths(root: Path) -> tuple[list[str], list[str]]:
    paths, faults = [], []
    build = root / BUILD_FILE
    if not build.exists():
        return [], [f"{BUILD_FILE}: missing"]
    for number, line in enumerate(build.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("--"):
            continue
        match = _INCLUDE.fullmatch(line.rstrip())
        path = _resolve(match["path"]) if match else None
        if path is None:
            faults.append(
                f"{BUILD_FILE}:{number}: neither a comment nor `\\ir CONTEXT/file.sql`: {line.strip()}"
            )
        else:
            paths.append(path)
    return paths, faults


def _resolve(written: str) -> str | None:
    """`\\ir` is relative to `sql/`. Returns a path relative to the repository, or None for one that is not
    ours.
    """
    path = written.removeprefix("../") if written.startswith("../policies/") else f"sql/{written}"
    return path if _SOURCE_PATH.fullmatch(path) else None


def _listing_faults(root: Path, listed: Sequence[str]) -> Iterator[str]:
    present = {
        path.relative_to(root).as_posix()
        for folder in ("sql", "policies")
        for path in (root / folder).rglob("*.sql")
        if path != root / BUILD_FILE
    }
    for path in sorted(present - set(listed)):
        reason = (
            "not listed in"
            if _SOURCE_PATH.fullmatch(path)
            else "its name is not NN_context/stem.sql, so not in"
        )
        yield f"{path}: {reason} {BUILD_FILE}"
    for path in sorted(set(listed) - present):
        yield f"{BUILD_FILE}: lists {path}, which does not exist"
    for path in sorted({path for path in listed if listed.count(path) > 1}):
        yield f"{BUILD_FILE}: lists {path} more than once"


def _order_faults(files: Sequence[SourceFile]) -> Iterator[str]:
    labels = {file.context[:2]: file.context for file in files}
    for file in files:
        if labels[file.context[:2]] != file.context:
            yield f"{file.path}: number {file.context[:2]} belongs to {labels[file.context[:2]]} as well"
    for before, after in pairwise(files):
        if (before.context, before.is_policy) > (after.context, after.is_policy):
            yield f"{BUILD_FILE}: {after.path} must stand before {before.path}"


def _twin_faults(files: Sequence[SourceFile]) -> Iterator[str]:
    stems = {(file.context, file.stem) for file in files if not file.is_policy}
    for file in files:
        if file.is_policy and (file.context, file.stem) not in stems:
            yield f"{file.path}: has no twin sql/{file.context}/{file.stem}.sql"
