-- People read, write and delete their own slots (P3.6).

alter table public.queue_slots enable row level security;
revoke all on public.queue_slots from public, anon, authenticated, service_role;
grant select, delete on public.queue_slots to authenticated;
grant insert (id, user_id, connection_id, weekday, local_time, time_zone) on public.queue_slots to authenticated;
grant update (weekday, local_time, time_zone) on public.queue_slots to authenticated;
create policy queue_slots_select_owner on public.queue_slots for select to authenticated
  using ((select auth.uid()) = user_id);
create policy queue_slots_insert_owner on public.queue_slots for insert to authenticated
  with check ((select auth.uid()) = user_id);
create policy queue_slots_update_owner on public.queue_slots for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy queue_slots_delete_owner on public.queue_slots for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy queue_slots_all_usable_account on public.queue_slots as restrictive for all to authenticated
  using ((select private.account_is_usable()));
