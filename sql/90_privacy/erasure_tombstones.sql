-- private.erasure_tombstones; worker.pending_tombstones(limit), confirm_tombstones(done)
-- Why:     a backup that is restored brings back people who were erased since. So a copy of every request to be erased, and
--          of how it ended, lies outside the database, beside the backups: a tag that tells the person from others, and the
--          key to it. It goes when no backup is left that could hold the person; then the ledger is anonymous (P8.2).
-- Caller:  a trigger on private.erasures writes; service_role copies; housekeeping forgets. DEFINER: nobody reaches private.
-- Errors:  none.
-- Repeat:  safe: what was copied already is not pending.
-- Locks:   rows of this table.

create table private.erasure_tombstones (
  erasure_id uuid primary key references private.erasures (id) on delete cascade,
  tag_key text,
  subject_tag text not null,
  state text not null,
  requested_at timestamptz not null,
  changed_at timestamptz not null,
  ended_at timestamptz,
  copied_state text,
  missing_at timestamptz,
  constraint state_is_known check (state in ('requested', 'completed', 'cancelled', 'gone')),
  constraint ended_says_when check ((state = 'requested') = (ended_at is null)),
  constraint tag_and_key_have_256_bits check (subject_tag ~ '^[0-9a-f]{64}$' and tag_key ~ '^[0-9a-f]{64}$'),
  -- Once the copy outside has it, the database forgets the key.
  constraint key_leaves_with_the_last_copy check (tag_key is not null or copied_state is not null and state <> 'requested')
);
create index erasure_tombstones_pending_idx on private.erasure_tombstones (changed_at)
  where copied_state is distinct from state;
comment on table private.erasure_tombstones is 'What has to be known outside the database of an erasure, until it is copied there.';
comment on column private.erasure_tombstones.tag_key is 'Random key of this request alone.';
comment on column private.erasure_tombstones.subject_tag is 'HMAC-SHA-256 of the person''s id under that key: what the ledger calls them.';
comment on column private.erasure_tombstones.missing_at is 'Since when its copy, which alone has the key, is not where it was put.';
comment on column private.erasure_tombstones.state is 'gone: the copy outside is to be destroyed.';

create function private.subject_tag(p_tag_key text, p_person uuid) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(extensions.hmac(convert_to(p_person::text, 'UTF8'), decode(p_tag_key, 'hex'), 'sha256'), 'hex')
$$;
comment on function private.subject_tag(text, uuid) is 'How an erasure refers to its person outside the database.';

create function private.tg_erasures__note_tombstone() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_key text := encode(extensions.gen_random_bytes(32), 'hex');
begin
  if tg_op = 'INSERT' then
    if new.user_id is not null then
      insert into private.erasure_tombstones (erasure_id, tag_key, subject_tag, state, requested_at, changed_at)
        values (new.id, v_key, private.subject_tag(v_key, new.user_id), 'requested', new.requested_at, new.requested_at);
    end if;
  elsif new.state in ('completed', 'cancelled') and old.state <> new.state then
    update private.erasure_tombstones t set state = new.state, ended_at = new.ended_at, changed_at = new.ended_at
      where t.erasure_id = new.id;
  end if;
  return null;
end;
$$;
comment on function private.tg_erasures__note_tombstone() is 'Keeps what has to be copied out of the database true (P8.2).';
create trigger _300_note_tombstone after insert or update of state on private.erasures
  for each row execute function private.tg_erasures__note_tombstone();

create function private.pending_tombstones(p_limit int)
returns table (erasure_id uuid, state text, tag_key text, subject_tag text, requested_at timestamptz, ended_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select t.erasure_id, t.state, t.tag_key, t.subject_tag, t.requested_at, t.ended_at
  from private.erasure_tombstones t where t.copied_state is distinct from t.state
  order by t.changed_at, t.erasure_id limit p_limit
$$;
comment on function private.pending_tombstones(int) is 'Body of worker.pending_tombstones().';

create function private.confirm_tombstones(p_done jsonb) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.erasure_tombstones t using jsonb_to_recordset(p_done) as d (erasure_id uuid, state text)
    where t.erasure_id = d.erasure_id and t.state = 'gone' and d.state = 'gone';
  update private.erasure_tombstones t
    set copied_state = d.state, tag_key = case when t.state = 'requested' or t.state <> d.state then t.tag_key end
    from jsonb_to_recordset(p_done) as d (erasure_id uuid, state text)
    where t.erasure_id = d.erasure_id and d.state in ('requested', 'completed', 'cancelled') and t.copied_state is distinct from d.state;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.confirm_tombstones(jsonb) is 'Body of worker.confirm_tombstones().';

-- One whose key is here still is simply written again; for the others somebody has to find the file.
create function private.reconcile_tombstones(p_copied uuid[], p_now timestamptz default now()) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_count bigint;
begin
  update private.erasure_tombstones t set copied_state = null
    where t.copied_state is not null and t.tag_key is not null and t.erasure_id <> all (p_copied);
  update private.erasure_tombstones t set missing_at = case when t.erasure_id <> all (p_copied) then p_now end
    where t.tag_key is null and t.state <> 'gone' and (t.missing_at is null) = (t.erasure_id <> all (p_copied));
  select count(*) into v_count from private.erasure_tombstones t where t.missing_at is not null;
  return v_count;
end;
$$;
comment on function private.reconcile_tombstones(uuid[], timestamptz) is 'Body of worker.reconcile_tombstones().';

create function worker.pending_tombstones(p_limit int)
returns table (erasure_id uuid, state text, tag_key text, subject_tag text, requested_at timestamptz, ended_at timestamptz)
language sql stable security invoker set search_path = '' as $$
  select p.erasure_id, p.state, p.tag_key, p.subject_tag, p.requested_at, p.ended_at from private.pending_tombstones(p_limit) p
$$;
comment on function worker.pending_tombstones(int) is
  'Erasures whose copy beside the backups is not as it has to be. state gone: destroy the copy; else write it, sealed (P8.2).';

create function worker.confirm_tombstones(p_done jsonb) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.confirm_tombstones(p_done)
$$;
comment on function worker.confirm_tombstones(jsonb) is
  'Reports copies that were written or destroyed: [{erasure_id, state}]. With the last one the database forgets the key.';

create function worker.reconcile_tombstones(p_copied uuid[]) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.reconcile_tombstones(p_copied)
$$;
comment on function worker.reconcile_tombstones(uuid[]) is
  'Compares with the copies that lie there; answers how many are missing and cannot be written again: a restore would bring those people back.';

insert into private.definer_ledger (function_name, reason) values
  ('private.reconcile_tombstones', 'Changes tombstones, on which service_role has no rights.'),
  ('private.tg_erasures__note_tombstone', 'Writes for whoever asks for, or carries out, an erasure; they have no rights on the table.'),
  ('private.pending_tombstones', 'Reads tombstones, on which service_role has no rights.'),
  ('private.confirm_tombstones', 'Changes tombstones, on which service_role has no rights.');
