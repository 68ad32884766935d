-- public.profiles, private.reserved_handles, private.handle_skeleton(handle), public.change_handle(handle)
-- Why:     who a creator is to the world. No two handles look alike, and none looks like ours.
-- Caller:  people read and edit their own row; the handle goes through change_handle().
-- Errors:  NX120 not a handle. NX121 reserved. NX122 taken by one that looks like it.
-- Repeat:  safe; changing to the handle one has returns the profile.

create function private.handle_skeleton(p_handle text) returns text
language sql immutable security invoker set search_path = '' as $$
  select replace(replace(
    translate(lower(p_handle), '015i_.', 'olsl'), 'rn', 'm'), 'vv', 'w')
$$;
comment on function private.handle_skeleton(text) is
  'What a handle looks like at a glance: 0=o, 1=i=l, 5=s, rn=m, vv=w, dots and underscores invisible.';

create table private.reserved_handles (
  handle_key text primary key,
  anywhere boolean not null default false,
  constraint key_is_a_skeleton check (handle_key = private.handle_skeleton(handle_key) and handle_key <> '')
);
comment on table private.reserved_handles is 'Skeletons that no person may use.';
comment on column private.reserved_handles.anywhere is 'Refused as part of a longer handle, too.';

create function private.generate_handle() returns text
language sql volatile security invoker set search_path = '' as $$
  select 'creator_' || left(replace(gen_random_uuid()::text, '-', ''), 10)
$$;
comment on function private.generate_handle() is 'A handle for the first days; the person chooses one later.';

create table public.profiles (
  user_id uuid primary key references auth.users (id) on delete cascade,
  handle text not null,
  handle_key text not null generated always as (private.handle_skeleton(handle)) stored,
  display_name text,
  niche text,
  bio text,
  avatar_path text,
  country text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint handle_has_3_to_30_safe_characters check (handle ~ '^[a-z0-9_.]{3,30}$'),
  constraint handle_has_two_letters_or_digits check (handle ~ '[a-z0-9].*[a-z0-9]'),
  constraint handle_dots_stand_inside check (handle !~ '^\.|\.\.|\.$'),
  constraint handles_do_not_look_alike unique (handle_key),
  constraint display_name_is_one_line check (display_name ~ '^[^[:cntrl:]\u202A-\u202E\u2066-\u2069]{1,80}$'),
  constraint niche_is_one_line check (niche ~ '^[^[:cntrl:]]{1,80}$'),
  constraint bio_is_at_most_1000_long check (length(bio) between 1 and 1000),
  constraint avatar_lies_in_own_folder check (
    avatar_path ~ ('^' || user_id || '/[A-Za-z0-9_./-]{1,200}$') and avatar_path !~ '\.\.|//'),  -- P3.3
  constraint country_is_iso_3166_alpha_2 check (country ~ '^[A-Z]{2}$')
);
comment on table public.profiles is 'A creator as the world sees them; made at sign-up (P1.2).';
comment on column public.profiles.handle is 'Unique by looks, lower case. Changed by change_handle() alone.';
comment on column public.profiles.handle_key is 'The skeleton under which a handle is unique.';
comment on column public.profiles.display_name is 'The name that people see; any script, one line.';
comment on column public.profiles.niche is 'What the creator is about, in a few words.';
comment on column public.profiles.bio is 'A short text about the creator.';
comment on column public.profiles.avatar_path is 'Object in bucket avatars, in the person''s own folder.';
comment on column public.profiles.country is 'As the person says; never taken from an address (P1.9).';

create function private.tg_profiles__check_handle() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_key text := private.handle_skeleton(new.handle);
begin
  if exists (
    select from private.reserved_handles r
    where r.handle_key = v_key or r.anywhere and position(r.handle_key in v_key) > 0
  ) then
    perform private.fail('NX121');
  end if;
  return new;
end;
$$;
comment on function private.tg_profiles__check_handle() is 'Refuses reserved handles, whoever sets them.';

create trigger _100_protect before update on public.profiles
  for each row execute function private.tg_protect_columns('user_id', 'handle', 'created_at');
create trigger _110_check_handle before insert or update of handle on public.profiles
  for each row execute function private.tg_profiles__check_handle();
create trigger _200_touch before update on public.profiles
  for each row execute function private.tg_touch_updated_at();

create function private.change_handle(p_handle text, p_now timestamptz default now()) returns public.profiles
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person(p_now);
  v_profile public.profiles;
begin
  update public.profiles p set handle = lower(p_handle)
    where p.user_id = v_user and p.handle <> lower(p_handle);
  select * into v_profile from public.profiles p where p.user_id = v_user;
  if v_profile.handle is distinct from lower(p_handle) then
    perform private.fail('NX120');
  end if;
  return v_profile;
exception when check_violation or unique_violation then
  perform private.fail(case sqlstate when '23505' then 'NX122' else 'NX120' end);
  return null;
end;
$$;
comment on function private.change_handle(text, timestamptz) is 'Body of public.change_handle().';

create function public.change_handle(p_handle text) returns public.profiles
language sql volatile security invoker set search_path = '' as $$
  select private.change_handle(p_handle)
$$;
comment on function public.change_handle(text) is
  'Gives the caller another handle, in lower case. NX120 not valid, NX121 reserved, NX122 it looks like one in use.';

insert into private.definer_ledger (function_name, reason) values
  ('private.change_handle', 'Sets a column that people have no right to update.');
