-- Checks of erasure, retention and legal holds (P7.3, P8.3, P8.5)
-- Why, Caller, Errors, Repeat: as in collection.sql.

-- The chain is long: the newest entries are looked at each day, so that each one is looked at when it is new.
create function private.newest_ledger_faults(p_limit int) returns bigint
language sql stable security invoker set search_path = '' as $$
  select count(*) from (
    select l.hash, private.ledger_hash(l) as wanted, l.prev_hash, lag(l.hash) over (order by l.seq) as before
    from private.erasure_ledger l
    where l.seq > (select max(m.seq) from private.erasure_ledger m) - p_limit) c
  where c.hash <> c.wanted or c.prev_hash <> c.before
$$;
comment on function private.newest_ledger_faults(int) is 'Newest entries of the ledger that were changed or do not follow from the one before.';

create function private.attest_accounts_are_erased_in_time(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function public.request_erasure', 'function private.request_erasure', 'function private.begin_erasure',
      'function private.lock_down', 'function private.plan_erasure', 'function private.run_erasure_step', 'function private.advance_erasure',
      'constraint private.erasures due_within_30_days', 'constraint private.erasures grace_is_shorter',
      'constraint private.erasures open_names_its_person', 'trigger private.erasure_ledger _100_append_only'])
    || private.unscheduled(array['resume_all_erasures', 'warn_of_erasures', 'forget_erasure_notices'])
    || private.fault(count(*) filter (where e.due_at < p_now and e.state <> 'held'), 'erasures past their 30 days')
    || private.fault((select count(*) from private.erasures d where d.state = 'completed' and d.ended_at > d.due_at
         and d.ended_at > p_now - interval '30 days' and not exists (select from private.legal_holds h where h.subject_id = d.id)),
       'accounts that were erased after their 30 days')
    || private.fault((select count(*) from private.erasure_notices n where n.delete_by < p_now - interval '1 hour'), 'last addresses kept too long')
    || private.fault(private.newest_ledger_faults(5000), 'entries of the ledger that were changed'),
    jsonb_build_object('open', count(*), 'next_due_at', min(e.due_at),
      'ledger_entries', (select coalesce(max(l.seq), 0) from private.erasure_ledger l)))
  from private.erasures e where e.ended_at is null
$$;
comment on function private.attest_accounts_are_erased_in_time(timestamptz) is 'P7.3';

create function private.attest_invoices_are_kept_apart(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger public.billing_invoices _100_immutable', 'trigger public.billing_invoices _110_keep_all',
      'trigger retained.billing_invoices _100_immutable', 'trigger retained.billing_invoices _110_keep_all',
      'function private.tg_billing_invoices__immutable', 'function private.retain_invoices', 'function private.destroy_old_invoices',
      'constraint retained.billing_invoices kept_for_seven_years'])
    || private.unscheduled(array['destroy_old_invoices'])
    || private.fault_list('retained though an invoice does not need it', array(
      select a.attname::text from pg_attribute a where a.attrelid = 'retained.billing_invoices'::regclass and a.attnum > 0
        and not a.attisdropped and a.attname ~ '(user_id|email|phone|stripe|note)'))
    || private.fault(count(*) filter (where r.purge_after < p_now - interval '1 day'), 'invoices kept longer than 7 years'),
    jsonb_build_object('retained', count(*), 'next_destruction_at', min(r.purge_after)))
  from retained.billing_invoices r
$$;
comment on function private.attest_invoices_are_kept_apart(timestamptz) is 'P8.3';

create function private.attest_holds_suspend_erasure(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.tg_keep_held', 'function private.hold_covers', 'function private.effective_holds',
      'function private.held_relations', 'function private.approve_legal_hold', 'function private.release_legal_hold',
      'constraint private.legal_holds a_second_person_approves', 'constraint private.legal_holds a_second_person_releases',
      'constraint private.legal_holds tokens_are_never_held'])
    || private.fault(count(*) filter (where not exists (select from private.effective_holds(e.user_id, p_now))),
                     'erasures that wait though no hold is left'),
    jsonb_build_object('holds', (select count(*) from private.legal_holds h where h.released_at is null), 'held_erasures', count(*)))
  from private.erasures e where e.state = 'held'
$$;
comment on function private.attest_holds_suspend_erasure(timestamptz) is 'P8.5';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('accounts_are_erased_in_time', 'P7.3', 'database', 'A request locks the account at once and sets its deadline by constraint; an erasure resumes after any break, and its ledger is chained.'),
  ('invoices_are_kept_apart', 'P8.3', 'database', 'Triggers keep invoices unchanged; an erasure moves them to a schema of their own without the person, and 7 years end by constraint.'),
  ('holds_suspend_erasure', 'P8.5', 'database', 'A trigger on every table raises when something held is to be deleted; a hold takes two people, and erasure resumes when it is lifted.');
