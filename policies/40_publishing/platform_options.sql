-- Reference rows: whoever is signed in reads them, nobody changes them.

alter table public.platform_options enable row level security;
grant select on public.platform_options to authenticated;
create policy platform_options_select_signed_in on public.platform_options for select to authenticated
  using ((select private.session_is_live()));
