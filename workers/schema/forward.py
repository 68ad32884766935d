"""Migrations after the first release: one forward file per change of the sources.

`pgdelta` writes the statements for the schema. What it leaves out or gets wrong is written here: privileges
(see `privileges`), policies on the tables of Storage, reference rows. The result is applied to a copy and
compared with the sources again, so that a migration that does not lead there is never taken for done.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import psycopg

from workers.schema import baseline, catalogue, compare, privileges, sqltext, tools
from workers.schema.errors import FrozenError, SchemaError
from workers.schema.scratch import Scratch

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PRIVILEGE_STATEMENT = re.compile(r"(?:GRANT|REVOKE)\b")
_LOSS = re.compile(r"DROP (?:TABLE|SCHEMA|TYPE)\b|ALTER TABLE\b.*\bDROP COLUMN\b", re.DOTALL)
_COMMANDS = {"r": "select", "a": "insert", "w": "update", "d": "delete", "*": "all"}
_PARTITION_REGISTER = "private.partitioned_tables"
_SEALED = "private.guards"
_SEAL = "-- ==== Seal: what an attestation compares with\n\nselect private.seal_guards();\n"
_STORAGE_POLICIES = """
select p.polname, c.oid::regclass::text, p.polpermissive, p.polcmd::text,
       array(select case r when 0 then 'public' else pg_get_userbyid(r)::text end
             from unnest(p.polroles) r order by r),
       pg_get_expr(p.polqual, c.oid), pg_get_expr(p.polwithcheck, c.oid)
from pg_policy p join pg_class c on c.oid = p.polrelid
where c.relnamespace = 'storage'::regnamespace order by 2, 1
"""
_FOREIGN_KEYS = """
select conrelid::regclass::text, confrelid::regclass::text
from pg_constraint where contype = 'f' and conrelid <> confrelid
"""

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Draft:
    """A migration that is not written yet.

    `losses` are its statements that delete what people may have stored; `open_ends` is what it does not
    reach, to be completed by hand.
    """

    file_name: str
    text: str
    losses: tuple[str, ...]
    open_ends: tuple[str, ...]


def draft(root: Path, scratch: Scratch, name: str, now: datetime) -> Draft | None:
    """The migration from what `supabase/migrations` builds to what the sources say; None when both are equal.

    Args:
        name: what changes, in snake_case; becomes part of the file name.
        now: instant (UTC) from which the version is made.

    Raises:
        FrozenError: a frozen file was changed, or `now` is not after the newest migration.
    """
    if not _NAME.fullmatch(name):
        raise SchemaError(f"{name!r} is no migration name: use snake_case, such as add_captions")
    faults = baseline.frozen_faults(root)
    if faults:
        raise FrozenError("\n".join(faults))
    file_name = f"{now:%Y%m%d%H%M%S}_{name}.sql"
    if file_name <= max(baseline.existing(root), default=""):
        raise FrozenError(f"{file_name} would come before migrations that exist; is the clock right?")
    wanted, found = scratch.from_sources(root), scratch.from_migrations(root)
    with catalogue.connect(wanted) as a, catalogue.connect(found) as b:
        for connection in (a, b):
            catalogue.drop_dated_partitions(connection)
        sections = _sections(a, b, _schema_part(found, wanted))
        if not sections:
            return None
        text = "\n".join([_header(name, now), *sections])
        b.execute(text.encode())
        open_ends = compare.difference(
            catalogue.read(b), catalogue.read(a), found_in="migration", wanted_in="sources"
        )
    losses = [statement.text for statement in sqltext.statements(text) if _LOSS.match(statement.text)]
    return Draft(file_name, text, tuple(losses), tuple(open_ends))


def write(root: Path, draft: Draft) -> Path:
    path = root / baseline.MIGRATIONS / draft.file_name
    path.write_text(draft.text)
    return path


def _header(name: str, now: datetime) -> str:
    title = name.replace("_", " ")
    return (
        f"-- {title[0].upper()}{title[1:]}.\n"
        f"-- Written by `./nexora db new {name}` on {now:%Y-%m-%d}: the difference between the migrations\n"
        "-- before it and the sources. Read it, add what existing rows need, run `./nexora db check`.\n"
        "-- From the next `./nexora db freeze` on it never changes.\n"
    )


def _sections(a: Connection, b: Connection, schema: str) -> list[str]:
    """The parts of the migration that are not empty."""
    sections = [("Schema (pgdelta)", schema)]
    # The rest is compared after the schema part, in a transaction that is undone: then tables and columns
    # are the same on both sides.
    with b.transaction(force_rollback=True):
        if schema:
            b.execute(schema.encode())
        privilege_lines = privileges.statements(privileges.read(b), privileges.read(a))
        sections.append(("Privileges", "\n".join(privilege_lines)))
        sections.append(("Policies on Storage (pgdelta leaves them out)", "\n".join(_storage_policies(a, b))))
        sections.append(("Reference rows", "\n".join(_reference_rows(a, b))))
    written = [f"-- ==== {title}\n\n{text}\n" for title, text in sections if text]
    has_seal = a.execute("select to_regprocedure('private.seal_guards()') is not null").fetchone() == (True,)
    return [*written, _SEAL] if written and has_seal else written


def _schema_part(found: str, wanted: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        rendered = tools.schema_migration(found, wanted, Path(folder))
    kept = [s.text for s in sqltext.statements(rendered) if not _PRIVILEGE_STATEMENT.match(s.text)]
    return "\n\n".join(f"{text};" for text in kept)


def _storage_policies(a: Connection, b: Connection) -> Iterator[str]:
    wanted = {(row[0], row[1]): row for row in a.execute(_STORAGE_POLICIES)}
    found = {(row[0], row[1]): row for row in b.execute(_STORAGE_POLICIES)}
    for key in sorted(wanted.keys() | found.keys()):
        if wanted.get(key) == found.get(key):
            continue
        name, table = key
        yield f"drop policy if exists {name} on {table};"
        if key in wanted:
            yield _create_policy(*wanted[key])


def _create_policy(
    name: str,
    table: str,
    permissive: bool,
    command: str,
    roles: list[str],
    using: str | None,
    check: str | None,
) -> str:
    kind = "" if permissive else " as restrictive"
    parts = [f"create policy {name} on {table}{kind} for {_COMMANDS[command]} to {', '.join(roles)}"]
    parts += [f"using ({using})"] if using else []
    parts += [f"with check ({check})"] if check else []
    return "\n  ".join(parts) + ";"


def _reference_rows(a: Connection, b: Connection) -> Iterator[str]:
    wanted = {table.name: table for table in catalogue.reference_tables(a)}
    found = {table.name: table for table in catalogue.reference_tables(b)}
    removed: list[str] = []
    added: list[str] = []
    for name in _parents_first(a, (set(wanted) & set(found)) - {_SEALED}):
        table = wanted[name]
        rows, old_rows = dict(table.rows(a)), dict(found[name].rows(b))
        removed[:0] = [_delete(a, table, old_rows[key]) for key in old_rows.keys() - rows.keys()]
        added += [_insert(a, table, row) for key, row in rows.items() if key not in old_rows]
        added += [
            _update(a, table, old_rows[key], row)
            for key, row in rows.items()
            if key in old_rows and row != old_rows[key]
        ]
        if name == _PARTITION_REGISTER and rows.keys() - old_rows.keys():
            added.append("select private.ensure_partitions();")
    yield from removed
    yield from added


def _parents_first(connection: Connection, tables: set[str]) -> list[str]:
    """Tables ordered so that what a row refers to is there before it."""
    parents: dict[str, set[str]] = {name: set() for name in sorted(tables)}
    for child, parent in connection.execute(_FOREIGN_KEYS):
        if child in parents and parent in parents:
            parents[child].add(parent)
    return list(TopologicalSorter(parents).static_order())


def _insert(connection: Connection, table: catalogue.ReferenceTable, row: dict[str, str | None]) -> str:
    columns = ", ".join(_name(connection, column) for column in row)
    values = ", ".join(value or "null" for value in row.values())
    return f"insert into {table.name} ({columns})\n  values ({values});"  # noqa: S608  quoted by Postgres


def _update(
    connection: Connection,
    table: catalogue.ReferenceTable,
    old: dict[str, str | None],
    row: dict[str, str | None],
) -> str:
    changed = [name for name in row if row[name] != old[name]]
    assignments = ", ".join(f"{_name(connection, name)} = {row[name] or 'null'}" for name in changed)
    condition = _condition(connection, table, row)
    return f"update {table.name} set {assignments}\n  where {condition};"  # noqa: S608  quoted by Postgres


def _delete(connection: Connection, table: catalogue.ReferenceTable, row: dict[str, str | None]) -> str:
    condition = _condition(connection, table, row)
    return f"delete from {table.name} where {condition};"  # noqa: S608  quoted by Postgres


def _condition(connection: Connection, table: catalogue.ReferenceTable, row: dict[str, str | None]) -> str:
    if table.key:
        return " and ".join(f"{_name(connection, name)} = {row[name]}" for name in table.key)
    return " and ".join(
        f"{_name(connection, name)} is not distinct from {value or 'null'}" for name, value in row.items()
    )


def _name(connection: Connection, name: str) -> str:
    """The name of a column, quoted where Postgres needs it."""
    row = connection.execute("select quote_ident(%s)", (name,)).fetchone()
    return str(row[0]) if row else name
