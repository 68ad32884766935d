-- public.track_usage(events, screen)
-- Why:     the one way in. A front end may send a whole session at its end, and again when it got no answer.
-- Caller:  people whose account may be used (P9.2). DEFINER: the tables are out of their reach.
-- Errors:  NX001, NX110, NX111, NX112, NX115 as everywhere. NX002 no array. NX701 something that is not on the list. NX702 too many
--          at once. NX703 too many calls today.
-- Repeat:  safe: the same thing on the same day counts once.
-- Locks:   the person's advisory lock, then the row that counts their calls.
-- Note:    country, browser and system come from what the service knows of the session already (P1.8, P1.9); the front end
--          adds a class of screen. A browser that sends `Sec-GPC: 1` (Global Privacy Control) has opted out for this call.

create function private.wants_privacy() returns boolean
language sql stable security invoker set search_path = '' as $$
  select coalesce(nullif(current_setting('request.headers', true), '')::jsonb ->> 'sec-gpc' = '1', false)
$$;
comment on function private.wants_privacy() is 'Whether the request carries the signal of Global Privacy Control.';

create function private.check_usage(p_events jsonb, p_screen text) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_most int := private.setting_int('usage_batch');
  v_wrong bigint;
begin
  if jsonb_typeof(p_events) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_events');
  elsif jsonb_array_length(p_events) > v_most then
    perform private.fail('NX702', p_detail := v_most::text);
  end if;
  select min(x.n) into v_wrong
    from jsonb_array_elements(p_events) with ordinality x (event, n)
    left join public.usage_names u on u.kind = x.event ->> 'kind' and u.name = x.event ->> 'name'
    left join public.usage_names f on f.kind = 'page' and f.name = x.event ->> 'from'
    where u.name is null or u.kind = 'screen' or x.event ? 'from' and (u.kind <> 'page' or f.name is null)
      or x.event <> jsonb_strip_nulls(jsonb_build_object('kind', u.kind, 'name', u.name, 'from', f.name));
  if v_wrong is not null then
    perform private.fail('NX701', p_detail := format('p_events[%s]', v_wrong));
  elsif p_screen is not null and not exists (
    select from public.usage_names u where u.kind = 'screen' and u.name = p_screen) then
    perform private.fail('NX701', p_detail := 'p_screen');
  end if;
end;
$$;
comment on function private.check_usage(jsonb, text) is 'Refuses what is not on the list, and what is too much.';

-- Of the kinds that describe a device or a place a day has one: the first.
create function private.usage_names_of(p_person uuid, p_kind text, p_events jsonb, p_screen text) returns setof text
language sql stable security invoker set search_path = '' as $$
  select e ->> 'name' from jsonb_array_elements(p_events) e where e ->> 'kind' = p_kind
  union
  select concat(e ->> 'from', '>', e ->> 'name') from jsonb_array_elements(p_events) e where p_kind = 'path' and e ? 'from'
  union
  select case p_kind when 'browser' then private.browser_family(s.user_agent) else private.os_family(s.user_agent) end
  from auth.sessions s where p_kind in ('browser', 'os') and s.id = private.current_session_id() and s.user_agent is not null
  union
  select l.country from public.login_events l
  where p_kind = 'country' and l.user_id = p_person and l.session_id = private.current_session_id() and l.country is not null
  union
  select p_screen where p_kind = 'screen' and p_screen is not null
$$;
comment on function private.usage_names_of(uuid, text, jsonb, text) is 'What of this kind a call says about its person.';

create function private.track_usage(p_events jsonb, p_screen text default null, p_now timestamptz default now())
returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.require_person(p_now);
  v_key private.usage_keys;
  v_pseudonym bytea;
  v_kind text;
  v_calls int;
begin
  perform private.check_usage(p_events, p_screen);
  perform private.lock_usage(v_person);
  if private.wants_privacy() or not private.usage_is_wanted(v_person) then
    return false;
  end if;
  v_key := private.usage_key(p_now);
  v_pseudonym := private.usage_pseudonym(v_key.key, v_person);
  v_kind := private.usage_kind(v_pseudonym);
  insert into private.usage_calls as c (pseudonym, day, calls) values (v_pseudonym, v_key.day, 1)
    on conflict (pseudonym) do update set calls = c.calls + 1 returning c.calls into v_calls;
  if v_calls > private.setting_int('usage_calls_per_day') then
    perform private.fail('NX703', p_detail := private.setting_int('usage_calls_per_day')::text);
  end if;
  insert into private.usage_events (day, pseudonym, kind, name)
    select v_key.day, v_pseudonym, v_kind, n from private.usage_names_of(v_person, v_kind, p_events, p_screen) n
    where v_kind in ('page', 'path', 'feature', 'session') or not exists (
      select from private.usage_events e where e.day = v_key.day and e.pseudonym = v_pseudonym)
    on conflict do nothing;
  return true;
end;
$$;
comment on function private.track_usage(jsonb, text, timestamptz) is 'Body of public.track_usage().';

create function public.track_usage(p_events jsonb, p_screen text default null) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.track_usage(p_events, p_screen)
$$;
comment on function public.track_usage(jsonb, text) is
  'Counts use of the product, anonymously: [{kind: page|feature|session, name, from}], names as usage_names lists them; from is '
  'the page before, for pages alone. p_screen: small, medium or large. False: nothing was kept, the person does not want it.';

insert into private.settings (key, value, description) values
  ('usage_batch', '50', 'Events that one call of track_usage() may bring.'),
  ('usage_calls_per_day', '500', 'Calls of track_usage() that are taken from one person in a day.');

insert into private.definer_ledger (function_name, reason) values
  ('private.track_usage', 'Writes events, on which people have no rights, so that nobody can read who did what.');
