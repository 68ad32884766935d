-- worker.resolve_connection(…), worker.store_connection(…)
-- Why:     the last two steps of connecting: which connection this account is (its id and the number of the new set of
--          tokens go into the seal), then everything is stored in one transaction.
-- Caller:  service_role. DEFINER bodies: flows and vault are in private.
-- Errors:  NX210 no such consumed flow. NX212 the account belongs to another person here. NX213 not the account that
--          was to be reconnected. NX214 scopes missing or widened. NX215 a newer set of tokens is there. NX216 not sealed.
--          NX217 the person's account is not active.
-- Repeat:  resolve_connection is safe. store_connection works once per flow: it deletes the flow.
-- Locks:   flow, connection, vault row, queue row.

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
create function private.matching_connection(p_flow private.oauth_flows, p_external_account_id text)
returns public.connections
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_connection public.connections;
begin
  if exists (select from public.connections
             where platform_id = p_flow.platform_id and external_account_id = p_external_account_id
               and state <> 'disconnected' and user_id <> p_flow.user_id) then
    perform private.fail('NX212'); -- P6.6
  end if;
  select * into v_connection from public.connections
    where user_id = p_flow.user_id and platform_id = p_flow.platform_id and external_account_id = p_external_account_id
    order by state = 'disconnected', id = p_flow.reconnect_connection_id desc, connected_at desc limit 1 for update;
  if p_flow.reconnect_connection_id is not null and v_connection.id is distinct from p_flow.reconnect_connection_id then
    perform private.fail('NX213');
  end if;
  return v_connection;
end;
$$;
comment on function private.matching_connection(private.oauth_flows, text) is
  'The person''s connection to this external account, locked, or an empty row; NX212, NX213.';

create function private.resolve_connection(
  p_flow_id uuid, p_external_account_id text, p_now timestamptz default now()
) returns table (connection_id uuid, generation int)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_flow private.oauth_flows := private.require_consumed_flow(p_flow_id, p_now);
  v_connection public.connections := private.matching_connection(v_flow, p_external_account_id);
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

create function private.store_connection(
  p_flow_id uuid, p_vault private.token_vault, p_profile public.connections, p_now timestamptz
) returns uuid
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_flow private.oauth_flows := private.require_consumed_flow(p_flow_id, p_now);
  v_known public.connections := private.matching_connection(v_flow, p_profile.external_account_id);
begin
  perform private.check_granted_scopes(v_flow, p_profile.scopes);
  if p_vault.connection_id is distinct from v_flow.connection_id
     or p_vault.connection_id <> coalesce(v_known.id, p_vault.connection_id)
     or p_vault.generation is distinct from coalesce(v_known.token_generation, 0) + 1 then
    perform private.fail('NX215');
  end if;
  p_profile.id := p_vault.connection_id;
  p_profile.user_id := v_flow.user_id;
  p_profile.platform_id := v_flow.platform_id;
  perform private.write_connection_row(p_profile);
  p_vault.user_id := v_flow.user_id;
  perform private.write_vault_row(p_vault);
  perform private.schedule_refresh(p_vault, p_now);
  perform private.forget_revocations(p_vault.connection_id);
  delete from private.oauth_flows where id = p_flow_id;
  perform private.audit('connection_stored', 'connection', p_vault.connection_id, jsonb_build_object(
    'platform_id', v_flow.platform_id, 'generation', p_vault.generation), p_now);
  return p_vault.connection_id;
end;
$$;
comment on function private.store_connection(uuid, private.token_vault, public.connections, timestamptz) is
  'Stores profile and tokens of a consumed flow and ends the flow.';

-- Two persons who connect the same account at the same instant meet in the unique index: the second one is refused.
create function private.write_connection_row(p_row public.connections) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into public.connections select (p_row).*
  on conflict (id) do update set
    handle = excluded.handle, display_name = excluded.display_name, avatar_url = excluded.avatar_url,
    scopes = excluded.scopes, state = 'active', connected_at = excluded.connected_at,
    token_expires_at = excluded.token_expires_at, refresh_expires_at = excluded.refresh_expires_at,
    usable_until = excluded.usable_until, disconnected_at = null, last_error_code = null,
    token_generation = excluded.token_generation;
exception when unique_violation then
  perform private.fail('NX212');
end;
$$;
comment on function private.write_connection_row(public.connections) is 'Inserts or revives a connection; NX212.';

create function private.accept_connection(
  p_flow_id uuid, p_connection_id uuid, p_external_account_id text, p_handle text, p_display_name text,
  p_avatar_url text, p_scopes text[], p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz,
  p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_vault private.token_vault;
  v_profile public.connections;
begin
  v_vault.connection_id := p_connection_id;
  v_vault.sealed_access := private.sealed_from_text(p_sealed_access);
  v_vault.sealed_refresh := private.sealed_from_text(p_sealed_refresh);
  v_vault.sealed_revocation := private.sealed_from_text(p_sealed_revocation);
  v_vault.key_ids := p_key_ids;
  v_vault.generation := p_generation;
  v_vault.access_expires_at := p_access_expires_at;
  v_vault.refresh_expires_at := p_refresh_expires_at;
  v_profile.external_account_id := p_external_account_id;
  v_profile.handle := left(p_handle, 255);
  v_profile.display_name := left(p_display_name, 255);
  v_profile.avatar_url := case when p_avatar_url ~ '^https?://[^\s]+$' and length(p_avatar_url) <= 2000
                               then p_avatar_url end;
  v_profile.scopes := array(select distinct s from unnest(p_scopes) s order by s);
  v_profile.state := 'active';
  v_profile.connected_at := p_now;
  v_profile.token_expires_at := p_access_expires_at;
  v_profile.refresh_expires_at := p_refresh_expires_at;
  v_profile.usable_until := private.usable_until(v_vault);
  v_profile.token_generation := p_generation;
  v_profile.updated_at := p_now;
  return private.store_connection(p_flow_id, v_vault, v_profile, p_now);
end;
$$;
comment on function private.accept_connection(uuid, uuid, text, text, text, text, text[], int, text, text, text, text[],
  timestamptz, timestamptz, timestamptz) is 'Body of worker.store_connection().';

create function worker.resolve_connection(p_flow_id uuid, p_external_account_id text)
returns table (connection_id uuid, generation int)
language sql volatile security invoker set search_path = '' as $$
  select * from private.resolve_connection(p_flow_id, p_external_account_id)
$$;
comment on function worker.resolve_connection(uuid, text) is
  'The connection that the tokens of this flow belong to, and the generation to seal them with.';

create function worker.store_connection(
  p_flow_id uuid, p_connection_id uuid, p_external_account_id text, p_handle text, p_display_name text,
  p_avatar_url text, p_scopes text[], p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.accept_connection(p_flow_id, p_connection_id, p_external_account_id, p_handle, p_display_name,
    p_avatar_url, p_scopes, p_generation, p_sealed_access, p_sealed_refresh, p_sealed_revocation, p_key_ids,
    p_access_expires_at, p_refresh_expires_at)
$$;
comment on function worker.store_connection(uuid, uuid, text, text, text, text, text[], int, text, text, text, text[],
  timestamptz, timestamptz) is
  'Stores a connected account with its sealed tokens (base64), once per flow. Times come from the platform''s answer.';

insert into private.definer_ledger (function_name, reason) values
  ('private.resolve_connection', 'Reads and writes oauth_flows, on which no role of the API has rights.'),
  ('private.accept_connection', 'Writes flows, vault and connections, on which service_role has no rights.');
