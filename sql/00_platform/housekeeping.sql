-- private.housekeeping_tasks, private.housekeeping(now), worker.run_housekeeping()
-- Why:     every cleanup that time brings about, from all contexts, behind one call that any scheduler can make.
-- Caller:  service_role, every few minutes. DEFINER: cleanups reach tables that no role of the API may touch.
-- Errors:  none: a task that fails is noted in its row and does not stop the others.
-- Repeat:  safe; a second call at the same time returns no rows.
-- Locks:   one advisory lock for the whole run, then each task's own.

create table private.housekeeping_tasks (
  task text primary key,
  function_name text not null unique,
  run_order int not null,
  last_run_at timestamptz,
  last_success_at timestamptz,
  last_code text,
  constraint function_lives_in_private check (function_name ~ '^private\.[a-z][a-z0-9_]*$')
);
comment on table private.housekeeping_tasks is
  'Cleanups in their order. Each function takes (p_now timestamptz), returns bigint, is bounded and safe to repeat.';
comment on column private.housekeeping_tasks.last_code is 'SQLSTATE of the last run if it failed, else NULL.';

create function private.housekeeping(p_now timestamptz default now())
returns table (task text, affected bigint)
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_task private.housekeeping_tasks;
begin
  if not pg_try_advisory_xact_lock(hashtextextended('private.housekeeping', 0)) then
    return;
  end if;
  for v_task in select * from private.housekeeping_tasks t order by t.run_order, t.task loop
    select v_task.task, r.affected, r.code into task, affected, v_task.last_code
      from private.run_housekeeping_task(v_task.function_name, p_now) r;
    update private.housekeeping_tasks t
      set last_run_at = p_now, last_code = v_task.last_code,
          last_success_at = case when v_task.last_code is null then p_now else t.last_success_at end
      where t.task = v_task.task;
    return next;
  end loop;
end;
$$;
comment on function private.housekeeping(timestamptz) is
  'Runs every registered cleanup once; affected is NULL where one failed.';

-- Any error at all must leave the other tasks alone: that is what the handler is for. Its code is kept and alarmed.
create function private.run_housekeeping_task(p_function text, p_now timestamptz default now())
returns table (affected bigint, code text)
language plpgsql volatile security invoker set search_path = '' as $$
begin
  execute format('select %s($1)', p_function) into affected using p_now;
  return next;
exception when others then
  return query select null::bigint, sqlstate;
end;
$$;
comment on function private.run_housekeeping_task(text, timestamptz) is
  'One cleanup in its own subtransaction: rows affected, or the SQLSTATE with which it failed.';

create function worker.run_housekeeping() returns table (task text, affected bigint)
language sql volatile security invoker set search_path = '' as $$
  select h.task, h.affected from private.housekeeping() h
$$;
comment on function worker.run_housekeeping() is
  'Runs all cleanups; one row per task, affected NULL where a task failed, no rows while another run is under way.';

insert into private.definer_ledger (function_name, reason) values
  ('private.housekeeping', 'Cleanups delete from tables that service_role has no rights on.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('ensure_partitions', 'private.ensure_partitions', 10),
  ('drop_expired_partitions', 'private.drop_expired_partitions', 20),
  ('expire_idempotency_keys', 'private.expire_idempotency_keys', 30),
  ('release_dead_leases', 'private.release_dead_leases', 40),
  ('forget_workers', 'private.forget_workers', 41),
  ('forget_dead_letters', 'private.forget_dead_letters', 42);
