-- private.backups, bucket backups; worker.begin_backup(…), list_backup_files(…), finish_backup(…), reconcile_backups(…)
-- Why:     backups are made every day, are encrypted, and end after 35 days at most, so that with the 30 days of an erasure
--          nobody is in one after 65 (P3.2, P8.2). What is in the list is compared with what is there.
-- Caller:  service_role: a worker each day, or `./nexora backup` by hand. DEFINER: nobody reaches schema private.
-- Errors:  NX002 an argument.
-- Repeat:  begin_backup is not repeated after a lost answer; the others are safe.
-- Locks:   one advisory lock to begin.

insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
  ('backups', 'backups', false, 536870912000, array['application/octet-stream'])
on conflict (id) do update set
  public = excluded.public, file_size_limit = excluded.file_size_limit, allowed_mime_types = excluded.allowed_mime_types;

create table private.backups (
  id uuid primary key,
  state text not null default 'writing',
  taken_at timestamptz not null,
  expires_at timestamptz not null,
  location text not null,
  file_name text not null,
  worker_id uuid,
  finished_at timestamptz,
  size_bytes bigint,
  sha256 text,
  key_id text,
  file_count bigint,
  omitted_count bigint,
  listed_at timestamptz,
  missing_at timestamptz,
  purged_at timestamptz,
  unique (location, file_name),
  constraint state_is_known check (state in ('writing', 'whole', 'found')),
  constraint gone_within_35_days check (expires_at > taken_at and expires_at <= taken_at + interval '840 hours'), -- P8.2
  constraint whole_is_encrypted_and_complete check ( -- P3.2
    state <> 'whole' or (finished_at is not null and size_bytes > 0 and sha256 ~ '^[0-9a-f]{64}$'
      and key_id ~ '^[a-z0-9]{1,16}$' and file_count >= 0 and omitted_count >= 0)),
  constraint location_is_bounded check (length(location) between 1 and 500),
  constraint file_name_says_when check (file_name ~ '^nexora-[0-9]{8}T[0-9]{6}Z-[0-9a-f-]{36}\.nxb$')
);
create index backups_kept_idx on private.backups (taken_at) where purged_at is null;
comment on table private.backups is 'Every backup that there is, and those that there were.';
comment on column private.backups.location is 'bucket, or the folder.';
comment on column private.backups.key_id is 'The key of the keyring that wraps the key of this backup. Destroying it destroys the backup.';
comment on column private.backups.listed_at is 'When it was last seen where it lies.';
comment on column private.backups.state is 'writing; whole: written and checked; found: it lay there and was not in the list.';

create table private.backup_exclusions (
  relation text primary key,
  reason text not null,
  constraint relation_is_qualified check (relation ~ '^(auth|public|private|retained)\.[a-z_0-9]+$'),
  constraint reason_is_a_sentence check (length(reason) between 10 and 200)
);
comment on table private.backup_exclusions is 'Tables whose rows no backup holds, and why.';
insert into private.backup_exclusions (relation, reason) values
  ('private.token_vault', 'Tokens are gone for good when an account is disconnected (P6.7): after a restore accounts are connected again.'),
  ('private.revocation_outbox', 'Sealed copies of tokens live for 24 hours, in every case (P6.7).'),
  ('private.pending_connections', 'Tokens that wait for ten minutes.'),
  ('private.oauth_flows', 'Sign-ins at platforms that last ten minutes.'),
  ('private.export_chunks', 'Second copies of what the backup holds already.'),
  ('private.export_tickets', 'Clicks that last two minutes.'),
  ('private.idempotency_keys', 'Answers that are kept for a day.'),
  ('private.usage_keys', 'A key of pseudonyms must not outlive its day (P5.2).'),
  ('private.usage_calls', 'Goes with the key of its day.'),
  ('private.usage_events', 'Thirty days are the most for them (P1.7), and after a restore no week must be released twice (P8.4).'),
  ('private.usage_day_counts', 'Exact counts until their week is released; see usage_events.'),
  ('auth.sessions', 'A session that was ended must not come back (P3.8): after a restore everybody signs in again.'),
  ('auth.refresh_tokens', 'Part of sessions (P3.8).'),
  ('auth.mfa_amr_claims', 'Part of sessions (P3.8).'),
  ('auth.mfa_challenges', 'Challenges that last minutes.'),
  ('auth.webauthn_challenges', 'Challenges that last minutes.'),
  ('auth.flow_state', 'Sign-ins that were not finished.'),
  ('auth.saml_relay_states', 'Sign-ins that were not finished.'),
  ('auth.one_time_tokens', 'Links that last an hour.'),
  ('auth.oauth_authorizations', 'Sign-ins that were not finished.'),
  ('auth.oauth_client_states', 'Sign-ins that were not finished.'),
  ('auth.schema_migrations', 'Versions of Auth itself: the target has its own.');

create function private.is_backup_due(p_key_id text, p_now timestamptz) returns boolean
language sql stable security invoker set search_path = '' as $$
  select not exists (select from private.backups b where b.state = 'whole' and b.key_id = p_key_id
                       and b.taken_at > p_now - interval '23 hours 30 minutes')
     and not exists (select from private.backups b join private.workers w on w.id = b.worker_id
                     where b.state = 'writing' and w.stopped_at is null and w.heartbeat_at > p_now - interval '10 minutes')
$$;
comment on function private.is_backup_due(text, timestamptz) is
  'Nobody made one within the day under this key, and no living worker is making one. So a rotation of keys is followed by a backup.';

create function private.begin_backup(
  p_id uuid, p_location text, p_key_id text, p_worker_id uuid default null, p_now timestamptz default now()
)
returns table (taken_at timestamptz, expires_at timestamptz, file_name text, excluded text[], migrations text[])
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_backup private.backups;
  v_migrations text[];
begin
  perform pg_advisory_xact_lock(hashtextextended('private.backups', 0));
  if p_worker_id is not null and not private.is_backup_due(p_key_id, p_now) then
    return;
  elsif p_id is null or coalesce(length(p_location), 0) not between 1 and 500 then
    perform private.fail('NX002', p_detail := 'p_id, p_location');
  end if;
  insert into private.backups (id, taken_at, expires_at, location, worker_id, file_name)
    values (p_id, p_now, p_now + interval '840 hours', p_location, p_worker_id,
            format('nexora-%s-%s.nxb', to_char(p_now at time zone 'utc', 'YYYYMMDD"T"HH24MISS"Z"'), p_id))
    returning * into v_backup;
  if to_regclass('supabase_migrations.schema_migrations') is not null then
    execute 'select array_agg(version::text order by version) from supabase_migrations.schema_migrations' into v_migrations;
  end if;
  return query select v_backup.taken_at, v_backup.expires_at, v_backup.file_name,
    array(select x.relation from private.backup_exclusions x where to_regclass(x.relation) is not null order by 1), v_migrations;
end;
$$;
comment on function private.begin_backup(uuid, text, text, uuid, timestamptz) is 'Body of worker.begin_backup().';

create function private.list_backup_files(p_after_bucket text, p_after_name text, p_limit int)
returns table (bucket_id text, name text, size_bytes bigint, mime_type text, owner_id text, created_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select o.bucket_id, o.name, coalesce((o.metadata ->> 'size')::bigint, 0), o.metadata ->> 'mimetype', o.owner_id, o.created_at
  from storage.objects o
  where o.bucket_id not in ('backups', 'exports') and (o.bucket_id, o.name) > (p_after_bucket, p_after_name)
  order by o.bucket_id, o.name limit p_limit
$$;
comment on function private.list_backup_files(text, text, int) is 'Body of worker.list_backup_files().';

create function private.finish_backup(
  p_id uuid, p_size_bytes bigint, p_sha256 text, p_key_id text, p_file_count bigint, p_omitted_count bigint,
  p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  update private.backups b
    set state = 'whole', finished_at = p_now, listed_at = p_now, size_bytes = p_size_bytes, sha256 = p_sha256,
        key_id = p_key_id, file_count = p_file_count, omitted_count = p_omitted_count
    where b.id = p_id and b.state = 'writing';
  return found;
exception when check_violation then
  perform private.fail('NX002', p_detail := 'p_size_bytes, p_sha256, p_key_id');
  return false;
end;
$$;
comment on function private.finish_backup(uuid, bigint, text, text, bigint, bigint, timestamptz) is 'Body of worker.finish_backup().';

create function private.drop_backup(p_id uuid) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  delete from private.backups b where b.id = p_id and b.state = 'writing';
  return found;
end;
$$;
comment on function private.drop_backup(uuid) is 'Body of worker.drop_backup().';

-- What is there and not in the list came with a restore, which brings an older list: it gets its 35 days from its name.
create function private.reconcile_backups(p_location text, p_files jsonb, p_now timestamptz default now())
returns table (file_name text)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
begin
  insert into private.backups (id, state, taken_at, expires_at, location, file_name, size_bytes)
    select substr(f.name, 25, 36)::uuid, 'found', t.at, t.at + interval '840 hours', p_location, f.name, f.size
    from jsonb_to_recordset(p_files) as f (name text, size bigint)
    cross join lateral (select (substr(f.name, 8, 8) || ' ' || substr(f.name, 17, 6))::timestamp at time zone 'utc' as at) t
    where f.name ~ '^nexora-[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.nxb$'
    on conflict do nothing;
  update private.backups b set
    listed_at = case when f.name is not null then p_now else b.listed_at end,
    missing_at = case when f.name is null and b.expires_at > p_now then coalesce(b.missing_at, p_now) end,
    purged_at = case when f.name is null and b.expires_at <= p_now then p_now end
    from private.backups k left join jsonb_to_recordset(p_files) as f (name text, size bigint)
      on f.name = k.file_name and coalesce(f.size = k.size_bytes, true)
    where k.id = b.id and b.location = p_location and b.purged_at is null and b.state <> 'writing';
  delete from private.backups b
    where b.location = p_location and b.state = 'writing' and b.taken_at < p_now - interval '2 days';
  return query select b.file_name from private.backups b
    where b.location = p_location and b.purged_at is null and b.expires_at <= p_now;
end;
$$;
comment on function private.reconcile_backups(text, jsonb, timestamptz) is 'Body of worker.reconcile_backups().';

-- A copy of a tombstone lives as long as a backup that may hold its person.
create function private.forget_tombstones(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  update private.erasure_tombstones t set state = 'gone', changed_at = p_now
    where t.state in ('completed', 'cancelled') and t.ended_at <= p_now - interval '840 hours'
      and not exists (select from private.backups b where b.purged_at is null and b.taken_at <= t.ended_at);
  get diagnostics v_count = row_count;
  delete from private.erasure_tombstones t where t.state = 'gone' and t.copied_state is null;
  return v_count;
end;
$$;
comment on function private.forget_tombstones(timestamptz) is
  'Housekeeping: has the copy of an erasure destroyed when the last backup that may hold its person is purged (P8.2).';

create function worker.begin_backup(p_id uuid, p_location text, p_key_id text, p_worker_id uuid default null)
returns table (taken_at timestamptz, expires_at timestamptz, file_name text, excluded text[], migrations text[])
language sql volatile security invoker set search_path = '' as $$
  select b.taken_at, b.expires_at, b.file_name, b.excluded, b.migrations from private.begin_backup(p_id, p_location, p_key_id, p_worker_id) b
$$;
comment on function worker.begin_backup(uuid, text, text, uuid) is
  'Opens a backup. With a worker: nothing comes back when the day has one under this key, or somebody is at it. excluded: tables to leave out.';

create function worker.list_backup_files(p_after_bucket text, p_after_name text, p_limit int)
returns table (bucket_id text, name text, size_bytes bigint, mime_type text, owner_id text, created_at timestamptz)
language sql stable security invoker set search_path = '' as $$
  select f.bucket_id, f.name, f.size_bytes, f.mime_type, f.owner_id, f.created_at
  from private.list_backup_files(p_after_bucket, p_after_name, p_limit) f
$$;
comment on function worker.list_backup_files(text, text, int) is 'The next stored files after one; archives of exports and backups are left out.';

create function worker.finish_backup(
  p_id uuid, p_size_bytes bigint, p_sha256 text, p_key_id text, p_file_count bigint, p_omitted_count bigint
) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.finish_backup(p_id, p_size_bytes, p_sha256, p_key_id, p_file_count, p_omitted_count)
$$;
comment on function worker.finish_backup(uuid, bigint, text, text, bigint, bigint) is 'Reports a backup that is whole where it belongs (P3.2).';

create function worker.drop_backup(p_id uuid) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.drop_backup(p_id)
$$;
comment on function worker.drop_backup(uuid) is 'Forgets a backup that was begun and left no file.';

create function worker.reconcile_backups(p_location text, p_files jsonb) returns table (file_name text)
language sql volatile security invoker set search_path = '' as $$
  select r.file_name from private.reconcile_backups(p_location, p_files) r
$$;
comment on function worker.reconcile_backups(text, jsonb) is
  'Compares the list with what lies there, [{name, size}]; answers what is past its 35 days and has to go. Call again when it is gone.';

insert into private.definer_ledger (function_name, reason) values
  ('private.begin_backup', 'Writes the list of backups, on which service_role has no rights.'),
  ('private.list_backup_files', 'Lists files of everybody.'),
  ('private.finish_backup', 'Writes the list of backups, on which service_role has no rights.'),
  ('private.drop_backup', 'Writes the list of backups, on which service_role has no rights.'),
  ('private.reconcile_backups', 'Writes the list of backups, on which service_role has no rights.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_tombstones', 'private.forget_tombstones', 925);
