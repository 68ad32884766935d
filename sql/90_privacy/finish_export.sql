-- worker.finish_export(…), forget_export(…), redeem_export(ticket); what ends exports by itself
-- Why:     an archive is ready when the bucket has it, is opened by one-time tickets alone, and goes after seven days, with
--          its export, or with its person (P7.4).
-- Caller:  service_role, which has leased the export in lane `export`; housekeeping.
-- Errors:  NX916 the lease is gone. NX923 the archive is not in the bucket.
-- Repeat:  safe.
-- Locks:   queue row, then the export.

create function private.finish_export(
  p_worker_id uuid, p_export_id uuid, p_attempt int, p_size_bytes bigint, p_sha256 text, p_omissions int,
  p_code text default null, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_export private.exports;
begin
  perform private.hold_export_lease(p_worker_id, p_export_id, p_attempt);
  select * into v_export from private.exports e where e.id = p_export_id and e.state = 'building' for update;
  if not found then
    return false;
  elsif p_code is null and not exists (
    select from storage.objects o where o.bucket_id = 'exports' and o.name = v_export.object_name
      and (o.metadata ->> 'size')::bigint = p_size_bytes) then
    perform private.fail('NX923');
  end if;
  delete from private.export_chunks c where c.export_id = p_export_id;
  if p_code is not null then
    perform private.fail_export(p_export_id, p_code, p_now);
    return true;
  end if;
  update private.exports e set
    state = 'ready', ended_at = p_now, expires_at = p_now + interval '168 hours', rows_done = e.rows_total,
    files_done = e.files_total - p_omissions, size_bytes = p_size_bytes, sha256 = p_sha256, omission_count = p_omissions,
    last_code = case when p_omissions > 0 then 'files_missing' end
    where e.id = p_export_id;
  perform private.enqueue('export', p_export_id, p_now + interval '168 hours', p_now);  -- the archive goes
  perform private.notify(v_export.user_id, 'export_ready', 'export', p_export_id, null, p_now);
  perform private.queue_mail(v_export.user_id, 'export_ready', jsonb_build_object('expires_at', p_now + interval '168 hours'),
                             'export_ready:' || p_export_id, p_now);
  perform private.audit('export_ready', 'export', p_export_id, p_now := p_now);
  return true;
end;
$$;
comment on function private.finish_export(uuid, uuid, int, bigint, text, int, text, timestamptz) is 'Body of worker.finish_export().';

create function private.fail_export(p_export_id uuid, p_code text, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_person uuid;
begin
  update private.exports e set state = 'failed', ended_at = p_now, last_code = left(p_code, 64)
    where e.id = p_export_id and e.state in ('requested', 'building') returning e.user_id into v_person;
  if found then
    delete from private.export_chunks c where c.export_id = p_export_id;
    insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
      values ('export', p_export_id, 0, left(p_code, 64), p_now);
    perform private.notify(v_person, 'export_failed', 'export', p_export_id, null, p_now);
    perform private.enqueue('export', p_export_id, p_now, p_now);  -- whatever was uploaded goes
  end if;
end;
$$;
comment on function private.fail_export(uuid, text, timestamptz) is 'Gives an export up: its person is told, and so is whoever watches.';

create function private.forget_export(p_worker_id uuid, p_export_id uuid, p_attempt int, p_now timestamptz default now())
returns void
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.hold_export_lease(p_worker_id, p_export_id, p_attempt);
  update private.exports e set state = 'expired' where e.id = p_export_id and e.state = 'ready' and e.expires_at <= p_now;
  update private.exports e set object_name = null where e.id = p_export_id and e.state in ('expired', 'cancelled', 'failed');
end;
$$;
comment on function private.forget_export(uuid, uuid, int, timestamptz) is 'Body of worker.forget_export().';

create function private.redeem_export(p_ticket_hash text, p_now timestamptz default now()) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_export uuid;
  v_name text;
begin
  delete from private.export_tickets t where t.ticket_hash = p_ticket_hash and t.expires_at > p_now
    returning t.export_id into v_export;
  select e.object_name into v_name from private.exports e
    where e.id = v_export and e.state = 'ready' and e.expires_at > p_now;
  return v_name;
end;
$$;
comment on function private.redeem_export(text, timestamptz) is 'Body of worker.redeem_export().';

create function worker.finish_export(
  p_worker_id uuid, p_export_id uuid, p_attempt int, p_size_bytes bigint, p_sha256 text, p_omissions int,
  p_code text default null
) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.finish_export(p_worker_id, p_export_id, p_attempt, p_size_bytes, p_sha256, p_omissions, p_code)
$$;
comment on function worker.finish_export(uuid, uuid, int, bigint, text, int, text) is
  'The archive is in the bucket, or, with p_code, cannot be made. False: it is not wanted any more; remove it.';

create function worker.forget_export(p_worker_id uuid, p_export_id uuid, p_attempt int) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.forget_export(p_worker_id, p_export_id, p_attempt)
$$;
comment on function worker.forget_export(uuid, uuid, int) is 'Its files are gone from the bucket.';

create function worker.redeem_export(p_ticket_hash text) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.redeem_export(p_ticket_hash)
$$;
comment on function worker.redeem_export(text) is
  'Exchanges a ticket (SHA-256, hex) for the name of its archive in bucket exports, once. NULL: unknown, used, or too late.';

-- Nothing is left to a worker's memory: what fell off the queue goes back on it, archives without an export among it.
create function private.resume_exports(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_export uuid;
  v_count bigint := 0;
begin
  for v_export in
    select x.id from (
      select e.id from private.exports e
      where e.state in ('requested', 'building') or e.state = 'ready' and e.expires_at <= p_now
      union
      select split_part(o.name, '/', 2)::uuid from storage.objects o
      where o.bucket_id = 'exports' and split_part(o.name, '/', 2) ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
        and not exists (select from private.exports e where e.object_name = o.name and e.state in ('building', 'ready'))) x
    where not exists (select from private.queue q where q.lane = 'export' and q.subject_id = x.id)
    limit private.setting_int('housekeeping_batch')
  loop
    if exists (select from private.dead_letters d where d.lane = 'export' and d.subject_id = v_export
               and d.died_at > (select e.requested_at from private.exports e where e.id = v_export and e.state in ('requested', 'building'))) then
      perform private.fail_export(v_export, 'gave_up', p_now);
    else
      perform private.enqueue('export', v_export, p_now, p_now);
    end if;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.resume_exports(timestamptz) is
  'Housekeeping: exports that fell off the queue, archives that are due to go, and archives of exports that are gone.';

create function private.forget_exports(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.export_tickets t where t.expires_at <= p_now;
  delete from private.export_chunks c where c.staged_at <= p_now - interval '7 days';
  delete from private.exports e where e.id = any (array(
    select o.id from private.exports o
    where o.ended_at < p_now - interval '90 days' and o.object_name is null limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_exports(timestamptz) is 'Housekeeping: what is left of an export after its archive, three months later.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('resume_exports', 'private.resume_exports', 930),
  ('forget_exports', 'private.forget_exports', 931);

insert into private.retention_rules (relation, anchor_column, keep, slack, applied_by, condition, reason) values
  ('private.exports', 'ended_at', '90 days', '1 day', 'forget_exports', 'true', 'What is left of an export when its archive is gone.'),
  ('private.export_chunks', 'staged_at', '7 days', '1 day', 'forget_exports', 'true', 'While an archive is being written (P7.4).'),
  ('private.export_tickets', 'expires_at', '2 minutes', '1 hour', 'forget_exports', 'true', 'One click (P7.4).');

insert into private.definer_ledger (function_name, reason) values
  ('private.finish_export', 'Writes exports, on which service_role has no rights.'),
  ('private.forget_export', 'Writes exports, on which service_role has no rights.'),
  ('private.redeem_export', 'Reads tickets, on which service_role has no rights.');
