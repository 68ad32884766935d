-- import_posts(rows, mode, zone, key), import_posts_csv(csv, mode, zone, key) -> report
-- Why:     a month's plan in one call, from any front end: checked as every post is, with a list of what is wrong where.
-- Mode:    all    nothing is imported unless every row can be (the default)
--          valid  rows without an error are imported
--          check  nothing is imported; the report says what would be
-- Report:  {"rows": 3, "imported": 2, "existing": 0, "refused": 1,
--           "posts": [{"row": 2, "post_id": …, "is_new": true}, …],
--           "problems": [{"row": 4, "column": "at", "code": "time_past", "severity": "error", "message": …}, …]}
--          One JSON value, because a list of thousands of rows may be cut off by the API. It never repeats a cell.
-- Caller:  authenticated. DEFINER bodies: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX002 an argument. NX003 key used otherwise. NX450 zone. NX457 no readable table.
-- Repeat:  safe: with an idempotency key the same report; and a row whose key was imported before becomes no second post.
-- Locks:   key, an advisory lock per person, slots, connections (shared), then queue rows and targets.

create function private.import_report(
  p_rows private.import_row[], p_done private.import_row[], p_known private.import_row[],
  p_problems private.import_problem[]
) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select jsonb_build_object(
    'rows', cardinality(p_rows), 'imported', cardinality(p_done), 'existing', cardinality(p_known),
    'refused', cardinality(private.errors_at(p_problems)),
    'posts', (select coalesce(jsonb_agg(
                jsonb_build_object('row', x.place, 'post_id', x.post_id, 'is_new', x.is_new) order by x.place), '[]')
              from (select d.place, d.post_id, true as is_new from unnest(p_done) d
                    union all select k.place, k.post_id, false from unnest(p_known) k) x),
    'problems', (select coalesce(jsonb_agg(jsonb_build_object('row', p.place, 'column', p.column_name, 'code', p.code,
                   'severity', p.severity, 'message', coalesce(p.message, private.import_message(p.code)))
                   order by p.place, p.severity, p.column_name, p.code), '[]') from unnest(p_problems) p))
$$;
comment on function
  private.import_report(private.import_row[], private.import_row[], private.import_row[], private.import_problem[]) is
  'The report of an import.';

-- Rows whose key is known, with the post that they became.
create function private.known_imports(p_user uuid, p_rows private.import_row[]) returns private.import_row[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(row(r.place, r.key, r.title, r.body, r.accounts, r.at_text, r.zone, r.media, r.options, i.post_id,
                                r.at, r.adjusted, r.is_queued, r.flaw)::private.import_row order by r.place), '{}')
  from unnest(p_rows) r join public.post_imports i on i.user_id = p_user and i.key = r.key
$$;
comment on function private.known_imports(uuid, private.import_row[]) is 'Rows that were imported before.';

-- Writes what it can; undoes all of it where the mode says so. What the subtransaction found out stays.
create function private.import_rows(p_user uuid, p_rows private.import_row[], p_mode text, p_now timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_known private.import_row[];
  v_new private.import_row[];
  v_problems private.import_problem[];
begin
  perform pg_advisory_xact_lock(hashtextextended('private.import_rows:' || p_user, 0));
  if exists (select from unnest(p_rows) r where r.is_queued) then
    perform private.lock_slots(array(select c.id from public.connections c where c.user_id = p_user));
  end if;
  perform from public.connections c where c.user_id = p_user order by c.id for share;
  v_known := private.known_imports(p_user, p_rows);
  v_new := private.without_rows(p_rows, array(select k.place from unnest(v_known) k));
  v_problems := array(select p from private.judge_import(p_user, v_new, p_now) p);
  v_new := private.without_rows(v_new, private.errors_at(v_problems));
  begin
    perform private.write_import(p_user, v_new, p_now);
    v_problems := v_problems || array(select p from private.check_import(v_new, p_now) p);
    v_problems := v_problems || array(
      select p from private.schedule_import(private.without_rows(v_new, private.errors_at(v_problems)), p_now) p);
    if p_mode = 'check' or p_mode = 'all' and private.errors_at(v_problems) <> '{}' then
      raise sqlstate 'UNDO1';
    end if;
    delete from public.posts p using unnest(v_new) r
      where p.id = r.post_id and r.place = any (private.errors_at(v_problems));
    v_new := private.without_rows(v_new, private.errors_at(v_problems));
  exception when sqlstate 'UNDO1' then
    v_new := '{}';
  end;
  return private.import_report(p_rows, v_new, v_known, v_problems);
end;
$$;
comment on function private.import_rows(uuid, private.import_row[], text, timestamptz) is
  'Imports rows as the mode says; returns the report.';

create function private.import_json(
  p_function text, p_request jsonb, p_rows jsonb, p_mode text, p_zone text, p_key uuid, p_now timestamptz
) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_zone text := coalesce(p_zone, (select p.time_zone from public.preferences p where p.user_id = v_user));
  v_request jsonb := jsonb_build_array(p_mode, p_zone, p_request);
  v_report jsonb := private.idempotent_response(v_user, p_function, p_key, v_request, p_now);
begin
  if v_report is not null then
    return v_report;
  elsif (p_mode in ('all', 'valid', 'check')) is not true then
    perform private.fail('NX002', p_detail := 'p_mode');
  end if;
  perform private.check_zone(v_zone);
  v_report := private.import_rows(v_user, coalesce(private.read_import(p_rows, v_zone, p_now), '{}'), p_mode, p_now);
  perform private.remember_response(v_user, p_function, p_key, v_request, v_report, p_now);
  return v_report;
end;
$$;
comment on function private.import_json(text, jsonb, jsonb, text, text, uuid, timestamptz) is
  'Imports an array of objects whose fields are texts and whose field row is the number of the row.';

-- Cells of JSON rows may be texts or null; a whole number of the row is added. Anything else is a mistake of the caller.
create function private.import_posts(
  p_rows jsonb, p_mode text default 'all', p_time_zone text default null, p_idempotency_key uuid default null,
  p_now timestamptz default now()
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_bad bigint;
  v_rows jsonb;
begin
  perform private.require_person();
  if jsonb_typeof(p_rows) is distinct from 'array' or jsonb_array_length(p_rows) > private.setting_int('import_rows_max') then
    perform private.fail('NX457', p_detail := 'rows');
  end if;
  select min(e.nth) into v_bad from jsonb_array_elements(p_rows) with ordinality e (cells, nth)
    where jsonb_typeof(e.cells) <> 'object' or exists (
      select from jsonb_each(case jsonb_typeof(e.cells) when 'object' then e.cells else '{}' end) c
      where c.key not in (select n.name from private.import_columns() n) or jsonb_typeof(c.value) not in ('string', 'null'));
  if v_bad is not null then
    perform private.fail('NX457', p_detail := format('row %s', v_bad));
  end if;
  select jsonb_agg(e.cells || jsonb_build_object('row', e.nth)) into v_rows
    from jsonb_array_elements(p_rows) with ordinality e (cells, nth);
  return private.import_json('import_posts', p_rows, coalesce(v_rows, '[]'), p_mode, p_time_zone, p_idempotency_key, p_now);
end;
$$;
comment on function private.import_posts(jsonb, text, text, uuid, timestamptz) is 'Body of import_posts().';

-- The header in the spelling of spreadsheets: capitals, blanks and hyphens do not matter.
create function private.csv_header(p_fields text[]) returns text[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_names text[];
  v_bad int;
begin
  v_names := array(select regexp_replace(lower(btrim(f)), '[ -]+', '_', 'g')
                   from unnest(p_fields) with ordinality x (f, i) order by i);
  select min(i) into v_bad from unnest(v_names) with ordinality x (n, i)
    where n not in (select c.name from private.import_columns() c) or n = any (v_names[:i::int - 1]);
  if v_bad is not null or v_names = '{}' then
    perform private.fail('NX457', p_detail := format('column %s', coalesce(v_bad, 1)));
  end if;
  return v_names;
end;
$$;
comment on function private.csv_header(text[]) is 'Names of the columns; NX457 with the number of one that is unknown or twice.';

create function private.import_posts_csv(
  p_csv text, p_mode text default 'all', p_time_zone text default null, p_idempotency_key uuid default null,
  p_now timestamptz default now()
) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_rows jsonb;
  v_wide int;
begin
  perform private.require_person();
  with line as materialized (
    select r.row_number, r.fields, row_number() over (order by r.row_number) = 1 as is_header
    from private.csv_rows(coalesce(p_csv, ''), private.setting_int('import_rows_max')) r
  ), header as materialized (
    select private.csv_header((select fields from line where is_header)) as names
  )
  select coalesce(jsonb_agg(jsonb_object(h.names, l.fields[:cardinality(h.names)]
             || array_fill(null::text, array[greatest(0, cardinality(h.names) - cardinality(l.fields))]))
           || jsonb_build_object('row', l.row_number)) filter (where not l.is_header), '[]'),
         min(l.row_number) filter (where cardinality(l.fields) > cardinality(h.names)
                                   and exists (select from unnest(l.fields[cardinality(h.names) + 1:]) f where btrim(f) <> ''))
    into v_rows, v_wide from header h left join line l on true group by h.names;
  if v_wide is not null then
    perform private.fail('NX457', p_detail := format('fields in row %s', v_wide));
  end if;
  return private.import_json('import_posts_csv', to_jsonb(p_csv), v_rows, p_mode, p_time_zone, p_idempotency_key, p_now);
end;
$$;
comment on function private.import_posts_csv(text, text, text, uuid, timestamptz) is 'Body of import_posts_csv().';

create function public.import_posts(
  p_rows jsonb, p_mode text default 'all', p_time_zone text default null, p_idempotency_key uuid default null
) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  select private.import_posts(p_rows, p_mode, p_time_zone, p_idempotency_key)
$$;
comment on function public.import_posts(jsonb, text, text, uuid) is
  'Imports up to 5,000 posts, an array of objects with the fields of list_import_columns(), all texts. p_mode: all (or '
  'nothing), valid (rows without errors) or check (nothing). Returns the report with problems by row and column.';

create function public.import_posts_csv(
  p_csv text, p_mode text default 'all', p_time_zone text default null, p_idempotency_key uuid default null
) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  select private.import_posts_csv(p_csv, p_mode, p_time_zone, p_idempotency_key)
$$;
comment on function public.import_posts_csv(text, text, text, uuid) is
  'As import_posts(), from the text of a CSV file with a header; comma, semicolon or tab. Rows are numbered as in a '
  'spreadsheet, the header being row 1.';

insert into private.settings (key, value, description) values
  ('import_rows_max', '5000', 'Rows of one import.');

insert into private.definer_ledger (function_name, reason) values
  ('private.import_posts', 'Makes posts and schedules them, which goes through functions of schema private.'),
  ('private.import_posts_csv', 'Makes posts and schedules them, which goes through functions of schema private.');
