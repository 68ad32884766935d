-- A person reads their own log in every state of the account; it is written by functions alone (P10.1).

alter table private.consent_texts enable row level security;

alter table public.consents enable row level security;
revoke all on public.consents from public, anon, authenticated, service_role;
grant select on public.consents to authenticated;

create policy consents_select_owner on public.consents for select to authenticated
  using (user_id = (select auth.uid()));
create policy consents_all_live_session on public.consents as restrictive for all to authenticated
  using ((select private.session_is_live()));
