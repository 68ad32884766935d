-- private.platform_limits, private.platform_budgets, private.observe_budgets(…), private.return_budgets(…)
-- Why:     how many more posts an account, or this service as a whole, may send to a platform until its window ends. All
--          workers keep to it together: what is used up is not tried, and costs no attempt.
-- Caller:  pace_leases.sql reserves when targets are claimed; report_targets() brings what the platforms say (headers and
--          quota endpoints); settle_targets() gives back what was reserved and not sent.
-- Errors:  none: an observation that is malformed is left out.
-- Repeat:  safe: within one window `remaining` only falls, in a later one the newest word counts.
-- Locks:   budget rows, in the order of their ids, after queue rows and targets.

create table private.platform_limits (
  platform_id text not null references public.platforms (id),
  scope text not null,
  name text not null,
  limit_value numeric not null,
  length interval not null,
  resets_in_zone text,
  source text not null,
  checked_on date not null,
  valid_from date not null,
  gates_posts boolean not null default true,
  primary key (platform_id, scope, name, valid_from),
  constraint scope_is_known check (scope in ('account', 'app')),
  constraint limit_is_positive check (limit_value > 0),
  constraint length_is_positive check (length > interval '0'),
  constraint source_is_given check (length(source) between 5 and 200)
);
comment on table private.platform_limits is
  'Windows as the platforms'' documents state them: dated, with source. They complete an observation that lacks its limit '
  'or its end; what a platform says at run time wins.';
comment on column private.platform_limits.length is 'Length of the window, from the first use or, with a zone, from midnight.';
comment on column private.platform_limits.gates_posts is
  'Whether a post needs something of this window. Only such windows are kept: others must not hold posts back.';
comment on column private.platform_limits.resets_in_zone is 'Time zone at whose midnight the window ends; NULL: it rolls.';

create table private.platform_budgets (
  id uuid primary key default gen_random_uuid(),
  platform_id text not null references public.platforms (id),
  connection_id uuid references public.connections (id) on delete cascade,
  name text not null,
  limit_value numeric,
  remaining numeric not null,
  resets_at timestamptz not null,
  observed_at timestamptz not null,
  constraint one_row_per_window unique nulls not distinct (platform_id, connection_id, name),
  constraint name_is_a_code check (name ~ '^[a-z][a-z0-9_]{0,62}$'),
  constraint remaining_is_not_negative check (remaining >= 0)
) with (fillfactor = 70);
create index platform_budgets_connection_id_idx on private.platform_budgets (connection_id, resets_at);
create index platform_budgets_resets_at_idx on private.platform_budgets (resets_at);
comment on table private.platform_budgets is 'What is left of the windows of platforms, per account or for all of this service.';
comment on column private.platform_budgets.connection_id is 'The account; NULL: all accounts of the platform together.';
comment on column private.platform_budgets.remaining is 'Posts that may still be claimed before resets_at.';

insert into private.platform_limits
  (platform_id, scope, name, limit_value, length, resets_in_zone, source, checked_on, valid_from, gates_posts) values
  ('youtube', 'app', 'videos_insert', 100, '1 day', 'America/Los_Angeles', 'YouTube Data API, quota costs',
   '2026-11-20', '2025-12-01', true),
  ('youtube', 'app', 'units', 10000, '1 day', 'America/Los_Angeles', 'YouTube Data API, quota costs',
   '2026-11-20', '2019-01-01', false),
  ('x', 'account', 'posts', 100, '15 minutes', null, 'X API documentation, rate limits',
   '2026-11-20', '2024-01-01', true),
  ('x', 'app', 'posts_day', 10000, '1 day', null, 'X API documentation, rate limits', '2026-11-20', '2024-01-01', true),
  ('linkedin', 'account', 'posts', 100, '1 day', 'UTC', 'limit that public schedulers keep to; not published',
   '2026-11-20', '2024-01-01', true),
  ('instagram', 'account', 'posts', 50, '1 day', null, 'Instagram media_publish reference; the guide says 100',
   '2026-11-20', '2024-01-01', true),
  ('tiktok', 'account', 'inits', 6, '1 minute', null, 'TikTok Content Posting API, direct post',
   '2026-11-20', '2024-01-01', true),
  ('tiktok', 'account', 'pending_shares', 5, '1 day', null, 'TikTok Content Posting API, upload',
   '2026-11-20', '2024-01-01', true),
  ('tiktok', 'account', 'posts', 15, '1 day', null, 'TikTok Content Posting API, about 15 a day',
   '2026-11-20', '2024-01-01', true);

-- A window that rolls frees a place at any moment: the platform is asked again after an hour, not when all of it is over.
create function private.window_end(p_limit private.platform_limits, p_now timestamptz) returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select case when (p_limit).resets_in_zone is null then
      p_now + least(coalesce((p_limit).length, interval '15 minutes'), interval '1 hour')
    else (((p_now at time zone (p_limit).resets_in_zone)::date + 1)::timestamp at time zone (p_limit).resets_in_zone) end
$$;
comment on function private.window_end(private.platform_limits, timestamptz) is
  'When a window ends of which the platform did not say; a quarter of an hour where nothing is known.';

create type private.budget_sighting as (
  platform_id text,
  connection_id uuid,
  name text,
  limit_value numeric,
  remaining numeric,
  resets_at timestamptz
);
comment on type private.budget_sighting is 'What a platform said about one window.';

-- A plain "too many requests" is an observation as well: nothing is left until the time it names.
create function private.budget_elements(p_report private.target_report) returns setof jsonb
language sql immutable security invoker set search_path = '' as $$
  select e from jsonb_array_elements(case when jsonb_typeof((p_report).budget) = 'array' then (p_report).budget else '[]' end) e
  where jsonb_typeof(e) = 'object'
  union all
  select jsonb_build_object('scope', 'account', 'name', 'rate_limited', 'remaining', 0,
                            'after_seconds', least((p_report).retry_after_seconds, 604800))
  where (p_report).code = 'rate_limited' and (p_report).retry_after_seconds > 0 and (p_report).outcome <> 'published'
$$;
comment on function private.budget_elements(private.target_report) is 'The observations in one report, as JSON objects.';

create function private.sighted_budgets(p_reports private.target_report[], p_now timestamptz)
returns private.budget_sighting[]
language sql stable security invoker set search_path = '' as $$
  select coalesce(array_agg(row(x.platform_id, x.connection_id, x.name, x.limit_value, x.remaining, x.resets_at)
                              ::private.budget_sighting), '{}')
  from (
    select distinct on (t.platform_id, a.connection_id, b.name)
           t.platform_id, a.connection_id, b.name, coalesce(b.limit_value, l.limit_value) as limit_value, b.remaining,
           coalesce(b.resets_at, private.window_end(l, p_now)) as resets_at
    from unnest(p_reports) r
    join public.post_targets t on t.id = r.target_id
    cross join lateral private.budget_elements(r) e
    cross join lateral (select e ->> 'scope' as scope, e ->> 'name' as name,
      private.int_or_null(e ->> 'limit') as limit_value, private.int_or_null(e ->> 'remaining') as remaining,
      coalesce(private.instant_or_null(e ->> 'resets_at'),
               p_now + make_interval(secs => private.number_or_null(e ->> 'after_seconds')::float8)) as resets_at) b
    cross join lateral (select case b.scope when 'account' then t.connection_id end as connection_id) a
    left join lateral (select p.* from private.platform_limits p
      where p.platform_id = t.platform_id and p.scope = b.scope and p.name = b.name
        and p.valid_from <= (p_now at time zone 'utc')::date order by p.valid_from desc limit 1) l on true
    where coalesce(l.gates_posts, true) and b.scope in ('account', 'app') and b.name ~ '^[a-z][a-z0-9_]{0,62}$' and b.remaining is not null
    order by t.platform_id, a.connection_id, b.name, b.resets_at desc nulls last, b.remaining
  ) x where x.resets_at > p_now and x.resets_at < p_now + interval '32 days' -- no platform has a longer window
$$;
comment on function private.sighted_budgets(private.target_report[], timestamptz) is
  'What reports say about windows, one entry per window: the least that is left of the latest one.';

-- Two ends within a minute are the same window: platforms round, and answers take a while.
create function private.observe_budgets(p_reports private.target_report[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_sighted private.budget_sighting[] := private.sighted_budgets(p_reports, p_now);
begin
  perform from unnest(v_sighted) s join private.platform_budgets b on b.platform_id = s.platform_id and b.name = s.name
      and (b.connection_id = s.connection_id or b.connection_id is null and s.connection_id is null)
    order by b.id for update of b;
  insert into private.platform_budgets as b
    (platform_id, connection_id, name, limit_value, remaining, resets_at, observed_at)
  select s.platform_id, s.connection_id, s.name, s.limit_value, s.remaining, s.resets_at, p_now
  from unnest(v_sighted) s
  order by s.platform_id, s.connection_id, s.name
  on conflict on constraint one_row_per_window do update set
    limit_value = coalesce(excluded.limit_value, b.limit_value),
    remaining = case when b.resets_at > p_now
                       and abs(extract(epoch from excluded.resets_at - b.resets_at)) <= 60
                     then least(b.remaining, excluded.remaining) else excluded.remaining end,
    resets_at = excluded.resets_at, observed_at = excluded.observed_at
  where b.observed_at <= excluded.observed_at;
end;
$$;
comment on function private.observe_budgets(private.target_report[], timestamptz) is
  'Keeps what platforms said about their windows.';

create function private.return_budgets(p_target_ids uuid[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  with share as materialized (
    select b.id, count(*) as posts
    from public.post_targets t
    join private.platform_budgets b on b.platform_id = t.platform_id
      and (b.connection_id is null or b.connection_id = t.connection_id) and b.resets_at > p_now
    where t.id = any (p_target_ids) group by b.id
  ), held as materialized (
    select b.id from private.platform_budgets b where b.id in (select s.id from share s) order by b.id for update
  )
  update private.platform_budgets b
  set remaining = least(b.remaining + s.posts, greatest(b.limit_value, b.remaining))
  from share s join held h using (id) where b.id = s.id and b.limit_value is not null
$$;
comment on function private.return_budgets(uuid[], timestamptz) is
  'Gives back what was reserved for targets that were not sent after all.';

create function private.forget_budgets(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.platform_budgets b where b.id = any (array(
    select o.id from private.platform_budgets o where o.resets_at < p_now - interval '7 days'
    order by o.resets_at limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_budgets(timestamptz) is 'Housekeeping: windows that ended a week ago.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_budgets', 'private.forget_budgets', 420);
