-- A person reads their invoices; nobody writes them through the API, and nobody reaches schema retained.

alter table private.billing_customers enable row level security;

alter table public.billing_invoices enable row level security;
revoke all on public.billing_invoices from public, anon, authenticated, service_role;
grant select on public.billing_invoices to authenticated;
create policy billing_invoices_select_owner on public.billing_invoices for select to authenticated
  using (user_id = (select auth.uid()));
create policy billing_invoices_all_live_session on public.billing_invoices as restrictive for all to authenticated
  using ((select private.session_is_live()));

alter table retained.billing_invoices enable row level security;
revoke all on retained.billing_invoices from public, anon, authenticated, service_role;
