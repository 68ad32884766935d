-- worker.record_part(worker, target, attempt, position, external_id, external_url, charge)
-- Why:     a thread goes out part by part, and each part is an irreversible call of its own. Its id is stored and its mark
--          cleared in one transaction: whoever takes the target next either finds the id, and goes on behind it, or the
--          mark, and probes for exactly this part. No part goes out twice, none is skipped.
-- Caller:  service_role, after each part of a target that has follow-ups; the post itself is part 0.
-- Errors:  NX002 no external id, or a position below 0.
-- Repeat:  safe: the same part again answers true and changes nothing.
-- Locks:   worker (shared), connection (shared), queue row, target, follow-up. While a part is marked, whoever ends what the
--          lease rests on leaves it alone; so that is looked at here, when the mark is cleared (P6.7). The connection is
--          locked because an end that has not committed yet must be waited for.

create function private.record_part(
  p_worker_id uuid, p_target_id uuid, p_attempt int, p_position int, p_external_id text, p_external_url text,
  p_charge text, p_now timestamptz default now()
) returns boolean
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_lease private.queue;
begin
  if coalesce(p_external_id, '') = '' or length(p_external_id) > 512 or coalesce(p_position, -1) < 0 then
    perform private.fail('NX002', p_detail := 'p_position, p_external_id');
  end if;
  perform private.hold_worker(p_worker_id);
  perform from public.connections c
    where c.id = (select t.connection_id from public.post_targets t where t.id = p_target_id) for share;
  select * into v_lease from private.queue q
    where q.lane = 'publish' and q.subject_id = p_target_id and q.worker_id = p_worker_id and q.attempt = p_attempt
    for update;
  if not found then
    return false;
  elsif v_lease.sending_at is null then
    return private.part_id(p_target_id, p_position) is not distinct from p_external_id;
  end if;
  update private.queue q
    set sending_at = null, sending_attempt = null, leased_at = p_now,
        progress = q.progress - '{platform_key,send_ended}'::text[]
    where q.lane = 'publish' and q.subject_id = p_target_id;
  perform private.store_part(p_target_id, p_attempt, p_position, p_external_id,
    case when starts_with(p_external_url, 'https://') and length(p_external_url) <= 2000 then p_external_url end, p_now);
  perform private.charge_targets(array[row(p_target_id, p_charge)::private.target_charge], p_now);
  return not private.end_thread(p_target_id, p_now);
end;
$$;
comment on function private.record_part(uuid, uuid, int, int, text, text, text, timestamptz) is
  'Body of worker.record_part().';

-- What is all out is a success, whatever happened to the account meanwhile.
create function private.end_thread(p_target_id uuid, p_now timestamptz) returns boolean
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_target public.post_targets;
  v_lease private.queue;
  v_code text;
  v_verdict private.target_verdict;
begin
  if not exists (select from public.target_follow_ups f where f.target_id = p_target_id and f.external_id is null) then
    return false;
  end if;
  select * into v_target from public.post_targets t where t.id = p_target_id;
  select * into v_lease from private.queue q where q.lane = 'publish' and q.subject_id = p_target_id;
  v_code := private.reason_to_refuse(v_target, v_lease, p_now);
  if v_code is null or v_code not in ('NX412', 'NX430', 'NX431', 'NX432') then
    return false;
  end if;
  v_verdict := private.refusal(v_target, v_lease, v_code, p_now);
  v_verdict.outcome := 'refused';
  perform private.settle_targets(array[v_verdict], p_now);
  return true;
end;
$$;
comment on function private.end_thread(uuid, timestamptz) is
  'Ends or pauses a thread whose account, or whose person''s account, ended while a part was being sent; whether it did.';

create function private.part_id(p_target_id uuid, p_position int) returns text
language sql stable security invoker set search_path = '' as $$
  select case when p_position = 0 then (select t.external_id from public.post_targets t where t.id = p_target_id)
    else (select f.external_id from public.target_follow_ups f
          where f.target_id = p_target_id and f.position = p_position) end
$$;
comment on function private.part_id(uuid, int) is 'The platform''s id of the post (0) or of a follow-up; NULL: not out.';

create function private.store_part(
  p_target_id uuid, p_attempt int, p_position int, p_external_id text, p_external_url text, p_now timestamptz
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_position = 0 then
    update public.post_targets t
      set state = 'publishing', attempt = p_attempt, external_id = p_external_id, external_url = p_external_url,
          failure_code = null, failure_message = null, updated_at = p_now
      where t.id = p_target_id;
  else
    update public.target_follow_ups f
      set external_id = p_external_id, external_url = p_external_url, published_at = p_now
      where f.target_id = p_target_id and f.position = p_position;
  end if;
end;
$$;
comment on function private.store_part(uuid, int, int, text, text, timestamptz) is 'Keeps where a part is on the platform.';

create function worker.record_part(
  p_worker_id uuid, p_target_id uuid, p_attempt int, p_position int, p_external_id text,
  p_external_url text default null, p_charge text default null
) returns boolean
language sql volatile security invoker set search_path = '' as $$
  select private.record_part(p_worker_id, p_target_id, p_attempt, p_position, p_external_id, p_external_url, p_charge)
$$;
comment on function worker.record_part(uuid, uuid, int, int, text, text, text) is
  'Stores the id of a part that is out (0: the post itself) and clears the mark of its sending. Mark again before the '
  'next part. false: the lease is gone, or the account is; report nothing.';

insert into private.definer_ledger (function_name, reason) values
  ('private.record_part', 'Changes queue rows and targets, on which service_role has no rights.');
