-- private.record_late_success(worker, report, now)
-- Why:     a worker that lost its lease may still know that its call got through. What is known to be out is recorded,
--          so that nobody sends it again.
-- Caller:  private.report_targets().
-- Errors:  none.
-- Repeat:  safe: answers true when it is recorded already.
-- Locks:   queue row, target.

-- A success counts whoever holds the target now, if this attempt is known to have been sent. Recorded, nobody sends again.
create function private.record_late_success(p_worker_id uuid, p_report private.target_report, p_now timestamptz)
returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_lease private.queue;
  v_target public.post_targets;
begin
  if p_report.target_id is null or p_report.attempt is null then
    return false;
  end if;
  select * into v_lease from private.queue where lane = 'publish' and subject_id = p_report.target_id for update;
  select * into v_target from public.post_targets where id = p_report.target_id for update;
  if v_target.state = 'published' then
    return v_target.external_id is not distinct from left(p_report.external_id, 512)
      and exists (select from private.publish_attempts a where a.target_id = v_target.id
                    and a.attempt = p_report.attempt and a.outcome = 'published');
  elsif v_lease.sending_attempt is distinct from p_report.attempt
    and not exists (select from private.publish_attempts a where a.target_id = v_target.id
                      and a.attempt = p_report.attempt and a.sending_at is not null) then
    return false;
  end if;
  perform private.dequeue('publish', v_target.id);
  update public.post_targets t
    set state = 'published', published_at = p_now,
        external_id = coalesce(left(p_report.external_id, 512), t.external_id),
        external_url = coalesce(case when starts_with(p_report.external_url, 'https://') and length(p_report.external_url) <= 2000
                                     then p_report.external_url end, t.external_url),
        failure_code = null, failure_message = null, updated_at = p_now
    where t.id = v_target.id;
  insert into private.publish_attempts (target_id, attempt, finished_at, user_id, worker_id, sending_at, outcome, code)
    values (v_target.id, p_report.attempt, p_now, v_target.user_id, p_worker_id,
            coalesce(v_lease.sending_at, p_now), 'published', 'late')
    on conflict do nothing;
  perform private.charge_targets(array[row(v_target.id, p_report.charge)::private.target_charge], p_now);
  return true;
end;
$$;
comment on function private.record_late_success(uuid, private.target_report, timestamptz) is
  'A success without a good lease: recorded if the attempt was sent, true also when it is recorded already.';
