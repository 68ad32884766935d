-- private.catalogue_gaps()
-- Why:     what nobody registered is neither erased nor exported. So the catalogue must equal the live schema, both ways,
--          and whatever is unclear counts as a gap (P7.3, P7.4, P8.2). Looks at the database alone: safe in production.
-- Caller:  tests, the attestation, and every erasure, which does not start while there is a gap.
-- Errors:  none; each gap is a row.
-- Repeat:  safe; nothing is written.

create function private.live_columns()
returns table (schema_name text, relation text, column_name text, type_name text, is_opaque boolean)
language sql stable security invoker set search_path = '' as $$
  select n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, null),
         t.typcategory = 'A' or t.typname in ('json', 'jsonb', 'bytea', 'xml', 'hstore')
  from pg_attribute a
  join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
  join pg_namespace n on n.oid = c.relnamespace
  join pg_type t on t.oid = a.atttypid
  where a.attnum > 0 and not a.attisdropped and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and not exists (select from private.data_catalogue d where d.kind = 'schema' and d.schema_name = n.nspname)
    and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
$$;
comment on function private.live_columns() is
  'Every column that holds data. is_opaque: type and name do not tell what is inside. A partition is its parent.';

create function private.catalogue_differences() returns table (gap text, subject text)
language sql stable security invoker set search_path = '' as $$
  with live as materialized (select * from private.live_columns())
  select 'unregistered column', concat_ws('.', l.schema_name, l.relation, l.column_name) from live l
  where not exists (select from private.data_catalogue d where d.kind = 'column'
    and (d.schema_name, d.relation, d.column_name) = (l.schema_name, l.relation, l.column_name))
  union all
  select 'registered, but not there', concat_ws('.', d.schema_name, d.relation, d.column_name)
  from private.data_catalogue d
  where d.kind = 'column' and not d.is_optional and not exists (select from live l
    where (l.schema_name, l.relation, l.column_name) = (d.schema_name, d.relation, d.column_name))
  union all
  select 'unregistered bucket', b.id from storage.buckets b
  where not exists (select from private.data_catalogue d where d.kind = 'bucket' and d.relation = b.id)
  union all
  select 'registered, but not there', 'bucket ' || d.relation from private.data_catalogue d
  where d.kind = 'bucket' and not d.is_optional and not exists (select from storage.buckets b where b.id = d.relation)
  union all
  select 'large objects, which nothing erases', count(*)::text from pg_largeobject_metadata having count(*) > 0
$$;
comment on function private.catalogue_differences() is 'Where the catalogue and the live schema are not equal.';

-- Lanes are words in function bodies, and in rows that are there.
create function private.catalogue_lane_gaps() returns table (gap text, subject text)
language sql stable security invoker set search_path = '' as $$
  with recursive present as (
    (select q.lane from private.queue q order by q.lane limit 1)
    union all
    select (select q.lane from private.queue q where q.lane > p.lane order by q.lane limit 1) from present p
    where p.lane is not null
  ), spoken as (
    select m[2] as lane from pg_proc p
    cross join lateral regexp_matches(p.prosrc,
      '(private\.enqueue\(|private\.dequeue\(|lane = |private\.lease_due\([^,()]+, )''([a-z_]+)''', 'g') m
    where p.pronamespace::regnamespace::text in ('public', 'private', 'worker')
  ), lanes as (
    select p.lane from present p where p.lane is not null union select s.lane from spoken s
  )
  select 'unregistered lane', l.lane from lanes l
  where not exists (select from private.data_catalogue d where d.kind = 'queue' and d.relation = l.lane)
  union all
  select 'registered, but not there', 'lane ' || d.relation from private.data_catalogue d
  where d.kind = 'queue' and not exists (select from spoken s where s.lane = d.relation)
$$;
comment on function private.catalogue_lane_gaps() is 'Where the catalogue and the lanes of the queue are not equal.';

create function private.catalogue_doubts() returns table (gap text, subject text)
language sql stable security invoker set search_path = '' as $$
  with registered as materialized (
    select d.*, l.is_opaque, l.type_name, concat_ws('.', d.schema_name, d.relation) as name,
           concat_ws('.', d.schema_name, d.relation, d.column_name) as full_name
    from private.data_catalogue d
    join private.live_columns() l using (schema_name, relation, column_name) where d.kind = 'column'
  )
  select 'nobody says what is inside', full_name from registered where is_opaque and justification is null
  union all
  select 'kept, though it looks personal', full_name from registered
  where category = 'system.operations' and justification is null and (type_name in ('inet', 'cidr', 'macaddr')
    or subject_path = 'none' and column_name ~ '(e?mail|phone|(^|_)name$|(^|_)ip(_|$)|token|address|birth|url|agent|note|payload|body|person|owner|user)'
       and column_name !~ '^(display|column|function|table|schema|export|relation|task)_name$' and column_name !~ '^users?_count$')
  union all
  select distinct 'no way to its person', name from registered r
  where subject_path ~ '^[a-z_]+(=>|$)' and subject_path <> 'none' and not exists (
    select from private.live_columns() l where (l.schema_name, l.relation) = (r.schema_name, r.relation)
      and l.column_name = substring(r.subject_path from '^[a-z_]+'))
     or subject_path like '%=>%' and not exists (
    select from private.data_catalogue d where d.kind = 'column' and d.subject_path <> 'none'
      and concat_ws('.', d.schema_name, d.relation) = split_part(r.subject_path, '=>', 2))
  union all
  select 'more than one way to its person', name from registered group by name having count(distinct subject_path) > 1
  union all
  select 'deleted in part', name from registered group by name
  having bool_or(erase_action = 'delete_row') and bool_or(erase_action not in ('delete_row'))
$$;
comment on function private.catalogue_doubts() is 'Entries of the catalogue that say too little, or contradict themselves.';

-- Deleting a person must not stop at, or leave behind, a row that points at theirs.
create function private.catalogue_link_gaps() returns table (gap text, subject text)
language sql stable security invoker set search_path = '' as $$
  select 'a reference that stops an erasure', k.conrelid::regclass || '.' || k.conname
  from pg_constraint k
  join pg_class p on p.oid = k.confrelid
  join pg_class c on c.oid = k.conrelid and not c.relispartition
  join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'private', 'worker', 'retained')
  where k.contype = 'f' and k.confdeltype in ('a', 'r', 'd') and exists (
    select from private.data_catalogue d where d.kind = 'column' and d.erase_action = 'delete_row'
      and d.schema_name = p.relnamespace::regnamespace::text and d.relation = p.relname)
  union all
  select 'a default that keeps what a request brought', a.attrelid::regclass || '.' || a.attname
  from pg_attrdef f join pg_attribute a on a.attrelid = f.adrelid and a.attnum = f.adnum
  where pg_get_expr(f.adbin, f.adrelid) ~ 'request\.(headers|cookies|jwt)|inet_client_addr'
$$;
comment on function private.catalogue_link_gaps() is 'References and defaults that an erasure would stumble over.';

create function private.catalogue_gaps() returns table (gap text, subject text)
language sql stable security invoker set search_path = '' as $$
  select g.gap, g.subject from (
    select * from private.catalogue_differences()
    union all select * from private.catalogue_lane_gaps()
    union all select * from private.catalogue_doubts()
    union all select * from private.catalogue_link_gaps()
    union all select 'no guard against deleting what is held', u.name from private.unguarded_relations() u
    union all select 'the planner keeps what people wrote', c.name || '.' || c.column_name from private.columns_with_statistics() c
  ) g order by 1, 2
$$;
comment on function private.catalogue_gaps() is
  'Everything that keeps the data catalogue from being complete and true; no rows: it is.';

create function private.catalogue_hash() returns text
language sql stable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(coalesce(string_agg(d::text, E'\n' order by d.schema_name, d.relation, d.column_name), ''), 'UTF8')), 'hex')
  from private.data_catalogue d
$$;
comment on function private.catalogue_hash() is 'Version of the catalogue: an erasure and an export say by which one they went.';
