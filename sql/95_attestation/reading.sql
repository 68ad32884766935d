-- private.columns_like(pattern), closed_columns(columns), unscheduled(tasks), token_places()
-- Why:     what several checks ask of the catalogue.
-- Caller:  checks.
-- Errors:  none.
-- Repeat:  safe; nothing is written.

create function private.columns_like(p_pattern text) returns text[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(r.name || '.' || a.attname order by 1), '{}')
  from private.own_relations() r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  where a.attname ~ p_pattern
$$;
comment on function private.columns_like(text) is 'Columns of our schemas whose names match.';

create function private.closed_columns(p_columns text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(c order by c), '{}') from unnest(p_columns) c
  where not has_column_privilege('authenticated', split_part(c, '.', 1) || '.' || split_part(c, '.', 2), split_part(c, '.', 3), 'update')
$$;
comment on function private.closed_columns(text[]) is 'Those of the columns that people may not write.';

create function private.unscheduled(p_tasks text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select private.fault_list('cleanup that is not scheduled', array(
    select t from unnest(p_tasks) t where not exists (select from private.housekeeping_tasks h where h.task = t and h.function_name = 'private.' || t)))
$$;
comment on function private.unscheduled(text[]) is 'Cleanups that housekeeping does not run.';

-- The places of tokens have a check of their own (P6.6), and so have files (P3.3).
create function private.token_places() returns text[]
language sql immutable security invoker set search_path = '' as $$
  select array['private.token_vault', 'private.pending_connections', 'private.revocation_outbox', 'private.oauth_flows']
$$;
comment on function private.token_places() is 'Tables that hold sealed tokens.';
