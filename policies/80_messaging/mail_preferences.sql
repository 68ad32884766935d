-- Choosing works in every state of the account; rows are written by functions alone (P7.6).

alter table private.mail_suppressions enable row level security;

alter table public.mail_preferences enable row level security;
revoke all on public.mail_preferences from public, anon, authenticated, service_role;
grant select on public.mail_preferences to authenticated;
create policy mail_preferences_select_owner on public.mail_preferences for select to authenticated
  using (user_id = (select auth.uid()));
create policy mail_preferences_all_live_session on public.mail_preferences as restrictive for all to authenticated
  using ((select private.session_is_live()));

grant execute on function private.choose_mail(text, boolean, timestamptz) to authenticated;
grant execute on function private.list_mail_choices(timestamptz) to authenticated;
grant execute on function public.choose_mail(text, boolean) to authenticated;
grant execute on function public.list_mail_choices() to authenticated;
