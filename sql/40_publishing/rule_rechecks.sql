-- private.rule_rechecks, private.recheck_scheduled_targets(now)
-- Why:     a limit that changes reaches posts that are scheduled already as a notice, when the row is added, not as a
--          failure when they are due. Each is judged by the rules of its own day, so a rule that begins in ten days is told
--          about now.
-- Caller:  private.housekeeping(). Bounded: one run looks at `recheck_batch` targets and goes on where the last one ended.
-- Errors:  none.
-- Repeat:  safe: a person is told once per change of the rules.
-- Locks:   targets, skipping those that somebody holds: what a worker has in hand is judged by the claim.

create table private.rule_rechecks (
  rules_changed_at timestamptz primary key,
  after_at timestamptz not null,
  after_id uuid not null,
  finished_at timestamptz
);
comment on table private.rule_rechecks is 'How far the scheduled posts have been judged anew, per change of the rules.';
comment on column private.rule_rechecks.after_at is 'Everything scheduled up to here (and after_id) has been looked at.';

create function private.open_recheck(p_now timestamptz) returns private.rule_rechecks
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_recheck private.rule_rechecks;
begin
  -- Only the newest change counts: its run judges by all rules.
  insert into private.rule_rechecks (rules_changed_at, after_at, after_id)
    select max(r.changed_at), '-infinity', '00000000-0000-0000-0000-000000000000'
    from public.platform_rules r where r.changed_at <= p_now having max(r.changed_at) is not null
    on conflict do nothing;
  delete from private.rule_rechecks r
    where r.rules_changed_at < (select max(x.rules_changed_at) from private.rule_rechecks x);
  select * into v_recheck from private.rule_rechecks r where r.finished_at is null for update;
  return v_recheck;
end;
$$;
comment on function private.open_recheck(timestamptz) is 'The run that is under way or due, locked; an empty row: none.';

-- What people are told is not that something failed: it has not, and they have until then to change it.
create function private.judge_anew(p_target public.post_targets, p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if exists (select from private.target_problems(p_target.id, null, p_now) x where x.severity = 'error') then
    perform private.notify(p_target.user_id, 'target_breaks_new_rule', 'post_target', p_target.id, 'NX410', p_now);
  else
    update public.post_targets t set checked_at = p_now where t.id = p_target.id;
  end if;
end;
$$;
comment on function private.judge_anew(public.post_targets, timestamptz) is
  'Keeps that a target is still well, or tells its person that it is not.';

create function private.recheck_scheduled_targets(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_recheck private.rule_rechecks := private.open_recheck(p_now);
  v_batch int := private.setting_int('recheck_batch');
  v_target public.post_targets;
  v_seen int := 0;
begin
  if v_recheck.rules_changed_at is null then
    return 0;
  end if;
  for v_target in
    select t.* from public.post_targets t
    where (t.scheduled_at, t.id) > (v_recheck.after_at, v_recheck.after_id) and t.scheduled_at > p_now
    order by t.scheduled_at, t.id limit v_batch
  loop
    v_seen := v_seen + 1;
    v_recheck.after_at := v_target.scheduled_at;
    v_recheck.after_id := v_target.id;
    if v_target.state = 'scheduled' and v_target.checked_at < v_recheck.rules_changed_at then
      perform from public.post_targets t where t.id = v_target.id and t.state = 'scheduled' for update skip locked;
      if found then
        perform private.judge_anew(v_target, p_now);
      end if;
    end if;
  end loop;
  update private.rule_rechecks r
    set after_at = v_recheck.after_at, after_id = v_recheck.after_id,
        finished_at = case when v_seen < v_batch then p_now end
    where r.rules_changed_at = v_recheck.rules_changed_at;
  return v_seen;
end;
$$;
comment on function private.recheck_scheduled_targets(timestamptz) is
  'Housekeeping: after a change of the rules, judges scheduled targets anew and tells people what has to change.';

insert into private.settings (key, value, description) values
  ('recheck_batch', '2000', 'So many scheduled targets are judged anew per run of the housekeeping.');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('recheck_scheduled_targets', 'private.recheck_scheduled_targets', 430);
