-- private.rights_requests, private.open_request(…), private.close_request(…)
-- Why:     whoever uses a right gets an answer within 30 days, and the answer is proven (P7.7). The deadline is the
--          database's. An export and the deletion of an account are requests by themselves, and answer themselves.
-- Caller:  use_rights.sql and answer_rights.sql; triggers of exports and erasures.
-- Errors:  NX903 what was received, or answered, is to be changed.
-- Repeat:  by its callers; closing what is closed changes nothing.
-- States:  open → answered, refused (by the service);  open → withdrawn (by the person)

create table private.rights_requests (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  kind text not null,
  details text not null default '',
  state text not null default 'open',
  received_at timestamptz not null,
  received_by text,
  due_at timestamptz not null,
  subject_id uuid,
  alarm_level int not null default 0,
  closed_at timestamptz,
  answer text,
  answered_by text,
  answer_hash text,
  constraint kind_is_known check (kind in ('access', 'correct', 'delete', 'export', 'object', 'restrict')),
  constraint details_are_bounded check (length(details) <= 4000),
  constraint state_is_known check (state in ('open', 'answered', 'refused', 'withdrawn')),
  constraint due_within_30_days check (due_at = received_at + interval '720 hours'), -- P7.7
  constraint closed_says_when check ((state = 'open') = (closed_at is null) and closed_at >= received_at),
  constraint answered_is_whole check (
    (state in ('answered', 'refused')) = (answer is not null and answered_by is not null and answer_hash is not null)),
  constraint answer_is_bounded check (length(answer) between 3 and 10000),
  constraint staff_are_ids check (answered_by ~ '^[A-Za-z0-9_.:@-]{2,100}$' and received_by ~ '^[A-Za-z0-9_.:@-]{2,100}$'),
  constraint alarm_level_is_known check (alarm_level between 0 and 3)
);
create index rights_requests_user_id_idx on private.rights_requests (user_id, received_at desc);
create index rights_requests_due_at_idx on private.rights_requests (due_at) where state = 'open';
create index rights_requests_closed_at_idx on private.rights_requests (closed_at) where closed_at is not null;
create unique index rights_requests_subject_key on private.rights_requests (kind, subject_id) where subject_id is not null;
create unique index rights_requests_one_open_key on private.rights_requests (user_id, kind)
  where state = 'open' and kind in ('delete', 'export');
comment on table private.rights_requests is 'Uses of a right, with deadline, answer and its proof (P7.7).';
comment on column private.rights_requests.details is 'What the person wants, in their words.';
comment on column private.rights_requests.received_by is 'Who entered what came by mail; empty: the person, in the product.';
comment on column private.rights_requests.subject_id is 'The export or erasure that carries it out.';
comment on column private.rights_requests.alarm_level is 'Alarms so far: 1 after 20 days, 2 after 27, 3 when the deadline has passed.';
comment on column private.rights_requests.answered_by is 'Who answered; service: it was carried out by itself.';
comment on column private.rights_requests.answer_hash is
  'SHA-256 of id, outcome, time (UTC, microseconds) and answer, joined by |: proof of what was answered when.';

create function private.answer_hash(p_id uuid, p_state text, p_at timestamptz, p_answer text) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(concat_ws('|', p_id, p_state,
    to_char(p_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), p_answer), 'UTF8')), 'hex')
$$;
comment on function private.answer_hash(uuid, text, timestamptz, text) is 'Proof of an answer.';

alter table private.rights_requests add constraint answer_is_proven check (
  answer_hash is not distinct from case when answer is not null then private.answer_hash(id, state, closed_at, answer) end);

create function private.tg_rights_requests__keep() returns trigger
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if old.state <> 'open' or new.alarm_level < old.alarm_level
     or (new.id, new.user_id, new.kind, new.details, new.received_at, new.received_by)
        is distinct from (old.id, old.user_id, old.kind, old.details, old.received_at, old.received_by) then
    perform private.fail('NX903', p_detail := 'rights_requests');
  end if;
  return new;
end;
$$;
comment on function private.tg_rights_requests__keep() is
  'BEFORE UPDATE: what was received stays as it was received, and an answer as it was given.';
create trigger _100_keep before update on private.rights_requests
  for each row execute function private.tg_rights_requests__keep();

create function private.open_request(
  p_person uuid, p_kind text, p_details text, p_subject_id uuid, p_received_at timestamptz, p_received_by text default null
) returns private.rights_requests
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_request private.rights_requests;
begin
  insert into private.rights_requests (user_id, kind, details, subject_id, received_at, received_by, due_at)
    values (p_person, p_kind, p_details, p_subject_id, p_received_at, p_received_by, p_received_at + interval '720 hours')
    returning * into v_request;
  perform private.audit('right_requested', 'rights_request', v_request.id, jsonb_build_object('kind', p_kind), p_received_at);
  return v_request;
end;
$$;
comment on function private.open_request(uuid, text, text, uuid, timestamptz, text) is
  'Enters a request; its 30 days begin when it was received.';

create function private.close_request(
  p_id uuid, p_state text, p_answer text, p_by text, p_now timestamptz default now()
) returns private.rights_requests
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_request private.rights_requests;
begin
  update private.rights_requests r set state = p_state, closed_at = p_now, answer = p_answer, answered_by = p_by,
      answer_hash = case when p_answer is not null then private.answer_hash(r.id, p_state, p_now, p_answer) end
    where r.id = p_id and r.state = 'open' returning * into v_request;
  if found then
    perform private.audit('right_' || p_state, 'rights_request', p_id, jsonb_build_object('kind', v_request.kind), p_now);
  end if;
  return v_request;
end;
$$;
comment on function private.close_request(uuid, text, text, text, timestamptz) is 'Closes a request that is open; an empty row: it was not.';

-- What was asked for by mail, or by an export that failed, is open already and keeps its earlier deadline.
create function private.follow_request(p_person uuid, p_kind text, p_subject_id uuid, p_at timestamptz) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  update private.rights_requests r set subject_id = p_subject_id
    where r.user_id = p_person and r.kind = p_kind and r.state = 'open';
  if not found then
    perform private.open_request(p_person, p_kind, '', p_subject_id, p_at);
  end if;
end;
$$;
comment on function private.follow_request(uuid, text, uuid, timestamptz) is
  'What carries a right out is the request, or takes up the one that is open.';

create function private.tg_exports__follow_right() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_request uuid := (select r.id from private.rights_requests r where r.kind = 'export' and r.subject_id = new.id);
begin
  if tg_op = 'INSERT' and new.state = 'requested' then
    perform private.follow_request(new.user_id, 'export', new.id, new.requested_at);
  elsif new.state = 'ready' then
    perform private.close_request(v_request, 'answered', 'Archive made, SHA-256 ' || new.sha256, 'service', new.ended_at);
  elsif new.state = 'cancelled' then
    perform private.close_request(v_request, 'withdrawn', null, null, new.ended_at);
  end if;
  return null;
end;
$$;
comment on function private.tg_exports__follow_right() is
  'AFTER INSERT OR UPDATE: an export is the use of a right. When one fails the request stays open: for the next export, or '
  'for somebody to look into.';
create trigger _300_follow_right after insert or update of state on private.exports
  for each row execute function private.tg_exports__follow_right();

-- One that was carried out goes with its person; the ledger and the erasure, which names nobody, are its proof.
create function private.tg_erasures__follow_right() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op = 'INSERT' then
    if new.grace_until > new.requested_at and exists (select from auth.users u where u.id = new.user_id) then
      perform private.follow_request(new.user_id, 'delete', new.id, new.requested_at);
    end if;
  elsif new.state = 'cancelled' then
    perform private.close_request(r.id, 'withdrawn', null, null, new.ended_at)
      from private.rights_requests r where r.kind = 'delete' and r.subject_id = new.id;
  end if;
  return null;
end;
$$;
comment on function private.tg_erasures__follow_right() is
  'AFTER INSERT OR UPDATE: to delete the account is the use of a right. Without grace it was not the person who asked (P9.1).';
create trigger _300_follow_right after insert or update of state on private.erasures
  for each row execute function private.tg_erasures__follow_right();

create function private.forget_requests(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.rights_requests r where r.id = any (array(
    select o.id from private.rights_requests o where o.closed_at < p_now - interval '3 years'
      and o.user_id not in (select h.subject_id from private.held_people h) -- P8.5
    order by o.closed_at limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.forget_requests(timestamptz) is 'Housekeeping: requests that were closed three years ago.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('forget_requests', 'private.forget_requests', 941);

insert into private.retention_rules (relation, anchor_column, keep, slack, applied_by, condition, reason) values
  ('private.rights_requests', 'closed_at', '3 years', '1 day', 'forget_requests', 'true', 'Proof that a right was answered, until claims lapse (P7.7).');

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_exports__follow_right', 'Writes requests for whoever asked for an export.'),
  ('private.tg_erasures__follow_right', 'Writes requests for whoever asked for an erasure.');
