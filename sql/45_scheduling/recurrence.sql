-- private.recurrence, private.parse_rrule(rule, zone), private.rule_days(rule, starts_on, local_time, through)
-- Why:     recurrence in the words of RFC 5545 (RRULE), of which a calendar for posts needs this much:
--            FREQ=DAILY
--            FREQ=WEEKLY   with BYDAY=MO,TH; without: the weekday of the first day
--            FREQ=MONTHLY  with BYMONTHDAY=1,15 or -1 (the last day), or BYDAY=1MO,-1FR; without: the day of the first day
--            INTERVAL=n, and an end: COUNT=n (at most 1,000) or UNTIL=YYYYMMDD or UNTIL=YYYYMMDDTHHMMSSZ (inclusive)
--          Weeks begin on Monday. A month without such a day has no occurrence, as the RFC says.
-- Caller:  series, in this context.
-- Errors:  NX453 with the part that is wrong.
-- Repeat:  safe; nothing is written.

create type private.recurrence as (
  freq text,
  step int,
  by_day text[],
  by_month_day int[],
  max_count int,
  until_local timestamp
);
comment on type private.recurrence is
  'A rule, parsed. by_day as in BYDAY. until_local: last local time that may be, in the zone of the series.';

create function private.fail_rrule(p_part text, p_is_right boolean) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if p_is_right is not true then
    perform private.fail('NX453', p_detail := p_part);
  end if;
end;
$$;
comment on function private.fail_rrule(text, boolean) is 'NX453 with the part of the rule, unless it is right.';

create function private.rrule_until(p_until text, p_zone text) returns timestamp
language plpgsql stable security invoker set search_path = '' as $$
begin
  if p_until ~ '^\d{8}$' then
    return p_until::date + time '23:59:59';
  end if;
  return (left(p_until, 8)::date + substr(p_until, 10, 6)::time) at time zone 'utc' at time zone p_zone;
exception when datetime_field_overflow or invalid_datetime_format then
  return null;
end;
$$;
comment on function private.rrule_until(text, text) is 'UNTIL as local time of the zone; NULL: no such day.';

create function private.parse_rrule(p_rule text, p_zone text) returns private.recurrence
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_text text := regexp_replace(upper(coalesce(p_rule, '')), '^RRULE:', '');
  v_part jsonb;
  v_rule private.recurrence;
  v_until text;
begin
  perform private.fail_rrule('RRULE', v_text ~ '^[A-Z]+=[^;=]+(;[A-Z]+=[^;=]+)*$' and length(v_text) <= 500);
  select jsonb_object_agg(split_part(p, '=', 1), split_part(p, '=', 2)) into v_part
    from unnest(string_to_array(v_text, ';')) p;
  perform private.fail_rrule('RRULE',
    (select count(*) from jsonb_object_keys(v_part)) = cardinality(string_to_array(v_text, ';')));
  perform private.fail_rrule(k, k in ('FREQ', 'INTERVAL', 'BYDAY', 'BYMONTHDAY', 'COUNT', 'UNTIL', 'WKST'))
    from jsonb_object_keys(v_part) k;
  v_rule.freq := v_part ->> 'FREQ';
  perform private.fail_rrule('FREQ', v_rule.freq in ('DAILY', 'WEEKLY', 'MONTHLY'));
  perform private.fail_rrule('WKST', coalesce(v_part ->> 'WKST', 'MO') = 'MO');
  perform private.fail_rrule('INTERVAL', coalesce(v_part ->> 'INTERVAL', '1') ~ '^[1-9]\d{0,2}$');
  v_rule.step := coalesce(v_part ->> 'INTERVAL', '1')::int;
  v_rule.by_day := string_to_array(v_part ->> 'BYDAY', ',');
  perform private.fail_rrule('BYDAY', v_rule.by_day is null or case v_rule.freq
    when 'WEEKLY' then v_part ->> 'BYDAY' ~ '^(MO|TU|WE|TH|FR|SA|SU)(,(MO|TU|WE|TH|FR|SA|SU))*$'
    when 'MONTHLY' then v_part ->> 'BYDAY' ~ '^-?[1-5](MO|TU|WE|TH|FR|SA|SU)(,-?[1-5](MO|TU|WE|TH|FR|SA|SU))*$'
                        and not v_part ? 'BYMONTHDAY' end);
  perform private.fail_rrule('BYMONTHDAY', not v_part ? 'BYMONTHDAY' or (v_rule.freq = 'MONTHLY'
    and v_part ->> 'BYMONTHDAY' ~ '^-?([1-9]|[12]\d|3[01])(,-?([1-9]|[12]\d|3[01]))*$'));
  v_rule.by_month_day := string_to_array(v_part ->> 'BYMONTHDAY', ',')::int[];
  perform private.fail_rrule('COUNT', (v_part ? 'COUNT') <> (v_part ? 'UNTIL')
    and coalesce(v_part ->> 'COUNT', '1') ~ '^([1-9]\d{0,2}|1000)$');
  v_rule.max_count := (v_part ->> 'COUNT')::int;
  v_until := v_part ->> 'UNTIL';
  perform private.fail_rrule('UNTIL', v_until is null or v_until ~ '^\d{8}(T\d{6}Z)?$');
  v_rule.until_local := private.rrule_until(v_until, p_zone);
  perform private.fail_rrule('UNTIL', v_until is null or v_rule.until_local is not null);
  return v_rule;
end;
$$;
comment on function private.parse_rrule(text, text) is 'A rule of RFC 5545, as far as recurrence.sql describes it; NX453.';

create function private.rule_matches(p_rule private.recurrence, p_start date, p_day date) returns boolean
language sql immutable security invoker set search_path = '' as $$
  select case p_rule.freq
    when 'DAILY' then (p_day - p_start) % p_rule.step = 0
    when 'WEEKLY' then (date_trunc('week', p_day::timestamp)::date - date_trunc('week', p_start::timestamp)::date) / 7
                         % p_rule.step = 0
      and case when p_rule.by_day is null then d.name = (d.names)[extract(isodow from p_start)]
               else d.name = any (p_rule.by_day) end
    else (extract(year from p_day) * 12 + extract(month from p_day)
          - extract(year from p_start) * 12 - extract(month from p_start))::int % p_rule.step = 0
      and case when p_rule.by_day is not null then p_rule.by_day && array[
                 ((d.number - 1) / 7 + 1) || d.name, '-' || ((d.days - d.number) / 7 + 1) || d.name]
               when p_rule.by_month_day is not null then p_rule.by_month_day && array[d.number, d.number - d.days - 1]
               else d.number = extract(day from p_start) end
    end
  from (
    select n.names, n.names[extract(isodow from p_day)] as name, extract(day from p_day)::int as number,
           extract(day from date_trunc('month', p_day::timestamp) + interval '1 month - 1 day')::int as days
    from (values (array['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'])) n (names)
  ) d
$$;
comment on function private.rule_matches(private.recurrence, date, date) is 'Whether the rule has an occurrence on a day.';

-- Ten years are the end of every series, whatever its rule says.
create function private.rule_days(p_rule private.recurrence, p_start date, p_local_time time, p_through date)
returns table (number int, occurs_on date)
language sql immutable security invoker set search_path = '' as $$
  select d.number, d.day from (
    select row_number() over (order by n)::int as number, p_start + n as day
    from generate_series(0, least(p_through - p_start, 3653)) n
    where private.rule_matches(p_rule, p_start, p_start + n)
      and (p_rule.until_local is null or (p_start + n) + p_local_time <= p_rule.until_local)
  ) d where d.number <= coalesce(p_rule.max_count, 1000) order by d.number
$$;
comment on function private.rule_days(private.recurrence, date, time, date) is
  'Occurrences of a rule up to a day, numbered from 1; at most 1,000 within ten years.';
