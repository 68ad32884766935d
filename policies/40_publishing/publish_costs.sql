-- People read what their posts cost; reports alone write it. Prices are for the bodies of this context.

alter table private.platform_prices enable row level security;
alter table public.publish_costs enable row level security;
grant select on public.publish_costs to authenticated;
grant select on public.monthly_publish_costs to authenticated;
create policy publish_costs_select_owner on public.publish_costs for select to authenticated
  using ((select auth.uid()) = user_id);
create policy publish_costs_all_usable_account on public.publish_costs as restrictive for all to authenticated
  using ((select private.account_is_usable()));
