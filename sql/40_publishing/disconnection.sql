-- Trigger on connections
-- Why:     what was scheduled to an account that is being disconnected fails in the same transaction, and is told.
-- Caller:  private.disconnect(). An account that only needs a reconnect is paused: see pause.sql.
-- Errors:  none.
-- Locks:   the connection is held; queue rows in the order of their ids, then targets. Leases are taken away, too, so that
--          their marks are refused: nothing is sent after the commit that was not marked before.

create function private.tg_connections__fail_targets() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.settle_targets(array(
    select private.verdict((u.target).id, 'failed', 'NX431', case when u.is_leased then 'disconnected' end)
    from private.hold_unsent(new.user_id, new.id) u), new.disconnected_at);
  return null;
end;
$$;
comment on function private.tg_connections__fail_targets() is
  'AFTER UPDATE: disconnecting fails what was scheduled to the account and not yet sent (P6.7).';
create trigger _300_fail_targets after update of state on public.connections for each row
  when (new.state = 'disconnected' and old.state <> 'disconnected')
  execute function private.tg_connections__fail_targets();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_connections__fail_targets', 'Changes targets and queue, whoever disconnects the account.');
