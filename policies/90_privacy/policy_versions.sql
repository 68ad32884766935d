-- Everybody who is signed in reads the versions; they are announced by whoever operates the service.

alter table private.policy_mailings enable row level security;

alter table public.policy_versions enable row level security;
revoke all on public.policy_versions from public, anon, authenticated, service_role;
grant select on public.policy_versions to authenticated;
create policy policy_versions_select_signed_in on public.policy_versions for select to authenticated
  using ((select private.session_is_live()));

grant execute on function private.announce_policy(text, text, timestamptz, timestamptz) to service_role;
grant execute on function worker.announce_policy(text, text, timestamptz) to service_role;
