-- A person reads and edits their own preferences in every state of the account: opting out must always work (P7.5).

alter table public.preferences enable row level security;
revoke all on public.preferences from anon, authenticated, service_role;
grant select on public.preferences to authenticated;
grant update (language, time_zone, theme, week_starts_on, product_analytics, mail_notices) on public.preferences to authenticated;

create policy preferences_select_owner on public.preferences for select to authenticated
  using (user_id = (select auth.uid()));
create policy preferences_update_owner on public.preferences for update to authenticated
  using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
create policy preferences_all_live_session on public.preferences as restrictive for all to authenticated
  using ((select private.session_is_live()));

grant execute on function private.is_time_zone(text) to authenticated;
