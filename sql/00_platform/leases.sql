-- private.lease_due(worker, lane, limit, since), private.next_due(lane), private.release_dead_leases(now),
-- private.backoff_delay(attempt, retry_after)
-- Why:     a claim is a lease, never a long transaction: a worker that dies loses it, and a late report is fenced off.
-- Caller:  claim and report functions of all contexts, in schema private.
-- Errors:  none: an unknown, stopped or dead worker gets nothing.
-- Repeat:  safe; each call leases other rows.
-- Locks:   the worker's row (shared), then due rows, skipping locked ones.

-- An array, not a join: the planner must not run the locking query more than once, and LIMIT must hold. Rows that are
-- locked do not move, so ctid names them; it saves looking each one up by its key, which is as much work again.
create function private.lease_due(
  p_worker uuid, p_lane text, p_limit int, p_since timestamptz default null, p_now timestamptz default now()
) returns setof private.queue
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if coalesce(p_limit, 0) < 1 or private.hold_worker(p_worker) is distinct from 'live' then
    return;
  end if;
  return query
    update private.queue q set worker_id = p_worker, leased_at = p_now, attempt = q.attempt + 1
    where q.ctid = any (array(
      select d.ctid from private.queue d
      where d.lane = p_lane and d.due_at <= p_now and d.due_at >= coalesce(p_since, '-infinity')
        and d.worker_id is null
      order by d.due_at limit p_limit for update skip locked))
    returning q.*;
end;
$$;
comment on function private.lease_due(uuid, text, int, timestamptz, timestamptz) is
  'Leases up to p_limit due rows, oldest first, each to one worker only. p_since keeps the scan off entries that are '
  'dead but not yet vacuumed: pass the due time of the last claim less some slack, and NULL every few seconds.';

create function private.next_due(p_lane text) returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select q.due_at from private.queue q
  where q.lane = p_lane and q.worker_id is null
  order by q.due_at limit 1
$$;
comment on function private.next_due(text) is
  'When the next work of a lane is due that nobody has leased; NULL: none.';

-- What is leased was due when it was leased, so only the due part of each lane is looked at. The minutes are for a claim
-- that began after p_now was taken and was waited for.
create function private.held_by(p_workers uuid[], p_now timestamptz default now()) returns setof private.queue
language sql stable security invoker set search_path = '' as $$
  with recursive lanes as (
    (select q.lane from private.queue q order by q.lane limit 1)
    union all
    select (select q.lane from private.queue q where q.lane > l.lane order by q.lane limit 1) from lanes l
    where l.lane is not null
  )
  select q.* from private.queue q
  where q.lane = any (array(select l.lane from lanes l))
    and q.due_at <= p_now + interval '10 minutes' and q.worker_id = any (p_workers)
$$;
comment on function private.held_by(uuid[], timestamptz) is
  'The leases of these workers, without a look at what is due later.';

create function private.take_back_leases(p_workers uuid[], p_even_sending boolean, p_now timestamptz default now())
returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  with held as materialized (
    select q.lane, q.subject_id
    from private.held_by(p_workers, p_now) h join private.queue q using (lane, subject_id)
    where q.worker_id = any (p_workers) and (p_even_sending or q.sending_at is null)
    order by q.lane, q.subject_id for update of q
  )
  update private.queue q set worker_id = null, leased_at = null, due_at = p_now
    from held h where q.lane = h.lane and q.subject_id = h.subject_id;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.take_back_leases(uuid[], boolean, timestamptz) is
  'Makes leases of these workers due at once, with their attempt, sending_at and progress.';

-- A worker is declared dead exactly once, so the search for its leases happens once as well.
create function private.release_dead_leases(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_dead uuid[];
begin
  -- Whoever holds a worker's row is releasing it already, or reports for it at this moment: both need no help, and two
  -- claims that waited for each other's rows would be a deadlock.
  with silent as (
    select w.id from private.workers w
    where w.released_at is null
      and w.heartbeat_at < p_now - make_interval(secs => private.setting_int('lease_seconds'))
    order by w.id for update skip locked
  ), dead as (
    update private.workers w set stopped_at = coalesce(w.stopped_at, p_now), released_at = p_now
    from silent s where w.id = s.id
    returning w.id
  )
  select array_agg(d.id) into v_dead from dead d;
  if v_dead is null then
    return 0;
  end if;
  return private.take_back_leases(v_dead, true, p_now);
end;
$$;
comment on function private.release_dead_leases(timestamptz) is
  'Takes the leases of workers without heartbeat back: due at once, with their attempt, sending_at and progress.';

create function private.backoff_delay(p_attempt int, p_retry_after_seconds numeric default null) returns interval
language sql volatile security invoker set search_path = '' as $$
  select make_interval(secs => greatest(
    coalesce(p_retry_after_seconds, 0),
    random() * least(private.setting_int('backoff_cap_seconds'),
                     private.setting_int('backoff_base_seconds') * 2.0 ^ least(greatest(p_attempt, 1) - 1, 30))))
$$;
comment on function private.backoff_delay(int, numeric) is
  'Exponential back-off with full jitter: between 0 and base * 2^(attempt-1), capped, but never before the other side '
  'allows it (Retry-After).';
