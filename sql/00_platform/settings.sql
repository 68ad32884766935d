-- private.settings, private.setting(key), private.setting_interval(key), private.setting_int(key),
-- private.is_web_address(url), private.redirect_urls
-- Why:     limits and periods in one place, readable in the documentation, changeable without a migration by whoever
--          may update schema private. No secret ever lives here (P3.5).
-- Caller:  bodies in schema private.
-- Errors:  none; an unknown key is NULL.
-- Repeat:  safe.

create table private.settings (
  key text primary key,
  value jsonb not null,
  description text not null,
  constraint key_is_snake_case check (key ~ '^[a-z][a-z0-9_]{2,62}$'),
  constraint value_is_one_scalar check (jsonb_typeof(value) in ('number', 'string', 'boolean'))
);
comment on table private.settings is
  'Tunables: one scalar each. Durations are strings that Postgres reads as interval.';

create function private.setting(p_key text) returns jsonb
language sql stable security invoker set search_path = '' as $$
  select s.value from private.settings s where s.key = p_key
$$;
comment on function private.setting(text) is 'The value of a setting, NULL when there is none.';

create function private.setting_interval(p_key text) returns interval
language sql stable security invoker set search_path = '' as $$
  select make_interval(months => m.months, secs => extract(epoch from i.value - make_interval(months => m.months)))
  from private.settings s
  cross join lateral (select (s.value #>> '{}')::interval as value) i
  cross join lateral (select (extract(year from i.value) * 12 + extract(month from i.value))::int as months) m
  where s.key = p_key
$$;
comment on function private.setting_interval(text) is
  'A setting that is a duration; its days have 24 hours, where a local day may have 23.';

create function private.setting_int(p_key text) returns int
language sql stable security invoker set search_path = '' as $$
  select (s.value #>> '{}')::int from private.settings s where s.key = p_key
$$;
comment on function private.setting_int(text) is 'A setting that is a whole number.';

create function private.is_web_address(p_url text) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select p_url ~ '^(https://|http://(localhost|127\.0\.0\.1|\[::1\])(:|/|$))[^\s#]*$'  -- no clear text
     and p_url !~ '^[a-z]+://[^/?]*@'
     and length(p_url) between 9 and 500
$$;
comment on function private.is_web_address(text) is 'https, or http on this machine, without user name and fragment.';

-- Where people may be sent back to after they granted access on a platform: exactly these, nothing else (RFC 9700).
create table private.redirect_urls (
  url text primary key,
  announced_at timestamptz not null,
  constraint url_is_a_safe_web_address check (private.is_web_address(url))
);
comment on table private.redirect_urls is
  'Front end addresses that an OAuth flow may return to; announced by workers.';

insert into private.settings (key, value, description) values
  ('lease_seconds', '45', 'A worker whose heartbeat is older than this is dead and loses its leases.'),
  ('backoff_base_seconds', '5', 'Upper bound of the delay after the first attempt; doubles with each further one.'),
  ('backoff_cap_seconds', '3600', 'No retry is delayed longer than this, unless the other side asks for it.'),
  ('job_max_attempts', '10', 'A job that failed this often is a dead letter.'),
  ('idempotency_hours', '24', 'How long a repeated request gets the first answer again.'),
  ('housekeeping_batch', '10000', 'Rows that one cleanup deletes at most per run.');
