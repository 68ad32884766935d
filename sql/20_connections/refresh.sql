-- worker.lease_token(…), worker.store_refreshed_token(…), worker.fail_refresh(…)
-- Why:     a refresh token often works once: two parallel renewals would burn it. One worker renews at a time, and a
--          set of tokens replaces only the one directly before it.
-- Caller:  service_role. DEFINER bodies: the vault is in private.
-- Errors:  NX002 unknown or stopped worker. NX216 not sealed.
-- Repeat:  lease_token is safe; whoever asks while the lease runs, the holder included, gets leased = false.
--          store_refreshed_token answers false when that generation is there already. fail_refresh is safe.
-- Locks:   connection, vault row, queue row; lease_token the vault row alone.
-- Never:   an error while renewing does not disconnect anybody; only worker.revoke_connection() does that.

create function private.usable_until(p_vault private.token_vault) returns timestamptz
language sql immutable security invoker set search_path = '' as $$
  select case when p_vault.sealed_refresh is null then p_vault.access_expires_at else p_vault.refresh_expires_at end
$$;
comment on function private.usable_until(private.token_vault) is 'When this set of tokens ends for good; NULL is never.';

-- Instagram renews a token when it is a day old, not earlier. (Instagram platform documentation, refresh_access_token)
create function private.renewable_after(p_connection_id uuid) returns interval
language sql stable security invoker set search_path = '' as $$
  select case when c.platform_id = 'instagram' then interval '24 hours' else interval '0' end
  from public.connections c where c.id = p_connection_id
$$;
comment on function private.renewable_after(uuid) is 'How old a token of this account has to be before the platform renews it.';

-- A token of hours is renewed ten minutes before its end, or a fifth of its life if that is less. One of weeks is renewed
-- when a fifth of its life is left: days in which a platform may be down without anybody having to connect again.
create function private.refresh_at(p_ends_at timestamptz, p_renewable_after interval, p_now timestamptz)
returns timestamptz
language sql immutable security invoker set search_path = '' as $$
  select greatest(p_now + p_renewable_after,
    p_ends_at - case when p_ends_at - p_now <= interval '2 days'
      then least(interval '10 minutes', greatest(p_ends_at - p_now, interval '0') / 5)
      else (p_ends_at - p_now) / 5 end)
$$;
comment on function private.refresh_at(timestamptz, interval, timestamptz) is
  'When a token that was given now and ends then is renewed.';

-- The job that is renewing right now may still be leased: enqueue() then makes it due again once it is reported.
create function private.schedule_refresh(p_vault private.token_vault, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_vault.sealed_refresh is null or p_vault.access_expires_at is null
     or exists (select from private.accounts a where a.user_id = p_vault.user_id and a.state = 'restricted') then -- P7.7
    perform private.dequeue('refresh', p_vault.connection_id);
    return;
  end if;
  perform private.enqueue('refresh', p_vault.connection_id, private.refresh_at(
    p_vault.access_expires_at, private.renewable_after(p_vault.connection_id), p_now), p_now);
end;
$$;
comment on function private.schedule_refresh(private.token_vault, timestamptz) is 'Plans the next renewal of a token; none for whoever has restricted the processing of their data.';

create function private.lease_token(
  p_connection_id uuid, p_worker_id uuid, p_generation_seen int default null, p_now timestamptz default now()
) returns table (connection_id uuid, user_id uuid, platform_id text, external_account_id text, generation int,
                 sealed_access text, sealed_refresh text, access_expires_at timestamptz,
                 refresh_expires_at timestamptz, leased boolean)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_vault private.token_vault;
  v_leased boolean := false;
begin
  if not exists (select from private.workers where id = p_worker_id and stopped_at is null) then
    perform private.fail('NX002', p_detail := 'p_worker_id');
  end if;
  select * into v_vault from private.token_vault v where v.connection_id = p_connection_id for update;
  if v_vault.sealed_refresh is not null and v_vault.generation <= coalesce(p_generation_seen, v_vault.generation)
     and coalesce(v_vault.refresh_leased_until, '-infinity') <= p_now then
    update private.token_vault v set refresh_worker = p_worker_id, refresh_leased_until = p_now + interval '60 seconds'
      where v.connection_id = p_connection_id;
    v_leased := true;
  end if;
  return query
    select c.id, c.user_id, c.platform_id, c.external_account_id, v_vault.generation,
           private.sealed_to_text(v_vault.sealed_access), private.sealed_to_text(v_vault.sealed_refresh),
           v_vault.access_expires_at, v_vault.refresh_expires_at, v_leased
    from public.connections c where c.id = v_vault.connection_id;
end;
$$;
comment on function private.lease_token(uuid, uuid, int, timestamptz) is 'Body of worker.lease_token().';

create function private.store_refreshed_token(
  p_connection_id uuid, p_worker_id uuid, p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz,
  p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_vault private.token_vault;
begin
  if not exists (select from private.workers where id = p_worker_id) then
    perform private.fail('NX002', p_detail := 'p_worker_id');
  end if;
  perform from public.connections where id = p_connection_id and state = 'active' for no key update;
  select * into v_vault from private.token_vault where connection_id = p_connection_id for update;
  -- The generation decides, not the lease: whoever renewed first holds the only token that still works.
  if v_vault.generation is distinct from p_generation - 1 then
    return false;
  end if;
  v_vault.sealed_access := private.sealed_from_text(p_sealed_access);
  v_vault.sealed_refresh := private.sealed_from_text(p_sealed_refresh);
  v_vault.sealed_revocation := private.sealed_from_text(p_sealed_revocation);
  v_vault.key_ids := p_key_ids;
  v_vault.generation := p_generation;
  v_vault.access_expires_at := p_access_expires_at;
  v_vault.refresh_expires_at := p_refresh_expires_at;
  perform private.write_vault_row(v_vault);
  update public.connections
    set token_expires_at = p_access_expires_at, refresh_expires_at = p_refresh_expires_at,
        usable_until = private.usable_until(v_vault), token_generation = p_generation, last_error_code = null,
        updated_at = p_now
    where id = p_connection_id;
  perform private.schedule_refresh(v_vault, p_now);
  return true;
end;
$$;
comment on function private.store_refreshed_token(uuid, uuid, int, text, text, text, text[], timestamptz, timestamptz,
  timestamptz) is 'Body of worker.store_refreshed_token().';

create function private.fail_refresh(
  p_connection_id uuid, p_worker_id uuid, p_code text, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  update public.connections set last_error_code = private.short_code(p_code), updated_at = p_now
    where id = p_connection_id and state = 'active'
      and exists (select from private.token_vault
                  where connection_id = p_connection_id and refresh_worker = p_worker_id);
  update private.token_vault set refresh_worker = null, refresh_leased_until = null
    where connection_id = p_connection_id and refresh_worker = p_worker_id;
  return found;
end;
$$;
comment on function private.fail_refresh(uuid, uuid, text, timestamptz) is 'Body of worker.fail_refresh().';

create function private.short_code(p_code text) returns text
language sql immutable security invoker set search_path = '' as $$
  select nullif(left(regexp_replace(p_code, '[^A-Za-z0-9_.:-]+', '_', 'g'), 60), '')
$$;
comment on function private.short_code(text) is
  'An error code reduced to what a code may hold, so that no content slips in.';

create function worker.lease_token(p_connection_id uuid, p_worker_id uuid, p_generation_seen int default null)
returns table (connection_id uuid, user_id uuid, platform_id text, external_account_id text, generation int,
               sealed_access text, sealed_refresh text, access_expires_at timestamptz,
               refresh_expires_at timestamptz, leased boolean)
language sql volatile security invoker set search_path = '' as $$
  select * from private.lease_token(p_connection_id, p_worker_id, p_generation_seen)
$$;
comment on function worker.lease_token(uuid, uuid, int) is
  'The tokens of a connection. leased: you, and only you, renew it within the next 60 seconds. Otherwise somebody else '
  'does, or a newer generation than the one you have seen is there, or it has no refresh token. No row: not connected.';

create function worker.store_refreshed_token(
  p_connection_id uuid, p_worker_id uuid, p_generation int, p_sealed_access text, p_sealed_refresh text,
  p_sealed_revocation text, p_key_ids text[], p_access_expires_at timestamptz, p_refresh_expires_at timestamptz
) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.store_refreshed_token(p_connection_id, p_worker_id, p_generation, p_sealed_access, p_sealed_refresh,
    p_sealed_revocation, p_key_ids, p_access_expires_at, p_refresh_expires_at)
$$;
comment on function worker.store_refreshed_token(uuid, uuid, int, text, text, text, text[], timestamptz, timestamptz) is
  'Replaces generation n-1 by generation n. A refresh token that the platform did not renew must be sealed again for '
  'the new generation. false: another set was stored first, or the account is not connected any more.';

create function worker.fail_refresh(p_connection_id uuid, p_worker_id uuid, p_code text) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.fail_refresh(p_connection_id, p_worker_id, p_code)
$$;
comment on function worker.fail_refresh(uuid, uuid, text) is
  'Gives the lease back after a passing error. The connection stays as it is. false: the lease was not yours.';

insert into private.definer_ledger (function_name, reason) values
  ('private.lease_token', 'Reads and leases vault rows, on which no role of the API has rights.'),
  ('private.store_refreshed_token', 'Writes vault rows, on which no role of the API has rights.'),
  ('private.fail_refresh', 'Writes vault rows, on which no role of the API has rights.');
