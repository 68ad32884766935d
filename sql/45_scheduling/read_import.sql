-- private.read_import(rows, zone, now), private.import_flaws(rows), private.import_accounts(user, rows), import_media(…)
-- Why:     every row is read and judged before anything is written, all rows at once: 5,000 must not take long.
-- Caller:  private.import_rows().
-- Errors:  none: what is wrong becomes a problem of a row and column.
-- Repeat:  safe; nothing is written.

create function private.local_time_or_null(p_text text) returns timestamp
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return case when p_text ~ '^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?$' then p_text::timestamp end;
exception when datetime_field_overflow or invalid_datetime_format then
  return null;
end;
$$;
comment on function private.local_time_or_null(text) is 'A time in ISO 8601 without offset; NULL: there is none like that.';

create function private.zoned_time_or_null(p_text text) returns timestamptz
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return case when p_text ~* '^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:?\d{2})$' then p_text::timestamptz end;
exception when datetime_field_overflow or invalid_datetime_format or invalid_time_zone_displacement_value then
  return null;
end;
$$;
comment on function private.zoned_time_or_null(text) is 'A time in ISO 8601 with offset; NULL: there is none like that.';

create function private.object_or_null(p_text text) returns jsonb
language plpgsql immutable security invoker set search_path = '' as $$
begin
  return case when jsonb_typeof(p_text::jsonb) = 'object' then p_text::jsonb end;
exception when invalid_text_representation then
  return null;
end;
$$;
comment on function private.object_or_null(text) is 'A JSON object; NULL: it is none.';

-- Spreadsheet exports guard texts that look like formulas with an apostrophe; it is not part of the text.
create function private.unguarded(p_text text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case when p_text ~ '^''[=+\-@\t]' then substr(p_text, 2) else p_text end
$$;
comment on function private.unguarded(text) is 'A cell without the apostrophe that keeps spreadsheets from running it.';

create function private.read_import(p_rows jsonb, p_zone text, p_now timestamptz) returns private.import_row[]
language sql stable security invoker set search_path = '' as $$
  with given as materialized (
    select r.row, nullif(btrim(r.key), '') as key, coalesce(btrim(private.unguarded(r.title)), '') as title,
           coalesce(private.unguarded(r.text), '') as body, nullif(btrim(r.accounts), '') as accounts,
           nullif(btrim(r.at), '') as at_text, coalesce(nullif(btrim(r.time_zone), ''), p_zone) as zone,
           nullif(btrim(r.media), '') as media, nullif(btrim(r.options), '') as options
    from jsonb_to_recordset(p_rows)
      as r (row int, key text, title text, text text, accounts text, at text, time_zone text, media text, options text)
  ), zone as materialized (
    select z.zone, private.is_time_zone(z.zone) as is_known from (select distinct zone from given) z
  ), timed as (
    select g.*, coalesce(private.zoned_time_or_null(g.at_text), i.at) as at, i.adjusted,
           private.object_or_null(g.options) as parsed, z.is_known
    from given g join zone z on z.zone = g.zone
    left join lateral (
      select l.at, l.adjusted
      from private.local_instant(private.local_time_or_null(g.at_text), case when z.is_known then g.zone end) l) i on true
  )
  select array_agg(row(t.row, t.key, t.title, t.body, t.accounts, t.at_text, t.zone, t.media, coalesce(t.parsed, '{}'),
    gen_random_uuid(), t.at, t.adjusted, lower(t.at_text) = 'queue', concat_ws(' ',
      case when t.options is not null and t.parsed is null then 'options' end,
      case when not t.is_known then 'time_zone'
           when t.at_text is not null and t.at is null and lower(t.at_text) <> 'queue' then 'at' end)
    )::private.import_row order by t.row)
  from timed t
$$;
comment on function private.read_import(jsonb, text, timestamptz) is 'The rows of a file, with their times as instants.';

create function private.import_flaws(p_rows private.import_row[], p_now timestamptz) returns setof private.import_problem
language sql stable security invoker set search_path = '' as $$
  with r as materialized (
    select x.*, count(*) over (partition by x.key) as same_key from unnest(p_rows) x
  )
  select r.place, f.column_name, f.code, f.severity, null
  from r, lateral (values
    ('options', 'unreadable', r.flaw like '%options%', 'error'),
    ('time_zone', 'time_zone_unknown', r.flaw like '%time_zone%', 'error'),
    ('at', 'unreadable', r.flaw ~ '\mat\M', 'error'),
    ('at', 'time_past', r.at < p_now - interval '1 minute', 'error'),
    ('at', 'time_moved', r.adjusted = 'gap', 'warning'),
    ('at', 'time_twice', r.adjusted = 'overlap', 'warning'),
    ('key', 'too_long', length(r.key) > 200, 'error'),
    ('key', 'key_repeated', r.key is not null and r.same_key > 1, 'error'),
    ('title', 'too_long', length(r.title) > 300, 'error'),
    ('text', 'too_long', length(r.body) > 100000, 'error'),
    ('text', 'content_required', r.body !~ '\S' and r.media is null, 'error'),
    ('options', 'too_long', pg_column_size(r.options) > 8000, 'error'),
    ('accounts', 'accounts_required', r.accounts is null and r.at_text is not null, 'error'),
    ('title', 'encoding', position(chr(65533) in r.title) > 0, 'error'),
    ('text', 'encoding', position(chr(65533) in r.body) > 0, 'error')
  ) f (column_name, code, is_wrong, severity)
  where f.is_wrong
$$;
comment on function private.import_flaws(private.import_row[], timestamptz) is 'What is wrong with rows by themselves.';

create function private.import_accounts(p_user uuid, p_rows private.import_row[])
returns table (place int, connection_id uuid, platform_id text, code text)
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select r.place, lower(btrim(w.name)) as name, w.ordinality as nth
    from unnest(p_rows) r, unnest(string_to_array(r.accounts, '|')) with ordinality w (name) where btrim(w.name) <> ''
  ), own as materialized (
    select c.id, c.platform_id, c.state = 'active' and p.is_publishable
             and c.scopes @> private.required_scopes(c.platform_id, array['publish']) as is_usable, a.name
    from public.connections c join public.platforms p on p.id = c.platform_id,
      lateral (values (c.id::text), (c.platform_id), (c.platform_id || ':' || lower(ltrim(c.handle, '@'))),
                      (c.platform_id || ':@' || lower(ltrim(c.handle, '@')))) a (name)
    where c.user_id = p_user and c.state <> 'disconnected'
  ), found as (
    select w.place, w.nth, min(o.id::text)::uuid as id, count(o.id) as matches, bool_and(o.is_usable) as is_usable,
           min(o.platform_id) as platform_id
    from wanted w left join own o on o.name = w.name group by w.place, w.nth
  )
  select f.place, f.id, f.platform_id,
         case when f.matches = 0 then 'account_unknown' when f.matches > 1 then 'account_ambiguous'
              when not f.is_usable then 'account_not_usable'
              when row_number() over (partition by f.place, f.id order by f.nth) > 1 then 'account_repeated' end
  from found f
$$;
comment on function private.import_accounts(uuid, private.import_row[]) is
  'The connection that each account of each row stands for; code: why it does not.';

create function private.import_media(p_user uuid, p_rows private.import_row[])
returns table (place int, media_id uuid, nth int)
language sql stable security invoker set search_path = '' as $$
  with wanted as (
    select r.place, btrim(w.name) as name, w.ordinality::int as nth
    from unnest(p_rows) r, unnest(string_to_array(r.media, '|')) with ordinality w (name) where btrim(w.name) <> ''
  )
  select w.place, m.id,
         case when w.nth <= 100 and row_number() over (partition by w.place, m.id order by w.nth) = 1 then w.nth end
  from wanted w left join public.media m on m.user_id = p_user
    and m.object_name = p_user::text || '/' || w.name or m.user_id = p_user and m.id::text = lower(w.name)
$$;
comment on function private.import_media(uuid, private.import_row[]) is
  'The file that each entry of each row stands for; NULL: none. nth: its place; NULL: too many, or named twice.';
