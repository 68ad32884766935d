-- A person sees their own logins; nobody changes them. Workers see an address and the id of a login, no person.

alter table public.login_events enable row level security;
revoke all on public.login_events from anon, authenticated, service_role;
grant select on public.login_events to authenticated;

create policy login_events_select_owner on public.login_events for select to authenticated
  using (user_id = (select auth.uid()));
create policy login_events_all_live_session on public.login_events as restrictive for all to authenticated
  using ((select private.session_is_live()));

grant execute on function private.claim_login_locations(int) to service_role;
grant execute on function private.set_login_countries(jsonb, timestamptz) to service_role;
grant execute on function worker.claim_login_locations(int) to service_role;
grant execute on function worker.set_login_countries(jsonb) to service_role;
