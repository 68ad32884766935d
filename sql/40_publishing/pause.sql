-- private.paused(target, leased, outcome, now), triggers on connections
-- Why:     when a platform ends a grant, what was scheduled to the account waits for the person, who may be in time: it stays
--          scheduled, is not due before its time window ends, and says why (failure_code NX430). Connected again it goes
--          on; what is too late by then, or was never connected again, is missed and told.
-- Caller:  private.revoke_connection() and confirm_connection() through the triggers; claim and report.
-- Errors:  none.
-- Repeat:  safe.
-- Locks:   the connection is held; queue rows in the order of their ids, then targets. A lease is taken away, unless it is
--          marked: then its report pauses it. Who connects again waits for nobody: a worker goes on with what it has.

create function private.paused(
  p_target public.post_targets, p_is_leased boolean, p_outcome text, p_now timestamptz
) returns private.target_verdict
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_verdict private.target_verdict := private.verdict(p_target.id, 'scheduled', 'NX430', p_outcome);
begin
  v_verdict.due_at := p_target.scheduled_at + p_target.tolerance + interval '1 second';
  v_verdict.is_uncounted := p_is_leased;
  if v_verdict.due_at <= p_now then
    v_verdict.state := 'missed';
    v_verdict.due_at := null;
  end if;
  return v_verdict;
end;
$$;
comment on function private.paused(public.post_targets, boolean, text, timestamptz) is
  'The verdict on a target whose account has to be connected again: put off to the end of its time window, then missed.';

create function private.waiting_targets(p_connection_id uuid, p_user_id uuid) returns public.post_targets[]
language plpgsql volatile security invoker set search_path = '' as $$
begin
  return array(
    select w.target from (
      select t as target from public.post_targets t join private.queue q on q.lane = 'publish' and q.subject_id = t.id
      where t.connection_id = p_connection_id and t.user_id = p_user_id and t.state = 'scheduled'
        and q.worker_id is null and q.sending_at is null
      order by q.subject_id for update of q skip locked) w);
end;
$$;
comment on function private.waiting_targets(uuid, uuid) is
  'What is scheduled on an account and in no worker''s hand; their queue rows are locked.';

create function private.tg_connections__pause_targets() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.settle_targets(array(
    select private.paused(u.target, u.is_leased, case when u.is_leased then 'reconnect' end, new.updated_at)
    from private.hold_unsent(new.user_id, new.id) u), new.updated_at);
  return null;
end;
$$;
comment on function private.tg_connections__pause_targets() is
  'AFTER UPDATE: an account that has to be connected again pauses what is scheduled on it (P6.8).';
create trigger _310_pause_targets after update of state on public.connections for each row
  when (new.state = 'needs_reconnect' and old.state = 'active')
  execute function private.tg_connections__pause_targets();

create function private.tg_connections__resume_targets() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_paused public.post_targets[] := array(
    select w from unnest(private.waiting_targets(new.id, new.user_id)) w where w.failure_code = 'NX430');
begin
  update private.queue q set due_at = greatest(w.scheduled_at, new.connected_at)
    from unnest(v_paused) w where q.lane = 'publish' and q.subject_id = w.id;
  update public.post_targets t
    set failure_code = null, failure_message = null, updated_at = new.connected_at
    from unnest(v_paused) w where t.id = w.id;
  perform private.settle_targets(array(
    select private.paused(w, false, null, new.connected_at) from unnest(v_paused) w
    where w.scheduled_at + w.tolerance < new.connected_at), new.connected_at);
  return null;
end;
$$;
comment on function private.tg_connections__resume_targets() is
  'AFTER UPDATE: an account that was connected again goes on with what is still in time; the rest is missed.';
create trigger _320_resume_targets after update of state on public.connections for each row
  when (new.state = 'active' and old.state = 'needs_reconnect')
  execute function private.tg_connections__resume_targets();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_connections__pause_targets', 'Changes targets and queue when a worker or housekeeping ends a grant.'),
  ('private.tg_connections__resume_targets', 'Changes targets and queue when a person connects the account again.');
