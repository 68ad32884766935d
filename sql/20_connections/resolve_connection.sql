-- worker.resolve_connection(…), worker.hold_connection(…)
-- Why:     the last two steps of the browser's way: which connection this account is (its id and the number of the new
--          set of tokens go into the seal), then all that the platform granted is held until the person confirms it.
-- Caller:  service_role. DEFINER bodies: flows and pending connections are in private.
-- Errors:  NX002 the hash is malformed. NX210 no such consumed flow. NX212 the account belongs to another person here.
--          NX213 not the account that was to be reconnected. NX214 scopes missing or widened. NX215 not the resolved
--          connection. NX216 not sealed. NX217 the person's account is not active.
-- Repeat:  resolve_connection is safe. hold_connection works once per flow: it deletes the flow.
-- Locks:   flow, connection.

create function private.require_consumed_flow(p_flow_id uuid, p_now timestamptz) returns private.oauth_flows
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_flow private.oauth_flows;
begin
  select * into v_flow from private.oauth_flows where id = p_flow_id for update;
  if not found or v_flow.consumed_at is null or v_flow.expires_at <= p_now then
    perform private.fail('NX210');
  end if;
  if not exists (select from private.accounts where user_id = v_flow.user_id and state = 'active') then
    perform private.fail('NX217'); -- P9.2
  end if;
  return v_flow;
end;
$$;
comment on function private.require_consumed_flow(uuid, timestamptz) is 'The flow, locked, or NX210 / NX217.';

-- An account that somebody else has connected stays theirs; one that the same person once had keeps its id and history.
create function private.matching_connection(
  p_user uuid, p_platform text, p_external_account_id text, p_reconnect uuid
) returns public.connections
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_connection public.connections;
begin
  if exists (select from public.connections
             where platform_id = p_platform and external_account_id = p_external_account_id
               and state <> 'disconnected' and user_id <> p_user) then
    perform private.fail('NX212'); -- P6.6
  end if;
  select * into v_connection from public.connections
    where user_id = p_user and platform_id = p_platform and external_account_id = p_external_account_id
    order by state = 'disconnected', id = p_reconnect desc, connected_at desc limit 1 for no key update;
  if p_reconnect is not null and v_connection.id is distinct from p_reconnect then
    perform private.fail('NX213');
  end if;
  return v_connection;
end;
$$;
comment on function private.matching_connection(uuid, text, text, uuid) is
  'The person''s connection to this external account, locked, or an empty row; NX212, NX213.';

create function private.resolve_connection(
  p_flow_id uuid, p_external_account_id text, p_now timestamptz default now()
) returns table (connection_id uuid, generation int)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_flow private.oauth_flows := private.require_consumed_flow(p_flow_id, p_now);
  v_connection public.connections := private.matching_connection(
    v_flow.user_id, v_flow.platform_id, p_external_account_id, v_flow.reconnect_connection_id);
begin
  connection_id := coalesce(v_connection.id, v_flow.connection_id, gen_random_uuid());
  generation := coalesce(v_connection.token_generation, 0) + 1;
  update private.oauth_flows f set connection_id = resolve_connection.connection_id where f.id = p_flow_id;
  return next;
end;
$$;
comment on function private.resolve_connection(uuid, text, timestamptz) is 'Body of worker.resolve_connection().';

-- P6.5: what was asked for and not granted is simply absent later, but without its profile an account is of no use.
-- P6.1 to P6.4: what was granted and not asked for is refused.
create function private.check_granted_scopes(p_flow private.oauth_flows, p_scopes text[]) returns void
language plpgsql stable security invoker set search_path = '' as $$
begin
  if not coalesce(p_scopes, '{}') @> private.required_scopes(p_flow.platform_id, array['profile'])
     or not p_flow.scopes @> p_scopes then
    perform private.fail('NX214');
  end if;
end;
$$;
comment on function private.check_granted_scopes(private.oauth_flows, text[]) is
  'NX214 when scopes are missing or widened.';

create function private.hold_connection(
  p_flow_id uuid, p_connection_id uuid, p_external_account_id text, p_handle text, p_display_name text,
  p_avatar_url text, p_scopes text[], p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz,
  p_code_hash text, p_now timestamptz default now()
) returns timestamptz
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_flow private.oauth_flows := private.require_consumed_flow(p_flow_id, p_now);
  v_expires_at timestamptz := p_now + interval '10 minutes';
begin
  perform private.check_granted_scopes(v_flow, p_scopes);
  if p_connection_id is distinct from v_flow.connection_id then
    perform private.fail('NX215');
  end if;
  delete from private.oauth_flows where id = p_flow_id;
  insert into private.pending_connections (
    user_id, platform_id, reconnect_connection_id, connection_id, external_account_id, handle, display_name, avatar_url,
    scopes, generation, sealed_access, sealed_refresh, sealed_revocation, key_ids, access_expires_at,
    refresh_expires_at, code_hash, created_at, expires_at)
  values (
    v_flow.user_id, v_flow.platform_id, v_flow.reconnect_connection_id, p_connection_id, p_external_account_id,
    left(p_handle, 255), left(p_display_name, 255),
    case when p_avatar_url ~ '^https?://[^\s]+$' and length(p_avatar_url) <= 2000 then p_avatar_url end,
    array(select distinct s from unnest(p_scopes) s order by s), p_generation,
    private.sealed_from_text(p_sealed_access), private.sealed_from_text(p_sealed_refresh),
    private.sealed_from_text(p_sealed_revocation), p_key_ids, p_access_expires_at, p_refresh_expires_at,
    private.hash_from_hex(p_code_hash, 'p_code_hash'), p_now, v_expires_at);
  return v_expires_at;
end;
$$;
comment on function private.hold_connection(uuid, uuid, text, text, text, text, text[], int, text, text, text, text[],
  timestamptz, timestamptz, text, timestamptz) is 'Body of worker.hold_connection().';

create function worker.resolve_connection(p_flow_id uuid, p_external_account_id text)
returns table (connection_id uuid, generation int)
language sql volatile security invoker set search_path = '' as $$
  select * from private.resolve_connection(p_flow_id, p_external_account_id)
$$;
comment on function worker.resolve_connection(uuid, text) is
  'The connection that the tokens of this flow belong to, and the generation to seal them with.';

create function worker.hold_connection(
  p_flow_id uuid, p_connection_id uuid, p_external_account_id text, p_handle text, p_display_name text,
  p_avatar_url text, p_scopes text[], p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz,
  p_code_hash text
) returns timestamptz
language sql volatile security invoker set search_path = '' as $$
  select private.hold_connection(p_flow_id, p_connection_id, p_external_account_id, p_handle, p_display_name,
    p_avatar_url, p_scopes, p_generation, p_sealed_access, p_sealed_refresh, p_sealed_revocation, p_key_ids,
    p_access_expires_at, p_refresh_expires_at, p_code_hash)
$$;
comment on function worker.hold_connection(uuid, uuid, text, text, text, text, text[], int, text, text, text, text[],
  timestamptz, timestamptz, text) is
  'Holds an account and its sealed tokens (base64), once per flow, until the person confirms with the code whose '
  'SHA-256 is given in lower-case hex. Returns until when.';

insert into private.definer_ledger (function_name, reason) values
  ('private.resolve_connection', 'Reads and writes oauth_flows, on which no role of the API has rights.'),
  ('private.hold_connection', 'Writes flows and pending connections, on which service_role has no rights.');
