-- People read, write and delete their own rows (P3.6).

alter table public.captions enable row level security;
grant select, delete on public.captions to authenticated;
grant insert (id, user_id, platform_id, title, body) on public.captions to authenticated;
grant update (platform_id, title, body) on public.captions to authenticated;
create policy captions_select_owner on public.captions for select to authenticated
  using ((select auth.uid()) = user_id);
create policy captions_insert_owner on public.captions for insert to authenticated
  with check ((select auth.uid()) = user_id);
create policy captions_update_owner on public.captions for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy captions_delete_owner on public.captions for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy captions_all_usable_account on public.captions as restrictive for all to authenticated
  using ((select private.account_is_usable()));
