"""Privileges as data, and the statements that lead from one state to another.

`pgdelta` plans them, too, but leaves behind what default privileges gave a new table, and its `REVOKE ALL ON
TABLE` after `GRANT … (column)` takes the column back. So a forward migration has its privileges from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from workers.schema.catalogue import OWN_SCHEMAS

_ENTRIES = Path(__file__).with_name("sql") / "privileges.sql"


class Holder(NamedTuple):
    """Who holds privileges on what; `what` reads like the object of a GRANT: `table public.posts`."""

    what: str
    grantee: str


# Column name ('' for the whole object) → names of privileges.
Rights = Mapping[str, tuple[str, ...]]


def read(connection: psycopg.Connection[Any]) -> dict[Holder, Rights]:
    """Every privilege on our schemas and what is in them that its owner does not have anyway."""
    found: dict[Holder, dict[str, tuple[str, ...]]] = {}
    for what, grantee, column, names in connection.execute(_ENTRIES.read_bytes(), {"own": list(OWN_SCHEMAS)}):
        found.setdefault(Holder(what, grantee), {})[column] = tuple(names)
    return dict(found)


def statements(found: Mapping[Holder, Rights], wanted: Mapping[Holder, Rights]) -> Iterator[str]:
    """REVOKE and GRANT for every holder whose rights differ; a holder loses first and then gets."""
    for holder in sorted(found.keys() | wanted.keys()):
        had, gets = found.get(holder, {}), wanted.get(holder, {})
        if had == gets:
            continue
        if had:  # on a table this takes the rights on columns as well
            yield f"revoke all on {holder.what} from {holder.grantee};"
        if gets:
            yield f"grant {', '.join(_listed(gets))} on {holder.what} to {holder.grantee};"


def _listed(rights: Rights) -> Iterator[str]:
    columns: dict[str, list[str]] = {}
    for column, names in rights.items():
        for name in names:
            columns.setdefault(name.lower(), []).extend([column] if column else [])
    for name, named in sorted(columns.items()):
        whole = any(name.upper() == right for right in rights.get("", ()))
        yield name if whole else f"{name} ({', '.join(named)})"
