-- private.target_verdict, private.settle_targets(verdicts, now)
-- Why:     every end of an attempt but a plain success comes through here: queue row, target, attempt and notice change
--          together, for a whole batch.
-- Caller:  claim, mark, report, cancel and disconnect. They hold the queue rows locked.
-- Errors:  NX400 an unlawful change of state.
-- Repeat:  by its callers: each verdict settles a lease that they have checked.
-- Locks:   queue rows (held already), then targets.

create type private.target_verdict as (
  target_id uuid,
  state public.target_state,
  code text,
  message text,
  due_at timestamptz,
  outcome text,
  http_status int,
  platform_key text,
  is_uncounted boolean
);
comment on type private.target_verdict is
  'What becomes of a target. due_at: stays in the queue until then (scheduled: to be tried, publishing: to be probed); '
  'NULL: leaves it. outcome: writes an attempt. is_uncounted: the attempt does not count as a try.';

create function private.settle_targets(p_verdicts private.target_verdict[], p_now timestamptz) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_settled uuid[];
  v_unsent uuid[];
begin
  with verdict as materialized (
    select v.* from unnest(p_verdicts) v
  ), before as materialized (
    -- What counts beyond the target's own attempts is a lease that was lost and not written down yet.
    select q.*, q.worker_id is null and private.is_unreported(t, q.attempt) as is_lost
    from verdict v join private.queue q on q.lane = 'publish' and q.subject_id = v.target_id
      join public.post_targets t on t.id = v.target_id
  ), gone as (
    delete from private.queue q using verdict v
    where q.lane = 'publish' and q.subject_id = v.target_id and v.due_at is null
  ), kept as (
    update private.queue q
    set worker_id = null, leased_at = null, again_at = null, due_at = v.due_at,
        sending_at = case when v.state = 'publishing' then q.sending_at end,
        sending_attempt = case when v.state = 'publishing' then q.sending_attempt end
    from verdict v where q.lane = 'publish' and q.subject_id = v.target_id and v.due_at is not null
  ), settled as (
    update public.post_targets t
    set state = case when c.is_incomplete then 'failed' else v.state end,
        failure_code = case when c.is_incomplete then 'NX439' else v.code end,
        failure_message = case when c.is_incomplete then private.error_message('NX439') else left(v.message, 500) end,
        updated_at = p_now,
        attempt = greatest(t.attempt, b.attempt), attempt_base = t.attempt_base + coalesce(v.is_uncounted, false)::int
    from verdict v left join before b on b.subject_id = v.target_id
      join public.post_targets s on s.id = v.target_id
      -- A thread of which a part is out was not missed: what is there stays, and the person can have it go on.
      cross join lateral (select v.state = 'missed' and s.external_id is not null) c (is_incomplete)
    where t.id = v.target_id
    returning t.id, t.user_id
  ), tried as (
    insert into private.publish_attempts (target_id, attempt, finished_at, user_id, worker_id, claimed_at, sending_at,
                                          outcome, code, http_status, platform_key)
    select s.id, b.attempt, p_now, s.user_id, b.worker_id, b.leased_at, b.sending_at, coalesce(v.outcome, 'lease_lost'),
           v.code, v.http_status, coalesce(v.platform_key, left(b.progress ->> 'platform_key', 512))
    from settled s join verdict v on v.target_id = s.id join before b on b.subject_id = s.id
    where v.outcome is not null or b.is_lost
    on conflict do nothing
  )
  select array_agg(s.id),
         array_agg(s.id) filter (where (b.worker_id is not null or b.is_lost) and b.sending_at is null
                                   and v.code is distinct from 'NX438')
    into v_settled, v_unsent
    from settled s join verdict v on v.target_id = s.id left join before b on b.subject_id = s.id;
  perform private.return_budgets(v_unsent, p_now);
  perform private.notify_of_targets(v_settled, p_now);
  return coalesce(cardinality(v_settled), 0);
end;
$$;
comment on function private.settle_targets(private.target_verdict[], timestamptz) is
  'Carries out verdicts; returns how many targets there were.';

-- For whoever ends what leases rest on: it waits for each queue row, so that what is not in the answer is marked, or over.
create function private.hold_unsent(p_user_id uuid, p_connection_id uuid default null)
returns table (target public.post_targets, is_leased boolean)
language sql volatile security invoker set search_path = '' as $$
  select t, q.worker_id is not null
  from public.post_targets t join private.queue q on q.lane = 'publish' and q.subject_id = t.id
  where t.user_id = p_user_id and t.connection_id = coalesce(p_connection_id, t.connection_id)
    and t.state in ('scheduled', 'publishing') and q.sending_at is null
  order by q.subject_id for update of q
$$;
comment on function private.hold_unsent(uuid, uuid) is
  'What a person has on its way, on one account or all, that is not being sent, and whether a worker has it; their queue '
  'rows are locked.';

-- Never silently lost: whatever ends without being published is told to its person, once. In the order of people, because
-- two workers that write the one mail of an hour to the same two people must not wait for each other.
create function private.notify_of_targets(p_ids uuid[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.notify(t.user_id, 'target_' || t.state::text, 'post_target', t.id, t.failure_code, p_now)
  from public.post_targets t
  where t.id = any (p_ids) and t.state in ('failed', 'missed', 'unconfirmed')
  order by t.user_id, t.id
$$;
comment on function private.notify_of_targets(uuid[], timestamptz) is 'Tells people about targets that were not published.';

create function private.verdict(
  p_target_id uuid, p_state public.target_state, p_code text, p_outcome text default null
) returns private.target_verdict
language sql stable security invoker set search_path = '' as $$
  select row(p_target_id, p_state, p_code, private.error_message(p_code), null, p_outcome, null, null, false)
    ::private.target_verdict
$$;
comment on function private.verdict(uuid, public.target_state, text, text) is 'A verdict that ends with a code of ours.';
