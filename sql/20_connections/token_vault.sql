-- private.token_vault
-- Why:     one row per live connection with its sealed tokens. No role of the API has any right on it, not even the
--          holder of the secret key: workers get single records through functions (P3.4, P6.6).
-- Caller:  the functions of this context.
-- Locks:   after the connection's row, before queue rows. See confirm_connection.sql and disconnect.sql.

create table private.token_vault (
  connection_id uuid primary key,
  user_id uuid not null,
  sealed_access bytea not null,
  sealed_refresh bytea,
  sealed_revocation bytea not null,
  key_ids text[] not null,
  generation int not null,
  access_expires_at timestamptz,
  refresh_expires_at timestamptz,
  refresh_worker uuid,
  refresh_leased_until timestamptz,
  unique (connection_id, user_id),
  foreign key (connection_id, user_id) references public.connections (id, user_id) on delete cascade,
  constraint access_is_sealed check (private.is_sealed(sealed_access)), -- P3.4
  constraint refresh_is_sealed check (private.is_sealed(sealed_refresh)),
  constraint revocation_is_sealed check (private.is_sealed(sealed_revocation)),
  constraint lease_is_whole check ((refresh_worker is null) = (refresh_leased_until is null))
);
comment on table private.token_vault is
  'Sealed OAuth tokens. The keys are in the environment of the workers, never here.';
comment on column private.token_vault.sealed_revocation is
  'A copy that is sealed for revocation only; it moves to private.revocation_outbox when the account is disconnected.';
comment on column private.token_vault.key_ids is 'Ids of the keys that wrap the three records.';
comment on column private.token_vault.generation is
  'Bound into each record: an older record does not open in this row.';
comment on column private.token_vault.refresh_worker is
  'Who renews the token at the moment, until refresh_leased_until.';

-- Expects that sealed_* already passed private.sealed_from_text().
create function private.write_vault_row(p_row private.token_vault) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.token_vault
  select (p_row).*
  on conflict (connection_id) do update set
    sealed_access = excluded.sealed_access, sealed_refresh = excluded.sealed_refresh,
    sealed_revocation = excluded.sealed_revocation, key_ids = excluded.key_ids, generation = excluded.generation,
    access_expires_at = excluded.access_expires_at, refresh_expires_at = excluded.refresh_expires_at,
    refresh_worker = null, refresh_leased_until = null
$$;
comment on function private.write_vault_row(private.token_vault) is 'Puts a set of tokens in place of the former one.';
