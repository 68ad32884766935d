-- What the planner keeps about columns, and what an erasure does with it
-- Why:     ANALYZE copies values into pg_statistic, where they outlive their rows: common ones, and up to a hundred others
--          per column (P7.3, P8.2). Nobody plans a query by what people wrote, so nothing is kept of it; what has to be
--          kept (whose rows there are many of) is renewed when an erasure finds its person in there.
-- Caller:  migrations, after a table above 90_privacy; private.run_erasure_step().
-- Errors:  none.
-- Repeat:  safe.
-- Note:    tables of the platform (auth, storage) belong to others where this runs as postgres on the hosted service;
--          there autovacuum renews what is kept about them.

create function private.columns_with_statistics() returns table (name text, column_name text)
language sql stable security invoker set search_path = '' as $$
  select d.schema_name || '.' || d.relation, d.column_name
  from private.data_catalogue d
  join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name) and c.relkind in ('r', 'p')
  join pg_attribute a on a.attrelid = c.oid and a.attname = d.column_name
  join pg_type t on t.oid = a.atttypid
  where d.kind = 'column' and d.schema_name in ('public', 'private', 'retained')
    and d.category ~ '^user\.(content|name|contact|childrens|authorization|financial|device|unique_id|account\.username)'
    and (t.typcategory in ('S', 'A') or t.typname in ('json', 'jsonb', 'bytea'))
    and coalesce(a.attstattarget, -1) <> 0
    and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and a.attnum = any (k.conkey))
$$;
comment on function private.columns_with_statistics() is
  'Columns of texts about people of which the planner keeps values: none, once forget_statistics() has run. Codes are not among them.';

create function private.forget_statistics() returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_column record;
  v_count bigint := 0;
begin
  for v_column in select * from private.columns_with_statistics() loop
    execute format('alter table %s alter column %I set statistics 0', v_column.name, v_column.column_name);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.forget_statistics() is 'Has ANALYZE keep nothing of what people wrote; returns of how many columns it did.';

create function private.renew_statistics(p_identifiers text[]) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_table text;
  v_count bigint := 0;
begin
  for v_table in
    select distinct coalesce(i.indrelid, c.oid)::regclass::text
    from pg_stats s
    join pg_class c on c.relname = s.tablename and c.relnamespace = to_regnamespace(s.schemaname)
    left join pg_index i on i.indexrelid = c.oid
    where s.schemaname not in ('pg_catalog', 'information_schema') and pg_has_role(c.relowner, 'USAGE')
      and lower(concat_ws(' ', s.most_common_vals, s.histogram_bounds, s.most_common_elems)) ~ private.mention_pattern(p_identifiers)
  loop
    execute 'analyze ' || v_table;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.renew_statistics(text[]) is
  'Has the planner look again at tables of whose values it keeps one that names the person; returns how many.';
