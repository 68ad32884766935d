-- private.advance_erasure(erasure), worker.advance_erasure(worker, erasure, attempt, done)
-- Why:     carries an erasure one bounded step further, from wherever it stands: a worker calls it until there is nothing
--          left to do. Killed anywhere, the next call goes on from what is committed (P7.3, P8.2).
-- Caller:  service_role, which has leased the erasure in lane `erasure`; files and services outside are its part.
-- Errors:  NX916 the lease is gone.
-- Repeat:  safe.
-- Locks:   queue row, erasure, then what the step touches. A legal hold takes the erasure's lock too (legal_holds.sql).

create function private.next_erasure_step(p_erasure private.erasures, p_now timestamptz) returns private.erasure_steps
language sql stable security invoker set search_path = '' as $$
  select s.* from private.erasure_steps s
  where s.erasure_id = p_erasure.id and s.done_at is null and s.action not in ('external', 'files')
    and (s.action = 'unlink' or not exists (select from private.effective_holds(p_erasure.user_id, p_now))
         or s.action in ('delete', 'nullify') and s.relation not in (select private.held_relations(p_erasure.user_id, p_now)))
    and (s.action <> 'sweep' or not exists (
      select from private.erasure_steps o where o.erasure_id = s.erasure_id and o.done_at is null and o.action <> 'sweep'))
  order by s.position limit 1
$$;
comment on function private.next_erasure_step(private.erasures, timestamptz) is
  'The first step that is open, not held, and not for the worker. The sweep comes when all else is done.';

create function private.person_files(p_person uuid, p_limit int) returns table (bucket_id text, name text)
language sql stable security invoker set search_path = '' as $$
  select o.bucket_id, o.name from storage.objects o
  where o.name like p_person || '/%'
  order by o.bucket_id, o.name limit p_limit
$$;
comment on function private.person_files(uuid, int) is
  'Files in the person''s folders; nobody can upload elsewhere (30_content/buckets).';

-- What the worker has to do: remove files through the Storage API, tell processors. Deleting rows of storage.objects here
-- would leave the bytes behind.
create function private.erasure_errands(p_erasure private.erasures, p_now timestamptz) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_files jsonb;
  v_outside jsonb;
begin
  if exists (select from private.effective_holds(p_erasure.user_id, p_now)) then
    return null;
  end if;
  select jsonb_agg(jsonb_build_object('bucket_id', f.bucket_id, 'name', f.name)) into v_files
    from private.person_files(p_erasure.user_id, 500) f;
  select jsonb_agg(jsonb_build_object('processor_id', o.processor_id, 'reference', o.reference)) into v_outside
    from private.erasure_outbox o where o.erasure_id = p_erasure.id and o.done_at is null;
  update private.erasure_steps s set done_at = p_now
    where s.erasure_id = p_erasure.id and s.done_at is null
      and (s.action = 'files' and v_files is null
           or s.action = 'external' and not exists (select from private.erasure_outbox o
             where o.erasure_id = s.erasure_id and o.processor_id = s.relation and o.done_at is null));
  if v_files is null and v_outside is null then
    return null;
  end if;
  return jsonb_build_object('files', coalesce(v_files, '[]'), 'outside', coalesce(v_outside, '[]'));
end;
$$;
comment on function private.erasure_errands(private.erasures, timestamptz) is
  'Files and processors that the worker has to deal with; NULL: none, or all of it is held.';

create function private.complete_erasure(p_erasure private.erasures, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  -- An address that bounced gets no last mail: Resend would note it down once more.
  v_email text := (select i from unnest(p_erasure.identifiers) i where i like '%_@_%'
                   and not exists (select from private.erasure_outbox o where o.erasure_id = p_erasure.id and o.processor_id = 'resend')
                   order by i limit 1);
begin
  perform private.note_in_ledger(p_erasure.id, p_erasure.user_id, 'completed', 'all', 0, p_now);
  if v_email is not null then
    insert into private.erasure_notices (erasure_id, email, language, created_at, delete_by)
      values (p_erasure.id, v_email, p_erasure.language, p_now, p_now + interval '72 hours')
      on conflict do nothing;
  end if;
  delete from private.erasure_outbox o where o.erasure_id = p_erasure.id;
  update private.legal_holds h set subject_id = p_erasure.id where h.subject_id = p_erasure.user_id;
  update private.erasures e
    set state = 'completed', user_id = null, identifiers = null, language = null, ended_at = p_now, last_code = null
    where e.id = p_erasure.id;
  perform private.audit('erasure_completed', 'erasure', p_erasure.id, p_now := p_now);
end;
$$;
comment on function private.complete_erasure(private.erasures, timestamptz) is
  'Ends an erasure: from here on nothing in the database says whose it was, but for the notice that it is done.';

create function private.set_erasure_state(p_erasure uuid, p_state text, p_code text) returns text
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.erasures e set state = p_state, last_code = p_code
    where e.id = p_erasure and (e.state, e.last_code) is distinct from (p_state, p_code);
  return p_state;
end;
$$;
comment on function private.set_erasure_state(uuid, text, text) is 'Notes where an erasure stands, and why.';

create function private.advance_erasure(p_erasure_id uuid, p_now timestamptz default now())
returns table (state text, errands jsonb)
language plpgsql volatile security invoker set search_path = '' as $$
#variable_conflict use_column
declare
  v_erasure private.erasures;
  v_step private.erasure_steps;
begin
  select * into v_erasure from private.erasures e where e.id = p_erasure_id for update;
  if not found or v_erasure.ended_at is not null then
    return query select coalesce(v_erasure.state, 'cancelled'), null::jsonb;
    return;
  elsif v_erasure.state = 'requested' and p_now < v_erasure.grace_until then
    return query select 'requested', null::jsonb;
    return;
  elsif v_erasure.catalogue_hash is distinct from private.catalogue_hash() then
    perform private.plan_erasure(v_erasure, p_now);
    return query select 'erasing', null::jsonb;
    return;
  end if;
  v_step := private.next_erasure_step(v_erasure, p_now);
  if v_step.action is null then
    errands := private.erasure_errands(v_erasure, p_now);
    v_step := private.next_erasure_step(v_erasure, p_now);
  end if;
  if errands is not null then
    state := private.set_erasure_state(p_erasure_id, 'erasing', v_erasure.last_code);
  elsif v_step.action is null and exists (
    select from private.erasure_steps s where s.erasure_id = p_erasure_id and s.done_at is null) then
    state := private.set_erasure_state(p_erasure_id, 'held', 'NX913');
  elsif v_step.action is null and exists (select from private.catalogue_gaps()) then
    state := private.set_erasure_state(p_erasure_id, 'erasing', 'catalogue_gaps');
    state := 'failed';
  elsif v_step.action is null then
    perform private.complete_erasure(v_erasure, p_now);
    state := 'completed';
  elsif private.run_erasure_step(v_erasure, v_step, p_now) then
    state := private.set_erasure_state(p_erasure_id, 'erasing', null);
  else  -- something came in late: the whole plan once more
    update private.erasures e set catalogue_hash = null where e.id = p_erasure_id;
    state := private.set_erasure_state(p_erasure_id, 'erasing', left('sweep:' || v_step.relation, 64));
    state := 'failed';
  end if;
  return next;
end;
$$;
comment on function private.advance_erasure(uuid, timestamptz) is
  'One step of an erasure. erasing: call again, after the errands if there are any. requested, held: later. failed: alarm, '
  'and try again. completed, cancelled: done.';

create function private.work_on_erasure(
  p_worker_id uuid, p_erasure_id uuid, p_attempt int, p_done jsonb default '[]', p_now timestamptz default now()
) returns table (state text, errands jsonb)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform from private.queue q
    where q.lane = 'erasure' and q.subject_id = p_erasure_id and q.worker_id = p_worker_id and q.attempt = p_attempt
    for update;
  if not found then
    perform private.fail('NX916');
  end if;
  update private.erasure_outbox o set done_at = p_now
    from jsonb_to_recordset(p_done) as d (processor_id text, reference text)
    where o.erasure_id = p_erasure_id and o.processor_id = d.processor_id and o.reference = d.reference;
  return query select a.state, a.errands from private.advance_erasure(p_erasure_id, p_now) a;
end;
$$;
comment on function private.work_on_erasure(uuid, uuid, int, jsonb, timestamptz) is 'Body of worker.advance_erasure().';

create function worker.advance_erasure(p_worker_id uuid, p_erasure_id uuid, p_attempt int, p_done jsonb default '[]')
returns table (state text, errands jsonb)
language sql volatile security invoker set search_path = '' as $$
  select w.state, w.errands from private.work_on_erasure(p_worker_id, p_erasure_id, p_attempt, p_done) w
$$;
comment on function worker.advance_erasure(uuid, uuid, int, jsonb) is
  'One bounded step of a leased erasure. errands: {files: [{bucket_id, name}], outside: [{processor_id, reference}]}; remove '
  'the files, tell the processors, and call again with those that were told in p_done. State erasing: call again; completed, '
  'cancelled, held: done with it; requested, failed: later (P7.3).';

create function private.resume_erasures(p_person uuid default null, p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_erasure uuid;
  v_count bigint := 0;
begin
  for v_erasure in
    select e.id from private.erasures e
    where e.ended_at is null and e.grace_until <= p_now and (p_person is null or e.user_id = p_person)
      and not exists (select from private.queue q where q.lane = 'erasure' and q.subject_id = e.id)
      and (e.state <> 'held' or not exists (select from private.effective_holds(e.user_id, p_now)))
    order by e.due_at limit private.setting_int('housekeeping_batch')
  loop
    perform private.enqueue('erasure', v_erasure, p_now, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.resume_erasures(uuid, timestamptz) is
  'Puts open erasures back on the queue that have fallen off it: a hold was lifted or lapsed, or a worker gave up.';

create function private.resume_all_erasures(p_now timestamptz default now()) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.resume_erasures(null, p_now)
$$;
comment on function private.resume_all_erasures(timestamptz) is 'Housekeeping: no erasure is ever lost (P7.3).';

create function private.warn_of_erasures(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  with late as (
    update private.erasures e set warned_at = p_now
    where e.ended_at is null and e.state <> 'held' and e.warned_at is null and e.due_at <= p_now + interval '72 hours'
    returning e.id
  )
  insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
    select 'erasure', l.id, 0, 'deadline_near', p_now from late l;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.warn_of_erasures(timestamptz) is 'Housekeeping: three days before an erasure is due, an alarm (P7.7).';

create function private.send_erasure_notices(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_notice private.erasure_notices;
  v_count bigint := 0;
begin
  for v_notice in delete from private.erasure_notices n where n.delete_by > p_now returning n.* loop
    perform private.queue_mail_to(v_notice.email, 'erasure_completed', '{}', 'erasure_completed:' || v_notice.erasure_id, null, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.send_erasure_notices(timestamptz) is
  'Housekeeping: hands the last mail over to the outbox, which forgets the address when it is sent, at the latest after three days.';

create function private.forget_erasure_notices(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.erasure_notices n where n.delete_by <= p_now;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_erasure_notices(timestamptz) is 'Housekeeping: the last address goes, sent or not.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('resume_all_erasures', 'private.resume_all_erasures', 900),
  ('warn_of_erasures', 'private.warn_of_erasures', 910),
  ('send_erasure_notices', 'private.send_erasure_notices', 915),
  ('forget_erasure_notices', 'private.forget_erasure_notices', 920);

insert into private.definer_ledger (function_name, reason) values
  ('private.work_on_erasure', 'Deletes a person everywhere; service_role has no rights on any of it.');
