-- private.age_in_years(birth date, now), private.parse_birth_date(text, now)
-- Why:     one rule for who may have an account (P9.1, P9.2). Age counts whole calendar years in UTC, for everybody at
--          the same instant; who was born on 29 February grows older on 1 March in other years.
-- Caller:  bodies of this context.
-- Errors:  NX102 not a date, before 1900 or in the future.
-- Repeat:  safe; nothing is written.

create function private.age_in_years(p_birth_date date, p_now timestamptz default now()) returns int
language sql immutable security invoker set search_path = '' as $$
  select extract(year from age(date_trunc('day', p_now at time zone 'utc'), p_birth_date::timestamp))::int
$$;
comment on function private.age_in_years(date, timestamptz) is
  'Whole years since birth at an instant, counted in UTC.';

create function private.parse_birth_date(p_text text, p_now timestamptz default now()) returns date
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_date date;
begin
  if p_text !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' then
    perform private.fail('NX102');
  end if;
  v_date := p_text::date;
  if v_date < '1900-01-01' or v_date > (p_now at time zone 'utc')::date then
    perform private.fail('NX102');
  end if;
  return v_date;
exception when datetime_field_overflow then
  perform private.fail('NX102');
  return null;
end;
$$;
comment on function private.parse_birth_date(text, timestamptz) is
  'A birth date as a person typed it; NULL stays NULL.';
