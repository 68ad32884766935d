-- Checks of exports and of requests about data (P7.4, P7.7)
-- Why, Caller, Errors, Repeat: as in collection.sql.

-- The texts of posts, scripts and captions have a check of their own (P1.3).
create function private.attest_exports_are_complete(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  with exported as materialized (select r.area, r.place, r.columns, r.predicate from private.exported_relations() r)
  select private.found(
    private.broken_guards(array['function public.request_export', 'function private.request_export', 'function private.exported_relations',
      'function private.export_lines', 'function private.stage_export', 'function private.describe_export', 'function private.begin_export',
      'function private.finish_export', 'constraint private.exports ready_is_whole', 'calls public.request_export authenticated execute'])
    || private.fault_list('is in no export', array(
      select d.schema_name || '.' || d.relation || '.' || d.column_name from private.data_catalogue d
      join pg_attribute a on a.attrelid = to_regclass(d.schema_name || '.' || d.relation) and a.attname = d.column_name and not a.attisdropped
      where d.kind = 'column' and d.export_action = 'include' and not exists (
        select from exported e where e.place = d.schema_name || '.' || d.relation and d.column_name = any (e.columns))))
    || private.fault_list('left out of exports without a reason', array(
      select d.schema_name || '.' || d.relation || '.' || d.column_name from private.data_catalogue d
      join pg_class c on c.oid = to_regclass(d.schema_name || '.' || d.relation) and c.relkind in ('r', 'p')
      where d.schema_name = 'public' and d.kind = 'column' and d.category ~ '^user' and d.export_action = 'exclude_derived' and d.justification is null
        and (d.category <> 'user.content' or d.relation not in ('scripts', 'posts', 'captions', 'post_targets'))))
    || private.fault_list('no way from it to its person', array(select e.place from exported e where e.predicate is null))
    || private.fault_list('name of more than one area', array(select e.area from exported e group by e.area having count(*) > 1))
    || private.fault(count(*) filter (where x.state in ('requested', 'building') and x.requested_at < p_now - interval '3 days'),
                     'exports that nobody makes'),
    jsonb_build_object('areas', (select count(*) from exported), 'columns', (select sum(cardinality(e.columns)) from exported e),
      'exports', count(*), 'ready', count(*) filter (where x.state = 'ready')))
  from private.exports x
$$;
comment on function private.attest_exports_are_complete(timestamptz) is 'P7.4';

create function private.attest_exports_are_private(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.open_export', 'function private.redeem_export', 'function private.recent_person',
      'function private.forget_export', 'function private.resume_exports', 'constraint private.exports gone_after_seven_days',
      'constraint private.exports object_is_in_the_folder_of_its_person', 'constraint private.export_tickets hash_is_sha_256',
      'constraint private.data_catalogue secrets_are_never_exported', 'calls worker.redeem_export service_role execute'])
    || private.unscheduled(array['resume_exports', 'forget_exports'])
    || private.fault((select count(*) from (values ('exports')) w (id) where not exists (
         select from storage.buckets b where b.id = w.id and not b.public)), 'buckets of archives that are public or missing')
    || private.fault(count(*) filter (where o.created_at < p_now - interval '8 days'), 'archives that are older than seven days')
    || private.fault((select count(*) from private.export_tickets t where t.expires_at > p_now + interval '2 minutes'),
                     'links that live longer than two minutes')
    || private.fault_list('secret in exports', array(
      select r.place || '.' || c from private.exported_relations() r cross join unnest(r.columns) c
      where r.place = any (private.token_places()) or c ~ '(sealed|password|secret|_token$|(token|code|ticket|state|revoke)_hash$)')),
    jsonb_build_object('archives', count(*), 'oldest', min(o.created_at)))
  from storage.objects o where o.bucket_id = 'exports'
$$;
comment on function private.attest_exports_are_private(timestamptz) is 'P7.4';

-- A deletion that is late breaks a promise of its own (P7.3), unless a legal hold keeps it: then its person has to be told.
create function private.attest_requests_are_answered(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function public.request_right', 'function private.request_right', 'function private.use_right',
      'function private.open_request', 'function private.close_request', 'function private.answer_request', 'function private.answer_hash',
      'function private.escalate_requests', 'function private.request_level', 'calls public.request_right authenticated execute',
      'calls worker.answer_request service_role execute', 'constraint private.rights_requests due_within_30_days',
      'constraint private.rights_requests answered_is_whole', 'constraint private.rights_requests answer_is_proven',
      'trigger private.rights_requests _100_keep', 'trigger private.exports _300_follow_right', 'trigger private.erasures _300_follow_right'])
    || private.unscheduled(array['escalate_requests'])
    || private.fault(count(*) filter (where r.state = 'open' and r.due_at < p_now and (r.kind <> 'delete' or e.state = 'held')),
                     'requests past their 30 days')
    || private.fault(count(*) filter (where r.state in ('answered', 'refused') and r.closed_at > r.due_at
                                        and r.closed_at > p_now - interval '30 days'), 'answers of the last 30 days that came too late')
    || private.fault(count(*) filter (where r.state = 'open' and (r.kind <> 'delete' or e.state = 'held')
         and r.alarm_level < private.request_level(r.received_at, p_now - interval '1 hour')), 'requests near their deadline without an alarm')
    || private.fault((select count(*) from private.exports x where x.state in ('requested', 'building') and not exists (
         select from private.rights_requests q where q.kind = 'export' and q.subject_id = x.id)), 'exports that are no requests'),
    jsonb_build_object('open', count(*) filter (where r.state = 'open'),
      'next_due_at', min(r.due_at) filter (where r.state = 'open'),
      'answered', count(*) filter (where r.state in ('answered', 'refused')),
      'near_deadline', count(*) filter (where r.state = 'open' and private.request_level(r.received_at, p_now) > 0)))
  from private.rights_requests r
  left join private.erasures e on e.id = r.subject_id and r.kind = 'delete'
$$;
comment on function private.attest_requests_are_answered(timestamptz) is 'P7.7';

create function private.attest_restrictions_hold(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.restrict_processing', 'function private.lift_restriction',
      'function private.take_back_scheduled', 'function private.note_held_people', 'function private.schedule_refresh',
      'function private.make_due_occurrences', 'function private.reason_to_refuse', 'function private.carry_out',
      'function private.refuse_everything', 'constraint private.accounts restriction_shows_in_the_state'])
    || private.fault(count(*) filter (where not exists (select from private.held_people h where h.subject_id = a.user_id)),
                     'restricted people whose data a cleanup may delete')
    || private.fault(count(*) filter (where exists (
         select from public.post_targets t where t.user_id = a.user_id and t.state = 'scheduled')), 'restricted people with something scheduled')
    || private.fault(count(*) filter (where exists (
         select from private.token_vault v join private.queue q on q.lane in ('refresh') and q.subject_id = v.connection_id
         where v.user_id = a.user_id)), 'restricted people whose tokens are renewed'),
    jsonb_build_object('restricted', count(*)))
  from private.accounts a where a.restricted_at is not null
$$;
comment on function private.attest_restrictions_hold(timestamptz) is 'P7.7';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('exports_are_complete', 'P7.4', 'database', 'The data catalogue decides what an export holds: every column marked for it, read by one statement as of one instant, with a manifest.'),
  ('exports_are_private', 'P7.4', 'database', 'Archives lie in a private bucket for seven days; one-time links of two minutes lead there; secrets cannot be marked for export.'),
  ('requests_are_answered', 'P7.7', 'database', 'A constraint sets the deadline at 30 days; alarms come at 20 and 27; answers are hashed and cannot be changed; exports and deletions enter by trigger.'),
  ('restrictions_hold', 'P7.7', 'database', 'Objecting switches off at once what can be refused; a restriction closes the account to all processing, and cleanups pass it over.');
