-- People read their own connections; every change goes through a function (P3.6, P6.6).

alter table public.connections enable row level security;
grant select on public.connections to authenticated;
create policy connections_select_owner on public.connections for select to authenticated
  using ((select auth.uid()) = user_id);
create policy connections_all_usable_account on public.connections as restrictive for all to authenticated
  using ((select private.account_is_usable()));
