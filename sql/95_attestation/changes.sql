-- Checks of incidents and of changes of the policy (P3.10, P11.*)
-- Why, Caller, Errors, Repeat: as in collection.sql.

create function private.attest_breaches_are_told_in_time(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint private.incidents within_72_hours_of_awareness', 'trigger private.incidents _100_keep',
      'trigger private.incident_recipients _100_keep', 'trigger private.incident_events _100_append_only',
      'trigger private.mails _320_prove_incident', 'function private.open_incident', 'function private.freeze_affected',
      'function private.watch_incidents', 'function private.tg_incidents__keep'])
    || private.unscheduled(array['watch_incidents'])
    || private.fault(count(*) filter (where i.notify_by < p_now and i.frozen_at is null), 'incidents past 72 hours whose affected people are not known')
    || private.fault(count(*) filter (where i.notify_by < p_now and exists (
         select from private.incident_recipients r where r.incident_id = i.id and r.user_id is not null
           and coalesce(r.sent_at > i.notify_by, r.failed_code is null))),
       'incidents of which somebody affected was not told within 72 hours'),
    jsonb_build_object('incidents', count(*), 'open', count(*) filter (where i.notify_by >= p_now)))
  from private.incidents i
$$;
comment on function private.attest_breaches_are_told_in_time(timestamptz) is 'P3.10';

create function private.attest_changes_are_announced(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['constraint public.policy_versions fourteen_days_after_the_announcement',
      'constraint public.policy_versions fourteen_days_after_the_last_mail', 'trigger public.policy_versions _100_keep',
      'trigger private.mails _310_note_policy', 'function private.announce_policy', 'function private.mail_policies',
      'function private.policy_in_effect', 'function private.tg_policy_versions__keep'])
    || private.unscheduled(array['mail_policies', 'settle_policy_mailings'])
    || private.fault(count(*) filter (where v.version > 1 and v.mailed_at <= p_now and v.effective_at <= p_now
         and v.effective_at < coalesce(v.last_mailed_at, v.announced_at) + interval '336 hours'), 'changes that took effect within 14 days'),
    jsonb_build_object('versions', count(*), 'in_effect', private.policy_in_effect(p_now)))
  from public.policy_versions v
$$;
comment on function private.attest_changes_are_announced(timestamptz) is 'P11.1';

create function private.attest_pending_changes_are_shown(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function public.list_policies', 'function private.list_policies',
      'calls public.list_policies authenticated execute', 'calls private.list_policies authenticated execute'])
    || private.fault((private.policy_in_effect(p_now) is null)::int, 'times no version is in effect')
    || private.fault(count(*) filter (where v.summary is null or v.url is null), 'pending changes without text'),
    jsonb_build_object('pending_changes', count(*)))
  from public.policy_versions v where v.version > private.policy_in_effect(p_now)
$$;
comment on function private.attest_pending_changes_are_shown(timestamptz) is 'P11.2';

create function private.attest_acceptance_is_recorded(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['trigger auth.sessions _320_accept_policy', 'trigger private.accounts _320_accept_policy',
      'trigger public.policy_acceptances _100_keep', 'trigger public.policy_acceptances _110_keep_all', 'function private.accept_by_use',
      'function private.tg_sessions__accept_policy', 'function private.tg_accounts__accept_policy'])
    || private.fault((select count(*) from public.policy_acceptances a join public.policy_versions v using (version)
         where a.accepted_at < v.effective_at and v.version > 1), 'acceptances before the version took effect')
    || private.fault(count(*), 'people who signed in since and whose acceptance is not recorded'),
    jsonb_build_object('acceptances', (select count(*) from public.policy_acceptances), 'version_in_effect', private.policy_in_effect(p_now)))
  from public.policy_versions v
  join auth.sessions s on s.created_at > greatest(v.effective_at, v.mailed_at)
  join private.accounts x on x.user_id = s.user_id and x.state <> 'locked'
  left join public.policy_acceptances a on a.user_id = s.user_id and a.version = v.version
  where v.version = private.policy_in_effect(p_now) and a.user_id is null
$$;
comment on function private.attest_acceptance_is_recorded(timestamptz) is 'P11.3';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('breaches_are_told_in_time', 'P3.10', 'database', 'The 72 hours are counted by constraint from an instant that never moves; the affected are frozen, and each mail is proven by its own record.'),
  ('changes_are_announced', 'P11.1', 'database', 'Constraints refuse a date sooner than 14 days after the announcement, and after the last mail about it that went.'),
  ('pending_changes_are_shown', 'P11.2', 'database', 'One call, open in every state of the account, shows the version that holds and the change that is pending.'),
  ('acceptance_is_recorded', 'P11.3', 'database', 'Triggers on sign-up, sign-in and renewal of a session record the version that is accepted, once, only after it took effect.');
