-- private.target_report, private.parse_reports(results), private.lock_reported(reports)
-- Why:     what workers say about their attempts, read with care: one malformed report must not lose the others.
-- Caller:  report_targets.sql and platform_budgets.sql.
-- Errors:  NX002 the results are not a JSON array.
-- Repeat:  safe; nothing is written.
-- Locks:   lock_reported: queue rows in the order of their ids.

create type private.target_report as (
  target_id uuid,
  attempt int,
  outcome text,
  external_id text,
  external_url text,
  code text,
  message text,
  http_status int,
  platform_key text,
  retry_after_seconds numeric,
  budget jsonb,
  charge text,
  notice text
);
comment on type private.target_report is 'One element of the argument of report_targets.';

create function private.parse_reports(p_results jsonb) returns private.target_report[]
language plpgsql stable security invoker set search_path = '' as $$
begin
  if jsonb_typeof(p_results) is distinct from 'array' then
    perform private.fail('NX002', p_detail := 'p_results');
  end if;
  return array(select r from jsonb_populate_recordset(null::private.target_report, p_results) r);
exception when data_exception then
  -- One element is malformed: take it apart with care, and keep the others.
  return array(
    select row(private.uuid_or_null(e ->> 'target_id'), private.int_or_null(e ->> 'attempt'), e ->> 'outcome',
               e ->> 'external_id', e ->> 'external_url', e ->> 'code', e ->> 'message',
               private.int_or_null(e ->> 'http_status'), e ->> 'platform_key',
               private.int_or_null(e ->> 'retry_after_seconds'), e -> 'budget',
               e ->> 'charge', e ->> 'notice')::private.target_report
    from jsonb_array_elements(p_results) e);
end;
$$;
comment on function private.parse_reports(jsonb) is 'The reports, in order; what is malformed in one becomes NULL in it.';

create function private.are_all_published(p_reports private.target_report[]) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select not exists (select from unnest(p_reports) r where r.outcome is distinct from 'published')
$$;
comment on function private.are_all_published(private.target_report[]) is 'Whether a batch is all success.';

-- Successes of a live worker lock their queue rows in the order of their ids, as others do who take several. Where a second
-- look at the rest will follow, all are locked at the beginning.
create function private.lock_reported(p_reports private.target_report[]) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  perform from private.queue q
    where q.lane = 'publish' and q.subject_id = any (array(select r.target_id from unnest(p_reports) r))
    order by q.subject_id for update;
end;
$$;
comment on function private.lock_reported(private.target_report[]) is 'Locks the queue rows of a batch.';
