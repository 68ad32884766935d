"""Privileges as data, and the statements that lead from one state to another.

`pgdelta` plans them, too, but leaves behind what default privileges gave a new table, and its `REVOKE ALL ON TABLE`
after `GRANT … (column)` takes the column back. So a forward migration has its privileges from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import psycopg

from workers.schema.catalogue import OWN_SCHEMAS

_ENTRIES = """
select what, grantee_name, column_name, array_agg(privilege_type order by privilege_type)
from (
  select 'schema ' || quote_ident(n.nspname) as what, n.nspowner as owner, '' as column_name, x.*
  from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
  where n.nspname = any(%(own)s)
  union all
  select case c.relkind when 'S' then 'sequence ' else 'table ' end || c.oid::regclass, c.relowner, '', x.*
  from pg_class c, aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))) x
  where c.relnamespace::regnamespace::text = any(%(own)s) and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select 'table ' || c.oid::regclass, c.relowner, quote_ident(a.attname), x.*
  from pg_class c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) x
  where c.relnamespace::regnamespace::text = any(%(own)s) and not a.attisdropped
  union all
  select 'routine ' || p.oid::regprocedure, p.proowner, '', x.*
  from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
  where p.pronamespace::regnamespace::text = any(%(own)s)
  union all
  select 'type ' || t.oid::regtype, t.typowner, '', x.*
  from pg_type t, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) x
  where t.typnamespace::regnamespace::text = any(%(own)s) and t.typtype in ('e', 'd')
) entries, lateral (select coalesce(nullif(grantee, 0)::regrole::text, 'public') as grantee_name) g
where grantee <> owner
group by what, grantee_name, column_name
order by what, grantee_name, column_name
"""


class Holder(NamedTuple):
    """Who holds privileges on what; `what` reads like the object of a GRANT: `table public.posts`."""

    what: str
    grantee: str


# Column name ('' for the whole object) → names of privileges.
Rights = Mapping[str, tuple[str, ...]]


def read(connection: psycopg.Connection[Any]) -> dict[Holder, Rights]:
    """Every privilege on our schemas and what is in them that its owner does not have anyway."""
    found: dict[Holder, dict[str, tuple[str, ...]]] = {}
    for what, grantee, column, names in connection.execute(_ENTRIES.encode(), {"own": list(OWN_SCHEMAS)}):
        found.setdefault(Holder(what, grantee), {})[column] = tuple(names)
    return dict(found)


def statements(found: Mapping[Holder, Rights], wanted: Mapping[Holder, Rights]) -> Iterator[str]:
    """REVOKE and GRANT for every holder whose rights differ; what a holder has to lose goes before what it gets."""
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
