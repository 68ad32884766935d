-- Cleanups of connections
-- Why:     nothing that was meant to be short-lived outlives its time, and nobody is surprised by a grant that ran out.
-- Caller:  private.housekeeping(). Each is bounded by the setting housekeeping_batch.
-- Errors:  none.
-- Repeat:  safe.
-- Locks:   rows of one table; end_expired_grants: connection, vault row, queue row, one connection after the other.

create function private.forget_oauth_flows(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.oauth_flows where id = any (array(
    select id from private.oauth_flows where expires_at <= p_now
      or (ticket_expires_at <= p_now and state_hash is null)
    order by expires_at limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_oauth_flows(timestamptz) is 'Housekeeping: deletes attempts and tickets that expired.';

create function private.drop_unconfirmed_connections(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_pending private.pending_connections;
  v_count bigint := 0;
begin
  for v_pending in
    select * from private.pending_connections where expires_at <= p_now
    order by expires_at limit private.setting_int('housekeeping_batch') for update skip locked
  loop
    perform private.drop_pending_connection(v_pending, p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.drop_unconfirmed_connections(timestamptz) is
  'Housekeeping: after ten minutes what nobody confirmed is given back to the platform, and every row deleted.';

create function private.end_expired_grants(p_now timestamptz default now()) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select count(*) filter (where private.revoke_connection(c.id, 'grant_expired', c.token_generation, p_now))
  from (
    select id, token_generation from public.connections where state = 'active' and usable_until <= p_now
    order by usable_until limit private.setting_int('housekeeping_batch')
  ) c
$$;
comment on function private.end_expired_grants(timestamptz) is
  'Housekeeping: a grant that ran out for good becomes needs_reconnect, and its person is told.'; -- P6.8

-- A renewal that failed ten times in a row is an alarm, not the end: the grant is still there, and the platform may be back.
create function private.revive_refreshes(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_ids uuid[] := array(
    select distinct l.subject_id from private.dead_letters l
    join private.token_vault v on v.connection_id = l.subject_id and v.sealed_refresh is not null
    join private.accounts a on a.user_id = v.user_id and a.state <> 'restricted'
    where l.lane = 'refresh' and l.died_at > p_now - interval '90 days'
      and not exists (select from private.queue q where q.lane = 'refresh' and q.subject_id = l.subject_id)
    limit private.setting_int('housekeeping_batch'));
begin
  perform private.enqueue('refresh', i, p_now + interval '1 hour', p_now) from unnest(v_ids) i;
  return cardinality(v_ids);
end;
$$;
comment on function private.revive_refreshes(timestamptz) is
  'Housekeeping: a renewal that was given up begins anew after an hour, as long as the account is connected.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_oauth_flows', 'private.forget_oauth_flows', 200),
  ('drop_unconfirmed_connections', 'private.drop_unconfirmed_connections', 205),
  ('expire_revocations', 'private.expire_revocations', 210),
  ('end_expired_grants', 'private.end_expired_grants', 220),
  ('revive_refreshes', 'private.revive_refreshes', 225);
