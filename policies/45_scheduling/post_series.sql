-- People read their own series and occurrences and may delete them; everything else goes through functions (P3.6).

alter table public.post_series enable row level security;
revoke all on public.post_series from public, anon, authenticated, service_role;
grant select, delete on public.post_series to authenticated;
create policy post_series_select_owner on public.post_series for select to authenticated
  using ((select auth.uid()) = user_id);
create policy post_series_delete_owner on public.post_series for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy post_series_all_usable_account on public.post_series as restrictive for all to authenticated
  using ((select private.account_is_usable()));

alter table public.post_occurrences enable row level security;
revoke all on public.post_occurrences from public, anon, authenticated, service_role;
grant select on public.post_occurrences to authenticated;
create policy post_occurrences_select_owner on public.post_occurrences for select to authenticated
  using ((select auth.uid()) = user_id);
create policy post_occurrences_all_usable_account on public.post_occurrences as restrictive for all to authenticated
  using ((select private.account_is_usable()));
