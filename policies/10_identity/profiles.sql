-- A person reads their own profile in every state of the account, and edits it once the account may be used (P9.2).

alter table private.reserved_handles enable row level security;

alter table public.profiles enable row level security;
revoke all on public.profiles from anon, authenticated, service_role;
grant select on public.profiles to authenticated;
grant update (display_name, niche, bio, avatar_path, country) on public.profiles to authenticated;

create policy profiles_select_owner on public.profiles for select to authenticated
  using (user_id = (select auth.uid()));
create policy profiles_update_owner on public.profiles for update to authenticated
  using (user_id = (select auth.uid()) and (select private.account_is_usable()))
  with check (user_id = (select auth.uid()) and (select private.account_is_usable()));
create policy profiles_all_live_session on public.profiles as restrictive for all to authenticated
  using ((select private.session_is_live()));

-- The generated column is computed with the rights of whoever updates the row.
grant execute on function private.handle_skeleton(text) to authenticated;
grant execute on function private.change_handle(text, timestamptz) to authenticated;
grant execute on function public.change_handle(text) to authenticated;
