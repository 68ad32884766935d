-- private.pending_connections
-- Why:     the way through the platform proves who owns the account there, not who is signed in here. An attacker could
--          begin, have a victim open the link, and so attach the victim's account to their own. What the platform
--          granted therefore waits here, sealed, until the person who began says in their own session: that was me.
-- Caller:  resolve_connection.sql writes, confirm_connection.sql takes out, housekeeping drops what nobody confirmed.
-- States:  held -> confirmed (the tokens are in the vault; the row stays for who asks again) -> row deleted
--          held -> row deleted (dropped, and given back to the platform)

create table private.pending_connections (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  platform_id text not null references public.platforms (id),
  reconnect_connection_id uuid,
  connection_id uuid not null,
  external_account_id text not null,
  handle text,
  display_name text,
  avatar_url text,
  scopes text[] not null,
  generation int not null,
  sealed_access bytea,
  sealed_refresh bytea,
  sealed_revocation bytea,
  key_ids text[] not null,
  access_expires_at timestamptz,
  refresh_expires_at timestamptz,
  code_hash bytea not null unique,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  confirmed_at timestamptz,
  foreign key (reconnect_connection_id, user_id) references public.connections (id, user_id) on delete cascade,
  constraint external_account_id_is_bounded check (length(external_account_id) between 1 and 255),
  constraint access_is_sealed check (private.is_sealed(sealed_access)), -- P3.4
  constraint refresh_is_sealed check (private.is_sealed(sealed_refresh)),
  constraint revocation_is_sealed check (private.is_sealed(sealed_revocation)),
  constraint tokens_until_confirmed check (
    case when confirmed_at is null then num_nulls(sealed_access, sealed_revocation) = 0
         else num_nonnulls(sealed_access, sealed_refresh, sealed_revocation) = 0 end),
  constraint code_hash_is_sha256 check (octet_length(code_hash) = 32),
  constraint pending_for_ten_minutes check (expires_at <= created_at + interval '10 minutes')
);
create index pending_connections_user_id_idx on private.pending_connections (user_id);
create index pending_connections_expires_at_idx on private.pending_connections (expires_at);
create index pending_connections_platform_id_idx on private.pending_connections (platform_id);
create index pending_connections_connection_id_idx on private.pending_connections (connection_id);
create index pending_connections_reconnect_connection_id_idx
  on private.pending_connections (reconnect_connection_id, user_id);
comment on table private.pending_connections is
  'What platforms granted and the person has not confirmed yet; at most for ten minutes.';
comment on column private.pending_connections.connection_id is
  'The connection that the tokens are sealed for; it may not exist yet.';
comment on column private.pending_connections.code_hash is
  'SHA-256 of the text of the one-time code that the browser brings back to the front end.';

comment on column private.pending_connections.confirmed_at is
  'When the person confirmed; from then on there are no tokens here.';

-- The tokens are given back, unless the account is connected here: some platforms then end that grant as well.
create function private.drop_pending_connection(p_pending private.pending_connections, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  delete from private.pending_connections where id = p_pending.id;
  if p_pending.confirmed_at is not null then
    return;
  end if;
  perform private.audit('pending_connection_dropped', 'connection', p_pending.connection_id,
                        jsonb_build_object('platform_id', p_pending.platform_id), p_now);
  if exists (select from public.connections
             where platform_id = p_pending.platform_id and external_account_id = p_pending.external_account_id
               and state = 'active') then
    return;
  end if;
  perform private.request_revocation((gen_random_uuid(), p_pending.user_id, p_pending.platform_id,
    p_pending.connection_id, p_pending.external_account_id, p_pending.generation, p_pending.sealed_revocation, p_now,
    p_now + interval '24 hours', 0)::private.revocation_outbox); -- P6.7
end;
$$;
comment on function private.drop_pending_connection(private.pending_connections, timestamptz) is
  'Nothing comes of this grant: deletes its tokens and has the platform told.';

create function private.drop_pending_connections_of(p_connection_id uuid, p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.drop_pending_connection(p, p_now) from private.pending_connections p
  where p_connection_id in (p.connection_id, p.reconnect_connection_id)
$$;
comment on function private.drop_pending_connections_of(uuid, timestamptz) is
  'Whatever was being connected for this account is void, or it would undo a disconnection.';
