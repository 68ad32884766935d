-- public.request_right(kind, details), my_requests(), withdraw_request(id)
-- Why:     a person uses a right in the product. Objecting switches off at once what can be switched off, and restricting
--          restricts at once (P7.5, P7.7); both are answered by the service itself. What an objection says in words, a
--          question and a correction wait for a person's answer.
-- Caller:  people, in every state of the account. DEFINER bodies: the table is in private.
-- Errors:  NX001 no live session. NX002 kind or details. NX960 no such request. NX961 it is closed, or has a way of its
--          own to be taken back. NX962 too many.
-- Repeat:  safe: an open request of the same kind with the same words is returned; so is the last answer where there was
--          nothing left to switch off or to restrict.
-- Locks:   one advisory lock per person.

create type private.request_view as (
  id uuid, kind text, details text, state text, received_at timestamptz, due_at timestamptz, closed_at timestamptz,
  answer text, answer_hash text, subject_id uuid
);
comment on type private.request_view is 'A request as its person sees it.';

create function private.view_request(p_request private.rights_requests) returns private.request_view
language sql immutable security invoker set search_path = '' as $$
  select row(p_request.id, p_request.kind, p_request.details, p_request.state, p_request.received_at, p_request.due_at,
             p_request.closed_at, p_request.answer, p_request.answer_hash, p_request.subject_id)::private.request_view
$$;
comment on function private.view_request(private.rights_requests) is 'What a person sees of a request.';

create function private.refuse_everything(p_person uuid, p_now timestamptz) returns text[]
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_refused text[] := array(
    select p.id from private.processing_purposes p where p.may_be_refused and case
      when p.id = 'product_improvement' then (select f.product_analytics from public.preferences f where f.user_id = p_person)
      else coalesce((select c.is_given from public.consents c where c.user_id = p_person and c.purpose_id = p.id
                     order by c.at desc, c.id limit 1), p.lawful_basis <> 'consent') end
    order by p.id);
begin
  perform private.set_choice(p_person, u, false, 'rights_request', p_now) from unnest(v_refused) u;
  return v_refused;
end;
$$;
comment on function private.refuse_everything(uuid, timestamptz) is
  'Switches off every purpose that may be refused, and returns those that were on (P7.5).';

-- NULL: there was nothing to do.
create function private.carry_out(p_person uuid, p_kind text, p_now timestamptz) returns text
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_refused text[];
begin
  if p_kind = 'object' then
    v_refused := private.refuse_everything(p_person, p_now);
    return 'Switched off: ' || nullif(array_to_string(v_refused, ', '), '') || '.';
  elsif p_kind = 'restrict' and private.restrict_processing(p_person, p_now) then
    return 'Your data is kept and nothing else is done with it, until you lift the restriction.';
  end if;
  return null;
end;
$$;
comment on function private.carry_out(uuid, text, timestamptz) is
  'Does at once what a right asks for and nobody has to decide, and says what was done.';

create function private.use_right(
  p_person uuid, p_kind text, p_details text, p_received_at timestamptz, p_by text, p_now timestamptz
) returns private.rights_requests
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_is_answered_at_once boolean := p_kind = 'restrict' or p_kind = 'object' and p_details = '';
  v_done text;
  v_request private.rights_requests;
begin
  perform pg_advisory_xact_lock(hashtextextended('right:' || p_person, 0));
  v_done := private.carry_out(p_person, p_kind, p_now);
  select * into v_request from private.rights_requests r
    where r.user_id = p_person and r.kind = p_kind
      and (r.state = 'open' and (r.details = p_details or p_kind in ('delete', 'export'))
           or v_is_answered_at_once and v_done is null and r.answered_by = 'service')
    order by r.received_at desc, r.id limit 1;
  if found then
    return v_request;
  elsif p_by is null and 20 <= (
    select count(*) from private.rights_requests r
    where r.user_id = p_person and (r.state = 'open' or r.received_at > p_now - interval '24 hours')) then
    perform private.fail('NX962');
  end if;
  v_request := private.open_request(p_person, p_kind, p_details, null, p_received_at, p_by);
  if v_is_answered_at_once then
    v_request := private.close_request(v_request.id, 'answered',
      coalesce(v_done, 'Nothing that can be switched off was on.'), 'service', p_now);
  end if;
  return v_request;
end;
$$;
comment on function private.use_right(uuid, text, text, timestamptz, text, timestamptz) is
  'Enters the use of a right, does what can be done at once, and answers it where nothing is left to say.';

create function private.request_right(p_kind text, p_details text default '', p_now timestamptz default now())
returns private.request_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  if coalesce(p_kind, '') not in ('access', 'correct', 'object', 'restrict') then
    perform private.fail('NX002', p_detail := 'p_kind');
  elsif length(p_details) > 4000 then
    perform private.fail('NX002', p_detail := 'p_details');
  end if;
  return private.view_request(private.use_right(v_person, p_kind, coalesce(p_details, ''), p_now, null, p_now));
end;
$$;
comment on function private.request_right(text, text, timestamptz) is 'Body of public.request_right().';

create function private.my_requests(p_now timestamptz default now()) returns setof private.request_view
language plpgsql stable security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
begin
  return query select (private.view_request(r)).* from private.rights_requests r
    where r.user_id = v_person order by r.received_at desc, r.id limit 1000;
end;
$$;
comment on function private.my_requests(timestamptz) is 'Body of public.my_requests().';

create function private.withdraw_request(p_request_id uuid, p_now timestamptz default now()) returns private.request_view
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_person uuid := private.live_person(p_now);
  v_request private.rights_requests;
begin
  select * into v_request from private.rights_requests r where r.id = p_request_id and r.user_id = v_person for update;
  if not found then
    perform private.fail('NX960');
  elsif v_request.state <> 'open' or v_request.subject_id is not null then
    perform private.fail('NX961', p_detail := v_request.state);
  end if;
  return private.view_request(private.close_request(p_request_id, 'withdrawn', null, null, p_now));
end;
$$;
comment on function private.withdraw_request(uuid, timestamptz) is 'Body of public.withdraw_request().';

create function public.request_right(p_kind text, p_details text default '')
returns table (
  id uuid, kind text, details text, state text, received_at timestamptz, due_at timestamptz, closed_at timestamptz,
  answer text, answer_hash text, subject_id uuid
)
language sql volatile security invoker set search_path = '' as $$
  select r.id, r.kind, r.details, r.state, r.received_at, r.due_at, r.closed_at, r.answer, r.answer_hash, r.subject_id
  from private.request_right(p_kind, p_details) r
$$;
comment on function public.request_right(text, text) is
  'Uses a right: access, correct, object or restrict. object switches off at once all that can be switched off; restrict has '
  'the data kept and nothing else done with it, until lift_restriction(). Whatever needs an answer gets it by due_at, within '
  '30 days (P7.7). An export is request_export(), deletion request_erasure(): both appear here by themselves.';

create function public.my_requests()
returns table (
  id uuid, kind text, details text, state text, received_at timestamptz, due_at timestamptz, closed_at timestamptz,
  answer text, answer_hash text, subject_id uuid
)
language sql stable security invoker set search_path = '' as $$
  select r.id, r.kind, r.details, r.state, r.received_at, r.due_at, r.closed_at, r.answer, r.answer_hash, r.subject_id
  from private.my_requests() r
$$;
comment on function public.my_requests() is 'Every right that the caller has used, newest first, with deadline and answer.';

create function public.withdraw_request(p_request_id uuid)
returns table (
  id uuid, kind text, details text, state text, received_at timestamptz, due_at timestamptz, closed_at timestamptz,
  answer text, answer_hash text, subject_id uuid
)
language sql volatile security invoker set search_path = '' as $$
  select r.id, r.kind, r.details, r.state, r.received_at, r.due_at, r.closed_at, r.answer, r.answer_hash, r.subject_id
  from private.withdraw_request(p_request_id) r
$$;
comment on function public.withdraw_request(uuid) is
  'Takes a request back that waits for an answer. Exports and deletions have cancel_export() and cancel_erasure().';

insert into private.definer_ledger (function_name, reason) values
  ('private.request_right', 'Writes a request of the caller, who has no rights on the table.'),
  ('private.my_requests', 'Reads requests of the caller, who has no rights on the table.'),
  ('private.withdraw_request', 'Changes a request of the caller, who has no rights on the table.');
