-- People read, write and delete their own rows (P3.6).

alter table public.scripts enable row level security;
grant select, delete on public.scripts to authenticated;
grant insert (id, user_id, title, body) on public.scripts to authenticated;
grant update (title, body) on public.scripts to authenticated;
create policy scripts_select_owner on public.scripts for select to authenticated
  using ((select auth.uid()) = user_id);
create policy scripts_insert_owner on public.scripts for insert to authenticated
  with check ((select auth.uid()) = user_id);
create policy scripts_update_owner on public.scripts for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy scripts_delete_owner on public.scripts for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy scripts_all_usable_account on public.scripts as restrictive for all to authenticated
  using ((select private.account_is_usable()));
