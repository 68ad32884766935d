-- worker.claim_jobs(worker, lane, limit), worker.next_job_due(lane), worker.finish_jobs(worker, results)
-- Why:     the same queue for all work that changes no state when it is claimed (publishing has its own calls).
-- Caller:  service_role. DEFINER bodies: no role of the API has rights on schema private.
-- Errors:  NX002 a result is malformed. A result whose lease is gone is no error: it is not accepted.
-- Repeat:  safe: a report that arrives twice is accepted once.
-- Locks:   the worker's row (shared), then queue rows.

create function private.claim_jobs(p_worker_id uuid, p_lane text, p_limit int, p_now timestamptz default now())
returns table (subject_id uuid, attempt int, next_due timestamptz)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_leased private.queue[];
  v_next timestamptz;
begin
  perform private.release_dead_leases(p_now);
  v_leased := array(select l from private.lease_due(p_worker_id, p_lane, p_limit, null, p_now) l);
  v_next := private.next_due(p_lane);  -- after the lease, which it must not count
  return query select l.subject_id, l.attempt, v_next from unnest(v_leased) l;
end;
$$;
comment on function private.claim_jobs(uuid, text, int, timestamptz) is 'Body of worker.claim_jobs().';

create function private.next_job_due(p_lane text) returns timestamptz
language sql stable security definer set search_path = '' as $$
  select private.next_due(p_lane)
$$;
comment on function private.next_job_due(text) is 'Body of worker.next_job_due().';

-- A lease of somebody else, or of another attempt, is not among `held`: such a report changes nothing.
create function private.finish_jobs(p_worker_id uuid, p_results jsonb, p_now timestamptz default now())
returns table (lane text, subject_id uuid, accepted boolean)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_worker uuid := case when private.hold_worker(p_worker_id) is not null then p_worker_id end;
  v_max int := private.setting_int('job_max_attempts');
begin
  perform private.check_job_results(p_results);
  return query
    with given as materialized (
      select r.lane, r.subject_id, r.attempt, coalesce(r.code, 'unknown') as code,
             r.retry_after_seconds as retry_after,
             case when r.outcome = 'retry' and r.attempt >= v_max then 'dead' else r.outcome end as verdict
      from jsonb_to_recordset(p_results)
        as r (lane text, subject_id uuid, attempt int, outcome text, code text, retry_after_seconds numeric)
    ), held as materialized (
      select q.again_at, g.* from given g
      join private.queue q on q.lane = g.lane and q.subject_id = g.subject_id and q.attempt = g.attempt
      where q.worker_id = v_worker
      for update of q
    ), gone as (
      delete from private.queue q using held h
      where q.lane = h.lane and q.subject_id = h.subject_id and h.verdict <> 'retry' and h.again_at is null
    ), again as (
      update private.queue q set worker_id = null, leased_at = null, sending_at = null, sending_attempt = null,
        progress = null, attempt = 0, due_at = h.again_at, again_at = null
      from held h
      where q.lane = h.lane and q.subject_id = h.subject_id and h.verdict <> 'retry' and h.again_at is not null
    ), retried as (
      update private.queue q set worker_id = null, leased_at = null, sending_at = null, sending_attempt = null,
        due_at = p_now + private.backoff_delay(h.attempt, h.retry_after)
      from held h where q.lane = h.lane and q.subject_id = h.subject_id and h.verdict = 'retry'
    ), buried as (
      insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
      select h.lane, h.subject_id, h.attempt, h.code, p_now from held h where h.verdict = 'dead'
    )
    select g.lane, g.subject_id, h.subject_id is not null
    from given g left join held h on h.lane = g.lane and h.subject_id = g.subject_id and h.attempt = g.attempt;
end;
$$;
comment on function private.finish_jobs(uuid, jsonb, timestamptz) is 'Body of worker.finish_jobs().';

create function private.check_job_results(p_results jsonb) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if jsonb_typeof(p_results) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_results: not an array');
  end if;
  if exists (
    select from jsonb_to_recordset(p_results) as r (lane text, subject_id uuid, attempt int, outcome text, code text)
    where r.lane is null or r.subject_id is null or r.attempt is null
       or coalesce(r.outcome, '') not in ('done', 'retry', 'dead') or r.code !~ '^[A-Za-z0-9_.:-]{1,64}$'
  ) then
    perform private.fail('NX002', p_detail := 'p_results: lane, subject_id, attempt, outcome or code');
  end if;
end;
$$;
comment on function private.check_job_results(jsonb) is 'Refuses a report that is malformed, before anything is done.';

create function private.forget_dead_letters(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.dead_letters where died_at < p_now - interval '90 days';
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_dead_letters(timestamptz) is 'Housekeeping: alarms that are three months old.';

create function worker.claim_jobs(p_worker_id uuid, p_lane text, p_limit int)
returns table (subject_id uuid, attempt int, next_due timestamptz)
language sql volatile security invoker set search_path = '' as $$
  select c.subject_id, c.attempt, c.next_due from private.claim_jobs(p_worker_id, p_lane, p_limit) c
$$;
comment on function worker.claim_jobs(uuid, text, int) is
  'Leases due work of a lane. next_due is the same in each row; where there is none, next_job_due() tells.';

create function worker.next_job_due(p_lane text) returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select private.next_job_due(p_lane)
$$;
comment on function worker.next_job_due(text) is 'When the next work of a lane is due; NULL: nothing is scheduled.';

create function worker.finish_jobs(p_worker_id uuid, p_results jsonb)
returns table (lane text, subject_id uuid, accepted boolean)
language sql volatile security invoker set search_path = '' as $$
  select f.lane, f.subject_id, f.accepted from private.finish_jobs(p_worker_id, p_results) f
$$;
comment on function worker.finish_jobs(uuid, jsonb) is
  'Reports [{lane, subject_id, attempt, outcome: done|retry|dead, code, retry_after_seconds}]. Not accepted: the '
  'lease is gone and somebody else has the work, or had.';

insert into private.definer_ledger (function_name, reason) values
  ('private.claim_jobs', 'Leases rows of the queue, on which service_role has no rights.'),
  ('private.next_job_due', 'Reads the queue, on which service_role has no rights.'),
  ('private.finish_jobs', 'Changes rows of the queue, on which service_role has no rights.');
