-- worker.mark_sending(worker, targets), worker.save_progress(worker, target, attempt, progress)
-- Why:     never twice. From the mark on, a target is only ever probed, by whatever worker comes next, until the platform
--          says what became of it. The mark is also the last gate: cancelled, disconnected, locked, too late.
-- Caller:  service_role, immediately before the irreversible call. DEFINER bodies: the queue is in private.
-- Errors:  NX002 targets are not a JSON array. A mark that is refused is no error: it is not in the answer.
-- Repeat:  the same lease may ask again, in time, and gets the same answer, because it sends only after the answer. Another lease of
--          a target that was marked before is refused: it must probe.
-- Locks:   worker (shared), queue rows in the order of their ids, targets of refused marks.
--          The lease is the permission. Whoever ends what it rests on (disconnect, a platform's refusal, restriction,
--          erasure) waits for the queue row and takes the lease away, unless it is marked by then (P6.7): so one look
--          at the queue row decides, and no account is locked on the way.
-- Speed:   see claim_targets.sql for the settings.

create type private.target_mark as (target_id uuid, attempt int, platform_key text);
comment on type private.target_mark is 'One element of the argument of mark_sending.';

create function private.parse_marks(p_targets jsonb) returns private.target_mark[]
language plpgsql stable security invoker set search_path = '' as $$
begin
  if jsonb_typeof(p_targets) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_targets');
  end if;
  return array(
    select distinct on (m.target_id) row(m.target_id, m.attempt, left(m.platform_key, 512))::private.target_mark
    from jsonb_to_recordset(p_targets) m (target_id uuid, attempt int, platform_key text)
    where m.target_id is not null and m.attempt is not null order by m.target_id, m.attempt desc);
exception when data_exception then
  -- One element is malformed: take the others.
  return array(
    select distinct on (x.id) row(x.id, x.attempt, left(e ->> 'platform_key', 512))::private.target_mark
    from jsonb_array_elements(p_targets) e,
         lateral (select private.uuid_or_null(e ->> 'target_id'), private.int_or_null(e ->> 'attempt')) x (id, attempt)
    where x.id is not null and x.attempt is not null order by x.id, x.attempt desc);
end;
$$;
comment on function private.parse_marks(jsonb) is 'The marks, one per target, in order; malformed ones are left out.';

-- Tells the planner how many rows to expect of an array: a batch. The lane comes from here, too, because of a constant the
-- planner, in a queue without statistics, concludes that hardly a row has it, and begins there: that is quadratic.
create function private.as_marks(p_marks private.target_mark[])
returns table (lane text, target_id uuid, attempt int, platform_key text)
language sql immutable security invoker rows 500 set search_path = '' as $$
  select 'publish', m.* from unnest(p_marks) m
$$;
comment on function private.as_marks(private.target_mark[]) is 'The elements of a batch as rows, with their lane.';

create function private.mark_sending(p_worker_id uuid, p_targets jsonb, p_now timestamptz default now())
returns setof uuid
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  v_marks private.target_mark[] := private.parse_marks(p_targets);
  v_marked bigint;
begin
  if private.hold_worker(p_worker_id) is null then
    return;
  end if;
  return query
    update private.queue q
    set sending_at = coalesce(q.sending_at, p_now), sending_attempt = q.attempt,
        progress = case when m.platform_key is null then q.progress
                   else coalesce(q.progress, '{}') || jsonb_build_object('platform_key', m.platform_key) end
    from private.as_marks(v_marks) m
    where q.lane = m.lane and q.subject_id = m.target_id and q.attempt = m.attempt
      -- What was marked before is probed. "case" hides from the planner that hardly a row has a worker while nothing is
      -- due: it would begin with the queue, which is quadratic.
      and case when q.worker_id = p_worker_id then coalesce(q.sending_attempt, q.attempt) = q.attempt end
      and (q.expires_at < p_now) is not true
    returning q.subject_id;
  get diagnostics v_marked = row_count;
  if v_marked < cardinality(v_marks) then
    perform private.refuse_marks(p_worker_id, v_marks, p_now);
  end if;
end;
$$;
comment on function private.mark_sending(uuid, jsonb, timestamptz) is 'Body of worker.mark_sending().';

-- A lease that is still good and too late ends here; the worker has nothing to report about it.
create function private.refuse_marks(p_worker_id uuid, p_marks private.target_mark[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform private.settle_targets(array(
    select private.verdict(l.subject_id, 'missed', 'NX434', 'refused') from (
      select q.subject_id
      from unnest(p_marks) m join private.queue q on q.lane = 'publish' and q.subject_id = m.target_id
      where q.worker_id = p_worker_id and q.attempt = m.attempt and q.sending_at is null
        and q.expires_at < p_now
      order by q.subject_id for update of q skip locked -- whoever holds one is taking it away
    ) l), p_now);
end;
$$;
comment on function private.refuse_marks(uuid, private.target_mark[], timestamptz) is
  'Ends leases whose time window passed before they were sent.';

create function private.save_progress(
  p_worker_id uuid, p_target_id uuid, p_attempt int, p_progress jsonb, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_is_held boolean;
begin
  if jsonb_typeof(p_progress) is distinct from 'object' or pg_column_size(p_progress) > 16384 then
    perform private.fail('NX002', p_detail := 'p_progress');
  end if;
  update private.queue q
    set leased_at = p_now,
        progress = jsonb_strip_nulls(jsonb_build_object('platform_key', q.progress -> 'platform_key')) || p_progress
    where q.lane = 'publish' and q.subject_id = p_target_id and q.worker_id = p_worker_id and q.attempt = p_attempt;
  v_is_held := found;
  update public.post_targets t
    set state = 'publishing', attempt = p_attempt, failure_code = null, failure_message = null, updated_at = p_now
    where v_is_held and t.id = p_target_id and t.state = 'scheduled';
  return v_is_held;
end;
$$;
comment on function private.save_progress(uuid, uuid, int, jsonb, timestamptz) is 'Body of worker.save_progress().';

create function worker.mark_sending(p_worker_id uuid, p_targets jsonb) returns setof uuid
language sql volatile security invoker set search_path = '' as $$
  select private.mark_sending(p_worker_id, p_targets)
$$;
comment on function worker.mark_sending(uuid, jsonb) is
  'Asks for leave to send: [{target_id, attempt, platform_key}]. Send exactly those that come back; the others were taken '
  'back, disconnected or are too late, and need no report. platform_key is what a later probe asks the platform for.';

create function worker.save_progress(p_worker_id uuid, p_target_id uuid, p_attempt int, p_progress jsonb)
returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.save_progress(p_worker_id, p_target_id, p_attempt, p_progress)
$$;
comment on function worker.save_progress(uuid, uuid, int, jsonb) is
  'Keeps what the next attempt needs (upload session, container id), shows that the worker is at it, and tells the person '
  '(state publishing). false: the lease is gone; stop.';

insert into private.definer_ledger (function_name, reason) values
  ('private.mark_sending', 'Changes queue rows, on which service_role has no rights.'),
  ('private.save_progress', 'Changes queue rows, on which service_role has no rights.');
