-- Every privilege on our schemas and what is in them, apart from those of owners:
-- what (as in GRANT … ON), grantee, column ('' for the whole), names of the privileges. Parameter: own.
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
