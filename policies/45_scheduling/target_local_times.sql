-- People read what their own targets were given; the functions of this context write it (P3.6).

alter table public.target_local_times enable row level security;
revoke all on public.target_local_times from public, anon, authenticated, service_role;
grant select on public.target_local_times to authenticated;
create policy target_local_times_select_owner on public.target_local_times for select to authenticated
  using ((select auth.uid()) = user_id);
create policy target_local_times_all_usable_account on public.target_local_times as restrictive for all to authenticated
  using ((select private.account_is_usable()));
