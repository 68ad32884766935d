-- create_series(post, rule, starts_on, local_time, zone, texts, key), end_series(series, cancel)
-- Why:     what a person can do with a series. Single occurrences are edited, moved and cancelled like any post; those that
--          are not made yet are made by prepare_occurrence(), or skipped.
-- Caller:  authenticated, for its own posts and series. DEFINER bodies: people may not change state or queue.
-- Errors:  NX001, NX11x account. NX002 texts. NX003 key. NX401 post. NX410, NX412, NX414 the template cannot be published.
--          NX411 no occurrence lies in the future. NX413 the template has no accounts. NX420, NX421 as cancel_target().
--          NX450 zone. NX453 rule. NX455 series. NX456 occurrence. NX458 too many series.
-- Repeat:  create_series with a key: the same series. The others are safe: what is ended, skipped or made already stays so.
-- Locks:   key, post (template), series, then as cancel_target() and schedule_post().

-- X and LinkedIn refuse a text that they had before; how often the same one would come is known now.
create function private.series_warnings(p_series public.post_series) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(jsonb_build_object('target_id', r.id, 'platform_id', r.platform_id, 'rule', 'repeated_text',
           'severity', 'warning', 'limit_value', 1, 'measured', r.same,
           'message', private.warning_message('repeated_text')) order by r.id), '[]')
  from (
    select o.id, o.platform_id, max(o.same) as same from (
      select t.id, t.platform_id, count(*) as same
      from public.post_targets t join public.posts p on p.id = t.post_id, private.series_days(p_series) d
      where t.post_id = p_series.post_id and t.platform_id in ('x', 'linkedin')
      group by t.id, t.platform_id, private.occurrence_text(
        coalesce(t.text, private.occurrence_body(p_series, p.body, d.number)), d.number, d.occurs_on)
    ) o group by o.id, o.platform_id
  ) r where r.same > 1
$$;
comment on function private.series_warnings(public.post_series) is
  'Accounts on which the same text would come again, in the shape of check_post(); measured: how often.';

create function private.require_series(p_user uuid, p_series_id uuid) returns public.post_series
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_series public.post_series;
begin
  select * into v_series from public.post_series s where s.id = p_series_id and s.user_id = p_user for update;
  if not found then
    perform private.fail('NX455');
  end if;
  return v_series;
end;
$$;
comment on function private.require_series(uuid, uuid) is 'The person''s series, held; or NX455.';

create function private.check_template(p_user uuid, p_post_id uuid, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids uuid[];
begin
  perform private.lock_post(p_user, p_post_id);
  v_ids := array(select t.id from public.post_targets t where t.post_id = p_post_id order by t.id);
  if v_ids = '{}' then
    perform private.fail('NX413');
  end if;
  perform private.check_connections(v_ids);
  perform private.check_problems(v_ids, p_now);
  if private.setting_int('series_max') <= (
    select count(*) from public.post_series s where s.user_id = p_user and s.state = 'active') then
    perform private.fail('NX458', p_detail := 'post_series');
  end if;
end;
$$;
comment on function private.check_template(uuid, uuid, timestamptz) is
  'Whether a post can be the template of one more series.';

create function private.insert_series(
  p_user uuid, p_post_id uuid, p_rule text, p_starts_on date, p_local_time time, p_zone text, p_texts text[],
  p_now timestamptz
) returns public.post_series
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_series public.post_series;
begin
  if (p_starts_on between '2000-01-01' and '2200-01-01' and p_local_time = date_trunc('minute', p_local_time)
      and p_local_time < '24:00') is not true then
    perform private.fail('NX002', p_detail := 'p_starts_on, p_local_time');
  elsif exists (select from unnest(p_texts) x where coalesce(x, '') !~ '\S' or length(x) > 99000)
        or cardinality(p_texts) > 100 then
    perform private.fail('NX002', p_detail := 'p_texts');
  end if;
  perform private.check_zone(p_zone);
  perform private.parse_rrule(p_rule, p_zone);
  insert into public.post_series (user_id, post_id, rule, starts_on, local_time, time_zone, texts, created_at, updated_at)
  values (p_user, p_post_id, regexp_replace(upper(p_rule), '^RRULE:', ''), p_starts_on, p_local_time, p_zone,
          coalesce(p_texts, '{}'), p_now, p_now)
  returning * into v_series;
  select d.number into v_series.next_number from private.series_days(v_series) d
    where d.at >= p_now order by d.number limit 1;
  if v_series.next_number is null then
    perform private.fail('NX411');
  end if;
  return v_series;
end;
$$;
comment on function private.insert_series(uuid, uuid, text, date, time, text, text[], timestamptz) is
  'A new series that goes on with its first occurrence in the future.';

create function private.create_series(
  p_post_id uuid, p_rule text, p_starts_on date, p_local_time time, p_time_zone text, p_texts text[] default '{}',
  p_idempotency_key uuid default null, p_now timestamptz default now()
) returns table (series_id uuid, occurrence_count int, next_at timestamptz, warnings jsonb)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_request jsonb := jsonb_build_array(p_post_id, p_rule, p_starts_on, p_local_time, p_time_zone, p_texts);
  v_answer jsonb := private.idempotent_response(v_user, 'create_series', p_idempotency_key, v_request, p_now);
  v_series public.post_series;
begin
  if v_answer is null then
    perform private.check_template(v_user, p_post_id, p_now);
    v_series := private.insert_series(v_user, p_post_id, p_rule, p_starts_on, p_local_time, p_time_zone, p_texts, p_now);
    perform private.make_occurrences(v_series, p_now + private.setting_interval('series_horizon'), 100, p_now);
    v_answer := jsonb_build_object('id', v_series.id, 'warnings', private.series_warnings(v_series), 'count',
      (select count(*) from private.series_days(v_series) d where d.number >= v_series.next_number));
    perform private.remember_response(v_user, 'create_series', p_idempotency_key, v_request, v_answer, p_now);
  end if;
  return query
    select s.id, (v_answer ->> 'count')::int, s.next_at, v_answer -> 'warnings'
    from public.post_series s where s.id = (v_answer ->> 'id')::uuid;
end;
$$;
comment on function private.create_series(uuid, text, date, time, text, text[], uuid, timestamptz) is
  'Body of create_series().';

-- A target that a worker has in hand at this moment goes its way.
create function private.cancel_occurrences(p_series_id uuid, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_target uuid;
begin
  for v_target in
    select t.id from public.post_occurrences o join public.post_targets t on t.post_id = o.post_id and t.user_id = o.user_id
    where o.series_id = p_series_id and t.state = 'scheduled' order by t.id
  loop
    begin
      perform private.cancel_target(v_target, p_now);
    exception when sqlstate 'NX420' or sqlstate 'NX421' then
      null;
    end;
  end loop;
end;
$$;
comment on function private.cancel_occurrences(uuid, timestamptz) is 'Takes back what is scheduled of a series.';

create function private.end_series(p_series_id uuid, p_cancel_scheduled boolean default false, p_now timestamptz default now())
returns public.post_series
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_series public.post_series := private.require_series(private.require_person(), p_series_id);
begin
  if p_cancel_scheduled then
    perform private.cancel_occurrences(p_series_id, p_now);
  end if;
  update public.post_series s set state = 'ended', next_at = null, make_at = null, updated_at = p_now
    where s.id = p_series_id and s.state = 'active' returning * into v_series;
  select * into v_series from public.post_series s where s.id = p_series_id;
  return v_series;
end;
$$;
comment on function private.end_series(uuid, boolean, timestamptz) is 'Body of end_series().';

create function public.create_series(
  p_post_id uuid, p_rule text, p_starts_on date, p_local_time time, p_time_zone text, p_texts text[] default '{}',
  p_idempotency_key uuid default null
) returns table (series_id uuid, occurrence_count int, next_at timestamptz, warnings jsonb)
language sql volatile security invoker set search_path = '' as $$
  select * from private.create_series(p_post_id, p_rule, p_starts_on, p_local_time, p_time_zone, p_texts, p_idempotency_key)
$$;
comment on function public.create_series(uuid, text, date, time, text, text[], uuid) is
  'Repeats a post by a rule of RFC 5545 with an end (COUNT or UNTIL). The post is the template; p_texts are taken in turn '
  'instead of its text. {n} and {date} stand for number and day. warnings: where the same text would come again.';

create function public.end_series(p_series_id uuid, p_cancel_scheduled boolean default false) returns public.post_series
language sql volatile security invoker set search_path = '' as $$
  select private.end_series(p_series_id, p_cancel_scheduled)
$$;
comment on function public.end_series(uuid, boolean) is
  'No more occurrences are made; with p_cancel_scheduled those that wait for their time are taken back, too.';

insert into private.definer_ledger (function_name, reason) values
  ('private.create_series', 'Makes posts and schedules them, which goes through functions of schema private.'),
  ('private.end_series', 'Changes state and queue, which people cannot change directly.');
