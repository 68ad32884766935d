-- private.local_instant(local, zone, ambiguity), resolve_local_time(local, zone, ambiguity)
-- Why:     people think in the time of a place, the queue in instants. Where clocks change, a local time exists twice or
--          not at all; what happens then is defined here, once, and said in the answer.
--          Gap (clocks go forward): the time moves forward by the gap, 02:30 becomes 03:30; adjusted = 'gap'.
--          Overlap (clocks go back): the earlier of the two instants, unless 'later' is asked for; adjusted = 'overlap'.
-- Decided: the instant is fixed when somebody schedules. A later change of a zone's rules, or of the zone in which a
--          person looks at the calendar, moves nothing by itself; check_schedule() says where the two have come apart.
--          Series and slots keep the local time and work each instant out when they make it.
-- Caller:  all of this context; people through resolve_local_time(), for a preview.
-- Errors:  NX001, NX11x account. NX002 the time or the choice. NX450 the zone.
-- Repeat:  safe; nothing is written.

-- Postgres itself takes the offset before the change in a gap, which is the rule above, and the later instant in an
-- overlap. The other instant of an overlap has the offset of the day before or of the day after.
create function private.local_instant(p_local timestamp, p_zone text, p_ambiguity text default 'earlier')
returns table (at timestamptz, adjusted text)
language sql stable security invoker set search_path = '' as $$
  with choice as (
    select p_local at time zone p_zone as at
  ), possible as (
    select min(x.at) as first, max(x.at) as last
    from choice c,
      generate_series(-1, 1) n,
      lateral (select c.at + make_interval(days => n) as at) near,
      lateral (select (p_local - ((near.at at time zone p_zone) - (near.at at time zone 'utc'))) at time zone 'utc' as at) x
    where x.at at time zone p_zone = p_local
  )
  select coalesce(case p_ambiguity when 'later' then p.last else p.first end, c.at),
         case when c.at is null then null when p.first is null then 'gap' when p.first <> p.last then 'overlap' end
  from choice c, possible p
$$;
comment on function private.local_instant(timestamp, text, text) is
  'The instant of a local time, and whether it was moved out of a gap or chosen in an overlap. The zone is known to exist.';

create function private.check_zone(p_zone text) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if private.is_time_zone(p_zone) is not true then
    perform private.fail('NX450');
  end if;
end;
$$;
comment on function private.check_zone(text) is 'NX450 unless it is a name of the IANA database.';

-- Times beyond this range are typing mistakes, and arithmetic on them could overflow.
create function private.require_instant(p_local timestamp, p_zone text, p_ambiguity text)
returns table (at timestamptz, adjusted text)
language plpgsql volatile security invoker set search_path = '' as $$
begin
  if (p_local between '2000-01-01' and '2200-01-01') is not true then
    perform private.fail('NX002', p_detail := 'p_local');
  elsif (p_ambiguity in ('earlier', 'later')) is not true then
    perform private.fail('NX002', p_detail := 'p_ambiguity');
  end if;
  perform private.check_zone(p_zone);
  return query select * from private.local_instant(p_local, p_zone, p_ambiguity);
end;
$$;
comment on function private.require_instant(timestamp, text, text) is 'The instant of a local time that a person gave.';

create function private.resolve_local_time(p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier')
returns table (at timestamptz, local_time timestamp, adjusted text)
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.require_person();
  return query
    select r.at, r.at at time zone p_time_zone, r.adjusted from private.require_instant(p_local, p_time_zone, p_ambiguity) r;
end;
$$;
comment on function private.resolve_local_time(timestamp, text, text) is 'Body of resolve_local_time().';

create function public.resolve_local_time(p_local timestamp, p_time_zone text, p_ambiguity text default 'earlier')
returns table (at timestamptz, local_time timestamp, adjusted text)
language sql volatile security invoker set search_path = '' as $$
  select * from private.resolve_local_time(p_local, p_time_zone, p_ambiguity)
$$;
comment on function public.resolve_local_time(timestamp, text, text) is
  'The instant of a local time in an IANA zone, and the local time that it then is. adjusted: gap (moved forward) or '
  'overlap (the clock shows it twice; p_ambiguity: earlier or later).';

insert into private.definer_ledger (function_name, reason) values
  ('private.resolve_local_time', 'Uses the same judgement as scheduling, in schema private.');
