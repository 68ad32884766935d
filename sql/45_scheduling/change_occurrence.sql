-- list_occurrences(series), skip_occurrence(series, number), prepare_occurrence(series, number)
-- Why, errors, repeat, locks: see change_series.sql.
-- Caller:  authenticated, for its own series.

create function private.list_occurrences(p_series_id uuid)
returns table (number int, occurs_on date, at timestamptz, adjusted text, state text, post_id uuid)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_series public.post_series := private.require_series(private.require_person(), p_series_id);
begin
  return query
    select d.number, d.occurs_on, coalesce(o.scheduled_at, d.at),
           case when o.id is null then i.adjusted else o.adjusted end, coalesce(o.state::text, 'planned'), o.post_id
    from private.series_days(v_series) d
    left join public.post_occurrences o on o.series_id = p_series_id and o.number = d.number,
    private.local_instant(d.occurs_on + v_series.local_time, v_series.time_zone) i
    where o.id is not null or v_series.state = 'active' and d.number >= v_series.next_number
    order by d.number;
end;
$$;
comment on function private.list_occurrences(uuid) is 'Body of list_occurrences().';

create function private.occurrence_day(p_series public.post_series, p_number int) returns date
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_day date;
begin
  select d.occurs_on into v_day from private.series_days(p_series) d
    where d.number = p_number and d.number >= p_series.next_number and p_series.state = 'active';
  if v_day is null then
    perform private.fail('NX456');
  end if;
  return v_day;
end;
$$;
comment on function private.occurrence_day(public.post_series, int) is 'The day of an occurrence that is still to come; NX456.';

create function private.cancel_occurrence(p_occurrence public.post_occurrences, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.cancel_target(t.id, p_now)
    from (select t.id from public.post_targets t
          where t.post_id = p_occurrence.post_id and t.user_id = p_occurrence.user_id
            and t.state not in ('draft', 'cancelled', 'failed', 'missed') order by t.id) t;
  update public.post_occurrences o set state = 'skipped' where o.id = p_occurrence.id;
end;
$$;
comment on function private.cancel_occurrence(public.post_occurrences, timestamptz) is
  'Takes an occurrence back from all accounts; NX420, NX421 where it is too late.';

create function private.skip_occurrence(p_series_id uuid, p_number int, p_now timestamptz default now())
returns public.post_occurrences
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_series public.post_series := private.require_series(private.require_person(), p_series_id);
  v_occurrence public.post_occurrences;
begin
  select * into v_occurrence from public.post_occurrences o where o.series_id = p_series_id and o.number = p_number;
  if v_occurrence.state = 'made' then
    perform private.cancel_occurrence(v_occurrence, p_now);
  elsif v_occurrence.state is null then
    insert into public.post_occurrences (user_id, series_id, number, occurs_on, scheduled_at, adjusted, state, created_at)
    select v_series.user_id, p_series_id, p_number, d.day, i.at, i.adjusted, 'skipped', p_now
    from (select private.occurrence_day(v_series, p_number) as day) d,
         private.local_instant(d.day + v_series.local_time, v_series.time_zone) i;
  end if;
  select * into v_occurrence from public.post_occurrences o where o.series_id = p_series_id and o.number = p_number;
  return v_occurrence;
end;
$$;
comment on function private.skip_occurrence(uuid, int, timestamptz) is 'Body of skip_occurrence().';

create function private.prepare_occurrence(p_series_id uuid, p_number int, p_now timestamptz default now())
returns public.post_occurrences
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_series public.post_series := private.require_series(private.require_person(), p_series_id);
  v_occurrence public.post_occurrences;
begin
  select * into v_occurrence from public.post_occurrences o where o.series_id = p_series_id and o.number = p_number;
  if not found then
    if v_series.post_id is null then
      perform private.fail('NX401');
    end if;
    perform private.make_occurrence(v_series, p_number, private.occurrence_day(v_series, p_number), p_now);
    select * into v_occurrence from public.post_occurrences o where o.series_id = p_series_id and o.number = p_number;
  end if;
  return v_occurrence;
end;
$$;
comment on function private.prepare_occurrence(uuid, int, timestamptz) is 'Body of prepare_occurrence().';

create function public.list_occurrences(p_series_id uuid)
returns table (number int, occurs_on date, at timestamptz, adjusted text, state text, post_id uuid)
language sql volatile security invoker set search_path = '' as $$
  select * from private.list_occurrences(p_series_id)
$$;
comment on function public.list_occurrences(uuid) is
  'All occurrences of a series: made, skipped, missed, and planned ones, which have no post yet.';

create function public.skip_occurrence(p_series_id uuid, p_number int) returns public.post_occurrences
language sql volatile security invoker set search_path = '' as $$
  select private.skip_occurrence(p_series_id, p_number)
$$;
comment on function public.skip_occurrence(uuid, int) is
  'Leaves one occurrence out. What is scheduled of it is cancelled; its post stays, to be scheduled again if wanted.';

create function public.prepare_occurrence(p_series_id uuid, p_number int) returns public.post_occurrences
language sql volatile security invoker set search_path = '' as $$
  select private.prepare_occurrence(p_series_id, p_number)
$$;
comment on function public.prepare_occurrence(uuid, int) is
  'Makes one occurrence now, ahead of its turn, so that its post can be edited.';

insert into private.definer_ledger (function_name, reason) values
  ('private.list_occurrences', 'Works out days with functions of schema private; for the caller''s series alone.'),
  ('private.skip_occurrence', 'Changes state and queue, which people cannot change directly.'),
  ('private.prepare_occurrence', 'Makes a post and schedules it, which goes through functions of schema private.');
