-- A person reads their own record in every state of the account; it is written by triggers alone (P11.3).

alter table public.policy_acceptances enable row level security;
revoke all on public.policy_acceptances from public, anon, authenticated, service_role;
grant select on public.policy_acceptances to authenticated;
create policy policy_acceptances_select_owner on public.policy_acceptances for select to authenticated
  using (user_id = (select auth.uid()));
create policy policy_acceptances_all_live_session on public.policy_acceptances as restrictive for all to authenticated
  using ((select private.session_is_live()));

grant execute on function private.list_policies(timestamptz) to authenticated;
grant execute on function public.list_policies() to authenticated;
