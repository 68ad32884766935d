-- private.erasure_ledger, private.note_in_ledger(…), private.ledger_faults(), private.ledger_tag(erasure, person)
-- Why:     proof of what was erased, when and by which catalogue, that names nobody. Each entry carries the hash of the one
--          before, so that none can be changed or taken out unnoticed; a copy outside the database tells which people
--          have to be erased again when a backup is restored (P8.2).
-- Caller:  the erasure writes; the attestation and the backup read.
-- Errors:  NX903 an entry is to be changed.
-- Repeat:  each call writes an entry.
-- Locks:   one advisory lock for the chain, to the end of the transaction.

create table private.erasure_ledger (
  seq bigint primary key,
  erasure_id uuid not null,
  subject_tag text not null,
  action text not null,
  relation text not null,
  row_count bigint not null,
  catalogue_hash text not null,
  executed_at timestamptz not null,
  prev_hash text not null,
  hash text not null unique,
  constraint hashes_are_sha_256 check (
    subject_tag ~ '^[0-9a-f]{64}$' and hash ~ '^[0-9a-f]{64}$' and prev_hash ~ '^[0-9a-f]{64}$')
);
create index erasure_ledger_erasure_id_idx on private.erasure_ledger (erasure_id);
comment on table private.erasure_ledger is 'What was erased, without saying of whom. Append-only, chained by hashes (P8.2).';
comment on column private.erasure_ledger.subject_tag is
  'The tag of the erasure''s tombstone. Once that is destroyed, nobody can tell whom it was about.';

create function private.ledger_tag(p_erasure uuid, p_person uuid) returns text
language sql stable security invoker set search_path = '' as $$
  select coalesce((select t.subject_tag from private.erasure_tombstones t where t.erasure_id = p_erasure),
                  encode(sha256(convert_to(p_erasure || ':' || p_person, 'UTF8')), 'hex'))
$$;
comment on function private.ledger_tag(uuid, uuid) is
  'How the ledger refers to a person: by an HMAC whose key goes with the last backup. It cannot be guessed.';

-- Every part in one fixed form, with its length, so that no two entries read the same.
create function private.ledger_hash(p_entry private.erasure_ledger) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(string_agg(length(part) || ':' || part, ',' order by n), 'UTF8')), 'hex')
  from unnest(array[
    p_entry.seq::text, p_entry.erasure_id::text, p_entry.subject_tag, p_entry.action, p_entry.relation,
    p_entry.row_count::text, p_entry.catalogue_hash,
    trim_scale(extract(epoch from p_entry.executed_at))::text, p_entry.prev_hash]) with ordinality x (part, n)
$$;
comment on function private.ledger_hash(private.erasure_ledger) is 'SHA-256 of an entry and of the hash before it.';

create function private.note_in_ledger(
  p_erasure uuid, p_person uuid, p_action text, p_relation text, p_count bigint, p_now timestamptz default now()
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_entry private.erasure_ledger;
begin
  perform pg_advisory_xact_lock(hashtextextended('private.erasure_ledger', 0));
  select * into v_entry from private.erasure_ledger l order by l.seq desc limit 1;
  v_entry := row(coalesce(v_entry.seq, 0) + 1, p_erasure, private.ledger_tag(p_erasure, p_person), p_action, p_relation,
                 p_count, private.catalogue_hash(), p_now, coalesce(v_entry.hash, repeat('0', 64)), null);
  v_entry.hash := private.ledger_hash(v_entry);
  insert into private.erasure_ledger select (v_entry).*;
end;
$$;
comment on function private.note_in_ledger(uuid, uuid, text, text, bigint, timestamptz) is 'Adds an entry to the chain.';

create function private.ledger_faults() returns table (seq bigint, fault text)
language sql stable security invoker set search_path = '' as $$
  select c.seq, case when c.hash <> c.wanted then 'changed' else 'does not follow' end
  from (
    select l.seq, l.hash, private.ledger_hash(l) as wanted, l.prev_hash,
           coalesce(lag(l.hash) over (order by l.seq), repeat('0', 64)) as before
    from private.erasure_ledger l) c
  where c.hash <> c.wanted or c.prev_hash <> c.before
  order by c.seq
$$;
comment on function private.ledger_faults() is 'Entries that were changed, or that do not follow from the one before; none: the chain holds.';

create function private.tg_erasure_ledger__append_only() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.fail('NX903', p_detail := 'erasure_ledger');
  return null;
end;
$$;
comment on function private.tg_erasure_ledger__append_only() is 'Entries are neither changed nor deleted, by anybody.';
create trigger _100_append_only before update or delete on private.erasure_ledger
  for each row execute function private.tg_erasure_ledger__append_only();
create trigger _110_keep_all before truncate on private.erasure_ledger
  for each statement execute function private.tg_erasure_ledger__append_only();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_erasure_ledger__append_only', 'Raises a registered error, whoever tries.');
