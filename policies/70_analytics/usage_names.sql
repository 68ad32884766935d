-- Reference rows: whoever is signed in reads them, nobody changes them.

alter table public.usage_names enable row level security;
grant select on public.usage_names to authenticated;
create policy usage_names_select_signed_in on public.usage_names for select to authenticated
  using ((select private.session_is_live()));
