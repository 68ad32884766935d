-- public.calendar_feeds, create_calendar_feed(name), revoke_calendar_feed(id)
-- Why:     what is planned, in the calendar that a person looks at anyway. A calendar program cannot sign in, so the address
--          itself is the key: 256 random bits, shown once, kept as a hash, gone the moment that it is revoked.
-- Caller:  authenticated, for itself. DEFINER bodies: people may not write the hashes.
-- Errors:  NX001, NX11x account. NX002 name. NX205 no worker has announced its address. NX458 too many feeds.
-- Repeat:  create: no, each call makes another address. revoke: safe.

create table public.calendar_feeds (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  name text not null,
  created_at timestamptz not null,
  last_used_on date,
  unique (id, user_id),
  constraint name_is_1_to_100_long check (length(name) between 1 and 100),
  constraint name_is_one_line check (name !~ '[\x01-\x1f\x7f]')
);
create index calendar_feeds_user_id_idx on public.calendar_feeds (user_id);
comment on table public.calendar_feeds is 'Addresses under which a calendar program reads what is planned. Revoked ones are gone.';
comment on column public.calendar_feeds.name is 'Title of the calendar, and what the person knows the address by.';
comment on column public.calendar_feeds.last_used_on is 'Day (UTC) on which it was last read; nothing finer is kept.';

create table private.calendar_tokens (
  feed_id uuid not null,
  user_id uuid not null,
  token_hash text not null unique,
  primary key (feed_id, user_id),
  foreign key (feed_id, user_id) references public.calendar_feeds (id, user_id) on delete cascade,
  constraint hash_is_sha_256 check (token_hash ~ '^[0-9a-f]{64}$')
);
create index calendar_tokens_user_id_idx on private.calendar_tokens (user_id);
comment on table private.calendar_tokens is 'SHA-256 of the secret part of each address.';

create function private.create_calendar_feed(p_name text default 'Nexora OS', p_now timestamptz default now())
returns table (feed_id uuid, url text)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_base text := private.setting('public_url') #>> '{}';
  v_token text := rtrim(translate(encode(extensions.gen_random_bytes(32), 'base64'), '+/', '-_'), '=');
  v_feed uuid;
begin
  if v_base is null then
    perform private.fail('NX205');
  elsif (length(btrim(p_name)) between 1 and 100 and p_name !~ '[\x01-\x1f\x7f]') is not true then
    perform private.fail('NX002', p_detail := 'p_name');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('private.create_calendar_feed:' || v_user, 0));
  if private.setting_int('calendar_feeds_max') <= (select count(*) from public.calendar_feeds f where f.user_id = v_user) then
    perform private.fail('NX458', p_detail := 'calendar_feeds');
  end if;
  insert into public.calendar_feeds (user_id, name, created_at) values (v_user, btrim(p_name), p_now) returning id into v_feed;
  insert into private.calendar_tokens (feed_id, user_id, token_hash)
    values (v_feed, v_user, encode(sha256(convert_to(v_token, 'UTF8')), 'hex'));
  return query select v_feed, v_base || '/calendar/' || v_token || '.ics';
end;
$$;
comment on function private.create_calendar_feed(text, timestamptz) is 'Body of create_calendar_feed().';

create function private.revoke_calendar_feed(p_feed_id uuid) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
begin
  delete from public.calendar_feeds f where f.id = p_feed_id and f.user_id = v_user;
  return found;
end;
$$;
comment on function private.revoke_calendar_feed(uuid) is 'Body of revoke_calendar_feed().';

create function public.create_calendar_feed(p_name text default 'Nexora OS') returns table (feed_id uuid, url text)
language sql volatile security invoker set search_path = '' as $$
  select * from private.create_calendar_feed(p_name)
$$;
comment on function public.create_calendar_feed(text) is
  'Makes an address for calendar programs (iCalendar). It is shown this once: whoever knows it can read what is planned.';

create function public.revoke_calendar_feed(p_feed_id uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.revoke_calendar_feed(p_feed_id)
$$;
comment on function public.revoke_calendar_feed(uuid) is
  'Ends an address at once; calendars that use it find nothing any more. False: there was none.';

insert into private.settings (key, value, description) values
  ('calendar_feeds_max', '10', 'Calendar addresses of one person.');

insert into private.definer_ledger (function_name, reason) values
  ('private.create_calendar_feed', 'Writes calendar_tokens, on which people have no rights.'),
  ('private.revoke_calendar_feed', 'Same way in as create_calendar_feed; deletes the caller''s own feeds alone.');
