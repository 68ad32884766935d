-- private.attestations; worker.attestation_head(), worker.store_attestation(…), worker.list_attestations(limit)
-- Why:     what was found, and when, cannot be changed afterwards unnoticed: each document names the hash of the one before,
--          and the worker signs it with a key that the database never sees.
-- Caller:  service_role. DEFINER: no role of the API has rights on schema private.
-- Errors:  NX002 the document is malformed. NX990 a result is to be changed.
-- Repeat:  safe: a document that does not follow the last one is not stored, and false comes back.
-- Locks:   one advisory lock for the chain, to the end of the transaction.

create table private.attestations (
  seq bigint primary key,
  attested_at timestamptz not null,
  document text not null,
  failed_count int not null,
  prev_hash text not null,
  hash text not null unique,
  key_id text not null,
  signature text not null,
  constraint hash_is_of_the_document check (hash = encode(sha256(convert_to(document, 'UTF8')), 'hex')),
  constraint prev_hash_is_sha_256 check (prev_hash ~ '^[0-9a-f]{64}$'),
  constraint signature_is_hmac_sha_256 check (signature ~ '^[0-9a-f]{64}$'),
  constraint key_id_is_short check (key_id ~ '^[a-z0-9]{1,16}$'),
  constraint document_is_bounded check (octet_length(document) between 2 and 1000000)
);
comment on table private.attestations is 'Results of attestations: append-only, chained by hashes, signed by the worker.';
comment on column private.attestations.document is 'JSON text exactly as it was signed: seq, prev_hash, attested_at, commit, guards, results.';
comment on column private.attestations.signature is 'HMAC-SHA-256 with a key that is derived from the keyring in the worker''s environment.';

create function private.tg_attestations__append_only() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.fail('NX990');
  return null;
end;
$$;
comment on function private.tg_attestations__append_only() is 'Results are neither changed nor deleted, by anybody.';
create trigger _100_append_only before update or delete on private.attestations
  for each row execute function private.tg_attestations__append_only();
create trigger _110_keep_all before truncate on private.attestations
  for each statement execute function private.tg_attestations__append_only();

create function private.attestation_head()
returns table (seq bigint, hash text, attested_at timestamptz, guards_hash text, database_name text)
language sql stable security definer set search_path = '' as $$
  select coalesce(h.seq, 0), coalesce(h.hash, repeat('0', 64)), h.attested_at, private.guards_hash(), current_database()::text
  from (select 1) one left join lateral (
    select a.seq, a.hash, a.attested_at from private.attestations a order by a.seq desc limit 1) h on true
$$;
comment on function private.attestation_head() is 'Body of worker.attestation_head().';

create function private.store_attestation(
  p_document text, p_signature text, p_key_id text, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_head record;
  v_document jsonb;
begin
  begin
    v_document := p_document::jsonb;
  exception when invalid_text_representation then
    v_document := null;
  end;
  if jsonb_typeof(v_document -> 'results') is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_document');
  end if;
  perform pg_advisory_xact_lock(hashtextextended('private.attestations', 0));
  select * into v_head from private.attestation_head();
  if v_document ->> 'prev_hash' is distinct from v_head.hash or v_document ->> 'seq' is distinct from (v_head.seq + 1)::text then
    return false;
  end if;
  insert into private.attestations (seq, attested_at, document, failed_count, prev_hash, hash, key_id, signature)
    select v_head.seq + 1, p_now, p_document, count(*) filter (where r ->> 'status' is distinct from 'pass' and r ->> 'status' is distinct from 'pending'), v_head.hash,
           private.definition_hash(p_document), p_key_id, p_signature
    from jsonb_array_elements(v_document -> 'results') r;
  return true;
end;
$$;
comment on function private.store_attestation(text, text, text, timestamptz) is 'Body of worker.store_attestation().';

create function private.list_attestations(p_limit int)
returns table (seq bigint, attested_at timestamptz, document text, prev_hash text, hash text, key_id text, signature text)
language sql stable security definer set search_path = '' as $$
  select a.seq, a.attested_at, a.document, a.prev_hash, a.hash, a.key_id, a.signature
  from private.attestations a order by a.seq desc limit least(greatest(p_limit, 0), 1000)
$$;
comment on function private.list_attestations(int) is 'Body of worker.list_attestations().';

create function worker.attestation_head()
returns table (seq bigint, hash text, attested_at timestamptz, guards_hash text, database_name text)
language sql stable security invoker set search_path = '' as $$
  select h.seq, h.hash, h.attested_at, h.guards_hash, h.database_name from private.attestation_head() h
$$;
comment on function worker.attestation_head() is 'What the next document follows: number and hash of the last one, when it was, and the seal of the guards now.';

create function worker.store_attestation(p_document text, p_signature text, p_key_id text) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.store_attestation(p_document, p_signature, p_key_id)
$$;
comment on function worker.store_attestation(text, text, text) is 'Keeps a signed document for good; false: another one was stored first.';

create function worker.list_attestations(p_limit int)
returns table (seq bigint, attested_at timestamptz, document text, prev_hash text, hash text, key_id text, signature text)
language sql stable security invoker set search_path = '' as $$
  select a.seq, a.attested_at, a.document, a.prev_hash, a.hash, a.key_id, a.signature from private.list_attestations(p_limit) a
$$;
comment on function worker.list_attestations(int) is 'The last attestations, newest first, for whoever verifies the chain.';

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_attestations__append_only', 'Raises a registered error, whoever tries.'),
  ('private.attestation_head', 'Reads the chain, on which service_role has no rights.'),
  ('private.store_attestation', 'Writes the chain, on which service_role has no rights.'),
  ('private.list_attestations', 'Reads the chain, on which service_role has no rights.');
