-- worker.read_calendar_feed(token_hash) -> feed as JSON
-- Why:     the worker's web server turns it into iCalendar; it never sees a list of tokens, only what one opens.
-- Holds:   the person's own titles, account names, times and states; no text of a post, no e-mail address, no id of a person.
-- Caller:  service_role. DEFINER body: it asks on behalf of whoever holds the address.
-- Errors:  none: NULL for what is unknown, revoked, or belongs to an account that may not be used.
-- Repeat:  safe; writes the day of use at most once a day.

create function private.calendar_events(p_user uuid, p_now timestamptz) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select coalesce(jsonb_agg(e order by e.starts_at, e.target_id), '[]') from (
    select t.id as target_id, p.title, f.display_name as platform, c.handle, t.state, t.scheduled_at as starts_at,
           2 * t.revision + (t.state = 'cancelled')::int as sequence, greatest(t.updated_at, p.updated_at) as changed_at,
           t.external_url
    from public.post_targets t
    join public.posts p on p.id = t.post_id
    join public.connections c on c.id = t.connection_id
    join public.platforms f on f.id = t.platform_id
    where t.user_id = p_user and t.state <> 'draft'
      and t.scheduled_at >= p_now - private.setting_interval('calendar_past')
      and t.scheduled_at <= p_now + private.setting_interval('calendar_future')
    order by t.scheduled_at, t.id limit private.setting_int('calendar_events_max')
  ) e
$$;
comment on function private.calendar_events(uuid, timestamptz) is
  'One object per target that has a time. sequence counts changes of time and cancellations (RFC 5545).';

create function private.read_calendar_feed(p_token_hash text, p_now timestamptz default now()) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_feed public.calendar_feeds;
  v_today date := (p_now at time zone 'utc')::date;
begin
  select f.* into v_feed from private.calendar_tokens t join public.calendar_feeds f on f.id = t.feed_id
    join private.accounts a on a.user_id = f.user_id and a.state = 'active'
    where t.token_hash = p_token_hash;
  if not found then
    return null;
  end if;
  update public.calendar_feeds f set last_used_on = v_today
    where f.id = v_feed.id and f.last_used_on is distinct from v_today;
  return jsonb_build_object('name', v_feed.name, 'events', private.calendar_events(v_feed.user_id, p_now));
end;
$$;
comment on function private.read_calendar_feed(text, timestamptz) is 'Body of worker.read_calendar_feed().';

create function worker.read_calendar_feed(p_token_hash text) returns jsonb
language sql volatile security invoker set search_path = '' as $$
  select private.read_calendar_feed(p_token_hash)
$$;
comment on function worker.read_calendar_feed(text) is
  'What the address with this SHA-256 (hex) shows: name and events; NULL if there is none.';

insert into private.settings (key, value, description) values
  ('calendar_past', '"30 days"', 'How far back a calendar feed goes.'),
  ('calendar_future', '"400 days"', 'How far ahead a calendar feed goes.'),
  ('calendar_events_max', '5000', 'Events of one calendar feed.');

insert into private.definer_ledger (function_name, reason) values
  ('private.read_calendar_feed', 'Reads what a person planned on behalf of a calendar program that holds the address.');
