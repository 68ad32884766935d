-- private.usage_keys, private.usage_calls; private.usage_key(now), usage_pseudonym(key, person), destroy_usage_keys(now)
-- Why:     an event names a pseudonym of one day: HMAC-SHA-256 over the person's id under a random key that exists on that
--          day (UTC) alone. While it exists, today's events of a person can be found, and go at once when they opt out or
--          leave. When it is destroyed, nobody, holders of every secret included, can link yesterday's events to a person, to
--          today's, or to those of another day (P1.7, P5.2, P8.4).
-- Caller:  private.track_usage(), which makes the key of the day with its first event; housekeeping.
-- Errors:  none.
-- Repeat:  safe.
-- Locks:   making a key takes an advisory lock. The tables are emptied by TRUNCATE, so that no dead row is left on disk,
--          unless somebody reads them at this moment: then by DELETE, and autovacuum comes within minutes.
-- Note:    both tables are unlogged: keys are in no write-ahead log and in no base backup. Backups, which are kept longer
--          than a day, leave them out (private.backup_exclusions); a key in one would undo all this.
--          A crash of the database empties them. The day then begins again: its events, now of nobody, are deleted, so
--          that no person counts as two.

create unlogged table private.usage_keys (
  day date primary key,
  key bytea not null,
  constraint key_has_256_bits check (length(key) = 32)
) with (autovacuum_vacuum_threshold = 0, autovacuum_vacuum_scale_factor = 0);
alter table private.usage_keys alter column key set statistics 0;  -- the planner would copy it
comment on table private.usage_keys is 'The key of today''s pseudonyms; destroyed when the day is over (P5.2).';

create unlogged table private.usage_calls (
  pseudonym bytea primary key,
  day date not null,
  calls int not null
) with (fillfactor = 70, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.05);
comment on table private.usage_calls is 'How often a pseudonym of today has sent events: the limit of a day. Emptied with the key.';

create function private.usage_pseudonym(p_key bytea, p_person uuid) returns bytea
language sql immutable security invoker set search_path = '' as $$
  select substr(extensions.hmac(uuid_send(p_person), p_key, 'sha256'), 1, 16)
$$;
comment on function private.usage_pseudonym(bytea, uuid) is 'What a person is called under this key.';

create function private.usage_pseudonyms(p_person uuid) returns setof bytea
language sql stable security invoker set search_path = '' as $$
  select private.usage_pseudonym(k.key, p_person) from private.usage_keys k
$$;
comment on function private.usage_pseudonyms(uuid) is 'The pseudonym of a person that can still be told: today''s, or none.';

create function private.destroy_usage_keys(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_today date := (p_now at time zone 'utc')::date;
  v_count bigint := (select count(*) from private.usage_keys k where k.day < v_today);
begin
  if v_count > 0 then
    begin
      lock table private.usage_keys, private.usage_calls in access exclusive mode nowait;
      truncate private.usage_keys, private.usage_calls;
    exception when lock_not_available then -- waiting could deadlock with whoever waits for the lock of private.usage_key()
      delete from private.usage_keys k where k.day < v_today;
      delete from private.usage_calls where true;
    end;
  end if;
  return v_count;
end;
$$;
comment on function private.destroy_usage_keys(timestamptz) is 'Housekeeping: destroys the keys of days that are over (UTC).';

-- A call that began before midnight finds the key of the new day, if somebody was faster: it counts for that day.
create function private.usage_key(p_now timestamptz) returns private.usage_keys
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_today date := (p_now at time zone 'utc')::date;
  v_key private.usage_keys;
begin
  select * into v_key from private.usage_keys k where k.day >= v_today order by k.day desc limit 1;
  if not found then
    perform pg_advisory_xact_lock(hashtextextended('private.usage_keys', 0));
    select * into v_key from private.usage_keys k where k.day >= v_today order by k.day desc limit 1;
  end if;
  if not found then
    perform private.destroy_usage_keys(p_now);
    delete from private.usage_events e where e.day = v_today;
    insert into private.usage_keys (day, key) values (v_today, extensions.gen_random_bytes(32)) returning * into v_key;
  end if;
  return v_key;
end;
$$;
comment on function private.usage_key(timestamptz) is 'The key of today; the first caller of the day makes it and destroys the one before.';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('destroy_usage_keys', 'private.destroy_usage_keys', 11);
