-- private.retention_rules, private.apply_retention(now), private.retention_faults(now)
-- Why:     each term that the catalogue states is a row here, with the job that keeps it; what is past its term and still
--          there is a fault that the attestation sees (P8.1, P8.3, P1.7).
-- Caller:  housekeeping applies the rules that have no job of their own; tests and the attestation ask for faults.
-- Errors:  none.
-- Repeat:  safe.
-- Locks:   the rows that go.

create table private.retention_rules (
  relation text primary key,
  anchor_column text not null,
  keep interval not null,
  slack interval not null default '1 day',
  applied_by text not null,
  condition text not null default 'true',
  reason text not null,
  constraint keep_is_positive check (keep > interval '0'),
  constraint slack_is_not_negative check (slack >= interval '0'),
  constraint reason_is_a_sentence check (length(reason) between 10 and 300)
);
comment on table private.retention_rules is 'How long rows are kept, and which job sees to it.';
comment on column private.retention_rules.anchor_column is 'The instant from which the term runs.';
comment on column private.retention_rules.slack is 'How much later than the term the job may come.';
comment on column private.retention_rules.applied_by is
  'A task of private.housekeeping_tasks; apply_retention deletes by this row itself, drop_expired_partitions by month.';
comment on column private.retention_rules.condition is 'Which rows t the term is for; written by migrations alone.';

insert into private.retention_rules (relation, anchor_column, keep, slack, applied_by, condition, reason) values
  ('private.idempotency_keys', 'created_at', '24 hours', '1 hour', 'expire_idempotency_keys', 'true', 'Long enough for a front end that repeats a request.'),
  ('private.dead_letters', 'died_at', '90 days', '1 day', 'forget_dead_letters', 'true', 'Long enough to look into an alarm.'),
  ('private.audit_events', 'at', '13 months', '32 days', 'drop_expired_partitions', 'true', 'A year, and a month to compare with.'),
  ('public.login_events', 'at', '13 months', '32 days', 'drop_expired_partitions', 'true', 'A person sees a year of sign-ins (P1.10).'),
  ('private.publish_attempts', 'finished_at', '13 months', '32 days', 'drop_expired_partitions', 'true', 'Evidence about a post, for a year.'),
  ('private.usage_events', 'day', '30 days', '1 day', 'drop_expired_partitions', 'true', 'Counted when the day is over; a month to look into a fault of that (P1.7).'),
  ('private.usage_calls', 'day', '24 hours', '1 day', 'destroy_usage_keys', 'true', 'Emptied with the key of its day (P5.2).'),
  ('public.notifications', 'created_at', '1 year', '1 day', 'forget_notifications', 'true', 'What nobody has read for a year is no news.'),
  ('private.oauth_flows', 'expires_at', '10 minutes', '1 hour', 'forget_oauth_flows', 'true', 'Time to sign in at the platform.'),
  ('private.pending_connections', 'expires_at', '10 minutes', '1 hour', 'drop_unconfirmed_connections', 'true', 'Time to confirm a connection.'),
  ('private.revocation_outbox', 'created_at', '24 hours', '1 hour', 'expire_revocations', 'true', 'Time for the platform to be told (P6.7).'),
  ('private.platform_budgets', 'resets_at', '8 days', '1 day', 'forget_budgets', 'true', 'The window is over.'),
  ('private.mails', 'created_at', '13 months', '1 day', 'forget_mails', 't.state <> ''waiting''', 'Proof of what was sent, for a year.'),
  ('private.mail_events', 'at', '13 months', '32 days', 'forget_mails', 'true', 'Goes with its mail.'),
  ('private.grant_reminders', 'usable_until', '30 days', '1 day', 'forget_reminders', 'true', 'Goes when its grant has ended.'),
  ('private.erasure_notices', 'created_at', '72 hours', '1 hour', 'forget_erasure_notices', 'true', 'The last mail to somebody who is gone.'),
  ('private.erasure_outbox', 'done_at', '30 days', '1 day', 'resume_all_erasures', 'true', 'Goes when its erasure is complete (P7.3).'),
  ('private.erasures', 'requested_at', '30 days', '1 day', 'resume_all_erasures', 't.user_id is not null and t.state <> ''held''', 'Names nobody once it has ended (P7.3).'),
  ('private.erasure_tombstones', 'ended_at', '35 days', '2 days', 'forget_tombstones', 'true', 'As long as a backup may hold the person (P8.2).'),
  ('private.legal_holds', 'released_at', '3 years', '1 day', 'apply_retention', 'true', 'Proof that a hold was lawful, until claims lapse.'),
  ('retained.billing_invoices', 'issued_at', '7 years', '1 day', 'destroy_old_invoices', 'true', 'The law wants invoices for seven years (P8.3).'),
  ('public.billing_invoices', 'issued_at', '7 years', '1 day', 'apply_retention', 'false', 'With the account; seven years are counted in schema retained (P8.3).'),
  ('auth.sessions', 'created_at', '30 days', '1 day', 'expire_sessions', 'false', 'Inactivity ends a session (P3.7); one in use goes on.'),
  ('auth.flow_state', 'created_at', '24 hours', '1 day', 'apply_retention', 'true', 'A sign-in that was not finished.'),
  ('auth.audit_log_entries', 'created_at', '13 months', '1 day', 'apply_retention', 'true', 'What Auth writes down and never deletes by itself.');

create function private.apply_retention(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_rule private.retention_rules;
  v_count bigint;
  v_total bigint := 0;
begin
  for v_rule in select * from private.retention_rules r where r.applied_by = 'apply_retention' order by r.relation loop
    if to_regclass(v_rule.relation) is not null and v_rule.condition <> 'false' then
      execute format('delete from %s where ctid = any (array(select t.ctid from %1$s t where t.%I < %L and (%s) limit %s))',
                     v_rule.relation, v_rule.anchor_column, p_now - v_rule.keep, v_rule.condition,
                     private.setting_int('housekeeping_batch'));
      get diagnostics v_count = row_count;
      v_total := v_total + v_count;
    end if;
  end loop;
  return v_total;
end;
$$;
comment on function private.apply_retention(timestamptz) is 'Housekeeping: deletes what is past its term, for rules without a job of their own.';

create function private.retention_gaps() returns table (relation text, fault text)
language sql stable security invoker set search_path = '' as $$
  select d.name, case when r.relation is null then 'no rule for its term' else 'rule and catalogue differ' end
  from (
    select d.schema_name || '.' || d.relation as name, min(d.retain_for) as retain_for from private.data_catalogue d
    join pg_class c on c.relname = d.relation and c.relnamespace = to_regnamespace(d.schema_name) and c.relkind in ('r', 'p')
    where d.kind = 'column' and d.retain_for is not null and not d.is_optional group by 1) d
  left join private.retention_rules r on r.relation = d.name
  where r.relation is null or r.keep <> d.retain_for
  union all
  select r.relation, 'no term in the catalogue' from private.retention_rules r
  where not exists (select from private.data_catalogue d where d.schema_name || '.' || d.relation = r.relation and d.retain_for is not null)
  union all
  select r.relation, 'no such column' from private.retention_rules r
  where to_regclass(r.relation) is not null and not exists (
    select from pg_attribute a where a.attrelid = to_regclass(r.relation) and a.attname = r.anchor_column and not a.attisdropped)
  union all
  select r.relation, 'no job' from private.retention_rules r
  where not exists (select from private.housekeeping_tasks k where k.task = r.applied_by)
     or r.applied_by = 'drop_expired_partitions' and not exists (
       select from private.partitioned_tables p where p.table_name = r.relation and p.retention <= r.keep)
$$;
comment on function private.retention_gaps() is 'Terms without rule or job, and rules that differ from the catalogue.';

create function private.retention_faults(p_now timestamptz default now()) returns table (relation text, fault text)
language plpgsql stable security invoker set search_path = '' as $$
declare
  v_rule private.retention_rules;
  v_is_late boolean;
  v_held text;
begin
  return query select g.relation, g.fault from private.retention_gaps() g;
  for v_rule in select * from private.retention_rules r order by r.relation loop
    if to_regclass(v_rule.relation) is not null and v_rule.condition <> 'false' then
      v_held := case when exists (select from pg_attribute a where a.attrelid = v_rule.relation::regclass and a.attname = 'user_id')
                  then 'and (t.user_id is null or t.user_id::text not in (select h.subject_id::text from private.held_people h))' else '' end;
      execute format('select exists (select from %s t where t.%I < %L and (%s) %s)', v_rule.relation, v_rule.anchor_column,
                     p_now - v_rule.keep - v_rule.slack, v_rule.condition, v_held) into v_is_late;
      if v_is_late then
        return query select v_rule.relation, 'rows past their term'::text;
      end if;
    end if;
  end loop;
end;
$$;
comment on function private.retention_faults(timestamptz) is
  'Everything that keeps a retention rule from being kept; no rows: all are. Rows that a legal hold keeps do not count (P8.5).';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('apply_retention', 'private.apply_retention', 930);
