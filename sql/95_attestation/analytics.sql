-- Checks of usage analytics (P1.7, P5.2, P8.4)
-- Why, Caller, Errors, Repeat: as in collection.sql.

create function private.other_columns(p_relation text, p_columns text[]) returns text[]
language sql stable security invoker set search_path = '' as $$
  select private.fault_list('column of ' || p_relation || ' that must not be there', array(
    select a.attname::text from pg_attribute a
    where a.attrelid = to_regclass(p_relation) and a.attnum > 0 and not a.attisdropped and a.attname <> all (p_columns)))
$$;
comment on function private.other_columns(text, text[]) is 'Columns of a relation that are not among these.';

-- An hour more than the day: housekeeping and the first event of the next day both come much earlier.
create function private.attest_usage_is_anonymised(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.usage_pseudonym', 'function private.usage_key', 'function private.destroy_usage_keys',
      'function private.count_usage', 'function private.count_usage_day', 'constraint private.usage_keys key_has_256_bits'])
    || private.unscheduled(array['destroy_usage_keys', 'count_usage'])
    || private.fault(count(*) filter (where (k.day + 1)::timestamp at time zone 'utc' < p_now - interval '1 hour'),
                     'keys of pseudonyms whose day is over')
    || private.fault_list('would be in backups', array(
      select c.relname::text from pg_class c where c.oid in ('private.usage_keys'::regclass, 'private.usage_calls'::regclass)
        and c.relpersistence <> 'u'
      union
      select n from unnest(array['usage_keys', 'usage_calls', 'usage_events', 'usage_day_counts']) n
      where not exists (select from private.backup_exclusions x where x.relation = 'private.' || n))),
    jsonb_build_object('keys', count(*), 'newest_week', (select max(r.week) from private.usage_releases r)))
  from private.usage_keys k
$$;
comment on function private.attest_usage_is_anonymised(timestamptz) is 'P1.7';

create function private.attest_usage_names_nobody(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function public.track_usage', 'function private.track_usage', 'function private.check_usage',
      'function private.usage_is_wanted', 'function private.wants_privacy', 'function private.forget_usage',
      'function private.tg_forget_usage', 'trigger public.preferences _310_forget_usage',
      'trigger private.accounts _310_forget_usage', 'trigger private.accounts _320_forget_usage'])
    || private.other_columns('private.usage_events', array['day', 'pseudonym', 'kind', 'name'])
    || private.fault((
      select count(*) from private.usage_keys k, public.preferences f
      where not f.product_analytics and exists (select from private.usage_events e
        where e.day = k.day and e.pseudonym = private.usage_pseudonym(k.key, f.user_id))), 'people who opted out and were counted'),
    jsonb_build_object('names_that_may_be_counted', (select count(*) from public.usage_names)))
$$;
comment on function private.attest_usage_names_nobody(timestamptz) is 'P5.2';

create function private.attest_aggregates_trace_to_nobody(p_now timestamptz default now()) returns private.finding
language sql stable security invoker set search_path = '' as $$
  select private.found(
    private.broken_guards(array['function private.release_usage_week', 'function private.shown_people_days', 'function private.usage_noise',
      'constraint private.usage_aggregates at_least_ten_people', 'constraint private.usage_aggregates people_days_are_rounded',
      'constraint private.usage_releases week_is_over', 'function private.tg_usage__append_only',
      'trigger private.usage_releases _100_append_only', 'trigger private.usage_releases _110_keep_all',
      'trigger private.usage_aggregates _100_append_only', 'trigger private.usage_aggregates _110_keep_all'])
    || private.other_columns('private.usage_aggregates', array['week', 'kind', 'name', 'people_days'])
    || private.other_columns('private.usage_day_counts', array['day', 'kind', 'name', 'people'])
    || private.fault(greatest(10 - private.setting_int('usage_least_people'), 0), 'people too few in setting usage_least_people')
    || private.fault(greatest(7 - private.setting_int('usage_noise_scale'), 0), 'too little in setting usage_noise_scale')
    || private.fault(count(*) filter (where a.people_days < 70), 'figures that stand for fewer than ten people')
    || private.fault((select count(*) from private.usage_day_counts d join private.usage_releases r
         on d.day between r.week and r.week + 6), 'exact counts of a week that was released'),
    jsonb_build_object('weeks', count(distinct a.week), 'figures', count(*), 'smallest', min(a.people_days)))
  from private.usage_aggregates a
$$;
comment on function private.attest_aggregates_trace_to_nobody(timestamptz) is 'P8.4';

insert into private.promise_checks (id, promise_id, runs_in, enforced_by) values
  ('usage_is_anonymised', 'P1.7', 'database', 'Usage is stored under a pseudonym of one day, whose key is destroyed when the day is over; then it is counted. Neither key nor events are in any backup.'),
  ('usage_names_nobody', 'P5.2', 'database', 'An event is a day, a pseudonym and a name from a list; an opt-out is asked for with every event, and deletes those of today.'),
  ('aggregates_trace_to_nobody', 'P8.4', 'database', 'A week is released once, when it is over: rounded, with noise, from ten people on, each counted once a day; triggers keep it unchanged.');
