-- public.media_kits, public.media_kit_rates, public.social_links
-- Why:     what a creator shows to brands (P1.2). Unpublished until the person says so.
-- Caller:  people read and edit their own rows; the kit is made at sign-up.
-- Errors:  23514 a rule below, 23505 a second rate for the same format or a link that is there already.
-- Repeat:  safe.

create table public.media_kits (
  user_id uuid primary key references auth.users (id) on delete cascade,
  headline text,
  about text,
  contact_email text,
  audience jsonb not null default '{}',
  is_published boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint headline_is_one_line check (headline ~ '^[^[:cntrl:]]{1,120}$'),
  constraint about_is_at_most_5000_long check (length(about) between 1 and 5000),
  constraint contact_email_is_an_address check (
    contact_email ~ '^[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+$' and length(contact_email) <= 254),
  constraint audience_is_a_small_object check (jsonb_typeof(audience) = 'object' and pg_column_size(audience) <= 16384)
);
comment on table public.media_kits is 'The media kit of one person; made at sign-up.';
comment on column public.media_kits.headline is 'One line that says what a brand gets.';
comment on column public.media_kits.about is 'The text of the kit.';
comment on column public.media_kits.is_published is 'False until the person says otherwise.';
comment on column public.media_kits.audience is
  'Figures as the person states them: countries, ages, reach per platform.';
comment on column public.media_kits.contact_email is 'For brands; the account''s own address is never shown.';

create table public.media_kit_rates (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references public.media_kits (user_id) on delete cascade,
  platform_id text not null,
  format text not null,
  amount_minor bigint not null,
  currency text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint platform_is_a_word check (platform_id ~ '^[a-z]{1,30}$'),
  constraint format_is_snake_case check (format ~ '^[a-z][a-z0-9_]{1,39}$'),
  constraint amount_is_not_negative check (amount_minor between 0 and 100000000000),
  constraint currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$'),
  constraint one_rate_per_format_and_currency unique (user_id, platform_id, format, currency)
);
comment on table public.media_kit_rates is 'What a piece of content costs, in minor units of its currency.';
comment on column public.media_kit_rates.format is 'What is sold, e.g. post, story, reel, dedicated_video.';
comment on column public.media_kit_rates.amount_minor is 'Price in minor units: cents for EUR, yen for JPY.';
comment on column public.media_kit_rates.currency is 'ISO 4217, e.g. EUR.';
comment on column public.media_kit_rates.platform_id is
  'A platform''s id; no foreign key, so that any platform may be named.';

create table public.social_links (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null default auth.uid() references public.profiles (user_id) on delete cascade,
  platform text not null,
  url text not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint platform_is_a_word check (platform ~ '^[a-z][a-z0-9_]{0,29}$'),
  constraint url_is_https_without_user check (
    url ~ '^https://[^\s/@?#]+\.[^\s/@?#]+([/?#][^\s]*)?$' and length(url) <= 500),
  constraint link_is_listed_once unique (user_id, url)
);
comment on table public.social_links is 'Links to a creator''s presence elsewhere.';
comment on column public.social_links.platform is 'Where the link leads, e.g. youtube, newsletter, website.';
comment on column public.social_links.url is 'https only, without user name.';

create trigger _100_protect before update on public.media_kits
  for each row execute function private.tg_protect_columns('user_id', 'created_at');
create trigger _200_touch before update on public.media_kits
  for each row execute function private.tg_touch_updated_at();
create trigger _100_protect before update on public.media_kit_rates
  for each row execute function private.tg_protect_columns('id', 'user_id', 'created_at');
create trigger _200_touch before update on public.media_kit_rates
  for each row execute function private.tg_touch_updated_at();
create trigger _100_protect before update on public.social_links
  for each row execute function private.tg_protect_columns('id', 'user_id', 'created_at');
create trigger _200_touch before update on public.social_links
  for each row execute function private.tg_touch_updated_at();
