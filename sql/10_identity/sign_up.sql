-- Sign-up: what follows from a new row in auth.users; public.complete_sign_up(birth_date), public.my_account()
-- Why:     an account that must not exist is refused before it exists (P9.1); one that does has its rows at once.
-- Caller:  Supabase Auth through the triggers and its hook, people through the functions. DEFINER: Auth's role has no
--          rights here, people none on private.accounts or auth.users.
-- Errors:  NX101 under 13. NX102 not a birth date. NX113 another date is on record. NX001 no live session.
-- Repeat:  safe; complete_sign_up() with the date that is on record returns the state.
-- Locks:   the account row, then auth.users.

-- Some servers store metadata as JSON text inside a JSON string.
create function private.metadata(p_raw jsonb) returns jsonb
language sql immutable security invoker set search_path = '' as $$
  select case jsonb_typeof(p_raw) when 'object' then p_raw when 'string' then (p_raw #>> '{}')::jsonb else '{}' end
$$;
comment on function private.metadata(jsonb) is 'Metadata of Auth as an object, however it is stored.';

create function private.without_birth_date(p_raw jsonb) returns jsonb
language sql immutable security invoker set search_path = '' as $$
  select case when not private.metadata(p_raw) ? 'birth_date' then p_raw
              when jsonb_typeof(p_raw) = 'string' then to_jsonb((private.metadata(p_raw) - 'birth_date')::text)
              else p_raw - 'birth_date' end
$$;
comment on function private.without_birth_date(jsonb) is
  'The same metadata, stored the same way, less the birth date.';

create function private.lawful_birth_date(p_metadata jsonb, p_now timestamptz) returns date
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_birth_date date := private.parse_birth_date(p_metadata ->> 'birth_date', p_now);
begin
  if private.age_in_years(v_birth_date, p_now) < 13 then
    perform private.fail('NX101');  -- P9.1
  end if;
  return v_birth_date;
end;
$$;
comment on function private.lawful_birth_date(jsonb, timestamptz) is
  'The birth date of a sign-up, NULL if it has none; NX101 under 13, NX102 not a date.';

create function private.open_account(p_user uuid, p_metadata jsonb, p_now timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_birth_date date := private.lawful_birth_date(p_metadata, p_now);
  v_handle text := private.generate_handle();
begin
  while exists (select from public.profiles p where p.handle_key = private.handle_skeleton(v_handle)) loop
    v_handle := private.generate_handle();
  end loop;
  insert into private.accounts (user_id, birth_date, state, created_at)
    values (p_user, v_birth_date, private.account_state(v_birth_date, null, p_now), p_now);
  insert into public.profiles (user_id, handle, display_name) values (p_user, v_handle, private.name_from(p_metadata));
  insert into public.preferences (user_id) values (p_user);
  insert into public.media_kits (user_id) values (p_user);
end;
$$;
comment on function private.open_account(uuid, jsonb, timestamptz) is
  'Makes the rows that every person has; refuses people under 13.';

create function private.name_from(p_metadata jsonb) returns text
language sql immutable security invoker set search_path = '' as $$
  select nullif(btrim(left(btrim(regexp_replace(
    coalesce(p_metadata ->> 'display_name', p_metadata ->> 'full_name', p_metadata ->> 'name'),
    '[[:cntrl:]\u202A-\u202E\u2066-\u2069]+', ' ', 'g')), 80)), '')
$$;
comment on function private.name_from(jsonb) is 'The name given at sign-up, made fit for a profile.';

create function private.tg_users__open_account() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.open_account(new.id, private.metadata(new.raw_user_meta_data));
  update auth.users u set raw_user_meta_data = private.without_birth_date(u.raw_user_meta_data)
    where u.id = new.id and private.metadata(u.raw_user_meta_data) ? 'birth_date';
  return null;
end;
$$;
comment on function private.tg_users__open_account() is 'AFTER INSERT on auth.users: opens the account.';
create or replace trigger _100_open_account after insert on auth.users
  for each row execute function private.tg_users__open_account();

-- The trigger above is what keeps the rule. Auth hides its words behind "Database error saving new user"; what this hook
-- says, Auth passes on to the front end. It has room for a message alone, so the code stands in it.
create function private.before_user_created(p_event jsonb, p_now timestamptz default now()) returns jsonb
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_message text;
begin
  perform private.lawful_birth_date(private.metadata(p_event #> '{user,user_metadata}'), p_now);
  return '{}'::jsonb;
exception when sqlstate 'NX101' or sqlstate 'NX102' then
  get stacked diagnostics v_message = message_text;
  return (select jsonb_build_object('error', jsonb_build_object(
            'http_code', e.http_status, 'message', format('%s [%s]', v_message, e.code)))
          from private.error_registry e where e.code = sqlstate);
end;
$$;
comment on function private.before_user_created(jsonb, timestamptz) is
  'Auth hook "Before User Created": tells somebody who cannot have an account why.';

-- Auth writes metadata back after the insert, and people may send any: the birth date stays in private.accounts alone.
create function private.tg_users__drop_birth_date() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  new.raw_user_meta_data := private.without_birth_date(new.raw_user_meta_data);
  return new;
end;
$$;
comment on function private.tg_users__drop_birth_date() is
  'BEFORE UPDATE on auth.users: metadata holds no birth date.';
create or replace trigger _110_drop_birth_date before update of raw_user_meta_data on auth.users
  for each row execute function private.tg_users__drop_birth_date();

create function private.tg_identities__drop_birth_date() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  new.identity_data := private.without_birth_date(new.identity_data);
  return new;
end;
$$;
comment on function private.tg_identities__drop_birth_date() is 'Identities of Auth copy the metadata of a sign-up.';
create or replace trigger _110_drop_birth_date before insert or update of identity_data on auth.identities
  for each row execute function private.tg_identities__drop_birth_date();

-- What Auth itself leaves behind when a user is deleted goes as well: flows, and log entries about the person.
create function private.delete_auth_user(p_user uuid) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from auth.flow_state f where f.user_id = p_user;
  delete from auth.audit_log_entries e
    where case when e.payload::text like '%' || p_user || '%' -- a look at a million rows takes a fifth of the time like this
               then private.metadata(e.payload::jsonb) @? format('$.** ? (@ == "%s")', p_user)::jsonpath end;
  delete from auth.users u where u.id = p_user;
end;
$$;
comment on function private.delete_auth_user(uuid) is
  'Removes a person from Auth; everything that is theirs cascades.';

create function private.complete_sign_up(p_birth_date date, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.live_person(p_now);
  v_birth_date date := private.parse_birth_date(to_char(p_birth_date, 'YYYY-MM-DD'), p_now);
  v_account private.accounts;
begin
  if v_birth_date is null then
    perform private.fail('NX102');
  end if;
  select * into v_account from private.accounts a where a.user_id = v_user for update;
  if v_account.state <> 'incomplete' and v_account.birth_date is distinct from v_birth_date then
    perform private.fail('NX113');
  elsif v_account.state <> 'incomplete' then
    return v_account.state;
  elsif private.age_in_years(v_birth_date, p_now) < 13 then  -- P9.1: nothing of the account is kept
    perform private.delete_auth_user(v_user);
    return 'refused_under_13';
  end if;
  update private.accounts a set birth_date = v_birth_date, state = private.account_state(v_birth_date, null, p_now)
    where a.user_id = v_user returning a.state into v_account.state;
  return v_account.state;
end;
$$;
comment on function private.complete_sign_up(date, timestamptz) is 'Body of public.complete_sign_up().';

create function public.complete_sign_up(p_birth_date date) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.complete_sign_up(p_birth_date)
$$;
comment on function public.complete_sign_up(date) is
  'Gives the birth date that a sign-up through another service lacks. Returns active, awaiting_guardian, or '
  'refused_under_13: then the account is gone.';

create function private.my_account(p_now timestamptz default now())
returns table (
  user_id uuid, email text, state text, birth_year int, guardian_consent_at timestamptz, created_at timestamptz
)
language plpgsql stable security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_user uuid := private.live_person(p_now);
begin
  return query
    select a.user_id, u.email::text, a.state, extract(year from a.birth_date)::int, a.guardian_consent_at, a.created_at
    from private.accounts a join auth.users u on u.id = a.user_id where a.user_id = v_user;
end;
$$;
comment on function private.my_account(timestamptz) is 'Body of public.my_account().';

create function public.my_account()
returns table (
  user_id uuid, email text, state text, birth_year int, guardian_consent_at timestamptz, created_at timestamptz
)
language sql stable security invoker set search_path = '' as $$
  select a.user_id, a.email, a.state, a.birth_year, a.guardian_consent_at, a.created_at from private.my_account() a
$$;
comment on function public.my_account() is
  'The caller''s account: incomplete, awaiting_guardian, active, restricted or locked. Works in each of these states (P7.1).';

-- People who were there before this schema was.
select private.open_account(u.id, private.metadata(u.raw_user_meta_data) - 'birth_date')
from auth.users u where not exists (select from private.accounts a where a.user_id = u.id);

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_users__open_account', 'Runs as the role of Auth, which has no rights on our schemas.'),
  ('private.before_user_created', 'Runs as the role of Auth, which has no rights on the functions it calls.'),
  ('private.tg_users__drop_birth_date', 'Runs as the role of Auth, which has no rights on schema private.'),
  ('private.tg_identities__drop_birth_date', 'Runs as the role of Auth, which has no rights on schema private.'),
  ('private.complete_sign_up', 'Writes private.accounts and may delete from auth.users.'),
  ('private.my_account', 'Reads private.accounts and the address in auth.users for its owner.');
