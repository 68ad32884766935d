-- worker.list_requests(), count_requests(), record_request(…), answer_request(…); private.escalate_requests(now)
-- Why:     somebody answers what the service cannot answer by itself, within 30 days, and is alarmed after 20 and 27 days
--          and when the time is over, also when no worker ran meanwhile (P7.7).
-- Caller:  operators through service_role; housekeeping. DEFINER bodies: the table is in private.
-- Errors:  NX002 an argument. NX960 no such request. NX961 it is closed.
-- Repeat:  record_request returns the open request with the same words; answering twice raises.

create function private.request_level(p_received_at timestamptz, p_now timestamptz) returns int
language sql immutable security invoker set search_path = '' as $$
  select case when p_now >= p_received_at + interval '720 hours' then 3
              when p_now >= p_received_at + interval '648 hours' then 2
              when p_now >= p_received_at + interval '480 hours' then 1 else 0 end
$$;
comment on function private.request_level(timestamptz, timestamptz) is 'How near the deadline is: 1 from 20 days on, 2 from 27, 3 from 30.';

create function private.list_requests(p_now timestamptz default now())
returns table (
  id uuid, user_id uuid, kind text, details text, received_at timestamptz, received_by text, due_at timestamptz,
  subject_id uuid, level int
)
language sql stable security definer set search_path = '' as $$
  select r.id, r.user_id, r.kind, r.details, r.received_at, r.received_by, r.due_at, r.subject_id,
         private.request_level(r.received_at, p_now)
  from private.rights_requests r where r.state = 'open' order by r.due_at, r.id limit 1000
$$;
comment on function private.list_requests(timestamptz) is 'Body of worker.list_requests().';

create function private.count_requests(p_now timestamptz default now())
returns table (level int, waiting bigint, next_due_at timestamptz)
language sql stable security definer set search_path = '' as $$
  select l, count(r.id), min(r.due_at)
  from generate_series(0, 3) l
  left join private.rights_requests r on r.state = 'open' and private.request_level(r.received_at, p_now) = l
  group by l order by l
$$;
comment on function private.count_requests(timestamptz) is 'Body of worker.count_requests().';

create function private.record_request(
  p_user_id uuid, p_kind text, p_details text, p_received_at timestamptz, p_by text, p_now timestamptz default now()
) returns uuid
language plpgsql volatile security definer set search_path = '' as $$
begin
  if p_received_at is null or p_received_at > p_now or p_received_at < p_now - interval '720 hours' then
    perform private.fail('NX002', p_detail := 'p_received_at');
  elsif coalesce(p_by, '') !~ '^[A-Za-z0-9_.:@-]{2,100}$' then
    perform private.fail('NX002', p_detail := 'p_by');
  end if;
  return (private.use_right(p_user_id, p_kind, coalesce(p_details, ''), p_received_at, p_by, p_now)).id;
exception when check_violation or foreign_key_violation or not_null_violation then
  perform private.fail('NX002', p_detail := 'p_user_id, p_kind or p_details');
  return null;
end;
$$;
comment on function private.record_request(uuid, text, text, timestamptz, text, timestamptz) is 'Body of worker.record_request().';

create function private.answer_request(
  p_request_id uuid, p_state text, p_answer text, p_by text, p_now timestamptz default now()
) returns text
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_request private.rights_requests;
begin
  if coalesce(p_state, '') not in ('answered', 'refused') then
    perform private.fail('NX002', p_detail := 'p_state');
  elsif coalesce(length(btrim(p_answer)), 0) not between 3 and 10000 then
    perform private.fail('NX002', p_detail := 'p_answer');
  elsif coalesce(p_by, '') !~ '^[A-Za-z0-9_.:@-]{2,100}$' or p_by = 'service' then
    perform private.fail('NX002', p_detail := 'p_by');
  end if;
  perform from private.rights_requests r where r.id = p_request_id for update;
  if not found then
    perform private.fail('NX960');
  end if;
  v_request := private.close_request(p_request_id, p_state, btrim(p_answer), p_by, p_now);
  if v_request.id is null then
    perform private.fail('NX961');
  end if;
  perform private.notify(v_request.user_id, 'right_answered', 'rights_request', p_request_id, null, p_now);
  perform private.queue_mail(v_request.user_id, 'right_answered', jsonb_build_object(
    'kind', v_request.kind, 'received_at', v_request.received_at), 'right_answered:' || p_request_id, p_now);
  return v_request.answer_hash;
end;
$$;
comment on function private.answer_request(uuid, text, text, text, timestamptz) is 'Body of worker.answer_request().';

-- Each level is an alarm of its own, raised once; after a time without workers the highest one is raised.
create function private.escalate_requests(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  with due as (
    update private.rights_requests r set alarm_level = private.request_level(r.received_at, p_now)
    where r.state = 'open' and r.due_at <= p_now + interval '240 hours'
      and r.alarm_level < private.request_level(r.received_at, p_now)
    returning r.id, r.alarm_level
  )
  insert into private.dead_letters (lane, subject_id, attempts, last_code, died_at)
    select 'rights', d.id, 0, (array['day_20', 'day_27', 'overdue'])[d.alarm_level], p_now from due d;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.escalate_requests(timestamptz) is
  'Housekeeping: alarms about requests that wait since 20 or 27 days, or for too long (P7.7).';

create function worker.list_requests()
returns table (
  id uuid, user_id uuid, kind text, details text, received_at timestamptz, received_by text, due_at timestamptz,
  subject_id uuid, level int
)
language sql stable security invoker set search_path = '' as $$
  select r.id, r.user_id, r.kind, r.details, r.received_at, r.received_by, r.due_at, r.subject_id, r.level
  from private.list_requests() r
$$;
comment on function worker.list_requests() is
  'For operators: requests that wait for an answer, the most urgent first; level 1 from 20 days on, 2 from 27, 3 from 30.';

create function worker.count_requests() returns table (level int, waiting bigint, next_due_at timestamptz)
language sql stable security invoker set search_path = '' as $$
  select c.level, c.waiting, c.next_due_at from private.count_requests() c
$$;
comment on function worker.count_requests() is
  'How many requests wait for an answer, by level (0: younger than 20 days, 1: 20, 2: 27, 3: 30 and more), for metrics and alarms.';

create function worker.record_request(p_user_id uuid, p_kind text, p_details text, p_received_at timestamptz, p_by text)
returns uuid
language sql volatile security invoker set search_path = '' as $$
  select private.record_request(p_user_id, p_kind, p_details, p_received_at, p_by)
$$;
comment on function worker.record_request(uuid, text, text, timestamptz, text) is
  'For operators: a right that somebody used by mail, with the instant at which the mail came: the 30 days run from there. '
  'Make sure who wrote it first. object and restrict take effect at once; export and delete are carried out by their person, '
  'signed in, and then close this request.';

create function worker.answer_request(p_request_id uuid, p_state text, p_answer text, p_by text) returns text
language sql volatile security invoker set search_path = '' as $$
  select private.answer_request(p_request_id, p_state, p_answer, p_by)
$$;
comment on function worker.answer_request(uuid, text, text, text) is
  'For operators: answered or refused, with the words that the person reads and who says so; returns the proof (SHA-256).';

insert into public.notification_texts (kind, code, title, advice, is_mailed) values
  ('right_answered', '', 'Your request about your data is answered', 'Read the answer in the settings, under privacy.', false);

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('escalate_requests', 'private.escalate_requests', 940);

insert into private.definer_ledger (function_name, reason) values
  ('private.list_requests', 'Reads requests; service_role has no rights on the table.'),
  ('private.count_requests', 'Reads requests; service_role has no rights on the table.'),
  ('private.record_request', 'Writes a request; service_role has no rights on the table.'),
  ('private.answer_request', 'Writes an answer; service_role has no rights on the table.');
