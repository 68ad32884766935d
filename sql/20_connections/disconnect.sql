-- disconnect_account(connection) -> connections, worker.revoke_connection(…)
-- Why:     both ends of a grant. The person ends it: the tokens are deleted in this transaction (P6.7). The platform
--          ends it: the same, and the person is told to reconnect (P6.8).
-- Caller:  authenticated for its own connections; service_role. DEFINER bodies: the vault is in private.
-- Errors:  NX001, NX11x account. NX204 no such connection.
-- Repeat:  safe; the row is returned unchanged, false is returned.
-- Locks:   connection; queue rows and targets of scheduled posts, which a trigger of 40_publishing settles; then vault row and
--          queue row of the renewal: lanes in alphabetical order, as whoever takes rows of several lanes does.

-- Whatever was being connected for this account in the meantime is void too, or it would undo the disconnection.
create function private.drop_tokens(p_connection_id uuid) returns private.token_vault
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_vault private.token_vault;
begin
  delete from private.token_vault where connection_id = p_connection_id returning * into v_vault;
  perform private.dequeue('refresh', p_connection_id);
  delete from private.oauth_flows where p_connection_id in (connection_id, reconnect_connection_id);
  return v_vault;
end;
$$;
comment on function private.drop_tokens(uuid) is 'Deletes the tokens of a connection now; returns what they were.';

create function private.disconnect_account(p_connection_id uuid, p_now timestamptz default now())
returns public.connections
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_user uuid := private.require_person();
  v_connection public.connections;
begin
  select * into v_connection from public.connections where id = p_connection_id and user_id = v_user
    for no key update;
  if not found then
    perform private.fail('NX204');
  elsif v_connection.state <> 'disconnected' then
    v_connection := private.disconnect(p_connection_id, p_now);
  end if;
  return v_connection;
end;
$$;
comment on function private.disconnect_account(uuid, timestamptz) is 'Body of disconnect_account().';

-- Also for the erasure of an account, which has asked who may before.
create function private.disconnect(p_connection_id uuid, p_now timestamptz default now()) returns public.connections
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_connection public.connections;
  v_vault private.token_vault;
begin
  update public.connections
    set state = 'disconnected', disconnected_at = p_now, token_expires_at = null, refresh_expires_at = null,
        usable_until = null, updated_at = p_now
    where id = p_connection_id and state <> 'disconnected' returning * into v_connection;
  v_vault := private.drop_tokens(p_connection_id);
  if v_vault.connection_id is not null then
    perform private.request_revocation((gen_random_uuid(), c.user_id, c.platform_id, c.id, c.external_account_id,
      v_vault.generation, v_vault.sealed_revocation, p_now, p_now + interval '24 hours', 0)::private.revocation_outbox)
      from public.connections c where c.id = p_connection_id; -- P6.7
  end if;
  perform private.drop_pending_connections_of(p_connection_id, p_now);
  perform private.audit('connection_disconnected', 'connection', p_connection_id,
                        jsonb_build_object('platform_id', v_connection.platform_id), p_now);
  return v_connection;
end;
$$;
comment on function private.disconnect(uuid, timestamptz) is
  'Deletes the tokens, leaves the sealed copy for revocation in the outbox, and ends the connection.';

create function private.revoke_connection(
  p_connection_id uuid, p_code text, p_generation int default null, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_connection public.connections;
begin
  -- A worker whose token was refused may be late: a newer set of tokens is not touched by what it learnt of an old one.
  select * into v_connection from public.connections
    where id = p_connection_id and state = 'active' and token_generation = coalesce(p_generation, token_generation)
    for no key update;
  if not found then
    return false;
  end if;
  update public.connections
    set state = 'needs_reconnect', token_expires_at = null, refresh_expires_at = null, usable_until = null,
        last_error_code = private.short_code(p_code), updated_at = p_now
    where id = p_connection_id;
  perform private.drop_tokens(p_connection_id);
  perform private.notify(v_connection.user_id, 'connection_needs_reconnect', 'connection', p_connection_id,
                         private.short_code(p_code), p_now);
  perform private.audit('connection_revoked', 'connection', p_connection_id, jsonb_build_object(
    'platform_id', v_connection.platform_id, 'code', private.short_code(p_code)), p_now);
  return true;
end;
$$;
comment on function private.revoke_connection(uuid, text, int, timestamptz) is
  'Body of worker.revoke_connection().'; -- P6.8

create function public.disconnect_account(p_connection_id uuid) returns public.connections
language sql volatile security invoker set search_path = '' as $$
  select private.disconnect_account(p_connection_id)
$$;
comment on function public.disconnect_account(uuid) is
  'Ends a connection at any time. Its tokens are deleted at once, the platform is told within a day, and posts that '
  'were scheduled to this account fail with NX431.'; -- P6.7, P6.8

create function worker.revoke_connection(p_connection_id uuid, p_code text, p_generation int default null)
returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.revoke_connection(p_connection_id, p_code, p_generation)
$$;
comment on function worker.revoke_connection(uuid, text, int) is
  'The platform took the grant back: deletes the tokens and asks the person to reconnect. With p_generation only if '
  'that set of tokens is still the current one. false: nothing to do.';

insert into private.definer_ledger (function_name, reason) values
  ('private.disconnect_account', 'Deletes vault rows, on which no role of the API has rights.'),
  ('private.revoke_connection', 'Deletes vault rows, on which no role of the API has rights.');
