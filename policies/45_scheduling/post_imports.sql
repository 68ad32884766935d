-- People read which rows they imported (P3.6); the import writes it.

alter table public.post_imports enable row level security;
revoke all on public.post_imports from public, anon, authenticated, service_role;
grant select on public.post_imports to authenticated;
create policy post_imports_select_owner on public.post_imports for select to authenticated
  using ((select auth.uid()) = user_id);
create policy post_imports_all_usable_account on public.post_imports as restrictive for all to authenticated
  using ((select private.account_is_usable()));

grant execute on function private.import_columns() to authenticated;
grant execute on function public.list_import_columns() to authenticated;
