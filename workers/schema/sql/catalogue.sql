-- What `catalogue.py` reads: one query per kind of thing, each giving (identity, definition).
-- Parameters: own = names of our schemas, namespaces = their oids. A section begins with `-- kind:`; what stands
-- before the first one stands before every query: our relations without monthly partitions and what belongs to those.

with recursive dated as (
  select c.oid from pg_class c where c.relispartition and c.relkind in ('r', 'p')
    and pg_get_expr(c.relpartbound, c.oid) <> 'DEFAULT'
), ours as (
  select c.* from pg_class c
  where c.relnamespace = any(%(namespaces)s::oid[]) and c.oid not in (select oid from dated)
    and not exists (select from pg_index i where i.indexrelid = c.oid and i.indrelid in (select oid from dated))
    and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = c.oid and e.deptype = 'e')
)

-- kind: schema
select n.nspname, pg_get_userbyid(n.nspowner)
from pg_namespace n where n.nspname = any(%(own)s)

-- kind: table
select c.oid::regclass::text,
       concat_ws(' ', c.relkind, 'owner', pg_get_userbyid(c.relowner), 'rls', c.relrowsecurity,
                 'forced', c.relforcerowsecurity, c.relpersistence, array_to_string(c.reloptions, ','),
                 pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid), pg_get_viewdef_or_null)
from ours c, lateral (select case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end) v(pg_get_viewdef_or_null)
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S')

-- kind: column
select c.oid::regclass || '.' || a.attname,
       concat_ws(' ', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then 'not null' end,
                 pg_get_expr(d.adbin, d.adrelid), nullif(a.attgenerated, ''), nullif(a.attidentity, ''),
                 nullif(l.collname, 'default'))
from ours c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
left join pg_collation l on l.oid = a.attcollation
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')

-- kind: constraint
select coalesce(nullif(x.conrelid, 0)::regclass::text, x.contypid::regtype::text) || '.' || x.conname,
       pg_get_constraintdef(x.oid)
from pg_constraint x left join ours c on c.oid = x.conrelid
where c.oid is not null or x.contypid <> 0 and x.connamespace = any(%(namespaces)s::oid[])

-- kind: index
select c.oid::regclass::text, pg_get_indexdef(c.oid) from ours c where c.relkind in ('i', 'I')

-- kind: function
select p.oid::regprocedure::text,
       'owner ' || pg_get_userbyid(p.proowner) || chr(10) || pg_get_functiondef(p.oid)
from pg_proc p where p.pronamespace = any(%(namespaces)s::oid[]) and p.prokind <> 'a' and not exists (
  select from pg_depend e where e.classid = 'pg_proc'::regclass and e.objid = p.oid and e.deptype = 'e')

-- kind: trigger
select t.tgrelid::regclass || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
from pg_trigger t join pg_class c on c.oid = t.tgrelid
where not t.tgisinternal and t.tgparentid = 0
  and (c.oid in (select oid from ours) or t.tgfoid in (select oid from pg_proc where pronamespace = any(%(namespaces)s::oid[])))

-- kind: policy
select t.oid::regclass || '.' || p.polname,
       concat_ws(' ', case when p.polpermissive then 'permissive' else 'restrictive' end, p.polcmd, 'to',
                 (select string_agg(case r when 0 then 'public' else pg_get_userbyid(r)::text end, ',' order by r)
                  from unnest(p.polroles) r),
                 'using', pg_get_expr(p.polqual, t.oid), 'check', pg_get_expr(p.polwithcheck, t.oid))
from pg_policy p join pg_class t on t.oid = p.polrelid
where t.relnamespace = any(%(namespaces)s::oid[])
  or t.relnamespace in (select oid from pg_namespace where nspname in ('storage', 'auth', 'realtime'))

-- kind: type
select t.oid::regtype::text,
       concat_ws(' ', t.typtype, pg_get_userbyid(t.typowner), format_type(nullif(t.typbasetype, 0), t.typtypmod),
                 case when t.typnotnull then 'not null' end, t.typdefault,
                 (select string_agg(quote_literal(e.enumlabel), ' < ' order by e.enumsortorder)
                  from pg_enum e where e.enumtypid = t.oid))
from pg_type t left join pg_class c on c.oid = t.typrelid
where t.typnamespace = any(%(namespaces)s::oid[]) and t.typtype in ('e', 'd', 'c', 'r') and coalesce(c.relkind, 'c') = 'c'

-- kind: comment
select o.type || ' ' || o.identity, n.description
from pg_description n, lateral pg_identify_object(n.classoid, n.objoid, n.objsubid) o
where (o.schema = any(%(own)s) or o.type = 'schema' and o.name = any(%(own)s)
       or o.type in ('trigger', 'policy', 'table constraint', 'rule'))
  and n.objoid not in (select oid from dated union all select c.oid from pg_constraint c join dated d on d.oid = c.conrelid
                       union all select t.oid from pg_trigger t join dated d on d.oid = t.tgrelid)

-- kind: rule
select c.oid::regclass || '.' || r.rulename, pg_get_ruledef(r.oid)
from pg_rewrite r join ours c on c.oid = r.ev_class where r.rulename <> '_RETURN'

-- kind: extension
select extname, extnamespace::regnamespace::text from pg_extension

-- kind: publication
select pubname || ' ' || schemaname || '.' || tablename, concat_ws(' ', attnames, rowfilter)
from pg_publication_tables where schemaname = any(%(own)s)

-- kind: event trigger
select evtname, concat_ws(' ', evtevent, evtfoid::regproc, evtenabled, evttags) from pg_event_trigger

-- kind: statistics
select stxname, pg_get_statisticsobjdef(oid) from pg_statistic_ext where stxnamespace = any(%(namespaces)s::oid[])

-- kind: privilege on
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
  ) entries group by what, grantee) summed
