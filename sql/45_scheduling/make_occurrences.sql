-- private.make_occurrence(…), private.make_occurrences(series, until, limit), private.make_due_occurrences(now)
-- Why:     occurrences of series become posts ahead of time, so that people see, edit and skip them; from then on they are
--          scheduled like everything else and need no series to be published.
-- Caller:  functions of people in this context; housekeeping.
-- Errors:  none for housekeeping: a series that fails is tried again an hour later and its person is told.
-- Repeat:  safe: the row of an occurrence is unique, and it is written before its post.
-- Locks:   series, then post (new), connections, queue rows, targets.

create function private.occurrence_text(p_text text, p_number int, p_day date) returns text
language sql immutable security invoker set search_path = '' as $$
  select replace(replace(p_text, '{n}', p_number::text), '{date}', to_char(p_day, 'YYYY-MM-DD'))
$$;
comment on function private.occurrence_text(text, int, date) is 'A text with its placeholders filled.';

-- The body of an occurrence: the texts of the series in turn, else that of the template.
create function private.occurrence_body(p_series public.post_series, p_body text, p_number int) returns text
language sql immutable security invoker set search_path = '' as $$
  select coalesce(p_series.texts[1 + (p_number - 1) % nullif(cardinality(p_series.texts), 0)], p_body)
$$;
comment on function private.occurrence_body(public.post_series, text, int) is 'The text whose turn it is.';

create function private.copy_template(p_series public.post_series, p_number int, p_day date, p_now timestamptz) returns uuid
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_post uuid := gen_random_uuid();
begin
  insert into public.posts (id, user_id, script_id, title, body, created_at, updated_at)
  select v_post, p.user_id, p.script_id, left(private.occurrence_text(p.title, p_number, p_day), 300),
         private.occurrence_text(private.occurrence_body(p_series, p.body, p_number), p_number, p_day), p_now, p_now
  from public.posts p where p.id = p_series.post_id;
  insert into public.post_media (post_id, media_id, user_id, position, role)
  select v_post, m.media_id, m.user_id, m.position, m.role from public.post_media m where m.post_id = p_series.post_id;
  insert into public.post_targets (user_id, post_id, connection_id, platform_id, text, options, tolerance, created_at,
                                   updated_at)
  select t.user_id, v_post, t.connection_id, t.platform_id, private.occurrence_text(t.text, p_number, p_day), t.options,
         t.tolerance, p_now, p_now
  from public.post_targets t where t.post_id = p_series.post_id;
  insert into public.target_follow_ups (user_id, target_id, position, body)
  select f.user_id, n.id, f.position, private.occurrence_text(f.body, p_number, p_day)
  from public.post_targets t join public.target_follow_ups f on f.target_id = t.id
  join public.post_targets n on n.post_id = v_post and n.connection_id = t.connection_id
  where t.post_id = p_series.post_id;
  return v_post;
end;
$$;
comment on function private.copy_template(public.post_series, int, date, timestamptz) is
  'A new post like the template: texts with placeholders filled, files, accounts, what follows on them.';

-- What cannot be scheduled (an account that is gone, a text that is too long) stays a draft, and the person is told.
create function private.schedule_occurrence(
  p_post_id uuid, p_at timestamptz, p_zone text, p_adjusted text, p_now timestamptz
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_target public.post_targets;
begin
  for v_target in select t.* from public.post_targets t where t.post_id = p_post_id order by t.id loop
    begin
      perform private.put_on_schedule(array[v_target.id], p_at, p_now);
      perform private.note_local_times(array[v_target.id], p_zone, p_adjusted);
    exception when sqlstate 'NX410' or sqlstate 'NX412' or sqlstate 'NX414' then
      perform private.notify(v_target.user_id, 'occurrence_not_scheduled', 'post_target', v_target.id, sqlstate, p_now);
    end;
  end loop;
end;
$$;
comment on function private.schedule_occurrence(uuid, timestamptz, text, text, timestamptz) is
  'Schedules what can be scheduled of a new occurrence.';

create function private.make_occurrence(p_series public.post_series, p_number int, p_day date, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_occurrence public.post_occurrences;
begin
  insert into public.post_occurrences (user_id, series_id, number, occurs_on, scheduled_at, adjusted, state, created_at)
  select p_series.user_id, p_series.id, p_number, p_day, i.at, i.adjusted,
         case when i.at < p_now then 'missed' else 'made' end::public.occurrence_state, p_now
  from private.local_instant(p_day + p_series.local_time, p_series.time_zone) i
  on conflict (series_id, number) do nothing
  returning * into v_occurrence;
  if v_occurrence.state = 'missed' then
    perform private.notify(p_series.user_id, 'occurrence_missed', 'post_occurrence', v_occurrence.id, null, p_now);
  elsif v_occurrence.state = 'made' then
    v_occurrence.post_id := private.copy_template(p_series, p_number, p_day, p_now);
    update public.post_occurrences o set post_id = v_occurrence.post_id where o.id = v_occurrence.id;
    perform private.schedule_occurrence(v_occurrence.post_id, v_occurrence.scheduled_at, p_series.time_zone,
                                        v_occurrence.adjusted, p_now);
  end if;
end;
$$;
comment on function private.make_occurrence(public.post_series, int, date, timestamptz) is
  'Makes an occurrence unless it was made, skipped or missed before.';

create function private.series_days(p_series public.post_series) returns table (number int, occurs_on date, at timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select d.number, d.occurs_on, i.at
  from private.rule_days(private.parse_rrule(p_series.rule, p_series.time_zone), p_series.starts_on, p_series.local_time,
                         p_series.starts_on + 3653) d,
       private.local_instant(d.occurs_on + p_series.local_time, p_series.time_zone) i
$$;
comment on function private.series_days(public.post_series) is 'All occurrences of a series, whatever became of them.';

-- Returns how many were made. The caller holds the series.
create function private.make_occurrences(p_series public.post_series, p_until timestamptz, p_limit int, p_now timestamptz)
returns int
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_day record;
  v_count int := 0;
  v_next record;
begin
  if p_series.post_id is null then
    update public.post_series s set state = 'ended', next_at = null, make_at = null, updated_at = p_now
      where s.id = p_series.id;
    return 0;
  end if;
  for v_day in
    select d.number, d.occurs_on from private.series_days(p_series) d
    where d.number >= p_series.next_number and d.at <= p_until order by d.number limit p_limit
  loop
    perform private.make_occurrence(p_series, v_day.number, v_day.occurs_on, p_now);
    v_count := v_count + 1;
  end loop;
  select d.number, d.at into v_next from private.series_days(p_series) d
    where d.number >= p_series.next_number + v_count order by d.number limit 1;
  update public.post_series s
    set next_number = p_series.next_number + v_count, next_at = v_next.at,
        make_at = v_next.at - private.setting_interval('series_horizon'),
        state = case when v_next.at is null then 'ended' else 'active' end::public.series_state, updated_at = p_now
    where s.id = p_series.id;
  return v_count;
end;
$$;
comment on function private.make_occurrences(public.post_series, timestamptz, int, timestamptz) is
  'Makes what is due until an instant and says when the next one is; a series without any left is ended.';

-- Any error at all must leave the other series alone; its code reaches the person, and the series is tried again.
create function private.try_series(p_series public.post_series, p_limit int, p_now timestamptz) returns int
language plpgsql volatile security invoker set search_path = '' as $$
begin
  return private.make_occurrences(p_series, p_now + private.setting_interval('series_horizon'), p_limit, p_now);
exception when others then
  update public.post_series s set make_at = p_now + interval '1 hour' where s.id = p_series.id;
  perform private.notify(p_series.user_id, 'series_failed', 'post_series', p_series.id, sqlstate, p_now);
  return 0;
end;
$$;
comment on function private.try_series(public.post_series, int, timestamptz) is 'One series in its own subtransaction.';

create function private.make_due_occurrences(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_series public.post_series;
  v_left int := private.setting_int('series_per_run');
  v_count bigint := 0;
begin
  for v_series in
    select s.* from public.post_series s join private.accounts a on a.user_id = s.user_id and a.state = 'active'
    where s.state = 'active' and s.make_at <= p_now
    order by s.make_at, s.id limit v_left for update of s skip locked
  loop
    exit when v_count >= v_left;
    v_count := v_count + private.try_series(v_series, v_left - v_count::int, p_now);
  end loop;
  return v_count;
end;
$$;
comment on function private.make_due_occurrences(timestamptz) is
  'Housekeeping: makes the occurrences of all series that lie within the horizon; nothing while an account may not be used.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('make_due_occurrences', 'private.make_due_occurrences', 450);
