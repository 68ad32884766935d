-- worker.claim_mails(worker, limit), worker.next_mail_due(), worker.report_mails(worker, results)
-- Why:     sending is a lease like other work, but retried until a time instead of a number of attempts: an outage of
--          the provider of days must lose nothing (P3.10). Whether a mail is still wanted is asked at the last moment.
-- Caller:  service_role. DEFINER bodies: no role of the API has rights on schema private.
-- Errors:  NX002 results are not a JSON array.
-- Repeat:  a claim leases others each time. Reports: retry and refused are fenced by worker and attempt; sent is the
--          provider's word and counts whoever brings it, once.
-- Locks:   the worker's row (shared), queue rows, mails.

create function private.unsendable_code(p_mail private.mails, p_address text, p_now timestamptz) returns text
language sql stable security invoker set search_path = '' as $$
  select case
    when p_mail.give_up_at <= p_now then 'gave_up'
    when p_address is null then 'no_address'
    when p_mail.address is null and not private.mail_is_wanted(p_mail.user_id, p_mail.category_id) then 'switched_off' end
$$;
comment on function private.unsendable_code(private.mails, text, timestamptz) is
  'Why a mail must not go, or NULL: it may.';

create function private.claim_mails(p_worker_id uuid, p_limit int, p_now timestamptz default now())
returns table (
  mail_id uuid, attempt int, category_id text, template_id text, params jsonb, address text, display_name text,
  unsubscribe_token text
)
language plpgsql volatile security definer set search_path = '' as $$
#variable_conflict use_column
declare
  v_leased private.queue[];
  v_mails uuid[];
begin
  perform private.release_dead_leases(p_now);
  v_leased := array(select l from private.lease_due(p_worker_id, 'mail', p_limit, null, p_now) l);
  v_leased := v_leased || array(
    select l from private.lease_due(p_worker_id, 'mail_bulk', p_limit - cardinality(v_leased), null, p_now) l);
  v_mails := array(select l.subject_id from unnest(v_leased) l);
  perform private.settle_mail(m.id, case x.code when 'switched_off' then 'skipped' else 'failed' end,
                              case x.code when 'gave_up' then coalesce(m.last_code, x.code) else x.code end, null, p_now)
    from private.mails m left join auth.users u on u.id = m.user_id
    cross join lateral (select private.unsendable_code(m, coalesce(m.address, u.email), p_now) as code) x
    where m.id = any (v_mails) and m.state = 'waiting' and x.code is not null;
  return query
    with counted as (
      update private.mails m set attempts = m.attempts + 1
      where m.id = any (v_mails) and m.state = 'waiting' returning m.*
    )
    select m.id, l.attempt, m.category_id, m.template_id, coalesce(c.params, '{}') || m.params,
           coalesce(m.address, u.email), case when m.address is null then f.display_name end, m.unsubscribe_token
    from counted m
    join unnest(v_leased) l on l.subject_id = m.id
    left join private.mail_campaigns c on c.id = m.campaign_id
    left join auth.users u on u.id = m.user_id
    left join public.profiles f on f.user_id = m.user_id;
end;
$$;
comment on function private.claim_mails(uuid, int, timestamptz) is 'Body of worker.claim_mails().';

create function private.next_mail_due() returns timestamptz
language sql stable security definer set search_path = '' as $$
  select least(private.next_due('mail'), private.next_due('mail_bulk'))
$$;
comment on function private.next_mail_due() is 'Body of worker.next_mail_due().';

create function private.report_mails(p_worker_id uuid, p_results jsonb, p_now timestamptz default now()) returns bigint
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_worker uuid := case when private.hold_worker(p_worker_id) is not null then p_worker_id end;
  v_result record;
  v_count bigint := 0;
begin
  if jsonb_typeof(p_results) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_results');
  end if;
  for v_result in
    select private.uuid_or_null(r ->> 'mail_id') as mail_id, r ->> 'outcome' as outcome,
           private.short_code(r ->> 'code') as code, left(r ->> 'provider_id', 100) as provider_id,
           private.int_or_null(r ->> 'retry_after_seconds') as retry_after, q.attempt
    from jsonb_array_elements(p_results) r
    left join private.queue q on q.lane in ('mail', 'mail_bulk') and q.subject_id = private.uuid_or_null(r ->> 'mail_id')
      and q.worker_id = v_worker and q.attempt::text = r ->> 'attempt'
    order by 1
  loop
    if v_result.outcome = 'sent' and v_result.provider_id is not null then
      v_count := v_count + private.settle_mail(v_result.mail_id, 'sent', v_result.code, v_result.provider_id, p_now)::int;
    elsif v_result.outcome = 'refused' and v_result.attempt is not null then
      v_count := v_count + private.settle_mail(v_result.mail_id, 'failed', v_result.code, null, p_now)::int;
    elsif v_result.outcome = 'retry' and v_result.attempt is not null then
      perform private.put_off_mail(v_result.mail_id, v_result.attempt, v_result.code, v_result.retry_after, p_now);
      v_count := v_count + 1;
    end if;
  end loop;
  return v_count;
end;
$$;
comment on function private.report_mails(uuid, jsonb, timestamptz) is 'Body of worker.report_mails().';

create function private.put_off_mail(
  p_mail uuid, p_attempt int, p_code text, p_retry_after int, p_now timestamptz default now()
) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.queue q set worker_id = null, leased_at = null,
      due_at = p_now + private.backoff_delay(p_attempt, p_retry_after)
    where q.lane in ('mail', 'mail_bulk') and q.subject_id = p_mail;
  update private.mails m set last_code = p_code where m.id = p_mail;
end;
$$;
comment on function private.put_off_mail(uuid, int, text, int, timestamptz) is
  'Tries a mail again later, at most an hour from now, or when the provider allows it.';

create function worker.claim_mails(p_worker_id uuid, p_limit int)
returns table (
  mail_id uuid, attempt int, category_id text, template_id text, params jsonb, address text, display_name text,
  unsubscribe_token text
)
language sql volatile security invoker set search_path = '' as $$
  select c.mail_id, c.attempt, c.category_id, c.template_id, c.params, c.address, c.display_name, c.unsubscribe_token
  from private.claim_mails(p_worker_id, p_limit) c
$$;
comment on function worker.claim_mails(uuid, int) is
  'Leases mails that are due and still wanted, with the address for this message alone (P4.3). mail_id is the '
  'idempotency key.';

create function worker.next_mail_due() returns timestamptz
language sql stable security invoker set search_path = '' as $$
  select private.next_mail_due()
$$;
comment on function worker.next_mail_due() is 'When the next mail is due; NULL: none waits.';

create function worker.report_mails(p_worker_id uuid, p_results jsonb) returns bigint
language sql volatile security invoker set search_path = '' as $$
  select private.report_mails(p_worker_id, p_results)
$$;
comment on function worker.report_mails(uuid, jsonb) is
  'Reports [{mail_id, attempt, outcome: sent|retry|refused, provider_id, code, retry_after_seconds}]; returns how many '
  'changed something.';

insert into private.definer_ledger (function_name, reason) values
  ('private.claim_mails', 'Leases rows of the queue and reads addresses, on which service_role has no rights.'),
  ('private.next_mail_due', 'Reads the queue, on which service_role has no rights.'),
  ('private.report_mails', 'Writes queue and outbox, on which service_role has no rights.');
