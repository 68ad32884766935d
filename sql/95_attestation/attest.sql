-- private.attest(now), worker.attest()
-- Why:     what the privacy policy promises can be proven at any time, against the live database, to anybody who asks: one
--          row per check, with counts and names of objects as evidence, never with what people wrote.
-- Caller:  service_role, daily; `./nexora attest`. DEFINER: checks look at everything.
-- Errors:  none: a check that raises has failed, with its SQLSTATE.
-- Repeat:  safe in production: nothing is written, and nothing locked for longer than a read.

create function private.run_check(p_check text, p_now timestamptz default now()) returns private.finding
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_finding private.finding;
begin
  execute format('select (f).passed, (f).evidence from private.%I($1) f', 'attest_' || p_check) into v_finding using p_now;
  return row(coalesce(v_finding.passed, false), coalesce(v_finding.evidence, '{}'))::private.finding;
exception when others then -- whatever it is, the promise is not proven
  return private.found(array['the check failed with ' || sqlstate]);
end;
$$;
comment on function private.run_check(text, timestamptz) is 'One check; any exception is a failure.';

create function private.attest(p_now timestamptz default now())
returns table (promise_id text, check_id text, status text, evidence jsonb)
language sql volatile security definer set search_path = '' as $$
  select p.id, c.id, case when c.runs_in = 'worker' then 'worker' when (f.finding).passed then 'pass' else 'fail' end,
         (f.finding).evidence
  from private.promises p join private.promise_checks c on c.promise_id = p.id
  cross join lateral (select case when c.runs_in = 'database' then private.run_check(c.id, p_now) end as finding offset 0) f
  union all
  select p.id, null, case when p.pending_feature is null then 'fail' else 'pending' end,
         case when p.pending_feature is null then '{"faults": ["no check"]}' else jsonb_build_object('missing_feature', p.pending_feature) end
  from private.promises p
  where p.pending_feature is not null or not exists (select from private.promise_checks c where c.promise_id = p.id)
$$;
comment on function private.attest(timestamptz) is
  'Body of worker.attest(). status: pass, fail, pending, or worker for a check that the worker runs.';

create function private.promise_texts()
returns table (promise_id text, obligation text, check_id text, enforced_by text)
language sql stable security definer set search_path = '' as $$
  select p.id, p.obligation, c.id, c.enforced_by
  from private.promises p left join private.promise_checks c on c.promise_id = p.id
  order by split_part(substr(p.id, 2), '.', 1)::int, split_part(p.id, '.', 2)::int, c.id
$$;
comment on function private.promise_texts() is 'Body of worker.promise_texts().';

create function worker.attest() returns table (promise_id text, check_id text, status text, evidence jsonb)
language sql volatile security invoker set search_path = '' as $$
  select a.promise_id, a.check_id, a.status, a.evidence from private.attest() a
$$;
comment on function worker.attest() is 'Runs every check of the database now; those of the worker come back with status worker.';

create function worker.promise_texts()
returns table (promise_id text, obligation text, check_id text, enforced_by text)
language sql stable security invoker set search_path = '' as $$
  select t.promise_id, t.obligation, t.check_id, t.enforced_by from private.promise_texts() t
$$;
comment on function worker.promise_texts() is 'The promises in their order, each with its checks and how it is enforced.';

insert into private.definer_ledger (function_name, reason) values
  ('private.attest', 'Checks read the catalogue and every table, on which service_role has no rights.'),
  ('private.promise_texts', 'Reads the promises, on which service_role has no rights.');
