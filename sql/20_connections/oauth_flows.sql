-- private.oauth_flows
-- Why:     one attempt to connect an account, from the button to the stored tokens. Ticket, state and browser are known
--          here by their SHA-256 only; all three are random, one-time and short-lived (RFC 9700).
-- Caller:  begin_connection.sql, oauth_callback.sql, resolve_connection.sql; housekeeping deletes what expired.
-- States:  begun (ticket) -> redeemed (state and browser) -> consumed (the platform came back) -> row deleted
--          (what was granted is in pending_connections)

create table private.oauth_flows (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  platform_id text not null references public.platforms (id),
  features text[] not null,
  scopes text[] not null,
  redirect_to text not null,
  ticket_hash bytea not null unique,
  ticket_expires_at timestamptz not null,
  state_hash bytea unique,
  browser_hash bytea,
  sealed_verifier bytea,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  consumed_at timestamptz,
  connection_id uuid,
  reconnect_connection_id uuid,
  foreign key (reconnect_connection_id, user_id) references public.connections (id, user_id) on delete cascade,
  constraint hashes_are_sha256 check (
    octet_length(ticket_hash) = 32 and octet_length(state_hash) = 32 and octet_length(browser_hash) = 32),
  constraint verifier_is_sealed check (private.is_sealed(sealed_verifier)), -- P3.4
  constraint state_and_browser_come_together check ((state_hash is null) = (browser_hash is null)),
  constraint verifier_dies_when_used check (consumed_at is null or sealed_verifier is null),
  constraint flow_lives_ten_minutes check (
    ticket_expires_at <= created_at + interval '2 minutes' and expires_at <= created_at + interval '10 minutes')
);
create index oauth_flows_user_id_idx on private.oauth_flows (user_id, expires_at);
create index oauth_flows_expires_at_idx on private.oauth_flows (expires_at);
create index oauth_flows_platform_id_idx on private.oauth_flows (platform_id);
create index oauth_flows_reconnect_connection_id_idx on private.oauth_flows (reconnect_connection_id, user_id);
comment on table private.oauth_flows is 'Attempts to connect an account; none lives longer than ten minutes.';
comment on column private.oauth_flows.ticket_hash is 'SHA-256 of the text of the one-time ticket in the start link.';
comment on column private.oauth_flows.sealed_verifier is
  'PKCE verifier, sealed to the state; deleted when the platform comes back.';
comment on column private.oauth_flows.connection_id is
  'The connection that the worker was told to seal the tokens for.';
