-- People read, write and delete their own rows (P3.6).

alter table public.posts enable row level security;
grant select, delete on public.posts to authenticated;
grant insert (id, user_id, script_id, title, body) on public.posts to authenticated;
grant update (script_id, title, body) on public.posts to authenticated;
create policy posts_select_owner on public.posts for select to authenticated
  using ((select auth.uid()) = user_id);
create policy posts_insert_owner on public.posts for insert to authenticated
  with check ((select auth.uid()) = user_id);
create policy posts_update_owner on public.posts for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy posts_delete_owner on public.posts for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy posts_all_usable_account on public.posts as restrictive for all to authenticated
  using ((select private.account_is_usable()));
