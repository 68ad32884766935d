-- worker.claim_targets(worker, limit, since, busy), worker.next_publish_due()
-- Why:     leases due targets and hands over everything that publishing takes, so that one round trip serves many.
-- Caller:  service_role. DEFINER body: queue, vault and state are closed to it.
-- Errors:  none: an unknown, stopped or dead worker gets nothing.
-- Repeat:  each call leases other targets. If the answer is lost, the lease ends with the worker or with
--          release_stuck_targets(), and nothing was sent.
-- Locks:   worker (shared), queue rows (skipping locked ones), targets that are refused.
--          The queue says who has a target, not the target: what is over in an instant is written once, when it is.
-- Modes:   publish: nothing was sent. reconcile: an earlier attempt began to send and its outcome is unknown; the worker
--          asks the platform and never sends (mark_sending refuses).
-- Speed:   one statement leases, one reads everything, by primary keys; whatever is not as it should be is left out there
--          and judged by refuse_leased(), row by row. The settings keep the plan at nested index loops in the order
--          written, whatever statistics say, and save planning it on each call. No function is called per row.

create function private.claim_targets(
  p_worker_id uuid, p_limit int, p_since timestamptz default null, p_busy uuid[] default null,
  p_now timestamptz default now()
) returns table (
  target_id uuid, attempt int, mode text, user_id uuid, connection_id uuid, platform_id text, external_account_id text,
  "text" text, options jsonb, media jsonb, scopes text[], sealed_access text, generation int,
  access_expires_at timestamptz, scheduled_at timestamptz, sending_at timestamptz, progress jsonb, external_id text,
  follow_ups jsonb
)
language plpgsql volatile security definer
set search_path = '' set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set join_collapse_limit = 1 set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
  v_leased private.queue[];
  v_rules_changed timestamptz := private.rules_changed_at(p_now);
  v_max_tries int := private.setting_int('publish_max_attempts');
  v_max_probes int := private.setting_int('reconcile_max_attempts');
begin
  perform private.release_dead_leases(p_now);
  v_leased := private.lease_targets(p_worker_id, least(coalesce(p_limit, 0), 1000), p_since, p_busy, p_now);
  if v_leased = '{}' then
    return;
  end if;
  perform private.record_lost_leases(v_leased, p_now);
  -- A new statement, and with it a new snapshot: content that was edited while the lease was awaited is read as it is now.
  return query
    with handed as materialized (
      select t.id, l.attempt, case when l.sending_at is null then 'publish' else 'reconcile' end, t.user_id,
        t.connection_id, t.platform_id, c.external_account_id, coalesce(t.text, p.body), t.options,
        (select coalesce(jsonb_agg(jsonb_build_object('bucket_id', m.bucket_id, 'object_name', m.object_name,
                  'kind', m.kind, 'mime_type', m.mime_type, 'size_bytes', m.size_bytes, 'alt_text', m.alt_text,
                  'width', m.width, 'height', m.height, 'duration_ms', m.duration_ms, 'role', pm.role)
                  order by pm.role, pm.position), '[]')
         from public.post_media pm join public.media m on m.id = pm.media_id where pm.post_id = t.post_id),
        c.scopes, replace(encode(v.sealed_access, 'base64'), E'\n', ''), v.generation, v.access_expires_at,
        t.scheduled_at, l.sending_at, coalesce(l.progress, '{}'), t.external_id,
        (select coalesce(jsonb_agg(jsonb_build_object('position', f.position, 'text', f.body, 'external_id', f.external_id)
                  order by f.position), '[]')
         from public.target_follow_ups f where f.target_id = t.id)
      from private.as_rows(v_leased) l
        join public.post_targets t on t.id = l.subject_id
        join public.connections c on c.id = t.connection_id
        join private.token_vault v on v.connection_id = t.connection_id
        join private.accounts a on a.user_id = t.user_id
        join public.posts p on p.id = t.post_id
        join public.platform_features f on f.platform_id = t.platform_id and f.feature = 'publish'
      where t.state in ('scheduled', 'publishing') and c.state = 'active' and a.state = 'active'
        and c.scopes @> f.scopes -- P6.5
        and case when l.sending_at is null
              then (l.expires_at < p_now) is not true and l.attempt - t.attempt_base <= v_max_tries
                   and t.checked_at >= v_rules_changed
              else l.attempt - l.sending_attempt <= v_max_probes end
    )
    -- In FROM, so that it judges by the very rows that are handed out.
    select h.* from private.refuse_leased(v_leased, array(select x.id from handed x), p_now), handed h;
end;
$$;
comment on function private.claim_targets(uuid, int, timestamptz, uuid[], timestamptz) is 'Body of worker.claim_targets().';

-- The attempt before this one was never reported: its worker died. What it may have sent is looked up from now on.
create function private.record_lost_leases(p_leased private.queue[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_unsent uuid[];
begin
  if not exists (select from unnest(p_leased) l where l.attempt > 1) then
    return;
  end if;
  with lost as (
    insert into private.publish_attempts (target_id, attempt, finished_at, user_id, sending_at, outcome, platform_key)
    select t.id, l.attempt - 1, p_now, t.user_id, l.sending_at, 'lease_lost', left(l.progress ->> 'platform_key', 512)
    from unnest(p_leased) l join public.post_targets t on t.id = l.subject_id
    where l.attempt > 1 and private.is_unreported(t, l.attempt - 1)
    returning target_id, sending_at
  )
  select array_agg(l.target_id) into v_unsent from lost l where l.sending_at is null;
  perform private.return_budgets(v_unsent, p_now);
  update public.post_targets t set state = 'publishing', attempt = l.attempt - 1, failure_code = null, failure_message = null,
                                   updated_at = p_now
    from unnest(p_leased) l where t.id = l.subject_id and t.state = 'scheduled' and l.sending_at is not null;
end;
$$;
comment on function private.record_lost_leases(private.queue[], timestamptz) is 'Writes the attempts that nobody reported.';

create function private.refuse_leased(p_leased private.queue[], p_handed uuid[], p_now timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_lease private.queue;
  v_target public.post_targets;
  v_code text;
  v_verdicts private.target_verdict[] := '{}'::private.target_verdict[];
begin
  if cardinality(p_leased) = cardinality(p_handed) then
    return;
  end if;
  foreach v_lease in array p_leased loop
    continue when v_lease.subject_id = any (p_handed);
    select * into v_target from public.post_targets t where t.id = v_lease.subject_id;
    if not found or v_target.state not in ('scheduled', 'publishing') then
      perform private.dequeue('publish', v_lease.subject_id); -- deleted, or ended by a late report
    else
      v_code := private.reason_to_refuse(v_target, v_lease, p_now);
      if v_code is null then
        update public.post_targets t set checked_at = p_now where t.id = v_lease.subject_id;
        perform private.put_back_unseen(array[v_lease]);
      else
        v_verdicts := v_verdicts || private.refusal(v_target, v_lease, v_code, p_now);
      end if;
    end if;
  end loop;
  perform private.settle_targets(v_verdicts, p_now); -- all at once: they notify people in order
end;
$$;
comment on function private.refuse_leased(private.queue[], uuid[], timestamptz) is
  'Judges what a claim leased and could not hand out.';

create function private.reason_to_refuse(p_target public.post_targets, p_lease private.queue, p_now timestamptz)
returns text
language sql stable security invoker set search_path = '' as $$
  select case
    when a.state is distinct from 'active' then 'NX432'
    when c.state = 'disconnected' then 'NX431'
    when c.state <> 'active' or v.connection_id is null then 'NX430'
    when not c.scopes @> private.required_scopes(c.platform_id, array['publish']) then 'NX412'
    when p_lease.sending_at is not null then
      case when p_lease.attempt - p_lease.sending_attempt > private.setting_int('reconcile_max_attempts') then 'NX435' end
    when p_lease.expires_at < p_now then 'NX434'
    when p_lease.attempt - p_target.attempt_base > private.setting_int('publish_max_attempts') then 'NX436'
    when exists (select from private.target_problems(p_target.id, null, p_now) x where x.severity = 'error') then 'NX410'
  end
  from public.connections c
  left join private.token_vault v on v.connection_id = c.id
  left join private.accounts a on a.user_id = p_target.user_id
  where c.id = p_target.connection_id
$$;
comment on function private.reason_to_refuse(public.post_targets, private.queue, timestamptz) is
  'Why a leased target cannot be published or probed now; NULL: nothing is in the way any more.';

-- What was sent and cannot be probed any more is unconfirmed, never failed: it may be on the platform.
create function private.refusal(
  p_target public.post_targets, p_lease private.queue, p_code text, p_now timestamptz
) returns private.target_verdict
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_verdict private.target_verdict := private.verdict(p_target.id, p_target.state, p_code);
begin
  if p_lease.sending_at is not null then
    v_verdict := private.verdict(p_target.id, 'unconfirmed', 'NX435', 'refused');
  elsif p_code = 'NX430' then
    v_verdict := private.paused(p_target, true, null, p_now);
  elsif p_code = 'NX434' then
    v_verdict.state := 'missed';
  elsif p_code = 'NX410' then
    v_verdict.state := 'failed';
    v_verdict.message := (select string_agg(x.message, '. ') from private.target_problems(p_target.id, null, p_now) x
                          where x.severity = 'error');
  else
    v_verdict.state := 'failed';
  end if;
  return v_verdict;
end;
$$;
comment on function private.refusal(public.post_targets, private.queue, text, timestamptz) is
  'The verdict on a leased target that is not handed out.';

create function private.next_publish_due() returns timestamptz
language sql stable security definer set search_path = '' as $$
  select private.next_due('publish')
$$;
comment on function private.next_publish_due() is 'Body of worker.next_publish_due().';

create function worker.claim_targets(
  p_worker_id uuid, p_limit int, p_since timestamptz default null, p_busy uuid[] default null
)
returns table (
  target_id uuid, attempt int, mode text, user_id uuid, connection_id uuid, platform_id text, external_account_id text,
  "text" text, options jsonb, media jsonb, scopes text[], sealed_access text, generation int,
  access_expires_at timestamptz, scheduled_at timestamptz, sending_at timestamptz, progress jsonb, external_id text,
  follow_ups jsonb
)
language sql volatile security invoker set search_path = '' as $$
  select * from private.claim_targets(p_worker_id, p_limit, p_since, p_busy)
$$;
comment on function worker.claim_targets(uuid, int, timestamptz, uuid[]) is
  'Leases up to p_limit (at most 1,000) due targets with all that publishing takes. mode publish: call mark_sending '
  'before the irreversible call. mode reconcile: an earlier attempt may have been sent; probe, never send. Fewer rows '
  'than asked for does not mean that nothing is due: ask next_publish_due(). p_busy: accounts of which the worker has '
  'enough in hand; while others wait, it gets no more of them.';

create function worker.next_publish_due() returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select private.next_publish_due()
$$;
comment on function worker.next_publish_due() is 'When the next target is due that nobody has; NULL: nothing is scheduled.';

insert into private.settings (key, value, description) values
  ('publish_max_attempts', '8', 'A target that was tried this often since it was scheduled has failed.'),
  ('reconcile_max_attempts', '6', 'A target that was sent and probed this often without an answer is unconfirmed.'),
  ('publish_stuck_after', '"30 minutes"', 'A lease that is this old without progress is taken back from a live worker.');

insert into private.definer_ledger (function_name, reason) values
  ('private.claim_targets', 'Reads the vault, changes queue and state, on which service_role has no rights.'),
  ('private.next_publish_due', 'Reads the queue, on which service_role has no rights.');
