-- private.billing_customers, public.billing_invoices, retained.billing_invoices; private.retain_invoices(person)
-- Why:     an invoice never changes, and is kept for seven years, also after its person is gone: then apart from
--          everything else, with no more than the law wants on it (P2.5, P8.3).
-- Caller:  billing writes; people read their own; an erasure moves them; housekeeping destroys what is past its time.
-- Errors:  NX850 an invoice is to be changed, or deleted before its time.
-- Repeat:  private.retain_invoices() is safe: what has been moved is moved.

create table private.billing_customers (
  user_id uuid primary key references auth.users (id) on delete cascade,
  stripe_customer_id text not null unique,
  created_at timestamptz not null,
  constraint stripe_customer_id_is_one check (stripe_customer_id ~ '^cus_[A-Za-z0-9]{1,250}$')
);
comment on table private.billing_customers is 'The id under which Stripe knows a person: nothing of a card is here (P2.5).';

create table public.billing_invoices (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references auth.users (id) on delete cascade,
  number text not null unique,
  issued_at timestamptz not null,
  billed_to text not null,
  country text not null,
  description text not null,
  amount_minor bigint not null,
  tax_minor bigint not null,
  currency char(3) not null,
  stripe_invoice_id text unique,
  constraint number_is_short check (length(number) between 1 and 60),
  constraint billed_to_is_a_name_and_address check (length(billed_to) between 1 and 500),
  constraint description_is_short check (length(description) between 1 and 300),
  constraint country_is_iso_3166_alpha_2 check (country ~ '^[A-Z]{2}$'),
  constraint currency_is_iso_4217 check (currency ~ '^[A-Z]{3}$'),
  constraint stripe_invoice_id_is_one check (stripe_invoice_id ~ '^in_[A-Za-z0-9]{1,250}$')
);
create index billing_invoices_user_id_issued_at_idx on public.billing_invoices (user_id, issued_at desc);
comment on table public.billing_invoices is 'Invoices of this service to the person. Immutable.';
comment on column public.billing_invoices.number is 'Consecutive, as printed.';
comment on column public.billing_invoices.issued_at is 'Date of the invoice; seven years are counted from it (P8.3).';
comment on column public.billing_invoices.billed_to is 'Name and address as printed.';
comment on column public.billing_invoices.country is 'ISO 3166, for the tax.';
comment on column public.billing_invoices.description is 'What was billed.';
comment on column public.billing_invoices.amount_minor is 'Total in minor units, tax included.';
comment on column public.billing_invoices.tax_minor is 'Tax in it, in minor units.';
comment on column public.billing_invoices.currency is 'ISO 4217.';
comment on column public.billing_invoices.stripe_invoice_id is 'Stripe''s id of it.';

-- In UTC, so that it does not depend on who asks; 29 February becomes 28 February.
create function private.seven_years_after(p_at timestamptz) returns timestamptz
language sql immutable security invoker set search_path = '' as $$
  select (p_at at time zone 'utc' + interval '7 years') at time zone 'utc'
$$;
comment on function private.seven_years_after(timestamptz) is 'When an invoice of that date is destroyed (P8.3).';

create table retained.billing_invoices (
  id uuid primary key default gen_random_uuid(),
  pseudonym uuid not null,
  number text not null unique,
  issued_at timestamptz not null,
  billed_to text not null,
  country text not null,
  description text not null,
  amount_minor bigint not null,
  tax_minor bigint not null,
  currency char(3) not null,
  purge_after timestamptz not null,
  constraint kept_for_seven_years check (purge_after = private.seven_years_after(issued_at)) -- P8.3
);
create index billing_invoices_purge_after_idx on retained.billing_invoices (purge_after);
comment on table retained.billing_invoices is 'Invoices of people who are gone: what the law wants on them, and nothing else (P8.3).';
comment on column retained.billing_invoices.pseudonym is 'Random; the same for the invoices of one person, and known nowhere else.';

create function private.retain_invoices(p_person uuid) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_pseudonym uuid := gen_random_uuid();
  v_count bigint;
begin
  insert into retained.billing_invoices (pseudonym, number, issued_at, billed_to, country, description, amount_minor,
                                         tax_minor, currency, purge_after)
    select v_pseudonym, i.number, i.issued_at, i.billed_to, i.country, i.description, i.amount_minor, i.tax_minor,
           i.currency, private.seven_years_after(i.issued_at)
    from public.billing_invoices i where i.user_id = p_person
    on conflict (number) do nothing;
  delete from public.billing_invoices i where i.user_id = p_person;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.retain_invoices(uuid) is
  'Moves the invoices of a person who is being erased to schema retained; returns how many (P8.3).';

-- What is in schema retained may be deleted here; and what is not there yet may not.
create function private.tg_billing_invoices__immutable() returns trigger
language plpgsql volatile security definer set search_path = '' as $$
begin
  if tg_op = 'DELETE' and (case tg_table_schema
    when 'public' then exists (select from retained.billing_invoices r where r.number = to_jsonb(old) ->> 'number')
    else (to_jsonb(old) ->> 'purge_after')::timestamptz <= now() end) then
    return old;
  end if;
  perform private.fail('NX850');
  return null;
end;
$$;
comment on function private.tg_billing_invoices__immutable() is
  'Invoices are not changed, and not deleted before they are in schema retained, or past their seven years (P8.3).';
create trigger _100_immutable before update or delete on public.billing_invoices
  for each row execute function private.tg_billing_invoices__immutable();
create trigger _110_keep_all before truncate on public.billing_invoices
  for each statement execute function private.tg_billing_invoices__immutable();
create trigger _100_immutable before update or delete on retained.billing_invoices
  for each row execute function private.tg_billing_invoices__immutable();
create trigger _110_keep_all before truncate on retained.billing_invoices
  for each statement execute function private.tg_billing_invoices__immutable();

create function private.destroy_old_invoices(p_now timestamptz default now()) returns bigint
language plpgsql volatile security invoker set search_path = '' as $$
declare
  v_count bigint;
begin
  delete from retained.billing_invoices r where r.id = any (array(
    select o.id from retained.billing_invoices o where o.purge_after <= p_now
    order by o.purge_after limit private.setting_int('housekeeping_batch')));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;
comment on function private.destroy_old_invoices(timestamptz) is 'Housekeeping: invoices of erased people, after seven years (P8.3).';

insert into private.housekeeping_tasks (task, function_name, run_order) values
  ('destroy_old_invoices', 'private.destroy_old_invoices', 850);

insert into private.definer_ledger (function_name, reason) values
  ('private.tg_billing_invoices__immutable', 'Looks into schema retained, whoever tries to delete.');
