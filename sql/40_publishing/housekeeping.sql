-- Cleanups of publishing
-- Why:     the last net under "never silently lost": a lease that a live worker forgot, and a target that is due but in
--          no queue. Neither should ever happen.
-- Caller:  private.housekeeping(). Each is bounded by the setting housekeeping_batch.
-- Errors:  none.
-- Repeat:  safe.
-- Locks:   queue rows, skipping locked ones; then targets.

create function private.release_stuck_targets(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_cut timestamptz := p_now - private.setting_interval('publish_stuck_after');
  v_count bigint;
begin
  update private.queue q set worker_id = null, leased_at = null, due_at = p_now
    where q.lane = 'publish' and q.subject_id = any (array(
      select s.subject_id from private.queue s
      where s.lane = 'publish' and s.due_at <= v_cut and s.leased_at <= v_cut
      order by s.due_at limit private.setting_int('housekeeping_batch') for update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.release_stuck_targets(timestamptz) is
  'Housekeeping: takes leases back that have shown no progress for long; a late report of theirs is fenced off.';

-- Without its place in the queue nobody knows whether it was sent, and it cannot be probed: the person has to look.
create function private.recover_lost_targets(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_lost public.post_targets[];
begin
  v_lost := array(
    select t from public.post_targets t
    where t.scheduled_at between p_now - interval '30 days' and p_now - interval '5 minutes'
      and t.state in ('scheduled', 'publishing')
      and not exists (select from private.queue q where q.lane = 'publish' and q.subject_id = t.id)
    order by t.id limit private.setting_int('housekeeping_batch') for update skip locked);
  perform private.settle_targets(array(
    select private.verdict(l.id, 'unconfirmed', 'NX435') from unnest(v_lost) l), p_now);
  return cardinality(v_lost);
end;
$$;
comment on function private.recover_lost_targets(timestamptz) is
  'Housekeeping: puts due targets without a place in the queue before their person.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('release_stuck_targets', 'private.release_stuck_targets', 400),
  ('recover_lost_targets', 'private.recover_lost_targets', 410);
