-- Reference rows: whoever is signed in reads them, nobody changes them.

alter table public.platforms enable row level security;
grant select on public.platforms to authenticated;
create policy platforms_select_signed_in on public.platforms for select to authenticated
  using ((select private.session_is_live()));

alter table public.platform_features enable row level security;
grant select on public.platform_features to authenticated;
create policy platform_features_select_signed_in on public.platform_features for select to authenticated
  using ((select private.session_is_live()));
