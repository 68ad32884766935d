-- The schemas and what every later file stands on.
-- Why:     four zones of visibility (ARCHITECTURE.md): `public` is the front end's API, `worker` the workers',
--          `private` holds bodies and secrets, `retained` what the law makes us keep.
-- Caller:  nobody; grants are in the twin file in policies/.
-- Repeat:  safe.

create schema if not exists private;
create schema if not exists worker;
create schema if not exists retained;
create schema if not exists extensions;

-- Preinstalled on the hosted service; needed where it is not. Only gen_random_bytes() is used: ids are no secrets.
create extension if not exists pgcrypto with schema extensions;

comment on schema private is
  'Bodies of functions, queue, vault, ledgers, reference data. Not exposed through the API.';
comment on schema worker is 'The functions that workers call, as service_role. Exposed, but only that role has USAGE.';
comment on schema retained is
  'Financial records of erased accounts, kept for seven years. Not exposed through the API.';
