-- private.count_usage(now), private.usage_noise(scale), private.shown_people_days(total, noise)
-- Why:     turns pseudonymous events into figures about nobody (P1.7, P8.4). How that is kept true:
--          1. One vote a day. Of a pseudonym one row counts, drawn at random, so the cells of a week are disjoint: no cell is part
--             of another, there are no totals, and adding or subtracting cells isolates nobody.
--          2. Pseudonyms change daily: who came on Monday and on Tuesday cannot be told, nor be counted as one. So people-days
--             are counted, to which one person adds at most seven a week. A cell is shown from 7 x 10 people-days on, which are
--             ten different people in every case (fewer could not have that many), and none has more than a tenth of it.
--          3. Noise, two-sided geometric with scale 7, drawn once per cell and kept only within the released figure. A person's
--             whole week moves one release by 7: with them or without, each answer is at most e (2.72) times as likely.
--          4. The noisy figure must reach 7 x 10 + 5 x 7 as well. So that a cell just falls below rule 2 is not seen, save with a
--             probability below one in a hundred (measured in tests/sql/analytics/test_release.py).
--          5. Weeks are closed when they are released, do not overlap, and are never released again: not after somebody opted
--             out or was erased, for that difference would be them. Nor after a restore: backups leave events out.
--          Over several weeks these bounds add up, as they do for every release about the same people.
-- Caller:  housekeeping, before old partitions are dropped.
-- Errors:  none.
-- Repeat:  safe: a day that is counted and a week that is released are passed over; after a pause all of them are made up for.

-- The difference of two geometric variables. ln() of 48 random bits: never of zero.
create function private.usage_noise(p_scale double precision) returns int
language sql volatile security invoker set search_path = '' as $$
  select floor(-ln(u.a) * p_scale)::int - floor(-ln(u.b) * p_scale)::int
  from (select encode(extensions.gen_random_bytes(12), 'hex') as bits) r
  cross join lateral (
    select ((('x' || left(r.bits, 12))::bit(48)::bigint + 1) / 281474976710656.0)::double precision as a,
           ((('x' || right(r.bits, 12))::bit(48)::bigint + 1) / 281474976710656.0)::double precision as b) u
$$;
comment on function private.usage_noise(double precision) is 'Noise around zero; each step away is less likely by exp(-1 / scale).';

create function private.shown_people_days(p_total bigint, p_noise int) returns int
language sql stable security invoker set search_path = '' as $$
  select case when p_total >= 7 * s.k and p_total + p_noise >= 7 * s.k + 5 * s.scale
           then ((p_total + p_noise + 2) / 5 * 5)::int end
  from (select private.setting_int('usage_least_people') as k, private.setting_int('usage_noise_scale') as scale) s
$$;
comment on function private.shown_people_days(bigint, int) is 'What is released of a cell; NULL: nothing.';

create function private.count_usage_day(p_day date) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into private.usage_day_counts (day, kind, name, people)
    select p_day, v.kind, v.name, count(*)
    from (select distinct on (e.pseudonym) e.kind, e.name from private.usage_events e where e.day = p_day
          order by e.pseudonym, random()) v
    group by v.kind, v.name
$$;
comment on function private.count_usage_day(date) is 'Counts one day that is over: one vote per pseudonym.';

create function private.release_usage_week(p_week date, p_now timestamptz default now()) returns void
language plpgsql volatile security invoker set search_path = '' as $$
begin
  insert into private.usage_releases (week, released_at) values (p_week, p_now);
  insert into private.usage_aggregates (week, kind, name, people_days)
    select p_week, c.kind, c.name, c.shown
    from (
      select d.kind, d.name,
             private.shown_people_days(sum(d.people), private.usage_noise(private.setting_int('usage_noise_scale'))) as shown
      from private.usage_day_counts d where d.day between p_week and p_week + 6 group by d.kind, d.name) c
    where c.shown is not null;
  delete from private.usage_day_counts d where d.day between p_week and p_week + 6;
end;
$$;
comment on function private.release_usage_week(date, timestamptz) is 'Releases one week that is over, once and for all.';

create function private.count_usage(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_today date := (p_now at time zone 'utc')::date;
  v_day date;
  v_count bigint := 0;
begin
  for v_day in
    select d::date from generate_series(v_today - 31, v_today - 1, interval '1 day') d
    where exists (select from private.usage_events e where e.day = d::date)
      and not exists (select from private.usage_day_counts c where c.day = d::date)
      and not exists (select from private.usage_releases r where r.week = date_trunc('week', d)::date)
  loop
    perform private.count_usage_day(v_day);
    v_count := v_count + 1;
  end loop;
  perform private.release_usage_week(w.week, p_now) from (
    select distinct date_trunc('week', c.day)::date as week from private.usage_day_counts c
    where date_trunc('week', c.day)::date + 7 <= v_today order by 1) w;
  return v_count;
end;
$$;
comment on function private.count_usage(timestamptz) is 'Housekeeping: counts days, and releases weeks, that are over. Returns how many days.';

insert into private.settings (key, value, description) values
  ('usage_least_people', '10', 'A figure about the use of the product stands for at least this many different people (P8.4).'),
  ('usage_noise_scale', '7', 'Scale of the noise in such figures: the days that one person can add to a week (P8.4).');

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('count_usage', 'private.count_usage', 15);
