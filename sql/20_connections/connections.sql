-- public.connections
-- Why:     an account on a platform that a person connected; the tokens themselves are in private.token_vault.
-- Caller:  people read it; every change goes through the functions of this context.
-- States:  active -> needs_reconnect (the platform took the grant back, or it ran out) -> active (reconnected)
--          active | needs_reconnect -> disconnected (by the person) -> active (connected again)

create type public.connection_state as enum ('active', 'needs_reconnect', 'disconnected');
comment on type public.connection_state is
  'active: usable. needs_reconnect: no tokens, the person must go through the platform again. disconnected: ended by '
  'the person.';

create table public.connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  platform_id text not null references public.platforms (id),
  external_account_id text not null,
  handle text,
  display_name text,
  avatar_url text,
  scopes text[] not null,
  state public.connection_state not null default 'active',
  connected_at timestamptz not null,
  token_expires_at timestamptz,
  refresh_expires_at timestamptz,
  usable_until timestamptz,
  disconnected_at timestamptz,
  last_error_code text,
  token_generation int not null,
  updated_at timestamptz not null default now(),
  unique (id, user_id),
  constraint external_account_id_is_bounded check (length(external_account_id) between 1 and 255),
  constraint handle_is_bounded check (length(handle) <= 255),
  constraint display_name_is_bounded check (length(display_name) <= 255),
  constraint avatar_url_is_https check (avatar_url ~ '^https?://[^\s]+$' and length(avatar_url) <= 2000),
  constraint x_never_reads_direct_messages
    check (platform_id <> 'x' or not scopes && array['dm.read', 'dm.write']), -- P6.2
  constraint disconnected_says_when check ((state = 'disconnected') = (disconnected_at is not null)),
  constraint only_active_has_tokens check (state = 'active' or token_expires_at is null),
  constraint last_error_code_is_a_code check (last_error_code ~ '^[A-Za-z0-9_.:-]{1,60}$'),
  constraint token_generation_counts_up check (token_generation > 0)
);
create unique index connections_platform_id_external_account_id_key
  on public.connections (platform_id, external_account_id) where state <> 'disconnected';
create index connections_user_id_idx on public.connections (user_id, platform_id);
create index connections_platform_id_idx on public.connections (platform_id);
create index connections_usable_until_idx on public.connections (usable_until) where state = 'active';

comment on table public.connections is
  'Accounts on social platforms that a person connected. Tokens are never part of it.';
comment on column public.connections.external_account_id is 'The platform''s own id of the account; never changes.';
comment on column public.connections.handle is 'Public name on the platform, as it was when last connected.';
comment on column public.connections.display_name is 'Name shown on the platform, as it was when last connected.';
comment on column public.connections.avatar_url is 'Picture on the platform, as it was when last connected.';
comment on column public.connections.connected_at is 'When the person last gave the grant.';
comment on column public.connections.disconnected_at is 'When the person ended it; empty in every other state.';
comment on column public.connections.scopes is
  'What the platform granted. A feature that needs more is refused (P6.5).';
comment on column public.connections.state is 'active, needs_reconnect or disconnected.';
comment on column public.connections.token_expires_at is
  'When the access token ends; it is renewed before, without the person.';
comment on column public.connections.refresh_expires_at is 'When renewing ends, where the platform says so.';
comment on column public.connections.usable_until is
  'Until when it works without the person; NULL is without end. A reminder comes a week before.';
comment on column public.connections.last_error_code is 'Code of the last failed renewal or of the loss of the grant.';
comment on column public.connections.token_generation is
  'Counts the sets of tokens that this connection has had, across disconnections; each set is sealed to its number.';

create trigger _100_protect before update on public.connections for each row
  execute function private.tg_protect_columns(
    'id', 'user_id', 'platform_id', 'external_account_id', 'handle', 'display_name', 'avatar_url', 'scopes', 'state',
    'connected_at', 'token_expires_at', 'refresh_expires_at', 'usable_until', 'disconnected_at', 'last_error_code',
    'token_generation');
create trigger _200_touch before update on public.connections for each row
  execute function private.tg_touch_updated_at();

do $$ begin
  if exists (select from pg_publication where pubname = 'supabase_realtime') then
    execute 'alter publication supabase_realtime add table public.connections';
  end if;
end $$;
