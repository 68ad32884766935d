-- public.list_sessions(), public.revoke_session(id), public.sign_out_everywhere(); what ends sessions by itself
-- Why:     a person sees where they are signed in and ends it; a new password ends everything at once (P3.8); idle
--          sessions go (P3.7). Which device it was is kept as browser and system only (P1.8).
-- Caller:  people, for their own sessions, whatever the state of the account; triggers. DEFINER: the sessions of Auth
--          are out of their reach.
-- Errors:  NX001 no live session.
-- Repeat:  safe.

create function private.browser_family(p_user_agent text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case
    when p_user_agent ~ 'Edg' then 'Edge'
    when p_user_agent ~ 'OPR|Opera' then 'Opera'
    when p_user_agent ~ 'Samsung' then 'Samsung Internet'
    when p_user_agent ~ 'Firefox|FxiOS' then 'Firefox'
    when p_user_agent ~ 'Chrome|CriOS|Chromium' then 'Chrome'
    when p_user_agent ~ 'Safari' then 'Safari'
    when p_user_agent is not null then 'Other' end
$$;
comment on function private.browser_family(text) is 'The browser, without its version (P1.8).';

create function private.os_family(p_user_agent text) returns text
language sql immutable security invoker set search_path = '' as $$
  select case
    when p_user_agent ~ 'iPhone|iPad|iOS$' then 'iOS'
    when p_user_agent ~ 'Android' then 'Android'
    when p_user_agent ~ 'Windows' then 'Windows'
    when p_user_agent ~ 'CrOS|ChromeOS' then 'ChromeOS'
    when p_user_agent ~ 'Mac OS|Macintosh|macOS' then 'macOS'
    when p_user_agent ~ 'Linux' then 'Linux'
    when p_user_agent is not null then 'Other' end
$$;
comment on function private.os_family(text) is 'The operating system, without its version (P1.8).';

-- Auth writes address and user agent again with every refresh: once the address is gone, it stays gone.
create function private.tg_sessions__reduce_device() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  new.user_agent := private.browser_family(new.user_agent) || ' on ' || private.os_family(new.user_agent);
  if tg_op = 'UPDATE' and old.ip is null then
    new.ip := null;  -- P1.9
  end if;
  return new;
end;
$$;
comment on function private.tg_sessions__reduce_device() is
  'BEFORE INSERT OR UPDATE on auth.sessions: keeps browser and system of the user agent, brings no address back.';
create or replace trigger _100_reduce_device before insert or update on auth.sessions
  for each row execute function private.tg_sessions__reduce_device();

create function private.tg_users__end_sessions() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from auth.sessions s where s.user_id = new.id;  -- the acting one as well
  perform private.audit('password_changed', 'account', new.id);
  return null;
end;
$$;
comment on function private.tg_users__end_sessions() is
  'AFTER UPDATE on auth.users: a changed password ends all sessions; tokens that are out are useless at once (P3.8).';
create or replace trigger _120_end_sessions after update of encrypted_password on auth.users
  for each row when (old.encrypted_password <> '' and new.encrypted_password is distinct from old.encrypted_password)
  execute function private.tg_users__end_sessions();

create function private.list_sessions(p_now timestamptz default now())
returns table (
  id uuid, created_at timestamptz, last_active_at timestamptz, browser text, os text, country text, is_current boolean
)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid := private.live_person(p_now);
begin
  return query
    select s.id, s.created_at, coalesce(s.refreshed_at at time zone 'utc', s.created_at),
           private.browser_family(s.user_agent), private.os_family(s.user_agent),
           (select e.country from public.login_events e where e.user_id = v_user and e.session_id = s.id limit 1),
           s.id = private.current_session_id()
    from auth.sessions s
    where s.user_id = v_user and private.session_ends_at(s.created_at, s.refreshed_at, s.not_after) > p_now
    order by 3 desc, 1;
end;
$$;
comment on function private.list_sessions(timestamptz) is 'Body of public.list_sessions().';

create function private.revoke_session(p_session_id uuid, p_now timestamptz default now()) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
begin
  delete from auth.sessions s where s.id = p_session_id and s.user_id = v_user;
  return found;
end;
$$;
comment on function private.revoke_session(uuid, timestamptz) is 'Body of public.revoke_session().';

create function private.sign_out_everywhere(p_now timestamptz default now()) returns int
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
  v_count int;
begin
  delete from auth.sessions s where s.user_id = v_user;
  get diagnostics v_count = row_count;
  perform private.audit('signed_out_everywhere', 'account', v_user, jsonb_build_object('sessions', v_count), p_now);
  return v_count;
end;
$$;
comment on function private.sign_out_everywhere(timestamptz) is 'Body of public.sign_out_everywhere().';

create function private.expire_sessions(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from auth.sessions s where s.id = any (array(
    select e.id from auth.sessions e
    where private.session_ends_at(e.created_at, e.refreshed_at, e.not_after) <= p_now
    limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.expire_sessions(timestamptz) is 'Housekeeping: idle sessions are deleted (P3.7).';

create function public.list_sessions()
returns table (
  id uuid, created_at timestamptz, last_active_at timestamptz, browser text, os text, country text, is_current boolean
)
language sql stable security invoker set search_path = '' as $$
  select s.id, s.created_at, s.last_active_at, s.browser, s.os, s.country, s.is_current from private.list_sessions() s
$$;
comment on function public.list_sessions() is 'Where the caller is signed in, last active first.';

create function public.revoke_session(p_session_id uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.revoke_session(p_session_id)
$$;
comment on function public.revoke_session(uuid) is
  'Ends one of the caller''s sessions at once. False: it is not there.';

create function public.sign_out_everywhere() returns int
language sql volatile security invoker set search_path = '' as $$
  select private.sign_out_everywhere()
$$;
comment on function public.sign_out_everywhere() is
  'Ends all of the caller''s sessions, this one included; says how many.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('expire_sessions', 'private.expire_sessions', 120);

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_sessions__reduce_device', 'Runs as the role of Auth, which has no rights on schema private.'),
  ('private.tg_users__end_sessions', 'Runs as the role of Auth, which has no rights on schema private.'),
  ('private.list_sessions', 'Reads auth.sessions for their owner.'),
  ('private.revoke_session', 'Deletes from auth.sessions for their owner.'),
  ('private.sign_out_everywhere', 'Deletes from auth.sessions for their owner.');
