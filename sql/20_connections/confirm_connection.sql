-- confirm_connection(code) -> connections
-- Why:     see pending_connections.sql: only the person who began, in their own session, completes a connection.
-- Caller:  authenticated, for itself. DEFINER body: pending connections and vault are in private.
-- Errors:  NX001, NX11x account. NX212 the account belongs to another person here. NX213 not the account that was to be
--          reconnected. NX215 a newer set of tokens is there.
--          No row: the code is unknown, expired or somebody else's, and worth nothing from now on. An exception
--          would undo that, so the refusal is an empty answer; it says NX210 in nexora_client.
-- Repeat:  safe for the person who confirmed: the same connection, as long as the code lives.
-- Locks:   pending connection, connection, vault row, queue row.

create function private.confirm_connection(p_code text, p_now timestamptz default now())
returns setof public.connections
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_pending private.pending_connections;
begin
  select * into v_pending from private.pending_connections
    where code_hash = sha256(convert_to(p_code, 'UTF8')) for update;
  if not found then
    return;
  elsif v_pending.user_id <> v_user or v_pending.expires_at <= p_now then
    perform private.drop_pending_connection(v_pending, p_now);
    return;
  elsif v_pending.confirmed_at is null then
    perform private.make_connection(v_pending, p_now);
  end if;
  return query select * from public.connections where id = v_pending.connection_id;
end;
$$;
comment on function private.confirm_connection(text, timestamptz) is 'Body of confirm_connection().';

create function private.make_connection(p_pending private.pending_connections, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_known public.connections := private.matching_connection(
    p_pending.user_id, p_pending.platform_id, p_pending.external_account_id, p_pending.reconnect_connection_id);
  v_vault private.token_vault := private.vault_row(p_pending);
begin
  if p_pending.connection_id <> coalesce(v_known.id, p_pending.connection_id)
     or p_pending.generation is distinct from coalesce(v_known.token_generation, 0) + 1 then
    perform private.fail('NX215');
  end if;
  perform private.write_connection_row(private.connection_row(p_pending, private.usable_until(v_vault), p_now));
  perform private.write_vault_row(v_vault);
  perform private.schedule_refresh(v_vault, p_now);
  update private.pending_connections
    set confirmed_at = p_now, sealed_access = null, sealed_refresh = null, sealed_revocation = null, key_ids = '{}'
    where id = p_pending.id;
  perform private.forget_revocations(p_pending.platform_id, p_pending.external_account_id);
  perform private.audit('connection_stored', 'connection', p_pending.connection_id, jsonb_build_object(
    'platform_id', p_pending.platform_id, 'generation', p_pending.generation), p_now);
end;
$$;
comment on function private.make_connection(private.pending_connections, timestamptz) is
  'Writes profile and tokens of a confirmed connection and schedules the refresh; NX212, NX213, NX215.';

create function private.vault_row(p_pending private.pending_connections) returns private.token_vault
language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_row private.token_vault;
begin
  v_row.connection_id := p_pending.connection_id;
  v_row.user_id := p_pending.user_id;
  v_row.sealed_access := p_pending.sealed_access;
  v_row.sealed_refresh := p_pending.sealed_refresh;
  v_row.sealed_revocation := p_pending.sealed_revocation;
  v_row.key_ids := p_pending.key_ids;
  v_row.generation := p_pending.generation;
  v_row.access_expires_at := p_pending.access_expires_at;
  v_row.refresh_expires_at := p_pending.refresh_expires_at;
  return v_row;
end;
$$;
comment on function private.vault_row(private.pending_connections) is 'The tokens of a pending connection.';

create function private.connection_row(
  p_pending private.pending_connections, p_usable_until timestamptz, p_now timestamptz
) returns public.connections
language plpgsql immutable security invoker set search_path = '' as $$
declare
  v_row public.connections;
begin
  v_row.id := p_pending.connection_id;
  v_row.user_id := p_pending.user_id;
  v_row.platform_id := p_pending.platform_id;
  v_row.external_account_id := p_pending.external_account_id;
  v_row.handle := p_pending.handle;
  v_row.display_name := p_pending.display_name;
  v_row.avatar_url := p_pending.avatar_url;
  v_row.scopes := p_pending.scopes;
  v_row.state := 'active';
  v_row.connected_at := p_now;
  v_row.token_expires_at := p_pending.access_expires_at;
  v_row.refresh_expires_at := p_pending.refresh_expires_at;
  v_row.usable_until := p_usable_until;
  v_row.token_generation := p_pending.generation;
  v_row.updated_at := p_now;
  return v_row;
end;
$$;
comment on function private.connection_row(private.pending_connections, timestamptz, timestamptz) is
  'The profile of a pending connection, as it is stored.';

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

create function public.confirm_connection(p_code text) returns setof public.connections
language sql volatile security invoker set search_path = '' as $$
  select * from private.confirm_connection(p_code)
$$;
comment on function public.confirm_connection(text) is
  'Completes a connection in the session of the person who began it, within ten minutes. `p_code` is the '
  '`connection_code` with which the browser came back; repeating it is harmless. No row: nothing was connected, '
  'start again.';

insert into private.definer_ledger (function_name, reason) values
  ('private.confirm_connection', 'Reads pending connections and writes the vault, on which people have no rights.');
