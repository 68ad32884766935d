-- worker.claim_revocations(…), worker.report_revocations(…)
-- Why:     tells platforms that a person disconnected. The sealed copy goes on success, on a definite failure, and in
--          any case after 24 hours (P6.7).
-- Caller:  service_role. DEFINER bodies: the outbox is in private.
-- Errors:  NX002 results are not a JSON array.
-- Repeat:  reports are fenced by worker and attempt: a late or repeated one changes nothing.
-- Locks:   queue row, outbox row.

create function private.claim_revocations(p_worker_id uuid, p_limit int, p_now timestamptz default now())
returns table (outbox_id uuid, attempt int, user_id uuid, connection_id uuid, platform_id text, generation int,
               sealed_token text)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.expire_revocations(p_now);
  return query
    with leased as materialized (
      select q.subject_id, q.attempt from private.lease_due(p_worker_id, 'revoke', p_limit, null, p_now) q
    ), taken as (
      update private.revocation_outbox o set attempts = o.attempts + 1
      from leased l where o.id = l.subject_id
      returning o.*, l.attempt as lease_attempt
    )
    select t.id, t.lease_attempt, t.user_id, t.connection_id, t.platform_id, t.generation,
           private.sealed_to_text(t.sealed_token)
    from taken t;
end;
$$;
comment on function private.claim_revocations(uuid, int, timestamptz) is 'Body of worker.claim_revocations().';

create function private.report_revocations(p_worker_id uuid, p_results jsonb, p_now timestamptz default now())
returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_ids uuid[];
  v_count bigint := 0;
  v_again boolean;
begin
  if jsonb_typeof(p_results) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_results');
  end if;
  foreach v_again in array array[false, true] loop
    select array_agg(q.subject_id order by q.subject_id) into v_ids
      from jsonb_array_elements(p_results) r
      join private.queue q on q.lane = 'revoke' and q.subject_id::text = r ->> 'outbox_id'
        and q.worker_id = p_worker_id and q.attempt::text = r ->> 'attempt'
      where case r ->> 'outcome' when 'retry' then v_again when 'done' then not v_again
                                 when 'gone' then not v_again end;
    v_count := v_count + private.settle_revocations(p_worker_id, v_ids, v_again, p_now);
  end loop;
  return v_count;
end;
$$;
comment on function private.report_revocations(uuid, jsonb, timestamptz) is 'Body of worker.report_revocations().';

create function private.settle_revocations(p_worker_id uuid, p_ids uuid[], p_again boolean, p_now timestamptz)
returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  if p_again then
    update private.queue q
      set worker_id = null, leased_at = null,
          due_at = p_now + private.backoff_delay(q.attempt, 5)
      where q.lane = 'revoke' and q.subject_id = any (p_ids) and q.worker_id = p_worker_id;
    get diagnostics v_count = row_count;
    return v_count;
  end if;
  delete from private.queue q
    where q.lane = 'revoke' and q.subject_id = any (p_ids) and q.worker_id = p_worker_id;
  get diagnostics v_count = row_count;
  perform private.audit('revocation_settled', 'connection', o.connection_id,
                        jsonb_build_object('platform_id', o.platform_id, 'attempts', o.attempts), p_now)
    from private.revocation_outbox o where o.id = any (p_ids);
  delete from private.revocation_outbox where id = any (p_ids);
  return v_count;
end;
$$;
comment on function private.settle_revocations(uuid, uuid[], boolean, timestamptz) is
  'Ends the given revocations of this worker, or puts them off with a growing random delay.';

-- P6.7: after 24 hours the copy goes, whatever the platform said or did not say.
create function private.expire_revocations(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_gone private.revocation_outbox;
  v_count bigint := 0;
begin
  for v_gone in delete from private.revocation_outbox o where o.delete_by <= p_now returning o.* loop
    perform private.dequeue('revoke', v_gone.id);
    perform private.audit('revocation_unconfirmed', 'connection', v_gone.connection_id,
                          jsonb_build_object('platform_id', v_gone.platform_id, 'attempts', v_gone.attempts), p_now);
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;
comment on function private.expire_revocations(timestamptz) is 'Housekeeping: deletes sealed copies that are a day old.';

create function private.request_revocation(p_row private.revocation_outbox) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into private.revocation_outbox select (p_row).*;
  perform private.enqueue('revoke', p_row.id, p_row.created_at, p_row.created_at);
end;
$$;
comment on function private.request_revocation(private.revocation_outbox) is 'Has a worker tell the platform.';

-- A new grant for the same account must not be revoked by the end of the old one: some platforms revoke all at once.
create function private.forget_revocations(p_platform text, p_external_account_id text) returns void
language sql volatile security invoker set search_path = '' as $$
  with gone as (
    delete from private.revocation_outbox o
    where o.platform_id = p_platform and o.external_account_id = p_external_account_id returning o.id
  )
  delete from private.queue q using gone g where q.lane = 'revoke' and q.subject_id = g.id
$$;
comment on function private.forget_revocations(text, text) is
  'Deletes what was still to be revoked, when an account is connected again.';

create function worker.claim_revocations(p_worker_id uuid, p_limit int)
returns table (outbox_id uuid, attempt int, user_id uuid, connection_id uuid, platform_id text, generation int,
               sealed_token text)
language sql volatile security invoker set search_path = '' as $$
  select * from private.claim_revocations(p_worker_id, p_limit)
$$;
comment on function worker.claim_revocations(uuid, int) is
  'Leases revocations that are due. sealed_token (base64) is sealed for the field ''revocation'' of that generation.';

create function worker.report_revocations(p_worker_id uuid, p_results jsonb) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.report_revocations(p_worker_id, p_results)
$$;
comment on function worker.report_revocations(uuid, jsonb) is
  'Settles revocations: [{outbox_id, attempt, outcome}], outcome done (revoked), gone (the platform does not know the '
  'token) or retry. Returns how many were accepted.';

insert into private.definer_ledger (function_name, reason) values
  ('private.claim_revocations', 'Reads the outbox and leases queue rows, on which no role of the API has rights.'),
  ('private.report_revocations', 'Deletes outbox and queue rows, on which no role of the API has rights.');
