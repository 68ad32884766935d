-- worker.mark_sending(worker, targets), worker.save_progress(worker, target, attempt, progress)
-- Why:     never twice. From the mark on, a target is only ever probed, by whatever worker comes next, until the platform
--          says what became of it. The mark is also the last gate: cancelled, disconnected, locked, too late.
-- Caller:  service_role, immediately before the irreversible call. DEFINER bodies: the queue is in private.
-- Errors:  NX002 targets are not a JSON array. A mark that is refused is no error: it is not in the answer.
-- Repeat:  the same lease may ask again and gets the same answer, because it sends only after the answer. Another lease of
--          a target that was marked before is refused: it must probe.
-- Locks:   worker (shared), connections (shared), queue rows, targets of refused marks.
--          The connection is held until the commit: disconnecting waits and then leaves the target alone, or comes first
--          and the mark is refused (P6.7): a lock that was waited for judges the newest version of its row.
-- Speed:   each target, account and connection is looked up once; see claim_targets.sql for the settings. Hash joins stay
--          allowed: in a queue of hardly more than the batch they are what keeps it from being compared row by row.

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

-- Tells the planner how many rows to expect of an array: a batch.
create function private.as_marks(p_marks private.target_mark[]) returns setof private.target_mark
language sql immutable security invoker rows 500 set search_path = '' as $$
  select * from unnest(p_marks)
$$;
comment on function private.as_marks(private.target_mark[]) is 'The elements of a batch as rows.';

create function private.mark_sending(p_worker_id uuid, p_targets jsonb, p_now timestamptz default now())
returns setof uuid
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  v_marks private.target_mark[] := private.parse_marks(p_targets);
  v_marked bigint;
begin
  if private.hold_worker(p_worker_id) is null then
    return;
  end if;
  -- "is true" keeps the planner from joining: the connections are locked, all and in order, before the first queue row.
  return query
    with mark as materialized (
      select m.*, t.connection_id
      from private.as_marks(v_marks) m
        cross join lateral (select x.* from public.post_targets x where x.id = m.target_id offset 0) t -- by its key
        join private.accounts a on a.user_id = t.user_id
      where t.state = 'publishing' and t.scheduled_at + t.tolerance >= p_now and a.state = 'active'
    ), held as materialized (
      select c.id from public.connections c
      where c.id = any (array(select k.connection_id from mark k)) and c.state = 'active'
        and exists (select from private.token_vault v where v.connection_id = c.id)
      order by c.id for share of c
    )
    update private.queue q
    set sending_at = coalesce(q.sending_at, p_now),
        progress = case when q.progress is null and m.platform_key is null
          then jsonb_build_object('sending_attempt', q.attempt)
          else coalesce(q.progress, '{}') || jsonb_strip_nulls(
            jsonb_build_object('sending_attempt', q.attempt, 'platform_key', m.platform_key)) end
    from mark m
    where q.lane = 'publish' and q.subject_id = m.target_id and q.attempt = m.attempt
      -- "case" keeps the planner from thinking that hardly a row is like that, and beginning with the queue.
      and case when q.worker_id = p_worker_id
            then q.sending_at is null or (q.progress ->> 'sending_attempt')::int = q.attempt end
      and (m.connection_id in (select h.id from held h)) is true
    returning q.subject_id;
  get diagnostics v_marked = row_count;
  if v_marked < cardinality(v_marks) then
    perform private.refuse_marks(p_worker_id, v_marks, p_now);
  end if;
end;
$$;
comment on function private.mark_sending(uuid, jsonb, timestamptz) is 'Body of worker.mark_sending().';

-- Refused marks whose lease is still good end here; the worker has nothing to report about them.
create function private.refuse_marks(p_worker_id uuid, p_marks private.target_mark[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_lease private.queue;
  v_target public.post_targets;
  v_verdict private.target_verdict;
  v_code text;
begin
  for v_lease in
    select q.* from unnest(p_marks) m join private.queue q on q.lane = 'publish' and q.subject_id = m.target_id
    where q.worker_id = p_worker_id and q.attempt = m.attempt and q.sending_at is null
    order by q.subject_id for update of q
  loop
    select * into v_target from public.post_targets t where t.id = v_lease.subject_id;
    v_code := private.reason_to_refuse(v_target, v_lease, p_now);
    if v_code = 'NX430' then
      v_verdict := private.paused(v_target, true, p_now);
      v_verdict.outcome := 'refused';
      perform private.settle_targets(array[v_verdict], p_now);
    elsif v_code in ('NX431', 'NX432', 'NX434') then
      perform private.settle_targets(array[
        private.verdict(v_target.id, case v_code when 'NX434' then 'missed' else 'failed' end::public.target_state,
                        v_code, 'refused')], p_now);
    end if;
  end loop;
end;
$$;
comment on function private.refuse_marks(uuid, private.target_mark[], timestamptz) is
  'Ends leases that may not be sent any more: failed, missed, or paused until the account is connected again.';

create function private.save_progress(
  p_worker_id uuid, p_target_id uuid, p_attempt int, p_progress jsonb, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
begin
  if jsonb_typeof(p_progress) is distinct from 'object' or pg_column_size(p_progress) > 16384 then
    perform private.fail('NX002', p_detail := 'p_progress');
  end if;
  update private.queue q
    set leased_at = p_now,
        progress = jsonb_strip_nulls(jsonb_build_object('platform_key', q.progress -> 'platform_key')) || p_progress
          || jsonb_strip_nulls(jsonb_build_object('sending_attempt', q.progress -> 'sending_attempt'))
    where q.lane = 'publish' and q.subject_id = p_target_id and q.worker_id = p_worker_id and q.attempt = p_attempt;
  return found;
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
  'Keeps what the next attempt needs (upload session, container id) and shows that the worker is at it. false: the lease '
  'is gone; stop.';

insert into private.definer_ledger (function_name, reason) values
  ('private.mark_sending', 'Changes queue rows, on which service_role has no rights.'),
  ('private.save_progress', 'Changes queue rows, on which service_role has no rights.');
