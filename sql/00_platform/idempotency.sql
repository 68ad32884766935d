-- private.idempotent_response(user, function, key, request), private.remember_response(…)
-- Why:     a front end repeats a request when the answer got lost; the effect must happen once, the answer come twice.
-- Caller:  bodies of mutating functions: first thing and last thing they do, in one transaction.
-- Errors:  NX003 the key came with another request.
-- Repeat:  that is the point. Keys live for `idempotency_hours`, then the same key starts afresh.
-- Locks:   a transaction advisory lock per (user, function, key), so that two parallel calls queue up; taken before
--          any row lock, therefore always first in the lock order.

create table private.idempotency_keys (
  user_id uuid not null references auth.users (id) on delete cascade,
  function_name text not null,
  key uuid not null,
  request_hash text not null,
  response jsonb not null,
  created_at timestamptz not null,
  primary key (user_id, function_name, key)
);
create index idempotency_keys_created_at_idx on private.idempotency_keys (created_at);
comment on table private.idempotency_keys is 'Answers to repeat when a request arrives again; gone after a day.';
comment on column private.idempotency_keys.request_hash is 'SHA-256 of the arguments: shows that the repeat is one.';
comment on column private.idempotency_keys.response is 'The answer, which may hold what the person wrote.';

create function private.request_hash(p_request jsonb) returns text
language sql immutable security invoker set search_path = '' as $$
  select encode(sha256(convert_to(coalesce(p_request, 'null')::text, 'UTF8')), 'hex')
$$;
comment on function private.request_hash(jsonb) is 'SHA-256 of a request; jsonb prints its keys in one order.';

create function private.idempotent_response(
  p_user uuid, p_function text, p_key uuid, p_request jsonb, p_now timestamptz default now()
) returns jsonb
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_known private.idempotency_keys;
begin
  if p_key is null then
    return null;
  end if;
  perform pg_advisory_xact_lock(hashtextextended(concat_ws(':', p_user, p_function, p_key), 0));
  select * into v_known from private.idempotency_keys
    where user_id = p_user and function_name = p_function and key = p_key;
  if not found or v_known.created_at <= p_now - make_interval(hours => private.setting_int('idempotency_hours')) then
    return null;
  end if;
  if v_known.request_hash <> private.request_hash(p_request) then
    perform private.fail('NX003');
  end if;
  return v_known.response;
end;
$$;
comment on function private.idempotent_response(uuid, text, uuid, jsonb, timestamptz) is
  'The answer of the first call with this key, or NULL: go on, and remember_response() at the end.';

create function private.remember_response(
  p_user uuid, p_function text, p_key uuid, p_request jsonb, p_response jsonb, p_now timestamptz default now()
) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.idempotency_keys (user_id, function_name, key, request_hash, response, created_at)
  select p_user, p_function, p_key, private.request_hash(p_request), coalesce(p_response, 'null'), p_now
  where p_key is not null
  on conflict (user_id, function_name, key) do update
    set request_hash = excluded.request_hash, response = excluded.response, created_at = excluded.created_at
$$;
comment on function private.remember_response(uuid, text, uuid, jsonb, jsonb, timestamptz) is
  'Keeps the answer for repeats of this request; does nothing without a key.';

create function private.expire_idempotency_keys(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from private.idempotency_keys k
  using (
    select user_id, function_name, key from private.idempotency_keys
    where created_at <= p_now - make_interval(hours => private.setting_int('idempotency_hours'))
    order by created_at limit private.setting_int('housekeeping_batch')
  ) old
  where k.user_id = old.user_id and k.function_name = old.function_name and k.key = old.key;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.expire_idempotency_keys(timestamptz) is 'Housekeeping: forgets answers after a day.';
