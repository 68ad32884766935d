-- private.usage_day_counts, private.usage_releases, private.usage_aggregates
-- Why:     what is left of usage events for good: per closed week and thing, a rounded number of people-days, from which nobody
--          can be told (P1.7, P8.4). release_usage.sql says how.
-- Caller:  private.count_usage() writes; operators read with SQL. Nothing of it is reached through the API.
-- Errors:  NX704 a release is to be changed.
-- Repeat:  safe: a week is released once, and never again, whatever is deleted or opted out of later.

create table private.usage_day_counts (
  day date not null,
  kind text not null,
  name text not null,
  people int not null,
  primary key (day, kind, name)
);
comment on table private.usage_day_counts is 'Days that are over, counted; deleted when their week is released.';
comment on column private.usage_day_counts.people is 'How many people of that day had this drawn; exact, and so shown to nobody.';

create table private.usage_releases (
  week date primary key,
  released_at timestamptz not null,
  constraint week_begins_on_monday check (extract(isodow from week) = 1),
  constraint week_is_over check (released_at >= (week + 7)::timestamp at time zone 'utc')
);
comment on table private.usage_releases is 'Weeks (Monday to Sunday, UTC) that were released; also those of which nothing could be shown.';

create table private.usage_aggregates (
  week date not null references private.usage_releases (week),
  kind text not null,
  name text not null,
  people_days int not null,
  primary key (week, kind, name),
  constraint at_least_ten_people check (people_days >= 70),
  constraint people_days_are_rounded check (people_days % 5 = 0)
);
comment on table private.usage_aggregates is
  'How the product was used, per week. Everybody counts for one thing a day, drawn at random: a share, not a total (P8.4).';
comment on column private.usage_aggregates.people_days is 'Estimate, with noise, in steps of five; never exact.';

create function private.tg_usage__append_only() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  perform private.fail('NX704');
  return null;
end;
$$;
comment on function private.tg_usage__append_only() is 'Refuses every change of what was released: two versions of it would tell more than one.';
create trigger _100_append_only before update or delete on private.usage_releases
  for each row execute function private.tg_usage__append_only();
create trigger _110_keep_all before truncate on private.usage_releases
  for each statement execute function private.tg_usage__append_only();
create trigger _100_append_only before update or delete on private.usage_aggregates
  for each row execute function private.tg_usage__append_only();
create trigger _110_keep_all before truncate on private.usage_aggregates
  for each statement execute function private.tg_usage__append_only();

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_usage__append_only', 'Raises a registered error for whoever tries.');
