-- private.backup_drills, private.restores; private.empty_for_restore(), private.settle_restore(…); worker.record_drill(…)
-- Why:     a backup that cannot be restored is none, and one that is restored as it is would bring back who was erased since,
--          and post again what went out since. Everything here happens in the transaction that loads the rows: until it
--          commits, nobody sees anything (P3.2, P8.2).
-- Caller:  `./nexora restore`, as the owner of the database; service_role records drills.
-- Errors:  NX002 the target is not empty, or an argument. NX913 an erasure could not be carried out again.
-- Repeat:  the load is one transaction; a drill that is recorded again is another row.
-- Locks:   all tables.

create table private.backup_drills (
  id uuid primary key default gen_random_uuid(),
  drilled_at timestamptz not null,
  backup_id uuid not null,
  taken_at timestamptz not null,
  passed boolean not null,
  row_count bigint not null,
  file_count bigint not null,
  erased_count bigint not null,
  code text,
  constraint passed_or_says_why check (passed = (code is null)),
  constraint code_is_a_code check (code ~ '^[A-Za-z0-9_.:-]{1,64}$')
);
create index backup_drills_drilled_at_idx on private.backup_drills (drilled_at desc);
comment on table private.backup_drills is 'Trials in which a backup was restored beside the service, and what came of them.';

create table private.restores (
  backup_id uuid primary key,
  taken_at timestamptz not null,
  restored_at timestamptz not null,
  erased_count bigint not null,
  reopened_count bigint not null,
  cancelled_count bigint not null,
  unconfirmed_count bigint not null
);
comment on table private.restores is 'Backups that this database was restored from.';

create function private.record_drill(
  p_backup_id uuid, p_taken_at timestamptz, p_row_count bigint, p_file_count bigint, p_erased_count bigint, p_code text default null,
  p_now timestamptz default now()
) returns uuid
language sql volatile security definer set search_path = '' as $$
  insert into private.backup_drills (drilled_at, backup_id, taken_at, passed, row_count, file_count, erased_count, code)
    values (p_now, p_backup_id, p_taken_at, p_code is null, p_row_count, p_file_count, p_erased_count, p_code) returning id
$$;
comment on function private.record_drill(uuid, timestamptz, bigint, bigint, bigint, text, timestamptz) is 'Body of worker.record_drill().';

create function worker.record_drill(
  p_backup_id uuid, p_taken_at timestamptz, p_row_count bigint, p_file_count bigint, p_erased_count bigint, p_code text default null
) returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.record_drill(p_backup_id, p_taken_at, p_row_count, p_file_count, p_erased_count, p_code)
$$;
comment on function worker.record_drill(uuid, timestamptz, bigint, bigint, bigint, text) is
  'Records a trial in which a backup was restored; p_code: why it failed.';

-- Reference rows of the migrations make way for those of the backup. Triggers are off: session_replication_role is replica.
create function private.empty_for_restore() returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if exists (select from auth.users) or current_setting('session_replication_role') <> 'replica' then
    perform private.fail('NX002', p_detail := 'the target is not empty');
  end if;
  execute (select 'truncate ' || string_agg(c.oid::regclass::text, ', ') from pg_class c
           where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace, 'retained'::regnamespace)
             and c.relkind in ('r', 'p') and not c.relispartition);
end;
$$;
comment on function private.empty_for_restore() is 'First step of a restore: takes the rows out that the migrations put in.';

-- What is left of tokens is nothing: everybody connects anew. What was due since the backup may be out: nothing is sent
-- again until its person has looked.
create function private.distrust_restored(p_now timestamptz) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_targets uuid[];
begin
  perform private.revoke_connection(c.id, 'restored', null, p_now) from public.connections c where c.state = 'active' order by c.id;
  v_targets := array(select t.id from public.post_targets t
                     left join private.queue q on q.lane = 'publish' and q.subject_id = t.id
                     where t.state in ('scheduled', 'publishing') and q.sending_at is null
                       and (t.state = 'publishing' or least(q.due_at, t.scheduled_at) <= p_now) order by t.id);
  perform private.settle_targets(array(select private.verdict(t, 'unconfirmed', 'NX435') from unnest(v_targets) t), p_now);
  update private.exports e set state = 'expired', ended_at = coalesce(e.ended_at, p_now) where e.state = 'ready';
  return cardinality(v_targets);
end;
$$;
comment on function private.distrust_restored(timestamptz) is
  'Accounts have to be connected again, archives of exports are gone, and posts that were due since are unconfirmed.';

create function private.replay_erasure(p_tombstone jsonb, p_person uuid, p_now timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id uuid := (p_tombstone ->> 'erasure_id')::uuid;
  v_state text;
  v_files jsonb;
  v_round int := 0;
begin
  update private.erasures e set state = 'cancelled', user_id = null, identifiers = null, ended_at = p_now
    where e.user_id = p_person and e.id <> v_id;
  insert into private.erasures (id, user_id, state, requested_at, grace_until, due_at, was_locked)
    select v_id, p_person, 'requested', r.at, r.at, r.at + interval '720 hours', false
    from (select (p_tombstone ->> 'requested_at')::timestamptz as at) r
    on conflict (id) do update set state = 'erasing', user_id = p_person, ended_at = null, grace_until = excluded.grace_until;
  update private.erasure_tombstones t set tag_key = p_tombstone ->> 'tag_key', subject_tag = p_tombstone ->> 'subject_tag'
    where t.erasure_id = v_id;
  update private.legal_holds h set subject_id = v_id where h.subject_id = p_person; -- lifted before it was carried out
  perform private.lock_down(p_person, p_now);
  perform private.dequeue('erasure', v_id);
  loop
    v_round := v_round + 1;
    select a.state, a.errands -> 'files' into v_state, v_files from private.advance_erasure(v_id, p_now) a;
    exit when v_state = 'completed';
    if v_state <> 'erasing' or v_files <> '[]' or v_round > 100000 then -- files come later, and not theirs
      perform private.fail('NX913', p_detail := v_state);
    end if;
    update private.erasure_outbox o set done_at = p_now where o.erasure_id = v_id and o.done_at is null; -- told back then
  end loop;
  delete from private.erasure_notices n where n.erasure_id = v_id; -- was told back then
  update private.erasure_tombstones t
    set ended_at = (p_tombstone ->> 'ended_at')::timestamptz, copied_state = t.state, tag_key = null where t.erasure_id = v_id;
end;
$$;
comment on function private.replay_erasure(jsonb, uuid, timestamptz) is
  'Carries an erasure out once more, by the same steps, on somebody whom a backup has brought back (P8.2).';

create function private.reopen_erasure(p_tombstone jsonb, p_person uuid, p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_id uuid := (p_tombstone ->> 'erasure_id')::uuid;
  v_at timestamptz := (p_tombstone ->> 'requested_at')::timestamptz;
begin
  if exists (select from private.erasures e where e.user_id = p_person) then
    return 0;
  end if;
  insert into private.erasures (id, user_id, state, requested_at, grace_until, due_at, was_locked)
    values (v_id, p_person, 'requested', v_at, v_at + private.setting_interval('erasure_grace'), v_at + interval '720 hours', false);
  update private.erasure_tombstones t
    set tag_key = p_tombstone ->> 'tag_key', subject_tag = p_tombstone ->> 'subject_tag', copied_state = 'requested'
    where t.erasure_id = v_id;
  perform private.lock_down(p_person, p_now);
  perform private.enqueue('erasure', v_id, v_at + private.setting_interval('erasure_grace'), p_now);
  return 1;
end;
$$;
comment on function private.reopen_erasure(jsonb, uuid, timestamptz) is 'A request that came after the backup stands, with its own deadline (P7.3).';

-- The person went on with their account: what they wrote since is in no backup, but they are not to be deleted.
create function private.withdraw_erasure(p_erasure uuid, p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_erasure private.erasures;
begin
  select * into v_erasure from private.erasures e where e.id = p_erasure and e.state = 'requested' for update;
  if not found then
    return 0;
  end if;
  update private.erasures e set state = 'cancelled', user_id = null, identifiers = null, ended_at = p_now where e.id = p_erasure;
  perform private.dequeue('erasure', p_erasure);
  update private.accounts a
    set state = case when a.restricted_at is null then private.account_state(a.birth_date, a.guardian_consent_at, p_now)
                else 'restricted' end, locked_at = null
    where a.user_id = v_erasure.user_id and not v_erasure.was_locked;
  update private.erasure_tombstones t set copied_state = t.state, tag_key = null where t.erasure_id = p_erasure;
  return 1;
end;
$$;
comment on function private.withdraw_erasure(uuid, timestamptz) is 'A request that was taken back after the backup does not stand.';

create function private.give_back_files(p_files jsonb) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update storage.objects o set owner_id = r.owner_id, created_at = coalesce(r.created_at, o.created_at)
    from jsonb_to_recordset(p_files) as r (bucket_id text, name text, owner_id text, created_at timestamptz)
    where o.bucket_id = r.bucket_id and o.name = r.name;
end;
$$;
comment on function private.give_back_files(jsonb) is 'What uploading a file again does not know of it: whose it is, and since when.';

create function private.settle_restore(p_backup jsonb, p_tombstones jsonb, p_now timestamptz default now())
returns private.restores
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_row private.restores;
  v_one record;
begin
  v_row := row((p_backup ->> 'id')::uuid, (p_backup ->> 'taken_at')::timestamptz, p_now, 0, 0, 0, 0);
  v_row.unconfirmed_count := private.distrust_restored(p_now);
  for v_one in
    select t.body, t.body ->> 'state' as state, u.id as person, e.id as erasure
    from (select b from jsonb_array_elements(p_tombstones) b -- who was gone before the backup is not in it
          where coalesce((b ->> 'ended_at')::timestamptz, 'infinity') > v_row.taken_at - interval '1 hour') as t (body)
    left join auth.users u on t.body ->> 'state' <> 'cancelled' and private.subject_tag(t.body ->> 'tag_key', u.id) = t.body ->> 'subject_tag'
    left join private.erasures e on e.id = (t.body ->> 'erasure_id')::uuid
    where u.id is not null or e.id is not null
  loop
    if v_one.state = 'cancelled' then
      v_row.cancelled_count := v_row.cancelled_count + private.withdraw_erasure(v_one.erasure, p_now);
    elsif v_one.state = 'completed' and v_one.person is not null then
      perform private.replay_erasure(v_one.body, v_one.person, p_now);
      v_row.erased_count := v_row.erased_count + 1;
    elsif v_one.state = 'requested' and v_one.person is not null then
      v_row.reopened_count := v_row.reopened_count + private.reopen_erasure(v_one.body, v_one.person, p_now);
    end if;
  end loop;
  update private.backups b set state = 'whole', finished_at = p_now, size_bytes = (p_backup ->> 'size_bytes')::bigint,
      sha256 = p_backup ->> 'sha256', key_id = p_backup ->> 'key_id', file_count = (p_backup ->> 'file_count')::bigint,
      omitted_count = (p_backup ->> 'omitted_count')::bigint, worker_id = null
    where b.id = v_row.backup_id;
  insert into private.restores select (v_row).* on conflict (backup_id) do update set restored_at = excluded.restored_at;
  return v_row;
end;
$$;
comment on function private.settle_restore(jsonb, jsonb, timestamptz) is
  'Last step of a restore: distrusts what may have happened since, and has erasures, requests and withdrawals happen again.';

insert into private.definer_ledger (function_name, reason) values
  ('private.record_drill', 'Writes drills, on which service_role has no rights.');
