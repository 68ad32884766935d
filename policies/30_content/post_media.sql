-- People read, write and delete their own rows (P3.6).

alter table public.post_media enable row level security;
grant select, delete on public.post_media to authenticated;
grant insert (post_id, media_id, user_id, position, role) on public.post_media to authenticated;
grant update (position, role) on public.post_media to authenticated;
create policy post_media_select_owner on public.post_media for select to authenticated
  using ((select auth.uid()) = user_id);
create policy post_media_insert_owner on public.post_media for insert to authenticated
  with check ((select auth.uid()) = user_id);
create policy post_media_update_owner on public.post_media for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy post_media_delete_owner on public.post_media for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy post_media_all_usable_account on public.post_media as restrictive for all to authenticated
  using ((select private.account_is_usable()));
