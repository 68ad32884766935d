-- public.preferences, private.is_time_zone(name)
-- Why:     how the product behaves for a person; the opt-out of P5.2 and P7.5 among it, so it is open to everybody
--          with a live session, whatever the state of the account.
-- Caller:  people read and edit their own row; made at sign-up.
-- Errors:  NX130 not a time zone of the IANA database.
-- Repeat:  safe.

-- The exact name: Postgres itself would also take abbreviations and POSIX strings, which know no rules for the future.
create function private.is_time_zone(p_name text) returns boolean
language sql stable security invoker set search_path = '' as $$
  select exists (
    select from pg_timezone_names z
    where z.name = p_name and (p_name = 'UTC' or p_name like '%/%') and p_name !~ '^(posix|right|Etc)/')
$$;
comment on function private.is_time_zone(text) is 'True for UTC and for names such as Europe/Berlin.';

create table public.preferences (
  user_id uuid primary key references auth.users (id) on delete cascade,
  language text not null default 'en',
  time_zone text not null default 'UTC',
  theme text not null default 'system',
  week_starts_on text not null default 'monday',
  product_analytics boolean not null default true,
  mail_notices boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint language_is_a_bcp_47_tag check (language ~ '^[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?$'),
  constraint theme_is_known check (theme in ('system', 'light', 'dark')),
  constraint week_starts_on_a_usual_day check (week_starts_on in ('monday', 'saturday', 'sunday'))
);
comment on table public.preferences is 'Settings of one person; made at sign-up.';
comment on column public.preferences.language is 'Language of the product and of mails, e.g. en or pt-BR.';
comment on column public.preferences.theme is 'system, light or dark.';
comment on column public.preferences.week_starts_on is
  'First day of the week in calendars: monday, saturday or sunday.';
comment on column public.preferences.time_zone is 'IANA name: schedules are entered in it.';
comment on column public.preferences.mail_notices is
  'Whether notices that are worth it, such as a post that failed, come by mail as well.';
comment on column public.preferences.product_analytics is
  'False: nothing about the use of the product is recorded any more, at once (P5.2, P7.5).';

create function private.tg_preferences__check_time_zone() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if not private.is_time_zone(new.time_zone) then
    perform private.fail('NX130');
  end if;
  return new;
end;
$$;
comment on function private.tg_preferences__check_time_zone() is 'Refuses what is no IANA time zone.';

create trigger _100_protect before update on public.preferences
  for each row execute function private.tg_protect_columns('user_id', 'created_at');
create trigger _110_check_time_zone before update of time_zone on public.preferences
  for each row when (new.time_zone is distinct from old.time_zone)
  execute function private.tg_preferences__check_time_zone();
create trigger _200_touch before update on public.preferences
  for each row execute function private.tg_touch_updated_at();
