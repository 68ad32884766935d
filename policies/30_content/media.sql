-- People read and delete their own rows, change the description, and insert through register_media() alone (P3.6).

alter table public.media enable row level security;
grant select, delete on public.media to authenticated;
grant update (alt_text) on public.media to authenticated;
create policy media_select_owner on public.media for select to authenticated
  using ((select auth.uid()) = user_id);
create policy media_update_owner on public.media for update to authenticated
  using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy media_delete_owner on public.media for delete to authenticated
  using ((select auth.uid()) = user_id);
create policy media_all_usable_account on public.media as restrictive for all to authenticated
  using ((select private.account_is_usable()));

grant execute on function private.register_media(text, text, int, int, int, timestamptz) to authenticated;
grant execute on function public.register_media(text, text, int, int, int) to authenticated;
