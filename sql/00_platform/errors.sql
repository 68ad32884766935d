-- private.error_registry, private.fail(code, detail)
-- Why:     every refusal has its own SQLSTATE (class NX), a message and a hint: clients switch on the code, people
--          read the message. One registry, so that the client library and the documentation cannot drift from the
--          database.
-- Caller:  every other function, as whatever role it runs; DEFINER, because people may not read schema private.
-- Errors:  NX000 the code is not in the registry: a mistake of ours, never of the caller.
-- Repeat:  safe; nothing is written.
-- Blocks:  NX0xx platform, NX1xx identity, NX15x notifications, NX2xx connections, NX3xx content, NX40x to NX44x
--          publishing, NX45x to NX49x scheduling, NX70x analytics, NX80x messaging, NX90x to NX98x privacy, NX99x attestation.
--          Each context registers its own codes in its own errors.sql.

create table private.error_registry (
  code text primary key,
  message text not null,
  hint text not null,
  http_status int not null,
  constraint code_is_class_nx check (code ~ '^NX[0-9]{3}$'),
  constraint message_is_one_sentence check (message ~ '^\S.{2,198}[^.\s]$'),
  constraint hint_names_the_next_step check (length(hint) between 3 and 300),
  constraint http_status_is_an_error check (http_status between 400 and 599)
);
comment on table private.error_registry is
  'Every error that this service raises. The client maps codes to exceptions; the documentation prints this table.';
comment on column private.error_registry.message is 'What is wrong, without a full stop and without personal content.';
comment on column private.error_registry.hint is 'The next step of whoever called.';
comment on column private.error_registry.http_status is
  'What the error amounts to. PostgREST itself answers 400 for codes that it does not know.';

-- SECURITY DEFINER, each with its reason. A test compares this table with the catalogue: equal, or the build fails.
create table private.definer_ledger (
  function_name text primary key,
  reason text not null,
  constraint definer_lives_in_private check (function_name ~ '^private\.[a-z][a-z0-9_]*$'),
  constraint reason_is_given check (length(reason) between 10 and 300)
);
comment on table private.definer_ledger is
  'Every SECURITY DEFINER function with the reason why it cannot run with the rights of its caller.';

-- Volatile although it only reads: the planner may run a stable function with constant arguments ahead of time.
create function private.fail(p_code text, p_detail text default null) returns void
language plpgsql volatile security definer set search_path = '' as $$
declare
  v_error private.error_registry;
begin
  select * into v_error from private.error_registry where code = p_code;
  if not found then
    raise exception using errcode = 'NX000', message = format('Error code %s is not registered', p_code),
      hint = 'Report this: it is a mistake in the service.';
  end if;
  if p_detail is null then
    raise exception using errcode = v_error.code, message = v_error.message, hint = v_error.hint;
  end if;
  raise exception using errcode = v_error.code, message = v_error.message, hint = v_error.hint, detail = p_detail;
end;
$$;
comment on function private.fail(text, text) is
  'Raises a registered error. Detail holds ids, rule names and limits, never what a person wrote.'; -- P1.11

insert into private.definer_ledger (function_name, reason) values
  ('private.fail', 'Reads error_registry for callers that have no rights on tables of schema private.');

insert into private.error_registry (code, message, hint, http_status) values
  ('NX000', 'Something is wrong in the service itself', 'Report this: it is a mistake in the service.', 500),
  ('NX001', 'You are not signed in, or your session has ended', 'Sign in and try again.', 401),
  ('NX002', 'An argument is missing or out of range', 'Correct the argument that the detail names.', 400),
  ('NX003', 'This idempotency key was used for a different request',
   'Use a new key for a new request; repeat a request unchanged.', 409),
  ('NX005', 'A worker announced an address that is not allowed',
   'Use https, or http on this machine, without user name and fragment.', 400),
  ('NX010', 'This field cannot be changed directly', 'Use the function that is meant for this change.', 403);
