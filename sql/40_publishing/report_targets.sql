-- worker.report_targets(worker, results)
-- Why:     the outcome of attempts, in batches. What counts is fenced by (target, attempt, worker): a worker that lost its
--          lease cannot undo what came after it. One thing always counts: that a post that was sent is on the platform.
-- Caller:  service_role. DEFINER body: queue and state are closed to it.
-- Errors:  NX002 results are not a JSON array. A bad or late row is no error: it comes back with accepted = false.
-- Repeat:  safe: a repeated success is accepted without effect, anything else repeated is not accepted.
-- Locks:   worker (shared), queue rows, targets, budget rows.
-- Outcomes:published | retry (certainly not accepted) | rejected | unknown (sent, no answer) | unconfirmed (the platform
--          cannot say) | released (given back unsent) | reconnect (the grant is gone)
-- Speed:   successes go in one statement by primary keys; see claim_targets.sql for the settings.

create function private.report_targets(p_worker_id uuid, p_results jsonb, p_now timestamptz default now())
returns table (target_id uuid, accepted boolean, state text)
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan as $$
declare
  v_reports private.target_report[] := private.parse_reports(p_results);
  v_done uuid[];
begin
  if private.hold_worker(p_worker_id) is distinct from 'live' or not private.are_all_published(v_reports) then
    perform private.lock_reported(v_reports);
  end if;
  v_done := private.record_published(p_worker_id, v_reports, p_now);
  return query select d, true, 'published'::text from unnest(v_done) d;
  if cardinality(v_done) < cardinality(v_reports) then
    return query select * from private.report_others(p_worker_id, v_reports, v_done, p_now);
  end if;
  if exists (select from unnest(v_reports) r where r.notice is not null) then
    perform private.notify_of_published(v_reports, p_now);
  end if;
  if exists (select from unnest(v_reports) r where r.budget is not null or r.code = 'rate_limited') then
    perform private.observe_budgets(v_reports, p_now);
  end if;
end;
$$;
comment on function private.report_targets(uuid, jsonb, timestamptz) is 'Body of worker.report_targets().';

create function private.record_published(p_worker_id uuid, p_reports private.target_report[], p_now timestamptz)
returns uuid[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_done uuid[];
  v_charges private.target_charge[];
begin
  with report as materialized (
    select r.* from unnest(p_reports) r where r.outcome = 'published' order by r.target_id
  ), gone as (
    delete from private.queue q using report r
    where q.lane = 'publish' and q.subject_id = r.target_id and q.worker_id = p_worker_id and q.attempt = r.attempt
    returning q.leased_at, q.sending_at, q.progress, r.*
  ), done as (
    update public.post_targets t
    set state = 'published', attempt = g.attempt, published_at = p_now,
        external_id = coalesce(left(g.external_id, 512), t.external_id),
        external_url = coalesce(case when starts_with(g.external_url, 'https://') and length(g.external_url) <= 2000
                                     then g.external_url end, t.external_url),
        failure_code = null, failure_message = null, updated_at = p_now
    from gone g where t.id = g.target_id
    returning t.id, t.user_id, t.attempt, g.charge, g.leased_at, g.sending_at, g.http_status,
              coalesce(g.platform_key, g.progress ->> 'platform_key') as platform_key
  ), tried as (
    insert into private.publish_attempts (target_id, attempt, finished_at, user_id, worker_id, claimed_at, sending_at,
                                          outcome, http_status, platform_key)
    select d.id, d.attempt, p_now, d.user_id, p_worker_id, d.leased_at, d.sending_at, 'published', d.http_status,
           left(d.platform_key, 512)
    from done d
  )
  select coalesce(array_agg(d.id), '{}'),
         array_agg(row(d.id, d.charge)::private.target_charge) filter (where d.charge is not null)
    into v_done, v_charges from done d;
  if v_charges is not null then
    perform private.charge_targets(v_charges, p_now);
  end if;
  return v_done;
end;
$$;
comment on function private.record_published(uuid, private.target_report[], timestamptz) is
  'Successes whose lease holds: queue row, target and attempt in one statement; returns their ids.';

-- A post can be out and yet not be what was asked for: YouTube may hold a video private, TikTok leaves one in the inbox.
create function private.notify_of_published(p_reports private.target_report[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  select private.notify(t.user_id, 'target_published', 'post_target', t.id, private.short_code(r.notice), p_now)
  from unnest(p_reports) r join public.post_targets t on t.id = r.target_id
  where r.outcome = 'published' and r.notice is not null and t.state = 'published'
    and (r.external_id is null or t.external_id is not distinct from left(r.external_id, 512))
  order by t.user_id, t.id
$$;
comment on function private.notify_of_published(private.target_report[], timestamptz) is
  'Tells people what they should know about posts that are out.';

create function private.report_others(
  p_worker_id uuid, p_reports private.target_report[], p_done uuid[], p_now timestamptz
) returns table (target_id uuid, accepted boolean, state text)
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_verdicts private.target_verdict[] := private.judge_reports(p_worker_id, p_reports, p_now);
  v_settled uuid[] := array(select v.target_id from unnest(v_verdicts) v);
  v_report private.target_report;
begin
  perform private.settle_targets(v_verdicts, p_now);
  foreach v_report in array p_reports loop
    target_id := v_report.target_id;
    accepted := case
      when v_report.outcome = 'published' then
        v_report.target_id <> all (p_done) and private.record_late_success(p_worker_id, v_report, p_now)
      else v_report.target_id = any (v_settled) and exists (
        select from private.publish_attempts a
        where a.target_id = v_report.target_id and a.attempt = v_report.attempt and a.outcome = v_report.outcome
          and a.finished_at = p_now) end;
    select t.state::text into state from public.post_targets t where t.id = v_report.target_id;
    if accepted is distinct from true and v_report.target_id = any (p_done) and v_report.outcome = 'published' then
      continue; -- answered already
    end if;
    accepted := coalesce(accepted, false);
    return next;
  end loop;
end;
$$;
comment on function private.report_others(uuid, private.target_report[], uuid[], timestamptz) is
  'Everything that is not a success with a good lease: settles what counts, and answers every row.';

-- The queue rows are locked here, in order, and stay so until the verdicts are carried out.
create function private.judge_reports(p_worker_id uuid, p_reports private.target_report[], p_now timestamptz)
returns private.target_verdict[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_leases private.queue[];
begin
  v_leases := array(
    select q from private.queue q
    where q.lane = 'publish' and q.worker_id = p_worker_id and q.subject_id = any (array(
      select r.target_id from unnest(p_reports) r where r.outcome <> 'published'))
    order by q.subject_id for update);
  return array(
    select private.judge_report(r.report, r.lease, t, p_now)
    from (
      select distinct on (l.subject_id) x as report, l as lease
      from unnest(p_reports) x join unnest(v_leases) l on l.subject_id = x.target_id and l.attempt = x.attempt
      where x.outcome in ('retry', 'rejected', 'unknown', 'unconfirmed', 'released', 'reconnect')
      order by l.subject_id
    ) r
    join public.post_targets t on t.id = (r.lease).subject_id
    where t.state in ('scheduled', 'publishing'));
end;
$$;
comment on function private.judge_reports(uuid, private.target_report[], timestamptz) is
  'Verdicts on reports whose lease holds, successes aside.';

-- Never twice: what may have been sent is never given back or retried, only probed.
create function private.judge_report(
  p_report private.target_report, p_lease private.queue, p_target public.post_targets, p_now timestamptz
) returns private.target_verdict
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_verdict private.target_verdict := private.verdict(p_target.id, 'failed', private.short_code(p_report.code));
  v_is_sent boolean := p_lease.sending_at is not null;
begin
  v_verdict.outcome := p_report.outcome;
  v_verdict.http_status := p_report.http_status;
  v_verdict.platform_key := left(p_report.platform_key, 512);
  v_verdict.message := coalesce(p_report.message, v_verdict.message);
  case
    when p_report.outcome = 'unconfirmed' then
      v_verdict := private.end_with(v_verdict, 'unconfirmed', 'NX435');
    when p_report.outcome = 'reconnect' then
      v_verdict := private.wait_for_account(v_verdict, p_report, p_lease, p_target, p_now);
    when v_is_sent and p_report.outcome in ('unknown', 'released') then
      v_verdict := private.probe_later(v_verdict, p_report, p_lease, p_now);
    when p_report.outcome = 'released' then
      v_verdict.state := 'scheduled';
      v_verdict.due_at := p_now;
      v_verdict.is_uncounted := true;
    when p_report.outcome in ('retry', 'unknown') then
      v_verdict := private.try_later(v_verdict, p_report, p_lease, p_target, p_now);
    else
      v_verdict.code := coalesce(v_verdict.code, 'rejected');
  end case;
  return v_verdict;
end;
$$;
comment on function private.judge_report(private.target_report, private.queue, public.post_targets, timestamptz) is
  'What becomes of a target whose attempt ended without success.';

-- The account may have been connected again, or disconnected, while the worker was at it.
create function private.wait_for_account(
  p_verdict private.target_verdict, p_report private.target_report, p_lease private.queue,
  p_target public.post_targets, p_now timestamptz
) returns private.target_verdict
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_state public.connection_state := (select c.state from public.connections c where c.id = p_target.connection_id);
  v_paused private.target_verdict;
begin
  if v_state = 'active' then
    return private.try_later(p_verdict, p_report, p_lease, p_target, p_now);
  elsif v_state is distinct from 'needs_reconnect' then
    return private.end_with(p_verdict, 'failed', 'NX431');
  end if;
  v_paused := private.paused(p_target, true, p_verdict.outcome, p_now);
  v_paused.http_status := p_verdict.http_status;
  return v_paused;
end;
$$;
comment on function private.wait_for_account(private.target_verdict, private.target_report, private.queue,
  public.post_targets, timestamptz) is
  'The platform refused the token: paused until the account is connected again; tried again where it is already.';

create function private.end_with(p_verdict private.target_verdict, p_state public.target_state, p_code text)
returns private.target_verdict
language plpgsql stable security invoker set search_path = '' as $$
begin
  p_verdict.state := p_state;
  p_verdict.code := p_code;
  p_verdict.message := private.error_message(p_code);
  return p_verdict;
end;
$$;
comment on function private.end_with(private.target_verdict, public.target_state, text) is 'Ends a target with a code of ours.';

create function private.longest_wait(p_seconds numeric) returns numeric
language sql immutable security invoker set search_path = '' as $$
  select least(coalesce(p_seconds, 0), 7 * 86400) -- least() alone would take its bound for a wait that nobody asked for
$$;
comment on function private.longest_wait(numeric) is 'How long a platform asks to be left alone, at most a week; in seconds.';

create function private.probe_later(
  p_verdict private.target_verdict, p_report private.target_report, p_lease private.queue, p_now timestamptz
) returns private.target_verdict
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_probes int := p_lease.attempt - p_lease.sending_attempt;
begin
  if v_probes >= private.setting_int('reconcile_max_attempts') then
    return private.end_with(p_verdict, 'unconfirmed', 'NX435');
  end if;
  p_verdict.state := 'publishing';
  p_verdict.due_at := p_now + private.backoff_delay(v_probes + 1, greatest(private.longest_wait(p_report.retry_after_seconds), 5));
  return p_verdict;
end;
$$;
comment on function private.probe_later(private.target_verdict, private.target_report, private.queue, timestamptz) is
  'Sent, outcome unknown: to be probed again after a while, or unconfirmed once that was done often enough.';

create function private.try_later(
  p_verdict private.target_verdict, p_report private.target_report, p_lease private.queue,
  p_target public.post_targets, p_now timestamptz
) returns private.target_verdict
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_tries int := p_lease.attempt - p_target.attempt_base;
begin
  if v_tries >= private.setting_int('publish_max_attempts') then
    p_verdict.code := coalesce(p_verdict.code, 'NX436');
    p_verdict.message := coalesce(p_verdict.message, private.error_message('NX436'));
    return p_verdict;
  end if;
  p_verdict.due_at := p_now + private.backoff_delay(v_tries, private.longest_wait(p_report.retry_after_seconds));
  p_verdict.state := 'scheduled';
  if p_verdict.due_at > p_target.scheduled_at + p_target.tolerance then
    p_verdict.state := 'missed';
    p_verdict.due_at := null;
    p_verdict.code := coalesce(p_verdict.code, 'NX434');
    p_verdict.message := coalesce(p_verdict.message, private.error_message('NX434'));
  end if;
  return p_verdict;
end;
$$;
comment on function private.try_later(private.target_verdict, private.target_report, private.queue, public.post_targets,
  timestamptz) is
  'Certainly not accepted: tried again after a growing random delay, failed after too many tries, missed when the next '
  'one would come too late.';

create function worker.report_targets(p_worker_id uuid, p_results jsonb)
returns table (target_id uuid, accepted boolean, state text)
language sql volatile security invoker set search_path = '' as $$
  select * from private.report_targets(p_worker_id, p_results)
$$;
comment on function worker.report_targets(uuid, jsonb) is
  'Reports [{target_id, attempt, outcome, external_id, external_url, code, message, http_status, platform_key, '
  'retry_after_seconds, budget, charge, notice}]. outcome: published, retry, rejected, unknown, unconfirmed, released or '
  'reconnect. message is for the person; notice is a code that the person is told with a success; budget is what the '
  'platform said is left: [{scope: account|app, name, limit, remaining, resets_at}], in posts. Each row is answered, in '
  'any order; accepted = false: the lease is gone or the row is malformed.';

insert into private.definer_ledger (function_name, reason) values
  ('private.report_targets', 'Changes queue and state, on which service_role has no rights.');
