-- private.platform_prices, public.publish_costs, public.monthly_publish_costs
-- Why:     X charges the deployment for every post, thirteen times as much when it holds a link. What a call cost is kept
--          per call, at the price of that day, and people see it per post and per month.
-- Caller:  record_part and report_targets write; people read. Prices change by migration: a new price is a new row.
-- Repeat:  each accepted call is charged once, by the statement that records it.

create table private.platform_prices (
  platform_id text not null references public.platforms (id),
  charge text not null,
  valid_from date not null,
  amount_micros bigint not null,
  currency char(3) not null,
  source text not null,
  checked_on date not null,
  primary key (platform_id, charge, valid_from),
  constraint charge_is_snake_case check (charge ~ '^[a-z][a-z_]{2,40}$'),
  constraint amount_is_not_negative check (amount_micros >= 0),
  constraint source_is_given check (length(source) between 5 and 200)
);
comment on table private.platform_prices is 'What a platform charges for a call: dated, with source. The newest valid row counts.';
comment on column private.platform_prices.charge is 'Name of the call as workers report it, such as post_create.';
comment on column private.platform_prices.amount_micros is 'Millionths of the currency''s main unit, per call.';

insert into private.platform_prices (platform_id, charge, valid_from, amount_micros, currency, source, checked_on) values
  ('x', 'post_create', '2026-01-01', 15000, 'USD', 'X API documentation, pricing', '2026-11-20'),
  ('x', 'post_create_with_url', '2026-01-01', 200000, 'USD', 'X API documentation, pricing', '2026-11-20');

create table public.publish_costs (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  target_id uuid,
  platform_id text not null references public.platforms (id),
  charge text not null,
  amount_micros bigint not null,
  currency char(3) not null,
  charged_at timestamptz not null,
  unique (id, user_id),
  foreign key (target_id, user_id) references public.post_targets (id, user_id) on delete set null (target_id),
  constraint amount_is_not_negative check (amount_micros >= 0)
);
create index publish_costs_user_id_charged_at_idx on public.publish_costs (user_id, charged_at desc);
create index publish_costs_target_id_user_id_idx on public.publish_costs (target_id, user_id);
create index publish_costs_platform_id_idx on public.publish_costs (platform_id);
comment on table public.publish_costs is 'What the platforms charged for publishing, one row per accepted call.';
comment on column public.publish_costs.target_id is 'What was published; empty once the target has been deleted.';
comment on column public.publish_costs.platform_id is 'Which platform charged.';
comment on column public.publish_costs.currency is 'ISO 4217.';
comment on column public.publish_costs.charged_at is 'When the call was recorded.';
comment on column public.publish_costs.charge is 'Which price applied, such as post_create_with_url.';
comment on column public.publish_costs.amount_micros is 'Millionths of the currency''s main unit: 15000 USD micros are 0.015 USD.';

create type private.target_charge as (target_id uuid, charge text);
comment on type private.target_charge is 'A call about a target that the platform charges for.';

create function private.charge_targets(p_charges private.target_charge[], p_now timestamptz) returns void
language sql volatile security invoker set search_path = '' as $$
  insert into public.publish_costs (user_id, target_id, platform_id, charge, amount_micros, currency, charged_at)
  select t.user_id, t.id, t.platform_id, c.charge, p.amount_micros, p.currency, p_now
  from unnest(p_charges) c
    join public.post_targets t on t.id = c.target_id
    cross join lateral (
      select x.amount_micros, x.currency from private.platform_prices x
      where x.platform_id = t.platform_id and x.charge = c.charge and x.valid_from <= (p_now at time zone 'utc')::date
      order by x.valid_from desc limit 1) p
$$;
comment on function private.charge_targets(private.target_charge[], timestamptz) is
  'Notes what calls cost at the price of the day; calls without a price cost nothing.';

create view public.monthly_publish_costs with (security_invoker = true) as
  select c.user_id, date_trunc('month', c.charged_at at time zone 'utc')::date as month, c.platform_id, c.currency,
         count(*) as calls, sum(c.amount_micros)::bigint as amount_micros
  from public.publish_costs c
  group by c.user_id, date_trunc('month', c.charged_at at time zone 'utc')::date, c.platform_id, c.currency;
comment on view public.monthly_publish_costs is
  'What publishing cost per month (UTC, its first day), platform and currency; amounts in millionths.';
comment on column public.monthly_publish_costs.month is 'First day of the month (UTC).';
comment on column public.monthly_publish_costs.platform_id is 'Which platform charged.';
comment on column public.monthly_publish_costs.currency is 'ISO 4217.';
comment on column public.monthly_publish_costs.calls is 'How many calls it charged for.';
comment on column public.monthly_publish_costs.amount_micros is 'Their sum in millionths of the currency''s main unit.';
