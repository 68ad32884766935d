-- private.current_session_id(), session_is_live(), account_is_usable(), live_person(), require_person()
-- Why:     an access token stays valid until it expires, whatever happened since. Every policy and every body asks the
--          sessions table instead, so that a signed-out, idle or superseded session is useless at once (P3.7, P3.8).
-- Caller:  policies, as (select private.…()); bodies of functions for people, first thing.
--          DEFINER: people cannot read auth.sessions or private.accounts.
-- Errors:  NX001 no live session. NX110, NX111, NX112, NX115 the account may not be used (yet).
-- Repeat:  safe; nothing is written.

-- Auth puts claims into one setting; servers of older make use one setting per claim. Neither can be set by a person.
create function private.current_session_id() returns uuid
language sql stable security invoker set search_path = '' as $$
  select (case when claim.text ~ '^[0-9a-fA-F-]{36}$' then claim.text end)::uuid
  from (select coalesce(
    nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'session_id',
    current_setting('request.jwt.claim.session_id', true)) as text) claim
$$;
comment on function private.current_session_id() is 'The session that the access token belongs to.';

-- refreshed_at is a timestamp without zone that Auth fills with UTC.
create function private.session_ends_at(p_created_at timestamptz, p_refreshed_at timestamp, p_not_after timestamptz)
returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select least(p_not_after, coalesce(p_refreshed_at at time zone 'utc', p_created_at)
                            + private.setting_interval('session_inactivity'))
$$;
comment on function private.session_ends_at(timestamptz, timestamp, timestamptz) is
  'When a session ends unless it is refreshed before: inactivity, or the absolute end that Auth has set (P3.7).';

create function private.session_is_live(p_now timestamptz default now()) returns boolean
language sql stable security definer set search_path = '' as $$
  select exists (
    select from auth.sessions s
    where s.id = private.current_session_id() and s.user_id = auth.uid()
      and private.session_ends_at(s.created_at, s.refreshed_at, s.not_after) > p_now)
$$;
comment on function private.session_is_live(timestamptz) is
  'True while the caller''s own session exists and is not idle.';

create function private.account_is_usable(p_now timestamptz default now()) returns boolean
language sql stable security definer set search_path = '' as $$
  select private.session_is_live(p_now)
     and exists (select from private.accounts a where a.user_id = auth.uid() and a.state = 'active')
$$;
comment on function private.account_is_usable(timestamptz) is 'True for a live session of an active account (P9.2).';

create function private.live_person(p_now timestamptz default now()) returns uuid
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not private.session_is_live(p_now) then
    perform private.fail('NX001');
  end if;
  return auth.uid();
end;
$$;
comment on function private.live_person(timestamptz) is
  'The caller, or NX001. For what must work whatever state the account is in.';

create function private.require_person(p_now timestamptz default now()) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
  v_state text := (select a.state from private.accounts a where a.user_id = v_user);
begin
  if v_state is distinct from 'active' then
    perform private.fail(
      case v_state when 'awaiting_guardian' then 'NX111' when 'locked' then 'NX112' when 'restricted' then 'NX115' else 'NX110' end);
  end if;
  return v_user;
end;
$$;
comment on function private.require_person(timestamptz) is 'The caller, whose account may be used; raises otherwise.';

insert into private.settings (key, value, description) values
  ('session_inactivity', '"30 days"', 'A session that was not refreshed for this long is over (P3.7).');

insert into private.definer_ledger (function_name, reason) values
  ('private.session_is_live', 'Policies of people ask about their session; they cannot read auth.sessions.'),
  ('private.account_is_usable', 'Policies of people ask about their account; they cannot read private.accounts.'),
  ('private.require_person', 'INVOKER functions may ask, too; people cannot read private.accounts.');
