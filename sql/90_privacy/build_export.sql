-- private.export_lines(person); worker.begin_export(…), read_export_chunk(…), note_export(…)
-- Why:     the archive shows one instant. A worker has the API alone, where each call is a transaction of its own; so one
--          statement writes the snapshot down in chunks, the worker reads them one by one, and they are deleted (P7.4).
-- Caller:  service_role, which has leased the export in lane `export`.
-- Errors:  NX916 the lease is gone, or the export: cancelled, or its person.
-- Repeat:  safe: a snapshot replaces the one before.
-- Locks:   queue row, then the export.

-- What an export holds, by the catalogue alone: secrets, data of others and what is derived are not in it.
create function private.exported_relations()
returns table (area text, place text, columns text[], types text[], order_by text, predicate text)
language sql stable security invoker set search_path = '' as $$
  select max(d.export_name), d.schema_name || '.' || d.relation,
    array_agg(a.attname::text order by a.attnum), array_agg(format_type(a.atttypid, a.atttypmod) order by a.attnum),
    (select string_agg(format('t.%I', k.attname), ', ' order by i.ord)
     from pg_index x cross join lateral unnest(x.indkey::int2[]) with ordinality i (attnum, ord)
     join pg_attribute k on k.attrelid = x.indrelid and k.attnum = i.attnum
     where x.indrelid = c.oid and x.indisprimary),
    private.subject_predicate(d.schema_name, d.relation)
      || case when d.schema_name = 'storage' and d.relation = 'objects' then
           ' and t.bucket_id in (select b.relation from private.data_catalogue b
                                 where b.kind = ''bucket'' and b.export_action = ''include'')' else '' end
  from private.data_catalogue d
  join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name)
  join pg_attribute a on a.attrelid = c.oid and a.attname = d.column_name and a.attnum > 0 and not a.attisdropped
  where d.kind = 'column' and d.export_action = 'include' and d.subject_path <> 'none'
  group by d.schema_name, d.relation, c.oid
  order by 1, 2
$$;
comment on function private.exported_relations() is
  'Areas of an export with the columns that are in it, their order, and the condition on rows of person $1.';

-- STABLE: every query in it sees the snapshot of the statement that calls it. Exact decimals travel as text.
create function private.export_lines(p_person uuid) returns table (area text, ordinal bigint, line text)
language plpgsql stable security invoker set search_path = '' set timezone = 'UTC' set bytea_output = 'hex' as $$
declare
  v_relation record;
begin
  for v_relation in select * from private.exported_relations() loop
    return query execute format(
      'select %L::text, x.n, row_to_json(x.y)::text
       from (select row_number() over (order by %s) as n, (select y from (select %s) y) as y from %s t where %s) x',
      v_relation.area, coalesce(v_relation.order_by, 't::text'),
      (select string_agg(format(case when type like 'numeric%%' then 't.%1$I::text as %1$I' else 't.%I' end, name), ', ' order by n)
       from unnest(v_relation.columns, v_relation.types) with ordinality u (name, type, n)),
      v_relation.place, v_relation.predicate) using p_person;
  end loop;
end;
$$;
comment on function private.export_lines(uuid) is 'Everything that an export of a person holds, one row of JSON a line.';

create function private.stage_export(p_export private.exports, p_now timestamptz) returns private.exports
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from private.export_chunks c where c.export_id = p_export.id;
  insert into private.export_chunks (export_id, user_id, area, position, row_count, staged_at, body)
    select p_export.id, p_export.user_id, s.area, s.position, count(*), p_now, string_agg(s.line, E'\n' order by s.ordinal)
    from (
      select l.*, (sum(length(l.line)) over (partition by l.area order by l.ordinal) - length(l.line))
                  / private.setting_int('export_chunk_chars') as position
      from private.export_lines(p_export.user_id) l) s
    group by s.area, s.position;
  update private.exports e set
    state = 'building', snapshot_at = p_now, catalogue_hash = private.catalogue_hash(), rows_done = 0, files_done = 0,
    rows_total = (select coalesce(sum(c.row_count), 0) from private.export_chunks c where c.export_id = e.id),
    files_total = (select coalesce(sum(c.row_count), 0) from private.export_chunks c where c.export_id = e.id and c.area = 'files'),
    object_name = coalesce(e.object_name,
      e.user_id || '/' || e.id || '/' || encode(extensions.gen_random_bytes(32), 'hex') || '.zip')
    where e.id = p_export.id returning * into p_export;
  return p_export;
end;
$$;
comment on function private.stage_export(private.exports, timestamptz) is
  'Writes down everything of a person as of one instant: one statement, one snapshot.';

create function private.hold_export_lease(p_worker_id uuid, p_export_id uuid, p_attempt int) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform from private.queue q
    where q.lane = 'export' and q.subject_id = p_export_id and q.worker_id = p_worker_id and q.attempt = p_attempt
    for update;
  if not found then
    perform private.fail('NX916');
  end if;
end;
$$;
comment on function private.hold_export_lease(uuid, uuid, int) is 'NX916 unless this worker has leased this export.';

create function private.describe_export(p_export private.exports) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'export_id', p_export.id, 'user_id', p_export.user_id, 'requested_at', p_export.requested_at,
    'snapshot_at', p_export.snapshot_at, 'catalogue_hash', p_export.catalogue_hash, 'object_name', p_export.object_name,
    'areas', (
      select jsonb_agg(jsonb_build_object('area', r.area, 'place', r.place, 'columns', r.columns, 'types', r.types,
        'rows', coalesce(c.rows, 0), 'chunks', coalesce(c.chunks, 0)) order by r.area)
      from private.exported_relations() r
      left join (select c.area, sum(c.row_count) as rows, max(c.position) + 1 as chunks from private.export_chunks c
                 where c.export_id = p_export.id group by c.area) c on c.area = r.area),
    'omissions', (
      select jsonb_agg(jsonb_build_object('what', d.schema_name || '.' || d.relation || '.' || d.column_name,
        'reason', substring(d.export_action from 'exclude_(.*)')) order by d.schema_name, d.relation, d.column_name)
      from private.data_catalogue d
      where d.export_action <> 'include' and d.category <> 'system.operations'))
$$;
comment on function private.describe_export(private.exports) is 'What the manifest of an archive says about the snapshot.';

create function private.begin_export(p_worker_id uuid, p_export_id uuid, p_attempt int, p_now timestamptz default now())
returns table (task text, files text[], document jsonb)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_export private.exports;
begin
  perform private.hold_export_lease(p_worker_id, p_export_id, p_attempt);
  select * into v_export from private.exports e where e.id = p_export_id for update;
  if v_export.state in ('requested', 'building') then
    v_export := private.stage_export(v_export, p_now);
    return query select 'build', null::text[], private.describe_export(v_export);
  elsif v_export.state = 'ready' and v_export.expires_at > p_now then
    return query select 'nothing', null::text[], null::jsonb;
  else
    return query select 'remove', array(
      select o.name from storage.objects o where o.bucket_id = 'exports' and o.name like '%/' || p_export_id || '/%'
        and split_part(o.name, '/', 2) = p_export_id::text order by 1), null::jsonb;
  end if;
end;
$$;
comment on function private.begin_export(uuid, uuid, int, timestamptz) is 'Body of worker.begin_export().';

create function private.read_export_chunk(
  p_worker_id uuid, p_export_id uuid, p_attempt int, p_area text, p_position int
) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_body text;
begin
  perform private.hold_export_lease(p_worker_id, p_export_id, p_attempt);
  select c.body into v_body from private.export_chunks c
    where c.export_id = p_export_id and c.area = p_area and c.position = p_position;
  if not found then
    perform private.fail('NX916');
  end if;
  return v_body;
end;
$$;
comment on function private.read_export_chunk(uuid, uuid, int, text, int) is 'Body of worker.read_export_chunk().';

create function private.note_export(p_worker_id uuid, p_export_id uuid, p_attempt int, p_rows bigint, p_files bigint)
returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.hold_export_lease(p_worker_id, p_export_id, p_attempt);
  update private.exports e set rows_done = least(p_rows, e.rows_total), files_done = least(p_files, e.files_total)
    where e.id = p_export_id and e.state = 'building';
  return found;
end;
$$;
comment on function private.note_export(uuid, uuid, int, bigint, bigint) is 'Body of worker.note_export().';

create function worker.begin_export(p_worker_id uuid, p_export_id uuid, p_attempt int)
returns table (task text, files text[], document jsonb)
language sql volatile security invoker set search_path = '' as $$
  select b.task, b.files, b.document from private.begin_export(p_worker_id, p_export_id, p_attempt) b
$$;
comment on function worker.begin_export(uuid, uuid, int) is
  'What a leased export needs: build (a snapshot was taken, document describes it), remove (these files of bucket exports), nothing.';

create function worker.read_export_chunk(p_worker_id uuid, p_export_id uuid, p_attempt int, p_area text, p_position int)
returns text
language sql volatile security invoker set search_path = '' as $$
  select private.read_export_chunk(p_worker_id, p_export_id, p_attempt, p_area, p_position)
$$;
comment on function worker.read_export_chunk(uuid, uuid, int, text, int) is 'Lines of JSON of one area, from the snapshot.';

create function worker.note_export(p_worker_id uuid, p_export_id uuid, p_attempt int, p_rows bigint, p_files bigint)
returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.note_export(p_worker_id, p_export_id, p_attempt, p_rows, p_files)
$$;
comment on function worker.note_export(uuid, uuid, int, bigint, bigint) is 'Notes progress. False: it is not wanted any more.';

insert into private.settings (key, value, description) values
  ('export_chunk_chars', '262144', 'Characters of JSON that a worker reads at once while it writes an archive.');

insert into private.definer_ledger (function_name, reason) values
  ('private.begin_export', 'Reads everything of one person; service_role has no rights on most of it.'),
  ('private.read_export_chunk', 'Reads the snapshot, on which service_role has no rights.'),
  ('private.note_export', 'Writes exports, on which service_role has no rights.');
