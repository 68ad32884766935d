-- public.login_events; worker.claim_login_locations(limit), worker.set_login_countries(rows)
-- Why:     login times are recorded (P1.10). The address serves to derive a country and is then deleted (P1.9): Auth
--          keeps it in the session until a worker has looked it up, a day at most.
-- Caller:  trigger on auth.sessions; service_role. DEFINER: neither Auth's role nor service_role has rights here.
-- Errors:  NX002 rows are malformed.
-- Repeat:  safe: a login is looked up again until its country is set.

create table public.login_events (
  id uuid not null default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  session_id uuid not null,
  at timestamptz not null,
  country text,
  method text not null,
  located_at timestamptz,
  primary key (id, at),
  constraint country_is_iso_3166_alpha_2 check (country ~ '^[A-Z]{2}$'),
  constraint country_comes_from_a_lookup check (country is null or located_at is not null),
  constraint method_is_a_word check (method ~ '^[a-z][a-z0-9_:.-]{0,39}$')
) partition by range (at);
create index login_events_user_id_at_idx on public.login_events (user_id, at desc);
create index login_events_unlocated_idx on public.login_events (at) where located_at is null;

comment on table public.login_events is 'When and from which country a person signed in; kept for 13 months (P1.10).';
comment on column public.login_events.session_id is
  'No foreign key: the login stays on record when the session is gone.';
comment on column public.login_events.at is 'When the session began.';
comment on column public.login_events.method is 'How: email, or the service that vouched for the person.';
comment on column public.login_events.country is 'Approximate; NULL where the address told nothing.';
comment on column public.login_events.located_at is 'When the address was looked up, or given up, and deleted (P1.9).';

create function private.tg_sessions__record_login() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  insert into public.login_events (user_id, session_id, at, method, located_at)
  select new.user_id, new.id, now(),
         coalesce(
           substring(lower(private.metadata(u.raw_app_meta_data) ->> 'provider') from '^[a-z][a-z0-9_:.-]{0,39}$'),
           'unknown'),
         case when new.ip is null then now() end
  from auth.users u where u.id = new.user_id;
  return null;
end;
$$;
comment on function private.tg_sessions__record_login() is 'AFTER INSERT on auth.sessions: records the login.';
create or replace trigger _200_record_login after insert on auth.sessions
  for each row execute function private.tg_sessions__record_login();

create function private.claim_login_locations(p_limit int) returns table (login_id uuid, ip text)
language sql volatile security definer set search_path = '' as $$
  select e.id, host(s.ip)
  from public.login_events e join auth.sessions s on s.id = e.session_id and s.ip is not null
  where e.located_at is null
  order by e.at limit greatest(p_limit, 0)
$$;
comment on function private.claim_login_locations(int) is 'Body of worker.claim_login_locations().';

create function private.set_login_countries(p_rows jsonb, p_now timestamptz default now()) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_sessions uuid[];
begin
  if jsonb_typeof(p_rows) is distinct from 'array' or exists (
    select from jsonb_to_recordset(p_rows) as r (login_id uuid, country text)
    where r.login_id is null or r.country !~ '^[A-Z]{2}$'
  ) then
    perform private.fail('NX002', p_detail := 'p_rows: login_id or country');
  end if;
  with located as (
    update public.login_events e set country = r.country, located_at = p_now
    from jsonb_to_recordset(p_rows) as r (login_id uuid, country text)
    where e.id = r.login_id and e.located_at is null
    returning e.session_id
  )
  select coalesce(array_agg(l.session_id), '{}') into v_sessions from located l;
  update auth.sessions s set ip = null where s.id = any (v_sessions) and s.ip is not null;
  return cardinality(v_sessions);
end;
$$;
comment on function private.set_login_countries(jsonb, timestamptz) is 'Body of worker.set_login_countries().';

create function private.drop_addresses(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_latest timestamptz := p_now - make_interval(hours => private.setting_int('address_hours'));
  v_count bigint;
begin
  update public.login_events e set located_at = p_now
    where e.located_at is null and e.id = any (array(
      select o.id from public.login_events o where o.located_at is null and o.at <= v_latest
      order by o.at limit private.setting_int('housekeeping_batch')));
  update auth.sessions s set ip = null where s.id = any (array(
    select o.id from auth.sessions o where o.ip is not null and o.created_at <= v_latest
    limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.drop_addresses(timestamptz) is
  'Housekeeping: addresses that nobody looked up within a day are deleted all the same (P1.9).';

-- The log of Auth would keep the address of every event for ever.
create function private.tg_audit_log_entries__drop_address() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  new.ip_address := '';
  return new;
end;
$$;
comment on function private.tg_audit_log_entries__drop_address() is 'BEFORE INSERT on auth.audit_log_entries (P1.9).';
do $$
begin
  if exists (
    select from pg_attribute where attrelid = to_regclass('auth.audit_log_entries') and attname = 'ip_address'
  ) then
    execute 'create or replace trigger _100_drop_address before insert on auth.audit_log_entries
             for each row execute function private.tg_audit_log_entries__drop_address()';
  end if;
end;
$$;

create function worker.claim_login_locations(p_limit int) returns table (login_id uuid, ip text)
language sql volatile security invoker set search_path = '' as $$
  select c.login_id, c.ip from private.claim_login_locations(p_limit) c
$$;
comment on function worker.claim_login_locations(int) is
  'Logins whose country is not known yet, oldest first, with the address: look it up locally, keep it nowhere (P1.9).';

create function worker.set_login_countries(p_rows jsonb) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.set_login_countries(p_rows)
$$;
comment on function worker.set_login_countries(jsonb) is
  'Takes [{login_id, country}], country NULL where unknown; deletes the addresses. Returns how many logins were open.';

insert into private.settings (key, value, description) values
  ('address_hours', '24', 'The address of a session is deleted after this time even if nobody looked it up (P1.9).');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('drop_addresses', 'private.drop_addresses', 130);

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_sessions__record_login', 'Runs as the role of Auth, which has no rights on our schemas.'),
  ('private.claim_login_locations', 'Reads addresses in auth.sessions, on which service_role has no rights.'),
  ('private.set_login_countries', 'Updates login_events and auth.sessions, on which service_role has no rights.'),
  ('private.tg_audit_log_entries__drop_address', 'Runs as the role of Auth, which has no rights on schema private.');

insert into private.partitioned_tables (table_name, retention) values ('public.login_events', '13 months');
select private.ensure_partitions();
