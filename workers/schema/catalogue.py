"""What a database consists of, as one flat mapping: identity of a thing → its definition.

`pgdelta` compares most of a schema, but leaves out policies on the tables of Storage, everything a superuser owns,
and rows. This is the second opinion that leaves nothing out: each query below yields (identity, definition) for one
kind of thing in our schemas, or for what we attached to the schemas of Supabase. Two databases are equal when the
mappings are. Monthly partitions are no part of it: they follow from the calendar, not from the sources.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

OWN_SCHEMAS = ("public", "private", "worker", "retained")

_QUERIES = {
    "schema": """
        select n.nspname, pg_get_userbyid(n.nspowner)
        from pg_namespace n where n.nspname = any(%(own)s)""",
    "table": """
        select c.oid::regclass::text,
               concat_ws(' ', c.relkind, 'owner', pg_get_userbyid(c.relowner), 'rls', c.relrowsecurity,
                         'forced', c.relforcerowsecurity, c.relpersistence, array_to_string(c.reloptions, ','),
                         pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), pg_get_viewdef_or_null)
        from ours c, lateral (select case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end) v(pg_get_viewdef_or_null)
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')""",
    "column": """
        select c.oid::regclass || '.' || a.attname,
               concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                         pg_get_expr(d.adbin, d.adrelid), nullif(a.attgenerated, ''), nullif(a.attidentity, ''),
                         nullif(l.collname, 'default'))
        from ours c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        left join pg_collation l on l.oid = a.attcollation
        where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')""",
    "constraint": """
        select coalesce(nullif(x.conrelid, 0)::regclass::text, x.contypid::regtype::text) || '.' || x.conname,
               pg_get_constraintdef(x.oid)
        from pg_constraint x left join ours c on c.oid = x.conrelid
        where c.oid is not null or x.contypid <> 0 and x.connamespace = any(%(namespaces)s::oid[])""",
    "index": "select c.oid::regclass::text, pg_get_indexdef(c.oid) from ours c where c.relkind in ('i', 'I')",
    "function": """
        select p.oid::regprocedure::text,
               'owner ' || pg_get_userbyid(p.proowner) || E'\n' || pg_get_functiondef(p.oid)
        from pg_proc p where p.pronamespace = any(%(namespaces)s::oid[]) and p.prokind <> 'a' and not exists (
          select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')""",
    "trigger": """
        select t.tgrelid::regclass || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
        from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where not t.tgisinternal and t.tgparentid = 0
          and (c.oid in (select oid from ours) or t.tgfoid in (select oid from pg_proc where pronamespace = any(%(namespaces)s::oid[])))""",
    "policy": """
        select t.oid::regclass || '.' || p.polname,
               concat_ws(' ', case when p.polpermissive then 'permissive' else 'restrictive' end, p.polcmd, 'to',
                         (select string_agg(case r when 0 then 'public' else pg_get_userbyid(r)::text end, ',' order by r)
                          from unnest(p.polroles) r),
                         'using', pg_get_expr(p.polqual, t.oid), 'check', pg_get_expr(p.polwithcheck, t.oid))
        from pg_policy p join pg_class t on t.oid = p.polrelid
        where t.relnamespace = any(%(namespaces)s::oid[])
          or t.relnamespace in (select oid from pg_namespace where nspname in ('storage', 'auth', 'realtime'))""",
    "type": """
        select t.oid::regtype::text,
               concat_ws(' ', t.typtype, pg_get_userbyid(t.typowner), format_type(nullif(t.typbasetype, 0), t.typtypmod),
                         case when t.typnotnull then 'not null' end, t.typdefault,
                         (select string_agg(quote_literal(e.enumlabel), ' < ' order by e.enumsortorder)
                          from pg_enum e where e.enumtypid = t.oid))
        from pg_type t left join pg_class c on c.oid = t.typrelid
        where t.typnamespace = any(%(namespaces)s::oid[]) and t.typtype in ('e', 'd', 'c', 'r') and coalesce(c.relkind, 'c') = 'c'""",
    "comment": """
        select o.type || ' ' || o.identity, n.description
        from pg_description n, lateral pg_identify_object(n.classoid, n.objoid, n.objsubid) o
        where o.schema = any(%(own)s) or o.type = 'schema' and o.name = any(%(own)s)
          or o.type in ('trigger', 'policy', 'table constraint', 'rule')""",
    "rule": """
        select c.oid::regclass || '.' || r.rulename, pg_get_ruledef(r.oid)
        from pg_rewrite r join ours c on c.oid = r.ev_class where r.rulename <> '_RETURN'""",
    "extension": "select extname, extnamespace::regnamespace::text from pg_extension",
    "publication": """
        select pubname || ' ' || schemaname || '.' || tablename, concat_ws(' ', attnames, rowfilter)
        from pg_publication_tables where schemaname = any(%(own)s)""",
    "event trigger": "select evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags) from pg_event_trigger",
    "statistics": "select stxname, pg_get_statisticsobjdef(oid) from pg_statistic_ext where stxnamespace = any(%(namespaces)s::oid[])",
    "privilege on": """
        select what || ' to ' || coalesce(nullif(grantee, 0)::regrole::text, 'public'), rights from (
          select what, grantee, string_agg(privilege_type || case when is_grantable then '*' else '' end, ' '
                                           order by privilege_type) as rights
          from (
            select 'schema ' || n.nspname as what, x.*
            from pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) x
            where n.nspname = any(%(own)s)
            union all
            select c.relkind::text || ' ' || c.oid::regclass, x.*
            from ours c, aclexplode(coalesce(c.relacl, acldefault(case c.relkind when 'S' then 's' else 'r' end::"char", c.relowner))) x
            where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')
            union all
            select 'column ' || c.oid::regclass || '.' || a.attname, x.*
            from ours c join pg_attribute a on a.attrelid = c.oid, aclexplode(a.attacl) x where not a.attisdropped
            union all
            select 'function ' || p.oid::regprocedure, x.*
            from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
            where p.pronamespace = any(%(namespaces)s::oid[])
            union all
            select 'type ' || t.oid::regtype, x.*
            from pg_type t, aclexplode(coalesce(t.typacl, acldefault('T', t.typowner))) x
            where t.typnamespace = any(%(namespaces)s::oid[]) and t.typtype in ('e', 'd')
            union all
            select 'future ' || d.defaclobjtype::text || ' of ' || d.defaclrole::regrole
                   || coalesce(' in ' || nullif(d.defaclnamespace, 0)::regnamespace, ''), x.*
            from pg_default_acl d, aclexplode(d.defaclacl) x
            where d.defaclrole = 'postgres'::regrole
          ) entries group by what, grantee) summed""",
}

# The tables of our schemas without monthly partitions and what belongs to those; default partitions stay.
_OURS = """
with recursive dated as (
  select c.oid from pg_class c where c.relispartition and c.relkind in ('r', 'p')
    and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
), ours as (
  select c.* from pg_class c
  where c.relnamespace = any(%(namespaces)s::oid[]) and c.oid not in (select oid from dated)
    and not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid in (select oid from dated))
    and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
)
"""

_ROW_TABLES = """
select c.oid::regclass::text as name,
  array(select a.attname::text from pg_attribute a left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attidentity = '' and a.attgenerated = ''
          and coalesce(pg_get_expr(d.adbin, d.adrelid), '') !~ %(volatile)s
        order by a.attnum) as columns,
  array(select a.attname::text from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
        where i.indrelid = c.oid and i.indisprimary order by a.attnum) as key
from pg_class c
where (c.relnamespace = any(%(namespaces)s::oid[]) or c.oid = to_regclass('storage.buckets'))
  and c.relkind in ('r', 'p') and not c.relispartition
order by 1
"""
# A default that differs from one run to the next: such a column says when or which, not what.
VOLATILE_DEFAULT = r"now\(\)|timestamp|gen_random_uuid|nextval|random|current_date|CURRENT_"


def connect(url: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode on which every name is printed with its schema."""
    return psycopg.connect(url, autocommit=True, options="-c search_path=")


def read(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Everything that the sources define, rows included: identity → definition. `connection` is from `connect`.

    A freshly built database holds no person's data, so all its rows are reference rows.
    """
    namespaces = _namespaces(connection)
    found: dict[str, str] = {}
    for kind, query in _QUERIES.items():
        rows = connection.execute((_OURS + query).encode(), {"own": list(OWN_SCHEMAS), "namespaces": namespaces})
        found.update({f"{kind} {identity}": definition or "" for identity, definition in rows})
    for table in reference_tables(connection):
        found.update(table.read(connection))
    return found


class ReferenceTable:
    """A table that may hold reference rows; `columns` are those with a meaning, `key` the primary key among them."""

    def __init__(self, name: str, columns: list[str], key: list[str]) -> None:
        self.name = name
        self.columns = columns
        self.key = key if set(key) <= set(columns) else []

    def rows(self, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, dict[str, str | None]]]:
        """Yields (identity, column → value as a SQL literal or None for NULL)."""
        if not self.columns:
            return
        schema, table = _split(self.name)
        values = sql.SQL(", ").join(sql.SQL("quote_nullable({})").format(sql.Identifier(name)) for name in self.columns)
        query = sql.SQL("select {} from {}").format(values, sql.Identifier(schema, table))
        for row in connection.execute(query):
            literals = {name: None if value == "NULL" else value for name, value in zip(self.columns, row, strict=True)}
            yield ", ".join(str(literals[name]) for name in self.key or self.columns), literals

    def read(self, connection: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
        for identity, literals in self.rows(connection):
            yield f"row {self.name} ({identity})", "\n".join(f"{name} = {value}" for name, value in literals.items())


def reference_tables(connection: psycopg.Connection[Any]) -> list[ReferenceTable]:
    rows = connection.execute(
        _ROW_TABLES, {"namespaces": _namespaces(connection), "volatile": VOLATILE_DEFAULT}
    ).fetchall()
    return [ReferenceTable(*row) for row in rows]


def drop_dated_partitions(connection: psycopg.Connection[Any]) -> None:
    """Drops the monthly partitions of a scratch database, so that two builds compare equal across midnight."""
    names = connection.execute(
        """select c.oid::regclass::text from pg_class c
           where c.relispartition and c.relkind = 'r' and c.relnamespace = any(%s::oid[])
             and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'""",
        (_namespaces(connection),),
    ).fetchall()
    for (name,) in names:
        connection.execute(sql.SQL("drop table {}").format(sql.Identifier(*_split(name))))


def _namespaces(connection: psycopg.Connection[Any]) -> list[int]:
    query = "select oid from pg_namespace where nspname = any(%s)"
    return [oid for (oid,) in connection.execute(query, (list(OWN_SCHEMAS),))]


def _split(name: str) -> tuple[str, str]:
    """`schema.table` as `regclass` prints it, quoted where needed, into its two names."""
    parts = re.findall(r'"(?:[^"]|"")+"|[^.]+', name)
    schema, table = (part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts)
    return schema, table
