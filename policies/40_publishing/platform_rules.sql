-- Reference rows: whoever is signed in reads them, nobody changes them.

alter table public.platform_rules enable row level security;
grant select on public.platform_rules to authenticated;
create policy platform_rules_select_signed_in on public.platform_rules for select to authenticated
  using ((select private.session_is_live()));
