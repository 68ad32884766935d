-- A person reads their own notices and marks them as read, nothing else.

alter table public.notifications enable row level security;
revoke all on public.notifications from anon, authenticated, service_role;
grant select on public.notifications to authenticated;
grant select on public.notices to authenticated;
grant update (read_at) on public.notifications to authenticated;

create policy notifications_select_owner on public.notifications for select to authenticated
  using (user_id = (select auth.uid()));
create policy notifications_update_owner on public.notifications for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy notifications_all_usable_account on public.notifications as restrictive for all to authenticated
  using ((select private.account_is_usable()));
