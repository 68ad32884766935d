-- check_schedule(post, at)
-- Why:     what speaks against a time, before or after it is chosen: all of it warnings, none of it keeps a post from
--          being scheduled. In the shape of check_post(), so that a front end shows both in one list.
-- Rules:   spacing          another post on the same account within N minutes (setting conflict_minutes)
--          posts_per_day    more posts on the account within 24 hours than the platform takes (platform_rules)
--          token_lifetime   the account must be connected again before that time (P6.8)
--          repeated_text    the same text is scheduled, or went out not long ago, on the same account
--          zone_rules       the zone has changed its rules since: the local time that was asked for is another instant now
-- Caller:  authenticated, for its own posts.
-- Errors:  NX001, NX11x account. NX401 post.
-- Repeat:  safe; nothing is written.

insert into public.platform_rules
  (platform_id, rule, value, text_values, unit, source, checked_on, valid_from) values
  ('linkedin', 'posts_per_day', 100, null, 'posts', 'limit that public schedulers keep to', '2026-11-20', '2024-01-01'),
  ('youtube', 'posts_per_day', 100, null, 'posts',
   'YouTube Data API documentation, quota: videos.insert', '2026-11-20', '2025-01-01'),
  ('instagram', 'posts_per_day', 50, null, 'posts',
   'Instagram API documentation, media_publish reference; the guide says 100', '2026-11-20', '2024-01-01'),
  ('tiktok', 'posts_per_day', 15, null, 'posts', 'limit that public schedulers keep to', '2026-11-20', '2024-01-01')
on conflict do nothing;

insert into private.settings (key, value, description) values
  ('conflict_minutes', '15', 'Posts on one account that are closer than this are pointed out.'),
  ('repeated_text_days', '7', 'The same text on the same account is pointed out for this long after it was published.');

create function private.warning_message(p_rule text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case p_rule
    when 'spacing' then 'Another post on this account is only minutes away'
    when 'posts_per_day' then 'The platform does not take so many posts within 24 hours'
    when 'token_lifetime' then 'The account must be connected again before this time'
    when 'repeated_text' then 'The same text is on this account already; the platform may refuse it'
    when 'zone_rules' then 'The time zone has changed its rules; look whether the time is still the one you meant' end
$$;
comment on function private.warning_message(text) is 'What speaks against a time, in words for people.';

-- A day has no fixed end at the platforms: the worst of the 24 hours before and the 24 hours after counts.
create function private.neighbours(p_target public.post_targets, p_at timestamptz)
returns table (nearest_seconds numeric, in_24_hours bigint)
language sql stable security invoker set search_path = '' as $$
  select min(abs(extract(epoch from n.scheduled_at - p_at))),
         1 + greatest(count(*) filter (where n.scheduled_at <= p_at), count(*) filter (where n.scheduled_at >= p_at))
  from public.post_targets n
  where n.user_id = p_target.user_id and n.connection_id = p_target.connection_id and n.id <> p_target.id
    and n.scheduled_at > p_at - interval '24 hours' and n.scheduled_at < p_at + interval '24 hours'
    and n.state in ('scheduled', 'publishing', 'published', 'unconfirmed')
$$;
comment on function private.neighbours(public.post_targets, timestamptz) is
  'What else is near that time on the same account: seconds to the nearest, and how many in 24 hours with this one.';

create function private.repetitions(p_target public.post_targets, p_now timestamptz) returns bigint
language sql stable security invoker set search_path = '' as $$
  select count(*) from (
    select btrim(coalesce(p_target.text, p.body), E' \t\r\n') as body from public.posts p where p.id = p_target.post_id
  ) own join public.post_targets n on n.user_id = p_target.user_id and n.connection_id = p_target.connection_id
        and n.id <> p_target.id and own.body <> ''
  join public.posts o on o.id = n.post_id and btrim(coalesce(n.text, o.body), E' \t\r\n') = own.body
  where n.state in ('scheduled', 'publishing', 'unconfirmed')
     or n.state = 'published'
        and n.published_at > p_now - make_interval(days => private.setting_int('repeated_text_days'))
$$;
comment on function private.repetitions(public.post_targets, timestamptz) is
  'How many other targets on the same account carry the same text, scheduled or lately published.';

create function private.schedule_warnings(p_target public.post_targets, p_at timestamptz, p_now timestamptz)
returns table (rule text, limit_value numeric, measured numeric)
language sql stable security invoker set search_path = '' as $$
  with near as (
    select * from private.neighbours(p_target, p_at)
  ), cap as (
    select r.value from private.rules_on(p_target.platform_id, (p_at at time zone 'utc')::date) r
    where r.rule = 'posts_per_day'
  )
  select 'spacing', private.setting_int('conflict_minutes')::numeric, round(n.nearest_seconds / 60, 1)
  from near n where n.nearest_seconds < private.setting_int('conflict_minutes') * 60
  union all
  select 'posts_per_day', c.value, n.in_24_hours from near n, cap c where n.in_24_hours > c.value
  union all
  select 'token_lifetime', null, round(extract(epoch from p_at - c.usable_until) / 86400, 1)
  from public.connections c where c.id = p_target.connection_id and c.usable_until < p_at
  union all
  select 'repeated_text', 0, r.count from (select private.repetitions(p_target, p_now) as count) r where r.count > 0
  union all
  select 'zone_rules', null, round(extract(epoch from i.at - l.scheduled_at) / 60, 1)
  from public.target_local_times l, private.local_instant(l.local_time, l.time_zone) i,
       private.local_instant(l.local_time, l.time_zone, 'later') j
  where l.target_id = p_target.id and l.scheduled_at = p_at and p_at not in (i.at, j.at)
$$;
comment on function private.schedule_warnings(public.post_targets, timestamptz, timestamptz) is
  'What speaks against publishing this target at that time.';

create function private.check_schedule(p_post_id uuid, p_at timestamptz default null, p_now timestamptz default now())
returns table (target_id uuid, platform_id text, rule text, severity text, limit_value numeric, measured numeric,
               message text)
language plpgsql stable security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
begin
  if not exists (select from public.posts p where p.id = p_post_id and p.user_id = v_user) then
    perform private.fail('NX401');
  end if;
  return query
    select t.id, t.platform_id, w.rule, 'warning', w.limit_value, w.measured, private.warning_message(w.rule)
    from public.post_targets t, private.schedule_warnings(t, coalesce(p_at, t.scheduled_at), p_now) w
    where t.post_id = p_post_id and t.user_id = v_user and coalesce(p_at, t.scheduled_at) is not null
      and t.state <> 'published'
    order by t.id, w.rule;
end;
$$;
comment on function private.check_schedule(uuid, timestamptz, timestamptz) is 'Body of check_schedule().';

create function public.check_schedule(p_post_id uuid, p_at timestamptz default null)
returns table (target_id uuid, platform_id text, rule text, severity text, limit_value numeric, measured numeric,
               message text)
language sql stable security invoker set search_path = '' as $$
  select * from private.check_schedule(p_post_id, p_at)
$$;
comment on function public.check_schedule(uuid, timestamptz) is
  'What speaks against a time for each account of the post: the time p_at, or the one that it has. All are warnings.';

insert into private.definer_ledger (function_name, reason) values
  ('private.check_schedule', 'Uses settings and rules of schema private; answers for the caller''s posts alone.');
