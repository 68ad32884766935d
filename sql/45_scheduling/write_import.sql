-- private.judge_import(user, rows, now), write_import(…), check_import(…), schedule_import(…)
-- Why:     the steps of an import, each for all rows at once; see import_posts.sql.
-- Caller:  private.import_rows().
-- Errors:  none of its own: what is wrong becomes a problem of a row and column.
-- Repeat:  by the caller.
-- Locks:   by the caller: slots, then connections (shared); then queue rows and targets.

create function private.judge_import(p_user uuid, p_rows private.import_row[], p_now timestamptz)
returns setof private.import_problem
language sql stable security invoker set search_path = '' as $$
  select * from private.import_flaws(p_rows, p_now)
  union
  select a.place, 'accounts', a.code, 'error', null from private.import_accounts(p_user, p_rows) a where a.code is not null
  union
  select m.place, 'media', case when m.media_id is null then 'media_unknown' else 'too_long' end, 'error', null
  from private.import_media(p_user, p_rows) m where m.media_id is null or m.nth is null
$$;
comment on function private.judge_import(uuid, private.import_row[], timestamptz) is 'All that can be judged before writing.';

create function private.write_import(p_user uuid, p_rows private.import_row[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into public.posts (id, user_id, title, body, created_at, updated_at)
    select r.post_id, p_user, r.title, r.body, p_now, p_now from unnest(p_rows) r;
  insert into public.post_media (post_id, media_id, user_id, position)
    select r.post_id, m.media_id, p_user, m.nth
    from private.import_media(p_user, p_rows) m join unnest(p_rows) r on r.place = m.place;
  insert into public.post_targets (user_id, post_id, connection_id, platform_id, options, created_at, updated_at)
    select p_user, r.post_id, a.connection_id, a.platform_id, coalesce(r.options -> a.platform_id, '{}'), p_now, p_now
    from private.import_accounts(p_user, p_rows) a join unnest(p_rows) r on r.place = a.place;
  insert into public.post_imports (user_id, key, post_id, created_at)
    select p_user, r.key, r.post_id, p_now from unnest(p_rows) r where r.key is not null;
end;
$$;
comment on function private.write_import(uuid, private.import_row[], timestamptz) is 'Posts, files, draft targets and keys.';

-- The same rules as everywhere: the drafts are there now.
create function private.check_import(p_rows private.import_row[], p_now timestamptz) returns setof private.import_problem
language sql stable security invoker set search_path = '' as $$
  select distinct r.place, case when x.rule ~ '^(text|content|hashtag|url)' then 'text' when x.rule ~ '^title' then 'title'
      when x.rule ~ '^(image|gif|video|document|media|alt|thumbnail|aspect)' then 'media' else 'options' end,
    x.rule, x.severity, x.message
  from unnest(p_rows) r join public.post_targets t on t.post_id = r.post_id, private.target_problems(t.id, r.at, p_now) x
  union
  select s.place, 'text', 'repeated_text', 'warning', null from (
    select r.place, row_number() over (partition by t.connection_id, md5(btrim(r.body)) order by r.place) as nth
    from unnest(p_rows) r join public.post_targets t on t.post_id = r.post_id where r.body ~ '\S'
  ) s where s.nth > 1
$$;
comment on function private.check_import(private.import_row[], timestamptz) is
  'Rules of the platforms, and texts that stand in the file twice for the same account.';

create function private.queue_import(p_rows private.import_row[], p_now timestamptz)
returns table (place int, target_id uuid, at timestamptz, time_zone text)
language sql volatile security invoker set search_path = '' as $$
  with waiting as materialized (
    select r.place, t.id, t.connection_id, row_number() over (partition by t.connection_id order by r.place)::int as nth
    from unnest(p_rows) r join public.post_targets t on t.post_id = r.post_id where r.is_queued
  ), slot as materialized (
    select c.connection_id, s.at, s.time_zone, row_number() over (partition by c.connection_id order by s.at)::int as nth
    from (select connection_id, max(nth) as wanted from waiting group by connection_id) c,
         private.free_slots(c.connection_id, p_now, c.wanted) s
  )
  select w.place, w.id, s.at, s.time_zone
  from waiting w left join slot s on s.connection_id = w.connection_id and s.nth = w.nth
$$;
comment on function private.queue_import(private.import_row[], timestamptz) is
  'The next free slots for the targets that want one, in the order of the rows; at NULL: there is none left.';

create function private.schedule_import(p_rows private.import_row[], p_now timestamptz) returns setof private.import_problem
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids uuid[];
  v_ats timestamptz[];
  v_zones text[];
  v_full int[];
begin
  select array_agg(x.target_id) filter (where x.at is not null), array_agg(x.at) filter (where x.at is not null),
         array_agg(x.time_zone) filter (where x.at is not null), array_agg(x.place) filter (where x.at is null)
    into v_ids, v_ats, v_zones, v_full from (
      select q.place, q.target_id, q.at, q.time_zone from private.queue_import(p_rows, p_now) q
      union all
      select r.place, t.id, r.at, r.zone from unnest(p_rows) r join public.post_targets t on t.post_id = r.post_id
      where r.at is not null) x;
  if v_ids is not null then
    perform private.set_times(v_ids, v_ats, p_now);
    insert into public.target_local_times (target_id, user_id, scheduled_at, local_time, time_zone, adjusted)
      select t.id, t.user_id, x.at, x.at at time zone x.zone, x.zone, r.adjusted
      from unnest(v_ids, v_ats, v_zones) x (id, at, zone) join public.post_targets t on t.id = x.id
      join unnest(p_rows) r on r.post_id = t.post_id;
  end if;
  return query select distinct f, 'at', 'no_free_slot', 'error', null::text from unnest(v_full) f;
end;
$$;
comment on function private.schedule_import(private.import_row[], timestamptz) is
  'Schedules what has a time; returns the rows for which there is no slot. Rules and accounts were checked before, slots '
  'are locked.';

create function private.errors_at(p_problems private.import_problem[]) returns int[]
language sql immutable security invoker set search_path = '' as $$
  select array(select distinct p.place from unnest(p_problems) p where p.severity = 'error')
$$;
comment on function private.errors_at(private.import_problem[]) is 'Places of the rows that cannot be imported.';

create function private.without_rows(p_rows private.import_row[], p_places int[]) returns private.import_row[]
language sql immutable security invoker set search_path = '' as $$
  select coalesce(array_agg(r order by r.place), '{}') from unnest(p_rows) r where r.place <> all (p_places)
$$;
comment on function private.without_rows(private.import_row[], int[]) is 'The other rows.';
